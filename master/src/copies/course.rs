//! How an upload goes on, as it is told to whoever makes its second copy, and how long that one is waited for. Pure but
//! for the clock.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::order::CopyError;
use crate::vfs::PreparedBytes;

/// What is known of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Bytes come.
    Comes,
    /// The first slave has prepared all of it, and the client waits.
    Whole(PreparedBytes),
    /// It is a file, with the second copy.
    Committed,
}

/// Why there is no second copy.
#[derive(Debug, thiserror::Error)]
pub enum Not {
    #[error("the upload is over without it")]
    Unwanted,
    #[error("it did not come forward in time")]
    InTime,
    #[error(transparent)]
    Made(#[from] CopyError),
}

/// The word on an upload, and the time that is left since its client waits.
pub struct Course {
    word: watch::Receiver<Word>,
    /// What the first slave has prepared.
    pub whole: Option<PreparedBytes>,
    /// How long the client waits for a copy that does not come forward.
    limit: Duration,
    /// Since when nothing has come forward.
    since: Instant,
    /// When the attempt that runs began, or last came forward.
    moved: Instant,
    bytes: u64,
    /// Whether there is another root to be tried.
    others: bool,
}

impl Course {
    /// An upload that has begun.
    pub fn new(word: watch::Receiver<Word>, limit: Duration) -> Self {
        let now = Instant::now();
        let mut course = Self {
            word,
            whole: None,
            limit,
            since: now,
            moved: now,
            bytes: 0,
            others: false,
        };
        course.hear();
        course
    }

    /// Another attempt begins; `others` says that there may be a further one.
    pub fn begins(&mut self, others: bool) {
        (self.moved, self.bytes, self.others) = (Instant::now(), 0, others);
    }

    /// So many bytes are there.
    pub fn moved(&mut self, bytes: u64) {
        if bytes > self.bytes {
            let now = Instant::now();
            (self.since, self.moved, self.bytes) = (now, now, bytes);
        }
    }

    /// Whether the attempt has come forward at all.
    pub fn has_moved(&self) -> bool {
        self.bytes > 0
    }

    fn hear(&mut self) {
        if let Word::Whole(bytes) = *self.word.borrow_and_update()
            && self.whole.is_none()
        {
            let now = Instant::now();
            (self.whole, self.since, self.moved) = (Some(bytes), now, now);
        }
    }

    /// Ends when nobody wants the copy any more, when the client has waited too long, or when another root may be
    /// quicker. May be dropped and called again.
    pub async fn over(&mut self) -> Not {
        loop {
            let (late, stuck) = (self.since + self.limit, self.moved + self.limit / 3);
            let (whole, others) = (self.whole.is_some(), self.others);
            tokio::select! {
                biased;
                heard = self.word.changed() => match heard {
                    Ok(()) => self.hear(),
                    Err(_closed) => return Not::Unwanted,
                },
                () = sleep_until(late), if whole => return Not::InTime,
                () = sleep_until(stuck), if whole && others => return Not::Made(CopyError::Stuck),
            }
        }
    }

    /// Does this, unless it is over before.
    pub async fn wanted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Not> {
        tokio::select! {
            biased;
            not = self.over() => Err(not),
            done = work => Ok(done),
        }
    }

    /// What the first slave has prepared, as soon as it has.
    pub async fn first(&mut self) -> Result<PreparedBytes, Not> {
        loop {
            if let Some(whole) = self.whole {
                return Ok(whole);
            }
            let heard = self.word.changed().await;
            heard.map_err(|_closed| Not::Unwanted)?;
            self.hear();
        }
    }

    /// Waits until it is known what becomes of the upload.
    pub async fn is_committed(&mut self) -> bool {
        let committed = self.word.wait_for(|word| *word == Word::Committed);
        committed.await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::sim;
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const BYTES: PreparedBytes = PreparedBytes {
        size: 9,
        crc32: 1,
        blake3: None,
        received: 9,
    };

    fn course() -> (watch::Sender<Word>, Course) {
        let (word, heard) = watch::channel(Word::Comes);
        (word, Course::new(heard, LIMIT))
    }

    #[test]
    fn nobody_is_hurried_while_the_client_sends() {
        sim(async {
            let (word, mut course) = course();
            course.begins(true);
            assert!(course.wanted(sleep(100 * LIMIT)).await.is_ok());
            drop(word);
            assert!(matches!(course.over().await, Not::Unwanted));
        });
    }

    #[test]
    fn a_client_that_waits_waits_as_long_as_the_copy_comes_forward() {
        sim(async {
            let (word, mut course) = course();
            course.begins(false);
            course.moved(1);
            word.send_replace(Word::Whole(BYTES));
            for bytes in 2..5 {
                assert!(course.wanted(sleep(LIMIT / 2)).await.is_ok());
                course.moved(bytes);
            }
            let before = Instant::now();
            assert!(course.wanted(sleep(LIMIT / 2)).await.is_ok());
            course.moved(4); // told again: no news
            assert!(matches!(course.over().await, Not::InTime));
            assert_eq!(before.elapsed(), LIMIT);
        });
    }

    #[test]
    fn a_slave_that_is_stuck_is_left_for_another_one_if_there_is_one() {
        sim(async {
            let (word, mut course) = course();
            word.send_replace(Word::Whole(BYTES));
            course.begins(true);
            let before = Instant::now();
            assert!(matches!(course.over().await, Not::Made(CopyError::Stuck)));
            assert_eq!(before.elapsed(), LIMIT / 3);
            course.begins(false);
            assert!(matches!(course.over().await, Not::InTime));
            assert_eq!(before.elapsed(), LIMIT);
        });
    }

    #[test]
    fn what_became_of_the_upload_is_heard_also_by_who_asks_late() {
        sim(async {
            for committed in [true, false] {
                let (word, mut course) = course();
                word.send_replace(Word::Whole(BYTES));
                if committed {
                    word.send_replace(Word::Committed);
                }
                drop(word);
                assert_eq!(course.is_committed().await, committed);
            }
        });
    }
}
