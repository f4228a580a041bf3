//! Walks of a disk while everything goes on: nothing that is there is ever called missing, and what is not there is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use drftpd_protocol::digest::digest;
use drftpd_protocol::wire::{DirDigest, DirStep, Moved, Place, WalkEntry, WalkNode, WalkPage};
use drftpd_protocol::{DirId, Name};
use proptest::prelude::*;

use super::*;

/// A disk by identities: each operation may be done late or twice.
#[derive(Default)]
struct Disk {
    files: BTreeMap<FileId, (DirId, Name)>,
    dirs: BTreeMap<DirId, (DirId, Name)>,
}

impl Disk {
    fn way(&mut self, at: &Place) -> (DirId, Name) {
        let mut above = NodeId::ROOT;
        for step in &at.dirs {
            let dir = self.dirs.entry(step.id);
            dir.or_insert_with(|| (above, step.name.clone()));
            above = step.id;
        }
        (above, at.name.clone())
    }

    fn follow(&mut self, op: &RootOp) {
        match op {
            RootOp::Publish { file, at } => {
                let at = self.way(at);
                self.files.insert(*file, at);
            }
            RootOp::Delete { file, .. } => drop(self.files.remove(file)),
            RootOp::Move { what, to, .. } => match what {
                Moved::File(file) if self.files.contains_key(file) => {
                    let to = self.way(to);
                    self.files.insert(*file, to);
                }
                Moved::Dir(dir) if self.dirs.contains_key(dir) => {
                    let to = self.way(to);
                    self.dirs.insert(*dir, to);
                }
                _ => {}
            },
            RootOp::RemoveDir { dir, .. } => drop(self.dirs.remove(dir)),
            RootOp::SetAside { file, at } => {
                let at = self.way(at);
                if self.files.get(file) == Some(&at) {
                    self.files.remove(file);
                }
            }
            _ => {}
        }
    }

    fn inside(&self, dir: DirId) -> Vec<(DirId, Name)> {
        let below = self.dirs.iter().filter(|(_, (above, _))| *above == dir);
        below.map(|(id, (_, name))| (*id, name.clone())).collect()
    }
}

/// A walk under way: like the slave's, it holds directories open by what they are and enters them by their names.
struct Walk {
    mode: Mode,
    /// Digests that nobody has judged, with the ways to their directories.
    told: Vec<(DirDigest, Vec<DirStep>)>,
    saw: SawAll,
    stack: Vec<(DirId, VecDeque<Name>)>,
    way: Vec<DirStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Entries,
    /// Digests that are judged at once.
    Digests,
    /// Digests that are judged when everything was read.
    LateDigests,
}

struct Run {
    modes: usize,
    fx: Fixture,
    disk: Disk,
    done: OpSeq,
    sizes: BTreeMap<FileId, u64>,
    walk: Option<Walk>,
}

impl Run {
    async fn follow(&mut self, most: usize) {
        let ops = self.fx.vfs.ops_after(A, self.done, most).await.unwrap();
        for (seq, op) in ops {
            self.disk.follow(&op);
            self.done = seq;
        }
        self.fx.vfs.ops_done(A, self.done).await.unwrap();
    }

    async fn begin(&mut self) {
        let began = self.fx.vfs.walk_begins(A).await.unwrap();
        const MODES: [Mode; 3] = [Mode::Digests, Mode::Entries, Mode::LateDigests];
        self.modes += 1;
        let mut walk = Walk {
            mode: MODES[self.modes % MODES.len()],
            told: Vec::new(),
            saw: SawAll {
                since: began.since,
                conclude: true,
                ..SawAll::default()
            },
            stack: Vec::new(),
            way: Vec::new(),
        };
        self.read(&mut walk, NodeId::ROOT).await;
        self.walk = Some(walk);
    }

    /// Reads a directory and tells what is in it.
    async fn read(&self, walk: &mut Walk, dir: DirId) {
        let way = walk.way.clone();
        match walk.mode {
            Mode::Entries => self.list(walk, dir, way).await,
            mode => {
                let digest = self.digest(dir, &way, walk.told.len() as u64 + 1);
                walk.told.push((digest, way));
                if mode == Mode::Digests {
                    self.judge(walk).await;
                }
            }
        }
        let inside = self.disk.inside(dir).into_iter().map(|(_, name)| name);
        walk.stack.push((dir, inside.collect()));
    }

