//! Entries of listings and their facts.

use bytes::BytesMut;
use drftpd_protocol::ftp::listing::{list_line, mlsd_line, mlst_reply, nlst_line};
use drftpd_protocol::ftp::{EntryKind, Facts, FtpTime, ListEntry, Perm};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{argument, config, hostile_bytes, read_reply};

/// One line and nothing but a line.
fn is_one_line(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n") && !bytes[..bytes.len() - 2].iter().any(u8::is_ascii_control)
}

fn entry<'a>(
    name: &'a [u8],
    owner: &'a str,
    numbers: (u64, i64, u32),
    kind: EntryKind,
) -> ListEntry<'a> {
    let (size, modified, mode) = numbers;
    ListEntry {
        name,
        kind,
        size,
        modified,
        mode,
        owner,
        group: owner,
        created: Some(modified),
        id: size,
        generation: size,
        perm: Perm::READ | Perm::WRITE,
        crc32: Some(mode),
        target: Some(name),
    }
}

fn kind() -> impl Strategy<Value = EntryKind> {
    use EntryKind::{CurrentDirectory, Directory, File, Link, ParentDirectory};
    select(vec![
        File,
        Directory,
        Link,
        CurrentDirectory,
        ParentDirectory,
    ])
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_entry_is_one_line_whatever_its_name(
        name in hostile_bytes(40),
        owner in "\\PC{0,12}|[ ;\n]{1,3}",
        numbers: (u64, i64, u32),
        kind in kind(),
        now: i64,
    ) {
        let entry = entry(&name, &owner, numbers, kind);
        let all = Facts::DEFAULT | Facts::CREATE | Facts::CRC32;
        let mut lines: [BytesMut; 3] = std::array::from_fn(|_| BytesMut::new());
        list_line(&entry, now, &mut lines[0]);
        mlsd_line(&entry, all, &mut lines[1]);
        nlst_line(b"dir/", &name, &mut lines[2]);
        prop_assert!(lines.iter().all(|line| is_one_line(line)));
        prop_assert!(lines[0].len() >= 40);
        prop_assert_eq!(lines[0][..53].split(|b| *b == b' ').next().map(<[u8]>::len), Some(10));
        prop_assert_eq!(read_reply(&mlst_reply(&entry, &name, all).to_bytes()).unwrap().1.len(), 2);
    }

    #[test]
    fn facts_are_read_back(name in argument(), owner in "[a-z]{1,12}", numbers: (u64, i64, u32)) {
        let entry = entry(&name, &owner, numbers, EntryKind::File);
        let mut line = BytesMut::new();
        mlsd_line(&entry, Facts::DEFAULT | Facts::CREATE | Facts::CRC32, &mut line);
        let line = line.strip_suffix(b"\r\n").unwrap();
        let space = line.iter().position(|b| *b == b' ').unwrap();
        prop_assert_eq!(&line[space + 1..], &name[..]);
        let facts = std::str::from_utf8(&line[..space]).unwrap();
        let fact = |key: &str| facts.split(';').find_map(|fact| fact.strip_prefix(key)?.strip_prefix('='));
        prop_assert_eq!(fact("type"), Some("file"));
        prop_assert_eq!(fact("size").unwrap().parse(), Ok(entry.size));
        let shown = entry.modified.clamp(-62_167_219_200, 253_402_300_799);
        prop_assert_eq!(FtpTime::parse(fact("modify").unwrap().as_bytes()).map(FtpTime::unix), Ok(shown));
        prop_assert_eq!(fact("perm"), Some("rw"));
        prop_assert_eq!((fact("UNIX.owner"), fact("UNIX.group")), (Some(&owner[..]), Some(&owner[..])));
        prop_assert_eq!(u32::from_str_radix(fact("UNIX.mode").unwrap(), 8), Ok(entry.mode & 0o777));
        prop_assert_eq!(u32::from_str_radix(fact("x.crc32").unwrap(), 16).ok(), entry.crc32);
        let unique = (entry.id != 0).then(|| format!("{0:x}g{0:x}", entry.id));
        prop_assert_eq!(fact("unique"), unique.as_deref());
    }

    #[test]
    fn a_choice_of_facts_is_named_as_it_was_chosen(words in vec("type|size|MODIFY|create|unix.mode|x.crc32|junk", 0..6)) {
        let facts = Facts::parse(words.join(";").as_bytes());
        let reply = String::from_utf8(facts.opts_reply().to_bytes().to_vec()).unwrap();
        let list = reply.strip_prefix("200 MLST OPTS ").unwrap().trim_end();
        prop_assert_eq!(Facts::parse(list.as_bytes()), facts);
        prop_assert!(!list.contains("junk"));
    }
}
