//! The first administrator: made when a cluster is made, never changed by a later start.

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::VfsPath;

use super::config::AccountsConfig;
use super::password::{HashError, Hasher, generate, salt};
use super::table::{self, AddAccount, Stored};
use super::types::Account;
use crate::store::{Store, StoreError};

/// Group of the first administrator, and of the tree's root.
const GROUP: &str = "drftpd";
/// The longest user name.
pub const MAX_NAME: usize = 64;

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Not a user name.
    #[error("user {0:?}: must be 1 to {MAX_NAME} letters, digits or one of . _ - @")]
    Name(String),
    /// A password that is none.
    #[error("the password must not be empty, nor hold control characters")]
    Password,
    /// Somebody has that name and is no administrator.
    #[error("user {0:?} exists and is no administrator")]
    Taken(String),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The administrator, after [`ensure_administrator`].
#[derive(Clone, PartialEq, Eq)]
pub enum Administrator {
    /// Was there; the password is what it was.
    Kept,
    /// Was made with the password that was given.
    Made,
    /// Was made with a generated password, which is told once.
    Generated(String),
}

/// Makes sure that `name` is an administrator. One that is there is left alone; a new one has the given password, or
/// one that is generated.
///
/// # Errors
/// See [`SetupError`].
pub async fn ensure_administrator(
    store: &Store,
    config: &AccountsConfig,
    (clock, dice): (&Clock, &Dice),
    name: &str,
    password: Option<&str>,
) -> Result<Administrator, SetupError> {
    check_name(name)?;
    match store.read(|sql| table::find(sql, name))? {
        Some(stored) if stored.account.admin => return Ok(Administrator::Kept),
        Some(_) => return Err(SetupError::Taken(name.to_owned())),
        None => {}
    }
    let generated = password.is_none().then(|| generate(dice));
    let word = password.or(generated.as_deref()).unwrap_or_default();
    if word.is_empty() || word.contains(char::is_control) {
        return Err(SetupError::Password);
    }
    let hash = Hasher::new(config)?.hash(word.as_bytes(), &salt(dice))?;
    let stored = Stored {
        account: Account {
            name: name.to_owned(),
            group: GROUP.to_owned(),
            groups: Vec::new(),
            deleted: false,
            admin: true,
            fxp: false,
            overwrite: false,
            home: VfsPath::root(),
        },
        password: Some(hash),
        disabled: false,
        created: clock.unix(),
    };
    if !store.change(AddAccount(stored)).await? {
        return Ok(Administrator::Kept);
    }
    Ok(generated.map_or(Administrator::Made, Administrator::Generated))
}

fn check_name(name: &str) -> Result<(), SetupError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(good) {
        return Err(SetupError::Name(name.to_owned()));
    }
    Ok(())
}
