//! What an operator has decided about a slave: that it takes no new files, that others are to hold what it holds, or that
//! it is worked on.
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
    /// Its copies count as none, so others are made elsewhere. It is drained, too.
    pub evacuated: bool,
}

impl Standing {
    /// What counts when this is decided, or taken back.
    fn with(mut self, duty: Duty, on: bool) -> Self {
        match duty {
            Duty::Drained => {
                self.drained = on;
                self.evacuated &= on;
            }
            Duty::Evacuated => {
                self.drained |= on;
                self.evacuated = on;
            }
            Duty::Maintenance => self.maintenance = on,
        }
        self
    }
}

/// What can be decided about a slave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// [`Standing::drained`].
    Drained,
    /// [`Standing::maintenance`].
    Maintenance,
    /// [`Standing::evacuated`].
    Evacuated,
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
        let was = known.standing();
        let is = was.with(self.duty, self.on);
        let columns = [
            (
                "UPDATE slave SET drained = ?2 WHERE name = ?1",
                (was.drained, is.drained),
            ),
            (
                "UPDATE slave SET maintenance = ?2 WHERE name = ?1",
                (was.maintenance, is.maintenance),
            ),
            (
                "UPDATE slave SET evacuated = ?2 WHERE name = ?1",
                (was.evacuated, is.evacuated),
            ),
        ];
        // Said once more, it counts since it was said first.
        for (sql, (was, is)) in columns {
            if was != is {
                let since = is.then_some(self.now);
                batch.run(sql, params![self.name.as_str(), since])?;
            }
        }
        Ok(is)
    }
}
