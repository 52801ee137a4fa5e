//! One end of a socket that carries frames, and with them descriptors.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown, socketpair,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

use crate::modes::wire::{codec, decode, encode};

/// A socket whose other end does not read gets this much and no more. The sessions allow 64 MiB to be under way.
const MAX_BACKLOG_BYTES: usize = 128 * 1024 * 1024;

/// So much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What a buffer that is empty may keep.
const KEPT_BYTES: usize = 64 * 1024;

/// How many descriptors one read takes; one write sends one.
const DESCRIPTORS_IN_A_READ: usize = 4;

/// So many descriptors may wait for their frames: each of ours is taken before the next one is read.
const DESCRIPTORS_WAITING: usize = 8;

/// After so many frames of one link others have their turn, and what was handed out is worked on.
const FRAMES_IN_A_ROW: u32 = 512;

/// So much may wait to be written before [`Outbox::has_room`] says no.
const ROOM_BYTES: usize = 256 * 1024;

thread_local! {
    /// One for all sockets, so that a thousand quiet ones cost nothing.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Two ends of a link; both are closed when a program is started, and neither blocks.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Opens an end of a link: what is sent through the one half is written once a turn, the other half reads.
pub(super) fn open(end: OwnedFd) -> io::Result<(Outgoing, Incoming)> {
    let stream = std::os::unix::net::UnixStream::from(end);
    stream.set_nonblocking(true)?;
    let stream = Rc::new(UnixStream::from_std(stream)?);
    let outbox = Rc::new(Outbox::default());
    actix_rt::spawn(write(Rc::clone(&stream), Rc::clone(&outbox)));
    let (bytes, descriptors) = (BytesMut::new(), VecDeque::new());
    Ok((Outgoing(outbox), Incoming { stream, bytes, descriptors, codec: codec(), in_a_row: 0 }))
}

/// What waits to be written. Whoever reads too slowly makes it grow, never its writer wait.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: RefCell<BytesMut>,
    /// Descriptors, each with the place in the stream where the frame that needs it begins.
    descriptors: RefCell<VecDeque<(u64, OwnedFd)>>,
    written: Cell<u64>,
    /// Nothing more will be put in: what is there is written, then this end is closed.
    complete: Cell<bool>,
    broken: Cell<bool>,
    moved: Notify,
    has_room: Notify,
}

/// The half that sends. When it is dropped, what was sent is still written.
pub(super) struct Outgoing(Rc<Outbox>);

impl Outgoing {
    /// Sends a frame.
    pub(super) fn send(&self, message: &impl Serialize) {
        self.send_with(message, None);
    }

    /// Sends a frame, and a descriptor that arrives no later than the frame does.
    pub(super) fn send_with(&self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        let outbox = &*self.0;
        if outbox.broken.get() {
            return;
        }
        let frame = match encode(message) {
            Ok(frame) => Bytes::from(frame),
            Err(error) => return tracing::error!(%error, "a frame cannot be sent"),
        };
        let mut bytes = outbox.bytes.borrow_mut();
        if let Some(descriptor) = descriptor {
            let place = outbox.written.get() + bytes.len() as u64;
            outbox.descriptors.borrow_mut().push_back((place, descriptor));
        }
        if bytes.len() + frame.len() > MAX_BACKLOG_BYTES || codec().encode(frame, &mut bytes).is_err() {
            tracing::error!(waiting = bytes.len(), "a link is given up: its other end does not read");
            drop(bytes);
            return outbox.give_up();
        }
        outbox.moved.notify_one();
    }

    /// Shows, by what becomes of it, when everything has been written.
    pub(super) fn outbox(&self) -> &Rc<Outbox> {
        &self.0
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.complete.set(true);
        self.0.moved.notify_one();
        self.0.has_room.notify_waiters();
    }
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.borrow().is_empty()
    }

    /// Waits until not much is left to be written, or nobody writes here any more.
    pub(super) async fn has_room(&self) {
        while self.bytes.borrow().len() > ROOM_BYTES && !self.complete.get() {
            self.has_room.notified().await;
        }
    }

    /// Nothing is written any more, and the link ends.
    fn give_up(&self) {
        self.broken.set(true);
        self.bytes.take();
        self.descriptors.take();
        self.moved.notify_one();
        self.has_room.notify_waiters();
    }

    /// Writes what one call takes: up to the next frame that needs a descriptor.
    fn write_some(&self, stream: &UnixStream) -> io::Result<()> {
        let mut bytes = self.bytes.borrow_mut();
        let mut descriptors = self.descriptors.borrow_mut();
        let written = self.written.get();
        let is_due = descriptors.front().is_some_and(|(place, _)| *place == written);
        let next = descriptors.get(usize::from(is_due)).map_or(bytes.len(), |(place, _)| (*place - written) as usize);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let due = if is_due { descriptors.front().map(|(_, descriptor)| [descriptor.as_fd()]) } else { None };
        if let Some(due) = &due
            && !control.push(SendAncillaryMessage::ScmRights(due))
        {
            return Err(io::Error::other("no room for a descriptor"));
        }
        let sent =
            retry_on_intr(|| sendmsg(stream, &[IoSlice::new(&bytes[..next])], &mut control, SendFlags::NOSIGNAL))?;
        if is_due {
            descriptors.pop_front();
        }
        bytes.advance(sent);
        self.written.set(written + sent as u64);
        if bytes.is_empty() && bytes.capacity() > KEPT_BYTES {
            *bytes = BytesMut::new();
        }
        if bytes.len() <= ROOM_BYTES {
            self.has_room.notify_waiters();
        }
        Ok(())
    }
}

