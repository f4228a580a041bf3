//! The file list as one would write it on a page: a map from paths to entries.

use std::collections::BTreeMap;

use drftpd_protocol::{FileId, RootId};

use crate::vfs::types::UploadMode;

pub type Path = Vec<&'static str>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(File),
}

/// A file: what is complete of it, what is kept of a broken upload, what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    pub complete: Option<(u64, RootId)>,
    pub partial: Option<(u64, RootId)>,
    pub running: Option<(FileId, RootId)>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub nodes: BTreeMap<Path, Node>,
}

impl Model {
    fn is_dir(&self, path: &[&'static str]) -> bool {
        path.is_empty() || self.nodes.get(path) == Some(&Node::Dir)
    }

    /// Whether something may stand at a path.
    fn has_parent(&self, path: &Path) -> bool {
        path.split_last()
            .is_some_and(|(_, above)| self.is_dir(above))
    }

    pub fn make_dir(&mut self, path: &Path) -> bool {
        let ok = self.has_parent(path) && !self.nodes.contains_key(path);
        if ok {
            self.nodes.insert(path.clone(), Node::Dir);
        }
        ok
    }

    pub fn remove_dir(&mut self, path: &Path) -> bool {
        let below = |other: &Path| other.len() > path.len() && other.starts_with(path);
        let ok = self.nodes.get(path) == Some(&Node::Dir) && !self.nodes.keys().any(below);
        if ok {
            self.nodes.remove(path);
        }
        ok
    }

    /// The upload that runs to a path.
    pub fn running(&self, path: &Path) -> Option<(FileId, RootId)> {
        match self.nodes.get(path) {
            Some(Node::File(file)) => file.running,
            _ => None,
        }
    }

    pub fn delete(&mut self, path: &Path) -> bool {
        let ok = matches!(self.nodes.get(path), Some(Node::File(_)));
        if ok {
            self.nodes.remove(path);
        }
        ok
    }

    pub fn rename(&mut self, from: &Path, to: &Path, replace: bool) -> bool {
        let Some(node) = self.nodes.get(from).cloned() else {
            return false;
        };
        let into_itself = node == Node::Dir && to.len() > from.len() && to.starts_with(from);
        if into_itself || !self.has_parent(to) {
            return false;
        }
        if from == to {
            return true;
        }
        match (&node, self.nodes.get(to)) {
            (_, None) => {}
            (Node::File(_), Some(Node::File(other))) if replace && other.running.is_none() => {}
            _ => return false,
        }
        let all = std::mem::take(&mut self.nodes);
        for (path, node) in all {
            match path.strip_prefix(from.as_slice()) {
                Some(rest) => {
                    let path = [to.as_slice(), rest].concat();
                    self.nodes.insert(path, node);
                }
                None if path == *to => {}
                None => {
                    self.nodes.insert(path, node);
                }
            }
        }
        true
    }

    /// Whether an upload may begin.
    pub fn may_begin(&self, path: &Path, mode: UploadMode, root: RootId) -> bool {
        if !self.has_parent(path) {
            return false;
        }
        let offset = match (self.nodes.get(path), mode) {
            (Some(Node::Dir), _) => return false,
            (Some(Node::File(file)), _) if file.running.is_some() => return false,
            (_, UploadMode::Store) => return true,
            (None, UploadMode::Append) => return true,
            (None, UploadMode::Resume { offset }) => return offset == 0,
            (Some(Node::File(file)), UploadMode::Append) => file.there().0,
            (Some(Node::File(file)), UploadMode::Resume { offset }) => {
                if offset > file.there().0 {
                    return false;
                }
                offset
            }
        };
        let there = match self.nodes.get(path) {
            Some(Node::File(file)) => file.there().1,
            _ => root,
        };
        offset == 0 || there == root
    }

    pub fn begin(&mut self, path: &Path, mode: UploadMode, file: FileId, root: RootId) {
        let node = self.nodes.entry(path.clone());
        let Node::File(old) = node.or_insert(Node::File(File::default())) else {
            panic!("a directory");
        };
        let keeps = match mode {
            UploadMode::Store => 0,
            UploadMode::Append => old.there().0,
            UploadMode::Resume { offset } => offset,
        };
        if keeps == 0 {
            old.partial = None;
        }
        old.running = Some((file, root));
    }

    /// An upload ends, wherever its file is now.
    pub fn end(&mut self, file: FileId, end: End) {
        let runs = |node: &Node| matches!(node, Node::File(old) if old.running.is_some_and(|(f, _)| f == file));
        let mut found = self.nodes.iter_mut().filter(|(_, node)| runs(node));
        let Some((path, Node::File(old))) = found.next() else {
            panic!("{file} does not run");
        };
        let Some((_, root)) = old.running.take() else {
            return;
        };
        let mut gone = None;
        match end {
            End::Commit(size) => {
                old.complete = Some((size, root));
                old.partial = None;
            }
            End::Break(Some(kept)) if kept > 0 && old.complete.is_none() => {
                old.partial = Some((kept, root));
            }
            End::Break(_) if old.complete.is_none() => gone = Some(path.clone()),
            End::Break(_) => {}
        }
        if let Some(path) = gone {
            self.nodes.remove(&path);
        }
    }
}

impl File {
    /// Bytes to go on from, and where they are.
    fn there(&self) -> (u64, RootId) {
        let there = self.complete.or(self.partial);
        there.unwrap_or((0, RootId([0; 16])))
    }
}

/// How an upload ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Commit(u64),
    Break(Option<u64>),
}
