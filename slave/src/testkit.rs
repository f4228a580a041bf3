//! For this crate's tests: a master whose every word the test says, and a slave on real folders.

mod master;
mod slave;

pub(crate) use master::{EPOCH, HEARTBEAT, STORE, ScriptedMaster, Talk};
pub(crate) use slave::TestSlave;
