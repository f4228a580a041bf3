//! Credits and statistics against the history: uploads, downloads, deletes, renames, gifts, with the store opened anew in
//! between. The second opinion knows of each byte of each file whose it is and when it was paid for, and adds up.

use std::collections::BTreeMap;

use drftpd_actors::testkit::seed;
use drftpd_protocol::TransferId;
use drftpd_protocol::wire::Base;

use super::*;
use crate::accounts::downloads::{Costs, Downloaded, Hold, HoldError, Over};
use crate::accounts::earned::Earns;
use crate::accounts::edit::{By, Edit, gifts, users};
use crate::accounts::people::Changes;
use crate::accounts::period::Period;
use crate::accounts::ratio::Ratio;
use crate::accounts::table::{AddAccount, Stored};
use crate::accounts::tally::{self, Figures, Tally};
use crate::accounts::{Account, credits};
use crate::transfer::Direction;

const USERS: [&str; 3] = ["ann", "bob", "eve"];
const PATHS: [&str; 6] = ["/a", "/b", "/c", "/d/a", "/d/b", "/d/c"];
const RATIOS: [u32; 5] = [0, 333, 1000, 2905, 3000];
const DAY: i64 = 86_400;

/// Whose a byte is. Bytes with the same one that lie together are rounded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    user: usize,
    ratio: u32,
    counts: bool,
    /// The day on which it was paid for; of bytes that are not paid for: 0.
    day: i64,
}

#[derive(Debug, Clone, Default)]
struct File {
    complete: bool,
    bytes: Vec<Stamp>,
    /// Behind which bytes an upload ended that made it complete.
    completions: Vec<usize>,
}

impl File {
    /// Where runs of bytes of one stamp end.
    fn ends(&self) -> Vec<usize> {
        let changes = |at: &usize| *at == self.bytes.len() || self.bytes[*at] != self.bytes[at - 1];
        (1..=self.bytes.len()).filter(changes).collect()
    }

    /// What lies behind is gone; a run that is cut has made nothing complete.
    fn keep(&mut self, keep: usize) {
        let ends = self.ends();
        let run_of = |byte: usize| ends.iter().copied().find(|end| *end >= byte);
        self.completions
            .retain(|at| run_of(*at).is_some_and(|end| end <= keep));
        self.bytes.truncate(keep);
    }
}

/// An upload that runs.
#[derive(Debug, Clone)]
struct Runs {
    file: FileId,
    keep: usize,
    stamp: Stamp,
}

/// A download for which credits are held.
#[derive(Debug, Clone)]
struct Held {
    transfer: TransferId,
    user: usize,
    costs: Costs,
    bytes: u64,
}

/// Something that was moved, and cannot be taken back: bytes from here, time of both ways.
#[derive(Debug, Clone, Copy)]
struct Moved {
    user: usize,
    tally: Tally,
    at: i64,
}

struct World {
    dice: Dice,
    now: i64,
    files: BTreeMap<NodeId, File>,
    uploads: Vec<Runs>,
    downloads: Vec<Held>,
    moved: Vec<Moved>,
    /// Given, and paid for downloads.
    credits: [i64; USERS.len()],
    transfers: u64,
    done: [u64; 8],
}

fn rounded(bytes: usize, ratio: u32) -> i64 {
    i64::try_from(bytes).unwrap() * i64::from(ratio) / 1000
}

impl World {
    fn any(&self, n: usize) -> usize {
        usize::try_from(self.dice.below(n as u64)).unwrap()
    }

