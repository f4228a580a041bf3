//! Accounts as sessions see them.

use drftpd_protocol::VfsPath;

/// A user who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User name.
    pub name: String,
    /// Primary group.
    pub group: String,
    /// Operator of the site.
    pub admin: bool,
    /// Whether data connections with other hosts than the client's are allowed (FXP).
    pub fxp: bool,
    /// Whether files that are there already may be sent again; else they are dupes.
    pub overwrite: bool,
    /// Where the user stands after login.
    pub home: VfsPath,
}

#[cfg(test)]
impl Account {
    /// Somebody without any right of their own, for tests.
    pub(crate) fn of_test(name: &str, group: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
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
