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
