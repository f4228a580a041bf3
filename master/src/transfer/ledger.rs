//! The book of held slots: who holds what, until when, and what that reserves. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_protocol::wire::{Look, RootStatus, SpaceSeen};
use drftpd_protocol::{RootId, SessionId, SlaveId, TransferId, VfsPath};
use tokio::time::Instant;

use super::chart::Chain;

/// Directories whose last root is remembered.
const DIRECTORIES: usize = 10_000;

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its session.
    pub session: SessionId,
    /// On this slave.
    pub slave: SlaveId,
    /// On this root.
    pub root: RootId,
    /// The root's filesystem.
    pub filesystem: u64,
    /// Which chain chose it.
    pub chain: Chain,
    /// Bytes that are reserved.
    pub bytes: u64,
    /// When it was held.
    pub since: Instant,
    /// When its transfer began; until then it runs out.
    pub begun: Option<Instant>,
    /// Its bytes are in what was last seen of the slave's disks.
    pub seen: bool,
}

/// How busy a slave is in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Slots, held and begun.
    pub transfers: usize,
    /// Those that what the slave last told cannot show yet.
    pub young: usize,
}

/// What the book says of slaves at one moment, for one direction.
#[derive(Debug, Default)]
pub struct Tally {
    loads: BTreeMap<SlaveId, Load>,
    reserved: BTreeMap<(SlaveId, u64), u64>,
}

impl Tally {
    /// How busy a slave is.
    pub fn load(&self, slave: &SlaveId) -> Load {
        self.loads.get(slave).copied().unwrap_or_default()
    }

    /// Bytes reserved on a filesystem of a slave that the slave does not know of yet.
    pub fn reserved(&self, slave: &SlaveId, filesystem: u64) -> u64 {
        let key = (slave.clone(), filesystem);
        self.reserved.get(&key).copied().unwrap_or(0)
    }
}

/// All slots.
#[derive(Debug)]
pub struct Ledger {
    slots: BTreeMap<TransferId, Held>,
    by_session: BTreeMap<SessionId, usize>,
    used: BTreeMap<(Chain, SlaveId), u64>,
    uses: u64,
    /// The root that took a directory's last file, on each slave.
    directories: BTreeMap<(SlaveId, VfsPath), (RootId, u64)>,
    /// What was free on roots when an upload had its space, or ended.
    free: BTreeMap<RootId, (Look, u64)>,
    /// How long a begun transfer counts on top of what its slave tells.
    settle_after: Duration,
}

impl Ledger {
    /// An empty book.
    pub fn new(settle_after: Duration) -> Self {
        Self {
            slots: BTreeMap::new(),
            by_session: BTreeMap::new(),
            used: BTreeMap::new(),
            uses: 0,
            directories: BTreeMap::new(),
            free: BTreeMap::new(),
            settle_after,
        }
    }

    /// Enters a slot for a transfer to or from an entry of `directory`.
    pub fn hold(&mut self, transfer: TransferId, held: Held, directory: Option<VfsPath>) {
        self.uses += 1;
        self.used
            .insert((held.chain, held.slave.clone()), self.uses);
        if let Some(directory) = directory.filter(|_| held.chain.receives()) {
            let key = (held.slave.clone(), directory);
            self.directories.insert(key, (held.root, self.uses));
            self.forget_directories();
        }
        *self.by_session.entry(held.session).or_default() += 1;
        self.slots.insert(transfer, held);
    }

    /// Half of the memory goes when it is full, the older half.
    fn forget_directories(&mut self) {
        if self.directories.len() > DIRECTORIES {
            let mut uses: Vec<u64> = self.directories.values().map(|(_, at)| *at).collect();
            uses.sort_unstable();
            let middle = uses[uses.len() / 2];
            self.directories.retain(|_, (_, at)| *at >= middle);
        }
    }

    /// The slot's transfer has begun, and an upload's bytes are set aside: what was free then counts
    /// from here on, in the place of what was reserved. False for a slot that is not there (any
    /// more).
    pub fn begin(&mut self, transfer: TransferId, space: Option<SpaceSeen>, now: Instant) -> bool {
        let seen = space.is_some();
        self.saw(space);
        let Some(held) = self.slots.get_mut(&transfer) else {
            return false;
        };
        held.begun.get_or_insert(now);
        held.seen |= seen;
        true
    }

    /// A transfer is over: its slot goes, what it left free stays known until its slave has looked
    /// again.
    pub fn end(&mut self, transfer: TransferId, space: Option<SpaceSeen>) {
        self.saw(space);
        self.free(transfer);
    }

    /// Answers may overtake each other: a later look stands.
    fn saw(&mut self, space: Option<SpaceSeen>) {
        let Some(SpaceSeen { look, free }) = space else {
            return;
        };
        for (root, free) in free {
            let known = self.free.get(&root);
            if known.is_none_or(|(known, _)| !look.is_before(*known)) {
                self.free.insert(root, (look, free));
            }
        }
    }

