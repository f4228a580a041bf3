//! Giving roots up for good, for operators: what would be lost, and the act.

use drftpd_protocol::{NodeId, RootId, SlaveId, VfsPath};

use super::VfsClient;
use super::commands::{Forget, ForgetPage, RetireRoot};
use super::error::VfsError;
use super::tree::walk;
use crate::store::{Sql, StoreError, id};

/// Paths of files that would be lost which are told; the others are counted.
const TOLD: usize = 100;
/// Rows of the store that one command of the act looks at: clients' changes come in between.
const PAGE: u32 = 2000;

/// Roots that are given up together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// One.
    Root(RootId),
    /// All that a slave was the last to show.
    Slave(SlaveId),
}

/// What the file list would lose with some roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loss {
    /// The roots; those that are retired already and could be looked at again are among them.
    pub roots: Vec<RootId>,
    /// Copies that count now.
    pub copies: u64,
    /// Complete files of which there is no good copy anywhere else.
    pub last: u64,
    /// Some of them.
    pub paths: Vec<VfsPath>,
    /// Uploads that broke off there and could be gone on with.
    pub uploads: u64,
}

impl VfsClient {
    /// What would be lost with some roots. Reads all copies there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn loss(&self, leaving: Leaving) -> Result<Loss, VfsError> {
        let read = move |sql: &Sql<'_>| loss(sql, &leaving);
        self.store.read_on(&self.blocking, read).await
    }

    /// Whether there is, or was, such a root.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn knows_root(&self, root: RootId) -> Result<bool, VfsError> {
        let query = "SELECT 1 FROM root WHERE id = ?1";
        let read = |sql: &Sql<'_>| sql.get(query, [&root.0[..]], |_| Ok(()));
        Ok(self.store.read(read)?.is_some())
    }

    /// Gives a root up: from the first moment on nobody holds anything there, then what is left in the store is taken
    /// away. What broke off is finished by doing it again.
    ///
    /// # Errors
    /// [`VfsError::UnknownRoot`], [`VfsError::RootInUse`], or the store.
    pub async fn retire_root(&self, root: RootId) -> Result<(), VfsError> {
        self.change(RetireRoot { root }).await?;
        let mut next = Some(Forget::Uploads);
        while let Some(what) = next {
            let limit = PAGE;
            next = self.change(ForgetPage { root, what, limit }).await?;
        }
        Ok(())
    }
}

fn loss(sql: &Sql<'_>, leaving: &Leaving) -> Result<Loss, VfsError> {
    let mut loss = Loss::default();
    let mut keys = Vec::new();
    let query = "SELECT key, id, slave FROM root ORDER BY key";
    sql.each(query, [], |row| {
        let (root, slave) = (RootId(row.get(1)?), row.get::<_, String>(2)?);
        let leaves = match leaving {
            Leaving::Root(one) => *one == root,
            Leaving::Slave(name) => name.as_str() == slave,
        };
        if leaves {
            loss.roots.push(root);
            keys.push(row.get::<_, i64>(0)?);
        }
        Ok::<_, StoreError>(())
    })?;
    for key in &keys {
        let query = "SELECT count(*) FROM upload WHERE root = ?1";
        loss.uploads += sql.get(query, [key], |row| id(row, 0))?.unwrap_or_default();
    }
    // In the order of the table: the copies of one file come one after the other.
    let query = "SELECT copy.node, copy.root FROM copy JOIN root ON root.key = copy.root
                 WHERE copy.state = 0 AND root.state < 2 ORDER BY copy.node";
    let mut of = Copies::default();
    sql.each(query, [], |row| {
        let (node, here) = (NodeId(id(row, 0)?), keys.contains(&row.get(1)?));
        if of.node != Some(node) {
            of.told(sql, &mut loss);
            of.node = Some(node);
        }
        loss.copies += u64::from(here);
        of.here |= here;
        of.elsewhere |= !here;
        Ok::<_, StoreError>(())
    })?;
    of.told(sql, &mut loss);
    Ok(loss)
}

/// Where the good copies of one file are.
#[derive(Default)]
struct Copies {
    node: Option<NodeId>,
    here: bool,
    elsewhere: bool,
}

impl Copies {
    fn told(&mut self, sql: &Sql<'_>, loss: &mut Loss) {
        let Self {
            node,
            here,
            elsewhere,
        } = std::mem::take(self);
        if let Some(node) = node
            && here
            && !elsewhere
        {
            loss.last += 1;
            let path = (loss.paths.len() < TOLD).then(|| walk::path_of(sql, node));
            loss.paths.extend(path.and_then(Result::ok));
        }
    }
}
