//! Where the file list, the accounts and the logs of operations live: one transactional store.

pub mod error;

pub use error::StoreError;
