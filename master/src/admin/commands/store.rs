//! `backup` and `check`: a copy of the store while it is in use, and whether what it says of itself is true.

use std::fmt;
use std::path::{Path, PathBuf};

use drftpd_protocol::{Name, VfsPath};
use serde::Serialize;

use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::table::size;
use crate::store::{StoreError, backup, look};
use crate::vfs::check;

/// `backup FILE`.
pub(in crate::admin) const BACKUP: Command = Command {
    name: "backup",
    site: &["BACKUP"],
    params: &[Param::new(
        "to",
        Kind::Text,
        "the file to make: a name in the folder backups of the master; by ctl also a whole path on its machine",
    )],
    about: "copies the store into a file while it is in use; put in its place, it is the store of that moment",
    permission: Permission::Operator,
    // As with a dump.
    changes: true,
    run: |cx, args| Box::pin(back_up(cx, args)),
};

/// `check`.
pub(crate) const CHECK: Command = Command {
    name: "check",
    site: &["CHECK"],
    params: &[],
    about: "counts again what the store keeps twice: totals, digests, logs, uploads; says what is wrong, changes nothing",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(look_through(cx)),
};

#[derive(Serialize)]
struct BackedUp {
    file: PathBuf,
    bytes: u64,
}

async fn back_up(cx: Cx, args: Args) -> Outcome {
    let file = target(&cx, args.text("to").unwrap_or_default())?;
    let store = cx.of.store.clone();
    let work = move || backup(&store, &file).map(|bytes| BackedUp { file, bytes });
    let done = cx.of.blocking.run(work).await;
    let done = done.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&done.map_err(|why| not_made(&why))?)
}

fn not_made(why: &StoreError) -> AdminError {
    let mut error = AdminError::failed(why);
    if matches!(why, StoreError::Io(why) if why.kind() == std::io::ErrorKind::AlreadyExists) {
        error.code = Code::Exists;
        error.field = Some("to".to_owned());
    }
    error
}

/// A name is a file of the master's own folder; whoever comes by FTP gets no say over others.
fn target(cx: &Cx, said: &str) -> Result<PathBuf, AdminError> {
    if Path::new(said).is_absolute() && matches!(cx.caller, Caller::Owner) {
        return Ok(said.into());
    }
    let name = Name::new(said.as_bytes().to_vec());
    name.map_err(|why| AdminError::argument("to", why))?;
    let folder = cx.of.config.master.dir.join("backups");
    std::fs::create_dir_all(&folder).map_err(|why| AdminError::failed(&why))?;
    Ok(folder.join(said))
}

async fn look_through(cx: Cx) -> Outcome {
    let failed = |why: &dyn std::error::Error| AdminError::failed(why);
    if let Some(online) = cx.of.online.get() {
        let checked = online.vfs.check().await.map_err(|why| failed(&why))?;
        let sees_all = cx.view()?.sees_all_below(&VfsPath::root());
        return Answer::of(&checked.shown(sees_all));
    }
    let store = cx.of.store.clone();
    let checked = move || store.read(|sql| Ok::<_, StoreError>(check::check(sql)));
    let checked = cx.of.blocking.run(checked).await;
    Answer::of(
        &checked
            .map_err(|why| failed(&why))?
            .map_err(|why| failed(&why))?,
    )
}

/// The same on a store that no master uses: it is not even opened.
///
/// # Errors
/// When it cannot be read at all, or is of another version.
pub(crate) fn check_stopped(config: &crate::config::MasterConfig) -> Outcome {
    let look = look(&config.master.store(), &config.store, |sql| {
        Ok::<_, StoreError>(check::check(sql))
    });
    Answer::of(&look.map_err(|why| AdminError::failed(&why))?)
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", size(self.bytes), self.file.display())
    }
}
