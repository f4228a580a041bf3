//! Properties of the FTP grammar: nothing panics, nothing depends on how bytes are cut into packets, what is rendered
//! can be read back, and no text leaves its line.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use bytes::{Bytes, BytesMut};
use drftpd_protocol::ftp::args::{self, Glob, HashArgs, HostPort, ListArgs, Words};
use drftpd_protocol::ftp::codec::{LIMIT_AFTER_LOGIN, LIMIT_BEFORE_LOGIN};
use drftpd_protocol::ftp::feat::features;
use drftpd_protocol::ftp::listing::{list_line, mlsd_line, mlst_reply, nlst_line};
use drftpd_protocol::ftp::reply::quoted;
use drftpd_protocol::ftp::{
    EntryKind, Facts, FtpTime, Line, LineCodec, LineFault, ListEntry, Perm, Reply, Verb,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use tokio_util::codec::Decoder;

/// A failure prints its seed and is run again first from then on. `PROPTEST_CASES` asks for more cases.
fn config() -> ProptestConfig {
    let seeds = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        failure_persistence: Some(Box::new(seeds)),
        ..ProptestConfig::default()
    }
}

/// Bytes as an unfriendly client mixes them: line ends, Telnet, quotes and digits are frequent.
fn hostile() -> impl Strategy<Value = u8> {
    let special =
        b"\r\n\0\t \"*?[]-;,|.0123456789aA/\\\x7F\xF0\xF2\xF4\xFA\xFB\xFC\xFD\xFE\xFF".to_vec();
    prop_oneof![3 => select(special), 1 => any::<u8>()]
}

fn hostile_bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(hostile(), 0..len)
}

/// Bytes that may stand in an argument.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    vec(
        hostile().prop_map(|b| if b.is_ascii_control() { b'x' } else { b }),
        1..40,
    )
}

fn verb() -> impl Strategy<Value = Verb> {
    "[A-Za-z][A-Za-z0-9]{0,11}".prop_map(|text| Verb::new(text).unwrap())
}

fn feed(codec: &mut LineCodec, bytes: &[u8], into: &mut Vec<Result<Line, LineFault>>) {
    let mut src = BytesMut::from(bytes);
    while let Some(item) = codec.decode(&mut src).unwrap() {
        into.push(item);
    }
    assert!(src.is_empty(), "the decoder left bytes behind");
}

/// A line as a careful client sends it.
fn on_the_wire(line: &Line) -> Vec<u8> {
    let mut bytes = line.verb.as_str().as_bytes().to_vec();
    bytes.push(b' ');
    for byte in line.arg() {
        bytes.extend_from_slice(if *byte == 0xFF {
            &[0xFF, 0xFF]
        } else {
            std::slice::from_ref(byte)
        });
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Reads exactly one reply as RFC 959 defines it; returns code, inner lines and last text, Telnet taken out.
fn read_reply(bytes: &[u8]) -> Option<(u16, Vec<Vec<u8>>, Vec<u8>)> {
    let text = String::from_utf8_lossy(bytes);
    assert!(text.ends_with("\r\n") && text.matches('\n').count() == text.matches("\r\n").count());
    let mut lines = bytes[..bytes.len() - 2]
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next()?;
    let (code, mark, rest) = (first.get(..3)?, *first.get(3)?, first.get(4..)?);
    let number = std::str::from_utf8(code).ok()?.parse().ok()?;
    if mark == b' ' {
        return lines
            .next()
            .is_none()
            .then(|| (number, Vec::new(), undoubled(rest)));
    }
    let end = [code, b" "].concat();
    let mut inner = vec![undoubled(rest)];
    for line in lines.by_ref() {
        if line.starts_with(&end) {
            return lines
                .next()
                .is_none()
                .then(|| (number, inner, undoubled(&line[4..])));
        }
        assert!(
            !is_last_line(line),
            "an inner line that some clients take for the last: {line:?}"
        );
        inner.push(undoubled(line));
    }
    None
}

/// What the laziest reader takes for the end of a reply: three digits and a space, or nothing.
fn is_last_line(line: &[u8]) -> bool {
    line.len() >= 3
        && line[..3].iter().all(u8::is_ascii_digit)
        && line.get(3).is_none_or(|b| *b == b' ')
}

fn undoubled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == 0xFF {
            assert_eq!(bytes.next(), Some(&0xFF), "a Telnet sequence in a reply");
        }
        out.push(*byte);
    }
    out
}

/// A text as it must arrive: blanks and question marks in place of what cannot be sent.
fn made_safe(text: &[u8]) -> Vec<u8> {
    let safe = |byte: &u8| match byte {
        b'\t' | b'\r' | b'\n' => b' ',
        byte if byte.is_ascii_control() => b'?',
        byte => *byte,
    };
    text.iter().map(safe).collect()
}

