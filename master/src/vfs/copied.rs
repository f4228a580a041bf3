//! What readers see of copies: a file with all that copying needs, and files that have too few.

use drftpd_protocol::{NodeId, VfsPath};

use super::error::VfsError;
use super::tree::{copies, nodes, walk};
use super::types::{Copied, FileState, Kind};
use crate::copies::CopiesConfig;
use crate::store::{Sql, id, number, params};

/// A complete file with its copies; nothing if it is none, or gone.
pub(super) fn copied(sql: &Sql<'_>, node: NodeId) -> Result<Option<Copied>, VfsError> {
    let entry = nodes::by_id(sql, node)?;
    let file = |entry: &super::types::Entry| {
        entry.kind == Kind::File && entry.state == FileState::Complete
    };
    let Some(entry) = entry.filter(file) else {
        return Ok(None);
    };
    Ok(Some(Copied {
        path: walk::path_of(sql, node)?,
        at: walk::place_of(sql, &entry)?,
        holders: copies::holders(sql, node)?,
        damaged: copies::damaged(sql, node)?,
        entry,
    }))
}

/// Of so many files behind `after` those with another number of good copies than the rules want, and the last one that
/// was looked at; `None` at the end.
pub(super) fn too_few(
    sql: &Sql<'_>,
    rules: &CopiesConfig,
    after: NodeId,
    limit: usize,
) -> Result<(Vec<NodeId>, Option<NodeId>), VfsError> {
    let query = "SELECT id, parent, (SELECT count(*) FROM copy JOIN root ON root.key = copy.root
                     WHERE copy.node = node.id AND copy.state = 0 AND root.state < 2)
                 FROM node WHERE id > ?1 AND kind = 1 AND state = 2 ORDER BY id LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let files = sql.all(query, params![number(after.0), limit], |row| {
        let (node, parent) = (NodeId(id(row, 0)?), NodeId(id(row, 1)?));
        Ok((node, parent, row.get::<_, u32>(2)?))
    })?;
    let mut last: Option<(NodeId, VfsPath)> = None;
    let mut few = Vec::new();
    for (node, parent, have) in &files {
        let path = match &last {
            Some((dir, path)) if dir == parent => path.clone(),
            _ => walk::path_of(sql, *parent)?,
        };
        // Rules speak of directories: what they say of this one they say of all files in it.
        if *have < rules.wanted(&path) {
            few.push(*node);
        }
        last = Some((*parent, path));
    }
    let behind = files.last().map(|(node, ..)| *node);
    Ok((few, behind))
}
