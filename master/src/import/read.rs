//! Which files there are, and who reads them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Found, csv, drftpd, glftpd, passwd};

/// The largest file of one user or group.
const LARGEST: u64 = 1024 * 1024;
/// The largest file of all users.
const LARGEST_LIST: u64 = 64 * 1024 * 1024;
/// The most files of a folder.
const MOST_FILES: usize = 200_000;

/// Whose files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// DrFTPD 4: a folder with a JSON file for each user and each group.
    Drftpd,
    /// glftpd: a folder with `etc/passwd`, `ftp-data/users` and `ftp-data/groups`.
    Glftpd,
    /// Lines as in `/etc/passwd`.
    Passwd,
    /// Lines with commas between; the first one says what is where.
    Csv,
}

impl Format {
    /// Every one by its name.
    pub const NAMES: &'static [&'static str] = &["drftpd", "glftpd", "passwd", "csv"];
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "drftpd" => Ok(Self::Drftpd),
            "glftpd" => Ok(Self::Glftpd),
            "passwd" => Ok(Self::Passwd),
            "csv" => Ok(Self::Csv),
            _ => Err(()),
        }
    }
}

/// Reads everything. Users for whom no group is said are in `group`; times that are not said are `now`.
///
/// # Errors
/// When there is nothing of that format.
pub fn read(format: Format, from: &Path, group: &str, now: i64) -> Result<Found, String> {
    let mut found = Found::default();
    match format {
        Format::Drftpd => drftpd::read(from, now, &mut found)?,
        Format::Glftpd => glftpd::read(from, group, now, &mut found)?,
        Format::Passwd => passwd::read(&list(from)?, from, group, now, &mut found),
        Format::Csv => csv::read(&list(from)?, from, group, now, &mut found)?,
    }
    for at in 0..found.users.len() {
        let account = &mut found.users[at].stored.account;
        if account.anonymous && (account.admin || !account.administers.is_empty()) {
            account.anonymous = false;
            let why = format!(
                "user {}: is not made anonymous: an operator needs a password",
                account.name
            );
            found.finding(from, None, why);
        }
    }
    Ok(found)
}

/// The text of a file of many users.
fn list(file: &Path) -> Result<String, String> {
    whole(file, LARGEST_LIST)
}

/// The text of a file of one user or group; what is not UTF-8 in it is Latin-1, as it was in those days.
pub(super) fn file(path: &Path) -> Result<String, String> {
    whole(path, LARGEST)
}

fn whole(path: &Path, largest: u64) -> Result<String, String> {
    let shown = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut bytes = Vec::new();
    let open = fs::File::open(path).map_err(|why| shown(&why))?;
    if !open.metadata().is_ok_and(|it| it.is_file()) {
        return Err(shown(&"is no file"));
    }
    let read = open.take(largest + 1).read_to_end(&mut bytes);
    read.map_err(|why| shown(&why))?;
    if bytes.len() as u64 > largest {
        return Err(shown(&"is too large"));
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|no_text| no_text.into_bytes().into_iter().map(char::from).collect()))
}

/// The files of a folder by name, hidden ones and folders aside.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = |why: std::io::Error| format!("{}: {why}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(shown)? {
        let entry = entry.map_err(shown)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_file() {
            found.push(entry.path());
        }
        if found.len() > MOST_FILES {
            return Err(format!("{}: too many files", folder.display()));
        }
    }
    found.sort();
    Ok(found)
}

/// The first of these folders that is there.
pub(super) fn folder(below: &Path, names: &[&str]) -> Option<PathBuf> {
    let all = names.iter().map(|name| below.join(name));
    all.into_iter().find(|path| path.is_dir())
}
