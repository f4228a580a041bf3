//! The registry's book, pure: which channels there are, what they do, and which ends the master has
//! not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use drftpd_protocol::ids::{FileId, RootId, TransferId};
use drftpd_protocol::wire::{Fault, FaultCode, Outcome, TransferEnded};

use super::growing::{Follower, Grower};
use super::messages::Growing;
use super::meter::Meter;

/// All channels of a slave. `A` is where a channel's actor is reached.
#[derive(Debug)]
pub struct Book<A> {
    most: usize,
    channels: BTreeMap<TransferId, Entry<A>>,
    uploads: BTreeMap<(RootId, FileId), (TransferId, Follower)>,
    ends: VecDeque<TransferEnded>,
}

#[derive(Debug)]
struct Entry<A> {
    actor: A,
    meter: Arc<Meter>,
    job: Option<Booked>,
    told: u64,
}

/// What a channel does, as far as others must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booked {
    /// A file goes out.
    Sends,
    /// A file comes in.
    Receives(RootId, FileId),
}

impl<A: Clone> Book<A> {
    /// A book for that many channels.
    pub fn new(most: u32) -> Self {
        Book {
            most: most as usize,
            channels: BTreeMap::new(),
            uploads: BTreeMap::new(),
            ends: VecDeque::new(),
        }
    }

    /// Takes everything over from a book whose owner failed in the middle of a change: channels that
    /// are there, their uploads, and the ends.
    pub fn take_over(&mut self, old: Self) {
        self.channels = old.channels;
        self.ends = old.ends;
        self.uploads = old.uploads;
        let channels = &self.channels;
        self.uploads.retain(|(root, file), (transfer, _)| {
            let entry = channels.get(transfer);
            entry.is_some_and(|entry| entry.job == Some(Booked::Receives(*root, *file)))
        });
        self.shed();
    }

    /// Another limit; channels above it are left alone.
    pub fn set_most(&mut self, most: u32) {
        self.most = most as usize;
    }

    /// How many ends are kept for a master that does not acknowledge them.
    fn most_ends(&self) -> usize {
        self.most.saturating_mul(4).max(64)
    }

    /// Whether a new channel may be opened.
    ///
    /// # Errors
    /// [`FaultCode::BUSY`] when there are too many, or when so many uploads are unacknowledged that
    /// the end of one more could not be kept; [`FaultCode::BAD_REQUEST`] for a number in use.
    pub fn admit(&self, transfer: TransferId) -> Result<(), Fault> {
        if self.channels.contains_key(&transfer) || self.end_of(transfer).is_some() {
            let text = format!("channel {transfer} is there already");
            return Err(Fault::new(FaultCode::BAD_REQUEST, text));
        }
        if self.channels.len() >= self.most {
            let text = format!("{} data channels", self.channels.len());
            return Err(Fault::new(FaultCode::BUSY, text));
        }
        let uploads = self.ends.iter().filter(|end| end.upload.is_some()).count();
        if uploads >= self.most_ends() {
            let text = format!("{uploads} ends of uploads are not acknowledged");
            return Err(Fault::new(FaultCode::BUSY, text));
        }
        Ok(())
    }

    /// A channel is there.
    pub fn enter(&mut self, transfer: TransferId, actor: A, meter: Arc<Meter>) {
        let entry = Entry {
            actor,
            meter,
            job: None,
            told: 0,
        };
        self.channels.insert(transfer, entry);
    }

    /// Where a channel is reached.
    pub fn actor(&self, transfer: TransferId) -> Option<A> {
        let entry = self.channels.get(&transfer)?;
        Some(entry.actor.clone())
    }

