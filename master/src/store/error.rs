//! Why the store failed.

/// Why the store failed. Nothing of the command was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The writer is gone, or its queue is full.
    #[error("the store does not take commands now")]
    Closed,
    /// Another master has it.
    #[error("another master uses this store")]
    Locked,
    /// Made by a newer version, or damaged.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}
