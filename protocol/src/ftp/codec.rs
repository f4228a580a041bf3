//! From the bytes of a control connection to lines: one state machine, byte by byte.
//!
//! CRLF and bare LF end a line, nothing else does. Telnet sequences (RFC 854) are taken out, options are refused
//! (RFC 1143), and everything a line is made of, Telnet included, counts against its length limit. Faults are items,
//! not errors of the stream: the session answers them and reads on, but after [`LineFault::TooLong`] nothing is ever
//! read again. What the decoder keeps is bounded by the limit.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::line::{Line, LineFault};

/// The longest line, end included, while nobody is logged in.
pub const LIMIT_BEFORE_LOGIN: usize = 512;
/// The longest line, end included, of somebody who is logged in.
pub const LIMIT_AFTER_LOGIN: usize = 8 * 1024;
/// The most bytes of refusals that wait to be sent; who negotiates more at once gets no answer.
const MAX_REFUSALS: usize = 3 * 32;

const SE: u8 = 240;
const DATA_MARK: u8 = 242;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
/// The lowest byte that is a command after IAC (EOF of RFC 1184; RFC 854's own begin at 240).
const FIRST_COMMAND: u8 = 236;

/// Reads command lines from a control connection.
///
/// ```
/// use bytes::BytesMut;
/// use drftpd_protocol::ftp::LineCodec;
/// use tokio_util::codec::Decoder;
///
/// let mut codec = LineCodec::new();
/// let line = codec.decode(&mut BytesMut::from("cwd /pub\r\n")).unwrap().unwrap().unwrap();
/// assert_eq!((line.verb.as_str(), line.arg()), ("CWD", &b"/pub"[..]));
/// ```
#[derive(Debug)]
pub struct LineCodec {
    limit: usize,
    line: Vec<u8>,
    received: usize, // bytes of the current line on the wire, Telnet and all
    telnet: Telnet,
    closed: bool, // a line was too long
    refusals: BytesMut,
}

/// Where in a Telnet sequence the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telnet {
    Data,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

impl Default for LineCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl LineCodec {
    /// A codec for a new connection: nobody is logged in.
    pub fn new() -> Self {
        Self {
            limit: LIMIT_BEFORE_LOGIN,
            line: Vec::new(),
            received: 0,
            telnet: Telnet::Data,
            closed: false,
            refusals: BytesMut::new(),
        }
    }

    /// Chooses the length limit by whether somebody is logged in. Holds at once, also for a line half read.
    pub fn logged_in(&mut self, yes: bool) {
        self.limit = if yes {
            LIMIT_AFTER_LOGIN
        } else {
            LIMIT_BEFORE_LOGIN
        };
    }

    /// Whether a line has begun and not ended.
    ///
    /// True when `AUTH` is about to switch to TLS means that somebody put bytes in front of the handshake:
    /// the connection must be closed, or they would count as protected.
    pub fn is_mid_line(&self) -> bool {
        self.received > 0 || self.telnet != Telnet::Data
    }

    /// Takes the answers to Telnet options offered so far (`DONT` to a `WILL`, `WONT` to a `DO`), ready to be sent.
    pub fn take_refusals(&mut self) -> Bytes {
        self.refusals.split().freeze()
    }

    /// Bytes that the decoder itself keeps at the moment; never more than the limit and a few refusals.
    pub fn kept(&self) -> usize {
        self.line.len() + self.refusals.len()
    }

    fn step(&mut self, byte: u8) -> Option<Result<Line, LineFault>> {
        self.received += 1;
        if self.received > self.limit {
            self.closed = true;
            self.line = Vec::new();
            return Some(Err(LineFault::TooLong));
        }
        match self.telnet {
            Telnet::Data if byte == IAC => self.telnet = Telnet::Command,
            Telnet::Data => return self.data(byte),
            Telnet::Command => return self.command(byte),
            Telnet::Option(verb) => self.option(verb, byte),
            Telnet::Subnegotiation if byte == IAC => self.telnet = Telnet::SubnegotiationCommand,
            Telnet::Subnegotiation => {}
            Telnet::SubnegotiationCommand if byte == SE => {
                self.telnet = Telnet::Data;
                self.sequence_over();
            }
            Telnet::SubnegotiationCommand => self.telnet = Telnet::Subnegotiation,
        }
        None
    }

