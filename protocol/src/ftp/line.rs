//! One command as the client meant it: a verb, and the bytes of its argument exactly as they came.
//!
//! A [`Line`] is what is left after line ends and Telnet bytes are gone ([`super::codec`]). It knows no list of
//! verbs. `PRET`, `SITE` and `OPTS` carry a line inside their argument; [`Line::parse`] reads those too.

use std::fmt;

use bytes::Bytes;

use super::reply::Reply;

/// The longest verb that is read as one; no verb and no SITE command comes near it.
pub const MAX_VERB: usize = 24;

/// A verb in upper-case ASCII: a letter, then letters or digits (`XMD5`), at most [`MAX_VERB`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verb {
    text: [u8; MAX_VERB], // padded with zeros, so that the derived order is that of the text
    len: u8,
}

impl Verb {
    /// Reads a verb in any case; `None` if the text is none.
    pub fn new(text: impl AsRef<[u8]>) -> Option<Self> {
        let given = text.as_ref();
        let begins_well = given.first().is_some_and(u8::is_ascii_alphabetic);
        if !begins_well || given.len() > MAX_VERB || !given.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut text = [0; MAX_VERB];
        for (to, from) in text.iter_mut().zip(given) {
            *to = from.to_ascii_uppercase();
        }
        Some(Self {
            text,
            len: u8::try_from(given.len()).ok()?,
        })
    }

    /// The verb as text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl std::ops::Deref for Verb {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Verb {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Verb {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Verb {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One command.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// What is asked.
    pub verb: Verb,
    /// Everything after the one space behind the verb, unchanged; `None` if that is nothing.
    ///
    /// Never empty. It may begin or end with spaces: they belong to a name.
    pub arg: Option<Bytes>,
}

impl Line {
    /// Splits one line without its end. Control characters are a fault wherever they stand.
    pub fn parse(line: impl Into<Bytes>) -> Result<Self, LineFault> {
        let line: Bytes = line.into();
        if line.iter().any(u8::is_ascii_control) {
            return Err(LineFault::Control);
        }
        if line.is_empty() {
            return Err(LineFault::Empty);
        }
        let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
        let verb = Verb::new(line.slice(..end)).ok_or(LineFault::NotAVerb)?;
        let arg = (end + 1 < line.len()).then(|| line.slice(end + 1..));
        Ok(Self { verb, arg })
    }

    /// The argument, empty if there is none. This is what the readers in [`super::args`] take.
    pub fn arg(&self) -> &[u8] {
        self.arg.as_deref().unwrap_or_default()
    }

    /// Whether the argument may hold a password and must stay out of logs.
    pub fn is_secret(&self) -> bool {
        matches!(self.verb.as_str(), "PASS" | "ACCT" | "ADAT" | "SITE")
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arg {
            None => write!(f, "Line({})", self.verb),
            Some(_) if self.is_secret() => write!(f, "Line({} <hidden>)", self.verb),
            Some(arg) => write!(f, "Line({} {arg:?})", self.verb),
        }
    }
}

/// Why a line is not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Longer than the limit. Nothing that follows on this connection is read any more.
    #[error("line longer than the limit")]
    TooLong,
    /// A bare CR, a NUL, another C0 byte, or DEL.
    #[error("control character in a command")]
    Control,
    /// Nothing before the line end.
    #[error("empty line")]
    Empty,
    /// The line does not begin with a verb.
    #[error("no verb at the beginning of the line")]
    NotAVerb,
}

impl LineFault {
    /// Says it to the client.
    pub fn reply(self) -> Reply {
        match self {
            Self::TooLong => Reply::new(500, "Line too long, closing the connection"),
            Self::Control => Reply::new(501, "Control characters are not allowed in commands"),
            Self::Empty | Self::NotAVerb => Reply::not_understood(),
        }
    }

    /// Whether the session must end after the reply.
    pub fn ends_session(self) -> bool {
        self == Self::TooLong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_space_after_the_verb_is_taken_from_the_argument() {
        let line = Line::parse("retr  two  spaces ").unwrap();
        assert_eq!(line.verb, "RETR");
        assert_eq!(line.arg(), b" two  spaces ");
    }

    #[test]
    fn a_trailing_space_alone_is_no_argument() {
        assert_eq!(Line::parse("MLSD ").unwrap(), Line::parse("mlsd").unwrap());
    }

    #[test]
    fn verbs_may_hold_digits_but_begin_with_a_letter() {
        assert_eq!(Line::parse("XSHA256 f").unwrap().verb, "XSHA256");
        for text in [
            "1ST",
            "<script>",
            " NOOP",
            "NO\u{e4}",
            "A-B",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        ] {
            assert_eq!(Line::parse(text), Err(LineFault::NotAVerb), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_in_debug_output() {
        for text in [
            "PASS hunter2",
            "pass hunter2",
            "SITE ADDUSER bob hunter2",
            "ACCT hunter2",
        ] {
            assert!(!format!("{:?}", Line::parse(text).unwrap()).contains("hunter2"));
        }
        assert!(format!("{:?}", Line::parse("CWD hunter2").unwrap()).contains("hunter2"));
    }

    #[test]
    fn verbs_sort_like_their_text() {
        let verb = |text| Verb::new(text).unwrap();
        assert!(
            verb("ALLO") < verb("B") && verb("MLS") < verb("MLST") && verb("MLSD") < verb("MLST")
        );
    }
}
