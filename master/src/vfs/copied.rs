//! What readers see of copies: a file with all that copying needs, and all files with their
//! holders.

use std::sync::Arc;

use drftpd_protocol::{DirId, NodeId, VfsPath};

use super::error::VfsError;
use super::tree::{copies, nodes, walk};
use super::types::{Copied, FileState, Held, Kind};
use crate::store::Sql;

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
        holders: copies::held_by(sql, node)?,
        damaged: copies::damaged(sql, node)?,
        entry,
    }))
}

/// So many complete files behind `after` with their holders, and the last one of them; `None` at the end.
pub(super) fn held(
    sql: &Sql<'_>,
    after: NodeId,
    limit: u32,
) -> Result<(Vec<Held>, Option<NodeId>), VfsError> {
    let mut rows = Vec::new();
    copies::each_held(sql, after, limit, |node, parent, since, holder| {
        rows.push((node, parent, since, holder));
        Ok(())
    })?;
    let mut files: Vec<Held> = Vec::new();
    let mut last: Option<(DirId, Arc<VfsPath>)> = None;
    for (node, parent, since, holder) in rows {
        if let Some(file) = files.last_mut().filter(|file| file.node == node) {
            file.holders.extend(holder);
            continue;
        }
        let directory = match &last {
            Some((dir, path)) if *dir == parent => Arc::clone(path),
            _ => Arc::new(walk::path_of(sql, parent)?),
        };
        last = Some((parent, Arc::clone(&directory)));
        files.push(Held {
            node,
            directory,
            since,
            holders: holder.into_iter().collect(),
        });
    }
    let behind = files.last().map(|file| file.node);
    Ok((files, behind))
}

/// Whether the copies of a slave are to be made elsewhere.
pub(super) fn is_evacuating(sql: &Sql<'_>) -> Result<bool, VfsError> {
    let query = "SELECT 1 FROM slave WHERE evacuated IS NOT NULL AND revoked IS NULL LIMIT 1";
    Ok(sql.get(query, [], |_| Ok(()))?.is_some())
}
