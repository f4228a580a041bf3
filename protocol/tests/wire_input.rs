//! Whatever a peer sends: no panic, no message that breaks a rule, no memory beyond its frame.

use bytes::BytesMut;
use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::{
    ApplyOps, BeginTransfer, Envelope, FrameCodec, FrameError, Hello, Join, MAX_FRAME, OpenData,
    TransferEnded, WalkPage, WalkStaged, decode, encode,
};
use proptest::prelude::*;
use tokio_util::codec::Decoder;

/// Reads the bytes as each kind of message; answers as how many they can be read.
fn read_as_everything(bytes: &[u8]) -> usize {
    let read = [
        decode::<Envelope>(bytes).is_ok(),
        decode::<Hello>(bytes).is_ok(),
        decode::<Join>(bytes).is_ok(),
        decode::<OpenData>(bytes).is_ok(),
        decode::<BeginTransfer>(bytes).is_ok(),
        decode::<ApplyOps>(bytes).is_ok(),
        decode::<WalkPage>(bytes).is_ok(),
        decode::<WalkStaged>(bytes).is_ok(),
        decode::<TransferEnded>(bytes).is_ok(),
    ];
    read.iter().filter(|read| **read).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_as_everything(&bytes);
        let mut src = BytesMut::from(&bytes[..]);
        while let Ok(Some(envelope)) = FrameCodec.decode(&mut src) {
            read_as_everything(&envelope.body);
        }
        // What is waited for is never more than one frame.
        prop_assert!(src.capacity() <= MAX_FRAME + bytes.len() + 4096);
    }

    #[test]
    fn a_damaged_message_is_an_error_or_another_message_but_never_a_panic(
        at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/frames")).expect("folder") {
            let text = std::fs::read_to_string(file.expect("entry").path()).expect("reads");
            let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
            let mut bytes: Vec<u8> = digits
                .chunks(2)
                .map(|p| u8::from_str_radix(std::str::from_utf8(p).expect("ascii"), 16).expect("hex"))
                .collect();
            let at = at.index(bytes.len());
            bytes[at] = to;
            read_as_everything(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            read_as_everything(&bytes);
        }
    }

    #[test]
    fn a_path_from_a_peer_is_normal_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let wire = encode(&serde_bytes::Bytes::new(&bytes)).expect("encodes");
        if let Ok(path) = decode::<VfsPath>(&wire) {
            prop_assert_eq!(path.to_bytes(), bytes);
            prop_assert!(path.names().iter().all(|n| n.as_bytes() != b".." && !n.as_bytes().contains(&b'/')));
        }
    }
}

#[test]
fn a_length_that_lies_is_an_error_and_reserves_next_to_nothing() {
    // An array that says it has 2^32-1 elements, and a byte string of 2^32-1 bytes.
    for head in [
        [0xdd, 0xff, 0xff, 0xff, 0xff],
        [0xc6, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(matches!(
            decode::<Vec<u64>>(&head),
            Err(FrameError::Decode(_))
        ));
        assert!(matches!(
            decode::<serde_bytes::ByteBuf>(&head),
            Err(FrameError::Decode(_))
        ));
        assert_eq!(read_as_everything(&head), 0);
    }
}

#[test]
fn nesting_without_end_is_an_error() {
    let deep = vec![0x91; 100_000];
    assert!(matches!(
        decode::<Envelope>(&deep),
        Err(FrameError::Decode(_))
    ));
    #[derive(serde::Deserialize, Debug)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Nested(Vec<Nested>);
    assert!(matches!(
        decode::<Nested>(&deep),
        Err(FrameError::Decode(_))
    ));
}
