//! Accounts as sessions see them.

use drftpd_protocol::VfsPath;

/// A user who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User name.
    pub name: String,
    /// Primary group.
    pub group: String,
    /// Groups beside it.
    pub groups: Vec<String>,
    /// Deleted, and may be taken back; nobody logs in as such.
    pub deleted: bool,
    /// Operator of the site.
    pub admin: bool,
    /// Whether data connections with other hosts than the client's are allowed (FXP).
    pub fxp: bool,
    /// Whether files that are there already may be sent again; else they are dupes.
    pub overwrite: bool,
    /// Where the user stands after login.
    pub home: VfsPath,
}

impl Account {
    /// Whether it is of a group, be it the primary one or one beside it.
    pub fn is_in(&self, group: &str) -> bool {
        self.group == group || self.groups.iter().any(|other| other == group)
    }
}

#[cfg(test)]
impl Account {
    /// Somebody without any right of their own, for tests.
    pub(crate) fn of_test(name: &str, group: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            groups: Vec::new(),
            deleted: false,
            admin: false,
            fxp: false,
            overwrite: false,
            home: VfsPath::root(),
        }
    }
}

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Somebody's who could log in.
    Account(Account),
    /// Nobody's. The number is always the same for the name: whoever has to answer as if it were somebody's takes one
    /// of the possible answers by it.
    Nobody(u64),
}

/// What somebody wants to do with an entry; evaluated on the resolved path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See it: CWD, LIST, SIZE, MDTM, checksums.
    View,
    /// RETR.
    Download,
    /// STOR, STOU, APPE of a new file.
    Upload,
    /// STOR over a complete file.
    Overwrite,
    /// REST + STOR or APPE to what is there.
    Resume,
    /// DELE.
    Delete,
    /// MKD.
    MakeDir,
    /// RMD.
    RemoveDir,
    /// RNFR.
    RenameFrom,
    /// RNTO.
    RenameTo,
    /// MFMT.
    SetTime,
    /// Data connections with another host than the client's.
    Fxp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_primary_one_and_those_beside_it() {
        let who = Account {
            groups: vec!["staff".to_owned()],
            ..Account::of_test("ann", "users")
        };
        let is_in = ["users", "staff", "ann", ""].map(|group| who.is_in(group));
        assert_eq!(is_in, [true, true, false, false]);
    }
}
