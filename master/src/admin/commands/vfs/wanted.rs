//! What `vfs find` is asked for.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use bytesize::ByteSize;
use drftpd_protocol::RootId;
use drftpd_protocol::ftp::args::Glob;

use super::super::super::{AdminError, Args};
use super::kind;
use crate::store::Sql;
use crate::vfs::{Entry, FileState, Kind, VfsError, held_by};

/// A number from here to there, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    least: u64,
    most: u64,
}

/// All of it must be so.
#[derive(Debug)]
pub(super) struct Wanted {
    name: Option<Glob>,
    kind: Option<Kind>,
    size: Option<Range>,
    /// Seconds.
    age: Option<Range>,
    owner: Option<String>,
    group: Option<String>,
    slave: Option<String>,
    copies: Option<Range>,
    state: Option<String>,
    now: i64,
    /// Roots that slaves show now.
    shown: BTreeSet<RootId>,
}

impl Wanted {
    /// Reads the arguments.
    pub fn read(args: &Args, now: i64, shown: BTreeSet<RootId>) -> Result<Self, AdminError> {
        let bytes = |text: &str| text.parse::<ByteSize>().map(|size| size.as_u64());
        let age = |text: &str| humantime::parse_duration(text).map(|age: Duration| age.as_secs());
        let text = |name: &str| args.text(name).map(str::to_owned);
        Ok(Self {
            name: text("name").map(|name| Glob::new(name.as_bytes()).ignoring_case()),
            kind: kind(args.text("type")),
            size: Range::read(args, "size", bytes)?,
            age: Range::read(args, "age", age)?,
            owner: text("owner"),
            group: text("group"),
            slave: args.slave("slave").ok().map(ToString::to_string),
            copies: Range::read(args, "copies", |text| text.parse::<u64>())?,
            state: text("state"),
            now,
            shown,
        })
    }

    /// Whether an entry is so.
    pub fn has(&self, sql: &Sql<'_>, entry: &Entry) -> Result<bool, VfsError> {
        let name = entry.name.as_ref().map_or(&b""[..], |name| name.as_bytes());
        let age = u64::try_from(self.now.saturating_sub(entry.modified)).unwrap_or(0);
        let plain = self.kind.is_none_or(|kind| kind == entry.kind)
            && self.name.as_ref().is_none_or(|glob| glob.matches(name))
            && self.size.is_none_or(|size| size.has(entry.size))
            && self.age.is_none_or(|range| range.has(age))
            && self.owner.as_ref().is_none_or(|it| *it == entry.owner)
            && self.group.as_ref().is_none_or(|it| *it == entry.group);
        Ok(plain && (!self.is_of_copies() || self.has_copies(sql, entry)?))
    }

    fn is_of_copies(&self) -> bool {
        self.slave.is_some() || self.copies.is_some() || self.state.is_some()
    }

    fn has_copies(&self, sql: &Sql<'_>, entry: &Entry) -> Result<bool, VfsError> {
        if entry.kind != Kind::File {
            return Ok(false);
        }
        let holders = held_by(sql, entry.id)?;
        let on = |slave: &String| holders.iter().any(|it| it.slave.as_str() == slave);
        let online = holders.iter().any(|it| self.shown.contains(&it.root));
        let complete = entry.state == FileState::Complete;
        let state = match self.state.as_deref() {
            None => true,
            Some("complete") => complete,
            Some("uploading") => entry.state == FileState::Uploading,
            Some("partial") => entry.state == FileState::Partial,
            Some("offline") => complete && !holders.is_empty() && !online,
            Some(_lost) => complete && holders.is_empty(),
        };
        let many = holders.len() as u64;
        Ok(state
            && self.slave.as_ref().is_none_or(on)
            && self.copies.is_none_or(|range| range.has(many)))
    }
}

impl Range {
    /// `5` is that alone, `5:` that and more, `:5` that and less, `5:7` all between.
    fn read<E: Display>(
        args: &Args,
        name: &str,
        read: impl Fn(&str) -> Result<u64, E>,
    ) -> Result<Option<Self>, AdminError> {
        let Some(text) = args.text(name) else {
            return Ok(None);
        };
        let wrong = |why: E| AdminError::argument(name, why);
        let one = |text: &str, otherwise| match text.trim() {
            "" => Ok(otherwise),
            text => read(text).map_err(wrong),
        };
        let (least, most) = match text.split_once(':') {
            Some((least, most)) => (one(least, 0)?, one(most, u64::MAX)?),
            None => {
                let only = read(text.trim()).map_err(wrong)?;
                (only, only)
            }
        };
        if least > most {
            return Err(AdminError::argument(name, "ends before it begins"));
        }
        Ok(Some(Self { least, most }))
    }

    fn has(self, number: u64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::VfsPath;

    use super::super::find::FIND;
    use super::*;

    fn read(words: &[&str]) -> Result<Wanted, AdminError> {
        let args = Args::from_words(FIND.params, words, &VfsPath::root())?;
        Wanted::read(&args, 1000, BTreeSet::new())
    }

    #[test]
    fn ranges_are_open_where_nothing_stands() {
        let size = |text: &str| {
            let range = read(&[&format!("size={text}")])?.size;
            Ok::<_, AdminError>(range.map(|range| (range.least, range.most)).unwrap())
        };
        assert_eq!(size("5").unwrap(), (5, 5));
        assert_eq!(size("1KiB:").unwrap(), (1024, u64::MAX));
        assert_eq!(size(":10K").unwrap(), (0, 10_000));
        assert_eq!(size("1:2").unwrap(), (1, 2));
        assert_eq!(size(":").unwrap(), (0, u64::MAX));
        for wrong in ["x", "2:1", "1:x", ""] {
            let error = size(wrong).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("size"), "{wrong}");
        }
        let age = read(&["-age", "1d:", "/a"]).unwrap().age.unwrap();
        assert_eq!((age.least, age.most), (86_400, u64::MAX));
        assert_eq!(
            read(&["age=soon"]).unwrap_err().field.as_deref(),
            Some("age")
        );
    }
}
