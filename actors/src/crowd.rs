//! Work for whoever comes, side by side and bounded.
//!
//! Where there is no room any more the oldest gives way: those who come and never finish cannot keep out the one who
//! would, and there are never more of them than there is room for.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Futures of one kind, the oldest first. Few: whenever one may go on, all are asked.
pub struct Crowd<F> {
    most: usize,
    all: VecDeque<Pin<Box<F>>>,
}

impl<F: Future> Crowd<F> {
    /// Room for so many.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            all: VecDeque::new(),
        }
    }

    /// Takes one more in. Where there is no room the oldest is dropped.
    pub fn push(&mut self, one: F) {
        if self.all.len() >= self.most {
            self.all.pop_front();
        }
        self.all.push_back(Box::pin(one));
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What the first that is done has said; waits for ever where nobody is there. May be dropped and called again.
    pub async fn next(&mut self) -> F::Output {
        let all = &mut self.all;
        poll_fn(|cx| {
            for at in 0..all.len() {
                if let Poll::Ready(done) = all[at].as_mut().poll(cx) {
                    all.remove(at);
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    #[test]
    fn the_oldest_gives_way_and_the_others_end_in_whatever_order() {
        let mut crowd = Crowd::new(3);
        assert!(crowd.is_empty() && crowd.next().now_or_never().is_none());
        let mut ends: Vec<_> = (0..5)
            .map(|_| {
                let (end, ended) = oneshot::channel();
                crowd.push(ended);
                end
            })
            .collect();
        assert!(ends[0].is_closed() && ends[1].is_closed() && !ends[2].is_closed());
        assert!(crowd.next().now_or_never().is_none());
        ends.pop().unwrap().send('e').unwrap();
        assert_eq!(crowd.next().now_or_never(), Some(Ok('e')));
        ends.remove(2).send('c').unwrap();
        assert_eq!(crowd.next().now_or_never(), Some(Ok('c')));
        drop(ends);
        assert!(crowd.next().now_or_never().unwrap().is_err());
        assert!(crowd.is_empty());
    }
}
