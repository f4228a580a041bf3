//! Properties of the FTP grammar: nothing panics, nothing depends on how bytes are cut into packets, what is rendered
//! can be read back, and no text leaves its line.

#![allow(clippy::unwrap_used)]

mod arguments;
mod lines;
mod listings;
mod replies;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;

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
