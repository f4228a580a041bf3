//! Files that are being uploaded, for those who download them at the same time.

use tokio::sync::watch;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes of the file that are on the disk.
    pub len: u64,
    /// Whether more come.
    pub state: GrowthState,
}

/// Whether more bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrowthState {
    /// They do.
    Growing,
    /// All are there.
    Complete,
    /// The upload broke off.
    Broken,
}

/// The upload's side: says how far it is. Dropped without a last word it counts as broken.
#[derive(Debug)]
pub struct Grower(watch::Sender<Growth>);

/// A follower's side.
#[derive(Debug, Clone)]
pub struct Follower(watch::Receiver<Growth>);

impl Grower {
    /// An upload that has nothing yet.
    pub fn new() -> (Self, Follower) {
        let (sender, receiver) = watch::channel(Growth {
            len: 0,
            state: GrowthState::Growing,
        });
        (Grower(sender), Follower(receiver))
    }

    /// So much is on the disk now.
    pub fn has(&self, len: u64) {
        self.0.send_modify(|growth| growth.len = len);
    }

    /// The last word.
    pub fn ended(&self, state: GrowthState) {
        self.0.send_modify(|growth| growth.state = state);
    }
}

impl Follower {
    /// How far the upload is.
    pub fn now(&self) -> Growth {
        let mut growth = *self.0.borrow();
        if growth.state == GrowthState::Growing && self.0.has_changed().is_err() {
            growth.state = GrowthState::Broken;
        }
        growth
    }

    /// Waits until the upload has more than `len` bytes, or ends.
    pub async fn beyond(&mut self, len: u64) -> Growth {
        let more = |growth: &Growth| growth.len > len || growth.state != GrowthState::Growing;
        // An error says that the upload's side is gone, which `now` knows.
        drop(self.0.wait_for(more).await);
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_hears_of_more_bytes_and_of_the_end() {
        let (grower, mut follower) = Grower::new();
        grower.has(10);
        assert_eq!(follower.beyond(0).await.len, 10);
        let waits = tokio::spawn(async move { follower.beyond(10).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        grower.has(11);
        grower.ended(GrowthState::Complete);
        let growth = waits.await.unwrap();
        assert_eq!((growth.len, growth.state), (11, GrowthState::Complete));
    }

    #[tokio::test]
    async fn an_upload_that_goes_without_a_word_is_broken() {
        let (grower, mut follower) = Grower::new();
        grower.has(3);
        drop(grower);
        let growth = follower.beyond(3).await;
        assert_eq!((growth.len, growth.state), (3, GrowthState::Broken));
    }
}
