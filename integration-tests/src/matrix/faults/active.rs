//! Faults that go on, and what they are about.

use std::path::PathBuf;

use super::super::kinds::Kind;
use crate::process::Running;

/// What a fault is about: one at a time of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Master,
    Slave(usize),
    Link(usize),
    /// Everything: nothing else may be broken meanwhile.
    All,
}

/// A fault that goes on, and what mends it.
pub(super) enum Active {
    MasterDown,
    MasterStopped,
    SlaveDown(usize),
    SlaveStopped(usize),
    BothDown(usize),
    Link(usize),
    Full(usize, PathBuf),
    Armed(Kind, &'static str),
    Absent(usize, PathBuf),
    Old(usize, PathBuf),
    Second(Running),
}

impl Active {
    pub(super) fn about(&self) -> Vec<About> {
        match self {
            Active::MasterDown | Active::MasterStopped => vec![About::Master],
            Active::SlaveDown(at)
            | Active::SlaveStopped(at)
            | Active::Full(at, _)
            | Active::Absent(at, _)
            | Active::Old(at, _) => vec![About::Slave(*at)],
            Active::BothDown(at) => vec![About::Master, About::Slave(*at)],
            Active::Link(at) => vec![About::Link(*at)],
            Active::Armed(..) => vec![],
            Active::Second(_) => vec![About::All],
        }
    }
}
