//! What of the found would be new, what is there, and making it. A user or group that is there is left alone, so whatever
//! is imported twice is there once.

use serde::Serialize;

use super::{Found, User};
use crate::accounts::edit::change::set_limit;
use crate::accounts::edit::groups::{self, Group};
use crate::accounts::edit::{By, EditError};
use crate::accounts::table::{self, Stored};
use crate::store::{Batch, Sql, StoreError, params};

/// A user or a group, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Whether it is new; what is there is left alone.
    pub new: bool,
    /// Of what is there: what the files say otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<&'static str>,
}

/// Looks at what is there.
///
/// # Errors
/// When the database fails.
pub fn groups(sql: &Sql<'_>, found: &Found) -> Result<Vec<Planned>, StoreError> {
    let one = |group: &Group| {
        let there = groups::find(sql, &group.name)?;
        let differs = there.as_ref().map_or_else(Vec::new, |there| {
            let pairs = [
                ("slots", there.slots == group.slots),
                ("leech_slots", there.leech_slots == group.leech_slots),
                ("least_ratio", there.least_ratio == group.least_ratio),
                ("most_ratio", there.most_ratio == group.most_ratio),
            ];
            otherwise(&pairs)
        });
        Ok(Planned {
            name: group.name.clone(),
            new: there.is_none(),
            differs,
        })
    };
    found.groups.iter().map(one).collect()
}

/// Looks at what is there.
///
/// # Errors
/// When the database fails.
pub fn users(sql: &Sql<'_>, found: &Found) -> Result<Vec<Planned>, StoreError> {
    let one = |user: &User| {
        let name = user.stored.account.name.clone();
        let there = table::find(sql, &name)?;
        Ok(Planned {
            name,
            new: there.is_none(),
            differs: there.map_or_else(Vec::new, |there| differs(&there, &user.stored)),
        })
    };
    found.users.iter().map(one).collect()
}

fn otherwise(pairs: &[(&'static str, bool)]) -> Vec<&'static str> {
    let differ = pairs.iter().filter(|(_, same)| !same);
    differ.map(|(name, _)| *name).collect()
}

/// What is said otherwise, times and hashes aside: those change by themselves.
fn differs(there: &Stored, user: &Stored) -> Vec<&'static str> {
    let (a, b) = (&there.account, &user.account);
    let sorted = |masks: &[String]| {
        let mut masks = masks.to_vec();
        masks.sort();
        masks
    };
    otherwise(&[
        ("group", a.group == b.group),
        ("groups", sorted(&a.groups) == sorted(&b.groups)),
        (
            "administers",
            sorted(&a.administers) == sorted(&b.administers),
        ),
        ("masks", sorted(&there.masks) == sorted(&user.masks)),
        ("ratio", a.ratio == b.ratio),
        ("credits", there.credits == user.credits),
        ("wkly_allotment", there.allotment == user.allotment),
        ("limits", a.limits == b.limits),
        ("home", a.home == b.home),
        ("expires", there.expires == user.expires),
        ("admin", a.admin == b.admin),
        ("deleted", a.deleted == b.deleted),
        ("tagline", there.tagline == user.tagline),
        ("comment", there.comment == user.comment),
    ])
}

/// Makes the groups that are not there.
///
/// # Errors
/// When the caller is no operator, or the database fails.
pub fn make_groups(batch: &Batch<'_>, by: &By, all: &[Group]) -> Result<(), EditError> {
    by.operator(batch)?;
    for group in all {
        if groups::find(batch, &group.name)?.is_some() {
            continue;
        }
        let sql = "INSERT INTO grp VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (least, most) = (group.least_ratio.0, group.most_ratio.0);
        batch.run(
            sql,
            params![
                group.name,
                group.created,
                group.slots,
                group.leech_slots,
                least,
                most
            ],
        )?;
    }
    Ok(())
}

/// Makes the users that are not there; answers who could not be made operators, as the caller may make none.
///
/// # Errors
/// When the caller is no operator, or the database fails.
pub fn make_users(
    batch: &Batch<'_>,
    by: &By,
    all: Vec<Stored>,
    now: i64,
) -> Result<Vec<String>, EditError> {
    let authority = by.operator(batch)?;
    let mut refused = Vec::new();
    for mut user in all {
        if table::find(batch, &user.account.name)?.is_some() {
            continue;
        }
        if user.account.admin && !authority.operators {
            user.account.admin = false;
            refused.push(user.account.name.clone());
        }
        if user.created_by.is_empty() {
            user.created_by.clone_from(&authority.name);
        }
        table::insert(batch, &user)?;
        rest(batch, &user, now)?;
    }
    Ok(refused)
}

/// What a user has who was there for a while, and one that is new has not.
fn rest(batch: &Batch<'_>, user: &Stored, now: i64) -> Result<(), StoreError> {
    let name = &user.account.name;
    let (banned, why) = user.banned.as_ref().map(|(at, why)| (*at, why)).unzip();
    let deleted = user.account.deleted.then_some(now);
    let sql = "UPDATE account SET deleted = ?2, deleted_why = ?3, banned = ?4, banned_why = ?5, expires = ?6,
        certificate = ?7, allotment = ?8, tagline = ?9, comment = ?10, seen = ?11, logins = ?12 WHERE name = ?1";
    batch.run(
        sql,
        params![
            name,
            deleted,
            user.deleted_why,
            banned,
            why,
            user.expires,
            user.certificate,
            user.allotment,
            user.tagline,
            user.comment,
            user.seen,
            user.logins
        ],
    )?;
    for group in &user.account.administers {
        let sql = "INSERT INTO grp_admin (account, grp) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        batch.run(sql, [name, group])?;
    }
    for (limit, value) in user.account.limits.iter() {
        set_limit(
            batch,
            ("account_limit", "account"),
            name,
            limit,
            Some(value),
        )?;
    }
    Ok(())
}
