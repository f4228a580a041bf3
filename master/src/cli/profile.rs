//! What a cluster is for: which keys of the configuration and which lines of the permissions a profile of `init` sets.
//!
//! A profile is two small documents in `deploy/profiles`; they are filled into those that have every key.

use toml::Table;

use super::arguments::Profile;
use crate::config::document::{DOCUMENT, fill_table};
use crate::rights::config::PLAIN;

/// The file of permissions, beside the configuration.
pub(super) const PERMISSIONS: &str = "permissions.toml";

/// What `init` writes.
pub(super) struct Sheet {
    /// The configuration.
    pub config: String,
    /// The permissions, where the profile has its own.
    pub permissions: Option<String>,
}

/// The documents of a profile: what it sets in the configuration, and in the permissions.
const fn documents(profile: Profile) -> Option<(&'static str, &'static str)> {
    match profile {
        Profile::Plain => None,
        Profile::Ingest => Some((
            include_str!("../../../deploy/profiles/ingest.toml"),
            include_str!("../../../deploy/profiles/ingest.permissions.toml"),
        )),
        Profile::Site => Some((
            include_str!("../../../deploy/profiles/site.toml"),
            include_str!("../../../deploy/profiles/site.permissions.toml"),
        )),
    }
}

/// What a profile writes, with the comments of every key.
///
/// # Errors
/// The key that there is not; a test shows that there is none.
pub(super) fn sheet(profile: Profile) -> Result<Sheet, String> {
    let Some((config, permissions)) = documents(profile) else {
        return Ok(Sheet {
            config: DOCUMENT.to_owned(),
            permissions: None,
        });
    };
    Ok(Sheet {
        config: filled(DOCUMENT, config)?,
        permissions: Some(filled(PLAIN, permissions)?),
    })
}

fn filled(document: &str, with: &str) -> Result<String, String> {
    let with = with.parse::<Table>().map_err(|why| why.to_string())?;
    fill_table(document, &with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Account, Action};
    use crate::config::MasterConfig;
    use crate::rights::{Directive, Rules, Target, read};
    use crate::store::Case;
    use crate::tls::Policy;
    use drftpd_protocol::VfsPath;

    fn made(profile: Profile) -> (MasterConfig, Rules) {
        let sheet = sheet(profile).unwrap();
        let config = drftpd_actors::parse::<MasterConfig>(&sheet.config, None).unwrap();
        let permissions = sheet.permissions.unwrap();
        (config, read::table(&permissions, Case::Sensitive).unwrap())
    }

    #[test]
    fn a_profile_is_the_whole_document_with_its_values() {
        let plain = sheet(Profile::Plain).unwrap();
        assert_eq!(plain.config, DOCUMENT);
        assert!(plain.permissions.is_none());
        for profile in [Profile::Ingest, Profile::Site] {
            let sheet = sheet(profile).unwrap();
            assert_eq!(sheet.config.lines().count(), DOCUMENT.lines().count());
            let permissions = sheet.permissions.unwrap();
            assert_eq!(permissions.lines().count(), PLAIN.lines().count());
        }
    }

    #[test]
    fn ingest_hides_uploads_and_takes_plain_ftp_from_networks() {
        let (config, rules) = made(Profile::Ingest);
        let at = VfsPath::absolute(b"/in/x").unwrap();
        let (ann, bob) = (
            Account::of_test("ann", "users"),
            Account::of_test("bob", "users"),
        );
        let part = |owner| Target {
            owner: Some(owner),
            part: true,
            ..Target::at(&at)
        };
        assert!(rules.judge(&bob, Action::View, part("ann")).is_err());
        assert!(rules.judge(&ann, Action::View, part("ann")).is_ok());
        assert!(rules.allows_empty(&bob, &at));
        let of = |from: &str| config.tls.rules(from.parse().unwrap(), &bob).login;
        assert_eq!(of("192.168.7.1"), Policy::Allowed);
        assert_eq!(of("203.0.113.1"), Policy::Required);
        let accounts = &config.accounts;
        assert!(!accounts.require_mask && accounts.ratio().is_leech());
    }

    #[test]
    fn site_refuses_dupes_empty_files_and_plain_ftp() {
        let (config, rules) = made(Profile::Site);
        let at = VfsPath::absolute(b"/x").unwrap();
        let root = Account {
            admin: true,
            overwrite: config.accounts.administrators_overwrite,
            ..Account::of_test("root", "users")
        };
        let own = Target {
            owner: Some("root"),
            ..Target::at(&at)
        };
        assert!(rules.judge(&root, Action::Overwrite, own).is_err());
        assert!(rules.judge(&root, Action::Resume, own).is_ok());
        assert!(rules.name(Directive::DupeCheck, &root, &at));
        assert!(!rules.allows_empty(&root, &at));
        let tls = &config.tls;
        let all = [tls.login, tls.listings, tls.data];
        assert_eq!(all, [Policy::Required; 3]);
        assert!(config.plugins.contains_key("dupecheck"));
        assert_eq!(config.accounts.lock_after, 0);
    }
}
