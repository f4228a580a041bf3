//! The word to stop, for a transfer's task and for the thread that moves its bytes just now.

use std::sync::{Arc, OnceLock};

use drftpd_protocol::wire::FaultCode;
use tokio_util::sync::CancellationToken;

/// Told to stop, for this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("told to stop ({0:?})")]
pub struct Stopped(pub FaultCode);

/// Says stop, once, and is heard everywhere at once. Clones share the word.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    why: Arc<OnceLock<FaultCode>>,
}

impl Stop {
    /// Says it. The first reason counts.
    pub fn stop(&self, why: FaultCode) {
        self.why.get_or_init(|| why);
        self.token.cancel();
    }

    /// Looks whether it was said; cheap enough for every turn of a loop.
    ///
    /// # Errors
    /// It was.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.token.is_cancelled() {
            return Err(self.reason());
        }
        Ok(())
    }

    /// Waits until it is said.
    pub async fn said(&self) -> Stopped {
        self.token.cancelled().await;
        self.reason()
    }

    fn reason(&self) -> Stopped {
        Stopped(self.why.get().copied().unwrap_or(FaultCode::ABORTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts_for_all() {
        let stop = Stop::default();
        let heard = tokio::spawn({
            let stop = stop.clone();
            async move { stop.said().await }
        });
        assert_eq!(stop.check(), Ok(()));
        stop.stop(FaultCode::NO_CONNECTION);
        stop.stop(FaultCode::ABORTED);
        assert_eq!(stop.check(), Err(Stopped(FaultCode::NO_CONNECTION)));
        assert_eq!(heard.await.unwrap(), Stopped(FaultCode::NO_CONNECTION));
    }
}
