//! Random operations against a model of the tree, with losses of acknowledgements in between:
//! the log is done again from anywhere that was not acknowledged, and all must end as if not.

use std::collections::BTreeMap;

use super::*;

/// The top directory.
const TOP: u64 = 1;

/// What the file list knows.
#[derive(Default)]
struct Model {
    /// Identity → directory above, name.
    dirs: BTreeMap<u64, (u64, String)>,
    /// Identity → directory, name, content.
    files: BTreeMap<FileId, (u64, String, String)>,
    last: u64,
}

impl Model {
    fn way(&self, dir: u64) -> Vec<DirStep> {
        if dir == TOP {
            return Vec::new();
        }
        let (above, text) = &self.dirs[&dir];
        let mut way = self.way(*above);
        way.push(DirStep {
            id: NodeId(dir),
            name: name(text),
        });
        way
    }

    fn place(&self, dir: u64, text: &str) -> Place {
        Place {
            dirs: self.way(dir),
            name: name(text),
        }
    }

    fn path(&self, dir: u64, text: &str) -> String {
        let way = self.way(dir);
        let dirs: String = way.iter().map(|step| format!("{}/", step.name)).collect();
        format!("{dirs}{text}")
    }

    fn is_free(&self, dir: u64, text: &str) -> bool {
        let here = |(above, name): (&u64, &String)| *above == dir && name == text;
        !self.dirs.values().any(|(above, name)| here((above, name)))
            && !self
                .files
                .values()
                .any(|(above, name, _)| here((above, name)))
    }

    fn is_below(&self, mut dir: u64, of: u64) -> bool {
        while dir != TOP {
            if dir == of {
                return true;
            }
            dir = self.dirs[&dir].0;
        }
        false
    }

    fn any_dir(&self, dice: &Dice) -> u64 {
        let all: Vec<u64> = std::iter::once(TOP)
            .chain(self.dirs.keys().copied())
            .collect();
        all[usize::try_from(dice.below(all.len() as u64)).expect("small")]
    }

    fn any_file(&self, dice: &Dice) -> Option<FileId> {
        let all: Vec<FileId> = self.files.keys().copied().collect();
        let at = usize::try_from(dice.below(all.len() as u64)).expect("small");
        all.get(at).copied()
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last + 10
    }

    /// Changes the tree somehow; answers the operation, after staging what it publishes.
    fn change(&mut self, dice: &Dice, fixture: &Fixture) -> Option<RootOp> {
        let text = ["a", "b", "c"][usize::try_from(dice.below(3)).expect("small")];
        let dir = self.any_dir(dice);
        match dice.below(10) {
            0 | 1 if self.is_free(dir, text) => {
                let id = self.next();
                self.dirs.insert(id, (dir, text.to_owned()));
                None
            }
            2 | 3 if self.is_free(dir, text) => {
                let file = id(self.next(), 1);
                Some(self.upload(file, dir, text, fixture))
            }
            4 => {
                let old = self.any_file(dice)?;
                let (dir, text, _) = self.files.remove(&old)?;
                let new = id(old.node.0, old.generation.0 + 1);
                Some(self.upload(new, dir, &text, fixture))
            }
            5 => {
                let file = self.any_file(dice)?;
                let (dir, text, _) = self.files.remove(&file)?;
                let at = self.place(dir, &text);
                Some(RootOp::Delete { file, at })
            }
            6 | 7 if self.is_free(dir, text) => {
                let file = self.any_file(dice)?;
                let to = self.place(dir, text);
                let (was, name, bytes) = self.files[&file].clone();
                let from = self.place(was, &name);
                self.files.insert(file, (dir, text.to_owned(), bytes));
                let what = Moved::File(file);
                Some(RootOp::Move { what, from, to })
            }
            8 if self.is_free(dir, text) => {
                let moved = self.any_dir(dice);
                if moved == TOP || self.is_below(dir, moved) {
                    return None;
                }
                let to = self.place(dir, text);
                let (was, name) = self.dirs[&moved].clone();
                let from = self.place(was, &name);
                self.dirs.insert(moved, (dir, text.to_owned()));
                let what = Moved::Dir(NodeId(moved));
                Some(RootOp::Move { what, from, to })
            }
            9 => {
                let used = |id: u64| {
                    self.dirs.values().any(|(above, _)| *above == id)
                        || self.files.values().any(|(above, ..)| *above == id)
                };
                if dir == TOP || used(dir) {
                    return None;
                }
                let (above, name) = self.dirs.remove(&dir)?;
                let at = self.place(above, &name);
                let dir = NodeId(dir);
                Some(RootOp::RemoveDir { dir, at })
            }
            _ => None,
        }
    }

