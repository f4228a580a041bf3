//! Accounts that come, go, and come back; their passwords, masks, bans, notes and groups.

use crate::accounts::earned;
use crate::accounts::masks::Mask;
use crate::accounts::names::{check, check_text};
use crate::accounts::ratio::Ratio;
use crate::accounts::table::{self, Stored};
use crate::accounts::types::Account;
use crate::store::{Batch, StoreError, params};

use super::groups::{self, Group};
use super::{Authority, By, EditError};

/// A user to be.
#[derive(Debug, Clone)]
pub struct New {
    /// How they are called.
    pub name: String,
    /// The hash of their password.
    pub hash: String,
    /// Their group; without one the caller's only one, or `group_else`.
    pub group: Option<String>,
    /// The group of those for whom none is said.
    pub group_else: String,
    /// From where they come.
    pub masks: Vec<Mask>,
    /// Their ratio, as far as their group's administrator may give it.
    pub ratio: Ratio,
    /// When, Unix seconds.
    pub now: i64,
}

/// Makes an account.
///
/// # Errors
/// When the name is taken, the group is not there or has no slot left, or the caller may not.
pub fn add(batch: &Batch<'_>, by: &By, new: New) -> Result<Stored, EditError> {
    let authority = by.authority(batch)?;
    check(&new.name).map_err(|why| EditError::wrong("user", why))?;
    let group = group_for(batch, &authority, &new)?;
    if let Some(there) = table::find(batch, &new.name)? {
        return Err(match there.account.deleted && authority.is_over(&there) {
            true => EditError::wrong("user", "is there, deleted: take it back, or purge it"),
            false => EditError::Taken(new.name),
        });
    }
    let mut ratio = new.ratio;
    if !authority.all {
        let group = groups::need(batch, &group)?;
        group.has_slot(batch)?;
        ratio = ratio.clamp(group.least_ratio, group.most_ratio.max(group.least_ratio));
        group.lets(batch, None, ratio)?;
    }
    let account = Account {
        ratio,
        ..Account::new(&new.name, &group)
    };
    let stored = Stored {
        created_by: authority.name,
        masks: new.masks.iter().map(ToString::to_string).collect(),
        ..Stored::new(account, Some(new.hash), new.now)
    };
    table::insert(batch, &stored)?;
    Ok(stored)
}

