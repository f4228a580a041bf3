//! Pure: what changed on a shared root and has not been told yet. Bounded; what happens to one entry again and again is
//! told once, when it has been quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{RootChanged, WalkPage, WalkPart};
use tokio::time::Instant;

use crate::storage::Change;

/// Bytes of names that are kept at most; more is everything.
const MOST_BYTES: usize = 256 << 10;
/// What becomes due so soon after something else is told with it: both ends of a rename belong together.
const TOGETHER: Duration = Duration::from_millis(20);
/// And how far that may go.
const AHEAD: Duration = Duration::from_millis(100);

/// What is to be told.
#[derive(Debug)]
pub(super) struct Changes {
    quiet: Duration,
    /// When each entry has been quiet for long enough; of a directory with all below it without a name.
    due: BTreeMap<(Vec<Name>, Option<Name>), Instant>,
    bytes: usize,
    /// Anything may have changed, and since when.
    anything: Option<Instant>,
}

impl Changes {
    /// Nothing changed; entries are told when they were quiet for so long.
    pub fn new(quiet: Duration) -> Self {
        Changes {
            quiet,
            due: BTreeMap::new(),
            bytes: 0,
            anything: None,
        }
    }

    /// Notes a change.
    pub fn note(&mut self, change: Change, now: Instant) {
        let what = match change {
            _ if self.anything.is_some() => return,
            Change::Anything => return self.all(now),
            Change::Entry(way, name) => (way, Some(name)),
            Change::Dir(way) => (way, None),
        };
        let (bytes, due) = (bytes(&what), now + self.quiet);
        if self.due.insert(what, due).is_none() {
            self.bytes += bytes;
        }
        if self.bytes > MOST_BYTES {
            self.all(now);
        }
    }

    fn all(&mut self, now: Instant) {
        self.due.clear();
        self.bytes = 0;
        self.anything = Some(now + self.quiet);
    }

    /// When something is to be told.
    pub fn due(&self) -> Option<Instant> {
        self.anything.or_else(|| self.due.values().min().copied())
    }

    /// What is to be told now; no parts for everything.
    pub fn take(&mut self, now: Instant) -> Vec<WalkPart> {
        if self.anything.take().is_some() {
            return Vec::new();
        }
        let until = self.until(now);
        let all = std::mem::take(&mut self.due);
        let (due, later): (BTreeMap<_, _>, _) = all.into_iter().partition(|(_, at)| *at <= until);
        self.due = later;
        self.bytes -= due.keys().map(bytes).sum::<usize>();
        let parts = parts(due.into_keys());
        match parts.len() <= RootChanged::MAX {
            true => parts,
            false => Vec::new(),
        }
    }

    /// Up to when what is due is taken: no rename is told by halves.
    fn until(&self, now: Instant) -> Instant {
        let mut dues: Vec<Instant> = self.due.values().copied().collect();
        dues.sort_unstable();
        let mut until = now;
        for due in dues.into_iter().filter(|due| *due > now) {
            if due > until + TOGETHER || due > now + AHEAD {
                break;
            }
            until = due;
        }
        until
    }
}

/// Entries of each directory together; a directory of which too many changed is walked.
fn parts(due: impl Iterator<Item = (Vec<Name>, Option<Name>)>) -> Vec<WalkPart> {
    let (mut entries, mut below) = (BTreeMap::<Vec<Name>, Vec<Name>>::new(), Vec::new());
    for (way, name) in due {
        match name {
            Some(name) => entries.entry(way).or_default().push(name),
            None => below.push(way),
        }
    }
    let names = entries.into_iter().map(|(way, names)| WalkPart {
        way,
        names: match names.len() <= WalkPage::MAX {
            true => names,
            false => Vec::new(),
        },
    });
    let below = below.into_iter().map(|way| WalkPart {
        way,
        names: Vec::new(),
    });
    names.chain(below).collect()
}

fn bytes((way, name): &(Vec<Name>, Option<Name>)) -> usize {
    let names = way.iter().chain(name);
    names.map(|name| name.as_bytes().len() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(500);

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes().to_vec()).unwrap()
    }

    fn entry(dir: &str, text: &str) -> Change {
        Change::Entry(vec![name(dir)], name(text))
    }

    fn shown(parts: &[WalkPart]) -> Vec<String> {
        let words = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let part = |part: &WalkPart| {
            format!(
                "{}:{}",
                words(&part.way).join("/"),
                words(&part.names).join(" ")
            )
        };
        parts.iter().map(part).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_told_once_when_it_has_been_quiet() {
        let (mut changes, begun) = (Changes::new(QUIET), Instant::now());
        assert_eq!(changes.due(), None);
        for tenth in 0..10 {
            changes.note(entry("d", "f"), begun + tenth * QUIET / 10);
        }
        let quiet = begun + QUIET * 19 / 10;
        assert_eq!(changes.due(), Some(quiet));
        assert_eq!(shown(&changes.take(quiet)), ["d:f"]);
        assert_eq!((changes.due(), changes.bytes), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn both_ends_of_a_rename_are_told_together_and_what_still_changes_is_not() {
        let (mut changes, now) = (Changes::new(QUIET), Instant::now());
        changes.note(entry("d", "from"), now);
        changes.note(entry("e", "to"), now + Duration::from_millis(1));
        changes.note(entry("e", "written"), now + Duration::from_millis(200));
        changes.note(Change::Dir(vec![name("new")]), now);
        assert_eq!(
            shown(&changes.take(now + QUIET)),
            ["d:from", "e:to", "new:"]
        );
        assert_eq!(changes.due(), Some(now + Duration::from_millis(700)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_entries_of_a_directory_are_that_directory() {
        let (mut changes, now) = (Changes::new(QUIET), Instant::now());
        for n in 0..=WalkPage::MAX {
            changes.note(entry("d", &n.to_string()), now);
        }
        changes.note(entry("e", "one"), now);
        assert_eq!(shown(&changes.take(now + QUIET)), ["d:", "e:one"]);
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_is_everything_and_is_told_once() {
        let (mut changes, now) = (Changes::new(QUIET), Instant::now());
        for n in 0..10_000 {
            changes.note(entry(&format!("directory number {n}"), "with a file"), now);
            assert!(changes.bytes <= MOST_BYTES);
        }
        assert!(changes.due.is_empty());
        assert_eq!(changes.take(now + QUIET), []);
        assert_eq!(changes.due(), None);
        changes.note(Change::Anything, now);
        assert_eq!(changes.due(), Some(now + QUIET));
    }
}