    fn upload(&mut self, file: FileId, dir: u64, text: &str, fixture: &Fixture) -> RootOp {
        let bytes = format!("content of {file}");
        fixture.prepare(file, bytes.as_bytes());
        self.files.insert(file, (dir, text.to_owned(), bytes));
        RootOp::Publish {
            file,
            at: self.place(dir, text),
        }
    }

    /// Every file with its path, content and identity, and the directories on the way to one.
    fn expected(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        for (file, (dir, text, bytes)) in &self.files {
            tree.insert(self.path(*dir, text), format!("{bytes}[{file}]"));
            let mut dir = *dir;
            while dir != TOP {
                let (above, text) = &self.dirs[&dir];
                tree.insert(self.path(*above, text), format!("dir[{dir}]"));
                dir = *above;
            }
        }
        tree
    }
}

/// An operation as a line of a failed run.
fn line(op: &RootOp) -> String {
    let path = |place: &Place| {
        let dirs = place.dirs.iter();
        let dirs: String = dirs
            .map(|step| format!("{}:{}/", step.id, step.name))
            .collect();
        format!("{dirs}{}", place.name)
    };
    match op {
        RootOp::Publish { file, at } => format!("publish {file} {}", path(at)),
        RootOp::Delete { file, at } => format!("delete {file} {}", path(at)),
        RootOp::RemoveDir { dir, at } => format!("remove {dir} {}", path(at)),
        RootOp::Move { what, from, to } => {
            format!("move {what:?} {} -> {}", path(from), path(to))
        }
        other => format!("{other:?}"),
    }
}

/// One run: changes, now and then a part of the log again, at the end nothing unacknowledged.
fn run(seed: u64, changes: usize) {
    let dice = Dice::seeded(seed);
    let fixture = Fixture::with(Fsync::Never);
    let mut model = Model::default();
    let mut log = Vec::new();
    let mut acknowledged = 0;
    for step in 0..changes {
        if let Some(op) = model.change(&dice, &fixture) {
            fixture.root.apply(&op).expect("applied");
            log.push(op);
        }
        if dice.below(6) == 0 {
            acknowledged +=
                usize::try_from(dice.below((log.len() - acknowledged) as u64 + 1)).expect("small");
        }
        if dice.below(4) == 0 {
            // The link was lost, perhaps in the middle of doing it again, then all comes again.
            let rest = &log[acknowledged..];
            let part = usize::try_from(dice.below(rest.len() as u64 + 1)).expect("small");
            for op in rest[..part].iter().chain(rest) {
                fixture.root.apply(op).expect("applied again");
            }
        }
        let lines: Vec<String> = log[acknowledged..].iter().map(line).collect();
        let context = format!("seed {seed}, step {step}, log\n{}\n", lines.join("\n"));
        let tree: BTreeMap<String, String> = fixture
            .visible()
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(path, what)| (path.to_owned(), what.to_owned()))
            .collect();
        assert_eq!(tree, model.expected(), "{context}");
        assert!(fixture.reserved("staging").is_empty(), "{context}");
    }
}

#[test]
fn random_operations_end_as_the_model_says_however_often_they_are_done_again() {
    let first = Dice::system().u64() >> 1;
    println!("seeds from {first}");
    for seed in first..first + 12 {
        run(seed, 120);
    }
}
