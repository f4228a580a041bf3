//! Random changes against the model: the same answers, the same tree, and a sound store.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::model::{End, Model, Node, Path};
use super::*;
use crate::store::dump::{dump, load};

#[derive(Debug, Clone)]
enum Step {
    MakeDir(Path),
    RemoveDir(Path),
    Delete(Path),
    Rename(Path, Path, bool),
    Begin(Path, UploadMode, RootId),
    /// A whole upload.
    Put(Path, RootId, u64),
    /// Ends one of the running uploads.
    End(usize, End),
    SetTime(Path),
}

fn any_path() -> impl Strategy<Value = Path> {
    prop::collection::vec(prop::sample::select(vec!["a", "b"]), 1..4)
}

fn any_step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![
        3 => Just(UploadMode::Store),
        1 => Just(UploadMode::Append),
        1 => (0..8u64).prop_map(|offset| UploadMode::Resume { offset }),
    ];
    let end = prop_oneof![
        2 => (0..9u64).prop_map(End::Commit),
        1 => prop::option::of(0..9u64).prop_map(End::Break),
    ];
    let root = prop::sample::select(vec![A, B]);
    prop_oneof![
        4 => any_path().prop_map(Step::MakeDir),
        1 => any_path().prop_map(Step::RemoveDir),
        1 => any_path().prop_map(Step::Delete),
        4 => (any_path(), root.clone(), 0..9u64).prop_map(|(p, r, n)| Step::Put(p, r, n)),
        4 => (any_path(), any_path(), any::<bool>()).prop_map(|(f, t, r)| Step::Rename(f, t, r)),
        2 => (any_path(), mode, root).prop_map(|(p, m, r)| Step::Begin(p, m, r)),
        3 => (any::<usize>(), end).prop_map(|(n, end)| Step::End(n, end)),
        1 => any_path().prop_map(Step::SetTime),
    ]
}

fn text(path: &Path) -> VfsPath {
    super::path(&format!("/{}", path.join("/")))
}

struct Run {
    fx: Fixture,
    model: Model,
    running: Vec<(FileId, RootId)>,
    identities: BTreeSet<FileId>,
    /// What lies in the staging folders while they have not followed their logs.
    staged: BTreeSet<(RootId, FileId)>,
}

impl Run {
    async fn step(&mut self, step: &Step) {
        let (vfs, model) = (&self.fx.vfs, &mut self.model);
        let (done, expected) = match step {
            Step::MakeDir(at) => {
                let done = vfs.make_dir(&text(at), ann()).await;
                (done.map(drop), model.make_dir(at))
            }
            Step::RemoveDir(at) => (vfs.remove_dir(&text(at), None).await, model.remove_dir(at)),
            Step::Delete(at) => {
                let done = vfs.delete(&text(at), None).await;
                // Its session hears of it, and its slave has thrown the bytes away.
                if let Some((file, root)) = model.running(at) {
                    self.running.retain(|running| *running != (file, root));
                    vfs.break_upload(file, root, None).await.unwrap();
                }
                (done.map(drop), model.delete(at))
            }
            Step::Rename(from, to, replace) => {
                let there = vfs.stat(&text(to)).await.ok().map(|there| there.id);
                let replaces = there.filter(|_| *replace);
                let done = vfs.rename(&text(from), &text(to), replaces, None).await;
                (done, model.rename(from, to, *replace))
            }
            Step::SetTime(at) => {
                let done = vfs.set_times(&text(at), Times::modified(5)).await;
                (done, model.nodes.contains_key(at))
            }
            Step::Begin(at, mode, root) => return self.begin(at, *mode, *root).await,
            Step::Put(at, root, size) => {
                let running = self.running.len();
                self.begin(at, UploadMode::Store, *root).await;
                if self.running.len() > running {
                    self.end(running, End::Commit(*size)).await;
                }
                return;
            }
            Step::End(n, end) => return self.end(*n, *end).await,
        };
        assert_eq!(done.is_ok(), expected, "{step:?}: {done:?}");
    }

    async fn begin(&mut self, at: &Path, mode: UploadMode, root: RootId) {
        let expected = self.model.may_begin(at, mode, root);
        let begun = self.fx.vfs.begin_upload(&text(at), mode, ann(), root).await;
        assert_eq!(begun.is_ok(), expected, "{at:?} {mode:?}: {begun:?}");
        let Ok(upload) = begun else { return };
        let goes_on = matches!(upload.base, drftpd_protocol::wire::Base::Staged { .. });
        let new = self.identities.insert(upload.file);
        assert!(new != goes_on, "{} is used twice", upload.file);
        self.model.begin(at, mode, upload.file, root);
        self.staged.insert((root, upload.file));
        self.running.push((upload.file, root));
    }

