//! What an operator has decided about a slave: that it takes no new files, or that it is worked on.
//!
//! Kept in the store, so that it counts after every restart, and shown to others with what the slave tells.

use drftpd_protocol::SlaveId;

use super::book;
use super::enroll::EnrollError;
use crate::store::{Batch, Command, params};

/// What counts for a slave that is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It takes no new files, and serves what it has.
    pub drained: bool,
    /// It is worked on: it counts neither as up nor as down, and serves nobody.
    pub maintenance: bool,
}

/// What can be decided about a slave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// [`Standing::drained`].
    Drained,
    /// [`Standing::maintenance`].
    Maintenance,
}

/// Decides something about a slave, or takes it back; answers what counts now.
#[derive(Debug)]
pub(super) struct Stand {
    /// Its name.
    pub name: SlaveId,
    /// What.
    pub duty: Duty,
    /// Whether it counts from now on.
    pub on: bool,
    /// Unix seconds.
    pub now: i64,
}

impl Command for Stand {
    type Answer = Standing;
    type Error = EnrollError;

    fn apply(self, batch: &Batch<'_>) -> Result<Standing, EnrollError> {
        let known = book::find(batch, &self.name)?.filter(|row| row.revoked.is_none());
        let Some(known) = known else {
            return Err(EnrollError::Unknown(self.name));
        };
        let mut standing = known.standing();
        let (sql, decided) = match self.duty {
            Duty::Drained => (
                "UPDATE slave SET drained = ?2 WHERE name = ?1",
                &mut standing.drained,
            ),
            Duty::Maintenance => (
                "UPDATE slave SET maintenance = ?2 WHERE name = ?1",
                &mut standing.maintenance,
            ),
        };
        // Said once more, it counts since it was said first.
        if *decided != self.on {
            *decided = self.on;
            batch.run(
                sql,
                params![self.name.as_str(), self.on.then_some(self.now)],
            )?;
        }
        Ok(standing)
    }
}