fn group_for(batch: &Batch<'_>, by: &Authority, new: &New) -> Result<String, EditError> {
    match (&new.group, by.groups.as_slice()) {
        (Some(group), mine) if by.all || mine.contains(group) => {
            Ok(groups::need(batch, group)?.name)
        }
        (Some(group), _) => Err(EditError::NoGroup(group.clone())),
        (None, _) if by.all => Ok(new.group_else.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(EditError::wrong("group", "say which of your groups")),
    }
}

/// Deletes an account so that it can be taken back.
///
/// # Errors
/// When there is none that the caller may delete, or it is the last operator's.
pub fn delete(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    why: &str,
    now: i64,
) -> Result<(), EditError> {
    check_text(why).map_err(|why| EditError::wrong("reason", why))?;
    let found = by.authority(batch)?.over(batch, name)?;
    if found.account.deleted {
        return Err(EditError::wrong("user", "is deleted already"));
    }
    others_operate(batch, &[&found])?;
    let sql = "UPDATE account SET deleted = ?2, deleted_why = ?3 WHERE name = ?1";
    batch.run(sql, params![name, now, why])?;
    Ok(())
}

/// Somebody must be able to operate the site without these.
pub(super) fn others_operate(batch: &Batch<'_>, without: &[&Stored]) -> Result<(), EditError> {
    if !without.iter().any(|one| one.account.admin) {
        return Ok(());
    }
    let operators = "SELECT name FROM account WHERE admin <> 0 AND disabled = 0 AND deleted IS NULL
        AND password IS NOT NULL AND '' = ?1";
    let operators = names(batch, operators, "")?;
    let stays = |name: &String| without.iter().all(|one| one.account.name != *name);
    match operators.iter().any(stays) {
        true => Ok(()),
        false => Err(EditError::Denied("the last operator of the site must stay")),
    }
}

/// Takes a deleted account back.
///
/// # Errors
/// When there is none, or its group has no slot left.
pub fn readd(batch: &Batch<'_>, by: &By, name: &str) -> Result<(), EditError> {
    let authority = by.authority(batch)?;
    let found = deleted(batch, &authority, name)?;
    if !authority.all {
        let group = groups::need(batch, &found.account.group)?;
        group.has_slot(batch)?;
        group.lets(batch, None, found.account.ratio)?;
    }
    let sql = "UPDATE account SET deleted = NULL, deleted_why = NULL WHERE name = ?1";
    batch.run(sql, [name])?;
    Ok(())
}

/// Forgets a deleted account for ever. Its files keep the name of their owner.
///
/// # Errors
/// When there is none, or it is not deleted.
pub fn purge(batch: &Batch<'_>, by: &By, name: &str) -> Result<(), EditError> {
    let authority = by.authority(batch)?;
    deleted(batch, &authority, name)?;
    batch.run("DELETE FROM account WHERE name = ?1", [name])?;
    for of in OF_ACCOUNT {
        batch.run(&format!("DELETE FROM {of} WHERE account = ?1"), [name])?;
    }
    earned::renamed(batch, name, None)?;
    Ok(())
}

fn deleted(batch: &Batch<'_>, by: &Authority, name: &str) -> Result<Stored, EditError> {
    let found = by.over(batch, name)?;
    match found.account.deleted {
        true => Ok(found),
        false => Err(EditError::wrong("user", "is not deleted")),
    }
}

/// Tables that say more of an account.
const OF_ACCOUNT: [&str; 10] = [
    "member",
    "grp_admin",
    "mask",
    "account_limit",
    "account_note",
    "account_moved",
    "credit_change",
    "credit_hold",
    "tally",
    "message",
];

/// Gives somebody another name. Their files keep the old one as their owner's.
///
/// # Errors
/// When there is none, the new name is taken, or the caller is no operator.
pub fn rename(batch: &Batch<'_>, by: &By, old: &str, new: &str) -> Result<(), EditError> {
    by.operator(batch)?.over(batch, old)?;
    check(new).map_err(|why| EditError::wrong("new", why))?;
    if table::find(batch, new)?.is_some() {
        return Err(EditError::Taken(new.to_owned()));
    }
    batch.run("UPDATE account SET name = ?2 WHERE name = ?1", [old, new])?;
    for of in OF_ACCOUNT {
        let sql = format!("UPDATE {of} SET account = ?2 WHERE account = ?1");
        batch.run(&sql, [old, new])?;
    }
    earned::renamed(batch, old, Some(new))?;
    Ok(())
}

/// Sets somebody's password.
///
/// # Errors
/// When there is none that the caller may change.
pub fn set_password(batch: &Batch<'_>, by: &By, name: &str, hash: &str) -> Result<(), EditError> {
    by.authority(batch)?.over(batch, name)?;
    batch.run(
        "UPDATE account SET password = ?2 WHERE name = ?1",
        [name, hash],
    )?;
    Ok(())
}

/// Sets the own password: then it must not be changed any more.
///
/// # Errors
/// When the account is gone, or several people use it.
pub fn own_password(batch: &Batch<'_>, name: &str, hash: &str) -> Result<(), EditError> {
    let found = table::find(batch, name)?.filter(Stored::can_log_in);
    let found = found.ok_or_else(|| EditError::NoUser(name.to_owned()))?;
    if found.account.anonymous {
        return Err(EditError::Denied("this account has no password"));
    }
    let sql = "UPDATE account SET password = ?2, must_change = 0 WHERE name = ?1";
    batch.run(sql, [name, hash])?;
    Ok(())
}

/// Sets what somebody says of themselves.
///
/// # Errors
/// When it is no such text.
pub fn own_tagline(batch: &Batch<'_>, name: &str, text: &str) -> Result<(), EditError> {
    check_text(text).map_err(|why| EditError::wrong("text", why))?;
    batch.run(
        "UPDATE account SET tagline = ?2 WHERE name = ?1",
        [name, text],
    )?;
    Ok(())
}

/// Adds masks; answers which were not there yet.
///
/// # Errors
/// When there is no such account for the caller, or it has too many then.
pub fn add_masks(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    masks: &[Mask],
    most: usize,
    now: i64,
) -> Result<Vec<String>, EditError> {
    let found = by.authority(batch)?.over(batch, name)?;
    let mut new: Vec<String> = masks.iter().map(ToString::to_string).collect();
    new.retain(|mask| !found.masks.contains(mask));
    if found.masks.len() + new.len() > most {
        return Err(EditError::wrong(
            "masks",
            format!("more than {most} are not allowed"),
        ));
    }
    for mask in &new {
        let sql =
            "INSERT INTO mask (account, mask, added) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        batch.run(sql, params![name, mask, now])?;
    }
    Ok(new)
}

/// Removes masks; answers which were there.
///
/// # Errors
/// When there is no such account for the caller.
pub fn remove_masks(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    masks: &[String],
) -> Result<Vec<String>, EditError> {
    let found = by.authority(batch)?.over(batch, name)?;
    let gone: Vec<String> = masks
        .iter()
        .filter(|mask| found.masks.contains(mask))
        .cloned()
        .collect();
    for mask in &gone {
        batch.run(
            "DELETE FROM mask WHERE account = ?1 AND mask = ?2",
            params![name, mask],
        )?;
    }
    Ok(gone)
}

/// Bans an account until then, or lifts its ban.
///
/// # Errors
/// When there is none, the caller is no operator, or the last operator of the site would be out.
pub fn ban(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    ban: Option<(i64, &str)>,
) -> Result<(), EditError> {
    let found = by.operator(batch)?.over(batch, name)?;
    if let Some((_, why)) = ban {
        check_text(why).map_err(|why| EditError::wrong("reason", why))?;
        others_operate(batch, &[&found])?;
    }
    let (until, why) = ban.unzip();
    let sql = "UPDATE account SET banned = ?2, banned_why = ?3 WHERE name = ?1";
    batch.run(sql, params![name, until, why])?;
    Ok(())
}

/// Bans everybody until then, or lifts all bans; answers whose. Whoever says it stays, and operators do where that is
/// nobody with an account: somebody must be able to lift it.
///
/// # Errors
/// When the caller is no operator.
pub fn ban_all(
    batch: &Batch<'_>,
    by: &By,
    ban: Option<(i64, &str)>,
) -> Result<Vec<String>, EditError> {
    by.operator(batch)?;
    if let Some((_, why)) = ban {
        check_text(why).map_err(|why| EditError::wrong("reason", why))?;
    }
    let stays = match by {
        By::User(name) => name.clone(),
        By::Owner | By::Token { .. } => String::new(),
    };
    let (until, why) = ban.unzip();
    let whose = match until {
        Some(_) => "name <> ?1 AND deleted IS NULL AND (?1 <> '' OR admin = 0)",
        None => "?1 = ?1 AND banned IS NOT NULL",
    };
    let of = names(
        batch,
        &format!("SELECT name FROM account WHERE {whose} ORDER BY name"),
        &stays,
    )?;
    for name in &of {
        // Nobody is judged one by one: it is for all, and by an operator of the site.
        let sql = "UPDATE account SET banned = ?2, banned_why = ?3 WHERE name = ?1";
        batch.run(sql, params![name, until, why])?;
    }
    Ok(of)
}

/// Writes a note about somebody; answers its number.
///
/// # Errors
/// When there is no such account, or it is no such text.
pub fn add_note(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    text: &str,
    now: i64,
) -> Result<i64, EditError> {
    let authority = by.operator(batch)?;
    authority.over(batch, name)?;
    check_text(text).map_err(|why| EditError::wrong("text", why))?;
    let last = "SELECT coalesce(max(n), 0) FROM account_note WHERE account = ?1";
    let last: i64 = batch.get(last, [name], |row| row.get(0))?.unwrap_or(0);
    let n = last.saturating_add(1);
    let sql =
        "INSERT INTO account_note (account, n, written, author, text) VALUES (?1, ?2, ?3, ?4, ?5)";
    batch.run(sql, params![name, n, now, authority.name, text])?;
    Ok(n)
}

/// Removes a note; answers whether it was there.
///
/// # Errors
/// When the caller is no operator.
pub fn remove_note(batch: &Batch<'_>, by: &By, name: &str, n: i64) -> Result<bool, EditError> {
    by.operator(batch)?.over(batch, name)?;
    let sql = "DELETE FROM account_note WHERE account = ?1 AND n = ?2";
    Ok(batch.run(sql, params![name, n])? > 0)
}

/// Puts somebody into groups where they are not, and takes them out where they are; answers the groups they are in.
///
/// # Errors
/// When something named is not there, or the caller is no operator.
pub fn toggle_groups(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    toggled: &[String],
) -> Result<Vec<String>, EditError> {
    let mut found = by.operator(batch)?.over(batch, name)?.account;
    for group in toggled {
        let Group { name: group, .. } = groups::need(batch, group)?;
        if group == found.group {
            return Err(EditError::wrong(
                "groups",
                format!("{group} is the primary group"),
            ));
        }
        match found.groups.iter().position(|there| *there == group) {
            Some(at) => drop(found.groups.remove(at)),
            None => found.groups.push(group),
        }
    }
    batch.run("DELETE FROM member WHERE account = ?1", [name])?;
    for group in &found.groups {
        batch.run(
            "INSERT INTO member (account, grp) VALUES (?1, ?2)",
            [name, group],
        )?;
    }
    Ok(found.groups)
}

/// Names of accounts that a caller may change, by a rule over their rows.
pub(super) fn names(batch: &Batch<'_>, sql: &str, of: &str) -> Result<Vec<String>, StoreError> {
    batch.all(sql, [of], |row| row.get(0))
}
