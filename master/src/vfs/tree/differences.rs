//! What lies on disks, is not in the tree, and stays as it is until an operator decides.
//!
//! Files in quarantine, and files with identities that this store never gave out: it is older than the disk, which means
//! that it was restored from a backup. As long as there are any of those the site is in *recovery*: nothing is set aside
//! and nothing is called missing. Each walk that sees everything says anew what there is.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drftpd_protocol::wire::Place;
use drftpd_protocol::{FileId, Generation, NodeId, RootId};

use super::Tree;
use super::log::RootRow;
use crate::store::{Issued, Row, Sql, StoreError, id, number, params};

/// Why something is not in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This store never gave out its identity.
    Unknown,
    /// It was put there by hand, and `storage.foreign` is `quarantine`.
    Quarantined,
    /// The tree does not have it any more; not set aside while the site is in recovery.
    NotLive,
}

impl Why {
    fn number(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Quarantined => 1,
            Self::NotLive => 2,
        }
    }
}

/// One thing on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it stands among all.
    pub spot: Spot,
    /// The root.
    pub root: RootId,
    /// The slave that last showed it.
    pub slave: String,
    /// Below the root, as it lies there.
    pub path: Vec<u8>,
    /// Why it is not in the tree.
    pub why: Why,
    /// The identity that it carries.
    pub file: Option<FileId>,
    /// Its size.
    pub size: u64,
}

/// Where a difference stands among all: first by root, then by path. As text it says nothing to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    root: i64,
    path: Vec<u8>,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = URL_SAFE_NO_PAD.encode(&self.path);
        write!(f, "{}.{path}", self.root)
    }
}

impl FromStr for Spot {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (root, path) = text.split_once('.').ok_or(())?;
        let root = root.parse().map_err(drop)?;
        let path = URL_SAFE_NO_PAD.decode(path).map_err(drop)?;
        Ok(Self { root, path })
    }
}

/// What an operator says of files with identities that this store never gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// What the disks have counts: they come into the tree.
    Adopt,
    /// What the store has counts: they are set aside.
    SetAside,
}

/// Notes something of the walk that is under way.
pub fn note(
    tree: &Tree<'_>,
    root: &RootRow,
    at: &Place,
    (why, file, size): (Why, Option<FileId>, u64),
) -> Result<(), StoreError> {
    let mut path = Vec::new();
    for step in &at.dirs {
        path.extend_from_slice(step.name.as_bytes());
        path.push(b'/');
    }
    path.extend_from_slice(at.name.as_bytes());
    let (node, generation) = file.map_or((0, 0), |file| (file.node.0, file.generation.0));
    tree.run(
        "INSERT OR REPLACE INTO difference (root, path, why, node, generation, size, walk)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            root.key.0,
            path,
            why.number(),
            number(node),
            number(generation),
            number(size),
            root.walks
        ],
    )?;
    Ok(())
}

/// Forgets some of what earlier walks of a root saw and its last one did not; answers how many.
pub fn forget_older(tree: &Tree<'_>, root: &RootRow, most: usize) -> Result<usize, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "DELETE FROM difference WHERE root = ?1 AND path IN
               (SELECT path FROM difference WHERE root = ?1 AND walk < ?2 LIMIT ?3)";
    tree.run(sql, params![root.key.0, root.walks, most])
}

/// Whether the site is in recovery.
pub fn recovering(sql: &Sql<'_>) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM difference WHERE why = 0 LIMIT 1";
    Ok(sql.get(query, [], |_| Ok(()))?.is_some())
}

/// How many differences there are.
pub fn count(sql: &Sql<'_>) -> Result<u64, StoreError> {
    let all = sql.get("SELECT count(*) FROM difference", [], |row| id(row, 0))?;
    Ok(all.unwrap_or(0))
}

