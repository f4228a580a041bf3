//! `nuke`: a directory that should not be here gets another name, whoever sent what is in it loses credits, and nobody makes
//! its old name again. `unnuke` takes all of it back.
//!
//! Each is one command of the store: name, credits, record and event are there together or not at all. Transfers of
//! what lies in the directory end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use drftpd_actors::{Check, ConfigError, Verdict};
use drftpd_protocol::{Name, NodeId, VfsPath};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::accounts::people::Changes;
use crate::accounts::{credits, earned};
use crate::admin::commands::table;
use crate::admin::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use crate::extend::{Act, Asked, CannotStart, Plugin, PluginCx, Shelf, section};
use crate::outbox::{At, Event};
use crate::store::{Batch, StoreError, number};
use crate::vfs::{Along, Meant, Moving, VfsClient, VfsError};

#[cfg(test)]
mod tests;

const NAME: &str = "nuke";
/// How long a look into the records may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The plugin.
pub static NUKE: Plugin = Plugin {
    name: NAME,
    about: "takes directories out of use, with penalties for those who sent what is in them",
    commands: &[&DIR, &UNDO, &LIST, &CLEAN],
    check: |table| section::<NukeConfig>(table).map(drop),
    start,
};

/// `[plugins.nuke]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NukeConfig {
    /// What a directory is called then; `{name}` is its name of before.
    name: String,
    /// Directories with more files are not taken.
    most_files: u64,
    /// The greatest multiplier.
    most_multiplier: u64,
}

impl Default for NukeConfig {
    fn default() -> Self {
        Self {
            name: "[NUKED]-{name}".to_owned(),
            most_files: 20_000,
            most_multiplier: 20,
        }
    }
}

impl Check for NukeConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        let sample = self.name.replace("{name}", "x");
        if !self.name.contains("{name}") || Name::new(sample.into_bytes()).is_err() {
            let why = "must be a name of a directory with {name} in it";
            errors.push(ConfigError::new("name", why));
        }
        if self.most_files == 0 {
            errors.push(ConfigError::new("most_files", "must be 1 or more"));
        }
    }
}

/// What its commands use.
struct Nukes {
    config: NukeConfig,
    shelf: Shelf,
    changes: Changes,
    vfs: VfsClient,
}

/// A directory that is nuked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    /// Where it was.
    from: At,
    /// Where it is, as far as nobody has moved it.
    path: At,
    by: String,
    why: String,
    multiplier: u64,
    /// Unix seconds.
    at: i64,
    files: u64,
    bytes: u64,
    penalties: Vec<Penalty>,
}

/// What somebody lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Penalty {
    user: String,
    /// Of theirs in the directory.
    bytes: u64,
    /// Taken from them.
    credits: i64,
}

fn start(cx: &mut PluginCx<'_>) -> Result<(), CannotStart> {
    let nukes = Arc::new(Nukes {
        config: cx.config()?,
        shelf: cx.shelf(),
        changes: cx.given().people.changes.clone(),
        vfs: cx.given().vfs.clone(),
    });
    let of = Arc::clone(&nukes);
    let guard = cx.supervise(move || Guard(of)).recipient();
    cx.judges(&[Act::MakeDir, Act::Rename, Act::Upload], LIMIT, &guard);
    cx.shares(nukes);
    Ok(())
}

/// The key of a directory's record.
fn of_dir(dir: NodeId) -> String {
    format!("dir/{:016x}", dir.0)
}

/// The directory of such a key.
fn dir_of(key: &str) -> NodeId {
    let digits = key.strip_prefix("dir/").unwrap_or_default();
    NodeId(u64::from_str_radix(digits, 16).unwrap_or(0))
}

/// The key under which a path says which directory was there.
fn of_path(path: &VfsPath) -> String {
    let text = serde_json::to_value(At(path.clone()));
    let text = text.ok().and_then(|text| text.as_str().map(str::to_owned));
    format!("path{}", text.unwrap_or_default())
}

/// Keeps the old names of nuked directories from being made again, as long as those are there, and files from coming into
/// them. A restart loses nothing.
struct Guard(Arc<Nukes>);

impl Actor for Guard {
    type Context = Context<Self>;
}

impl Supervised for Guard {}

impl Handler<Asked> for Guard {
    type Result = ResponseFuture<Verdict>;

    fn handle(&mut self, asked: Asked, _: &mut Self::Context) -> Self::Result {
        let nukes = Arc::clone(&self.0);
        Box::pin(async move {
            let nuked = match asked.what {
                Act::Upload => nukes.is_in_one(&asked.path).await,
                _ => nukes.at(&asked.path).await.map(|at| at.is_some()),
            };
            match nuked {
                Ok(false) => Verdict::Allow,
                Ok(true) => Verdict::Refuse("It was nuked".to_owned()),
                Err(_) => Verdict::Silent(NAME),
            }
        })
    }
}

