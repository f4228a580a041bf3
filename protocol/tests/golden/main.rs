//! Every kind of message against bytes that are committed: to change one is a visible act.
//!
//! `DRFTPD_GOLDEN=write cargo test -p drftpd-protocol --test golden` writes files that are
//! missing; it never changes one.

mod calls;
mod handshake;
mod roots;
mod samples;
mod transfers;

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use drftpd_protocol::Epoch;
use drftpd_protocol::wire::{Call, Envelope, MasterNotice, Notice, Ping, decode, encode, kinds};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Compares one message with its file, and reads the file back.
fn golden<M: Serialize + DeserializeOwned + PartialEq + Debug>(
    seen: &mut Seen,
    what: &str,
    message: &M,
) {
    let bytes = encode(message).expect("encodes");
    let hex = bytes.chunks(32).fold(String::new(), |mut text, line| {
        line.iter()
            .for_each(|byte| write!(text, "{byte:02x}").expect("writes"));
        text + "\n"
    });
    let file = folder().join(format!("{what}.hex"));
    if !file.exists() && std::env::var_os("DRFTPD_GOLDEN").is_some() {
        std::fs::write(&file, &hex).expect("writes the golden file");
    }
    let kept =
        std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
    assert_eq!(
        kept, hex,
        "the bytes of {what} changed: old peers would not understand them"
    );
    assert_eq!(
        decode::<M>(&unhex(&kept)).expect("decodes"),
        *message,
        "{what}"
    );
    seen.files.insert(format!("{what}.hex"));
}

#[derive(Default)]
struct Seen {
    files: BTreeSet<String>,
    kinds: BTreeSet<u16>,
}

impl Seen {
    fn call<C: Call + PartialEq + Debug>(&mut self, what: &str, call: &C, answer: &C::Answer)
    where
        C::Answer: PartialEq + Debug,
    {
        self.kinds.insert(C::KIND);
        golden(self, &format!("call-{what}"), call);
        golden(self, &format!("answer-{what}"), answer);
    }

    fn notice<N: Notice + PartialEq + Debug>(&mut self, what: &str, notice: &N) {
        self.kinds.insert(N::KIND);
        golden(self, &format!("notice-{what}"), notice);
    }

    fn order<N: MasterNotice + PartialEq + Debug>(&mut self, what: &str, notice: &N) {
        self.kinds.insert(N::KIND);
        golden(self, &format!("master-{what}"), notice);
    }

    fn other<M: Serialize + DeserializeOwned + PartialEq + Debug>(
        &mut self,
        kind: u16,
        what: &str,
        message: &M,
    ) {
        self.kinds.insert(kind);
        golden(self, what, message);
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/frames")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
        .collect()
}

/// All numbers of `kinds`, read from its source: a kind without a golden file fails the test.
fn all_kinds() -> BTreeSet<u16> {
    include_str!("../../src/wire/kinds.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once("= 0x"))
        .map(|(_, number)| u16::from_str_radix(number.trim_end_matches(';'), 16).expect("hex"))
        .collect()
}

#[test]
fn every_kind_is_written_as_its_golden_file_says_and_names_no_user() {
    let mut seen = Seen::default();
    handshake::handshake(&mut seen);
    calls::calls(&mut seen);
    transfers::transfers(&mut seen);
    roots::operations(&mut seen);
    roots::shared_operations(&mut seen);
    roots::walks(&mut seen);
    assert_eq!(seen.kinds, all_kinds(), "a kind has no golden file");

    for file in std::fs::read_dir(folder()).expect("the folder") {
        let file = file.expect("an entry");
        let called = file.file_name().into_string().expect("a plain name");
        assert!(
            seen.files.contains(&called),
            "{called} belongs to no message"
        );
        let bytes = unhex(&std::fs::read_to_string(file.path()).expect("reads"));
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for word in ["user", "group", "owner", "permission", "password", "right"] {
            assert!(!text.contains(word), "{called} speaks of a {word}");
        }
    }
}

#[test]
fn a_field_of_a_newer_peer_is_skipped_and_one_of_an_older_peer_filled_in() {
    #[derive(Serialize)]
    struct NewerPing {
        brand_new: u8,
    }
    let bytes = encode(&NewerPing { brand_new: 1 }).expect("encodes");
    assert_eq!(decode::<Ping>(&bytes).expect("decodes"), Ping {});

    #[derive(Serialize)]
    struct OlderEnvelope {
        call: u32,
        kind: u16,
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
    }
    let older = OlderEnvelope {
        call: 1,
        kind: kinds::HELLO,
        body: vec![],
    };
    let read: Envelope = decode(&encode(&older).expect("encodes")).expect("decodes");
    assert_eq!(read.epoch, Epoch(0));
}
