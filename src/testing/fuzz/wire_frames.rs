use std::fmt::Debug;

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::{Decoder, Encoder};

use crate::actors::message::{
    ControlDown, ControlUp, Envelope, LinkId, NodeKey, NodeSpec, ReplyPiece, RequestKind, RequestPiece, Role,
};
use crate::actors::session::Packet;
use crate::actors::{ComputingNode, NodeInput};
use crate::command_sets::{Dictionary, executor};
use crate::modes::wire::{MAX_FRAME_BYTES, WireError, codec, decode, encode};
use crate::topology::{NodeId, Route, Slot, SourceRoute};

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
        check_frame::<Envelope>(frame);
        check_frame::<ControlDown>(frame);
        check_frame::<ControlUp>(frame);
    }
}

/// What comes out of a link, up to the first thing that is no frame.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let (mut codec, mut bytes, mut frames) = (codec(), BytesMut::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            match codec.decode(&mut bytes) {
                Ok(Some(frame)) => frames.push(Some(frame.to_vec())),
                Ok(None) => break,
                Err(_) => {
                    frames.push(None);
                    return frames;
                }
            }
        }
        assert!(bytes.capacity() <= 8 * (MAX_FRAME_BYTES + piece.len()), "{} bytes are kept", bytes.capacity());
    }
    frames
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
        let envelope = envelope(input)?;
        match encode(&envelope) {
            Ok(frame) => codec().encode(Bytes::from(frame), &mut stream).expect("a frame has a length"),
            Err(WireError::TooLong { bytes }) if bytes > MAX_FRAME_BYTES => continue,
            Err(error) => panic!("{envelope:?}: {error}"),
        }
        sent.push(envelope);
    }
    let came: Vec<Envelope> =
        frames(stream.chunks(size)).iter().map(|it| decode(it.as_ref().expect("frames")).expect("envelopes")).collect();
    assert_eq!(came, sent);
    for sender in [PARENT, CHILD] {
        let mut node = node();
        for envelope in &sent {
            node.handle(1, NodeInput::Envelope(sender, envelope.clone()));
            node.take_effects();
        }
    }
    Ok(())
}

const PARENT: LinkId = LinkId(1);
const CHILD: LinkId = LinkId(2);
const OTHER_CHILD: LinkId = LinkId(3);
const IDS: [NodeId; 6] = [1, 2, 3, -1, 0, i64::MIN];

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

fn envelope(input: &mut Unstructured) -> Result<Envelope> {
    Ok(match input.int_in_range(0..=9)? {
        0 => Envelope::Greeting,
        1 => {
            Envelope::Request { route: route(input)?, to: key(input)?, packet: Box::new(packet(input, request_piece)?) }
        }
        2 => Envelope::Reply { from: key(input)?, packet: Box::new(packet(input, reply_piece)?) },
        3 => Envelope::Ping { route: route(input)?, to: key(input)?, nonce: input.arbitrary()? },
        4 => Envelope::Pong { from: key(input)?, nonce: input.arbitrary()? },
        5 => Envelope::Wave { wave: input.arbitrary()?, budget_ns: input.arbitrary()?, step_ns: input.arbitrary()? },
        6 => Envelope::WaveReply { wave: input.arbitrary()?, missing: input.arbitrary()?, last: input.arbitrary()? },
        7 => Envelope::Marker { epoch: input.arbitrary()?, through: input.arbitrary()? },
        8 => Envelope::ChildGone { child: key(input)?, link: LinkId(input.arbitrary()?) },
        _ => Envelope::Unroutable { to: key(input)? },
    })
}

fn key(input: &mut Unstructured) -> Result<NodeKey> {
    let id = if input.ratio(7, 8)? { *input.choose(&IDS)? } else { input.arbitrary()? };
    let incarnation = if input.ratio(7, 8)? { 1 } else { input.arbitrary()? };
    Ok(NodeKey { id, incarnation })
}

fn route(input: &mut Unstructured) -> Result<Route> {
    Ok(match input.int_in_range(0..=3)? {
        0 => Route::Only,
        1 => Route::Compare,
        2 => Route::Path(SourceRoute::new(input.arbitrary::<Vec<NodeId>>()?)),
        _ => Route::Bits { bits: input.arbitrary()?, left: input.arbitrary()? },
    })
}

fn packet<T>(input: &mut Unstructured, piece: impl Fn(&mut Unstructured) -> Result<T>) -> Result<Packet<T>> {
    let near =
        |input: &mut Unstructured| if input.ratio(3, 4)? { input.int_in_range(0..=8) } else { input.arbitrary() };
    let (base, ack, credit) = (near(input)?, near(input)?, near(input)?);
    let (ack_now, probe) = (input.arbitrary()?, input.arbitrary()?);
    let segment = if input.arbitrary()? { Some((near(input)?, piece(input)?)) } else { None };
    Ok(Packet { base, ack, credit, ack_now, probe, segment })
}

fn request_piece(input: &mut Unstructured) -> Result<RequestPiece> {
    let kinds = [RequestKind::Head, RequestKind::Part, RequestKind::Finish, RequestKind::Invalid];
    let kind = *input.choose(&kinds)?;
    let (exec, more, last) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
    Ok(RequestPiece { exec, kind, more, last, bytes: bytes(input)? })
}

fn reply_piece(input: &mut Unstructured) -> Result<ReplyPiece> {
    let (exec, error, more) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
    let (last, message) = (input.arbitrary()?, input.arbitrary()?);
    Ok(ReplyPiece { exec, error, more, last, bytes: bytes(input)?, message })
}

fn bytes(input: &mut Unstructured) -> Result<Bytes> {
    Ok(Bytes::from(input.arbitrary::<Vec<u8>>()?))
}