impl Nukes {
    /// Whether something lies in a directory that is nuked.
    async fn is_in_one(&self, path: &VfsPath) -> Result<bool, VfsError> {
        let mut above = path.parent();
        while let Some(dir) = above {
            let entry = self.vfs.stat(&dir).await?;
            if self.shelf.get::<Record>(&of_dir(entry.id))?.is_some() {
                return Ok(true);
            }
            above = dir.parent();
        }
        Ok(false)
    }

    /// Forgets records of directories that are gone; answers how many. Numbers of directories are never given out again.
    async fn clean(&self) -> Result<u64, VfsError> {
        let (mut forgotten, mut after) = (0, String::new());
        loop {
            let page = self.shelf.page::<Record>("dir/", &after)?;
            let Some((last, _)) = page.last() else {
                return Ok(forgotten);
            };
            after.clone_from(last);
            for (key, record) in page {
                match self.vfs.path_of(dir_of(&key)).await {
                    Ok(_) => continue,
                    Err(VfsError::NotFound(_)) => {}
                    Err(why) => return Err(why),
                }
                let forget = move |shelf: &Shelf, batch: &Batch<'_>| {
                    shelf.remove_in(batch, &key)?;
                    shelf.remove_in(batch, &of_path(&record.from.0))
                };
                self.shelf.change(forget).await?;
                forgotten += 1;
            }
        }
    }

    /// Where the directory is now that was there when it was nuked.
    async fn at(&self, path: &VfsPath) -> Result<Option<VfsPath>, VfsError> {
        let Some(dir) = self.shelf.get::<NodeId>(&of_path(path))? else {
            return Ok(None);
        };
        match self.vfs.path_of(dir).await {
            Ok(path) => Ok(Some(path)),
            Err(VfsError::NotFound(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// What somebody loses for so many bytes: what was earned with them, and once their number for each time beyond the first.
/// With a multiplier of 0 nobody loses anything.
fn penalty(bytes: u64, earned: i64, multiplier: u64) -> i64 {
    let Some(more) = multiplier.checked_sub(1) else {
        return 0;
    };
    let lost = i128::from(bytes) * i128::from(more) + i128::from(earned);
    i64::try_from(lost).unwrap_or(i64::MAX)
}

/// Nukes what is renamed.
struct Nuking {
    nukes: Arc<Nukes>,
    from: VfsPath,
    by: String,
    why: String,
    multiplier: u64,
    penalties: Vec<Penalty>,
}

impl Along for Nuking {
    type Answer = Record;

    fn check(&mut self, moving: &Moving<'_>) -> Result<(), VfsError> {
        moving.is_directory_of(self.nukes.config.most_files)?;
        for dir in moving.directories()? {
            let record = self.nukes.shelf.get_in::<Record>(moving, &of_dir(dir))?;
            if let Some(record) = record {
                let why = format!("{} is nuked already", record.path.0);
                return Err(VfsError::Unwanted(why));
            }
        }
        let shares = moving.shares()?.into_iter();
        let mut all: BTreeMap<String, (u64, i64)> =
            shares.map(|(user, bytes)| (user, (bytes, 0))).collect();
        for file in moving.files()? {
            for (user, earned) in earned::paid(moving, number(file.0))? {
                let all = &mut all.entry(user).or_default().1;
                *all = all.saturating_add(earned);
            }
        }
        for (user, (bytes, earned)) in all {
            let credits = match is_leech(moving, &user)? {
                true => 0,
                false => penalty(bytes, earned, self.multiplier),
            };
            self.penalties.push(Penalty {
                user,
                bytes,
                credits,
            });
        }
        Ok(())
    }

    fn write(self, moved: &Moving<'_>) -> Result<Record, VfsError> {
        let record = Record {
            from: At(self.from),
            path: At(moved.path()?),
            by: self.by,
            why: self.why,
            multiplier: self.multiplier,
            at: moved.now(),
            files: moved.entry().files,
            bytes: moved.entry().size,
            penalties: self.penalties,
        };
        for Penalty { user, credits, .. } in &record.penalties {
            let why = format!("nuked: {}", record.why);
            charge(moved, user, -credits, (&record.by, &why))?;
        }
        if record.multiplier > 0 {
            settled(moved, false)?;
        }
        let (shelf, dir) = (&self.nukes.shelf, moved.entry().id);
        shelf.put_in(moved, &of_dir(dir), &record)?;
        shelf.put_in(moved, &of_path(&record.from.0), &dir)?;
        moved.end_transfers()?;
        moved.tell(told("nuked", &record, &record.by))?;
        let changes = self.nukes.changes.clone();
        moved.on_commit(move || changes.add());
        Ok(record)
    }
}

/// Takes back a nuke.
struct Undoing {
    nukes: Arc<Nukes>,
    record: Record,
    by: String,
}

impl Along for Undoing {
    type Answer = Record;

    fn check(&mut self, moving: &Moving<'_>) -> Result<(), VfsError> {
        let key = of_dir(moving.entry().id);
        let there = self.nukes.shelf.get_in::<Record>(moving, &key)?;
        // Somebody else was faster.
        let gone = || VfsError::Unwanted("it is not nuked".to_owned());
        self.record = there.ok_or_else(gone)?;
        Ok(())
    }

    fn write(self, moved: &Moving<'_>) -> Result<Record, VfsError> {
        let (shelf, record) = (&self.nukes.shelf, self.record);
        for Penalty { user, credits, .. } in &record.penalties {
            charge(moved, user, *credits, (&self.by, "unnuked"))?;
        }
        if record.multiplier > 0 {
            settled(moved, true)?;
        }
        shelf.remove_in(moved, &of_dir(moved.entry().id))?;
        shelf.remove_in(moved, &of_path(&record.from.0))?;
        let record = Record {
            path: At(moved.path()?),
            ..record
        };
        moved.tell(told("unnuked", &record, &self.by))?;
        let changes = self.nukes.changes.clone();
        moved.on_commit(move || changes.add());
        Ok(record)
    }
}

/// Whether downloads cost somebody nothing: then there is nothing to lose.
fn is_leech(moving: &Moving<'_>, user: &str) -> Result<bool, StoreError> {
    let query = "SELECT ratio FROM account WHERE name = ?1";
    let ratio = moving.get(query, [user], |row| row.get::<_, i64>(0))?;
    Ok(ratio.unwrap_or(0) == 0)
}

/// Gives credits, or takes them; an account that is gone has none.
fn charge(
    moved: &Moving<'_>,
    user: &str,
    credits: i64,
    why: (&str, &str),
) -> Result<(), StoreError> {
    if credits != 0 {
        credits::charge(moved, user, credits, why, moved.now())?;
    }
    Ok(())
}

/// What the files earned is taken or given here: their deletion must not take it once more.
fn settled(moved: &Moving<'_>, are_paid: bool) -> Result<(), VfsError> {
    for file in moved.files()? {
        earned::count_as(moved, number(file.0), are_paid)?;
    }
    Ok(())
}

fn told(what: &str, record: &Record, by: &str) -> Event {
    let facts = json!({
        "from": record.from,
        "why": record.why,
        "multiplier": record.multiplier,
        "files": record.files,
        "bytes": record.bytes,
    });
    Event::Plugin {
        plugin: NAME.to_owned(),
        what: what.to_owned(),
        path: record.path.clone(),
        by: Some(by.to_owned()),
        facts: facts.as_object().cloned().unwrap_or_default(),
    }
}

/// `nuke dir PATH MULTIPLIER WHY`.
static DIR: Command = Command {
    name: "nuke dir",
    site: &["NUKE"],
    params: &[
        Param::new("path", Kind::Path, "the directory"),
        Param::new(
            "multiplier",
            Kind::Number,
            "1: what was earned with it is lost; each more: its bytes once more; 0: nothing",
        ),
        Param::new("why", Kind::Rest, "what is wrong with it"),
    ],
    about: "gives a directory another name, and takes credits from those who sent what is in it",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(nuke(cx, args)),
};

async fn nuke(cx: Cx, args: Args) -> Outcome {
    let nukes = cx.plugin::<Nukes>(NAME)?;
    let multiplier = args.number("multiplier").unwrap_or(0);
    if multiplier > nukes.config.most_multiplier {
        let why = format!("must be at most {}", nukes.config.most_multiplier);
        return Err(AdminError::argument("multiplier", why));
    }
    let (from, entry) = cx.seen(args.path("path")?).await?;
    let nowhere = || AdminError::argument("path", "must be a directory below the top");
    let (parent, name) = from.parent().zip(from.name()).ok_or_else(nowhere)?;
    let (before, after) = nukes.config.name.split_once("{name}").unwrap_or_default();
    let name = [before.as_bytes(), name.as_bytes(), after.as_bytes()].concat();
    let to = Name::new(name).map_err(|why| AdminError::argument("path", why))?;
    let to = parent
        .join(to)
        .map_err(|why| AdminError::argument("path", why))?;
    let by = cx.caller.name();
    let nuking = Nuking {
        nukes: Arc::clone(&nukes),
        from: from.clone(),
        by: by.clone(),
        why: args.text("why").unwrap_or_default().to_owned(),
        multiplier,
        penalties: Vec::new(),
    };
    let judged = Meant::judged(&from, &entry);
    let record = nukes.vfs.rename_along(judged, &to, &by, nuking).await?;
    Answer::of(&Report {
        nukes: vec![record],
    })
}

/// `nuke undo PATH`.
static UNDO: Command = Command {
    name: "nuke undo",
    site: &["UNNUKE"],
    params: &[
        Param::new(
            "path",
            Kind::Path,
            "the directory, as it is called now or was before",
        ),
        Param::optional("why", Kind::Rest, "for the log"),
    ],
    about: "gives a nuked directory its name back, and credits to those who lost them for it",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(undo(cx, args)),
};

async fn undo(cx: Cx, args: Args) -> Outcome {
    let nukes = cx.plugin::<Nukes>(NAME)?;
    let path = args.path("path")?;
    let now = match nukes.at(path).await? {
        Some(now) => now,
        None => path.clone(),
    };
    let (now, entry) = cx.seen(&now).await?;
    let none = || AdminError::argument("path", "is not nuked");
    let record = nukes.shelf.get::<Record>(&of_dir(entry.id));
    let record = record.map_err(|why| AdminError::failed(&why))?;
    let record = record.ok_or_else(none)?;
    let name = record.from.0.name().cloned().ok_or_else(none)?;
    let to = now.parent().unwrap_or_default().join(name);
    let to = to.map_err(|why| AdminError::argument("path", why))?;
    let (judged, by) = (Meant::judged(&now, &entry), cx.caller.name());
    let undoing = Undoing {
        nukes: Arc::clone(&nukes),
        record,
        by: by.clone(),
    };
    let record = nukes.vfs.rename_along(judged, &to, &by, undoing).await?;
    Answer::of(&Report {
        nukes: vec![record],
    })
}

/// `nuke list [PATH]`.
static LIST: Command = Command {
    name: "nuke list",
    site: &["NUKES"],
    params: &[Param::optional("path", Kind::Path, "only what is below it")],
    about: "shows directories that are nuked, by whom, why, and what it cost",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(list(cx, args)),
};

async fn list(cx: Cx, args: Args) -> Outcome {
    let nukes = cx.plugin::<Nukes>(NAME)?;
    let below = args.path("path").ok().cloned().unwrap_or_default();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = nukes.shelf.page::<Record>("dir/", &after);
        let page = page.map_err(|why| AdminError::failed(&why))?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (key, record) in page {
            // What is gone is not told of, nor what the caller does not see.
            let Ok(path) = nukes.vfs.path_of(dir_of(&key)).await else {
                continue;
            };
            if below.contains(&path) && cx.seen(&path).await.is_ok() {
                let path = At(path);
                found.push(Record { path, ..record });
            }
        }
    }
    found.sort_by_key(|record| std::cmp::Reverse(record.at));
    Answer::of(&Report { nukes: found })
}

/// `nuke clean`.
static CLEAN: Command = Command {
    name: "nuke clean",
    site: &["NUKESCLEAN"],
    params: &[],
    about: "forgets what was nuked and is not there any more",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(clean(cx)),
};

#[derive(Serialize)]
struct Cleaned {
    forgotten: u64,
}

async fn clean(cx: Cx) -> Outcome {
    let nukes = cx.plugin::<Nukes>(NAME)?;
    let forgotten = nukes.clean().await;
    let forgotten = forgotten.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&Cleaned { forgotten })
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records are forgotten", self.forgotten)
    }
}

#[derive(Serialize)]
struct Report {
    nukes: Vec<Record>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = [
            "WHEN",
            "DIRECTORY",
            "FILES",
            "SIZE",
            "x",
            "BY",
            "LOST",
            "WHY",
        ];
        let rows = self.nukes.iter().map(|nuke| {
            let lost = nuke.penalties.iter().map(|of| {
                let credits = u64::try_from(of.credits).unwrap_or(0);
                format!("{} {}", of.user, table::size(credits))
            });
            [
                table::moment(nuke.at),
                nuke.path.0.to_string(),
                nuke.files.to_string(),
                table::size(nuke.bytes),
                nuke.multiplier.to_string(),
                nuke.by.clone(),
                lost.collect::<Vec<_>>().join(", "),
                nuke.why.clone(),
            ]
        });
        match self.nukes.is_empty() {
            true => write!(f, "nothing is nuked"),
            false => table::write(f, heading, &rows.collect::<Vec<_>>()),
        }
    }
}