    fn path(&self) -> &'static str {
        PATHS[self.any(PATHS.len())]
    }

    async fn step(&mut self, fx: &Fixture) {
        let what = self.any(12);
        match what {
            0..=2 => self.begin(fx).await,
            3..=5 => self.end(fx).await,
            6 => self.delete(fx).await,
            7 => self.rename(fx).await,
            8 => self.download(fx).await,
            9 => self.downloaded(fx).await,
            10 => self.gift(fx).await,
            _ => {
                self.now += i64::try_from(self.dice.below(DAY as u64)).unwrap();
                fx.clock.set(self.now);
            }
        }
    }

    async fn begin(&mut self, fx: &Fixture) {
        let at = path(self.path());
        let mode = match self.any(3) {
            0 => UploadMode::Store,
            1 => UploadMode::Append,
            _ => UploadMode::Resume {
                offset: self.dice.below(400),
            },
        };
        let user = self.any(USERS.len());
        let stamp = Stamp {
            user,
            ratio: RATIOS[self.any(RATIOS.len())],
            counts: self.any(4) > 0,
            day: 0,
        };
        let earns = Earns {
            account: USERS[user].into(),
            ratio: Ratio(stamp.ratio),
            counts: stamp.counts,
        };
        let owner = Owner {
            user: USERS[user].into(),
            group: "users".into(),
        };
        let begun = fx
            .vfs
            .begin_paid(&at, mode, owner, (A, Some(earns)), 0)
            .await;
        let Ok(upload) = begun else { return };
        let keep = match upload.base {
            Base::Empty => 0,
            Base::Staged { keep } | Base::Copy { keep, .. } => usize::try_from(keep).unwrap(),
        };
        let file = self.files.entry(upload.file.node).or_default();
        if upload.base == Base::Empty && !file.complete {
            file.bytes.clear();
        }
        self.uploads.push(Runs {
            file: upload.file,
            keep,
            stamp,
        });
    }

    async fn end(&mut self, fx: &Fixture) {
        if self.uploads.is_empty() {
            return;
        }
        let upload = self.uploads.swap_remove(self.any(self.uploads.len()));
        let own = 1 + self.any(300);
        let size = upload.keep + own;
        match self.any(5) {
            0..=2 => self.commit(fx, &upload, size).await,
            3 => {
                let kept = (self.any(3) > 0).then_some(size);
                let told = kept.map(|kept| kept as u64);
                fx.vfs.break_upload(upload.file, A, told).await.unwrap();
                self.broke_off(&upload, kept);
            }
            _ => {
                fx.vfs.lose_upload(upload.file, A).await.unwrap();
                self.told(fx, &upload, Some(size)).await;
            }
        }
    }

    async fn commit(&mut self, fx: &Fixture, upload: &Runs, size: usize) {
        let ms = self.dice.below(5000);
        let bytes = PreparedBytes {
            received: (size - upload.keep) as u64,
            ..bytes(size as u64)
        };
        let committed = fx
            .vfs
            .commit_copies(upload.file, (A, None), bytes, ms)
            .await;
        committed.unwrap();
        self.done[0] += 1;
        let file = self.files.get_mut(&upload.file.node).unwrap();
        file.keep(upload.keep);
        file.bytes.resize(size, upload.stamp);
        for stamp in file.bytes.iter_mut().filter(|stamp| stamp.day == 0) {
            stamp.day = Period::Day.begin(self.now);
        }
        file.completions.push(size);
        file.complete = true;
        let mut tally = Tally::default();
        tally.up.ms = if upload.stamp.counts { ms } else { 0 };
        let (user, at) = (upload.stamp.user, self.now);
        self.moved.push(Moved { user, tally, at });
    }

    /// The slave tells how an upload ended that nobody waits for, as often as it likes.
    async fn told(&mut self, fx: &Fixture, upload: &Runs, kept: Option<usize>) {
        for _ in 0..=self.any(2) {
            let told = kept.map(|kept| kept as u64);
            fx.vfs.settle_orphan(upload.file, A, told).await.unwrap();
        }
        self.broke_off(upload, kept);
    }

    fn broke_off(&mut self, upload: &Runs, kept: Option<usize>) {
        self.done[1] += 1;
        let node = upload.file.node;
        let Some(file) = self.files.get_mut(&node) else {
            return;
        };
        match kept {
            _ if file.complete => {}
            Some(kept) => {
                file.keep(upload.keep);
                file.bytes.resize(kept, upload.stamp);
            }
            None => drop(self.files.remove(&node)),
        }
    }

    fn is_busy(&self, node: NodeId) -> bool {
        self.uploads.iter().any(|upload| upload.file.node == node)
    }

    async fn delete(&mut self, fx: &Fixture) {
        let at = self.path();
        let Ok(there) = fx.stat(at).await else { return };
        if self.is_busy(there.id) {
            return;
        }
        fx.vfs.delete(&path(at), Some("root")).await.unwrap();
        self.files.remove(&there.id).unwrap();
        self.done[2] += 1;
    }

    async fn rename(&mut self, fx: &Fixture) {
        let (from, to) = (self.path(), self.path());
        let there = fx.stat(to).await.ok().filter(|_| from != to);
        let moved = fx.rename_onto(from, to).await;
        if let (Ok(()), Some(there)) = (moved, there) {
            self.files.remove(&there.id).unwrap();
            self.done[3] += 1;
        }
    }

    fn free(&self, user: usize) -> i64 {
        let held = self.downloads.iter().filter(|held| held.user == user);
        let held: i64 = held.map(|held| held.costs.of(held.bytes)).sum();
        self.balance(user) - held
    }

    async fn download(&mut self, fx: &Fixture) {
        let user = self.any(USERS.len());
        self.transfers += 1;
        let transfer = TransferId(fx.store.ids().first_transfer().0 + self.transfers);
        let costs = Costs {
            account: USERS[user].into(),
            loss: [0, 1, 999, 1000, 2000][self.any(5)],
            least: 0,
            counts: self.any(4) > 0,
        };
        let (bytes, now) = (self.dice.below(500), self.now);
        if costs.loss > 0 {
            let hold = Hold {
                transfer,
                slave: slave("alpha"),
                costs: costs.clone(),
                bytes,
                now,
            };
            let held = fx.store.change(hold).await;
            let enough = costs.of(bytes) <= self.free(user).max(0);
            match held {
                Ok(()) => assert!(enough),
                Err(HoldError::TooFew(why)) => {
                    assert!(!enough && why.free == self.free(user), "{why:?}");
                    return;
                }
                Err(why) => panic!("{why}"),
            }
        }
        self.downloads.push(Held {
            transfer,
            user,
            costs,
            bytes,
        });
    }

    async fn downloaded(&mut self, fx: &Fixture) {
        if self.downloads.is_empty() {
            return;
        }
        let held = self.downloads.swap_remove(self.any(self.downloads.len()));
        let moved = self.some_of(&held);
        let account =
            (held.costs.loss == 0 && held.costs.counts).then(|| held.costs.account.clone());
        let (transfer, now) = (held.transfer, self.now);
        fx.store
            .change(Downloaded {
                over: Over {
                    transfer,
                    moved,
                    now,
                },
                account,
                event: None,
                outbox: Outbox::new(10),
            })
            .await
            .unwrap();
        if self.any(3) == 0 {
            // The slave did not hear that it is stored.
            fx.vfs.settle_download(transfer, moved).await.unwrap();
        }
        self.paid(&held, moved);
        self.done[4] += 1;
    }

    /// All of it, a part, or nothing.
    fn some_of(&self, held: &Held) -> Figures {
        let whole = self.any(2) == 0;
        Figures {
            files: u64::from(whole),
            bytes: if whole {
                held.bytes
            } else {
                self.dice.below(held.bytes + 1)
            },
            ms: self.dice.below(5000),
        }
    }

    fn paid(&mut self, held: &Held, moved: Figures) {
        self.credits[held.user] -= held.costs.of(moved.bytes);
        let tally = Tally {
            down: moved,
            ..Tally::default()
        };
        let (user, at) = (held.user, self.now);
        if held.costs.counts {
            self.moved.push(Moved { user, tally, at });
        }
    }

    async fn gift(&mut self, fx: &Fixture) {
        let (user, bytes) = (self.any(USERS.len()), 1 + self.dice.below(2000));
        let bytes = i64::try_from(bytes).unwrap();
        let gift = gifts::Gift {
            bytes,
            why: "for fun".into(),
            now: self.now,
        };
        let (changes, gives) = (Changes::default(), self.any(3) > 0);
        let work = move |batch: &crate::store::Batch<'_>| match gives {
            true => gifts::give(batch, &By::Owner, USERS[user], &gift),
            false => gifts::take(batch, &By::Owner, USERS[user], &gift),
        };
        let done = fx.store.change(Edit { changes, work }).await;
        assert_eq!(done.is_ok(), gives || self.free(user) >= bytes);
        if done.is_ok() {
            self.credits[user] += if gives { bytes } else { -bytes };
            self.done[5] += 1;
        }
    }

    /// The master was killed: slaves tell what has become of its transfers, or know nothing of them.
    async fn begins_again(&mut self, fx: &Fixture) {
        for upload in std::mem::take(&mut self.uploads) {
            let kept = (self.any(4) > 0).then(|| upload.keep + 1 + self.any(300));
            if kept.is_none() {
                fx.vfs.break_upload(upload.file, A, None).await.unwrap();
                self.broke_off(&upload, None);
            } else {
                self.told(fx, &upload, kept).await;
            }
        }
        let (known, lost) = self
            .downloads
            .drain(..)
            .partition::<Vec<_>, _>(|held| held.bytes % 3 > 0);
        let first = fx.store.ids().first_transfer();
        let knows = known.iter().map(|held| held.transfer).collect();
        let given = fx
            .vfs
            .downloads_known(&slave("alpha"), knows, first)
            .await
            .unwrap();
        let held = |held: &&Held| held.costs.loss > 0;
        assert_eq!(given, lost.iter().filter(held).count());
        for held in known {
            // Of one that costs nothing nobody knows any more whose it was.
            let moved = self.some_of(&held);
            fx.vfs.settle_download(held.transfer, moved).await.unwrap();
            if held.costs.loss > 0 {
                self.paid(&held, moved);
                self.done[6] += 1;
            }
        }
    }

    /// Runs of bytes that are paid for, with the stamp of each.
    fn paid_runs(&self) -> Vec<(Stamp, usize, usize)> {
        let mut runs = Vec::new();
        for file in self.files.values().filter(|file| file.complete) {
            let mut begin = 0;
            for end in file.ends() {
                let within = |at: &&usize| **at > begin && **at <= end;
                let files = file.completions.iter().filter(within).count();
                runs.push((file.bytes[begin], end - begin, files));
                begin = end;
            }
        }
        runs
    }

    fn balance(&self, user: usize) -> i64 {
        let runs = self.paid_runs();
        let own = runs.iter().filter(|(stamp, ..)| stamp.user == user);
        let earned: i64 = own
            .map(|(stamp, bytes, _)| rounded(*bytes, stamp.ratio))
            .sum();
        self.credits[user] + earned
    }

    fn tally(&self, user: usize, period: Period) -> Tally {
        let this = |at: i64| period.begin(at) == period.begin(self.now);
        let moved = self
            .moved
            .iter()
            .filter(|moved| moved.user == user && this(moved.at));
        let mut sum = moved.fold(Tally::default(), |sum, moved| sum.and(moved.tally));
        for (stamp, bytes, files) in self.paid_runs() {
            if stamp.user == user && stamp.counts && this(stamp.day) {
                sum.up.bytes += bytes as u64;
                sum.up.files += files as u64;
            }
        }
        sum
    }

    fn compare(&self, fx: &Fixture) {
        for (user, name) in USERS.iter().enumerate() {
            let there = fx
                .store
                .read(|sql| credits::balance(sql, name, self.now))
                .unwrap();
            let there = there.unwrap();
            assert_eq!(there.credits, self.balance(user), "{name}");
            assert_eq!(there.free(), self.free(user), "{name}");
            for period in Period::ALL {
                let there = fx.store.read(|sql| tally::of(sql, name, period, self.now));
                assert_eq!(
                    there.unwrap(),
                    self.tally(user, period),
                    "{name} {period:?}"
                );
            }
        }
    }
}

