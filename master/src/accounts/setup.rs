//! The first administrator: made when a cluster is made, never changed by a later start.

use super::config::AccountsConfig;
use super::names::{BadName, check};
use super::password::{HashError, Hasher, generate, salt};
use super::ratio::Ratio;
use super::table::{self, AddAccount, Stored};
use super::types::Account;
use crate::store::{Store, StoreError};
use drftpd_actors::{Clock, Dice};

/// Group of the first administrator, and of the tree's root.
const GROUP: &str = "drftpd";

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Not a user name.
    #[error("user {0:?}: {1}")]
    Name(String, BadName),
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
    check(name).map_err(|why| SetupError::Name(name.to_owned(), why))?;
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
    let account = Account {
        admin: true,
        ratio: Ratio::LEECH,
        ..Account::new(name, GROUP)
    };
    let stored = Stored::new(account, Some(hash), clock.unix());
    if !store.change(AddAccount(stored)).await? {
        return Ok(Administrator::Kept);
    }
    Ok(generated.map_or(Administrator::Made, Administrator::Generated))
}
