//! For this crate's tests: a master whose every word the test says, a slave on real folders, a root alone.

mod master;
mod root;
mod slave;

pub(crate) use master::{EPOCH, HEARTBEAT, STORE, ScriptedMaster, Talk};
pub(crate) use root::{KEEP, one_root, open_roots, prepare, shared_root};
pub(crate) use slave::TestSlave;
