//! What is known of a user: `user show`, `seen`.

use std::fmt;

use serde::Serialize;

use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Outcome, Param, Permission,
};
use super::stats::Moved;
use super::{people, table};
use crate::accounts::credits;
use crate::accounts::disk::{self, Holder, Owned};
use crate::accounts::edit::Authority;
use crate::accounts::limits::Unit;
use crate::accounts::period::Period;
use crate::accounts::table as accounts;
use crate::accounts::table::Stored;
use crate::accounts::tally::{self, Tally};
use crate::store::{Sql, StoreError};

/// `user show [USER]`.
pub(in crate::admin) const SHOW: Command = Command {
    name: "user show",
    site: &["USER"],
    params: &[Param::optional(
        "user",
        Kind::Text,
        "the user's name; without it, whoever says it",
    )],
    about: "shows an account: one's own, those of a group to its administrators, all to operators",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    user: String,
    group: String,
    groups: Vec<String>,
    administers: Vec<String>,
    state: Vec<String>,
    ratio: String,
    credits: i64,
    credits_held: i64,
    weekly_allotment: i64,
    owns: Owns,
    home: String,
    masks: Vec<String>,
    limits: Vec<Held>,
    tagline: String,
    comment: String,
    created: i64,
    created_by: String,
    expires: Option<i64>,
    seen: Option<i64>,
    logins: i64,
    certificate: bool,
    moved: Vec<OfPeriod>,
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Held {
    limit: &'static str,
    value: u64,
    #[serde(skip)]
    shown: String,
}

/// What files take that are somebody's.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Owns {
    files: u64,
    bytes: u64,
}

impl From<Owned> for Owns {
    fn from(Owned { files, bytes }: Owned) -> Self {
        Self { files, bytes }
    }
}

impl fmt::Display for Owns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {}", self.files, Unit::Bytes.show(self.bytes))
    }
}

#[derive(Serialize)]
struct OfPeriod {
    period: &'static str,
    up: Moved,
    down: Moved,
}

#[derive(Serialize)]
struct Note {
    number: i64,
    written: i64,
    author: String,
    text: String,
}

/// Whether a caller may see what is kept of somebody; who may change somebody may see them.
pub(super) fn may_see(cx: &Cx, found: &Stored) -> bool {
    let Caller::User(user) = &cx.caller else {
        return true;
    };
    let account = &user.account;
    let authority = Authority {
        name: account.name.clone(),
        all: account.admin,
        operators: account.admin,
        groups: account.administers.clone(),
    };
    found.account.name == account.name || authority.is_over(found)
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let name = match args.text("user") {
        Some(name) => name.to_owned(),
        None => people::oneself(cx)?.name.clone(),
    };
    let found = cx.read(|sql| accounts::find(sql, &name))?;
    let found = found
        .filter(|found| may_see(cx, found))
        .ok_or_else(|| none(&name))?;
    let operator = match &cx.caller {
        Caller::User(user) => user.account.admin,
        Caller::Owner | Caller::Token(_) => true,
    };
    let notes = match operator {
        true => cx.read(|sql| notes(sql, &name))?,
        false => Vec::new(),
    };
    let state = state(&found, cx.of.clock.unix());
    let now = cx.of.clock.unix();
    let credits = cx
        .read(|sql| credits::balance(sql, &name, now))?
        .unwrap_or_default();
    let moved = cx.read(|sql| moved(sql, &name, now))?;
    let owns = cx.read(|sql| disk::owned(sql, Holder::User(&name)))?;
    let account = found.account;
    let limits = account.limits.iter().map(|(limit, value)| Held {
        limit: limit.name(),
        value,
        shown: limit.unit().show(value),
    });
    Answer::of(&Shown {
        limits: limits.collect(),
        user: account.name,
        group: account.group,
        groups: account.groups,
        administers: account.administers,
        state,
        ratio: account.ratio.to_string(),
        credits: credits.credits,
        credits_held: credits.held,
        moved,
        owns: owns.into(),
        weekly_allotment: found.allotment,
        home: account.home.to_string(),
        masks: found.masks,
        tagline: found.tagline,
        comment: if operator {
            found.comment
        } else {
            String::new()
        },
        created: found.created,
        created_by: found.created_by,
        expires: found.expires,
        seen: found.seen,
        logins: found.logins,
        certificate: found.certificate.is_some(),
        notes,
    })
}

/// Periods in which something was moved.
fn moved(sql: &Sql<'_>, name: &str, now: i64) -> Result<Vec<OfPeriod>, StoreError> {
    let mut all = Vec::new();
    for period in Period::ALL {
        let tally = tally::of(sql, name, period, now)?;
        if tally != Tally::default() {
            all.push(OfPeriod {
                period: period.name(),
                up: tally.up.into(),
                down: tally.down.into(),
            });
        }
    }
    Ok(all)
}

