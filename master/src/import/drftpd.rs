//! DrFTPD 4: `userdata/users/javabeans/*.json` and `userdata/groups/javabeans/*.json`.
//!
//! The group `siteop` becomes the switch of an operator, `deleted` that of a deleted user; others stay what they are.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::json::{Document, decimal, moment, number};
use super::read as disk;
use super::{Found, User, hash, mask, text};
use crate::accounts::limits::Limit;
use crate::accounts::names::{BadName, check};
use crate::accounts::ratio::Ratio;
use crate::accounts::table::Stored;

/// Members operate the site.
const SITEOP: &str = "siteop";
/// Members are deleted.
const DELETED: &str = "deleted";
/// Of what DrFTPD keeps, what has no place here.
const LEFT: [&str; 8] = [
    "ircident",
    "notes",
    "nuked",
    "nukedBytes",
    "lastNuked",
    "requests",
    "requestsFilled",
    "requestsweek",
];
/// Limits and their names there; 0 and less: none.
const LIMITS: [(&str, Limit); 4] = [
    ("maxlogins", Limit::Logins),
    ("maxloginsip", Limit::LoginsPerAddress),
    ("maxsimup", Limit::Uploads),
    ("maxsimdn", Limit::Downloads),
];

/// Reads a folder: that of the master, its `userdata`, or one with `users` and `groups`.
pub(super) fn read(from: &Path, now: i64, found: &mut Found) -> Result<(), String> {
    let places = |what: &str| {
        [
            format!("userdata/{what}/javabeans"),
            format!("{what}/javabeans"),
            what.to_owned(),
        ]
    };
    let folder = |what: &str| {
        let places = places(what);
        disk::folder(from, &places.each_ref().map(String::as_str))
    };
    let users = folder("users")
        .ok_or_else(|| format!("{}: no userdata/users/javabeans is there", from.display()))?;
    let mut administers = HashMap::new();
    if let Some(groups) = folder("groups") {
        each(&groups, found, |document, file, found| {
            group(document, file, now, &mut administers, found);
        })?;
    }
    each(&users, found, |document, file, found| {
        user(document, file, now, found);
    })?;
    for user in &mut found.users {
        let account = &mut user.stored.account;
        account.administers = administers.remove(&account.name).unwrap_or_default();
    }
    for (name, of) in administers {
        let why = format!("{name} administers {}, and is no user", of.join(", "));
        found.finding(&users, None, why);
    }
    Ok(())
}

