//! Listings: `LIST`, `NLST`, `MLSD` and `MLST` lines from entries.
//!
//! Every function appends to a buffer, one line an entry, so that a page of a directory is rendered without anything in
//! between. Whatever is in a name, an entry is one line: control characters are shown as `?`. Lines are for data
//! connections; on the control connection they go through [`super::reply::render_page`].

use bytes::BytesMut;

pub use super::facts::{Facts, Perm, mlsd_line, mlst_reply};
use super::time::{Civil, two_digits};

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// Half a year in seconds: older times are shown with their year, as `ls` does.
const RECENT: i64 = 183 * 86_400;
/// How far in the future a time may lie and still count as now: clocks differ.
const AHEAD: i64 = 3600;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryKind {
    /// A plain file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A link; `target` says where to.
    Link,
    /// The listed directory itself, in `MLSD` (`cdir`).
    CurrentDirectory,
    /// Its parent, in `MLSD` (`pdir`).
    ParentDirectory,
}

/// One entry, as much as a listing may show of it. What is left at its default is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListEntry<'a> {
    /// The name, without a path.
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Last change, seconds since 1970 UTC.
    pub modified: i64,
    /// Creation, seconds since 1970 UTC.
    pub created: Option<i64>,
    /// Name of the owner.
    pub owner: &'a str,
    /// Name of the group.
    pub group: &'a str,
    /// Permission bits as Unix has them, `0o644`.
    pub mode: u32,
    /// The id of the entry, which never means another; 0: none.
    pub id: u64,
    /// The generation of its content.
    pub generation: u64,
    /// What the asking user may do with it.
    pub perm: Perm,
    /// CRC-32 of the content.
    pub crc32: Option<u32>,
    /// Where a link leads.
    pub target: Option<&'a [u8]>,
}

