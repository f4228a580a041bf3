//! Making a cluster: the authority, the store with its first administrator. What is there already is left alone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use drftpd_actors::{Clock, Dice};

use crate::accounts::{Administrator, SetupError, ensure_administrator, table};
use crate::config::MasterConfig;
use crate::root::MasterError;
use crate::slaves::Authority;
use crate::store::Store;

/// The variable that holds the first administrator's password.
pub const PASSWORD: &str = "DRFTPD_PASSWORD";

/// Why a cluster was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The store, or the authority.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// The administrator.
    #[error("the administrator was not made")]
    Setup(#[from] SetupError),
    /// The folder.
    #[error("the folder {folder} cannot be made")]
    Folder {
        /// Which.
        folder: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Makes what is missing of a cluster, and an administrator if there is none; tells who is one. The store must not be in
/// use; blocks, for the start of a process.
///
/// # Errors
/// [`MakeError`].
pub async fn make(
    config: &MasterConfig,
    user: &str,
    password: Option<&str>,
) -> Result<(String, Administrator), MakeError> {
    let (clock, dice) = (Clock::system(), Dice::system());
    make_folder(&config.master.dir)?;
    let store = open_store(config, &clock, &dice)?;
    Authority::open(&config.master.authority(), clock.clone(), dice.clone())
        .map_err(MasterError::from)?;
    let there = store.read(|sql| table::administrator(sql, user));
    if let Some(name) = there.map_err(SetupError::from)? {
        return Ok((name, Administrator::Kept));
    }
    let with = (&clock, &dice);
    let made = ensure_administrator(&store, &config.accounts, with, user, password).await?;
    Ok((user.to_owned(), made))
}

/// Opens the store of a configuration.
///
/// # Errors
/// With the folder's name.
pub fn open_store(config: &MasterConfig, clock: &Clock, dice: &Dice) -> Result<Store, MasterError> {
    let folder = config.master.store();
    let store = Store::open(&folder, &config.store, config.names.case, clock, dice);
    store.map_err(|source| MasterError::Store {
        folder: folder.display().to_string(),
        source,
    })
}

/// Makes a folder for the master's own things: its user's alone, where it is not there yet.
///
/// # Errors
/// With the folder's name.
pub fn make_folder(folder: &Path) -> Result<(), MakeError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| MakeError::Folder {
        folder: folder.display().to_string(),
        source,
    })
}
