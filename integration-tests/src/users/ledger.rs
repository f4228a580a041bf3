//! What one user's files must be, as far as its answers tell: pure.
//!
//! Each file is a cell with all that may have become of it: one possibility while every answer came, several after
//! an answer that never came. Directories likewise. In the end exactly one possibility of each must be true, and
//! nothing else be there.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes that a seed makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The seed.
    pub seed: u64,
    /// How many.
    pub len: usize,
}

/// What a file has of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// All of them: it can be read.
    Whole(Content),
    /// It broke off: it cannot be read, and has at most these.
    Part(Content),
    /// Its sender broke off and the server could not know: it can be read, and has the first of them, at least so many.
    Cut(Content, usize),
}

/// What is known of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Everything was sent, and the server has it.
    Stored,
    /// Everything was sent, if anything; nobody knows what became of it.
    Unknown,
    /// Not everything was sent, and nobody knows what became of it; so many bytes were there before.
    Cut(usize),
    /// Not everything was sent, and the server knows.
    Broken,
}

/// A directory, whatever it is called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dir(usize);

/// A file as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub dir: Dir,
    /// Its name there.
    pub name: String,
    /// Its bytes.
    pub what: What,
}

/// A cell's number; changes with every change of the books.
pub type Cell = usize;

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Dir,
    /// A file that can be read.
    Whole(Vec<u8>),
    /// A file that is not complete.
    Part(u64),
    /// A file of which nobody has the bytes now.
    Lost(u64),
}

/// One user's books.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// All that each may be called; `None`: it may not be there.
    dirs: Vec<Vec<Option<String>>>,
    cells: Vec<Vec<Option<File>>>,
}

impl Ledger {
    /// A directory that is surely there, or (`sure` is false) may be.
    pub fn add_dir(&mut self, path: &str, sure: bool) -> Dir {
        let mut names = vec![Some(path.to_owned())];
        names.extend((!sure).then_some(None));
        self.dirs.push(names);
        Dir(self.dirs.len() - 1)
    }

    /// A directory has a new name, or (`sure` is false) may have it.
    pub fn rename_dir(&mut self, dir: Dir, to: &str, sure: bool) {
        let names = &mut self.dirs[dir.0];
        if sure {
            names.clear();
        }
        names.push(Some(to.to_owned()));
    }

    /// Directories whose name is sure.
    pub fn sure_dirs(&self) -> Vec<(Dir, String)> {
        let dirs = (0..self.dirs.len()).map(Dir);
        dirs.filter_map(|dir| Some((dir, self.name_of(dir)?.to_owned())))
            .collect()
    }

    fn name_of(&self, dir: Dir) -> Option<&str> {
        match &self.dirs[dir.0][..] {
            [Some(only)] => Some(only),
            _ => None,
        }
    }

    /// The path of a file in a directory whose name is sure.
    pub fn path(&self, dir: Dir, name: &str) -> Option<String> {
        Some(join(self.name_of(dir)?, name))
    }

    /// Files that are surely there and whole, each with its path.
    pub fn sure_files(&self) -> Vec<(Cell, String, File, Content)> {
        let sure = self.cells.iter().enumerate();
        sure.filter_map(|(cell, may)| match &may[..] {
            [Some(file)] => match file.what {
                What::Whole(content) => {
                    let path = self.path(file.dir, &file.name)?;
                    Some((cell, path, file.clone(), content))
                }
                What::Part(_) | What::Cut(..) => None,
            },
            _ => None,
        })
        .collect()
    }

    /// The cell of a name, if there is one and it has no other name.
    pub fn at(&self, dir: Dir, name: &str) -> Option<Cell> {
        let is_here = |file: &File| file.dir == dir && file.name == name;
        let mut cells = self.cells.iter();
        cells.position(|may| may.iter().flatten().all(is_here) && may.iter().any(Option::is_some))
    }

    /// Whether a file may have this name.
    pub fn may_be(&self, dir: Dir, name: &str) -> bool {
        let files = self.cells.iter().flatten().flatten();
        files
            .into_iter()
            .any(|file| file.dir == dir && file.name == name)
    }

    /// What became of an upload to a name that nothing else may have.
    pub fn uploaded(&mut self, dir: Dir, name: &str, content: Content, answer: Answer) {
        let file = |what| {
            let name = name.to_owned();
            Some(File { dir, name, what })
        };
        let whole = file(What::Whole(content));
        let cell = match self.at(dir, name) {
            Some(cell) => cell,
            None => {
                self.cells.push(vec![None]);
                self.cells.len() - 1
            }
        };
        let may = &mut self.cells[cell];
        if answer == Answer::Stored {
            *may = vec![whole];
            return;
        }
        let was_whole = matches!(&may[..], [Some(file)] if matches!(file.what, What::Whole(_)));
        // Nothing tells an empty file that was sent from one that was not.
        may.extend((answer != Answer::Broken || content.len == 0).then_some(whole));
        if let Answer::Cut(before) = answer {
            may.push(file(What::Cut(content, before)));
        }
        // What broke off never takes the place of a whole file.
        if !was_whole {
            may.extend([file(What::Part(content)), None]);
        }
    }