fn each(
    folder: &Path,
    found: &mut Found,
    mut take: impl FnMut(&Document<'_>, &Path, &mut Found),
) -> Result<(), String> {
    for file in disk::files(folder)? {
        if file
            .extension()
            .is_none_or(|it| !it.eq_ignore_ascii_case("json"))
        {
            found.finding(&file, None, "is not taken: its name does not end in .json");
            continue;
        }
        let text = match disk::file(&file) {
            Ok(text) => text,
            Err(why) => {
                found.finding(&file, None, why);
                continue;
            }
        };
        match serde_json::from_str::<Value>(&text) {
            Ok(value) if value.is_object() => take(&Document::new(&value), &file, found),
            Ok(_) => found.finding(&file, Some(1), "is not taken: it is no object"),
            // The message may hold a piece of what stands there.
            Err(why) => found.finding(&file, Some(why.line()), "is not taken: it is no JSON"),
        }
    }
    Ok(())
}

fn group(
    document: &Document<'_>,
    file: &Path,
    now: i64,
    administers: &mut HashMap<String, Vec<String>>,
    found: &mut Found,
) {
    let Some(name) = document.field("_groupname").and_then(Value::as_str) else {
        return found.finding(file, None, "is not taken: it has no _groupname");
    };
    if [SITEOP, DELETED].contains(&name) {
        return;
    }
    let data = document.data();
    let count = |key: &str| {
        let count = data.get(key).and_then(|value| number(value)).unwrap_or(0);
        u32::try_from(count.max(0)).unwrap_or(u32::MAX)
    };
    let ratio = |key: &str| data.get(key).and_then(|value| ratio(value).ok());
    let Some(group) = found.group(name, now) else {
        let why = format!("group {name:?} is not taken: {}", BadName);
        return found.finding(file, None, why);
    };
    group.slots = count("groupslots");
    group.leech_slots = count("leechslots");
    group.least_ratio = ratio("minratio").unwrap_or(Ratio(3000));
    group.most_ratio = ratio("maxratio").unwrap_or(Ratio(3000));
    if let Some(created) = data.get("created").and_then(|value| moment(value)) {
        group.created = created;
    }
    for admin in document.texts("_admins") {
        let of = administers.entry(admin.to_owned()).or_default();
        of.push(name.to_owned());
    }
}

fn ratio(value: &Value) -> Result<Ratio, String> {
    let said = decimal(value).unwrap_or_default();
    said.parse()
        .map_err(|why| format!("ratio {said:?} is not taken: {why}"))
}

fn user(document: &Document<'_>, file: &Path, now: i64, found: &mut Found) {
    let Some(name) = document.field("_username").and_then(Value::as_str) else {
        return found.finding(file, None, "is not taken: it has no _username");
    };
    if let Err(why) = check(name) {
        return found.finding(file, None, format!("user {name:?} is not taken: {why}"));
    }
    let mut wrong = Vec::new();
    let data = document.data();
    let main = document.field("_group").and_then(Value::as_str);
    let mut groups: Vec<&str> = main.into_iter().chain(document.texts("_groups")).collect();
    let is = |special: &str| groups.contains(&special);
    let (admin, deleted) = (is(SITEOP), is(DELETED));
    groups.retain(|group| ![SITEOP, DELETED].contains(group));
    groups.retain(|group| {
        let good = found.group(group, now).is_some();
        if !good {
            wrong.push(format!("group {group:?} is not taken: it is no name"));
        }
        good
    });
    let primary = groups.first().copied().unwrap_or("nogroup");
    found.group(primary, now);
    let mut user = User::new(name, primary, now);
    let stored = &mut user.stored;
    let others = groups.iter().filter(|group| **group != primary);
    stored.account.groups = others.map(|group| (*group).to_owned()).collect();
    stored.account.groups.sort();
    stored.account.groups.dedup();
    (stored.account.admin, stored.account.deleted) = (admin, deleted);
    if let Err(why) = password(document, &mut user) {
        wrong.push(why);
    }
    let stored = &mut user.stored;
    stored.credits = document.field("_credits").and_then(number).unwrap_or(0);
    let idle = document.field("_idleTime").and_then(number).unwrap_or(0);
    stored
        .account
        .limits
        .set(Limit::Idle, idle.max(0).cast_unsigned());
    for (key, limit) in LIMITS {
        let most = data.get(key).and_then(|value| number(value)).unwrap_or(0);
        if most > 0 {
            stored.account.limits.set(limit, most.cast_unsigned());
        }
    }
    for item in document
        .field("_hostMasks")
        .map(|list| document.items(list))
        .unwrap_or_default()
    {
        let part = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or("*");
        match mask(&format!("{}@{}", part("_identMask"), part("_hostMask"))) {
            Ok(mask) => stored.masks.push(mask),
            Err(why) => wrong.push(why),
        }
    }
    wrong.extend(rest(&data, &mut user.stored, now));
    for why in wrong {
        found.finding(file, None, format!("user {name}: {why}"));
    }
    found.users.push(user);
}

/// `_encryption` says how `_password` is hashed.
fn password(document: &Document<'_>, user: &mut User) -> Result<(), String> {
    let said = document.field("_password").and_then(Value::as_str);
    let Some(said) = said.filter(|said| !said.is_empty()) else {
        return Err("has no password: nobody can log in with it".to_owned());
    };
    let kind = document.field("_encryption").and_then(number).unwrap_or(0);
    let digest = match kind {
        0 => {
            user.clear = Some(said.to_owned());
            return Ok(());
        }
        1 => "{MD2}",
        2 => "{MD5}",
        3 => "{SHA1}",
        4 => "{SHA256}",
        5 => "{SHA384}",
        6 => "{SHA512}",
        7..=9 => "",
        _ => {
            return Err(format!(
                "the password is hashed in a way that is not known here ({kind})"
            ));
        }
    };
    user.stored.password = Some(hash(&format!("{digest}{said}"))?);
    Ok(())
}

/// What DrFTPD keeps in its map; answers what of it is not taken.
fn rest(data: &HashMap<&str, &Value>, stored: &mut Stored, now: i64) -> Vec<String> {
    let mut wrong = Vec::new();
    let at = |key: &str| data.get(key).and_then(|value| moment(value));
    let mut said = |key: &str| {
        let said = data.get(key).and_then(|value| value.as_str()).unwrap_or("");
        text(key, said).unwrap_or_else(|why| {
            wrong.push(why);
            String::new()
        })
    };
    stored.tagline = said("tagline");
    stored.comment = said("comment");
    let (reason, ban) = (said("reason"), said("banreason"));
    if stored.account.deleted {
        stored.deleted_why = Some(reason);
    }
    stored.banned = at("ban_time")
        .filter(|until| *until > now)
        .map(|until| (until, ban));
    stored.created = at("created").unwrap_or(now);
    stored.seen = at("lastseen");
    stored.expires = at("expires");
    let count = |key: &str| data.get(key).and_then(|value| number(value)).unwrap_or(0);
    stored.logins = count("logins").max(0);
    stored.allotment = count("wkly_allotment").max(0);
    match data.get("ratio").map(|value| ratio(value)) {
        Some(Ok(ratio)) => stored.account.ratio = ratio,
        Some(Err(why)) => wrong.push(why),
        None => {}
    }
    let left: Vec<&str> = LEFT.into_iter().filter(|key| kept(data, key)).collect();
    if !left.is_empty() {
        wrong.push(format!("not taken: {}", left.join(", ")));
    }
    wrong
}

/// Whether there is something that is worth a word.
fn kept(data: &HashMap<&str, &Value>, key: &str) -> bool {
    data.get(key).is_some_and(|value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Object(object) => object
            .values()
            .any(|it| it.as_array().is_none_or(|it| !it.is_empty())),
        _ => false,
    })
}
