//! Envelopes made by chance.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;

use crate::actors::message::{Envelope, LinkId, NodeKey, ReplyPiece, RequestKind, RequestPiece};
use crate::actors::session::Packet;
use crate::topology::{NodeId, Route, SourceRoute};

const IDS: [NodeId; 6] = [1, 2, 3, -1, 0, i64::MIN];

/// Any envelope; most of it names few nodes, so that it means something.
pub(super) fn envelope(input: &mut Unstructured) -> Result<Envelope> {
    Ok(match input.int_in_range(0..=9)? {
        0 => Envelope::Greeting,
        1 => Envelope::Request { route: route(input)?, to: key(input)?, packet: packet(input, request_piece)? },
        2 => Envelope::Reply { from: key(input)?, packet: packet(input, reply_piece)? },
        3 => Envelope::Ping { route: route(input)?, to: key(input)?, nonce: input.arbitrary()? },
        4 => Envelope::Pong { from: key(input)?, nonce: input.arbitrary()? },
        5 => Envelope::Wave { wave: input.arbitrary()?, budget_ns: input.arbitrary()?, step_ns: input.arbitrary()? },
        6 => Envelope::WaveReply { wave: input.arbitrary()?, missing: input.arbitrary()?, last: input.arbitrary()? },
        7 => Envelope::Marker { epoch: input.arbitrary()?, through: input.arbitrary()? },
        8 => Envelope::ChildGone { child: key(input)?, link: LinkId(input.arbitrary()?) },
        _ => Envelope::Unroutable { to: key(input)? },
    })
}

pub(super) fn key(input: &mut Unstructured) -> Result<NodeKey> {
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

pub(super) fn packet<T>(input: &mut Unstructured, piece: impl Fn(&mut Unstructured) -> Result<T>) -> Result<Packet<T>> {
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