async fn people(fx: &Fixture) {
    for name in USERS {
        let account = Account::of_test(name, "users");
        let stored = Stored::new(account, Some("x".into()), NOW);
        assert!(fx.store.change(AddAccount(stored)).await.unwrap());
    }
    fx.dir("/d").await;
}

#[test]
fn balances_and_statistics_are_what_the_history_adds_up_to_whatever_is_killed() {
    let seed = seed();
    let dir = TempDir::new().unwrap();
    let mut world = World {
        dice: Dice::seeded(seed),
        now: NOW,
        files: BTreeMap::new(),
        uploads: Vec::new(),
        downloads: Vec::new(),
        moved: Vec::new(),
        credits: [0; USERS.len()],
        transfers: 0,
        done: [0; 8],
    };
    for start in 0..12 {
        sim(async {
            let fx = Fixture::open(dir.path(), Case::Sensitive, world.now).await;
            if start == 0 {
                people(&fx).await;
            }
            world.begins_again(&fx).await;
            world.compare(&fx);
            for step in 0..world.any(150) {
                world.step(&fx).await;
                if step % 8 == 0 {
                    world.compare(&fx);
                }
            }
            world.compare(&fx);
            invariants::check_tables(&fx.store);
        });
        world.now += 1 + i64::try_from(world.dice.below(20 * DAY as u64)).unwrap();
    }
    println!(
        "commits, broken, deletes, replaced, downloads, gifts, told: {:?}",
        world.done
    );
    assert!(
        world.done[..3].iter().all(|count| *count > 0),
        "{:?}",
        world.done
    );
}

