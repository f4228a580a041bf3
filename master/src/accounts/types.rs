//! Accounts as sessions see them.

use drftpd_protocol::VfsPath;

use super::limits::{Limit, Limits};
use super::ratio::Ratio;

/// A user who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User name.
    pub name: String,
    /// Primary group.
    pub group: String,
    /// Groups beside it.
    pub groups: Vec<String>,
    /// Groups that this user administers.
    pub administers: Vec<String>,
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
    /// Whether there is nothing for the user beside what lies below home.
    pub jail: bool,
    /// Whether the password must be changed before anything else.
    pub must_change: bool,
    /// Whether any password will do.
    pub anonymous: bool,
    /// Bytes that may be taken for each that was given.
    pub ratio: Ratio,
    /// Limits of the user's own.
    pub limits: Limits,
    /// Limits of the user's groups, for all their members together.
    pub group_limits: Vec<(String, Limits)>,
}

impl Account {
    /// Somebody without any right of their own, who stands at the root.
    pub fn new(name: &str, group: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            groups: Vec::new(),
            administers: Vec::new(),
            deleted: false,
            admin: false,
            fxp: false,
            overwrite: false,
            home: VfsPath::root(),
            jail: false,
            must_change: false,
            anonymous: false,
            ratio: Ratio::LEECH,
            limits: Limits::default(),
            group_limits: Vec::new(),
        }
    }

    /// Whether it is of a group, be it the primary one or one beside it.
    pub fn is_in(&self, group: &str) -> bool {
        self.group == group || self.groups.iter().any(|other| other == group)
    }

    /// Whether a resolved path lies outside of what there is for the user.
    pub fn is_outside(&self, resolved: &VfsPath) -> bool {
        self.jail && !self.home.contains(resolved)
    }

    /// The tightest of the user's own limit and those of the groups, where each counts for one session or transfer alone.
    pub fn tightest(&self, limit: Limit) -> Option<u64> {
        let groups = self.group_limits.iter().map(|(_, limits)| limits);
        let all = std::iter::once(&self.limits).chain(groups);
        all.filter_map(|limits| limits.get(limit)).min()
    }
}

#[cfg(test)]
impl Account {
    /// Somebody without any right of their own, for tests.
    pub(crate) fn of_test(name: &str, group: &str) -> Self {
        Self::new(name, group)
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

/// What somebody wants to do with an entry; judged on the resolved path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See it: CWD, LIST, SIZE, MDTM, checksums.
    View,
    /// RETR.
    Download,
    /// STOR, STOU, APPE of a new file, RNTO of a file.
    Upload,
    /// STOR over a complete file, RNTO onto one.
    Overwrite,
    /// REST + STOR or APPE to what is there.
    Resume,
    /// DELE, RMD.
    Delete,
    /// MKD, RNTO of a directory.
    MakeDir,
    /// RNFR.
    Rename,
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

    #[test]
    fn a_jail_is_the_home_and_what_lies_below_it() {
        let path = |text: &str| VfsPath::absolute(text.as_bytes()).unwrap();
        let free = Account {
            home: path("/home/ann"),
            ..Account::new("ann", "users")
        };
        let jailed = Account {
            jail: true,
            ..free.clone()
        };
        for (at, outside) in [
            ("/", true),
            ("/home", true),
            ("/home/ann", false),
            ("/home/ann/x/y", false),
            ("/home/anna", true),
        ] {
            assert_eq!(jailed.is_outside(&path(at)), outside, "{at}");
            assert!(!free.is_outside(&path(at)));
        }
    }
}
