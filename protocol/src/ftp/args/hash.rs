//! Arguments of checksum verbs (`HASH`, `XCRC`, `XMD5`, …) and of `RANG`.

use std::borrow::Cow;

use super::scalar::decimal;
use super::{ArgError, Words};

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OctetRange {
    /// The first byte, from 0.
    pub start: u64,
    /// The second number as it was given; `None`: to the end of the file.
    ///
    /// For `RANG` it is the last byte of the part; for `XCRC` and its kin it is the byte after it.
    pub end: Option<u64>,
}

/// `XCRC name [start [end]]`, the name in double quotes or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashArgs<'a> {
    /// The file.
    pub name: Cow<'a, [u8]>,
    /// The part of it, if said.
    pub range: Option<OctetRange>,
    /// Set where a part was read off an argument without quotes: all of it as a name.
    ///
    /// `track 01` may be a file; if it is, that is meant, and no part.
    pub whole: Option<&'a [u8]>,
}

impl<'a> HashArgs<'a> {
    /// Reads the argument. The end, if given, is not before the start.
    pub fn parse(arg: &'a [u8]) -> Result<Self, ArgError> {
        if arg.is_empty() {
            return Err(ArgError::Missing("the path"));
        }
        if arg.first() == Some(&b'"') {
            Self::quoted(arg)
        } else {
            Ok(Self::bare(arg))
        }
    }

    fn quoted(arg: &'a [u8]) -> Result<Self, ArgError> {
        const ERROR: ArgError = ArgError::Malformed {
            what: "the part of the file",
            want: "START or START END",
        };
        let mut words = Words::new(arg);
        let name = words.need("the path")?;
        if name.is_empty() {
            return Err(ArgError::Missing("the path"));
        }
        let numbers: Vec<&[u8]> = words
            .rest()
            .split(|b| *b == b' ')
            .filter(|word| !word.is_empty())
            .collect();
        let range = match numbers[..] {
            [] => None,
            [start] => Some(range(start, None).ok_or(ERROR)?),
            [start, end] => Some(range(start, Some(end)).ok_or(ERROR)?),
            _ => return Err(ERROR),
        };
        Ok(Self {
            name,
            range,
            whole: None,
        })
    }

    /// Without quotes the last one or two words are a part if they can be, and the rest is the name.
    fn bare(arg: &'a [u8]) -> Self {
        let (before, last) = last_word(arg);
        let (first, middle) = last_word(before);
        let two = range(middle, Some(last)).map(|range| (first, range));
        let one = range(last, None).map(|range| (before, range));
        match two
            .filter(|(name, _)| !name.is_empty())
            .or(one)
            .filter(|(name, _)| !name.is_empty())
        {
            Some((name, range)) => Self {
                name: Cow::Borrowed(name),
                range: Some(range),
                whole: Some(arg),
            },
            None => Self {
                name: Cow::Borrowed(arg),
                range: None,
                whole: None,
            },
        }
    }
}

/// `RANG start end` (draft-bryan-ftp-range): a part with both ends included; `None` for `RANG 1 0`, which forgets it.
pub fn rang(arg: &[u8]) -> Result<Option<OctetRange>, ArgError> {
    const ERROR: ArgError = ArgError::Malformed {
        what: "the part of the file",
        want: "START END",
    };
    let words: Vec<&[u8]> = arg
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    match words[..] {
        [] => Err(ArgError::Missing("the part of the file")),
        [b"1", b"0"] => Ok(None),
        [start, end] => range(start, Some(end)).map(Some).ok_or(ERROR),
        _ => Err(ERROR),
    }
}

fn range(start: &[u8], end: Option<&[u8]>) -> Option<OctetRange> {
    let start = decimal(start)?;
    match end {
        None => Some(OctetRange { start, end: None }),
        Some(end) => decimal(end)
            .filter(|end| start <= *end)
            .map(|end| OctetRange {
                start,
                end: Some(end),
            }),
    }
}

/// Splits at the last space; without one, all is the last word.
fn last_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().rposition(|b| *b == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (&[], text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arg: &[u8]) -> (Vec<u8>, Option<(u64, Option<u64>)>) {
        let args = HashArgs::parse(arg).unwrap();
        (
            args.name.into_owned(),
            args.range.map(|range| (range.start, range.end)),
        )
    }

    #[test]
    fn a_quoted_name_may_hold_anything() {
        assert_eq!(
            read(b"\"a b 1\" 0 100"),
            (b"a b 1".to_vec(), Some((0, Some(100))))
        );
        assert_eq!(read(b"\"a\"\"b\" 7"), (b"a\"b".to_vec(), Some((7, None))));
        assert_eq!(read(b"\"a b\""), (b"a b".to_vec(), None));
        for arg in [
            &b"\"a"[..],
            b"\"a\" x",
            b"\"a\" 1 2 3",
            b"\"a\" 5 4",
            b"\"\" 1",
            b"",
        ] {
            assert!(HashArgs::parse(arg).is_err());
        }
    }

    #[test]
    fn a_bare_name_ends_where_the_part_begins() {
        assert_eq!(read(b"a b 0 100"), (b"a b".to_vec(), Some((0, Some(100)))));
        assert_eq!(read(b"a b 100"), (b"a b".to_vec(), Some((100, None))));
        assert_eq!(read(b"a b"), (b"a b".to_vec(), None));
        assert_eq!(read(b"100"), (b"100".to_vec(), None));
        assert_eq!(read(b"1 2"), (b"1".to_vec(), Some((2, None))));
    }

    #[test]
    fn a_bare_name_with_a_part_may_be_a_name_as_a_whole() {
        assert_eq!(
            HashArgs::parse(b"track 01").unwrap().whole,
            Some(&b"track 01"[..])
        );
        assert_eq!(HashArgs::parse(b"track").unwrap().whole, None);
        assert_eq!(HashArgs::parse(b"\"track\" 01").unwrap().whole, None);
    }

    #[test]
    fn rang_reads_two_numbers_and_can_be_undone() {
        assert_eq!(
            rang(b"0 9"),
            Ok(Some(OctetRange {
                start: 0,
                end: Some(9)
            }))
        );
        assert_eq!(rang(b"1 0"), Ok(None));
        assert!(
            rang(b"9 8").is_err()
                && rang(b"9").is_err()
                && rang(b"").is_err()
                && rang(b"0 1 2").is_err()
        );
    }
}