#[test]
fn who_has_another_name_keeps_what_files_earned_and_who_is_gone_pays_nothing() {
    with_vfs(|fx| async move {
        people(&fx).await;
        let put = async |at: &str, who: &str| {
            let earns = Earns {
                account: who.into(),
                ratio: Ratio(3000),
                counts: true,
            };
            let to = (A, Some(earns));
            let begun = fx
                .vfs
                .begin_paid(&path(at), UploadMode::Store, ann(), to, 0)
                .await;
            fx.commit(begun.unwrap().file, A, 100).await.unwrap();
        };
        put("/a", "ann").await;
        put("/b", "ann").await;
        put("/e", "eve").await;
        let edit = async |work: fn(
            &crate::store::Batch<'_>,
        ) -> Result<(), crate::accounts::edit::EditError>| {
            let changes = Changes::default();
            fx.store.change(Edit { changes, work }).await.unwrap();
        };
        edit(|batch| users::rename(batch, &By::Owner, "ann", "zoe")).await;
        edit(|batch| users::delete(batch, &By::Owner, "eve", "", 0)).await;
        edit(|batch| users::purge(batch, &By::Owner, "eve")).await;
        fx.vfs.delete(&path("/a"), None).await.unwrap();
        fx.vfs.delete(&path("/e"), None).await.unwrap();
        let of = |name: &str| {
            fx.store
                .read(|sql| credits::balance(sql, name, NOW))
                .unwrap()
        };
        assert_eq!(of("zoe").map(|it| it.credits), Some(300));
        assert_eq!((of("ann"), of("eve")), (None, None));
        let tally = fx
            .store
            .read(|sql| tally::of(sql, "zoe", Period::Ever, NOW))
            .unwrap();
        assert_eq!(tally.way(Direction::Upload).bytes, 100);
        fx
    });
}
