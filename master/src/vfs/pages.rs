//! Pages of walks that are on their way to the store: what they adopt is there before what is asked for
//! after them, and not yet seen by who plans now.
//!
//! Pure. The actor owns it.

use std::collections::BTreeMap;

use drftpd_protocol::DirId;
use drftpd_protocol::wire::DirStep;

/// The pages that are under way, by number.
#[derive(Debug, Default)]
pub struct Pages {
    last: u64,
    dirs: BTreeMap<u64, Vec<DirStep>>,
}

impl Pages {
    /// A page of a directory goes to the store; answers its number.
    pub fn begin(&mut self, dir: Vec<DirStep>) -> u64 {
        self.last += 1;
        self.dirs.insert(self.last, dir);
        self.last
    }

    /// The page is stored, or was refused.
    pub fn end(&mut self, number: u64) {
        self.dirs.remove(&number);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// The least number that is under way, or more than any.
    pub fn least(&self) -> u64 {
        self.dirs.keys().next().copied().unwrap_or(u64::MAX)
    }

    /// The newest page of a directory, known by its identity or, where the disk has none, by its way.
    pub fn newest_of(&self, dir: DirId, way: &[DirStep]) -> Option<u64> {
        let names = |steps: &[DirStep]| steps.iter().map(|step| step.name.clone()).collect();
        let way: Vec<_> = names(way);
        let is_it = |steps: &Vec<DirStep>| {
            let last = steps.last().map_or(DirId::ROOT, |step| step.id);
            last == dir || names(steps) == way
        };
        let its = self.dirs.iter().rev().find(|(_, steps)| is_it(steps));
        its.map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::{Name, NodeId};

    use super::*;

    fn way(steps: &[(u64, &str)]) -> Vec<DirStep> {
        let step = |(id, name): &(u64, &str)| DirStep {
            id: NodeId(*id),
            name: Name::new(name.as_bytes().to_vec()).unwrap(),
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn the_newest_page_of_a_directory_is_found_by_identity_or_way() {
        let mut pages = Pages::default();
        assert_eq!(pages.least(), u64::MAX);
        let one = pages.begin(way(&[(7, "a")]));
        let two = pages.begin(way(&[(7, "elsewhere")]));
        let three = pages.begin(way(&[(0, "b")]));
        let top = pages.begin(way(&[]));
        let found = |pages: &Pages, id, name| pages.newest_of(NodeId(id), &way(&[(id, name)]));
        assert_eq!(found(&pages, 7, "a"), Some(two));
        assert_eq!(found(&pages, 9, "b"), Some(three));
        assert_eq!(found(&pages, 9, "c"), None);
        assert_eq!(pages.newest_of(NodeId::ROOT, &[]), Some(top));
        pages.end(two);
        assert_eq!((found(&pages, 7, "a"), pages.least()), (Some(one), one));
        for number in [one, three, top] {
            pages.end(number);
        }
        assert!(pages.is_empty());
    }
}
