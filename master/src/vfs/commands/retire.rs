//! A root is given up for good: what the file list has of it goes, page by page. Entries stay: those that nobody else
//! has are lost.

use drftpd_protocol::{NodeId, RootId};

use super::end::break_off;
use super::remove::forget;
use crate::store::{id, number, params};
use crate::vfs::error::VfsError;
use crate::vfs::plan;
use crate::vfs::tree::log::RootKey;
use crate::vfs::tree::{Tree, TreeCommand, jobs, log, nodes};

/// From this moment nobody holds anything there, and nothing is ordered. Refused while uploads run to it. What is left
/// of it in the tables says nothing any more; [`ForgetPage`] takes it away.
pub struct RetireRoot {
    pub root: RootId,
}

impl TreeCommand for RetireRoot {
    type Answer = ();

    fn apply(self, tree: &Tree<'_>) -> Result<(), VfsError> {
        let root = self.root;
        if log::retired(tree, root)?.is_some() {
            return Ok(()); // what was left is taken away now
        }
        let row = log::root(tree, root)?.ok_or(VfsError::UnknownRoot(root))?;
        let query = "SELECT count(*) FROM upload WHERE root = ?1 AND state = 0";
        let uploads = tree.get(query, [row.key.0], |row| id(row, 0))?;
        match uploads.unwrap_or_default() {
            0 => Ok(log::retire(tree, row.key)?),
            uploads => Err(VfsError::RootInUse { root, uploads }),
        }
    }
}

/// What of a retired root is taken away next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// Uploads that broke off there: of a first one nothing is left.
    Uploads,
    /// Copies, of nodes behind this one.
    Copies(NodeId),
    /// Directories, behind this one.
    Directories(NodeId),
    /// Operations that it never heard.
    Log,
}

/// Takes some of it away; answers what is next, and nothing at the end.
pub struct ForgetPage {
    pub root: RootId,
    pub what: Forget,
    /// Rows that are looked at.
    pub limit: u32,
}

impl TreeCommand for ForgetPage {
    type Answer = Option<Forget>;

    fn apply(self, tree: &Tree<'_>) -> Result<Option<Forget>, VfsError> {
        let root = log::retired(tree, self.root)?.ok_or(VfsError::UnknownRoot(self.root))?;
        let next = match self.what {
            Forget::Uploads if self.uploads(tree, root)? => Forget::Uploads,
            Forget::Uploads => Forget::Copies(NodeId(0)),
            Forget::Copies(after) => {
                let page = "SELECT max(node) FROM
                    (SELECT node FROM copy WHERE node > ?1 ORDER BY node LIMIT ?2)";
                match self.last(tree, page, after)? {
                    Some(last) => {
                        self.copies(tree, root, after, last)?;
                        Forget::Copies(last)
                    }
                    None => Forget::Directories(NodeId(0)),
                }
            }
            Forget::Directories(after) => {
                let page = "SELECT max(dir) FROM
                    (SELECT dir FROM root_dir WHERE dir > ?1 ORDER BY dir LIMIT ?2)";
                match self.last(tree, page, after)? {
                    Some(last) => {
                        let sql = "DELETE FROM root_dir WHERE dir > ?1 AND dir <= ?2 AND root = ?3";
                        tree.run(sql, params![number(after.0), number(last.0), root.0])?;
                        Forget::Directories(last)
                    }
                    None => Forget::Log,
                }
            }
            Forget::Log if self.log(tree, root)? => Forget::Log,
            Forget::Log => return Ok(None),
        };
        Ok(Some(next))
    }
}

impl ForgetPage {
    fn uploads(&self, tree: &Tree<'_>, root: RootKey) -> Result<bool, VfsError> {
        let query = "SELECT node FROM upload WHERE root = ?1 LIMIT ?2";
        let left = tree.all(query, params![root.0, self.limit], |row| {
            id(row, 0).map(NodeId)
        })?;
        for node in &left {
            match (nodes::by_id(tree, *node)?, plan::stored(tree, *node)?) {
                (Some(entry), Some(upload)) => break_off(tree, entry, &upload, None)?,
                _ => forget(tree, *node)?,
            }
        }
        Ok(!left.is_empty())
    }

    /// The last of the next few rows; nothing at the end.
    fn last(&self, tree: &Tree<'_>, page: &str, after: NodeId) -> Result<Option<NodeId>, VfsError> {
        let last = tree.get(page, params![number(after.0), self.limit], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(last.flatten().map(|last| NodeId(last.cast_unsigned())))
    }

    /// The root's copies among these go; a rule may want others of those files.
    fn copies(
        &self,
        tree: &Tree<'_>,
        root: RootKey,
        after: NodeId,
        last: NodeId,
    ) -> Result<(), VfsError> {
        let range = params![number(after.0), number(last.0), root.0];
        if !tree.copies.rules.is_empty() {
            let query = "SELECT node FROM copy WHERE node > ?1 AND node <= ?2 AND root = ?3";
            for node in tree.all(query, range, |row| id(row, 0).map(NodeId))? {
                if let Some(entry) = nodes::by_id(tree, node)? {
                    jobs::look_after(tree, &entry)?;
                }
            }
        }
        let sql = "DELETE FROM copy WHERE node > ?1 AND node <= ?2 AND root = ?3";
        tree.run(sql, range)?;
        Ok(())
    }

    /// What it still had to do, and what of its disk waited for an operator.
    fn log(&self, tree: &Tree<'_>, root: RootKey) -> Result<bool, VfsError> {
        let sql = "DELETE FROM difference WHERE root = ?1 AND path IN
                   (SELECT path FROM difference WHERE root = ?1 LIMIT ?2)";
        let differences = tree.run(sql, params![root.0, self.limit])?;
        tree.run("DELETE FROM scrub_pass WHERE root = ?1", [root.0])?;
        let sql = "DELETE FROM root_log WHERE root = ?1 AND seq <= (SELECT max(seq) FROM
                   (SELECT seq FROM root_log WHERE root = ?1 ORDER BY seq LIMIT ?2))";
        Ok(tree.run(sql, params![root.0, self.limit])? + differences > 0)
    }
}
