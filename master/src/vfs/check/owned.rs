//! Whether what users and groups are said to have is what their files come to.

use std::collections::BTreeMap;

use super::findings::Findings;
use crate::store::{Sql, StoreError};

/// Files and bytes by whose they are (0: a user's, 1: a group's).
type Sums = BTreeMap<(i64, String), (i64, i64)>;

/// Memory holds a sum for each owner and each group.
pub(super) fn owned(sql: &Sql<'_>, found: &mut Findings) -> Result<(), StoreError> {
    for ((whose, name), is, should) in wrong(sql)? {
        let who = if whose == 0 { "user" } else { "group" };
        let ((files, bytes), (all, sum)) = (is, should);
        found.add(
            "owned",
            format!("{who} {name:?} is said to have {files} files of {bytes} bytes and has {all} of {sum}"),
        );
    }
    Ok(())
}

/// A sum that is wrong: whose, what is kept, what it should be.
pub(in crate::vfs) type Wrong = ((i64, String), (i64, i64), (i64, i64));

/// Every sum that is wrong.
pub(in crate::vfs) fn wrong(sql: &Sql<'_>) -> Result<Vec<Wrong>, StoreError> {
    let mut counted = Sums::new();
    let files = "SELECT owner, grp, size FROM node WHERE kind = 1 AND state <> 0";
    sql.each(files, [], |row| {
        let size: i64 = row.get(2)?;
        for (whose, column) in [(0, 0), (1, 1)] {
            let sum = counted.entry((whose, row.get(column)?)).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(size));
        }
        Ok::<_, StoreError>(())
    })?;
    let mut wrong = Vec::new();
    sql.each("SELECT whose, name, files, bytes FROM owned", [], |row| {
        let (key, is) = ((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?));
        let should = counted.remove(&key).unwrap_or_default();
        if is != should {
            wrong.push((key, is, should));
        }
        Ok::<_, StoreError>(())
    })?;
    wrong.extend(
        counted
            .into_iter()
            .map(|(key, should)| (key, (0, 0), should)),
    );
    Ok(wrong)
}
