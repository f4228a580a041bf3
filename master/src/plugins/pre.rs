//! `pre`: a group shows a release that it had kept to itself: its directory goes from where it is hidden to its section.
//!
//! One command of the store: place, owner, times, credits and event are there together or not at all. Who may is said by lines
//! `pre` of the permissions, for the directory's place of before; nobody needs other rights for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use drftpd_actors::{Check, ConfigError};
use drftpd_protocol::VfsPath;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::accounts::credits;
use crate::accounts::earned::credits_for;
use crate::accounts::people::Changes;
use crate::admin::commands::table;
use crate::admin::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use crate::extend::{Act, Asked, CannotStart, Plugin, PluginCx, section};
use crate::outbox::{At, Event};
use crate::rights::Directive;
use crate::vfs::{Along, Entry, Kind as Entries, Moving, Share, VfsClient, VfsError};

#[cfg(test)]
mod tests;

const NAME: &str = "pre";

/// The plugin.
pub static PRE: Plugin = Plugin {
    name: NAME,
    about: "moves directories of groups into their sections",
    commands: &[&RELEASE],
    check: |table| section::<PreConfig>(table).map(drop),
    start,
};

/// `[plugins.pre]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PreConfig {
    /// The directory of each section.
    sections: BTreeMap<String, String>,
    /// Whose a release is then; without it it stays its uploaders'.
    owner: Option<String>,
    /// The group that it has then.
    group: Option<String>,
    /// Whether uploaders get credits for its bytes, by their ratio: where uploads to hidden places give none.
    credits: bool,
    /// Directories with more files are not taken.
    most_files: u64,
}

impl Default for PreConfig {
    fn default() -> Self {
        Self {
            sections: BTreeMap::new(),
            owner: None,
            group: None,
            credits: false,
            most_files: 20_000,
        }
    }
}

impl Check for PreConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (name, path) in &self.sections {
            if VfsPath::absolute(path.as_bytes()).is_err() || name.contains(char::is_whitespace) {
                let why = "must be a word and a directory that begins with /";
                errors.push(ConfigError::new(format!("sections.{name}"), why));
            }
        }
        if self.most_files == 0 {
            errors.push(ConfigError::new("most_files", "must be 1 or more"));
        }
    }
}

/// What its command uses.
struct Pre {
    config: PreConfig,
    vfs: VfsClient,
    changes: Changes,
}

fn start(cx: &mut PluginCx<'_>) -> Result<(), CannotStart> {
    let pre = Pre {
        config: cx.config()?,
        vfs: cx.given().vfs.clone(),
        changes: cx.given().people.changes.clone(),
    };
    cx.shares(Arc::new(pre));
    Ok(())
}

/// `pre release PATH SECTION`.
static RELEASE: Command = Command {
    name: "pre release",
    site: &["PRE"],
    params: &[
        Param::new("path", Kind::Path, "the directory"),
        Param::new("section", Kind::Text, "where it goes"),
    ],
    about: "moves a directory of a group into a section, for everybody to see",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, args| Box::pin(release(cx, args)),
};

async fn release(cx: Cx, args: Args) -> Outcome {
    let pre = cx.plugin::<Pre>(NAME)?;
    let (from, entry) = cx.seen(args.path("path")?).await?;
    if let Caller::User(user) = &cx.caller {
        let rules = cx.of.rights.rules();
        if !rules.name(Directive::Pre, &user.account, &from) {
            return Err(AdminError::new(Code::Denied, ""));
        }
    }
    let section = args.text("section").unwrap_or_default();
    let to = pre.place(section, &from).await?;
    passes(&cx, &entry, &from, &to).await?;
    let by = cx.caller.name();
    let release = Release {
        pre: Arc::clone(&pre),
        section: section.to_owned(),
        from: from.clone(),
        by: by.clone(),
        shares: Vec::new(),
    };
    let report = pre.vfs.rename_along(&from, &to, &by, release).await?;
    Answer::of(&report)
}

