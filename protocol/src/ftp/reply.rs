//! What goes back to the client: a code and one or more lines (RFC 959, section 4.2).
//!
//! However a text looks, what is rendered is exactly one reply: line breaks and control characters in texts become
//! harmless, 0xFF is doubled (RFC 854), and no inner line can be taken for the last one, because none begins with a
//! digit except behind the reply's own `NNN-`. Texts are bytes, since names are.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// A text for clients: any bytes; made safe when rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(Cow<'static, [u8]>);

impl Text {
    /// The bytes as they were given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Puts pieces together, say words and a name.
    pub fn concat(parts: &[&[u8]]) -> Self {
        Self(Cow::Owned(parts.concat()))
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}

/// One reply.
///
/// ```
/// use drftpd_protocol::ftp::Reply;
///
/// assert_eq!(&Reply::new(200, "Fine").to_bytes()[..], b"200 Fine\r\n");
/// let long = Reply::new(226, "Transfer complete").comment("Checksum 0f2c9ad6");
/// assert_eq!(&long.to_bytes()[..], b"226-Checksum 0f2c9ad6\r\n226 Transfer complete\r\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    inner: Vec<Inner>,
    last: Text,
}

/// What stands before the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Inner {
    /// `NNN-text`.
    Comment(Text),
    /// The text alone.
    Line(Text),
    /// Many lines that were rendered before, each with its end.
    Block(Bytes),
}

impl Reply {
    /// A reply of one line. A code that is none (outside 100 to 699) is sent as 451.
    pub fn new(code: u16, text: impl Into<Text>) -> Self {
        let code = if (100..=699).contains(&code) {
            code
        } else {
            451
        };
        Self {
            code,
            inner: Vec::new(),
            last: text.into(),
        }
    }

    /// A reply of the form `NNN-first`, the lines as they are, `NNN last`.
    ///
    /// A line that is empty or begins with a digit gets a space in front.
    pub fn lines<T: Into<Text>>(
        code: u16,
        first: impl Into<Text>,
        lines: impl IntoIterator<Item = T>,
        last: impl Into<Text>,
    ) -> Self {
        let mut reply = Self::new(code, last);
        reply.inner.push(Inner::Comment(first.into()));
        reply
            .inner
            .extend(lines.into_iter().map(|line| Inner::Line(line.into())));
        reply
    }

    /// Like [`Reply::lines`], with lines that a listing function rendered (each ends with LF or CRLF).
    pub fn block(code: u16, first: impl Into<Text>, lines: Bytes, last: impl Into<Text>) -> Self {
        let mut reply = Self::new(code, last);
        reply.inner.push(Inner::Comment(first.into()));
        reply.inner.push(Inner::Block(lines));
        reply
    }

    /// Adds a line `NNN-text` before the last one, after all that were added so far.
    #[must_use]
    pub fn comment(mut self, text: impl Into<Text>) -> Self {
        self.inner.push(Inner::Comment(text.into()));
        self
    }

    /// Adds one such line for each text.
    #[must_use]
    pub fn comments<T: Into<Text>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.inner
            .extend(texts.into_iter().map(|text| Inner::Comment(text.into())));
        self
    }

    /// The code, 100 to 699.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The text of the last line.
    pub fn text(&self) -> &Text {
        &self.last
    }

    /// Whether the code promises or reports success (1xx, 2xx, 3xx).
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Whether the code says that more will follow for the same command (1xx).
    pub fn is_preliminary(&self) -> bool {
        self.code < 200
    }

    /// Appends the reply as it goes over the wire.
    pub fn render(&self, out: &mut BytesMut) {
        for inner in &self.inner {
            match inner {
                Inner::Comment(text) => put_comment(self.code, text.as_bytes(), out),
                Inner::Line(text) => put_inner(text.as_bytes(), out),
                Inner::Block(lines) => put_block(lines, out),
            }
        }
        put_code(self.code, b' ', out);
        // A code without a text is not understood by every client.
        let text = self.last.as_bytes();
        put_safe(if text.is_empty() { b"-" } else { text }, out);
        out.extend_from_slice(b"\r\n");
    }

    /// The reply as it goes over the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        self.render(&mut out);
        out.freeze()
    }
}

