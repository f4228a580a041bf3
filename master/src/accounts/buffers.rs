//! Memory that argon2 works in, kept from one hash to the next: as many buffers as hashes are made at a time. Given
//! back to the allocator after each hash, threads would take turns in keeping it, and the process would grow.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use argon2::Block;

/// Buffers of one size, and how many were ever made.
#[derive(Debug)]
pub(super) struct Buffers {
    /// Blocks that each has.
    blocks: usize,
    idle: Mutex<Vec<Vec<Block>>>,
    made: AtomicUsize,
}

impl Buffers {
    /// None yet; each will have `blocks` blocks.
    pub fn new(blocks: usize) -> Self {
        Self {
            blocks,
            idle: Mutex::default(),
            made: AtomicUsize::new(0),
        }
    }

    /// Lends `work` at least `blocks` blocks of memory; `None` when there is no memory.
    ///
    /// A hash that was made when the configuration asked for more gets a buffer that is not kept.
    pub fn lend<R>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> R) -> Option<R> {
        if blocks > self.blocks {
            return allocate(blocks).map(|mut buffer| work(&mut buffer));
        }
        let mut buffer = match self.idle().pop() {
            Some(buffer) => buffer,
            None => self.make()?,
        };
        let done = work(&mut buffer);
        // Its first blocks would let a guess at the password be checked without the work.
        buffer.fill(Block::new());
        self.idle().push(buffer);
        Some(done)
    }

    /// How many were made.
    #[cfg(test)]
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    fn make(&self) -> Option<Vec<Block>> {
        self.made.fetch_add(1, Ordering::Relaxed);
        allocate(self.blocks)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn allocate(blocks: usize) -> Option<Vec<Block>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(blocks).ok()?;
    buffer.resize(blocks, Block::new());
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_shows_nothing_of_its_last_use() {
        let buffers = Buffers::new(8);
        for _ in 0..10 {
            let clean = buffers.lend(8, |buffer| {
                let clean = buffer.iter().all(|block| block.as_ref() == [0; 128]);
                buffer[0].as_mut()[0] = 1;
                clean
            });
            assert_eq!(clean, Some(true));
        }
        assert_eq!((buffers.made(), buffers.idle().len()), (1, 1));
    }

    #[test]
    fn a_larger_one_is_not_kept_and_a_smaller_one_is_not_made() {
        let buffers = Buffers::new(8);
        assert_eq!(buffers.lend(16, |buffer| buffer.len()), Some(16));
        assert_eq!((buffers.made(), buffers.idle().len()), (0, 0));
        assert_eq!(buffers.lend(4, |buffer| buffer.len()), Some(8));
        assert_eq!((buffers.made(), buffers.idle().len()), (1, 1));
        assert_eq!(buffers.lend(usize::MAX, |_| ()), None);
    }

    #[test]
    fn two_at_a_time_have_two() {
        let buffers = Buffers::new(8);
        let inner = buffers.lend(8, |_| buffers.lend(8, |_| ()));
        assert_eq!(inner, Some(Some(())));
        assert_eq!((buffers.made(), buffers.idle().len()), (2, 2));
    }
}