    fn digest(&self, dir: DirId, way: &[DirStep], number: u64) -> DirDigest {
        let files = self.disk.files.iter().filter(|(_, (at, _))| *at == dir);
        let sum = files.fold(0_u128, |sum, (file, (_, name))| {
            sum.wrapping_add(digest(name.as_bytes(), *file, self.sizes[file]))
        });
        let mut up = way.iter().rev();
        let name = up.next().map(|step| step.name.clone());
        DirDigest {
            number,
            dir,
            above: up.next().map_or(NodeId::ROOT, |step| step.id),
            name,
            sum: sum.to_le_bytes(),
            applied: self.done,
        }
    }

    /// What was told is judged; what is wanted is told, as it is now.
    async fn judge(&self, walk: &mut Walk) {
        let told = std::mem::take(&mut walk.told);
        let digests = told.iter().map(|(digest, _)| digest.clone()).collect();
        let judged = self.fx.vfs.judge_digests(A, walk.saw.since, digests).await;
        let judged = judged.unwrap();
        walk.saw.agreed.extend(judged.agreed);
        for (digest, way) in told {
            if judged.list.contains(&digest.number) {
                self.list(walk, digest.dir, way).await;
            }
        }
    }

    /// Tells the entries of a directory.
    async fn list(&self, walk: &mut Walk, dir: DirId, way: Vec<DirStep>) {
        let files = self.disk.files.iter().filter(|(_, (at, _))| *at == dir);
        let entry = |(file, (_, name)): (&FileId, &(DirId, Name))| WalkEntry {
            name: name.clone(),
            node: WalkNode::File {
                size: self.sizes[file],
                file: Some(*file),
                crc32: None,
                blake3: None,
                edited: false,
                busy: false,
            },
            modified: 0,
        };
        let entries: Vec<_> = files.map(entry).collect();
        let slave = slave("alpha");
        let page = WalkPage {
            root: A,
            walk: 0,
            dir: way,
            entries,
            looked: Vec::new(),
        };
        let merged = self.fx.vfs.merge_page(&slave, page, None).await;
        walk.saw.seen.extend(merged.unwrap().seen);
    }

    /// One step of the walk; what it concludes when it is over.
    async fn step(&mut self) -> Option<Concluded> {
        let mut walk = self.walk.take()?;
        let Some((dir, inside)) = walk.stack.last_mut() else {
            self.judge(&mut walk).await;
            return Some(
                self.fx
                    .vfs
                    .walked(A, &slave("alpha"), walk.saw)
                    .await
                    .unwrap(),
            );
        };
        match inside.pop_front() {
            None => {
                walk.stack.pop();
                walk.way.pop();
            }
            Some(name) => {
                let there = self.disk.inside(*dir).into_iter();
                if let Some((id, name)) = there.into_iter().find(|(_, there)| *there == name) {
                    walk.way.push(DirStep { id, name });
                    self.read(&mut walk, id).await;
                }
            }
        }
        self.walk = Some(walk);
        None
    }

