//! Rows of the tree.

use drftpd_protocol::wire::Blake3Sum;
use drftpd_protocol::{DirId, Generation, Name, NodeId};

use super::Tree;
use super::reach::{self, Reach};
use crate::accounts::earned;
use crate::store::{Row, Sql, StoreError, id, number, params};
use crate::vfs::types::{Entry, FileState, Kind};

/// Every entry whose size a slave tells is smaller than this; more is a lie (1 PiB).
pub const MAX_SIZE: u64 = 1 << 50;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT parent, coalesce(name, key), id, kind, state, generation, size, files, ",
            "modified, mode, crc32, owner, grp, target, created, blake3 FROM node ",
            $rest
        )
    };
}

/// The entry `name` of a directory.
pub fn child(sql: &Sql<'_>, dir: DirId, name: &Name) -> Result<Option<Entry>, StoreError> {
    let key = sql.case().fold(name.as_bytes());
    let query = select!("WHERE parent = ?1 AND key = ?2");
    sql.get(query, params![number(dir.0), key], read)
}

/// A node by its identity.
pub fn by_id(sql: &Sql<'_>, node: NodeId) -> Result<Option<Entry>, StoreError> {
    sql.get(select!("WHERE id = ?1"), [number(node.0)], read)
}

/// Kind and name of a node.
pub fn name_by_id(sql: &Sql<'_>, node: NodeId) -> Result<Option<(Kind, Vec<u8>)>, StoreError> {
    let query = "SELECT kind, coalesce(name, key) FROM node WHERE id = ?1";
    sql.get(query, [number(node.0)], |row| {
        let kind = kind_of(row.get(0)?).ok_or_else(|| unreadable(0, "no kind"))?;
        Ok((kind, row.get(1)?))
    })
}

/// Some entries of a directory behind a folded name, in the order of folded names.
pub fn behind(
    sql: &Sql<'_>,
    dir: DirId,
    after: &[u8],
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let query = select!("WHERE parent = ?1 AND key > ?2 ORDER BY key LIMIT ?3");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    sql.all(query, params![number(dir.0), after, limit], read)
}

/// Directories of a directory, the newest first, behind some.
pub fn newest_dirs(
    sql: &Sql<'_>,
    dir: DirId,
    skip: usize,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let query = select!(
        "WHERE parent = ?1 AND kind = 0 AND id <> ?1 ORDER BY created DESC, key LIMIT ?2 OFFSET ?3"
    );
    let many = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    sql.all(query, params![number(dir.0), many(limit), many(skip)], read)
}

/// Directories of a directory.
pub fn dirs_in(sql: &Sql<'_>, dir: DirId) -> Result<Vec<DirId>, StoreError> {
    let query = "SELECT id FROM node WHERE parent = ?1 AND kind = 0 AND id <> ?1";
    sql.all(query, [number(dir.0)], |row| id(row, 0).map(NodeId))
}

/// Whether a directory has no entries.
pub fn is_empty(sql: &Sql<'_>, dir: DirId) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM node WHERE parent = ?1 LIMIT 1";
    let one = sql.get(query, [number(dir.0)], |_| Ok(()))?;
    Ok(one.is_none())
}

/// Every entry, directory by directory; one that cannot be read as its number and why not.
pub fn each(
    sql: &Sql<'_>,
    mut take: impl FnMut(Result<Entry, (NodeId, StoreError)>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    sql.each(select!("ORDER BY parent, key"), [], |row| {
        let node = NodeId(id(row, 2)?);
        take(read(row).map_err(|why| (node, why.into())))
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let (parent, name) = (id(row, 0)?, row.get::<_, Vec<u8>>(1)?);
    let node = NodeId(id(row, 2)?);
    let is_root = node == NodeId::ROOT;
    let name = match is_root {
        true => None,
        false => Some(Name::new(name).map_err(|why| unreadable(1, why))?),
    };
    Ok(Entry {
        id: node,
        parent: if is_root { node } else { NodeId(parent) },
        name,
        kind: kind_of(row.get(3)?).ok_or_else(|| unreadable(3, "no kind"))?,
        state: state_of(row.get(4)?).ok_or_else(|| unreadable(4, "no state"))?,
        generation: Generation(id(row, 5)?),
        size: id(row, 6)?,
        files: id(row, 7)?,
        modified: row.get(8)?,
        mode: row.get(9)?,
        crc32: row.get(10)?,
        owner: row.get(11)?,
        group: row.get(12)?,
        target: row.get(13)?,
        created: row.get(14)?,
        blake3: row.get::<_, Option<[u8; 32]>>(15)?.map(Blake3Sum),
    })
}

fn unreadable(
    column: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, why.into())
}

fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Dir => 0,
        Kind::File => 1,
        Kind::Link => 2,
    }
}

