//! Whether the tables of the file list agree with each other: everything that is kept twice is counted again.
//!
//! Reads one snapshot and changes nothing. Whatever the size of the store, memory holds one directory's sums, one of
//! each owner, one page of orders, and so many findings of a kind.

mod copies;
mod entries;
mod findings;
mod logs;
pub(super) mod owned;
mod people;
mod uploads;

use super::VfsClient;
use super::error::VfsError;
use crate::store::{Sql, StoreError};
use findings::Findings;
use uploads::Orphans;

pub use findings::{Checked, Finding};

/// One thing that is looked at.
type Look = fn(&Sql<'_>, &mut Findings) -> Result<(), StoreError>;

/// All of them, with the area that a failure to look belongs to.
const LOOKS: &[(&str, Look)] = &[
    ("database", database),
    ("tree", entries::entries),
    ("tree", entries::circles),
    ("totals", entries::childless),
    ("uploads", uploads::uploads),
    ("copies", copies::copies),
    ("digests", copies::directories),
    ("logs", logs::logs),
    ("people", people::people),
    ("owned", owned::owned),
];

/// Looks at everything. A table that cannot be read is a finding, and the others are still looked at.
pub fn check(sql: &Sql<'_>) -> Checked {
    let mut found = Findings::default();
    for (area, look) in LOOKS {
        if let Err(why) = look(sql, &mut found) {
            found.add(area, format!("cannot be read to its end: {}", text(&why)));
        }
    }
    found.into_checked()
}

impl VfsClient {
    /// [`check`], and whether a transfer owns what the store says is running.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub async fn check(&self) -> Result<Checked, VfsError> {
        let tables = |sql: &Sql<'_>| Ok::<_, VfsError>(check(sql));
        let mut checked = self.store.read_on(&self.blocking, tables).await?;
        let stored = self.store.read(Orphans::stored)?;
        let orphans = stored.without(&self.live.borrow());
        let still = self
            .store
            .read(|sql| Ok::<_, VfsError>(orphans.still(sql)))?;
        checked.also("uploads", still);
        Ok(checked)
    }
}

/// The database as such: pages, indexes, what columns may hold.
fn database(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    // The check of an index of names goes by what this connection last saw of it, and takes what was merged since for
    // damage; a question has it look again.
    sql.each(
        "SELECT rowid FROM search WHERE search MATCH 'x'",
        [],
        |_| Ok::<_, StoreError>(()),
    )?;
    sql.each("PRAGMA integrity_check", [], |row| {
        let said: String = row.get(0)?;
        if said != "ok" {
            found.add("database", said);
        }
        Ok(())
    })
}

/// An error with its cause.
fn text(why: &StoreError) -> String {
    match std::error::Error::source(why) {
        Some(cause) => cause.to_string(),
        None => why.to_string(),
    }
}
