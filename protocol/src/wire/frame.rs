//! Frames: a 4-byte big-endian length and one envelope, MessagePack with named fields.
//!
//! The body is decoded in a second step, so that an unknown kind can be refused and the link
//! lives on.

use bytes::{Buf, BufMut, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::codec::{Decoder, Encoder};

use crate::ids::Epoch;

/// Largest frame, without its length.
pub const MAX_FRAME: usize = 1 << 20;
/// Deepest nesting of a body.
const MAX_DEPTH: usize = 16;
/// Length of the length.
const HEAD: usize = 4;

/// One frame. `kind` is a plain number, so that an unknown one can be refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Which call it belongs to; 0 for notices.
    pub call: u32,
    /// One of [`super::kinds`].
    pub kind: u16,
    /// Which master speaks; 0 from slaves.
    #[serde(default = "no_epoch")]
    pub epoch: Epoch,
    /// The message, encoded for itself.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

fn no_epoch() -> Epoch {
    Epoch(0)
}

impl Envelope {
    /// An envelope from a slave, which has no epoch of its own.
    ///
    /// # Errors
    /// [`FrameError::Encode`] when the message cannot be written.
    pub fn new<M: Serialize>(call: u32, kind: u16, message: &M) -> Result<Self, FrameError> {
        Ok(Envelope {
            call,
            kind,
            epoch: Epoch(0),
            body: encode(message)?,
        })
    }

    /// The same envelope in the name of a master.
    #[must_use]
    pub fn of(self, epoch: Epoch) -> Self {
        Envelope { epoch, ..self }
    }

    /// The message inside.
    ///
    /// # Errors
    /// [`FrameError::Decode`] when the body is not an `M`.
    pub fn open<M: DeserializeOwned>(&self) -> Result<M, FrameError> {
        decode(&self.body)
    }
}

/// Why a frame was not read or written. After any of these but `Decode` of a body, the link is
/// of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(usize),
    /// Not what it should be.
    #[error("a message cannot be decoded")]
    Decode(#[from] rmp_serde::decode::Error),
    /// Bytes follow the message.
    #[error("{0} bytes follow a message")]
    Trailing(usize),
    /// Cannot be written.
    #[error("a message cannot be encoded")]
    Encode(#[from] rmp_serde::encode::Error),
    /// The socket failed, or the peer closed it within a frame.
    #[error("the link failed")]
    Io(#[from] std::io::Error),
}

/// Writes a message with named fields.
///
/// # Errors
/// [`FrameError::Encode`], or [`FrameError::TooLong`] when it would not fit a frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let body = rmp_serde::to_vec_named(message)?;
    match body.len() {
        len if len > MAX_FRAME => Err(FrameError::TooLong(len)),
        _ => Ok(body),
    }
}

/// Reads a message: one value, nothing behind it, not nested too deep.
///
/// # Errors
/// [`FrameError::Decode`] or [`FrameError::Trailing`].
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, FrameError> {
    let mut reader = rmp_serde::Deserializer::new(bytes);
    reader.set_max_depth(MAX_DEPTH);
    let message = M::deserialize(&mut reader)?;
    match reader.get_ref().len() {
        0 => Ok(message),
        left => Err(FrameError::Trailing(left)),
    }
}

/// Frames on a byte stream, both directions.
#[derive(Debug, Default)]
pub struct FrameCodec;

impl Decoder for FrameCodec {
    type Item = Envelope;
    type Error = FrameError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Envelope>, FrameError> {
        let Some(head) = src.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let len = u32::from_be_bytes(*head) as usize;
        if len > MAX_FRAME {
            return Err(FrameError::TooLong(len));
        }
        if src.len() < HEAD + len {
            src.reserve(HEAD + len - src.len());
            return Ok(None);
        }
        src.advance(HEAD);
        decode(&src.split_to(len)).map(Some)
    }
}

impl Encoder<Envelope> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, item: Envelope, dst: &mut BytesMut) -> Result<(), FrameError> {
        let bytes = encode(&item)?;
        dst.reserve(HEAD + bytes.len());
        // `encode` refuses what does not fit a frame, so the length fits 32 bits.
        dst.put_u32(bytes.len() as u32);
        dst.put_slice(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_however_it_is_cut() {
        let sent = Envelope::new(7, 0x0100, &"hello")
            .expect("encodes")
            .of(Epoch(3));
        let mut wire = BytesMut::new();
        FrameCodec.encode(sent.clone(), &mut wire).expect("encodes");
        let mut arrived = BytesMut::new();
        for (at, byte) in wire.iter().enumerate() {
            arrived.put_u8(*byte);
            let got = FrameCodec.decode(&mut arrived).expect("decodes");
            assert_eq!(got.is_some(), at + 1 == wire.len());
            if let Some(got) = got {
                assert_eq!(got, sent);
                assert_eq!(got.open::<String>().expect("decodes"), "hello");
            }
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let mut wire = BytesMut::new();
        wire.put_u32(MAX_FRAME as u32 + 1);
        assert!(matches!(
            FrameCodec.decode(&mut wire),
            Err(FrameError::TooLong(_))
        ));
    }

    #[test]
    fn what_follows_a_message_is_an_error() {
        let mut bytes = encode(&1u8).expect("encodes");
        bytes.push(0);
        assert!(matches!(decode::<u8>(&bytes), Err(FrameError::Trailing(1))));
    }
}
