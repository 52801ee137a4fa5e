use std::fmt::Debug;

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::{Decoder, Encoder};

use super::envelopes::{envelope, packet};
use crate::actors::message::{ControlDown, ControlUp, Envelope, LinkId, NodeKey, NodeSpec, Role};
use crate::actors::{ComputingNode, LinkEnd, LinkFrame, NodeInput};
use crate::command_sets::{Dictionary, executor};
use crate::modes::wire::{MAX_FRAME_BYTES, WireError, codec, decode, encode, first_frame};
use crate::topology::Slot;

/// The most frames of one input.
const FRAMES_MAX: usize = 64;

/// Any bytes on a link, and frames that were made by chance.
///
/// Decoding is total and makes nothing that is larger than its frame allows; what is decoded is encoded and decoded
/// again to the same; what comes out does not depend on how the bytes were cut; and a node that gets such envelopes from
/// its child and from its parent does not panic.
///
/// The first byte says which, the second one how the bytes are cut.
///
/// # Panics
/// When one of these does not hold.
pub fn wire_frames(data: &[u8]) {
    let [what, size, rest @ ..] = data else { return };
    let size = usize::from(*size).max(1);
    if what % 2 == 0 {
        check_stream(rest, size);
    } else {
        // What the input does not say is as if nothing had come.
        let _ = check_envelopes(&mut Unstructured::new(rest), size);
    }
}

fn check_stream(bytes: &[u8], size: usize) {
    let whole = frames([bytes]);
    assert_eq!(whole, frames(bytes.chunks(size)), "cuts change nothing");
    for frame in whole.iter().flatten() {
        check_frame::<LinkFrame>(frame);
        check_frame::<Envelope>(frame);
        check_frame::<ControlDown>(frame);
        check_frame::<ControlUp>(frame);
    }
}

/// What comes out of a link, up to the first thing that is no frame.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let (mut codec, mut bytes, mut frames) = (codec(), BytesMut::new(), Vec::new());
    let mut plain = Vec::new();
    for piece in pieces {
        bytes.extend_from_slice(piece);
        plain.extend_from_slice(piece);
        loop {
            let cut = cut(&mut plain);
            match codec.decode(&mut bytes) {
                Ok(Some(frame)) => {
                    assert_eq!(cut, Ok(Some(frame.to_vec())), "both cut at the same places");
                    frames.push(Some(frame.to_vec()));
                }
                Ok(None) => {
                    assert_eq!(cut, Ok(None), "both wait for more");
                    break;
                }
                Err(_) => {
                    assert!(cut.is_err(), "both refuse what is too long");
                    frames.push(None);
                    return frames;
                }
            }
        }
        assert!(bytes.capacity() <= 8 * (MAX_FRAME_BYTES + piece.len()), "{} bytes are kept", bytes.capacity());
    }
    frames
}

/// What a link of the process mode does to its buffer.
fn cut(stream: &mut Vec<u8>) -> std::result::Result<Option<Vec<u8>>, WireError> {
    let Some((frame, behind)) = first_frame(stream)? else { return Ok(None) };
    let (frame, left) = (frame.to_vec(), behind.len());
    stream.drain(..stream.len() - left);
    Ok(Some(frame))
}

fn check_frame<T: Serialize + DeserializeOwned + PartialEq + Debug>(frame: &[u8]) {
    let Ok(message) = decode::<T>(frame) else { return };
    let again = encode(&message).expect("what was decoded can be encoded");
    assert!(again.len() <= frame.len(), "the shortest form is no longer than another one");
    assert_eq!(decode::<T>(&again).as_ref(), Ok(&message));
}

fn check_envelopes(input: &mut Unstructured, size: usize) -> Result<()> {
    let (mut sent, mut stream) = (Vec::new(), BytesMut::new());
    while !input.is_empty() && sent.len() < FRAMES_MAX {
        let sent_now = link_frame(input)?;
        match encode(&sent_now) {
            Ok(frame) => codec().encode(Bytes::from(frame), &mut stream).expect("a frame has a length"),
            Err(WireError::TooLong { bytes }) if bytes > MAX_FRAME_BYTES => continue,
            Err(error) => panic!("{sent_now:?}: {error}"),
        }
        sent.push(sent_now);
    }
    let came: Vec<LinkFrame> =
        frames(stream.chunks(size)).iter().map(|it| decode(it.as_ref().expect("frames")).expect("frames")).collect();
    assert_eq!(came, sent);
    for sender in [PARENT, CHILD] {
        let (mut node, mut end) = (node(), LinkEnd::default());
        for frame in came.clone() {
            let mut next = end.receive(1, frame);
            while let Some(envelope) = next {
                node.handle(1, NodeInput::Envelope(sender, envelope));
                node.take_effects();
                next = end.take();
            }
            while end.transmit(1).is_some() {}
        }
    }
    Ok(())
}

fn link_frame(input: &mut Unstructured) -> Result<LinkFrame> {
    let repeats = input.ratio(1, 4)?;
    Ok(if repeats { LinkFrame::Packet(packet(input, envelope)?) } else { LinkFrame::Envelope(envelope(input)?) })
}

const PARENT: LinkId = LinkId(1);
const CHILD: LinkId = LinkId(2);
const OTHER_CHILD: LinkId = LinkId(3);
/// Node 1, with a parent and the children 2 and 3.
fn node() -> ComputingNode {
    let key = |id| NodeKey { id, incarnation: 1 };
    let spec = NodeSpec { key: key(1), beat_period_ns: 0 };
    let mut node = ComputingNode::new(0, &spec, executor::<Dictionary>());
    let child = |id| Role::Child { key: key(id), slot: Slot::Any };
    for (link, role) in [(PARENT, Role::Parent), (CHILD, child(2)), (OTHER_CHILD, child(3))] {
        node.handle(0, NodeInput::Control(ControlDown::Link { link, role, active: true }));
    }
    node
}