    /// A byte of the command itself.
    fn data(&mut self, byte: u8) -> Option<Result<Line, LineFault>> {
        match byte {
            b'\n' => return Some(self.finish()),
            // Half of an IAC DM whose IAC went as urgent data, in front of an ABOR. No verb begins so.
            DATA_MARK if self.line.is_empty() => {}
            _ => self.line.push(byte),
        }
        None
    }

    /// The byte after an IAC.
    fn command(&mut self, byte: u8) -> Option<Result<Line, LineFault>> {
        self.telnet = Telnet::Data;
        match byte {
            IAC => self.line.push(IAC),
            SB => self.telnet = Telnet::Subnegotiation,
            WILL | WONT | DO | DONT => self.telnet = Telnet::Option(byte),
            FIRST_COMMAND.. => self.sequence_over(),
            // No command: its second byte went as urgent data (IAC DM before an ABOR), and this one belongs to the line.
            _ => return self.data(byte),
        }
        None
    }

    fn option(&mut self, verb: u8, option: u8) {
        self.telnet = Telnet::Data;
        let answer = match verb {
            WILL => Some(DONT),
            DO => Some(WONT),
            _ => None, // it is off, as it always was
        };
        if let Some(answer) = answer
            && self.refusals.len() < MAX_REFUSALS
        {
            self.refusals.extend_from_slice(&[IAC, answer, option]);
        }
        self.sequence_over();
    }

    /// Telnet between lines, say as keep-alive, is no beginning of a line.
    fn sequence_over(&mut self) {
        if self.line.is_empty() {
            self.received = 0;
        }
    }

    fn finish(&mut self) -> Result<Line, LineFault> {
        self.received = 0;
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = Line::parse(Bytes::copy_from_slice(&self.line));
        self.line.clear();
        line
    }
}

impl Decoder for LineCodec {
    type Item = Result<Line, LineFault>;
    type Error = io::Error;

