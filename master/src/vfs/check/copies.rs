//! Which root holds what: rows that name files, directories or roots that are not there.

use drftpd_protocol::NodeId;

use super::entries::path;
use super::findings::Findings;
use crate::store::{Sql, StoreError, id};

/// Copies are of complete files, on roots that are there.
pub fn copies(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let query = "SELECT copy.node, copy.root, root.key IS NULL
                 FROM copy LEFT JOIN node ON node.id = copy.node AND node.kind = 1 AND node.state = 2
                 LEFT JOIN root ON root.key = copy.root
                 WHERE node.id IS NULL OR root.key IS NULL";
    sql.each(query, [], |row| {
        let (node, root) = (NodeId(id(row, 0)?), row.get::<_, i64>(1)?);
        let why = match row.get(2)? {
            true => "the root is not there",
            false => "there is no such complete file",
        };
        let what = format!("root {root} holds {}: {why}", path(sql, node));
        found.add("copies", what);
        Ok(())
    })
}

/// Directories that a root has something of: they and all above them are there, none was touched by an operation that
/// its log never had. (Their digests are counted with the entries.)
pub fn directories(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let query = "SELECT root_dir.dir, root_dir.root, root.key IS NULL, node.id IS NULL,
                     node.id <> 1 AND above.dir IS NULL, root_dir.touched > root.newest
                 FROM root_dir LEFT JOIN root ON root.key = root_dir.root
                 LEFT JOIN node ON node.id = root_dir.dir AND node.kind = 0
                 LEFT JOIN root_dir AS above ON above.dir = node.parent AND above.root = root_dir.root";
    let wrong = [
        "the root is not there",
        "there is no such directory",
        "the directory above it is not known there",
        "it was touched behind the end of the root's log",
    ];
    sql.each(query, [], |row| {
        for (at, why) in wrong.iter().enumerate() {
            if row.get::<_, Option<bool>>(at + 2)? == Some(true) {
                let (dir, root) = (NodeId(id(row, 0)?), row.get::<_, i64>(1)?);
                found.add("digests", format!("root {root}, {}: {why}", path(sql, dir)));
                break;
            }
        }
        Ok(())
    })
}
