//! Replies: one is one, whatever its texts.

use bytes::Bytes;
use drftpd_protocol::ftp::Reply;
use drftpd_protocol::ftp::args::Words;
use drftpd_protocol::ftp::feat::features;
use drftpd_protocol::ftp::reply::quoted;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{argument, config, hostile, hostile_bytes, read_reply};

/// A text as it must arrive: blanks and question marks in place of what cannot be sent.
fn made_safe(text: &[u8]) -> Vec<u8> {
    let safe = |byte: &u8| match byte {
        b'\t' | b'\r' | b'\n' => b' ',
        byte if byte.is_ascii_control() => b'?',
        byte => *byte,
    };
    text.iter().map(safe).collect()
}

proptest! {
    #![proptest_config(config())]

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
}
