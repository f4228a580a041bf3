//! glftpd: `etc/passwd`, `ftp-data/users/NAME` and `ftp-data/groups/NAME`, which are lines of a word and its values.
//!
//! Credits are counted in KiB there, speeds in KiB a second, idle times in minutes. Of credits and ratios by section the
//! first are taken. Flag 1 is an operator, 6 a deleted user, 8 an anonymous one.

use std::collections::HashMap;
use std::path::Path;

use drftpd_protocol::VfsPath;

use super::read as disk;
use super::{Found, User, hash, mask, passwd, text};
use crate::accounts::limits::Limit;
use crate::accounts::names::check;
use crate::accounts::ratio::Ratio;
use crate::accounts::table::Stored;

/// Stands in a group's file for as many as they like.
const ANY_NUMBER: u32 = i32::MAX.cast_unsigned();
/// Words that say nothing that is kept here, be it figures or what only glftpd has.
const SILENT: [&str; 17] = [
    "ALLUP",
    "ALLDN",
    "WKUP",
    "WKDN",
    "DAYUP",
    "DAYDN",
    "MONTHUP",
    "MONTHDN",
    "NUKE",
    "HOMEDIR",
    "PRIMARY_GROUP",
    "SLOTS",
    "SFLAGS",
    "UPLOADSLOTS",
    "DOWNLOADSLOTS",
    "LOGINSLOTS",
    "MAXSIM",
];

/// Reads the folder of glftpd, or one with `users`, `groups` and `passwd`.
pub(super) fn read(from: &Path, group: &str, now: i64, found: &mut Found) -> Result<(), String> {
    let users = disk::folder(from, &["ftp-data/users", "users"]);
    let users = users.ok_or_else(|| format!("{}: no ftp-data/users is there", from.display()))?;
    let mut passwords = from.join("etc/passwd");
    if !passwords.is_file() {
        passwords = from.join("passwd");
    }
    let hashes = match disk::file(&passwords) {
        Ok(text) => passwd::hashes(&text, &passwords, found),
        Err(why) => {
            found.finding(&passwords, None, why);
            HashMap::new()
        }
    };
    if let Some(groups) = disk::folder(from, &["ftp-data/groups", "groups"]) {
        for file in disk::files(&groups)? {
            one(&file, found, |name, text, found| {
                group_file(name, text, &file, now, found)
            });
        }
    }
    for file in disk::files(&users)? {
        // What new users are made from.
        if file
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"default."))
        {
            continue;
        }
        one(&file, found, |name, text, found| {
            let mut reading = Reading::of(name, group, now);
            reading.lines(text, &file, found);
            reading.end(hashes.get(name), (&file, &passwords), found);
        });
    }
    Ok(())
}

/// A file whose name is that of a user or a group.
fn one(file: &Path, found: &mut Found, take: impl FnOnce(&str, &str, &mut Found)) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match (check(&name), disk::file(file)) {
        (Ok(()), Ok(text)) => take(&name, &text, found),
        (Err(why), _) => found.finding(file, None, format!("{name:?} is not taken: {why}")),
        (_, Err(why)) => found.finding(file, None, why),
    }
}

fn group_file(name: &str, text: &str, file: &Path, now: i64, found: &mut Found) {
    let Some(group) = found.group(name, now) else {
        return;
    };
    let mut wrong = None;
    for (line, said) in (1..).zip(text.lines()) {
        let words: Vec<&str> = said.split_ascii_whitespace().collect();
        if let ["SLOTS", slots, leech, ..] = words.as_slice() {
            match (slots_of(slots), slots_of(leech)) {
                (Some(slots), Some(leech)) => (group.slots, group.leech_slots) = (slots, leech),
                _ => wrong = Some((line, format!("{said:?} is not taken: no numbers of slots"))),
            }
        }
    }
    // Nothing there says how far ratios may be given.
    (group.least_ratio, group.most_ratio) = (Ratio(3000), Ratio(3000));
    if let Some((line, why)) = wrong {
        found.finding(file, Some(line), why);
    }
}

fn slots_of(text: &str) -> Option<u32> {
    let slots: i64 = text.parse().ok()?;
    Some(u32::try_from(slots).unwrap_or(ANY_NUMBER))
}

/// A user whose file is being read.
struct Reading {
    user: User,
    groups: Vec<String>,
    now: i64,
}

impl Reading {
    fn of(name: &str, group: &str, now: i64) -> Self {
        Self {
            user: User::new(name, group, now),
            groups: Vec::new(),
            now,
        }
    }

    fn lines(&mut self, text: &str, file: &Path, found: &mut Found) {
        for (line, said) in (1..).zip(text.lines()) {
            let (word, values) = said.split_once(' ').unwrap_or((said, ""));
            if let Err(why) = self.line(word, values.trim(), found) {
                let name = self.user.stored.account.name.clone();
                found.finding(file, Some(line), format!("user {name}: {why}"));
            }
        }
    }