fn kind_of(column: i64) -> Option<Kind> {
    [Kind::Dir, Kind::File, Kind::Link]
        .into_iter()
        .find(|kind| kind_number(*kind) == column)
}

/// A state as the column has it.
pub fn state_number(state: FileState) -> i64 {
    match state {
        FileState::Uploading => 0,
        FileState::Partial => 1,
        FileState::Complete => 2,
    }
}

fn state_of(column: i64) -> Option<FileState> {
    [
        FileState::Uploading,
        FileState::Partial,
        FileState::Complete,
    ]
    .into_iter()
    .find(|state| state_number(*state) == column)
}

/// A key and the name to keep beside it.
fn key_and_name(sql: &Sql<'_>, name: &Name) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = sql.case().fold(name.as_bytes());
    let kept = (key != name.as_bytes()).then(|| name.as_bytes().to_vec());
    (key, kept)
}

/// Adds an entry. Its place must be free and its parent a directory.
pub fn insert(tree: &Tree<'_>, entry: &Entry) -> Result<(), StoreError> {
    let name = entry.name.as_ref();
    let name = name.ok_or_else(|| StoreError::Damaged("an entry without a name".into()))?;
    let (key, kept) = key_and_name(tree, name);
    tree.used(entry.id.0);
    tree.named(entry.id)?;
    tree.run(
        "INSERT INTO node (parent, key, id, kind, state, generation, size, files, modified, mode,
             crc32, owner, grp, name, target, created, blake3, deep, long)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0, 0)",
        params![
            number(entry.parent.0),
            key,
            number(entry.id.0),
            kind_number(entry.kind),
            state_number(entry.state),
            number(entry.generation.0),
            number(entry.size),
            number(entry.files),
            entry.modified,
            entry.mode,
            entry.crc32,
            entry.owner,
            entry.group,
            kept,
            entry.target,
            entry.created,
            entry.blake3.map(|sum| sum.0),
        ],
    )?;
    match entry.kind {
        Kind::Dir => reach::raise(tree, entry.parent, name, Reach::NOTHING),
        _ => Ok(()),
    }
}

/// Writes what may change of an entry in its place: contents, owner and times.
pub fn update(tree: &Tree<'_>, entry: &Entry) -> Result<(), StoreError> {
    tree.used(entry.generation.0);
    tree.run(
        "UPDATE node SET state = ?2, generation = ?3, size = ?4, modified = ?5, crc32 = ?6,
             owner = ?7, grp = ?8, blake3 = ?9 WHERE id = ?1",
        params![
            number(entry.id.0),
            state_number(entry.state),
            number(entry.generation.0),
            number(entry.size),
            entry.modified,
            entry.crc32,
            entry.owner,
            entry.group,
            entry.blake3.map(|sum| sum.0),
        ],
    )?;
    Ok(())
}

/// Gives an entry another place, which must be free.
pub fn place(tree: &Tree<'_>, node: NodeId, dir: DirId, name: &Name) -> Result<(), StoreError> {
    let (key, kept) = key_and_name(tree, name);
    tree.named(node)?;
    tree.run(
        "UPDATE node SET parent = ?2, key = ?3, name = ?4 WHERE id = ?1",
        params![number(node.0), number(dir.0), key, kept],
    )?;
    Ok(())
}

/// Takes an entry away. Whoever takes back what its bytes earned has done so before.
pub fn remove(tree: &Tree<'_>, node: NodeId) -> Result<(), StoreError> {
    tree.named(node)?;
    earned::forget(tree, number(node.0))?;
    tree.run("DELETE FROM node WHERE id = ?1", [number(node.0)])?;
    Ok(())
}

/// A directory's entries changed now.
pub fn touch(tree: &Tree<'_>, dir: DirId) -> Result<(), StoreError> {
    let sql = "UPDATE node SET modified = ?2 WHERE id = ?1";
    tree.run(sql, params![number(dir.0), tree.now])?;
    Ok(())
}