/// Some of all differences behind one of them. `why`: those alone.
pub fn behind(
    sql: &Sql<'_>,
    after: Option<&Spot>,
    why: Option<Why>,
    most: usize,
) -> Result<Vec<Difference>, StoreError> {
    let query = "SELECT root.id, root.slave, path, why, node, generation, size, difference.root
                 FROM difference JOIN root ON root.key = difference.root
                 WHERE (difference.root, path) > (?1, ?2) AND (?3 IS NULL OR why = ?3)
                 ORDER BY difference.root, path LIMIT ?4";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // No root has a key below 0, and no path is empty.
    let (root, path) = after.map_or((-1, [].as_slice()), |it| (it.root, &it.path));
    sql.all(query, params![root, path, why.map(Why::number), most], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Difference> {
    let file = FileId {
        node: NodeId(id(row, 4)?),
        generation: Generation(id(row, 5)?),
    };
    let path: Vec<u8> = row.get(2)?;
    Ok(Difference {
        spot: Spot {
            root: row.get(7)?,
            path: path.clone(),
        },
        root: RootId(row.get(0)?),
        slave: row.get(1)?,
        path,
        why: match row.get::<_, i64>(3)? {
            0 => Why::Unknown,
            1 => Why::Quarantined,
            _ => Why::NotLive,
        },
        file: (file.node != NodeId(0)).then_some(file),
        size: id(row, 6)?,
    })
}

/// An operator has decided: that is for identities of starts before this one.
pub fn decide(tree: &Tree<'_>, decision: Decision) -> Result<(), StoreError> {
    let word = match decision {
        Decision::Adopt => "adopt",
        Decision::SetAside => "trash",
    };
    let fact = format!("{word} {}", tree.ids().incarnation());
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES ('recovery', ?1)";
    tree.run(sql, [fact])?;
    tree.run("DELETE FROM difference WHERE why <> 1", [])?;
    Ok(())
}

/// An identity that this store never gave out is one of its own from now on. What else the same start of a master gave
/// out and this store never knew is still that: see [`was_unknown`].
pub fn take_in(tree: &Tree<'_>, file: FileId) -> Result<(), StoreError> {
    let generation = Some(file.generation.0).filter(|generation| *generation > 1);
    for number_ in [Some(file.node.0), generation].into_iter().flatten() {
        if tree.issued(number_)? {
            continue;
        }
        let of = Issued::of(number_);
        if !starts(tree)?
            .iter()
            .any(|(start, _)| *start == of.incarnation)
        {
            let query = "SELECT issued FROM incarnation WHERE n = ?1";
            let known = tree.get(query, [number(of.incarnation)], |row| id(row, 0))?;
            let start = format!("{}:{} ", of.incarnation, known.unwrap_or(0));
            let sql = "INSERT INTO meta (key, value) VALUES ('recovered', ?1)
                       ON CONFLICT (key) DO UPDATE SET value = value || excluded.value";
            tree.run(sql, [start])?;
        }
        let sql = "INSERT INTO incarnation (n, issued) VALUES (?1, ?2)
                   ON CONFLICT (n) DO UPDATE SET issued = max(issued, excluded.issued)";
        tree.run(sql, [number(of.incarnation), number(of.counter)])?;
    }
    Ok(())
}

/// Whether a node's number counts as given out only because of others that were taken in.
pub fn was_unknown(sql: &Sql<'_>, node: NodeId) -> Result<bool, StoreError> {
    let of = Issued::of(node.0);
    let starts = starts(sql)?;
    let mut of_start = starts.iter().filter(|(start, _)| *start == of.incarnation);
    Ok(of_start.any(|(_, known)| of.counter > *known))
}

/// Starts of a master of which identities were taken in, each with the last number that this store knew of it.
fn starts(sql: &Sql<'_>) -> Result<Vec<(u64, u64)>, StoreError> {
    let query = "SELECT value FROM meta WHERE key = 'recovered'";
    let fact = sql.get(query, [], |row| row.get::<_, String>(0))?;
    let start = |text: &str| {
        let (start, known) = text.split_once(':')?;
        Some((start.parse().ok()?, known.parse().ok()?))
    };
    let fact = fact.unwrap_or_default();
    Ok(fact.split_whitespace().filter_map(start).collect())
}

/// What was decided of a file whose identity this store never gave out: all of it, or but for its node (`known`).
pub fn decision(sql: &Sql<'_>, file: FileId, known: bool) -> Result<Option<Decision>, StoreError> {
    let query = "SELECT value FROM meta WHERE key = 'recovery'";
    let fact = sql.get(query, [], |row| row.get::<_, String>(0))?;
    let fact = fact.as_deref().and_then(|fact| fact.split_once(' '));
    let Some((word, Ok(before))) = fact.map(|(word, before)| (word, before.parse::<u64>())) else {
        return Ok(None);
    };
    let earlier = |number: u64| Issued::of(number).incarnation < before;
    let decided = (known || earlier(file.node.0)) && earlier(file.generation.0);
    Ok(decided.then_some(match word {
        "adopt" => Decision::Adopt,
        _ => Decision::SetAside,
    }))
}