impl Pre {
    /// Where a directory goes in a section.
    async fn place(&self, section: &str, from: &VfsPath) -> Result<VfsPath, AdminError> {
        let wrong = |why: &dyn fmt::Display| AdminError::argument("section", why);
        let known = self.config.sections.iter();
        let mut known = known.filter(|(name, _)| name.eq_ignore_ascii_case(section));
        let Some((_, path)) = known.next() else {
            let all: Vec<&str> = self.config.sections.keys().map(String::as_str).collect();
            return Err(wrong(&format!(
                "there is none of that name; there are {}",
                all.join(", ")
            )));
        };
        let path = VfsPath::absolute(path.as_bytes()).map_err(|why| wrong(&why))?;
        let there = self.vfs.look(&path, true).await?;
        if there.entry.is_none_or(|entry| entry.kind != Entries::Dir) {
            return Err(wrong(&format!("{path} is no directory")));
        }
        let name = from.name().cloned();
        let name = name.ok_or_else(|| AdminError::argument("path", "must not be the top"))?;
        there.path.join(name).map_err(|why| wrong(&why))
    }
}

/// Others may have something against it, as against any directory that comes to that place.
async fn passes(cx: &Cx, entry: &Entry, from: &VfsPath, to: &VfsPath) -> Result<(), AdminError> {
    let Caller::User(user) = &cx.caller else {
        return Ok(());
    };
    let question = || Asked {
        what: Act::Rename,
        who: Arc::clone(&user.account),
        client: Some(user.peer),
        path: to.clone(),
        entry: Some(entry.clone()),
        from: Some(from.clone()),
    };
    let gates = cx.online()?.plugins.gates();
    let asked = gates.ask(Act::Rename, question).await;
    asked.map_err(|stopped| AdminError::new(Code::Failed, stopped.why()))
}

/// Publishes what is renamed.
struct Release {
    pre: Arc<Pre>,
    section: String,
    from: VfsPath,
    by: String,
    shares: Vec<Share>,
}

impl Along for Release {
    type Answer = Report;

    fn check(&mut self, moving: &Moving<'_>) -> Result<(), VfsError> {
        moving.is_directory_of(self.pre.config.most_files)?;
        if moving.has_unfinished()? {
            let why = "some of it is not complete".to_owned();
            return Err(VfsError::Unwanted(why));
        }
        self.shares = moving.shares()?;
        Ok(())
    }

    fn write(self, moved: &Moving<'_>) -> Result<Report, VfsError> {
        let config = &self.pre.config;
        moved.touch(moved.now())?;
        if config.owner.is_some() || config.group.is_some() {
            moved.give_to(config.owner.as_deref(), config.group.as_deref())?;
        }
        let report = Report {
            path: At(moved.path()?),
            files: moved.entry().files,
            bytes: moved.entry().size,
        };
        if config.credits {
            for share in &self.shares {
                earn(moved, share, &report)?;
            }
            let changes = self.pre.changes.clone();
            moved.on_commit(move || changes.add());
        }
        let facts = json!({
            "from": At(self.from),
            "section": self.section,
            "group": moved.entry().group,
            "files": report.files,
            "bytes": report.bytes,
        });
        moved.tell(Event::Plugin {
            plugin: NAME.to_owned(),
            what: "released".to_owned(),
            path: report.path.clone(),
            by: Some(self.by),
            facts: facts.as_object().cloned().unwrap_or_default(),
        })?;
        Ok(report)
    }
}

/// Gives an uploader what the bytes are worth by their ratio.
fn earn(moved: &Moving<'_>, share: &Share, report: &Report) -> Result<(), VfsError> {
    let user = share.owner.user.as_str();
    let text = "SELECT ratio FROM account WHERE name = ?1";
    let ratio: Option<u32> = moved.get(text, [user], |row| row.get(0))?;
    let bytes = i64::try_from(share.bytes).unwrap_or(i64::MAX);
    let bytes = credits_for(bytes, ratio.unwrap_or(0));
    if bytes != 0 {
        let why = format!("release of {}", report.path.0);
        credits::charge(moved, user, bytes, (NAME, &why), moved.now())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Report {
    path: At,
    files: u64,
    bytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, files) = (&self.path.0, self.files);
        write!(
            f,
            "released {path}: {files} files, {}",
            table::size(self.bytes)
        )
    }
}
