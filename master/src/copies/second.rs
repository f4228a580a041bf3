//! The second copy of a file that a client sends, where a rule wants it before 226 (`ack_copies = 2`): the slave that
//! receives sends on what it has, and the client is answered when both have prepared all of it.
//!
//! One task has it, from the first order until it is known what became of the upload; it hears that by a watch channel,
//! and a channel that is closed says that nobody wants the copy. What it leaves on a slave is thrown away by the log of
//! that root, so a slave that is gone hears of it when it is back; a master that is killed finds it by the end that the
//! slave tells again, or by the next walk. The upload itself never waits: a slower slave lags behind, and 226 with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drftpd_protocol::wire::{
    Base, FaultCode, Job, Outcome, Place, ReceiveJob, SendJob, TransferEnded,
};
use drftpd_protocol::{FileId, OpSeq, RootId, VfsPath};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

use super::config::{CopiesConfig, CopyRule};
use super::course::{Course, Not, Word};
use super::look::second_roots;
use super::make::Maker;
use super::order::CopyError;
use super::pass::{Ends, LAST_WORD, Passage, Way, offline};
use crate::slaves::Running;
use crate::transfer::Slot;
use crate::vfs::PreparedBytes;

/// How often it is looked for a slave that takes it while there is none.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Attempts that got on and failed, after the client has sent everything.
const MOST_LATE: u32 = 16;

/// Has second copies made of files that are being sent. Cheap to clone.
#[derive(Clone)]
pub struct Seconds {
    pub maker: Maker,
    pub config: Arc<CopiesConfig>,
}

/// A file that is being sent.
pub struct Sent {
    /// Where it was sent to; it may be renamed meanwhile.
    pub path: VfsPath,
    pub file: FileId,
    pub at: Place,
    /// The root that receives it.
    pub first: RootId,
    /// Bytes that it will have; 0 when unknown.
    pub bytes: u64,
    /// Whether BLAKE3 is summed.
    pub blake3: bool,
    /// How long the client may be silent.
    pub stall: Duration,
}

impl Seconds {
    /// The rule that wants a second copy of what is sent to there.
    pub fn rule(&self, path: &VfsPath) -> Option<&CopyRule> {
        let rule = self.config.rule(path, Duration::ZERO);
        rule.filter(|rule| rule.ack_copies > 1)
    }

    /// Whether some root may take the second copy of what this one receives.
    pub fn is_possible(&self, rule: &CopyRule, first: RootId) -> bool {
        !self.roots(rule, first).is_empty()
    }

    fn roots(&self, rule: &CopyRule, first: RootId) -> Vec<RootId> {
        second_roots(rule, first, &self.maker.slaves.views().borrow())
    }

    /// Has the copy made, tells which root has prepared it, and waits for what becomes of the upload. Without a word it
    /// is not to be had.
    pub async fn run(
        self,
        sent: Sent,
        word: watch::Receiver<Word>,
        there: oneshot::Sender<RootId>,
    ) {
        let mut course = Course::new(word, self.config.ack_timeout);
        let ends = match self.made(&sent, &mut course).await {
            Ok(ends) => ends,
            Err(why) => return debug!(path = %sent.path, %why, "no second copy"),
        };
        let (slave, transfer) = (&ends.taker.slave, ends.taker.transfer);
        let wanted = there.send(ends.taker.root).is_ok() && course.is_committed().await;
        if wanted {
            self.maker.slaves.seen(slave, transfer);
        } else {
            self.throw_away(&ends, sent.file).await;
        }
    }

    /// Tries one root after the other: each once while the client sends, then again until the time is over.
    async fn made(&self, sent: &Sent, course: &mut Course) -> Result<Ends, Not> {
        let Some(rule) = self.rule(&sent.path) else {
            return Err(Not::Unwanted);
        };
        let (mut tried, mut late) = (BTreeSet::new(), 0);
        loop {
            let mut to = self.roots(rule, sent.first);
            to.retain(|root| !tried.contains(root));
            if to.is_empty() {
                course.wanted(sleep(LOOK_AGAIN)).await?;
                if course.whole.is_some() {
                    tried.clear();
                }
                continue;
            }
            match self.attempt(sent, to, course, &mut tried).await {
                Err(Not::Made(CopyError::Behind)) => course.wanted(sleep(LOOK_AGAIN)).await?,
                Err(Not::Made(why)) => debug!(path = %sent.path, %why, "no second copy yet"),
                made => return made,
            }
            late += u32::from(course.whole.is_some() && course.has_moved());
            if late == MOST_LATE {
                return Err(Not::InTime);
            }
        }
    }

    /// One root that may take it, in both directions.
    async fn attempt(
        &self,
        sent: &Sent,
        to: Vec<RootId>,
        course: &mut Course,
        tried: &mut BTreeSet<RootId>,
    ) -> Result<Ends, Not> {
        let others = to.len() > 1;
        let mut to = to;
        for giver_listens in [true, false] {
            let way = Way {
                path: &sent.path,
                bytes: sent.bytes,
                from: vec![sent.first],
                to: to.clone(),
            };
            let ends = match self.maker.hold(way).await {
                Ok(ends) => ends,
                Err(why) => {
                    tried.extend(to); // none of them has room
                    return Err(why.into());
                }
            };
            to = vec![ends.taker.root];
            tried.insert(ends.taker.root);
            course.begins(others);
            let ended = self.passed(&ends, sent, giver_listens, course).await;
            let transfers = &self.maker.transfers;
            transfers.free(ends.giver.transfer, None);
            let space = ended.as_ref().ok().and_then(|ended| ended.space.clone());
            transfers.free(ends.taker.transfer, space);
            match ended {
                Ok(_) => return Ok(ends),
                // Nothing is there but what an earlier attempt left, and that goes in a moment.
                Err(Not::Made(CopyError::Behind)) => {
                    tried.remove(&ends.taker.root);
                    return Err(CopyError::Behind.into());
                }
                Err(Not::Made(CopyError::NotReached)) => {
                    self.leave(&ends.giver);
                    self.leave(&ends.taker);
                }
                Err(why) => {
                    self.throw_away(&ends, sent.file).await;
                    return Err(why);
                }
            }
        }
        Err(CopyError::NotReached.into())
    }

