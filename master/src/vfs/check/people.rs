//! Whether everything that is said of users and groups is said of some that are there.

use super::findings::Findings;
use crate::store::{Sql, StoreError};

/// Tables with the column that names a user or a group, and where that must be.
const NAMED: [(&str, &str, &str); 11] = [
    ("account", "grp", "grp"),
    ("member", "account", "account"),
    ("member", "grp", "grp"),
    ("grp_admin", "account", "account"),
    ("grp_admin", "grp", "grp"),
    ("mask", "account", "account"),
    ("account_limit", "account", "account"),
    ("account_note", "account", "account"),
    ("account_moved", "account", "account"),
    ("grp_limit", "grp", "grp"),
    ("message", "account", "account"),
];

pub(super) fn people(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    for (table, column, of) in NAMED {
        let text = format!(
            "SELECT DISTINCT {column} FROM {table} WHERE {column} NOT IN (SELECT name FROM {of})"
        );
        sql.each(&text, [], |row| {
            let name: String = row.get(0)?;
            found.add(
                "people",
                format!("{table} has {column} {name:?}, which is not there"),
            );
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(())
}
