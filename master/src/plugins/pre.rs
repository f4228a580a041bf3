//! `pre`: a group shows a release that it had kept to itself: its directory goes from where it is hidden to its section.
//!
//! One command of the store: place, owner, times, credits and event are there together or not at all. Who may is said by lines
//! `pre` of the permissions, for the directory's place of before; nobody needs other rights for it.

use std::fmt;
use std::sync::Arc;

use drftpd_actors::{Check, Clock, ConfigError};
use drftpd_protocol::VfsPath;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::accounts::people::Changes;
use crate::accounts::{credits, earned};
use crate::admin::commands::table;
use crate::admin::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use crate::extend::{Act, CannotStart, Plugin, PluginCx, section};
use crate::outbox::{At, Event};
use crate::rights::Directive;
use crate::sections::SectionsConfig;
use crate::store::number;
use crate::vfs::{Along, Kind as Entries, Meant, Moving, VfsClient, VfsError};

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
            owner: None,
            group: None,
            credits: false,
            most_files: 20_000,
        }
    }
}

impl Check for PreConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.most_files == 0 {
            errors.push(ConfigError::new("most_files", "must be 1 or more"));
        }
    }
}

/// What its command uses.
struct Pre {
    config: PreConfig,
    sections: SectionsConfig,
    clock: Clock,
    vfs: VfsClient,
    changes: Changes,
}

fn start(cx: &mut PluginCx<'_>) -> Result<(), CannotStart> {
    let pre = Pre {
        config: cx.config()?,
        sections: cx.given().config.sections.clone(),
        clock: cx.given().clock.clone(),
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
    // Others may have something against it, as against any directory that comes to that place.
    let passes = cx
        .view()?
        .passes(Act::Rename, &to, Some(&entry), Some(&from))
        .await;
    passes.map_err(|why| AdminError::new(Code::Failed, why.to_string()))?;
    let by = cx.caller.name();
    let release = Release {
        pre: Arc::clone(&pre),
        section: section.to_owned(),
        from: from.clone(),
        by: by.clone(),
    };
    let judged = Meant::judged(&from, &entry);
    let report = pre.vfs.rename_along(judged, &to, &by, release).await?;
    Answer::of(&report)
}

impl Pre {
    /// Where a directory goes in a section.
    async fn place(&self, section: &str, from: &VfsPath) -> Result<VfsPath, AdminError> {
        let wrong = |why: &dyn fmt::Display| AdminError::argument("section", why);
        let Some(of) = self.sections.named(section) else {
            let all = self.sections.list.iter().map(|it| it.name.as_str());
            let all = all.collect::<Vec<_>>().join(", ");
            return Err(wrong(&format!(
                "there is none of that name; there are {all}"
            )));
        };
        let today = of.of_day(self.clock.unix());
        let path = today.unwrap_or_else(|| of.path.clone());
        let there = self.vfs.look(&path, true).await?;
        if there.entry.is_none_or(|entry| entry.kind != Entries::Dir) {
            return Err(wrong(&format!("{path} is no directory")));
        }
        let name = from.name().cloned();
        let name = name.ok_or_else(|| AdminError::argument("path", "must not be the top"))?;
        there.path.join(name).map_err(|why| wrong(&why))
    }
}

/// Publishes what is renamed.
struct Release {
    pre: Arc<Pre>,
    section: String,
    from: VfsPath,
    by: String,
}

impl Along for Release {
    type Answer = Report;

    fn check(&mut self, moving: &Moving<'_>) -> Result<(), VfsError> {
        moving.is_directory_of(self.pre.config.most_files)?;
        if moving.has_unfinished()? {
            let why = "some of it is not complete".to_owned();
            return Err(VfsError::Unwanted(why));
        }
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
            pay(moved, &self.by)?;
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

/// Gives uploaders what their bytes are worth by their ratio, as far as they earned nothing when they came.
fn pay(moved: &Moving<'_>, by: &str) -> Result<(), VfsError> {
    for file in moved.files()? {
        for (user, worth) in earned::make_worth(moved, number(file.0))? {
            if worth != 0 {
                credits::charge(moved, &user, worth, (by, "released"), moved.now())?;
            }
        }
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
