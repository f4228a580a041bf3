//! What must hold of every store, whatever was done: totals, digests, rows of directories, and
//! logs that lead every disk to exactly the tree's files.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::{DirId, NodeId, OpSeq};

use super::disk::Disk;
use crate::store::{Sql, Store, StoreError, id};
use crate::vfs::tree::{copies, log, nodes, reach, walk};
use crate::vfs::types::{Entry, FileState, Kind};

/// Checks a store whose logs were never acknowledged.
pub fn check(store: &Store) {
    check_tables(store);
    let checked = store.read(|sql| {
        check_disks(sql, &everything(sql));
        Ok::<_, StoreError>(())
    });
    checked.unwrap();
}

/// Checks all but where the logs lead.
pub fn check_tables(store: &Store) {
    let checked = store.read(|sql| {
        let all = everything(sql);
        check_totals(&all);
        check_dirs(sql, &all);
        check_reach(sql, &all);
        let checked = crate::vfs::check::check(sql);
        assert_eq!(checked.findings, [], "as an operator's check sees it");
        Ok::<_, StoreError>(())
    });
    checked.unwrap();
}

fn everything(sql: &Sql<'_>) -> BTreeMap<NodeId, Entry> {
    let ids = sql.all("SELECT id FROM node", [], |row| id(row, 0).map(NodeId));
    let ids = ids.unwrap();
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len());
    let entry = |node: NodeId| (node, nodes::by_id(sql, node).unwrap().unwrap());
    ids.into_iter().map(entry).collect()
}

fn ancestors(all: &BTreeMap<NodeId, Entry>, entry: &Entry) -> Vec<DirId> {
    let mut above = Vec::new();
    let mut at = entry;
    while at.id != NodeId::ROOT {
        at = &all[&at.parent];
        assert_eq!(at.kind, Kind::Dir);
        above.push(at.id);
    }
    above
}

fn check_totals(all: &BTreeMap<NodeId, Entry>) {
    let mut totals: BTreeMap<DirId, (u64, u64)> = BTreeMap::new();
    for entry in all.values() {
        if entry.kind == Kind::File && entry.state == FileState::Complete {
            for dir in ancestors(all, entry) {
                let total = totals.entry(dir).or_default();
                *total = (total.0 + entry.size, total.1 + 1);
            }
        }
    }
    for dir in all.values().filter(|entry| entry.kind == Kind::Dir) {
        let counted = totals.get(&dir.id).copied().unwrap_or_default();
        assert_eq!((dir.size, dir.files), counted, "totals of {:?}", dir.name);
    }
}

/// No path is too long, and the bounds of directories are none too low.
fn check_reach(sql: &Sql<'_>, all: &BTreeMap<NodeId, Entry>) {
    for entry in all.values() {
        walk::path_of(sql, entry.id).unwrap();
        assert!(entry.kind != Kind::Dir || reach::is_bounded(sql, entry));
    }
}

/// Rows of directories: the digest of each is that of its copies, and all above are there.
fn check_dirs(sql: &Sql<'_>, all: &BTreeMap<NodeId, Entry>) {
    let mut digests: BTreeMap<(DirId, i64), u128> = BTreeMap::new();
    let query = "SELECT node, root FROM copy WHERE state = 0";
    let copies = sql.all(query, [], |row| Ok((NodeId(id(row, 0)?), row.get(1)?)));
    for (node, root) in copies.unwrap() {
        let entry = &all[&node];
        assert_eq!(entry.state, FileState::Complete);
        let sum = digests.entry((entry.parent, root)).or_default();
        *sum = sum.wrapping_add(copies::digest(entry));
    }
    let query = "SELECT dir, root, digest FROM root_dir";
    let rows = sql.all(query, [], |row| {
        let digest = u128::from_le_bytes(row.get(2)?);
        Ok(((NodeId(id(row, 0)?), row.get::<_, i64>(1)?), digest))
    });
    let rows: BTreeMap<_, _> = rows.unwrap().into_iter().collect();
    for (row, digest) in &rows {
        let expected = digests.remove(row).unwrap_or_default();
        assert_eq!(*digest, expected, "digest of {row:?}");
        for above in ancestors(all, &all[&row.0]) {
            assert!(rows.contains_key(&(above, row.1)), "no row above {row:?}");
        }
    }
    assert!(digests.is_empty(), "copies without a row: {digests:?}");
}

/// A disk that follows its log from the beginning has the files that the tree says, no others.
fn check_disks(sql: &Sql<'_>, all: &BTreeMap<NodeId, Entry>) {
    for root in log::roots(sql).unwrap() {
        let mut disk = Disk::default();
        let ops = log::behind(sql, root.key, OpSeq::NONE, usize::MAX).unwrap();
        let positions: Vec<u64> = ops.iter().map(|(seq, _)| seq.0).collect();
        assert_eq!(positions, (1..=root.newest.0).collect::<Vec<_>>());
        ops.iter().for_each(|(_, op)| disk.follow(op));
        let holds = |entry: &&Entry| {
            entry.kind == Kind::File && copies::held(sql, entry.id, root.key).unwrap() == Some(true)
        };
        let expected = all.values().filter(holds).map(|entry| {
            let path = walk::path_of(sql, entry.id).unwrap().to_string();
            (path, entry.file())
        });
        assert_eq!(disk.files, expected.collect(), "disk of {}", root.slave);
    }
}
