//! Accounts of other daemons: `import`.

use std::fmt;
use std::path::{Path, PathBuf};

use drftpd_protocol::Name;
use serde::Serialize;

use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::people;
use crate::accounts::table::Stored;
use crate::import::plan::{self, Planned};
use crate::import::{self, Finding, Format, Found};
use crate::store::StoreError;

/// Users that one command of the store makes: others' changes get their turn between.
const AT_ONCE: usize = 200;
/// Lines of each kind that are shown to people; programs have all.
const SHOWN: usize = 500;

/// `import FORMAT FROM [apply]`.
pub(in crate::admin) const IMPORT: Command = Command {
    name: "import",
    site: &["IMPORT"],
    params: &[
        Param::new("format", Kind::Word(Format::NAMES), "whose files"),
        Param::new(
            "from",
            Kind::Text,
            "the folder or file: a name in the folder imports of the master; by ctl also a whole path on its machine",
        ),
        Param::optional(
            "apply",
            Kind::Switch,
            "make what is new; without it, only say what that is",
        ),
    ],
    about: "takes over users and groups of DrFTPD, glftpd, passwd or csv; those that are there stay as they are",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(import(cx, args)),
};

#[derive(Serialize)]
struct Report {
    applied: bool,
    users: Vec<Planned>,
    groups: Vec<Planned>,
    findings: Vec<Finding>,
}

async fn import(cx: Cx, args: Args) -> Outcome {
    let format = args.need_text("format")?.parse::<Format>();
    let format = format.map_err(|()| AdminError::argument("format", "is none"))?;
    let from = source(&cx, args.need_text("from")?)?;
    let (group, now) = (
        cx.of.people.config().default_group.clone(),
        cx.of.clock.unix(),
    );
    let read = move || import::read(format, &from, &group, now);
    let found = cx.of.blocking.run(read).await;
    let found = found.map_err(|why| AdminError::failed(&why))?;
    let mut found = found.map_err(|why| AdminError {
        code: Code::NotFound,
        ..AdminError::argument("from", why)
    })?;
    let (users, groups) = planned(&cx, &found)?;
    let applied = args.said("apply");
    if applied {
        apply(&cx, &mut found, &users).await?;
    }
    Answer::of(&Report {
        applied,
        users,
        groups,
        findings: found.findings,
    })
}

/// A name is one in the master's own folder: only its owner has a say over other files.
fn source(cx: &Cx, said: &str) -> Result<PathBuf, AdminError> {
    if Path::new(said).is_absolute() && matches!(cx.caller, Caller::Owner) {
        return Ok(said.into());
    }
    let name = Name::new(said.as_bytes().to_vec());
    name.map_err(|why| AdminError::argument("from", why))?;
    Ok(cx.of.config.master.dir.join("imports").join(said))
}

fn planned(cx: &Cx, found: &Found) -> Result<(Vec<Planned>, Vec<Planned>), AdminError> {
    let looked = cx.of.store.read(|sql| {
        let users = plan::users(sql, found)?;
        Ok::<_, StoreError>((users, plan::groups(sql, found)?))
    });
    looked.map_err(|why| AdminError::failed(&why))
}

async fn apply(cx: &Cx, found: &mut Found, planned: &[Planned]) -> Result<(), AdminError> {
    let (by, now) = (people::by(cx), cx.of.clock.unix());
    let (groups, of) = (found.groups.clone(), by.clone());
    people::edit(cx, move |batch| plan::make_groups(batch, &of, &groups)).await?;
    let new = found.users.iter().zip(planned).filter(|(_, it)| it.new);
    let mut new: Vec<_> = new.map(|(user, _)| user.clone()).collect();
    for some in new.chunks_mut(AT_ONCE) {
        let mut users: Vec<Stored> = Vec::with_capacity(some.len());
        for user in some {
            if let Some(clear) = user.clear.take() {
                let hash = cx.of.people.hash(&clear, &cx.of.blocking).await;
                user.stored.password = Some(hash.map_err(|why| AdminError::failed(&why))?);
            }
            users.push(user.stored.clone());
        }
        let by = by.clone();
        let made = people::edit(cx, move |batch| plan::make_users(batch, &by, users, now));
        for name in made.await? {
            found.findings.push(Finding {
                file: "-".to_owned(),
                line: None,
                why: format!("user {name} is no operator: this token makes nobody one"),
            });
        }
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, all) in [("group", &self.groups), ("user", &self.users)] {
            for one in all.iter().take(SHOWN) {
                let name = &one.name;
                match (one.new, one.differs.is_empty()) {
                    (true, _) if self.applied => writeln!(f, "{what} {name}: made")?,
                    (true, _) => writeln!(f, "{what} {name}: new")?,
                    (false, true) => writeln!(f, "{what} {name}: there")?,
                    (false, false) => {
                        let differs = one.differs.join(", ");
                        writeln!(
                            f,
                            "{what} {name}: there, and left alone; the files say otherwise: {differs}"
                        )?;
                    }
                }
            }
            more(f, what, all.len())?;
        }
        for finding in self.findings.iter().take(SHOWN) {
            writeln!(f, "{finding}")?;
        }
        more(f, "finding", self.findings.len())?;
        let new = |all: &[Planned]| all.iter().filter(|one| one.new).count();
        let (users, groups) = (new(&self.users), new(&self.groups));
        let (of_users, of_groups) = (self.users.len(), self.groups.len());
        write!(
            f,
            "{users} of {of_users} users and {groups} of {of_groups} groups are new, {} findings; ",
            self.findings.len()
        )?;
        f.write_str(match self.applied {
            true => "those are made",
            false => "nothing was changed: say apply to make those",
        })
    }
}

fn more(f: &mut fmt::Formatter<'_>, what: &str, all: usize) -> fmt::Result {
    match all.checked_sub(SHOWN) {
        Some(more) if more > 0 => writeln!(f, "… and {more} {what}s more"),
        _ => Ok(()),
    }
}
