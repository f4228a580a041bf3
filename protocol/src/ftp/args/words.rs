//! Arguments that hold a command of their own (`PRET`, `SITE`, `OPTS`), and words with quotes.

use std::borrow::Cow;

use bytes::Bytes;

use super::ArgError;
use crate::ftp::line::Line;

/// `PRET VERB [arg]`: the announced command, with its argument's bytes as they came.
pub fn pret(arg: &Bytes) -> Result<Line, ArgError> {
    inner_line(arg, "the command to announce", "a verb and its argument")
}

/// `SITE NAME [arg]`.
pub fn site(arg: &Bytes) -> Result<Line, ArgError> {
    inner_line(arg, "the SITE command", "a name and its arguments")
}

/// `OPTS NAME [options]` (RFC 2389, section 4).
pub fn opts(arg: &Bytes) -> Result<Line, ArgError> {
    inner_line(
        arg,
        "the command to set options for",
        "a name and its options",
    )
}

fn inner_line(arg: &Bytes, what: &'static str, want: &'static str) -> Result<Line, ArgError> {
    if arg.trim_ascii().is_empty() {
        return Err(ArgError::Missing(what));
    }
    Line::parse(arg.clone()).map_err(|_| ArgError::Malformed { what, want })
}

/// Words between spaces; one in double quotes may hold spaces, and a quote as `""`.
///
/// ```
/// use drftpd_protocol::ftp::args::Words;
///
/// let mut words = Words::new(b"NUKE \"my \"\"dir\"\"\" 3 too  bad");
/// assert_eq!(words.next().unwrap().unwrap(), &b"NUKE"[..]);
/// assert_eq!(words.next().unwrap().unwrap(), &b"my \"dir\""[..]);
/// assert_eq!(words.next().unwrap().unwrap(), &b"3"[..]);
/// assert_eq!(words.rest(), b"too  bad");
/// ```
#[derive(Debug, Clone)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// Words of an argument.
    pub fn new(arg: &'a [u8]) -> Self {
        Self { rest: arg }
    }

    /// What was not taken yet, from the next word to the end, unchanged.
    pub fn rest(&self) -> &'a [u8] {
        self.rest.trim_ascii_start()
    }

    /// The next word; an error if there is none.
    pub fn need(&mut self, what: &'static str) -> Result<Cow<'a, [u8]>, ArgError> {
        self.next().ok_or(ArgError::Missing(what))?
    }

    /// Takes a word in quotes, of which the opening one is gone.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, ArgError> {
        const ERROR: ArgError = ArgError::Malformed {
            what: "the quoted word",
            want: "closed by a quote and followed by a space",
        };
        let mut word = Vec::new();
        loop {
            let end = self
                .rest
                .iter()
                .position(|b| *b == b'"')
                .unwrap_or(self.rest.len());
            let (piece, rest) = self.rest.split_at(end);
            word.extend_from_slice(piece);
            match rest {
                [b'"', b'"', rest @ ..] => {
                    word.push(b'"');
                    self.rest = rest;
                }
                [b'"', rest @ ..] if rest.first().is_none_or(|b| *b == b' ') => {
                    self.rest = rest;
                    return Ok(Cow::Owned(word));
                }
                _ => {
                    self.rest = &[];
                    return Err(ERROR);
                }
            }
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Result<Cow<'a, [u8]>, ArgError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim_ascii_start();
        if let Some(rest) = self.rest.strip_prefix(b"\"") {
            self.rest = rest;
            return Some(self.quoted());
        }
        let end = self
            .rest
            .iter()
            .position(|b| *b == b' ')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(Ok(Cow::Borrowed(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pret_keeps_the_announced_name() {
        let line = pret(&Bytes::from_static(b"stor  a b ")).unwrap();
        assert_eq!((line.verb.as_str(), line.arg()), ("STOR", &b" a b "[..]));
    }

    #[test]
    fn pret_of_a_listing_may_end_with_a_space() {
        let line = pret(&Bytes::from_static(b"MLSD ")).unwrap();
        assert_eq!((line.verb.as_str(), line.arg), ("MLSD", None));
    }

    #[test]
    fn an_inner_command_must_be_there() {
        assert_eq!(
            pret(&Bytes::from_static(b" ")),
            Err(ArgError::Missing("the command to announce"))
        );
        assert!(site(&Bytes::new()).is_err() && opts(&Bytes::from_static(b"*")).is_err());
    }

    #[test]
    fn an_open_quote_is_an_error_and_ends_the_words() {
        let mut words = Words::new(b"a \"b c");
        assert!(words.next().unwrap().is_ok());
        assert!(words.next().unwrap().is_err());
        assert!(words.next().is_none());
        assert!(Words::new(b"\"a\"b").next().unwrap().is_err());
    }

    #[test]
    fn a_missing_word_is_named() {
        assert_eq!(
            Words::new(b"  ").need("the user"),
            Err(ArgError::Missing("the user"))
        );
    }
}