    /// Takes bytes up to and including the next line end, or all of them. A line without an end is never an item,
    /// at the end of the stream neither.
    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, io::Error> {
        let mut item = None;
        let mut taken = 0;
        while item.is_none() && !self.closed && taken < src.len() {
            item = self.step(src[taken]);
            taken += 1;
        }
        if self.closed {
            src.clear();
        } else {
            src.advance(taken);
        }
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(codec: &mut LineCodec, bytes: &[u8]) -> Vec<Result<String, LineFault>> {
        let mut src = BytesMut::from(bytes);
        let mut items = Vec::new();
        while let Some(item) = codec.decode(&mut src).unwrap() {
            items.push(item.map(|line| format!("{} {}", line.verb, line.arg().escape_ascii())));
        }
        assert!(src.is_empty());
        items
    }

    fn read(bytes: &[u8]) -> Vec<Result<String, LineFault>> {
        items(&mut LineCodec::new(), bytes)
    }

    fn ok(text: &str) -> Result<String, LineFault> {
        Ok(text.to_owned())
    }

    #[test]
    fn crlf_and_bare_lf_end_a_line_and_bare_cr_does_not() {
        assert_eq!(read(b"noop\r\npwd\n"), [ok("NOOP "), ok("PWD ")]);
        assert_eq!(
            read(b"cwd a\rdele b\r\nnoop\r\n"),
            [Err(LineFault::Control), ok("NOOP ")]
        );
        assert_eq!(read(b"noop\r\r\n"), [Err(LineFault::Control)]);
    }

    #[test]
    fn control_characters_spoil_their_line_only() {
        for byte in (0..0x20).filter(|b| *b != b'\n').chain([0x7F]) {
            let line = [b"PASS a", &[byte][..], b"b\r\nnoop\r\n"].concat();
            assert_eq!(
                read(&line),
                [Err(LineFault::Control), ok("NOOP ")],
                "{byte}"
            );
        }
        assert_eq!(read(b"cwd \x80\x9f\xfe\r\n"), [ok("CWD \\x80\\x9f\\xfe")]);
    }

    #[test]
    fn an_empty_line_is_a_fault_of_its_own() {
        assert_eq!(
            read(b"\r\n\nnoop\n"),
            [Err(LineFault::Empty), Err(LineFault::Empty), ok("NOOP ")]
        );
        assert_eq!(LineFault::Empty.reply().code(), 500);
    }

    #[test]
    fn nothing_after_a_line_that_is_too_long_is_run() {
        let mut codec = LineCodec::new();
        let long = [
            &b"cwd "[..],
            &vec![b'x'; LIMIT_BEFORE_LOGIN],
            b"\r\ndele a\r\n",
        ]
        .concat();
        assert_eq!(items(&mut codec, &long), [Err(LineFault::TooLong)]);
        assert_eq!(items(&mut codec, b"\r\ndele a\r\n"), []);
        assert!(LineFault::TooLong.ends_session() && codec.kept() == 0);
    }

    #[test]
    fn the_limit_counts_the_line_end_and_grows_with_the_login() {
        let line = |len: usize| [&b"cwd "[..], &vec![b'x'; len - 6], b"\r\n"].concat();
        assert!(read(&line(LIMIT_BEFORE_LOGIN))[0].is_ok());
        assert!(read(&line(LIMIT_BEFORE_LOGIN + 1))[0].is_err());
        let mut codec = LineCodec::new();
        codec.logged_in(true);
        assert!(items(&mut codec, &line(LIMIT_AFTER_LOGIN))[0].is_ok());
        codec.logged_in(false);
        assert!(items(&mut codec, &line(LIMIT_BEFORE_LOGIN + 1))[0].is_err());
    }

    #[test]
    fn an_abort_is_read_however_its_telnet_prefix_arrives() {
        for prefix in [
            &b"\xFF\xF4\xFF\xF2"[..], // IAC IP IAC DM, all in line
            b"\xFF\xF4\xF2",          // IAC DM's first byte was urgent
            b"\xFF\xF4\xFF",          // its second byte was
            b"\xF2",
            b"",
        ] {
            assert_eq!(
                read(&[prefix, b"ABOR\r\n"].concat()),
                [ok("ABOR ")],
                "{prefix:?}"
            );
        }
    }

    #[test]
    fn telnet_sequences_are_taken_out_and_a_doubled_iac_is_data() {
        assert_eq!(
            read(b"cwd \xFF\xF1a\xFF\xFFb\xFF\xFB\x01\xFF\xFA\x18\x01\xFF\xFF\n\xFF\xF0c\r\n"),
            [ok("CWD a\\xffbc")]
        );
    }

    #[test]
    fn options_are_refused_once_each_and_never_confirmed() {
        let mut codec = LineCodec::new();
        assert_eq!(
            items(
                &mut codec,
                b"\xFF\xFB\x01\xFF\xFD\x03\xFF\xFC\x01\xFF\xFE\x03noop\r\n"
            ),
            [ok("NOOP ")]
        );
        assert_eq!(&codec.take_refusals()[..], b"\xFF\xFE\x01\xFF\xFC\x03");
        assert!(codec.take_refusals().is_empty());
    }

    #[test]
    fn negotiating_without_end_fills_nothing() {
        let mut codec = LineCodec::new();
        assert_eq!(items(&mut codec, &b"\xFF\xFD\x03".repeat(10_000)), []);
        assert!(codec.kept() <= MAX_REFUSALS);
        assert_eq!(items(&mut codec, &b"\xFF\xF1".repeat(10_000)), []);
        assert_eq!(items(&mut codec, b"noop\r\n"), [ok("NOOP ")]);
        let endless = [&b"\xFF\xFA"[..], &vec![b'x'; LIMIT_BEFORE_LOGIN]].concat();
        assert_eq!(items(&mut codec, &endless), [Err(LineFault::TooLong)]);
    }

    #[test]
    fn bytes_in_front_of_a_handshake_are_noticed() {
        let mut codec = LineCodec::new();
        assert_eq!(items(&mut codec, b"AUTH TLS\r\n").len(), 1);
        assert!(!codec.is_mid_line());
        assert_eq!(items(&mut codec, b"us").len(), 0);
        assert!(codec.is_mid_line());
    }

    #[test]
    fn a_line_without_an_end_is_not_run_when_the_stream_ends() {
        let mut codec = LineCodec::new();
        let mut src = BytesMut::from("DELE a");
        assert!(codec.decode_eof(&mut src).unwrap().is_none());
        assert!(src.is_empty());
    }
}