    /// A walk of which nothing happens meanwhile, after all is followed.
    async fn quiet(&mut self) -> Concluded {
        self.follow(usize::MAX).await;
        self.begin().await;
        loop {
            if let Some(said) = self.step().await {
                return said;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(String, u64),
    MakeDir(String),
    Rename(String, String),
    /// One of the disk's directories goes into another one.
    MoveDir(usize, usize, &'static str),
    Delete(String),
    RemoveDir(String),
    Follow(usize),
    Walk(usize),
}

fn any_path() -> impl Strategy<Value = String> {
    let names = prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4);
    names.prop_map(|names| format!("/{}", names.join("/")))
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any_path(), 0..9_u64).prop_map(|(at, size)| Step::Put(at, size)),
        2 => any_path().prop_map(Step::MakeDir),
        4 => (any_path(), any_path()).prop_map(|(from, to)| Step::Rename(from, to)),
        4 => (any::<usize>(), any::<usize>(), prop::sample::select(vec!["a", "b", "c", "d"]))
            .prop_map(|(dir, into, name)| Step::MoveDir(dir, into, name)),
        1 => any_path().prop_map(Step::Delete),
        1 => any_path().prop_map(Step::RemoveDir),
        3 => (0..4_usize).prop_map(Step::Follow),
        6 => (1..4_usize).prop_map(Step::Walk),
    ]
}

impl Run {
    /// May be refused, as other steps may.
    async fn move_dir(&self, dir: usize, into: usize, name: &str) {
        let dirs: Vec<DirId> = self.disk.dirs.keys().copied().collect();
        if dirs.is_empty() {
            return;
        }
        let vfs = &self.fx.vfs;
        let at = async |n: usize| vfs.path_of(dirs[n % dirs.len()]).await;
        let top = into % (dirs.len() + 1) == dirs.len();
        let (Ok(from), Ok(into)) = (at(dir).await, at(into).await) else {
            return; // gone from the tree
        };
        let into = if top { String::new() } else { into.to_string() };
        let to = path(&format!("{into}/{name}"));
        drop(vfs.rename(&from, &to, None, None).await);
    }

    async fn go(&mut self, step: &Step) {
        let vfs = self.fx.vfs.clone();
        match step {
            Step::Put(at, size) => {
                let begun = self.fx.begin(at, UploadMode::Store, A).await;
                if let Ok(upload) = begun {
                    self.fx.commit(upload.file, A, *size).await.unwrap();
                    self.sizes.insert(upload.file, *size);
                }
            }
            Step::MakeDir(at) => drop(vfs.make_dir(&path(at), ann()).await),
            Step::Rename(from, to) => drop(vfs.rename(&path(from), &path(to), None, None).await),
            Step::MoveDir(dir, into, name) => self.move_dir(*dir, *into, name).await,
            Step::Delete(at) => drop(vfs.delete(&path(at), None).await),
            Step::RemoveDir(at) => drop(vfs.remove_dir(&path(at), None).await),
            Step::Follow(most) => self.follow(*most).await,
            Step::Walk(steps) => {
                if self.walk.is_none() {
                    self.begin().await;
                }
                for _ in 0..*steps {
                    if let Some(said) = self.step().await {
                        assert_eq!(said.missing, 0, "nothing is missing: {said:?}");
                        break;
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_walk_while_all_goes_on_misses_nothing_that_is_there_and_a_quiet_one_all_that_is_not(
        steps in prop::collection::vec(any_step(), 1..150),
        taken in prop::collection::vec(any::<bool>(), 40),
    ) {
        let dir = TempDir::new().unwrap();
        sim(async {
            let mut run = Run {
                modes: 0,
                fx: Fixture::open(dir.path(), Case::Sensitive, NOW).await,
                disk: Disk::default(),
                done: OpSeq::NONE,
                sizes: BTreeMap::new(),
                walk: None,
            };
            for at in ["/a", "/b", "/a/b", "/c"] {
                run.go(&Step::MakeDir(at.to_owned())).await;
            }
            for step in &steps {
                run.go(step).await;
            }
            run.walk = None;
            let said = run.quiet().await;
            assert_eq!((said.missing, said.unsettled), (0, 0));
            assert_eq!(said.copies, run.disk.files.len() as u64);
            // Somebody takes files away.
            let gone: BTreeSet<FileId> = run.disk.files.keys().zip(&taken)
                .filter_map(|(file, taken)| taken.then_some(*file)).collect();
            let all = run.disk.files.clone();
            run.disk.files.retain(|file, _| !gone.contains(file));
            let said = run.quiet().await;
            assert_eq!((said.missing, said.unsettled), (gone.len() as u64, 0));
            // And brings them back.
            run.disk.files = all;
            let said = run.quiet().await;
            assert_eq!((said.missing, said.copies), (0, run.disk.files.len() as u64));
            invariants::check_tables(&run.fx.store);
        });
    }
}