    async fn end(&mut self, n: usize, end: End) {
        if self.running.is_empty() {
            return;
        }
        let (file, root) = self.running.swap_remove(n % self.running.len());
        match end {
            End::Commit(size) => drop(self.fx.commit(file, root, size).await.unwrap()),
            End::Break(kept) => self.fx.vfs.break_upload(file, root, kept).await.unwrap(),
        }
        if !matches!(end, End::Break(Some(_))) {
            self.staged.remove(&(root, file)); // published, or not kept by the slave
        }
        self.model.end(file, end);
    }

    async fn compare(&self) {
        let mut seen = Vec::new();
        let mut todo = vec![String::new()];
        while let Some(at) = todo.pop() {
            for name in self.fx.names(&format!("{at}/")).await {
                let path = format!("{at}/{name}");
                let entry = self.fx.stat(&path).await.unwrap();
                if entry.kind == Kind::Dir {
                    todo.push(path.clone());
                }
                let size = (entry.kind == Kind::File).then_some(entry.size);
                seen.push((path, entry.state, size));
            }
        }
        seen.sort();
        let expected = self.model.nodes.iter().map(|(path, node)| {
            let path = format!("/{}", path.join("/"));
            let (state, size) = match node {
                Node::Dir => (FileState::Complete, None),
                Node::File(file) => match (file.complete, file.running, file.partial) {
                    (Some((size, _)), _, _) => (FileState::Complete, Some(size)),
                    (None, None, Some((size, _))) => (FileState::Partial, Some(size)),
                    // Its live size is what was kept; that is not looked at here.
                    _ => (FileState::Uploading, None),
                },
            };
            (path, state, size)
        });
        for (seen, expected) in seen.iter_mut().zip(expected.clone()) {
            if expected.1 == FileState::Uploading {
                seen.2 = None;
            }
        }
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        assert_eq!(seen, expected);
    }

    /// Staging has what runs and what can be resumed; everything else was thrown away.
    async fn check_staging(&mut self) {
        for root in [A, B] {
            for op in self.fx.ops(root).await {
                if let RootOp::DiscardStaged { file } = op {
                    assert!(self.staged.remove(&(root, file)), "{file} is not staged");
                }
            }
        }
        let running = self.running.iter().map(|(file, root)| (*root, *file));
        let mut expected: BTreeSet<_> = running.collect();
        let files = self.model.nodes.iter().filter_map(|(at, node)| match node {
            Node::File(file) => Some((at, file.partial?.1)),
            Node::Dir => None,
        });
        for (at, root) in files {
            let entry = self.fx.vfs.stat(&text(at)).await.unwrap();
            expected.insert((root, entry.file()));
        }
        assert_eq!(self.staged, expected);
    }
}

fn rows(store: &Store) -> Vec<String> {
    let mut out = Vec::new();
    dump(store, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

/// A store that was dumped and loaded has the same rows.
fn check_dump(store: &Store) {
    let mut out = Vec::new();
    dump(store, &mut out).unwrap();
    let to = TempDir::new().unwrap();
    let (clock, dice) = (Clock::manual(NOW), Dice::seeded(2));
    let config = StoreConfig::DEFAULT;
    load(to.path(), &config, &mut out.as_slice(), &clock, &dice).unwrap();
    let loaded = Store::inline(to.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
    assert_eq!(rows(&loaded), rows(store));
    invariants::check(&loaded);
}

proptest! {
    // A failure shows the shortest sequence that leads to it.
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_changes_does_what_the_model_does(
        steps in prop::collection::vec(any_step(), 1..200)
    ) {
        let dir = TempDir::new().unwrap();
        sim(async {
            let mut run = Run {
                fx: Fixture::open(dir.path(), Case::Sensitive, NOW).await,
                model: Model::default(),
                running: Vec::new(),
                identities: BTreeSet::new(),
                staged: BTreeSet::new(),
            };
            for path in [vec!["a"], vec!["b"], vec!["a", "a"], vec!["b", "b"]] {
                run.step(&Step::MakeDir(path)).await;
            }
            for step in &steps {
                run.step(step).await;
            }
            run.compare().await;
            run.check_staging().await;
            invariants::check(&run.fx.store);
            check_dump(&run.fx.store);
        });
    }
}