    fn line(&mut self, word: &str, values: &str, found: &mut Found) -> Result<(), String> {
        let stored = &mut self.user.stored;
        let parts: Vec<&str> = values.split_ascii_whitespace().collect();
        let numbers = || parts.iter().map(|part| part.parse::<i64>().ok());
        let number = |at: usize| numbers().nth(at).flatten();
        let no_number = || format!("{word} {values:?} is not taken: no numbers");
        match word {
            "USER" => stored.comment = text("comment", values)?,
            "TAGLINE" => stored.tagline = text("tagline", values)?,
            "GENERAL" => general(stored, &parts).ok_or_else(no_number)??,
            "LOGINS" => {
                let all = numbers().take(4).collect::<Option<Vec<_>>>();
                let all = all.ok_or_else(no_number)?;
                let limits = [
                    (Limit::Logins, 1),
                    (Limit::LoginsPerAddress, 1),
                    (Limit::Downloads, 0),
                    (Limit::Uploads, 0),
                ];
                for ((limit, least), most) in limits.into_iter().zip(all) {
                    if most >= least {
                        stored.account.limits.set(limit, most.cast_unsigned());
                    }
                }
            }
            "FLAGS" => flags(stored, values)?,
            "DIR" => {
                let home = VfsPath::absolute(values.as_bytes());
                let home = home.map_err(|why| format!("DIR {values:?} is not taken: {why}"))?;
                stored.account.home = home;
            }
            "ADDED" => {
                stored.created = number(0).filter(|at| *at > 0).unwrap_or(self.now);
                stored.created_by = parts.get(1).copied().unwrap_or_default().to_owned();
            }
            "EXPIRES" => {
                let at = number(0).ok_or_else(no_number)?;
                stored.expires = (at > 0).then_some(at);
            }
            "CREDITS" => {
                let bytes = number(0).and_then(|kib| kib.checked_mul(1024));
                stored.credits = bytes.ok_or_else(no_number)?;
                others_are_nothing(word, numbers().skip(1))?;
            }
            "RATIO" => {
                let said = parts.first().copied().unwrap_or_default();
                let ratio = said.parse::<Ratio>();
                stored.account.ratio =
                    ratio.map_err(|why| format!("RATIO {said:?} is not taken: {why}"))?;
                others_are_nothing(word, numbers().skip(1))?;
            }
            "TIME" => {
                stored.logins = number(0).ok_or_else(no_number)?.max(0);
                stored.seen = number(1).filter(|at| *at > 0);
            }
            "TIMEFRAME" if parts.iter().all(|part| *part == "0") => {}
            "GROUP" | "PRIVATE" => self.group(&parts, found)?,
            "IP" => {
                for part in parts {
                    let mask = mask(part)?;
                    if !stored.masks.contains(&mask) {
                        stored.masks.push(mask);
                    }
                }
            }
            "" => {}
            word if SILENT.contains(&word) => {}
            _ => return Err(format!("{word:?} is not taken: it has no place here")),
        }
        Ok(())
    }

    fn group(&mut self, parts: &[&str], found: &mut Found) -> Result<(), String> {
        let name = parts.first().copied().unwrap_or_default();
        if found.group(name, self.now).is_none() {
            return Err(format!("group {name:?} is not taken: it is no name"));
        }
        if !self.groups.iter().any(|group| group == name) {
            self.groups.push(name.to_owned());
        }
        if parts.get(1) == Some(&"1") {
            self.user.stored.account.administers.push(name.to_owned());
        }
        Ok(())
    }

    fn end(
        mut self,
        hashed: Option<&(usize, String)>,
        (file, passwords): (&Path, &Path),
        found: &mut Found,
    ) {
        let account = &mut self.user.stored.account;
        let name = account.name.clone();
        if !self.groups.is_empty() {
            account.group = self.groups.remove(0);
            account.groups = self.groups;
            account.groups.sort();
        }
        found.group(&account.group, self.now);
        let taken = match hashed {
            Some((line, hashed)) => hash(hashed).map_err(|why| (passwords, Some(*line), why)),
            None => Err((file, None, "is not in passwd: has no password".to_owned())),
        };
        match taken {
            Ok(hash) => self.user.stored.password = Some(hash),
            Err((file, line, why)) => found.finding(file, line, format!("user {name}: {why}")),
        }
        found.users.push(self.user);
    }
}

/// `GENERAL section,allotment idle down up`; nothing where there are no numbers.
fn general(stored: &mut Stored, parts: &[&str]) -> Option<Result<(), String>> {
    let number = |at: usize| parts.get(at)?.parse::<i64>().ok();
    let (idle, down, up) = (number(1)?, number(2)?, number(3)?);
    let limits = &mut stored.account.limits;
    if idle > 0 {
        limits.set(Limit::Idle, idle.cast_unsigned().saturating_mul(60));
    }
    for (limit, kib) in [(Limit::RateDown, down), (Limit::RateUp, up)] {
        if kib > 0 {
            limits.set(limit, kib.cast_unsigned().saturating_mul(1024));
        }
    }
    let allotment = parts.first()?.rsplit(',').next()?;
    Some(match allotment {
        "0" => Ok(()),
        other => Err(format!(
            "the weekly allotment {other} is not taken: nothing says in what it is counted"
        )),
    })
}

fn flags(stored: &mut Stored, flags: &str) -> Result<(), String> {
    let account = &mut stored.account;
    let mut left = String::new();
    for flag in flags.chars() {
        match flag {
            '1' => account.admin = true,
            '6' => account.deleted = true,
            '8' => account.anonymous = true,
            // What groups say of their administrators, how texts look, and whether the group can be changed.
            '2' | '3' | '5' => {}
            other => left.push(other),
        }
    }
    match left.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "flags {left} are not taken: commands are given by permissions here"
        )),
    }
}

fn others_are_nothing(word: &str, others: impl Iterator<Item = Option<i64>>) -> Result<(), String> {
    let mut others = others.flatten();
    match others.any(|value| value > 0) {
        true => Err(format!("{word} of other sections is not taken")),
        false => Ok(()),
    }
}