async fn write(stream: Rc<UnixStream>, outbox: Rc<Outbox>) {
    write_all(&stream, &outbox).await;
    if outbox.broken.get() {
        // Who cannot be written to is not heard any more either, but for what has come already.
        let _ = shutdown(&*stream, Shutdown::Both);
    }
}

async fn write_all(stream: &UnixStream, outbox: &Outbox) {
    loop {
        while outbox.is_empty() {
            if outbox.complete.get() || outbox.broken.get() {
                return;
            }
            outbox.moved.notified().await;
        }
        // What cannot be written any more is lost with the one who would have read it.
        if stream.async_io(Interest::WRITABLE, || outbox.write_some(stream)).await.is_err() {
            return outbox.give_up();
        }
    }
}

/// The half that reads.
pub(super) struct Incoming {
    stream: Rc<UnixStream>,
    bytes: BytesMut,
    descriptors: VecDeque<OwnedFd>,
    codec: LengthDelimitedCodec,
    in_a_row: u32,
}

impl Incoming {
    /// The next frame; None at the end of the stream, and when what comes is no frame: then nothing more is read.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.in_a_row += 1;
        if self.in_a_row >= FRAMES_IN_A_ROW {
            self.in_a_row = 0;
            tokio::task::yield_now().await;
        }
        loop {
            match self.codec.decode(&mut self.bytes) {
                Ok(Some(frame)) => match decode(&frame) {
                    Ok(message) => return Some(message),
                    Err(error) => {
                        tracing::error!(%error, "a link is closed: a frame does not decode");
                        return None;
                    }
                },
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a link is closed: a frame is too long");
                    return None;
                }
            }
            if self.descriptors.len() > DESCRIPTORS_WAITING {
                tracing::error!("a link is closed: descriptors come without frames");
                return None;
            }
            if !self.read_some().await {
                return None;
            }
        }
    }

    /// The descriptor that has come with a frame; they come in the order of the frames.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    /// Reads what is there. An error is an end, too: a socket that is closed before all of it was read makes one.
    async fn read_some(&mut self) -> bool {
        let Self { stream, bytes, descriptors, .. } = self;
        let stream = &*stream;
        let read = stream.async_io(Interest::READABLE, || {
            READ_BUFFER.with_borrow_mut(|buffer| {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_IN_A_READ))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut into = [IoSliceMut::new(buffer)];
                let read =
                    retry_on_intr(|| recvmsg(&**stream, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC))?.bytes;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(came) = message {
                        descriptors.extend(came);
                    }
                }
                bytes.extend_from_slice(&buffer[..read]);
                Ok(read)
            })
        });
        matches!(read.await, Ok(read) if read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        actix::System::new().block_on(test);
    }

    #[test]
    fn frames_and_descriptors_come_in_order() {
        run(async {
            let (here, there) = pair().unwrap();
            let ((from, _), (_to, mut incoming)) = (open(here).unwrap(), open(there).unwrap());
            let (carried, other) = pair().unwrap();
            from.send(&"first");
            from.send_with(&"second", Some(carried));
            from.send(&"third");
            drop(from);
            for text in ["first", "second", "third"] {
                assert_eq!(incoming.next::<String>().await.as_deref(), Some(text));
            }
            let (through, _) = open(incoming.descriptor().unwrap()).unwrap();
            through.send(&7u64);
            assert_eq!(open(other).unwrap().1.next::<u64>().await, Some(7));
        });
    }

    #[test]
    fn a_reader_that_is_slow_does_not_stop_the_writer_and_loses_nothing() {
        run(async {
            let (here, there) = pair().unwrap();
            let ((from, from_incoming), (_to, mut incoming)) = (open(here).unwrap(), open(there).unwrap());
            for number in 0..20_000u64 {
                from.send(&(number, vec![0u8; 100]));
            }
            drop((from, from_incoming));
            for number in 0..20_000u64 {
                assert_eq!(incoming.next::<(u64, Vec<u8>)>().await.map(|(number, _)| number), Some(number));
            }
            assert_eq!(incoming.next::<(u64, Vec<u8>)>().await, None);
        });
    }

    #[test]
    fn garbage_ends_a_link() {
        for garbage in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02\x63\x01", b"\0\0\0\0"] {
            run(async {
                let (here, there) = pair().unwrap();
                let (_to, mut incoming) = open(there).unwrap();
                rustix::io::write(&here, garbage).unwrap();
                assert_eq!(incoming.next::<u64>().await, None);
            });
        }
    }
}
