//! Fields of accounts that can be changed, for one user, for a group, or for all.

use drftpd_protocol::VfsPath;

use crate::accounts::credits;
use crate::accounts::legacy::unhex;
use crate::accounts::limits::{Limit, Unit};
use crate::accounts::names::check_text;
use crate::accounts::ratio::Ratio;
use crate::accounts::table::{self, Stored};
use crate::store::{Batch, StoreError, params};

use super::{Authority, By, EditError, groups, users};

/// Whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// One user.
    User(String),
    /// All of a group.
    Group(String),
    /// Everybody.
    All,
}

impl Whom {
    /// `NAME`, `=GROUP` or `*`.
    pub fn read(text: &str) -> Self {
        match text.strip_prefix('=') {
            Some(group) => Self::Group(group.to_owned()),
            None if text == "*" => Self::All,
            None => Self::User(text.to_owned()),
        }
    }
}

/// A field with its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Primary group.
    Group(String),
    /// Ratio.
    Ratio(Ratio),
    /// Credits, in bytes.
    Credits(i64),
    /// What credits are set to each week.
    Allotment(i64),
    /// What the user says.
    Tagline(String),
    /// What operators say.
    Comment(String),
    /// One of the switches.
    Switch(&'static str, bool),
    /// Where the user stands after login.
    Home(VfsPath),
    /// Until when; `None`: for ever.
    Expires(Option<i64>),
    /// SHA-256 of the client's certificate; `None`: none is asked for.
    Certificate(Option<Vec<u8>>),
    /// Since when.
    Created(i64),
    /// Limits; `None`: none.
    Limits(Vec<(Limit, Option<u64>)>),
}

/// Switches: how they are called, and their columns.
const SWITCHES: [(&str, &str); 5] = [
    ("admin", "admin"),
    ("disabled", "disabled"),
    ("anonymous", "anonymous"),
    ("jail", "jail"),
    ("must_change", "must_change"),
];

/// Fields beside switches and limits, for help.
pub const FIELDS: &str = "group, ratio, credits, wkly_allotment, tagline, comment, home, expires, certificate, created, num_logins, max_sim, \
    admin, disabled, anonymous, jail, must_change, or a limit";

impl Change {
    /// Reads a field and its values as people write them.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn read(field: &str, values: &[&str]) -> Result<Self, EditError> {
        let wrong = |why: &dyn std::fmt::Display| EditError::wrong("value", why);
        if let Some((name, _)) = SWITCHES.iter().find(|(name, _)| *name == field) {
            return match values {
                ["yes" | "on" | "true" | "1"] => Ok(Self::Switch(name, true)),
                ["no" | "off" | "false" | "0"] => Ok(Self::Switch(name, false)),
                _ => Err(wrong(&"must be yes or no")),
            };
        }
        let text = || {
            let text = values.join(" ");
            check_text(&text).map_err(|why| wrong(&why))?;
            Ok::<_, EditError>(text)
        };
        Ok(match (field, values) {
            ("tagline", _) => Self::Tagline(text()?),
            ("comment", _) => Self::Comment(text()?),
            ("group", [name]) => Self::Group((*name).to_owned()),
            ("ratio", [ratio]) => Self::Ratio(ratio.parse().map_err(|why| wrong(&why))?),
            ("credits", [bytes]) => Self::Credits(signed(bytes)?),
            ("wkly_allotment" | "allotment", [bytes]) => Self::Allotment(signed(bytes)?),
            ("home", [path]) => {
                let path = VfsPath::absolute(path.as_bytes());
                Self::Home(path.map_err(|why| wrong(&why))?)
            }
            ("expires", ["never" | "none"]) => Self::Expires(None),
            ("expires", [date]) => Self::Expires(Some(moment(date)?)),
            ("created", [date]) => Self::Created(moment(date)?),
            ("certificate", ["none"]) => Self::Certificate(None),
            ("certificate", [hex]) => {
                let bytes = unhex(&hex.replace(':', "")).filter(|bytes| bytes.len() == 32);
                let why = "must be the SHA-256 of the certificate in hex, or none";
                Self::Certificate(Some(bytes.ok_or_else(|| wrong(&why))?))
            }
            ("idle_time", [value]) => Self::Limits(vec![limit("idle", value)?]),
            ("num_logins", [all]) => Self::Limits(vec![limit("logins", unlimited(all))?]),
            ("num_logins", [all, each]) => Self::Limits(vec![
                limit("logins", unlimited(all))?,
                limit("logins_per_address", unlimited(each))?,
            ]),
            ("max_sim", [down, up]) => Self::Limits(vec![
                limit("downloads", unlimited(down))?,
                limit("uploads", unlimited(up))?,
            ]),
            (name, [value]) if Limit::of_name(name).is_some() => {
                Self::Limits(vec![limit(name, value)?])
            }
            _ => {
                let limits: Vec<&str> = crate::accounts::limits::LIMITS
                    .iter()
                    .map(|it| it.1)
                    .collect();
                let why = format!("must be {FIELDS} ({}), with its value", limits.join(", "));
                return Err(EditError::wrong("field", why));
            }
        })
    }
}

