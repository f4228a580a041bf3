//! Looking at a store that no master has opened: nothing of it is changed, not even by a new incarnation.

use std::path::Path;

use super::config::{Case, StoreConfig};
use super::error::StoreError;
use super::open::file;
use super::readers::Readers;
use super::schema::MIGRATIONS;
use super::sql::Sql;

/// Reads on one committed snapshot of the store in a folder, whether a master uses it or not.
///
/// # Errors
/// [`StoreError::Unusable`] when it is of another version; what `read` says, or the store.
pub fn look<T, E: From<StoreError>>(
    folder: &Path,
    config: &StoreConfig,
    read: impl FnOnce(&Sql<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let readers = |case| Readers::new(&file(folder), case, config);
    let case = readers(Case::Sensitive).read(case_of)?;
    readers(case).read(read)
}

fn case_of(sql: &Sql<'_>) -> Result<Case, StoreError> {
    let version = sql.get("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
    let known = i64::try_from(MIGRATIONS.len()).ok();
    if version != known {
        let version = version.unwrap_or_default();
        let why = format!("it is of version {version}; a start of this master makes it its own");
        return Err(StoreError::Unusable(why));
    }
    let query = "SELECT value FROM meta WHERE key = 'case'";
    let noted = sql.get(query, [], |row| row.get::<_, String>(0))?;
    let case = noted.and_then(|text| Case::from_text(&text));
    case.ok_or_else(|| StoreError::Unusable("its names.case cannot be read".into()))
}