/// Appends the first line of a reply whose inner lines come in pages: `NNN-text`.
///
/// Every page then goes through [`render_page`], and a [`Reply`] of one line and the same code closes it.
pub fn render_opening(code: u16, text: &[u8], out: &mut BytesMut) {
    put_comment(code, text, out);
}

/// Appends inner lines that a listing function rendered, made safe for the control connection.
pub fn render_page(lines: &[u8], out: &mut BytesMut) {
    put_block(lines, out);
}

/// A path as 257 wants it: in double quotes, those inside doubled (RFC 959, appendix II).
pub fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len() + 2);
    text.push(b'"');
    for byte in path {
        if *byte == b'"' {
            text.push(b'"');
        }
        text.push(*byte);
    }
    text.push(b'"');
    text
}

fn put_code(code: u16, then: u8, out: &mut BytesMut) {
    let digit = |n: u16| b'0' + u8::try_from(n % 10).unwrap_or_default();
    out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), then]);
}

fn put_comment(code: u16, text: &[u8], out: &mut BytesMut) {
    put_code(code, b'-', out);
    put_safe(text, out);
    out.extend_from_slice(b"\r\n");
}

fn put_inner(text: &[u8], out: &mut BytesMut) {
    if text.first().is_none_or(u8::is_ascii_digit) {
        out.extend_from_slice(b" ");
    }
    put_safe(text, out);
    out.extend_from_slice(b"\r\n");
}

fn put_block(lines: &[u8], out: &mut BytesMut) {
    out.reserve(lines.len());
    for line in lines.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        put_inner(line.strip_suffix(b"\r").unwrap_or(line), out);
    }
}

/// Appends a text without anything that could end its line or begin a Telnet sequence.
fn put_safe(text: &[u8], out: &mut BytesMut) {
    for run in text.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
        match run {
            [0xFF] => out.extend_from_slice(&[0xFF, 0xFF]),
            [b'\t' | b'\r' | b'\n'] => out.extend_from_slice(b" "),
            [byte] if byte.is_ascii_control() => out.extend_from_slice(b"?"),
            plain => out.extend_from_slice(plain),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte != 0xFF && !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_break_out_of_its_line() {
        let reply = Reply::new(550, "a\r\n226 b\0\u{7f}");
        assert_eq!(&reply.to_bytes()[..], b"550 a  226 b??\r\n");
    }

    #[test]
    fn a_name_with_the_telnet_byte_arrives_whole() {
        let reply = Reply::new(257, quoted(b"/a\xFF\"b"));
        assert_eq!(&reply.to_bytes()[..], b"257 \"/a\xFF\xFF\"\"b\"\r\n");
    }

    #[test]
    fn inner_lines_never_look_like_the_last_one() {
        let reply = Reply::lines(211, "Status:", ["211 not yet", " fine", "", "-rw"], "End");
        assert_eq!(
            &reply.to_bytes()[..],
            b"211-Status:\r\n 211 not yet\r\n fine\r\n \r\n-rw\r\n211 End\r\n"
        );
    }

    #[test]
    fn a_block_is_checked_line_by_line() {
        let block = Bytes::from_static(b"total 0\r\n213 x\r\nlast");
        let reply = Reply::block(213, "Status of /", block, "End");
        assert_eq!(
            &reply.to_bytes()[..],
            b"213-Status of /\r\ntotal 0\r\n 213 x\r\nlast\r\n213 End\r\n"
        );
    }

    #[test]
    fn a_reply_in_pages_is_the_same_as_one_made_at_once() {
        let mut paged = BytesMut::new();
        render_opening(213, b"Status of /", &mut paged);
        render_page(b"total 0\r\n", &mut paged);
        render_page(b"-rw\xFF\r\n", &mut paged);
        Reply::new(213, "End").render(&mut paged);
        let whole = Reply::block(
            213,
            "Status of /",
            Bytes::from_static(b"total 0\r\n-rw\xFF\r\n"),
            "End",
        );
        assert_eq!(paged, whole.to_bytes());
    }

    #[test]
    fn a_wrong_code_and_an_empty_text_still_make_a_reply() {
        assert_eq!(&Reply::new(7, "").to_bytes()[..], b"451 -\r\n");
    }
}