    /// What is free on a root: as its slave told, or as a later look saw it.
    pub fn free_on(&self, told: &RootStatus) -> u64 {
        match self.free.get(&told.root) {
            Some((look, free)) if told.look.is_before(*look) => *free,
            _ => told.free,
        }
    }

    /// Takes a slot out.
    pub fn free(&mut self, transfer: TransferId) -> Option<Held> {
        let held = self.slots.remove(&transfer)?;
        if let Some(count) = self.by_session.get_mut(&held.session) {
            *count -= 1;
            if *count == 0 {
                self.by_session.remove(&held.session);
            }
        }
        Some(held)
    }

    /// Takes out all slots of a session.
    pub fn free_session(&mut self, session: SessionId) -> Vec<TransferId> {
        self.free_where(|held| held.session == session)
    }

    /// Takes out slots that were held for `limit` without their transfer having begun.
    pub fn reap(&mut self, limit: Duration, now: Instant) -> Vec<TransferId> {
        self.free_where(|held| held.begun.is_none() && now.duration_since(held.since) >= limit)
    }

    fn free_where(&mut self, which: impl Fn(&Held) -> bool) -> Vec<TransferId> {
        let of = self.slots.iter().filter(|(_, held)| which(held));
        let of: Vec<TransferId> = of.map(|(transfer, _)| *transfer).collect();
        of.iter().for_each(|transfer| drop(self.free(*transfer)));
        of
    }

    /// Whether what the slave last told cannot show this slot yet.
    fn is_young(&self, held: &Held, now: Instant) -> bool {
        held.begun
            .is_none_or(|begun| now.duration_since(begun) < self.settle_after)
    }

    /// Sums up one direction: how busy slaves are, and what is reserved that they do not know of
    /// yet. One pass over the book, however many roots are looked at.
    pub fn tally(&self, receives: bool, now: Instant) -> Tally {
        let mut tally = Tally::default();
        for held in self.slots.values() {
            let young = self.is_young(held, now);
            if held.chain.receives() == receives {
                let load = tally.loads.entry(held.slave.clone()).or_default();
                load.transfers += 1;
                load.young += usize::from(young);
            }
            if held.chain.receives() && young && !held.seen && held.bytes > 0 {
                let key = (held.slave.clone(), held.filesystem);
                let reserved = tally.reserved.entry(key).or_default();
                *reserved = reserved.saturating_add(held.bytes);
            }
        }
        tally
    }

    /// When a chain chose a slave last; 0 for never.
    pub fn last_used(&self, chain: Chain, slave: &SlaveId) -> u64 {
        let key = (chain, slave.clone());
        self.used.get(&key).copied().unwrap_or(0)
    }

    /// The root of a slave that took a directory's last file.
    pub fn root_of(&self, slave: &SlaveId, directory: &VfsPath) -> Option<RootId> {
        let key = (slave.clone(), directory.clone());
        self.directories.get(&key).map(|(root, _)| *root)
    }

    /// How many slots a session has.
    pub fn of_session(&self, session: SessionId) -> usize {
        self.by_session.get(&session).copied().unwrap_or(0)
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);

    fn slave(name: &str) -> SlaveId {
        SlaveId::new(name).unwrap()
    }

    fn held(session: u64, root: u8, now: Instant) -> Held {
        Held {
            session: SessionId(session),
            slave: slave("a"),
            root: RootId([root; 16]),
            filesystem: 3,
            chain: Chain::Upload,
            bytes: 100,
            since: now,
            begun: None,
            seen: false,
        }
    }

