//! The frame codec: what an envelope or a message looks like when it is sent to another process.
//!
//! A frame is a length (4 bytes, big-endian, without itself), a version byte and the message in
//! [postcard](https://postcard.jamesmunns.com/wire-format)'s encoding. `docs/wire.md` is the format as one page. Pure.

use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::LengthDelimitedCodec;

/// The version of the format; frames of another one are refused.
pub const VERSION: u8 = 1;

/// The most bytes of a frame without its length: a segment of 60 KiB and a route of 4 096 nodes fit.
pub const MAX_FRAME_BYTES: usize = 128 * 1024;

/// Why a frame was refused. The link it came over is not to be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It has no bytes.
    #[error("the frame is empty")]
    Empty,
    /// It was written by another version.
    #[error("version {found}, expected {VERSION}")]
    Version {
        /// The version byte.
        found: u8,
    },
    /// It is longer than [`MAX_FRAME_BYTES`].
    #[error("{bytes} bytes, more than {MAX_FRAME_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Its bytes are no message.
    #[error("not a message: {0}")]
    Malformed(String),
}

/// Puts lengths before frames, and cuts a stream of bytes into frames, however they come. A length that is over the limit
/// is an error before anything is allocated for it.
///
/// ```
/// use nodetree::modes::wire::codec;
/// use tokio_util::codec::Decoder;
/// let mut bytes = bytes::BytesMut::from(&b"\x00\x00\x00\x02\x01\x00\xff\xff"[..]);
/// assert_eq!(codec().decode(&mut bytes)?.as_deref(), Some(&b"\x01\x00"[..]));
/// assert_eq!(codec().decode(&mut bytes)?, None);
/// bytes.extend_from_slice(b"\xff\xff");
/// assert!(codec().decode(&mut bytes).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_codec()
}

/// Encodes a message as a frame, without the length before it.
///
/// # Errors
/// When the frame would be too long.
///
/// ```
/// use nodetree::actors::message::Envelope;
/// use nodetree::modes::wire::{decode, encode};
/// let frame = encode(&Envelope::Marker { epoch: 7, through: false })?;
/// assert_eq!(decode::<Envelope>(&frame)?, Envelope::Marker { epoch: 7, through: false });
/// assert!(decode::<Envelope>(&frame[..1]).is_err());
/// # Ok::<(), nodetree::modes::wire::WireError>(())
/// ```
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let frame = postcard::to_extend(message, vec![VERSION]).map_err(|error| WireError::Malformed(error.to_string()))?;
    if frame.len() > MAX_FRAME_BYTES { Err(WireError::TooLong { bytes: frame.len() }) } else { Ok(frame) }
}

/// Decodes a frame without its length.
///
/// # Errors
/// When the bytes are not one whole message of this version.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, WireError> {
    let (&version, body) = frame.split_first().ok_or(WireError::Empty)?;
    if version != VERSION {
        return Err(WireError::Version { found: version });
    }
    if frame.len() > MAX_FRAME_BYTES {
        return Err(WireError::TooLong { bytes: frame.len() });
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(WireError::Malformed(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}
