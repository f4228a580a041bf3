//! Lines as in `/etc/passwd`: `name:hash:…`. Nothing but name and hash is taken: homes there are places of another system.
//! Pure.

use std::collections::HashMap;
use std::path::Path;

use super::{Found, User, hash};
use crate::accounts::names::check;

/// Reads users and their hashes.
pub(super) fn read(text: &str, file: &Path, group: &str, now: i64, found: &mut Found) {
    found.group(group, now);
    let mut lines: Vec<_> = hashes(text, file, found).into_iter().collect();
    lines.sort_by_key(|(_, (line, _))| *line);
    for (name, (line, hashed)) in lines {
        let mut user = User::new(&name, group, now);
        match hash(&hashed) {
            Ok(hash) => user.stored.password = Some(hash),
            Err(why) => found.finding(file, Some(line), format!("user {name}: {why}")),
        }
        found.users.push(user);
    }
}

/// Names with their lines and hashes, as far as they are names.
pub(super) fn hashes(
    text: &str,
    file: &Path,
    found: &mut Found,
) -> HashMap<String, (usize, String)> {
    let mut hashes = HashMap::new();
    for (line, said) in (1..).zip(text.lines()) {
        if said.trim().is_empty() || said.starts_with('#') {
            continue;
        }
        let mut parts = said.split(':');
        let (name, hash) = (parts.next().unwrap_or_default(), parts.next());
        let Some(hash) = hash else {
            found.finding(
                file,
                Some(line),
                "is not taken: it has no name and hash with : between",
            );
            continue;
        };
        if let Err(why) = check(name) {
            found.finding(
                file,
                Some(line),
                format!("user {name:?} is not taken: {why}"),
            );
            continue;
        }
        if hashes.contains_key(name) {
            found.finding(file, Some(line), format!("user {name} is there twice"));
            continue;
        }
        hashes.insert(name.to_owned(), (line, hash.to_owned()));
    }
    hashes
}
