//! The frame codec: what an envelope or a message looks like when it is sent to another process.
//!
//! A frame is a length (4 bytes, big-endian, without itself), a version byte and the message in
//! [postcard](https://postcard.jamesmunns.com/wire-format)'s encoding. `docs/wire.md` is the format as one page. Pure.

use postcard::ser_flavors::Flavor;
use postcard::serialize_with_flavor;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::LengthDelimitedCodec;

/// The version of the format; frames of another one are refused.
pub const VERSION: u8 = 1;

/// The most bytes of a frame without its length: a segment of 60 KiB and a route of 4 096 nodes fit.
pub const MAX_FRAME_BYTES: usize = 128 * 1024;

/// The bytes of the length before a frame.
pub(super) const LENGTH_BYTES: usize = 4;

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

/// A frame without its length, and what is behind it.
pub type Cut<'a> = (&'a [u8], &'a [u8]);

/// The first frame of a stream without its length, and what is behind it; nothing while it is not whole. It cuts as
/// [`codec`] does, but takes nothing out: a frame that is decoded at once needs no share of a buffer.
///
/// # Errors
/// When the length is over the limit.
///
/// ```
/// use nodetree::modes::wire::{append, first_frame};
/// let mut stream = Vec::new();
/// append(&7u64, &mut stream)?;
/// stream.push(0);
/// assert_eq!(first_frame(&stream)?, Some((&b"\x01\x07"[..], &b"\0"[..])));
/// assert_eq!(first_frame(&stream[..5])?, None);
/// assert!(first_frame(b"\xff\xff\xff\xff").is_err());
/// # Ok::<(), nodetree::modes::wire::WireError>(())
/// ```
pub fn first_frame(stream: &[u8]) -> Result<Option<Cut<'_>>, WireError> {
    let Some((length, rest)) = stream.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let bytes = u32::from_be_bytes(*length) as usize;
    if bytes > MAX_FRAME_BYTES { Err(WireError::TooLong { bytes }) } else { Ok(rest.split_at_checked(bytes)) }
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
    let mut frame = Vec::new();
    append_frame(message, &[], &mut frame)?;
    Ok(frame)
}

/// Appends a message as a frame, with the length before it.
///
/// # Errors
/// When the frame would be too long; then nothing was appended.
///
/// ```
/// use nodetree::modes::wire::{append, encode};
/// let mut stream = Vec::new();
/// append(&7u64, &mut stream)?;
/// append(&8u64, &mut stream)?;
/// assert_eq!(stream, [0, 0, 0, 2, 1, 7, 0, 0, 0, 2, 1, 8]);
/// assert_eq!(stream[4..6], encode(&7u64)?);
/// # Ok::<(), nodetree::modes::wire::WireError>(())
/// ```
pub fn append<T: Serialize>(message: &T, stream: &mut Vec<u8>) -> Result<(), WireError> {
    append_without(message, &[], stream).map(drop)
}

/// As [`append`], but leaves out a payload, which must be a byte string of the message itself: those very bytes. Says at
/// which place of the stream it is missing; nothing where the message has no such payload, or it is empty.
///
/// # Errors
/// As there.
///
/// ```
/// use nodetree::modes::wire::{append, append_without};
/// let message = (1u8, bytes::Bytes::from_static(b"payload"), 2u8);
/// let (mut whole, mut stream) = (Vec::new(), Vec::new());
/// append(&message, &mut whole)?;
/// let place = append_without(&message, &message.1, &mut stream)?.expect("it is there");
/// assert_eq!(stream.len() + 7, whole.len());
/// stream.splice(place..place, *b"payload");
/// assert_eq!(stream, whole);
/// # Ok::<(), nodetree::modes::wire::WireError>(())
/// ```
pub fn append_without<T: Serialize>(
    message: &T,
    payload: &[u8],
    stream: &mut Vec<u8>,
) -> Result<Option<usize>, WireError> {
    let at = stream.len();
    let appended = append_behind(message, payload, at, stream);
    if appended.is_err() {
        stream.truncate(at);
    }
    appended
}

fn append_behind<T: Serialize>(
    message: &T,
    payload: &[u8],
    at: usize,
    stream: &mut Vec<u8>,
) -> Result<Option<usize>, WireError> {
    stream.extend_from_slice(&[0; LENGTH_BYTES]);
    let place = append_frame(message, payload, stream)?;
    let bytes = stream.len() - at - LENGTH_BYTES + place.map_or(0, |_| payload.len());
    let length = u32::try_from(bytes).map_err(|_| WireError::TooLong { bytes })?;
    stream[at..at + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(place)
}

fn append_frame<T: Serialize>(message: &T, payload: &[u8], stream: &mut Vec<u8>) -> Result<Option<usize>, WireError> {
    let at = stream.len();
    stream.push(VERSION);
    let place = serialize_with_flavor(message, End { stream, payload, place: None })
        .map_err(|error| WireError::Malformed(error.to_string()))?;
    let bytes = stream.len() - at + place.map_or(0, |_| payload.len());
    if bytes > MAX_FRAME_BYTES { Err(WireError::TooLong { bytes }) } else { Ok(place) }
}

/// The end of a stream, as postcard wants it.
struct End<'a> {
    stream: &'a mut Vec<u8>,
    /// What is left out, and where it was.
    payload: &'a [u8],
    place: Option<usize>,
}

impl Flavor for End<'_> {
    type Output = Option<usize>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.stream.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if !bytes.is_empty() && std::ptr::eq(bytes, self.payload) && self.place.is_none() {
            self.place = Some(self.stream.len());
        } else {
            self.stream.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Option<usize>> {
        Ok(self.place)
    }
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