    /// A directory was removed, or may be; no file may be in it.
    pub fn remove_dir(&mut self, dir: Dir, sure: bool) {
        let names = &mut self.dirs[dir.0];
        if sure {
            names.clear();
        }
        names.push(None);
    }

    /// Whether no file can be in a directory.
    pub fn is_empty(&self, dir: Dir) -> bool {
        let mut files = self.cells.iter().flatten().flatten();
        files.all(|file| file.dir != dir)
    }

    /// A file was deleted, or may be.
    pub fn deleted(&mut self, cell: Cell, sure: bool) {
        if sure {
            self.cells.remove(cell);
        } else {
            self.cells[cell].push(None);
        }
    }

    /// A file has a new place, or may have it.
    pub fn renamed(&mut self, cell: Cell, dir: Dir, name: &str, sure: bool) {
        let there = |file: &Option<File>| {
            let file = file.clone()?;
            let name = name.to_owned();
            Some(File { dir, name, ..file })
        };
        let moved: Vec<_> = self.cells[cell].iter().map(there).collect();
        if sure {
            self.cells[cell] = moved;
        } else {
            self.cells[cell].extend(moved);
        }
    }

    /// The bytes that a file surely is of, whatever of them it has, if it is not sure that it has all: an upload that
    /// can go on.
    pub fn unfinished(&self, cell: Cell) -> Option<Content> {
        let may = &self.cells[cell];
        let mut contents = may.iter().flatten().map(|file| file.what.content());
        let first = contents.next()?;
        (may.len() > 1 && contents.all(|other| other == first)).then_some(first)
    }

    /// Compares the books with what is there; takes out of `left` what they account for. Answers what is wrong. A file
    /// with a content that is `spoilt` may have lost its bytes, but not its entry.
    pub fn check(
        &self,
        found: &BTreeMap<String, Found>,
        bytes: impl Fn(Content) -> Vec<u8>,
        spoilt: impl Fn(Content) -> bool,
        left: &mut BTreeMap<String, Found>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let dirs = self.dirs.iter().map(|may| dir_now(may, found, &mut wrong));
        let dirs: Vec<Option<String>> = dirs.collect();
        dirs.iter().flatten().for_each(|dir| drop(left.remove(dir)));
        for may in &self.cells {
            let there = |file: &File| {
                let path = join(dirs[file.dir.0].as_ref()?, &file.name);
                found.get_key_value(&path)
            };
            let paths: BTreeSet<&String> = may
                .iter()
                .flatten()
                .filter_map(|file| Some(there(file)?.0))
                .collect();
            paths.iter().for_each(|path| drop(left.remove(*path)));
            let is = |file: &File| {
                there(file).is_some_and(|(_, found)| {
                    let is_lost = matches!(found, Found::Lost(_)) && spoilt(file.what.content());
                    is_lost || file.what.is(found, &bytes)
                })
            };
            let fits = match paths.len() {
                0 => may.contains(&None),
                1 => may.iter().flatten().any(is),
                _ => false,
            };
            if !fits {
                let there: Vec<_> = paths
                    .iter()
                    .map(|path| (path, shown(found.get(*path))))
                    .collect();
                wrong.push(format!("a file that must be one of {may:?} is {there:?}"));
            }
        }
        wrong
    }
}

impl What {
    fn content(self) -> Content {
        match self {
            Self::Whole(content) | Self::Part(content) | Self::Cut(content, _) => content,
        }
    }

    fn is(self, found: &Found, bytes: impl Fn(Content) -> Vec<u8>) -> bool {
        match (self, found) {
            (Self::Whole(content), Found::Whole(got)) => {
                got.len() == content.len && *got == bytes(content)
            }
            (Self::Part(content), Found::Part(len)) => *len <= content.len as u64,
            (Self::Cut(content, least), Found::Whole(got)) => {
                got.len() >= least && bytes(content).starts_with(got)
            }
            _ => false,
        }
    }
}

/// The name that a directory has now.
fn dir_now(
    may: &[Option<String>],
    found: &BTreeMap<String, Found>,
    wrong: &mut Vec<String>,
) -> Option<String> {
    let is_dir = |path: &&String| found.get(*path) == Some(&Found::Dir);
    let there: Vec<&String> = may.iter().flatten().filter(is_dir).collect();
    let fits = there.len() == 1 || (there.is_empty() && may.contains(&None));
    if !fits {
        wrong.push(format!(
            "a directory that must be one of {may:?} is {there:?}"
        ));
    }
    there.first().map(|path| (*path).clone())
}

fn shown(found: Option<&Found>) -> String {
    match found {
        Some(Found::Whole(bytes)) => format!("whole, {} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

fn join(dir: &str, name: &str) -> String {
    format!("{}/{name}", dir.trim_end_matches('/'))
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
