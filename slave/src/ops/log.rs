//! Pure: where a root's log of operations stands on this link, and what may be done next.

use drftpd_protocol::OpSeq;
use drftpd_protocol::wire::{Fault, FaultCode, OpsApplied, RootOp};

/// A batch of operations, each with its position.
pub type Batch = Vec<(OpSeq, RootOp)>;

/// The position of one root's log.
#[derive(Debug)]
pub struct LogPosition {
    link: u64,
    done: OpSeq,
    failed: Option<OpSeq>,
}

/// How a batch went: what was done, and the fault that ended it.
#[derive(Debug)]
pub struct Worked {
    /// The last operation that was done.
    pub through: Option<OpSeq>,
    /// What was found on the disk, for the log.
    pub remarks: Vec<(OpSeq, String)>,
    /// The operation that could not be done; none after it was tried.
    pub failed: Option<(OpSeq, Fault)>,
}

impl Worked {
    /// A batch of which nobody knows how far it came: it counts as failed from its first
    /// operation on. Doing some of it twice does no harm.
    pub fn nothing(first: OpSeq, why: &dyn std::fmt::Display) -> Self {
        Worked {
            through: None,
            remarks: Vec::new(),
            failed: Some((first, Fault::new(FaultCode::FAILED, why.to_string()))),
        }
    }
}

impl Default for LogPosition {
    fn default() -> Self {
        LogPosition::on(0)
    }
}

impl LogPosition {
    /// Nothing is done on this link yet.
    fn on(link: u64) -> Self {
        LogPosition {
            link,
            done: OpSeq::NONE,
            failed: None,
        }
    }

    /// What is left to do of a batch that came over link number `link`.
    ///
    /// # Errors
    /// `BAD_REQUEST` when the positions do not ascend, `BUSY` when an operation before this batch
    /// failed and was not sent again: order is everything.
    pub fn admit(&mut self, link: u64, batch: Batch) -> Result<Batch, Fault> {
        if link != self.link {
            *self = LogPosition::on(link);
        }
        if batch.windows(2).any(|two| two[0].0 >= two[1].0) {
            let text = "the positions of operations must ascend";
            return Err(Fault::new(FaultCode::BAD_REQUEST, text));
        }
        if let (Some(failed), Some((first, _))) = (self.failed, batch.first())
            && *first > failed
        {
            let text = format!("operation {failed} failed and must come before {first}");
            return Err(Fault::new(FaultCode::BUSY, text));
        }
        let left = batch.into_iter().filter(|(seq, _)| *seq > self.done);
        Ok(left.collect())
    }

    /// Notes how a batch went and says it to the master.
    ///
    /// # Errors
    /// The fault of the batch's first operation. A later one that fails ends the batch before it:
    /// the answer says how far it came, with the failure among the remarks.
    pub fn note(&mut self, worked: Worked) -> Result<OpsApplied, Fault> {
        let Worked {
            through,
            mut remarks,
            failed,
        } = worked;
        self.done = through.unwrap_or(OpSeq::NONE).max(self.done);
        if through.is_some() || failed.is_some() {
            self.failed = failed.as_ref().map(|(seq, _)| *seq);
        }
        match failed {
            Some((_, fault)) if through.is_none() => return Err(fault),
            Some((seq, fault)) => remarks.push((seq, fault.to_string())),
            None => {}
        }
        Ok(OpsApplied {
            through: self.done,
            remarks,
        })
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::{FileId, Generation, NodeId};

    use super::*;

    fn batch(positions: &[u64]) -> Batch {
        let file = FileId {
            node: NodeId(7),
            generation: Generation(1),
        };
        let op = |seq: &u64| (OpSeq(*seq), RootOp::DiscardStaged { file });
        positions.iter().map(op).collect()
    }

    fn positions(batch: &Batch) -> Vec<u64> {
        batch.iter().map(|(seq, _)| seq.0).collect()
    }

    fn worked(through: Option<u64>, failed: Option<u64>) -> Worked {
        Worked {
            through: through.map(OpSeq),
            remarks: Vec::new(),
            failed: failed.map(|seq| (OpSeq(seq), Fault::new(FaultCode::DISK, "broken"))),
        }
    }

    #[test]
    fn what_was_done_on_this_link_is_passed_over_but_done_again_on_the_next() {
        let mut log = LogPosition::default();
        assert_eq!(positions(&log.admit(1, batch(&[4, 5])).unwrap()), [4, 5]);
        let told = log.note(worked(Some(5), None)).unwrap();
        assert_eq!(told.through, OpSeq(5));
        assert_eq!(positions(&log.admit(1, batch(&[5, 6])).unwrap()), [6]);
        assert_eq!(positions(&log.admit(2, batch(&[5, 6])).unwrap()), [5, 6]);
    }

    #[test]
    fn a_batch_that_was_done_already_says_how_far_all_is() {
        let mut log = LogPosition::default();
        log.admit(1, batch(&[4, 5])).unwrap();
        log.note(worked(Some(5), None)).unwrap();
        assert_eq!(log.admit(1, batch(&[4])).unwrap().len(), 0);
        assert_eq!(log.note(worked(None, None)).unwrap().through, OpSeq(5));
    }

    #[test]
    fn nothing_is_done_past_an_operation_that_failed_until_it_comes_again() {
        let mut log = LogPosition::default();
        log.admit(1, batch(&[4, 5, 6])).unwrap();
        let told = log.note(worked(Some(4), Some(5))).unwrap();
        assert_eq!(told.through, OpSeq(4));
        assert!(told.remarks[0].1.contains("broken"), "{:?}", told.remarks);
        let past = log.admit(1, batch(&[7])).unwrap_err();
        assert_eq!(past.code, FaultCode::BUSY);
        assert_eq!(log.admit(1, batch(&[4])).unwrap().len(), 0);
        log.note(worked(None, None)).unwrap();
        assert!(
            log.admit(1, batch(&[7])).is_err(),
            "an empty batch mends nothing"
        );
        let again = log.admit(1, batch(&[4, 5, 6])).unwrap();
        assert_eq!(positions(&again), [5, 6]);
        log.note(worked(Some(6), None)).unwrap();
        assert_eq!(positions(&log.admit(1, batch(&[7])).unwrap()), [7]);
    }

    #[test]
    fn a_batch_whose_first_operation_fails_is_a_fault() {
        let mut log = LogPosition::default();
        log.admit(1, batch(&[4, 5])).unwrap();
        let fault = log.note(worked(None, Some(4))).unwrap_err();
        assert_eq!(fault.code, FaultCode::DISK);
    }

    #[test]
    fn positions_that_do_not_ascend_are_a_bad_request() {
        let fault = LogPosition::default().admit(1, batch(&[4, 4])).unwrap_err();
        assert_eq!(fault.code, FaultCode::BAD_REQUEST);
    }
}
