//! Lines of clients: how they are cut, limited, announced and shown.

use bytes::{Bytes, BytesMut};
use drftpd_protocol::ftp::codec::{LIMIT_AFTER_LOGIN, LIMIT_BEFORE_LOGIN};
use drftpd_protocol::ftp::{Line, LineCodec, LineFault, Verb, args};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::codec::Decoder;

use super::{argument, config, hostile, hostile_bytes};

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
    fn a_password_is_never_in_debug_output(password in "#[!-~]{6,20}") {
        let line = Line::parse(format!("pAsS {password}")).unwrap();
        let shown = format!("{line:?}");
        prop_assert!(!shown.contains(&password), "{}", shown);
        prop_assert_eq!(line.arg(), password.as_bytes());
    }
}
