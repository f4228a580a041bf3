//! The one function that says who may do what where: pure, on the resolved target, for every way
//! that leads there. Fails closed.

use drftpd_protocol::VfsPath;

use super::types::{Account, Action};

/// Not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Denied;

/// Whether `who` may do `what` at `path` (resolved).
///
/// # Errors
/// [`Denied`] when not.
pub fn may(who: &Account, what: Action, path: &VfsPath) -> Result<(), Denied> {
    match what {
        // The root stays, whoever asks.
        Action::RemoveDir | Action::RenameFrom | Action::RenameTo | Action::Delete
            if path.is_root() =>
        {
            Err(Denied)
        }
        Action::Fxp if !who.fxp => Err(Denied),
        Action::Overwrite if !who.overwrite => Err(Denied),
        _ if who.admin => Ok(()),
        _ => Err(Denied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 12] = [
        Action::View,
        Action::Download,
        Action::Upload,
        Action::Overwrite,
        Action::Resume,
        Action::Delete,
        Action::MakeDir,
        Action::RemoveDir,
        Action::RenameFrom,
        Action::RenameTo,
        Action::SetTime,
        Action::Fxp,
    ];

    fn account(admin: bool) -> Account {
        Account {
            admin,
            overwrite: true,
            ..Account::of_test("somebody", "drftpd")
        }
    }

    fn path(text: &str) -> VfsPath {
        VfsPath::root().resolve(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_administrator_may_do_everything_below_the_root() {
        for what in ALL.into_iter().filter(|what| *what != Action::Fxp) {
            assert_eq!(may(&account(true), what, &path("/a/b")), Ok(()), "{what:?}");
        }
    }

    #[test]
    fn data_connections_with_other_hosts_need_a_right_of_their_own() {
        let fxp = |admin| Account {
            fxp: true,
            ..account(admin)
        };
        assert_eq!(may(&account(true), Action::Fxp, &path("/a/b")), Err(Denied));
        assert_eq!(may(&fxp(true), Action::Fxp, &path("/a/b")), Ok(()));
        assert_eq!(may(&fxp(false), Action::Fxp, &path("/a/b")), Err(Denied));
    }

    #[test]
    fn where_overwriting_is_taken_away_all_else_stays() {
        let who = Account {
            overwrite: false,
            ..account(true)
        };
        assert_eq!(may(&who, Action::Overwrite, &path("/a/b")), Err(Denied));
        assert_eq!(may(&who, Action::Upload, &path("/a/b")), Ok(()));
        assert_eq!(may(&who, Action::Resume, &path("/a/b")), Ok(()));
    }

    #[test]
    fn the_root_itself_is_never_removed_renamed_or_replaced() {
        let allowed: Vec<_> = ALL
            .into_iter()
            .filter(|what| may(&account(true), *what, &VfsPath::root()).is_ok())
            .collect();
        let gone = [
            Action::Delete,
            Action::RemoveDir,
            Action::RenameFrom,
            Action::RenameTo,
        ];
        assert!(gone.iter().all(|what| !allowed.contains(what)));
        assert!(allowed.contains(&Action::View) && allowed.contains(&Action::Upload));
    }

    #[test]
    fn whoever_no_rule_speaks_of_may_nothing() {
        for what in ALL {
            for at in ["/", "/a"] {
                assert_eq!(
                    may(&account(false), what, &path(at)),
                    Err(Denied),
                    "{what:?} {at}"
                );
            }
        }
    }
}