/// DrFTPD says 0 or less where nothing is limited.
fn unlimited(text: &str) -> &str {
    match text {
        "0" | "-1" => "none",
        text => text,
    }
}

/// A limit's value, or `none`.
pub(super) fn limit(name: &str, value: &str) -> Result<(Limit, Option<u64>), EditError> {
    let limit = Limit::of_name(name).ok_or_else(|| EditError::wrong("field", "is no limit"))?;
    if value == "none" {
        return Ok((limit, None));
    }
    let read = limit.unit().read(value);
    let read =
        read.ok_or_else(|| EditError::wrong("value", "must be a number of that limit, or none"))?;
    Ok((limit, Some(read)))
}

fn signed(text: &str) -> Result<i64, EditError> {
    let wrong = || EditError::wrong("value", "must be a number of bytes, like 10GB");
    Unit::read_signed(text).ok_or_else(wrong)
}

/// A day (its first moment, UTC) or a moment, as Unix seconds.
pub fn moment(text: &str) -> Result<i64, EditError> {
    let whole = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    let at = humantime::parse_rfc3339(&whole).ok();
    let since = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let unix = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    unix.ok_or_else(|| {
        EditError::wrong(
            "value",
            "must be a day like 2027-01-31, or a moment like 2027-01-31T12:00:00Z",
        )
    })
}

/// Changes a field of one or of many; answers whose. All or nobody.
///
/// # Errors
/// When there is nobody, or the caller may not.
pub fn change(
    batch: &Batch<'_>,
    by: &By,
    whom: &Whom,
    change: &Change,
    now: i64,
) -> Result<Vec<String>, EditError> {
    let authority = by.authority(batch)?;
    if let Change::Group(group) = change {
        groups::need(batch, group)?;
    }
    let whose = match whom {
        Whom::User(name) => vec![authority.over(batch, name)?],
        Whom::Group(_) | Whom::All if !authority.all => {
            return Err(EditError::Denied(
                "only operators of the site change many at once",
            ));
        }
        Whom::Group(group) => members(batch, group)?,
        Whom::All => everybody(
            batch,
            users::names(
                batch,
                "SELECT name FROM account WHERE '' = ?1 ORDER BY name",
                "",
            )?,
        )?,
    };
    for target in &whose {
        if !authority.is_over(target) {
            return Err(EditError::Denied(
                "there is somebody among them whom you may not change",
            ));
        }
        judge(batch, &authority, target, change)?;
    }
    let puts_out = matches!(
        change,
        Change::Switch("admin", false)
            | Change::Switch("disabled", true)
            | Change::Expires(Some(_))
    );
    if puts_out {
        users::others_operate(batch, &whose.iter().collect::<Vec<_>>())?;
    }
    for target in &whose {
        write(batch, &target.account.name, change, now)?;
    }
    Ok(whose.into_iter().map(|it| it.account.name).collect())
}

