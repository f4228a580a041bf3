//! Uploads that run or broke off, against entries, roots and the transfers of this master.

use drftpd_protocol::{FileId, Generation, NodeId};

use super::entries::path;
use super::findings::Findings;
use crate::store::{Sql, StoreError, id};
use crate::vfs::plan::{self, StoredState};
use crate::vfs::tree::nodes;
use crate::vfs::types::{Entry, FileState, Kind};
use crate::vfs::uploads::Uploads;

/// Every upload has an entry that waits for it, and a root.
pub fn uploads(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    let query = "SELECT node, generation, state, root, EXISTS (SELECT 1 FROM root WHERE key = root)
                 FROM upload";
    sql.each(query, [], |row| {
        let node = NodeId(id(row, 0)?);
        let (generation, state) = (Generation(id(row, 1)?), row.get::<_, i64>(2)?);
        if !row.get::<_, bool>(4)? {
            let (root, path) = (row.get::<_, i64>(3)?, path(sql, node));
            let what = format!("the upload of {path} names root {root}, which is not there");
            found.add("uploads", what);
        }
        let entry = nodes::by_id(sql, node)?;
        if let Some(why) = misfit(entry.as_ref(), generation, state) {
            let what = format!(
                "the upload of {} (generation {generation}): {why}",
                path(sql, node)
            );
            found.add("uploads", what);
        }
        Ok(())
    })
}

/// Why an upload does not fit its entry.
fn misfit(entry: Option<&Entry>, generation: Generation, state: i64) -> Option<&'static str> {
    let Some(entry) = entry.filter(|entry| entry.kind == Kind::File) else {
        return Some("there is no such file");
    };
    let runs = state == StoredState::Runs.number();
    match entry.state {
        FileState::Complete if generation <= entry.generation => Some("the file is complete"),
        FileState::Complete => None,
        _ if generation != entry.generation => Some("the file is of another generation"),
        FileState::Uploading if !runs => Some("it broke off, and the file is shown as uploading"),
        FileState::Partial if runs => Some("it runs, and the file is shown as partial"),
        _ => None,
    }
}

/// Uploads that run, as far as the store knows, and that no transfer of this master owns.
///
/// They are looked for in three steps, so that one which ends meanwhile is none: the store, then memory (an upload
/// leaves it after the commit of its end), then the store once more.
pub struct Orphans(Vec<FileId>);

impl Orphans {
    /// Uploads that run as far as the store knows; never more than there may be transfers.
    pub fn stored(sql: &Sql<'_>) -> Result<Self, StoreError> {
        let query = "SELECT node, generation FROM upload WHERE state = 0";
        let all = sql.all(query, [], |row| {
            let (node, generation) = (NodeId(id(row, 0)?), Generation(id(row, 1)?));
            Ok(FileId { node, generation })
        })?;
        Ok(Self(all))
    }

    /// Those that no transfer owns.
    pub fn without(mut self, live: &Uploads) -> Self {
        self.0.retain(|file| !live.is_running(*file));
        self
    }

    /// Those that still run as far as the store knows, for people.
    pub fn still(&self, sql: &Sql<'_>) -> Vec<String> {
        let still = self.0.iter().filter(|file| {
            let upload = plan::stored(sql, file.node);
            upload.is_ok_and(|it| {
                it.is_some_and(|it| it.file == **file && it.state == StoredState::Runs)
            })
        });
        let told = still.map(|file| format!("{} uploads without a transfer", path(sql, file.node)));
        told.collect()
    }
}
