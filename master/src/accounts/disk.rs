//! Disk quotas: how much the files may take that belong to a user, and those that belong to a group.
//!
//! What they take is kept by the store in the batch that changes it; here it is read, with the limits as they are now.

use std::fmt;

use super::limits::Limit;
use crate::store::{Sql, StoreError, id};

/// Whose files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Those that a user owns.
    User(&'a str),
    /// Those that a group has.
    Group(&'a str),
}

/// What files take. Uploads that run are not among them; what is kept of broken ones is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owned {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Most {
    /// How many; `None`: any number.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// A quota that would be exceeded; shown to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    holder: String,
    limit: Limit,
    most: u64,
}

impl Holder<'_> {
    fn number(self) -> i64 {
        match self {
            Self::User(_) => 0,
            Self::Group(_) => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
        }
    }
}

impl<'a> Holder<'a> {
    /// Its name.
    pub fn of(self) -> &'a str {
        match self {
            Self::User(of) | Self::Group(of) => of,
        }
    }
}

impl Full {
    /// A limit of somebody's.
    pub fn new(holder: Holder<'_>, limit: Limit, most: u64) -> Self {
        Self {
            holder: format!("{} {}", holder.name(), holder.of()),
            limit,
            most,
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (holder, most) = (&self.holder, self.limit.unit().show(self.most));
        match self.limit {
            Limit::DiskFiles => write!(f, "{holder} may have {most} files"),
            _ => write!(f, "files of {holder} may take {most}"),
        }
    }
}

/// What somebody's files take.
///
/// # Errors
/// When the database fails.
pub fn owned(sql: &Sql<'_>, holder: Holder<'_>) -> Result<Owned, StoreError> {
    let text = "SELECT files, bytes FROM owned WHERE whose = ?1 AND name = ?2";
    let key = (holder.number(), holder.of());
    let found = sql.get(text, key, |row| {
        Ok(Owned {
            files: id(row, 0)?,
            bytes: id(row, 1)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// What they may take.
///
/// # Errors
/// When the database fails.
pub fn most(sql: &Sql<'_>, holder: Holder<'_>) -> Result<Most, StoreError> {
    let text = match holder {
        Holder::User(_) => {
            "SELECT what, value FROM account_limit WHERE account = ?1 AND what IN ('disk', 'disk_files')"
        }
        Holder::Group(_) => {
            "SELECT what, value FROM grp_limit WHERE grp = ?1 AND what IN ('disk', 'disk_files')"
        }
    };
    let mut most = Most::default();
    let rows = sql.all(text, [holder.of()], |row| {
        Ok((row.get::<_, String>(0)?, id(row, 1)?))
    })?;
    for (what, value) in rows {
        match Limit::of_name(&what) {
            Some(Limit::DiskFiles) => most.files = Some(value),
            _ => most.bytes = Some(value),
        }
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_quota_is_told_in_the_words_of_its_limit() {
        let full = Full::new(Holder::User("ann"), Limit::Disk, 3 << 30);
        assert_eq!(full.to_string(), "files of user ann may take 3.0 GiB");
        let full = Full::new(Holder::Group("crew"), Limit::DiskFiles, 7);
        assert_eq!(full.to_string(), "group crew may have 7 files");
    }
}