    /// A channel gets its job. Gives where it is reached, and how the job's file grows.
    ///
    /// # Errors
    /// [`FaultCode::NO_SUCH_TRANSFER`]; [`FaultCode::BAD_REQUEST`] for one that has its job;
    /// [`FaultCode::BUSY`] for an upload of a file that is being received.
    pub fn book(
        &mut self,
        transfer: TransferId,
        file: (RootId, FileId),
        receives: bool,
    ) -> Result<(A, Growing), Fault> {
        let entry = self.channels.get_mut(&transfer).ok_or_else(|| {
            let text = format!("no channel {transfer}");
            Fault::new(FaultCode::NO_SUCH_TRANSFER, text)
        })?;
        if entry.job.is_some() {
            let text = "the transfer has begun already";
            return Err(Fault::new(FaultCode::BAD_REQUEST, text));
        }
        let upload = self.uploads.get(&file);
        let (job, growth) = match (receives, upload) {
            (false, None) => (Booked::Sends, Growing::Not),
            (false, Some((_, follower))) => (Booked::Sends, Growing::Follow(follower.clone())),
            (true, None) => {
                let (grower, follower) = Grower::new();
                self.uploads.insert(file, (transfer, follower));
                (Booked::Receives(file.0, file.1), Growing::Tell(grower))
            }
            (true, Some((other, _))) => {
                let text = format!("file {} is being received by transfer {other}", file.1);
                return Err(Fault::new(FaultCode::BUSY, text));
            }
        };
        entry.job = Some(job);
        Ok((entry.actor.clone(), growth))
    }

    /// The upload of a file into a root, if one runs.
    pub fn upload(&self, file: (RootId, FileId)) -> Option<Follower> {
        let (_, follower) = self.uploads.get(&file)?;
        Some(follower.clone())
    }

    /// A channel is over. An end that must be told is kept until it is acknowledged.
    pub fn over(&mut self, transfer: TransferId, end: Option<TransferEnded>) {
        self.leave(transfer);
        if let Some(end) = end {
            self.ends.push_back(end);
            self.shed();
        }
    }

    /// A channel's actor failed. Gives the end to tell, if its transfer had begun.
    pub fn failed(&mut self, transfer: TransferId) -> Option<TransferEnded> {
        let booked = self.leave(transfer)?;
        let end = TransferEnded {
            transfer,
            upload: match booked {
                Booked::Sends => None,
                Booked::Receives(root, file) => Some((root, file)),
            },
            outcome: Outcome::Broken {
                fault: Fault::new(FaultCode::FAILED, "the transfer's actor failed"),
                bytes: 0,
                kept: None,
            },
            took_ms: 0,
            tls: None,
            space: None,
        };
        self.ends.push_back(end.clone());
        self.shed();
        Some(end)
    }

    fn leave(&mut self, transfer: TransferId) -> Option<Booked> {
        let entry = self.channels.remove(&transfer)?;
        if let Some(Booked::Receives(root, file)) = entry.job {
            self.uploads.remove(&(root, file));
        }
        entry.job
    }

    /// Drops the oldest ends of downloads while there are too many. Ends of uploads stay.
    fn shed(&mut self) {
        while self.ends.len() > self.most_ends() {
            let Some(oldest) = self.ends.iter().position(|end| end.upload.is_none()) else {
                return;
            };
            self.ends.remove(oldest);
        }
    }

    /// The master has stored an end.
    pub fn seen(&mut self, transfer: TransferId) {
        self.ends.retain(|end| end.transfer != transfer);
    }

    /// An end that is not acknowledged.
    pub fn end_of(&self, transfer: TransferId) -> Option<&TransferEnded> {
        self.ends.iter().find(|end| end.transfer == transfer)
    }

    /// All ends that are not acknowledged, oldest first.
    pub fn ends(&self) -> Vec<TransferEnded> {
        self.ends.iter().cloned().collect()
    }

    /// All channels, and those whose end is not acknowledged.
    pub fn unfinished(&self) -> Vec<TransferId> {
        let ends = self.ends.iter().map(|end| end.transfer);
        self.channels.keys().copied().chain(ends).collect()
    }

    /// How many channels there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.channels.len()).unwrap_or(u32::MAX)
    }

    /// Files that are being received.
    pub fn files(&self) -> Vec<FileId> {
        self.uploads.keys().map(|(_, file)| *file).collect()
    }

    /// Begun transfers that moved since the master was told, with where they are.
    pub fn moved(&self) -> Vec<(TransferId, u64)> {
        let begun = self.channels.iter().filter(|(_, e)| e.job.is_some());
        begun
            .map(|(transfer, entry)| (*transfer, entry.meter.position(), entry.told))
            .filter(|(_, position, told)| position != told)
            .map(|(transfer, position, _)| (transfer, position))
            .collect()
    }

    /// The master was told.
    pub fn told(&mut self, moved: &[(TransferId, u64)]) {
        for (transfer, position) in moved {
            if let Some(entry) = self.channels.get_mut(transfer) {
                entry.told = *position;
            }
        }
    }
}

#[cfg(test)]
mod tests;