    fn at(path: &str) -> Option<VfsPath> {
        Some(VfsPath::absolute(path.as_bytes()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_runs_out_unless_its_transfer_began() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        ledger.hold(TransferId(1), held(1, 1, now), None);
        ledger.hold(TransferId(2), held(1, 1, now), None);
        assert!(ledger.begin(TransferId(2), None, now));
        let limit = Duration::from_secs(60);
        assert_eq!(
            ledger.reap(limit, now + limit - Duration::from_millis(1)),
            []
        );
        assert_eq!(ledger.reap(limit, now + limit), [TransferId(1)]);
        assert_eq!(ledger.reap(limit, now + limit * 100), []);
        assert!(!ledger.begin(TransferId(1), None, now));
        assert_eq!(ledger.of_session(SessionId(1)), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_frees_its_slots_and_no_others() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        for (transfer, session) in [(1, 7), (2, 8), (3, 7)] {
            ledger.hold(TransferId(transfer), held(session, 1, now), None);
        }
        let freed = ledger.free_session(SessionId(7));
        assert_eq!(freed, [TransferId(1), TransferId(3)]);
        assert_eq!((ledger.len(), ledger.of_session(SessionId(7))), (1, 0));
        assert!(ledger.free(TransferId(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn reservations_count_once_per_filesystem_until_the_slave_knows_of_them() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        ledger.hold(TransferId(1), held(1, 1, now), None);
        ledger.hold(TransferId(2), held(1, 2, now), None);
        let tally = ledger.tally(true, now);
        assert_eq!(tally.reserved(&slave("a"), 3), 200);
        assert_eq!(tally.reserved(&slave("a"), 4), 0);
        assert_eq!(tally.reserved(&slave("b"), 3), 0);
        ledger.begin(TransferId(1), None, now);
        let tally = ledger.tally(false, now);
        assert_eq!(tally.reserved(&slave("a"), 3), 200);
        assert_eq!(tally.load(&slave("a")), Load::default());
        let tally = ledger.tally(true, now + SETTLE);
        assert_eq!(tally.reserved(&slave("a"), 3), 100);
        let load = tally.load(&slave("a"));
        assert_eq!((load.transfers, load.young), (2, 1));
    }

    fn told(root: u8, number: u64, free: u64) -> RootStatus {
        RootStatus {
            root: RootId([root; 16]),
            path: "/disk".into(),
            state: drftpd_protocol::wire::RootState::Present,
            total: 1000,
            free,
            filesystem: 3,
            look: Look { run: 7, number },
        }
    }

    fn seen(number: u64, free: &[(u8, u64)]) -> Option<SpaceSeen> {
        let free = free.iter().map(|(root, free)| (RootId([*root; 16]), *free));
        Some(SpaceSeen {
            look: Look { run: 7, number },
            free: free.collect(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_upload_left_free_counts_until_the_slave_has_looked_again() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        ledger.hold(TransferId(1), held(1, 1, now), None);
        let old = told(1, 10, 500);
        assert_eq!(ledger.free_on(&old), 500);
        // Its 100 bytes are set aside: no longer by the book, but on the disk.
        assert!(ledger.begin(TransferId(1), seen(11, &[(1, 400), (2, 410)]), now));
        assert_eq!(ledger.tally(true, now).reserved(&slave("a"), 3), 0);
        assert_eq!(ledger.free_on(&old), 400);
        assert_eq!(ledger.free_on(&told(2, 10, 510)), 410, "the same disk");
        // The end of another that began later is heard first.
        ledger.end(TransferId(2), seen(14, &[(1, 350)]));
        ledger.end(TransferId(1), seen(13, &[(1, 390)]));
        assert_eq!(ledger.free_on(&old), 350);
        assert_eq!(ledger.len(), 0);
        // A report that was under way meanwhile does not know of it, the next one does.
        assert_eq!(ledger.free_on(&told(1, 12, 390)), 350);
        assert_eq!(ledger.free_on(&told(1, 15, 700)), 700);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slave_that_began_anew_is_believed_whatever_was_seen_before() {
        let mut ledger = Ledger::new(SETTLE);
        ledger.end(TransferId(1), seen(99, &[(1, 5)]));
        let mut new = told(1, 1, 500);
        new.look.run = 8;
        assert_eq!(ledger.free_on(&new), 500);
        // What is heard late of the run before changes nothing.
        ledger.end(TransferId(2), seen(100, &[(1, 4)]));
        assert_eq!(ledger.free_on(&new), 500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_remembers_the_root_of_its_last_upload_but_not_of_a_download() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        ledger.hold(TransferId(1), held(1, 1, now), at("/d"));
        let download = Held {
            chain: Chain::Download,
            ..held(1, 2, now)
        };
        ledger.hold(TransferId(2), download, at("/d"));
        let root = ledger.root_of(&slave("a"), &at("/d").unwrap());
        assert_eq!(root, Some(RootId([1; 16])));
        assert_eq!(ledger.root_of(&slave("b"), &at("/d").unwrap()), None);
        assert!(
            ledger.last_used(Chain::Download, &slave("a"))
                > ledger.last_used(Chain::Upload, &slave("a"))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_of_directories_is_bounded_and_keeps_the_latest() {
        let (mut ledger, now) = (Ledger::new(SETTLE), Instant::now());
        for n in 0..=DIRECTORIES as u64 {
            ledger.hold(TransferId(n), held(1, 1, now), at(&format!("/d{n}")));
            ledger.free(TransferId(n));
        }
        assert!(ledger.directories.len() <= DIRECTORIES);
        let last = at(&format!("/d{DIRECTORIES}")).unwrap();
        assert!(ledger.root_of(&slave("a"), &last).is_some());
        assert_eq!(ledger.root_of(&slave("a"), &at("/d0").unwrap()), None);
    }
}