fn members(batch: &Batch<'_>, group: &str) -> Result<Vec<Stored>, EditError> {
    groups::need(batch, group)?;
    let text = "SELECT name FROM account WHERE grp = ?1 UNION SELECT account FROM member WHERE grp = ?1 ORDER BY 1";
    everybody(batch, users::names(batch, text, group)?)
}

fn everybody(batch: &Batch<'_>, names: Vec<String>) -> Result<Vec<Stored>, EditError> {
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        all.extend(table::find(batch, &name)?);
    }
    Ok(all)
}

/// Whether this caller may change this field of this account.
fn judge(
    batch: &Batch<'_>,
    by: &Authority,
    target: &Stored,
    change: &Change,
) -> Result<(), EditError> {
    match change {
        Change::Ratio(ratio) if !by.all => {
            let group = groups::need(batch, &target.account.group)?;
            group.lets(batch, Some(target.account.ratio), *ratio)
        }
        _ if !by.all => Err(EditError::Denied(
            "administrators of groups change ratios only",
        )),
        Change::Switch("admin", true) if !by.operators => {
            Err(EditError::Denied("this token makes nobody an operator"))
        }
        Change::Switch("anonymous", true)
            if target.account.admin || !target.account.administers.is_empty() =>
        {
            Err(EditError::Denied("an operator needs a password"))
        }
        Change::Switch("admin", true) if target.account.anonymous => {
            Err(EditError::Denied("an operator needs a password"))
        }
        Change::Group(group) if target.account.groups.contains(group) => Err(EditError::wrong(
            "value",
            format!(
                "{} is in it already, beside the primary one",
                target.account.name
            ),
        )),
        _ => Ok(()),
    }
}

fn write(batch: &Batch<'_>, name: &str, change: &Change, now: i64) -> Result<(), EditError> {
    let set = |column: &str, value: &dyn rusqlite::ToSql| {
        let sql = format!("UPDATE account SET {column} = ?2 WHERE name = ?1");
        batch.run(&sql, params![name, value])
    };
    match change {
        Change::Group(group) => set("grp", group),
        Change::Ratio(ratio) => set("ratio", &ratio.0),
        Change::Credits(bytes) => {
            credits::set(batch, name, *bytes, now)?;
            Ok(0)
        }
        // It counts from the next week on: this one's credits are what they are.
        Change::Allotment(bytes) => {
            credits::add(batch, name, 0, now)?;
            set("allotment", bytes)
        }
        Change::Tagline(text) => set("tagline", text),
        Change::Comment(text) => set("comment", text),
        Change::Switch(switch, on) => {
            let column = SWITCHES.iter().find(|(name, _)| name == switch);
            set(column.map_or("disabled", |(_, column)| column), on)
        }
        Change::Home(path) => set("home", &path.to_bytes()),
        Change::Expires(until) => set("expires", until),
        Change::Certificate(hash) => set("certificate", hash),
        Change::Created(at) => set("created", at),
        Change::Limits(limits) => {
            for (limit, value) in limits {
                set_limit(batch, ("account_limit", "account"), name, *limit, *value)?;
            }
            Ok(0)
        }
    }?;
    Ok(())
}

/// Sets a limit in one of the two tables, or takes it away.
///
/// # Errors
/// When the database fails.
pub(crate) fn set_limit(
    batch: &Batch<'_>,
    (table, column): (&str, &str),
    name: &str,
    limit: Limit,
    value: Option<u64>,
) -> Result<usize, StoreError> {
    match value {
        Some(value) => {
            let sql = format!(
                "INSERT OR REPLACE INTO {table} ({column}, what, value) VALUES (?1, ?2, ?3)"
            );
            batch.run(&sql, params![name, limit.name(), value.cast_signed()])
        }
        None => {
            let sql = format!("DELETE FROM {table} WHERE {column} = ?1 AND what = ?2");
            batch.run(&sql, params![name, limit.name()])
        }
    }
}
