//! A bounded slab whose keys are never valid twice.
//!
//! A plain slab gives the same key again at once, so a late notice about transfer 7 would end the next transfer
//! 7. Here a key is generation and index, and a stale key finds nothing.

use std::fmt;

use slab::Slab;

/// Names one thing that was put into a [`Slots`]; never given twice (within 2^32 insertions).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey(pub u64);

impl SlotKey {
    fn new(generation: u32, index: usize) -> Self {
        // The limit keeps every index within 32 bits.
        Self(u64::from(generation) << 32 | (index as u64 & u64::from(u32::MAX)))
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn index(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }
}

impl fmt::Display for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// There is no room; what was to be put in is given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("all slots are taken")]
pub struct SlotsFull<T>(pub T);

/// A slab with a limit and generation-checked keys.
#[derive(Debug, Clone)]
pub struct Slots<T> {
    slab: Slab<(u32, T)>,
    generation: u32,
    limit: usize,
}

impl<T> Slots<T> {
    /// Room for `limit` things (at most 2^32 - 1). Memory is taken as they come.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            slab: Slab::new(),
            generation: 0,
            limit: limit.min(u32::MAX as usize),
        }
    }

    /// Puts something in.
    ///
    /// # Errors
    /// Gives it back when the limit is reached.
    pub fn insert(&mut self, value: T) -> Result<SlotKey, SlotsFull<T>> {
        if self.slab.len() >= self.limit {
            return Err(SlotsFull(value));
        }
        self.generation = self.generation.wrapping_add(1);
        let index = self.slab.insert((self.generation, value));
        Ok(SlotKey::new(self.generation, index))
    }

    /// Looks at what the key names; nothing if it was removed.
    pub fn get(&self, key: SlotKey) -> Option<&T> {
        self.slab
            .get(key.index())
            .filter(|slot| slot.0 == key.generation())
            .map(|slot| &slot.1)
    }

    /// Like [`Slots::get`], to change it.
    pub fn get_mut(&mut self, key: SlotKey) -> Option<&mut T> {
        self.slab
            .get_mut(key.index())
            .filter(|slot| slot.0 == key.generation())
            .map(|slot| &mut slot.1)
    }

    /// Takes out what the key names; nothing if it was removed before.
    pub fn remove(&mut self, key: SlotKey) -> Option<T> {
        self.get(key)?;
        self.slab.try_remove(key.index()).map(|slot| slot.1)
    }

    /// Everything, by index.
    pub fn iter(&self) -> impl Iterator<Item = (SlotKey, &T)> {
        self.slab
            .iter()
            .map(|(index, (generation, value))| (SlotKey::new(*generation, index), value))
    }

    /// Everything, by index, to change it.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SlotKey, &mut T)> {
        self.slab
            .iter_mut()
            .map(|(index, (generation, value))| (SlotKey::new(*generation, index), value))
    }

    /// How many things there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Whether the next insertion is refused.
    pub fn is_full(&self) -> bool {
        self.slab.len() >= self.limit
    }

    /// How many things there may be.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_does_not_reach_the_next_tenant() {
        let mut slots = Slots::with_limit(4);
        let first = slots.insert("first").unwrap();
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second").unwrap();
        assert_eq!(
            first.index(),
            second.index(),
            "the place itself is used again"
        );
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
    }

    #[test]
    fn the_limit_gives_back_what_does_not_fit() {
        let mut slots = Slots::with_limit(2);
        let one = slots.insert(1).unwrap();
        slots.insert(2).unwrap();
        assert!(slots.is_full());
        assert_eq!(slots.insert(3), Err(SlotsFull(3)));
        slots.remove(one);
        assert!(slots.insert(3).is_ok());
    }

    #[test]
    fn iteration_gives_keys_that_work() {
        let mut slots = Slots::with_limit(8);
        for n in 0..5 {
            slots.insert(n).unwrap();
        }
        let keys: Vec<_> = slots
            .iter()
            .filter(|(_, n)| **n % 2 == 0)
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            assert!(slots.remove(key).is_some());
        }
        slots.iter_mut().for_each(|(_, n)| *n *= 10);
        assert_eq!(slots.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [10, 30]);
        assert_eq!((slots.len(), slots.is_empty()), (2, false));
    }

    #[test]
    fn a_key_survives_its_number() {
        let mut slots = Slots::with_limit(1);
        let key = slots.insert(()).unwrap();
        assert!(slots.get(SlotKey(key.0)).is_some());
        assert!(slots.get(SlotKey(key.0 + 1)).is_none());
        assert!(slots.get(SlotKey(key.0 + (1 << 32))).is_none());
    }
}