fn none(name: &str) -> AdminError {
    AdminError {
        code: Code::NotFound,
        ..AdminError::argument(
            "user",
            format!("there is no user {name:?} that you may see"),
        )
    }
}

fn notes(sql: &Sql<'_>, name: &str) -> Result<Vec<Note>, StoreError> {
    let text = "SELECT n, written, author, text FROM account_note WHERE account = ?1 ORDER BY n";
    sql.all(text, [name], |row| {
        Ok(Note {
            number: row.get(0)?,
            written: row.get(1)?,
            author: row.get(2)?,
            text: row.get(3)?,
        })
    })
}

/// What sets an account apart, in words.
pub(super) fn state(found: &Stored, now: i64) -> Vec<String> {
    let account = &found.account;
    let why = |why: Option<&str>| match why {
        None | Some("") => String::new(),
        Some(why) => format!(" ({why})"),
    };
    let ban = found.banned.as_ref().filter(|(until, _)| now < *until);
    let states = [
        account.admin.then(|| "operator".to_owned()),
        account
            .deleted
            .then(|| format!("deleted{}", why(found.deleted_why.as_deref()))),
        found.disabled.then(|| "disabled".to_owned()),
        ban.map(|(until, reason)| {
            format!(
                "banned until {}{}",
                table::moment(*until),
                why(Some(reason))
            )
        }),
        found
            .expires
            .is_some_and(|until| until <= now)
            .then(|| "expired".to_owned()),
        account.anonymous.then(|| "anonymous".to_owned()),
        account
            .must_change
            .then(|| "must change the password".to_owned()),
        account.jail.then(|| "jailed at home".to_owned()),
        (found.password.is_none() && !account.anonymous).then(|| "without a password".to_owned()),
    ];
    states.into_iter().flatten().collect()
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| match value.is_empty() {
            true => Ok(()),
            false => writeln!(f, "{name:<12} {value}"),
        };
        let by = match self.created_by.as_str() {
            "" => String::new(),
            by => format!(" by {by}"),
        };
        line("user", self.user.clone())?;
        line("group", self.group.clone())?;
        line("groups", self.groups.join(", "))?;
        line("administers", self.administers.join(", "))?;
        line("state", self.state.join(", "))?;
        line("ratio", self.ratio.clone())?;
        let held = match self.credits_held {
            0 => String::new(),
            held => format!(", {} of them held by downloads", Unit::show_signed(held)),
        };
        line(
            "credits",
            format!("{}{held}", Unit::show_signed(self.credits)),
        )?;
        if self.weekly_allotment != 0 {
            line("each week", Unit::show_signed(self.weekly_allotment))?;
        }
        for of in &self.moved {
            let ([up_files, up, _], [down_files, down, _]) = (of.up.cells(), of.down.cells());
            let name = match of.period {
                "ever" => "moved".to_owned(),
                period => format!("this {period}"),
            };
            line(
                &name,
                format!("up {up} ({up_files}), down {down} ({down_files})"),
            )?;
        }
        line("owns", self.owns.to_string())?;
        line("home", self.home.clone())?;
        line("masks", self.masks.join(", "))?;
        let limits = self
            .limits
            .iter()
            .map(|held| format!("{} {}", held.limit, held.shown));
        line("limits", limits.collect::<Vec<_>>().join(", "))?;
        line("tagline", self.tagline.clone())?;
        line("comment", self.comment.clone())?;
        line("created", format!("{}{by}", table::moment(self.created)))?;
        line(
            "expires",
            self.expires.map(table::moment).unwrap_or_default(),
        )?;
        line(
            "last login",
            self.seen.map_or_else(|| "never".to_owned(), table::moment),
        )?;
        line("logins", self.logins.to_string())?;
        if self.certificate {
            line("certificate", "is asked for".to_owned())?;
        }
        for note in &self.notes {
            let text = format!(
                "{} ({}): {}",
                table::moment(note.written),
                note.author,
                note.text
            );
            line(&format!("note {}", note.number), text)?;
        }
        Ok(())
    }
}

/// `seen USER`.
pub(in crate::admin) const SEEN: Command = Command {
    name: "seen",
    site: &["SEEN"],
    params: &[Param::new("user", Kind::Text, "the user's name")],
    about: "tells when somebody last logged in",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(seen(&cx, &args))),
};

#[derive(Serialize)]
struct Seen {
    user: String,
    seen: Option<i64>,
}

fn seen(cx: &Cx, args: &Args) -> Outcome {
    let name = args.need_text("user")?;
    let found = cx.read(|sql| accounts::find(sql, name))?;
    let found = found.filter(|found| !found.account.deleted);
    let found = found.ok_or_else(|| none(name))?;
    Answer::of(&Seen {
        user: found.account.name,
        seen: found.seen,
    })
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seen {
            Some(at) => write!(f, "{} last logged in at {}", self.user, table::moment(at)),
            None => write!(f, "{} never logged in", self.user),
        }
    }
}