/// Appends `total N`, the first line of every `LIST`; N is in KiB. No listing is ever empty.
pub fn total_line(kib: u64, out: &mut BytesMut) {
    out.extend_from_slice(b"total ");
    put_number(kib, 0, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends one `LIST` line in the manner of `ls -l`, at least 40 bytes long; `now` in seconds since 1970.
///
/// Times from half a year ago until now have hour and minute, others their year; all are UTC.
pub fn list_line(entry: &ListEntry<'_>, now: i64, out: &mut BytesMut) {
    out.reserve(80 + entry.name.len());
    out.extend_from_slice(&mode_text(entry));
    out.extend_from_slice(if is_directory(entry.kind) {
        b"   2 "
    } else {
        b"   1 "
    });
    put_column(entry.owner, out);
    put_column(entry.group, out);
    put_number(entry.size, 12, out);
    out.extend_from_slice(b" ");
    put_date(entry.modified, now, out);
    out.extend_from_slice(b" ");
    put_name(entry.name, out);
    if let (EntryKind::Link, Some(target)) = (entry.kind, entry.target) {
        out.extend_from_slice(b" -> ");
        put_name(target, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one `NLST` line: what the client put before the name (`dir/`, or nothing) and the name.
pub fn nlst_line(prefix: &[u8], name: &[u8], out: &mut BytesMut) {
    put_safe(prefix, out);
    put_name(name, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a name that cannot end its line; an empty one, which nobody has, as `?`.
pub(super) fn put_name(name: &[u8], out: &mut BytesMut) {
    put_safe(if name.is_empty() { b"?" } else { name }, out);
}

fn put_safe(text: &[u8], out: &mut BytesMut) {
    if !text.iter().any(u8::is_ascii_control) {
        out.extend_from_slice(text);
        return;
    }
    out.extend(
        text.iter()
            .map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }),
    );
}

/// Appends an account's name as a word: without blanks, and without what ends a fact.
pub(super) fn put_word(word: &str, out: &mut BytesMut) {
    let plain = |byte: u8| !byte.is_ascii_control() && !matches!(byte, b' ' | b';');
    if word.bytes().all(plain) {
        out.extend_from_slice(word.as_bytes());
        return;
    }
    out.extend(
        word.bytes()
            .map(|byte| if plain(byte) { byte } else { b'_' }),
    );
}

/// Appends a number, right-aligned in `width`.
pub(super) fn put_number(mut number: u64, width: usize, out: &mut BytesMut) {
    let mut digits = [b' '; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let from = from.min(digits.len().saturating_sub(width));
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// An account's name in a column of eight, and the space after it.
fn put_column(name: &str, out: &mut BytesMut) {
    const BLANKS: &[u8; 9] = b"         ";
    let name = if name.is_empty() { "-" } else { name };
    put_word(name, out);
    out.extend_from_slice(BLANKS.get(name.len().min(8)..).unwrap_or_default());
}

fn put_date(at: i64, now: i64, out: &mut BytesMut) {
    let civil = Civil::from_unix(at);
    let month = usize::try_from(civil.month - 1)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .unwrap_or(&MONTHS[0]);
    let mut text = *b"Jan 01 00:00";
    text[..3].copy_from_slice(*month);
    text[4..6].copy_from_slice(&two_digits(civil.day));
    if at > now.saturating_sub(RECENT) && at <= now.saturating_add(AHEAD) {
        text[7..9].copy_from_slice(&two_digits(civil.hour));
        text[10..].copy_from_slice(&two_digits(civil.minute));
    } else {
        text[7] = b' ';
        text[8..10].copy_from_slice(&two_digits(civil.year / 100));
        text[10..].copy_from_slice(&two_digits(civil.year % 100));
    }
    out.extend_from_slice(&text);
}

fn is_directory(kind: EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::Directory | EntryKind::CurrentDirectory | EntryKind::ParentDirectory
    )
}

fn mode_text(entry: &ListEntry<'_>) -> [u8; 10] {
    let mut text = *b"-rwxrwxrwx";
    text[0] = match entry.kind {
        EntryKind::File => b'-',
        EntryKind::Link => b'l',
        _ => b'd',
    };
    for (at, letter) in text[1..].iter_mut().enumerate() {
        if entry.mode >> (8 - at) & 1 == 0 {
            *letter = b'-';
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_769_860_800; // 2026-01-31 12:00

    fn line(entry: ListEntry<'_>) -> String {
        let mut out = BytesMut::new();
        list_line(&entry, NOW, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn file(name: &[u8]) -> ListEntry<'_> {
        ListEntry {
            name,
            size: 3_000_000,
            mode: 0o644,
            owner: "bench",
            group: "users",
            modified: NOW,
            ..Default::default()
        }
    }

    #[test]
    fn a_file_looks_as_ls_shows_it() {
        assert_eq!(
            line(file(b"a b")),
            "-rw-r--r--   1 bench    users         3000000 Jan 31 12:00 a b\r\n"
        );
    }

    #[test]
    fn a_directory_and_a_link_look_as_ls_shows_them() {
        let dir = ListEntry {
            kind: EntryKind::Directory,
            mode: 0o755,
            modified: 0,
            size: 0,
            ..file(b"d")
        };
        assert_eq!(
            line(dir),
            "drwxr-xr-x   2 bench    users               0 Jan 01  1970 d\r\n"
        );
        let link = ListEntry {
            kind: EntryKind::Link,
            mode: 0o777,
            target: Some(b"/pub/x"),
            ..file(b"l")
        };
        assert!(
            line(link).starts_with("lrwxrwxrwx   1 ") && line(link).ends_with(" l -> /pub/x\r\n")
        );
    }

    #[test]
    fn times_of_the_last_half_year_show_the_clock_and_others_the_year() {
        let at = |modified| {
            line(ListEntry {
                modified,
                ..file(b"x")
            })
        };
        assert!(at(NOW - RECENT + 1).contains(" Aug 01 12:00 x"));
        assert!(at(NOW - RECENT).contains(" Aug 01  2025 x"));
        assert!(at(NOW + AHEAD).contains(" Jan 31 13:00 x"));
        assert!(at(NOW + AHEAD + 1).contains(" Jan 31  2026 x"));
        assert!(
            at(i64::MIN).contains(" Jan 01  0000 x") && at(i64::MAX).contains(" Dec 31  9999 x")
        );
    }

    #[test]
    fn the_shortest_line_has_forty_bytes() {
        let shortest = ListEntry {
            name: b"x",
            ..Default::default()
        };
        assert!(line(shortest).len() >= 40);
        assert_eq!(line(shortest).split_whitespace().count(), 9);
    }

    #[test]
    fn account_names_stay_in_their_column() {
        let odd = ListEntry {
            owner: "two words",
            group: "",
            ..file(b"x")
        };
        assert!(line(odd).contains(" two_words -             3000000 "));
    }

    #[test]
    fn numbers_are_aligned_and_never_cut() {
        let number = |number, width| {
            let mut out = BytesMut::new();
            put_number(number, width, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(
            (number(0, 0), number(7, 3), number(u64::MAX, 12)),
            ("0".into(), "  7".into(), u64::MAX.to_string())
        );
    }

    #[test]
    fn an_empty_directory_still_lists_its_total() {
        let mut out = BytesMut::new();
        total_line(0, &mut out);
        assert_eq!(&out[..], b"total 0\r\n");
    }

    #[test]
    fn nlst_names_can_be_used_as_they_are() {
        let mut out = BytesMut::new();
        nlst_line(b"pub/", b"a\nb", &mut out);
        assert_eq!(&out[..], b"pub/a?b\r\n");
    }
}
