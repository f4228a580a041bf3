//! Machine listings: the facts of `MLSD` and `MLST` (RFC 3659, section 7), and which of them a session wants.

use bytes::BytesMut;

use super::listing::{EntryKind, ListEntry, put_name, put_number, put_word};
use super::reply::{Reply, Text};
use super::time::digits_of;

/// A set of facts: what a session has switched on with `OPTS MLST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u16);

/// Every fact there is, in the order in which it is shown.
const ALL: [(&str, Facts); 10] = [
    ("type", Facts::TYPE),
    ("size", Facts::SIZE),
    ("modify", Facts::MODIFY),
    ("create", Facts::CREATE),
    ("perm", Facts::PERM),
    ("unique", Facts::UNIQUE),
    ("UNIX.mode", Facts::UNIX_MODE),
    ("UNIX.owner", Facts::UNIX_OWNER),
    ("UNIX.group", Facts::UNIX_GROUP),
    ("x.crc32", Facts::CRC32),
];

impl Facts {
    /// What the entry is.
    pub const TYPE: Self = Self(1);
    /// Bytes of a file.
    pub const SIZE: Self = Self(1 << 1);
    /// Time of the last change, UTC.
    pub const MODIFY: Self = Self(1 << 2);
    /// Time of creation, UTC.
    pub const CREATE: Self = Self(1 << 3);
    /// What the user may do ([`Perm`]).
    pub const PERM: Self = Self(1 << 4);
    /// Identity of the entry and its content.
    pub const UNIQUE: Self = Self(1 << 5);
    /// Permission bits, octal.
    pub const UNIX_MODE: Self = Self(1 << 6);
    /// Owner.
    pub const UNIX_OWNER: Self = Self(1 << 7);
    /// Group.
    pub const UNIX_GROUP: Self = Self(1 << 8);
    /// CRC-32 of a file's content, eight hexadecimal digits.
    pub const CRC32: Self = Self(1 << 9);
    /// No fact: lines have a name only.
    pub const NONE: Self = Self(0);
    /// What a session begins with: all that clients read. Creation time and checksum are there on request.
    pub const DEFAULT: Self = Self(0b1_1111_0111);