    /// Both at work, up to the taker's end: it has prepared what the first slave has prepared.
    async fn passed(
        &self,
        ends: &Ends,
        sent: &Sent,
        giver_listens: bool,
        course: &mut Course,
    ) -> Result<TransferEnded, Not> {
        let passage = self.passage(ends, sent);
        let begin = self.maker.begin(ends, &passage, giver_listens);
        let (giver, taker) = course.wanted(begin).await??;
        let transfers = &self.maker.transfers;
        transfers.begun(ends.giver.transfer, None);
        transfers.begun(ends.taker.transfer, taker.begun.space.clone());
        let ended = watched(ends, giver, taker, course).await?;
        self.leave(&ends.giver);
        let second = match &ended.outcome {
            Outcome::Broken { fault, .. } if fault.code == FaultCode::NO_CONNECTION => {
                return Err(CopyError::NotReached.into());
            }
            Outcome::Broken { fault, bytes, .. } => return Err(broken(*bytes, fault).into()),
            prepared => PreparedBytes::of(prepared).ok_or(CopyError::OtherBytes)?,
        };
        let first = course.first().await?;
        match second.is_of(&first) {
            true => Ok(ended),
            false => {
                warn!(path = %sent.path, slave = %ends.taker.slave, "a second copy has other bytes");
                Err(CopyError::OtherBytes.into())
            }
        }
    }

    /// All that the first root has of it and gets, from the first byte on: also where the upload goes on with what
    /// was there before.
    fn passage(&self, ends: &Ends, sent: &Sent) -> Passage {
        let give = SendJob {
            root: ends.giver.root,
            file: sent.file,
            at: sent.at.clone(),
            offset: 0,
            length: None,
        };
        let take = ReceiveJob {
            root: ends.taker.root,
            file: sent.file,
            base: Base::Empty,
            expected: sent.bytes,
            blake3: sent.blake3,
            most: None,
        };
        Passage {
            file: sent.file,
            give: (Job::Send(give), OpSeq::NONE),
            take: Job::Receive(take),
            // The client waits for it.
            max_rate: None,
            // The client's silence is the client's, and has its own limit.
            stall: sent.stall.saturating_add(self.maker.stall),
        }
    }

    /// Nobody waits for the two any more, and what the taker has is thrown away.
    async fn throw_away(&self, ends: &Ends, file: FileId) {
        let dropped = self.maker.vfs.drop_staged(file, ends.taker.root).await;
        if let Err(why) = dropped {
            debug!(%why, "what a second copy left in staging is thrown away by the next walk");
        }
        self.leave(&ends.giver);
        self.leave(&ends.taker);
    }

    /// Nobody waits for one of the two any more, whether it has ended or not.
    fn leave(&self, slot: &Slot) {
        self.maker.slaves.give_up(&slot.slave, slot.transfer);
        self.maker.slaves.seen(&slot.slave, slot.transfer);
    }
}

#[cfg(test)]
impl Seconds {
    /// As a master has it whose slaves have no certificate.
    pub fn for_test(
        config: CopiesConfig,
        vfs: &crate::vfs::VfsClient,
        slaves: &crate::slaves::SlavesClient,
        transfers: &crate::transfer::TransfersClient,
    ) -> Self {
        Self {
            maker: Maker {
                vfs: vfs.clone(),
                slaves: slaves.clone(),
                transfers: transfers.clone(),
                secures: false,
                max_rate: None,
                blake3: false,
                stall: config.stall_timeout,
            },
            config: Arc::new(config),
        }
    }
}

/// The taker's end. Where the giver breaks off, the taker has a moment to say that it heard of it.
async fn watched(
    ends: &Ends,
    mut giver: Running,
    mut taker: Running,
    course: &mut Course,
) -> Result<TransferEnded, Not> {
    let (mut gives, mut told, mut until) = (true, true, None::<Instant>);
    loop {
        let left = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = &mut taker.ended => return Ok(ended.map_err(|_lost| offline(&ends.taker.slave))?),
            not = course.over() => return Err(not),
            moved = taker.progress.changed(), if told => match moved {
                Ok(()) => course.moved(*taker.progress.borrow_and_update()),
                Err(_closed) => told = false,
            },
            gave = &mut giver.ended, if gives => {
                gives = false;
                let sent = gave.is_ok_and(|gave| matches!(gave.outcome, Outcome::Sent { .. }));
                until = (!sent).then(|| Instant::now() + LAST_WORD);
            }
            () = left => return Err(offline(&ends.taker.slave).into()),
        }
    }
}

fn broken(bytes: u64, why: &impl ToString) -> CopyError {
    CopyError::Broken {
        bytes,
        why: why.to_string(),
        kept: None,
    }
}
