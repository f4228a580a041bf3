//! What every operation may use, and how a long one says that it is alive.

use drftpd_protocol::wire::{Envelope, Progress, kinds};
use tokio::sync::mpsc;

/// Everything an operation may use: the slave's shared handles and its own call. Cheap to clone.
#[derive(Clone)]
pub struct OpCx {
    /// Tells the master that this call is alive.
    pub progress: ProgressTeller,
}

/// Tells how far one call is. Nothing waits for it: what does not fit is left out.
#[derive(Clone, Debug)]
pub struct ProgressTeller {
    call: u32,
    out: mpsc::Sender<Envelope>,
}

impl ProgressTeller {
    /// For the call with this number, into the link's queue.
    pub fn new(call: u32, out: mpsc::Sender<Envelope>) -> Self {
        ProgressTeller { call, out }
    }

    /// Tells it: units done, of how many (0 when unknown). Call it about once a second.
    pub fn tell(&self, done: u64, total: u64) {
        let frame = Envelope::new(self.call, kinds::PROGRESS, &Progress { done, total });
        if let Ok(frame) = frame
            && self.out.try_send(frame).is_err()
        {
            tracing::trace!(call = self.call, "progress left out, the link is busy");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_carries_the_number_of_its_call_and_is_left_out_when_the_link_is_busy() {
        let (out, mut told) = mpsc::channel(1);
        let progress = ProgressTeller::new(7, out);
        progress.tell(1, 10);
        progress.tell(2, 10);
        let frame = told.try_recv().expect("one frame");
        assert_eq!((frame.call, frame.kind), (7, kinds::PROGRESS));
        let progress: Progress = frame.open().expect("decodes");
        assert_eq!(progress, Progress { done: 1, total: 10 });
        assert!(told.try_recv().is_err(), "the second did not fit");
    }
}