    /// Whether a fact is in the set.
    pub fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    /// This set and another.
    #[must_use]
    pub fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Reads the list of `OPTS MLST type;size;`. Unknown facts are left out, in silence as RFC 3659 wants it.
    pub fn parse(list: &[u8]) -> Self {
        let named = |word: &[u8]| {
            ALL.iter()
                .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        list.trim_ascii()
            .split(|b| *b == b';')
            .filter_map(named)
            .fold(Self::NONE, |set, (_, fact)| set.with(*fact))
    }

    /// The reply to `OPTS MLST`, which names the set.
    pub fn opts_reply(self) -> Reply {
        let mut text = "MLST OPTS ".to_owned();
        for (name, _) in ALL.iter().filter(|(_, fact)| self.has(*fact)) {
            text.push_str(name);
            text.push(';');
        }
        Reply::new(200, text)
    }

    /// The `MLST` line of `FEAT`: every fact there is, those in this set with a star.
    pub fn feature(self) -> String {
        let mut text = "MLST ".to_owned();
        for (name, fact) in ALL {
            text.push_str(name);
            text.push_str(if self.has(fact) { "*;" } else { ";" });
        }
        text
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the asking user may do with an entry: the letters of the `perm` fact (RFC 3659, section 7.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perm(u16);

const LETTERS: &[u8; 10] = b"acdeflmprw";

impl Perm {
    /// `a`: append to the file.
    pub const APPEND: Self = Self(1);
    /// `c`: create files in the directory.
    pub const CREATE: Self = Self(1 << 1);
    /// `d`: delete the entry.
    pub const DELETE: Self = Self(1 << 2);
    /// `e`: enter the directory.
    pub const ENTER: Self = Self(1 << 3);
    /// `f`: rename the entry.
    pub const RENAME: Self = Self(1 << 4);
    /// `l`: list the directory.
    pub const LIST: Self = Self(1 << 5);
    /// `m`: make directories in the directory.
    pub const MAKE_DIRECTORY: Self = Self(1 << 6);
    /// `p`: delete what is in the directory.
    pub const PURGE: Self = Self(1 << 7);
    /// `r`: fetch the file.
    pub const READ: Self = Self(1 << 8);
    /// `w`: overwrite the file.
    pub const WRITE: Self = Self(1 << 9);
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// These and more.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    fn put(self, out: &mut BytesMut) {
        out.extend(
            LETTERS
                .iter()
                .enumerate()
                .filter(|(at, _)| self.0 >> at & 1 == 1)
                .map(|(_, letter)| *letter),
        );
    }
}

impl std::ops::BitOr for Perm {
    type Output = Self;

    fn bitor(self, more: Self) -> Self {
        self.with(more)
    }
}

impl std::ops::BitOr for Facts {
    type Output = Self;

    fn bitor(self, more: Self) -> Self {
        self.with(more)
    }
}

/// Appends one `MLSD` line: `fact=value;… name`.
pub fn mlsd_line(entry: &ListEntry<'_>, facts: Facts, out: &mut BytesMut) {
    put_facts(entry, facts, out);
    out.extend_from_slice(b" ");
    put_name(entry.name, out);
    out.extend_from_slice(b"\r\n");
}

/// The reply to `MLST`: one indented line, with the full path in place of the name.
pub fn mlst_reply(entry: &ListEntry<'_>, path: &[u8], facts: Facts) -> Reply {
    let mut line = BytesMut::from(&b" "[..]);
    put_facts(entry, facts, &mut line);
    line.extend_from_slice(b" ");
    put_name(path, &mut line);
    Reply::lines(
        250,
        Text::concat(&[b"Listing ", path]),
        [line.to_vec()],
        "End",
    )
}

fn put_facts(entry: &ListEntry<'_>, facts: Facts, out: &mut BytesMut) {
    out.reserve(192 + entry.name.len());
    if facts.has(Facts::TYPE) {
        put_type(entry, out);
    }
    if facts.has(Facts::SIZE) && entry.kind == EntryKind::File {
        out.extend_from_slice(b"size=");
        put_number(entry.size, 0, out);
        out.extend_from_slice(b";");
    }
    if facts.has(Facts::MODIFY) {
        put_time(b"modify=", entry.modified, out);
    }
    if let (true, Some(created)) = (facts.has(Facts::CREATE), entry.created) {
        put_time(b"create=", created, out);
    }
    if facts.has(Facts::PERM) {
        out.extend_from_slice(b"perm=");
        entry.perm.put(out);
        out.extend_from_slice(b";");
    }
    if facts.has(Facts::UNIQUE) && entry.id != 0 {
        out.extend_from_slice(b"unique=");
        put_hex(entry.id, out);
        out.extend_from_slice(b"g");
        put_hex(entry.generation, out);
        out.extend_from_slice(b";");
    }
    put_unix(entry, facts, out);
    if let (true, Some(crc32)) = (facts.has(Facts::CRC32), entry.crc32) {
        out.extend_from_slice(b"x.crc32=");
        (0..8)
            .rev()
            .for_each(|nibble| put_nibble(u64::from(crc32) >> (4 * nibble), out));
        out.extend_from_slice(b";");
    }
}

fn put_unix(entry: &ListEntry<'_>, facts: Facts, out: &mut BytesMut) {
    if facts.has(Facts::UNIX_MODE) {
        let octal = |shift: u32| b'0' + u8::try_from(entry.mode >> shift & 7).unwrap_or_default();
        out.extend_from_slice(b"UNIX.mode=0");
        out.extend_from_slice(&[octal(6), octal(3), octal(0), b';']);
    }
    for (fact, key, name) in [
        (Facts::UNIX_OWNER, &b"UNIX.owner="[..], entry.owner),
        (Facts::UNIX_GROUP, &b"UNIX.group="[..], entry.group),
    ] {
        if facts.has(fact) && !name.is_empty() {
            out.extend_from_slice(key);
            put_word(name, out);
            out.extend_from_slice(b";");
        }
    }
}

fn put_type(entry: &ListEntry<'_>, out: &mut BytesMut) {
    out.extend_from_slice(match entry.kind {
        EntryKind::File => b"type=file",
        EntryKind::Directory => b"type=dir",
        EntryKind::CurrentDirectory => b"type=cdir",
        EntryKind::ParentDirectory => b"type=pdir",
        EntryKind::Link => b"type=OS.unix=slink",
    });
    // Spaces and semicolons would end the facts; a target with them is left for LIST to show.
    let shown = |target: &&[u8]| {
        !target
            .iter()
            .any(|b| b.is_ascii_control() || matches!(b, b' ' | b';'))
    };
    if let (EntryKind::Link, Some(target)) = (entry.kind, entry.target.filter(shown)) {
        out.extend_from_slice(b":");
        out.extend_from_slice(target);
    }
    out.extend_from_slice(b";");
}

fn put_time(key: &[u8], seconds: i64, out: &mut BytesMut) {
    out.extend_from_slice(key);
    out.extend_from_slice(&digits_of(seconds));
    out.extend_from_slice(b";");
}

fn put_hex(number: u64, out: &mut BytesMut) {
    let nibbles = (64 - number.leading_zeros()).div_ceil(4).max(1);
    (0..nibbles)
        .rev()
        .for_each(|nibble| put_nibble(number >> (4 * nibble), out));
}

fn put_nibble(number: u64, out: &mut BytesMut) {
    let digit = usize::try_from(number & 15).unwrap_or_default();
    out.extend_from_slice(&[b"0123456789abcdef"[digit]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> ListEntry<'static> {
        ListEntry {
            name: b"two words",
            size: 12_813,
            modified: 951_868_799,
            created: Some(0),
            owner: "bench",
            group: "users",
            mode: 0o640,
            id: 0x1f,
            generation: 2,
            perm: Perm::READ | Perm::DELETE,
            crc32: Some(0x0f2c_9ad6),
            ..Default::default()
        }
    }

    fn line(entry: ListEntry<'_>, facts: Facts) -> String {
        let mut out = BytesMut::new();
        mlsd_line(&entry, facts, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_file_has_the_facts_that_clients_read() {
        let want = "type=file;size=12813;modify=20000229235959;perm=dr;unique=1fg2;UNIX.mode=0640;\
                    UNIX.owner=bench;UNIX.group=users; two words\r\n";
        assert_eq!(line(entry(), Facts::DEFAULT), want);
    }

    #[test]
    fn facts_can_be_chosen() {
        let facts = Facts::parse(b"SIZE;x.CRC32;create;x.nonsense;");
        assert_eq!(
            line(entry(), facts),
            "size=12813;create=19700101000000;x.crc32=0f2c9ad6; two words\r\n"
        );
        assert_eq!(
            &facts.opts_reply().to_bytes()[..],
            b"200 MLST OPTS size;create;x.crc32;\r\n"
        );
        assert_eq!(line(entry(), Facts::parse(b"")), " two words\r\n");
        assert_eq!(
            &Facts::NONE.opts_reply().to_bytes()[..],
            b"200 MLST OPTS \r\n"
        );
    }

    #[test]
    fn feat_marks_what_is_on() {
        let want = "MLST type*;size*;modify*;create;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;x.crc32;";
        assert_eq!(Facts::DEFAULT.feature(), want);
    }

    #[test]
    fn every_kind_has_its_type() {
        let kind = |kind, target| {
            line(
                ListEntry {
                    kind,
                    target,
                    ..entry()
                },
                Facts::TYPE,
            )
        };
        assert_eq!(kind(EntryKind::Directory, None), "type=dir; two words\r\n");
        assert_eq!(
            kind(EntryKind::CurrentDirectory, None),
            "type=cdir; two words\r\n"
        );
        assert_eq!(
            kind(EntryKind::ParentDirectory, None),
            "type=pdir; two words\r\n"
        );
        assert_eq!(
            kind(EntryKind::Link, Some(b"/pub")),
            "type=OS.unix=slink:/pub; two words\r\n"
        );
        assert_eq!(
            kind(EntryKind::Link, Some(b"/a;b")),
            "type=OS.unix=slink; two words\r\n"
        );
    }

    #[test]
    fn mlst_shows_the_path_on_one_indented_line() {
        let reply = mlst_reply(&entry(), b"/pub/two words", Facts::SIZE);
        let want = b"250-Listing /pub/two words\r\n size=12813; /pub/two words\r\n250 End\r\n";
        assert_eq!(&reply.to_bytes()[..], want);
    }
}
