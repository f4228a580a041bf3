//! What must be in a client's directory, and what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::change::Change;
use crate::ftp::{Ftp, Mode};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir,
    /// A file.
    File {
        /// All of it.
        bytes: Arc<Vec<u8>>,
        /// Its time, where it was set since its bytes came (`YYYYMMDDHHMMSS`).
        modified: Option<String>,
    },
}

/// A directory and all below it, by paths relative to it.
#[derive(Debug, Clone)]
pub struct World {
    /// The directory, absolute.
    pub top: String,
    /// What is below it.
    pub nodes: BTreeMap<String, Node>,
}

impl World {
    /// An empty directory.
    pub fn new(top: &str) -> Self {
        World {
            top: top.to_string(),
            nodes: BTreeMap::new(),
        }
    }

    /// The path as the server knows it.
    pub fn full(&self, path: &str) -> String {
        format!("{}/{path}", self.top)
    }

    /// The world in which a change has happened.
    pub fn after(&self, change: &Change) -> Result<World> {
        let mut next = self.clone();
        match change {
            Change::Delete { path } | Change::RemoveDir { path } => {
                next.nodes.remove(path).context("is there")?;
            }
            Change::MakeDir { path } => {
                next.nodes.insert(path.clone(), Node::Dir);
            }
            Change::Rename { from, to } => {
                let below = format!("{from}/");
                let is_moved = |path: &String| path == from || path.starts_with(&below);
                let moved: Vec<_> = next
                    .nodes
                    .extract_if(.., |path, _| is_moved(path))
                    .collect();
                let renamed = moved
                    .into_iter()
                    .map(|(path, node)| (format!("{to}{}", &path[from.len()..]), node));
                next.nodes.extend(renamed);
            }
            Change::SetTime { path, time } => {
                if let Some(Node::File { modified, .. }) = next.nodes.get_mut(path) {
                    *modified = Some(time.clone());
                }
            }
            Change::Put { path, bytes, .. } => next.put(path, bytes.clone()),
            Change::Append { path, bytes, .. } => {
                let all = [self.bytes(path)?, bytes].concat();
                next.put(path, Arc::new(all));
            }
            Change::GoOn {
                path, keep, bytes, ..
            } => {
                let all = [&self.bytes(path)?[..*keep], bytes].concat();
                next.put(path, Arc::new(all));
            }
        }
        Ok(next)
    }

    fn put(&mut self, path: &str, bytes: Arc<Vec<u8>>) {
        let modified = None;
        let node = Node::File { bytes, modified };
        self.nodes.insert(path.to_string(), node);
    }

    /// A file's bytes.
    pub fn bytes(&self, path: &str) -> Result<&[u8]> {
        match self.nodes.get(path) {
            Some(Node::File { bytes, .. }) => Ok(bytes),
            other => anyhow::bail!("{path} is {other:?}"),
        }
    }

    /// Names, kinds, sizes and times: they must be the same, nothing missing and nothing more.
    pub fn compare(&self, seen: &Seen) -> Result<()> {
        for (path, node) in &self.nodes {
            let there = seen.nodes.get(path);
            let there = there.with_context(|| format!("{path} is gone"))?;
            match node {
                Node::Dir => ensure!(there.is_dir, "{path} is no directory"),
                Node::File { bytes, modified } => {
                    ensure!(!there.is_dir, "{path} is a directory");
                    let (is, should) = (there.size, bytes.len());
                    ensure!(is == should, "{path} has {is} bytes instead of {should}");
                    if let Some(modified) = modified {
                        let is = &there.modified;
                        ensure!(is == modified, "{path} is of {is} instead of {modified}");
                    }
                }
            }
        }
        match seen
            .nodes
            .keys()
            .find(|path| !self.nodes.contains_key(*path))
        {
            Some(more) => anyhow::bail!("{more} should not be there"),
            None => Ok(()),
        }
    }

    /// The directory on the slaves' disks has exactly these files with these bytes, each once, and no
    /// directory without a file in it.
    pub fn compare_disks(&self, roots: &[PathBuf]) -> Result<()> {
        let mut found = BTreeMap::new();
        for root in roots {
            let top = root.join(self.top.trim_start_matches('/'));
            walk(&top, "", &mut found)?;
        }
        for (path, node) in &self.nodes {
            if let Node::File { bytes, .. } = node {
                let there = found.remove(path);
                let there = there.with_context(|| format!("{path} is not on the disk"))?;
                ensure!(there == **bytes, "{path} has other bytes on the disk");
            }
        }
        ensure!(found.is_empty(), "on the disk beside: {:?}", found.keys());
        Ok(())
    }
}

fn walk(dir: &Path, path: &str, found: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(()); // made when it gets a file
    };
    let before = found.len();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else {
            let twice = found.insert(path.clone(), std::fs::read(entry.path())?);
            ensure!(twice.is_none(), "{path} is on two disks");
        }
    }
    ensure!(found.len() > before, "{path} is empty on the disk");
    Ok(())
}

/// One entry as MLSD shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Bytes of a file.
    pub size: usize,
    /// `YYYYMMDDHHMMSS`.
    pub modified: String,
}

/// What the server shows of a directory and all below it.
pub struct Seen {
    /// By paths relative to it.
    pub nodes: BTreeMap<String, Shown>,
}

impl Seen {
    /// Lists it.
    pub fn read(ftp: &mut Ftp, top: &str) -> Result<Self> {
        let mut seen = Seen {
            nodes: BTreeMap::new(),
        };
        let mut dirs = vec![String::new()];
        while let Some(dir) = dirs.pop() {
            let listed = ftp.facts(Mode::Pasv, &format!("{top}/{dir}"))?;
            for (name, facts) in listed {
                let fact = |key: &str| facts.get(key).cloned();
                let is_dir = fact("type").as_deref() == Some("dir");
                let path = format!("{dir}{name}");
                if is_dir {
                    dirs.push(format!("{path}/"));
                }
                let shown = Shown {
                    is_dir,
                    size: fact("size").and_then(|size| size.parse().ok()).unwrap_or(0),
                    modified: fact("modify").unwrap_or_default(),
                };
                let twice = seen.nodes.insert(path.clone(), shown);
                ensure!(twice.is_none(), "{path} is listed twice");
            }
        }
        Ok(seen)
    }

    /// All but one.
    pub fn without(&self, path: &str) -> Self {
        let mut nodes = self.nodes.clone();
        nodes.remove(path);
        Seen { nodes }
    }
}