/// One line and nothing but a line.
fn is_one_line(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n") && !bytes[..bytes.len() - 2].iter().any(u8::is_ascii_control)
}

/// The matcher that `Glob` must agree with: quadratic, but plain.
fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| matches_slowly(rest, &name[skip..])),
        ([b'?', rest @ ..], [_, name @ ..]) => matches_slowly(rest, name),
        ([byte, rest @ ..], [first, name @ ..]) => byte == first && matches_slowly(rest, name),
        _ => false,
    }
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
    fn lines_do_not_depend_on_how_bytes_are_cut(
        bytes in hostile_bytes(700),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        logged_in: bool,
    ) {
        let (mut whole, mut pieces) = (LineCodec::new(), LineCodec::new());
        whole.logged_in(logged_in);
        pieces.logged_in(logged_in);
        let mut expected = Vec::new();
        feed(&mut whole, &bytes, &mut expected);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut items = Vec::new();
        for cut in cuts.windows(2) {
            feed(&mut pieces, &bytes[cut[0]..cut[1]], &mut items);
        }
        prop_assert_eq!(items, expected);
        prop_assert_eq!(pieces.take_refusals(), whole.take_refusals());
        prop_assert_eq!(pieces.is_mid_line(), whole.is_mid_line());
    }

    #[test]
    fn the_decoder_keeps_no_more_than_its_limit(
        chunk in vec(hostile().prop_map(|b| if b == b'\n' { b'x' } else { b }), 1..200),
        logged_in: bool,
    ) {
        let mut codec = LineCodec::new();
        codec.logged_in(logged_in);
        let limit = if logged_in { LIMIT_AFTER_LOGIN } else { LIMIT_BEFORE_LOGIN };
        let mut items = Vec::new();
        for _ in 0..2 * LIMIT_AFTER_LOGIN / chunk.len() {
            feed(&mut codec, &chunk, &mut items);
            prop_assert!(codec.kept() <= limit + 96);
        }
        prop_assert!(items.is_empty() || items == [Err(LineFault::TooLong)]);
    }

    #[test]
    fn nothing_follows_a_line_that_is_too_long(before in hostile_bytes(50), after in hostile_bytes(50)) {
        let mut codec = LineCodec::new();
        let mut items = Vec::new();
        feed(&mut codec, &before, &mut items);
        feed(&mut codec, &[b'a'; LIMIT_BEFORE_LOGIN + 2], &mut items);
        // One byte may be an option; the rest is too long, in a subnegotiation or outside.
        prop_assert_eq!(items.pop(), Some(Err(LineFault::TooLong)));
        let mut more = Vec::new();
        feed(&mut codec, &after, &mut more);
        feed(&mut codec, b"\r\nDELE x\r\n", &mut more);
        prop_assert_eq!(more, vec![]);
    }

    #[test]
    fn a_line_arrives_as_it_was_sent(verb in verb(), arg in argument()) {
        let line = Line { verb, arg: Some(Bytes::from(arg)) };
        let mut items = Vec::new();
        feed(&mut LineCodec::new(), &on_the_wire(&line), &mut items);
        prop_assert_eq!(items, vec![Ok(line)]);
    }

    #[test]
    fn an_announced_line_is_the_line_itself(verb in verb(), arg in argument()) {
        let inner = Line { verb, arg: Some(Bytes::from(arg)) };
        let text = [inner.verb.as_str().as_bytes(), b" ", inner.arg()].concat();
        prop_assert_eq!(args::pret(&Bytes::from(text)), Ok(inner));
    }

    #[test]
    fn no_argument_makes_a_reader_panic(arg in hostile_bytes(60), name in hostile_bytes(20)) {
        let refused = [
            args::port(&arg).err(), args::eprt(&arg).err(), args::epsv(&arg).err(),
            args::transfer_type(&arg).err(), args::transfer_mode(&arg).err(), args::file_structure(&arg).err(),
            args::prot(&arg).err(), args::auth(&arg).err(), args::switch(&arg).err(), args::offset(&arg, "it").err(),
            args::allo(&arg).err(), args::mfmt(&arg).err(), args::rang(&arg).err(), HashArgs::parse(&arg).err(),
            FtpTime::parse(&arg).err(), Words::new(&arg).find_map(Result::err),
        ];
        for error in refused.into_iter().flatten() {
            prop_assert!(matches!(error.reply().code(), 501 | 504 | 522 | 536));
        }
        let arg = Bytes::from(arg);
        for inner in [args::pret(&arg), args::site(&arg), args::opts(&arg)].into_iter().flatten() {
            prop_assert!(!inner.verb.is_empty());
        }
        let list = ListArgs::parse(&arg);
        prop_assert!(arg.ends_with(list.path));
        if let Some((directory, glob)) = list.pattern() {
            prop_assert!(list.path.starts_with(directory));
            prop_assert!(!glob.matches(&name) || glob.ignoring_case().matches(&name));
        }
        prop_assert!(Facts::DEFAULT.with(Facts::parse(&arg)).has(Facts::TYPE));
    }

    #[test]
    fn hosts_are_read_back(v4: u32, v6: u128, port in 1..=u16::MAX, mark in select(b"|!#$~".to_vec())) {
        let v4 = SocketAddrV4::new(Ipv4Addr::from(v4), port);
        prop_assert_eq!(args::port(HostPort(v4).to_string().as_bytes()), Ok(v4));
        for (family, at) in [(1, SocketAddr::V4(v4)), (2, SocketAddr::from((Ipv6Addr::from(v6), port)))] {
            let text = format!("|{family}|{}|{port}|", at.ip()).replace('|', &char::from(mark).to_string());
            prop_assert_eq!(args::eprt(text.as_bytes()), Ok(at));
        }
    }

    #[test]
    fn times_are_read_back_and_keep_their_order(
        a in -62_167_219_200i64..=253_402_300_799,
        b in -62_167_219_200i64..=253_402_300_799,
        millis in 0..1000u16,
    ) {
        let text = |seconds| FtpTime::from_unix(seconds).to_string();
        prop_assert_eq!(FtpTime::parse(text(a).as_bytes()), Ok(FtpTime::from_unix(a)));
        prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
        let fine = FtpTime::parse(format!("{}.{millis:03}", text(a)).as_bytes()).unwrap();
        prop_assert_eq!(fine.millis(), millis);
        prop_assert_eq!(FtpTime::parse(fine.to_string().as_bytes()), Ok(fine));
    }

    #[test]
    fn a_reply_is_one_reply_whatever_its_texts(
        code in 100..700u16,
        first in hostile_bytes(30),
        lines in vec(hostile_bytes(30), 0..6),
        mut block in hostile_bytes(80),
        last in vec(hostile(), 1..30),
    ) {
        let mut lines = lines;
        lines.push(format!("{code} the end").into_bytes());
        block.extend_from_slice(format!("\n{code}\r\n{code} the end").as_bytes());
        let reply = Reply::lines(code, first.clone(), lines.clone(), last.clone()).comments(lines.clone());
        let (got, inner, text) = read_reply(&reply.to_bytes()).unwrap();
        prop_assert_eq!((got, text), (code, made_safe(&last)));
        prop_assert_eq!(inner.len(), 1 + 2 * lines.len());
        prop_assert_eq!(&inner[0], &made_safe(&first));
        for (line, shown) in lines.iter().zip(&inner[1..]) {
            let line = made_safe(line);
            prop_assert!(*shown == line || *shown == [b" ", &line[..]].concat());
        }
        prop_assert!(read_reply(&Reply::new(code, last.clone()).to_bytes()).unwrap().1.is_empty());
        let block = Reply::block(code, first, Bytes::from(block), last.clone()).to_bytes();
        prop_assert_eq!(read_reply(&block).unwrap().2, made_safe(&last));
    }

    #[test]
    fn features_are_indented_one_by_one(lines in vec("[A-Z]{3,5}( [a-z*;]{1,9})?", 1..6)) {
        let reply = features(lines.clone()).to_bytes();
        let inner = read_reply(&reply).unwrap().1;
        let want: Vec<Vec<u8>> = lines.iter().map(|line| format!(" {line}").into_bytes()).collect();
        prop_assert_eq!(&inner[1..], &want[..]);
    }

    #[test]
    fn a_quoted_path_is_read_back(path in argument()) {
        let text = quoted(&path);
        let mut words = Words::new(&text);
        prop_assert_eq!(words.next().unwrap().unwrap().into_owned(), path);
        prop_assert!(words.next().is_none());
    }

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

    #[test]
    fn patterns_agree_with_the_plain_definition(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
        let want = matches_slowly(pattern.as_bytes(), name.as_bytes());
        prop_assert_eq!(Glob::new(pattern.as_bytes()).matches(name.as_bytes()), want);
    }

    #[test]
    fn a_password_is_never_in_debug_output(password in "#[!-~]{6,20}") {
        let line = Line::parse(format!("pAsS {password}")).unwrap();
        let shown = format!("{line:?}");
        prop_assert!(!shown.contains(&password), "{}", shown);
        prop_assert_eq!(line.arg(), password.as_bytes());
    }
}
