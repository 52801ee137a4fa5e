//! Two processes that exchange the frames of nodetree in batches: what the codec and the sockets take, and nothing else.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use nodetree::actors::message::{Envelope, NodeKey, ReplyPiece, RequestKind, RequestPiece};
use nodetree::actors::session::Packet;
use nodetree::modes::wire::{append, decode};
use nodetree::topology::Route;

use crate::raw::Raw;
use crate::table::{Outcome, rate};

const NODE: NodeKey = NodeKey { id: 1, incarnation: 0x0123_4567_89ab_cdef };

/// So much is read at once, and written as soon as there is as much.
const BATCH_BYTES: usize = 64 * 1024;

const LENGTH_BYTES: usize = 4;

/// An exec of `x`, as it travels.
fn request(number: u64) -> Envelope {
    let bytes = Bytes::from_static(b"\x01\x01x");
    let piece = RequestPiece { exec: number, kind: RequestKind::Head, more: false, last: true, bytes };
    Envelope::Request { route: Route::Compare, to: NODE, packet: Box::new(packet(number, piece)) }
}

fn reply(number: u64) -> Envelope {
    let bytes = Bytes::from_static(b"\x01\x0a");
    let piece = ReplyPiece { exec: number, error: false, more: false, last: true, message: true, bytes };
    Envelope::Reply { from: NODE, packet: Box::new(packet(number, piece)) }
}

fn packet<T>(number: u64, piece: T) -> Packet<T> {
    let (base, ack, credit) = (number, number, 1_024);
    Packet { base, ack, credit, ack_now: false, probe: false, segment: Some((number, piece)) }
}

/// Hands out each whole frame, without its length, and says when all that had come was handed out.
fn each_frame(mut from: &UnixStream, mut take: impl FnMut(Option<&[u8]>) -> Outcome<bool>) -> Outcome<()> {
    let (mut buffer, mut filled) = (vec![0; 2 * BATCH_BYTES], 0);
    loop {
        let read = from.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut rest = &buffer[..filled];
        while let Some((length, body)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let Some((frame, behind)) = body.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
            if !take(Some(frame))? {
                return Ok(());
            }
            rest = behind;
        }
        let left = filled - rest.len()..filled;
        filled = left.len();
        buffer.copy_within(left, 0);
        take(None)?;
    }
}

/// The process that answers.
pub fn answer() -> Outcome<()> {
    let up = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (mut out, mut answers) = (&up, Vec::new());
    each_frame(&up, |frame| {
        let Some(frame) = frame else {
            out.write_all(&answers)?;
            answers.clear();
            return Ok(true);
        };
        if let Envelope::Request { packet, .. } = decode(frame)?
            && let Some((number, _)) = packet.segment
        {
            append(&reply(number), &mut answers)?;
        }
        Ok(true)
    })
}

/// Encodes so many requests on one thread and decodes the answers on this one; how many a second that is.
pub fn exchanged(raw: &Raw, count: usize) -> Outcome<f64> {
    let (start, mut writer) = (Instant::now(), raw.socket.try_clone()?);
    thread::scope(|scope| {
        let source = scope.spawn(move || -> Result<(), String> {
            let mut batch = Vec::new();
            for number in 0..count as u64 {
                append(&request(number), &mut batch).map_err(|error| error.to_string())?;
                if batch.len() > BATCH_BYTES || number + 1 == count as u64 {
                    writer.write_all(&batch).map_err(|error| error.to_string())?;
                    batch.clear();
                }
            }
            Ok(())
        });
        let mut left = count;
        each_frame(&raw.socket, |frame| {
            if let Some(frame) = frame {
                decode::<Envelope>(frame)?;
                left -= 1;
            }
            Ok(left > 0)
        })?;
        source.join().map_err(|_| "the source panicked")??;
        Ok(rate(count, start.elapsed()))
    })
}

/// A request and its reply, encoded and decoded: the seconds of one.
pub fn codec_alone(count: usize) -> Outcome<f64> {
    let (start, mut stream) = (Instant::now(), Vec::new());
    for number in 0..count as u64 {
        for envelope in [request(number), reply(number)] {
            stream.clear();
            append(&envelope, &mut stream)?;
            std::hint::black_box(decode::<Envelope>(&stream[LENGTH_BYTES..])?);
        }
    }
    Ok(start.elapsed().as_secs_f64() / count as f64)
}
