//! One end of a socket that carries frames, and with them descriptors.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown, socketpair,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::Notify;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use crate::modes::wire::{MAX_FRAME_BYTES, append, codec, decode};

/// A socket whose other end does not read gets this much and no more. The sessions allow 64 MiB to be under way.
const MAX_BACKLOG_BYTES: usize = 128 * 1024 * 1024;

/// So much is read at once to begin with: no more than a quiet node needs, which pays for every page of it.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// So much is read at once at the most.
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

/// When there is no descriptor left to wait with, a full socket is tried again after this time.
const TRIED_AGAIN: Duration = Duration::from_millis(5);

thread_local! {
    /// One for all sockets, so that a thousand quiet ones cost nothing.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; FIRST_READ_BYTES]);
}

/// Two ends of a link; both are closed when a program is started, and neither blocks.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// This end of a link. To the runtime it is the reading end of a pipe: then it wakes us when there is something to
/// read and never, as with its own sockets, each time when the other end has read what we wrote.
type Socket = Rc<Receiver>;

/// Opens an end of a link: what is sent through the one half is written once a turn, the other half reads.
pub(super) fn open(end: OwnedFd) -> io::Result<(Outgoing, Incoming)> {
    rustix::io::ioctl_fionbio(&end, true)?;
    let socket = Rc::new(Receiver::from_owned_fd_unchecked(end)?);
    let outbox = Rc::new(Outbox::new(Rc::clone(&socket)));
    actix_rt::spawn(write(Rc::clone(&outbox)));
    let (bytes, descriptors) = (BytesMut::new(), VecDeque::new());
    Ok((Outgoing(outbox), Incoming { socket, bytes, descriptors, codec: codec(), in_a_row: 0 }))
}

/// What waits to be written. Whoever reads too slowly makes it grow, never its writer wait.
pub(super) struct Outbox {
    socket: Socket,
    /// Frames, the first of which begin with what was written already.
    bytes: RefCell<Vec<u8>>,
    /// How much of `bytes` was written.
    gone: Cell<usize>,
    /// Descriptors, each with the place in the stream where the frame that needs it begins.
    descriptors: RefCell<VecDeque<(u64, OwnedFd)>>,
    /// How much was written in all.
    written: Cell<u64>,
    /// Nothing more will be put in: what is there is written, then this end is closed.
    complete: Cell<bool>,
    broken: Cell<bool>,
    /// The socket is full; what waits is written when there is room again.
    full: Cell<bool>,
    moved: Notify,
    has_room: Notify,
}

/// The half that sends. When it is dropped, what was sent is still written.
pub(super) struct Outgoing(Rc<Outbox>);

impl Outgoing {
    /// Sends a frame with the next [`flush`](Self::flush).
    pub(super) fn put(&self, message: &impl Serialize) {
        self.0.add(message, None);
    }

    /// Writes what waits, as far as there is room; the rest is written when there is.
    pub(super) fn flush(&self) {
        let outbox = &*self.0;
        while outbox.waiting() > 0 && !outbox.full.get() {
            match outbox.write_some() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return outbox.moved.notify_one(),
                Err(_) => return outbox.give_up(),
            }
        }
    }

    /// Sends a frame.
    pub(super) fn send(&self, message: &impl Serialize) {
        self.send_with(message, None);
    }

    /// Sends a frame, and a descriptor that arrives no later than the frame does.
    pub(super) fn send_with(&self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        self.0.add(message, descriptor);
        self.0.moved.notify_one();
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
    fn new(socket: Socket) -> Self {
        Self {
            socket,
            bytes: RefCell::default(),
            gone: Cell::new(0),
            descriptors: RefCell::default(),
            written: Cell::new(0),
            complete: Cell::new(false),
            broken: Cell::new(false),
            full: Cell::new(false),
            moved: Notify::new(),
            has_room: Notify::new(),
        }
    }

    fn add(&self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        if self.broken.get() {
            return;
        }
        let waiting = self.waiting();
        if waiting > MAX_BACKLOG_BYTES - MAX_FRAME_BYTES {
            tracing::error!(waiting, "a link is given up: its other end does not read");
            return self.give_up();
        }
        if let Err(error) = append(message, &mut self.bytes.borrow_mut()) {
            return tracing::error!(%error, "a frame cannot be sent");
        }
        if let Some(descriptor) = descriptor {
            let place = self.written.get() + waiting as u64;
            self.descriptors.borrow_mut().push_back((place, descriptor));
        }
    }

    /// How many bytes wait to be written.
    fn waiting(&self) -> usize {
        self.bytes.borrow().len() - self.gone.get()
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Waits until not much is left to be written, or nobody writes here any more.
    pub(super) async fn has_room(&self) {
        while self.waiting() > ROOM_BYTES && !self.complete.get() {
            self.has_room.notified().await;
        }
    }

    /// Nothing is written any more, and the link ends.
    fn give_up(&self) {
        self.broken.set(true);
        self.bytes.take();
        self.gone.set(0);
        self.descriptors.take();
        self.moved.notify_one();
        self.has_room.notify_waiters();
    }

    /// Writes what one call takes: up to the next frame that needs a descriptor.
    fn write_some(&self) -> io::Result<()> {
        let mut descriptors = self.descriptors.borrow_mut();
        let written = self.written.get();
        let is_due = descriptors.front().is_some_and(|(place, _)| *place == written);
        let next = descriptors.get(usize::from(is_due)).map(|(place, _)| (*place - written) as usize);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let due = if is_due { descriptors.front().map(|(_, descriptor)| [descriptor.as_fd()]) } else { None };
        if let Some(due) = &due
            && !control.push(SendAncillaryMessage::ScmRights(due))
        {
            return Err(io::Error::other("no room for a descriptor"));
        }
        let bytes = self.bytes.borrow();
        let rest = &bytes[self.gone.get()..];
        let rest = &rest[..next.unwrap_or(rest.len())];
        let rest = [IoSlice::new(rest)];
        let sent = retry_on_intr(|| sendmsg(&*self.socket, &rest, &mut control, SendFlags::NOSIGNAL))?;
        drop(bytes);
        if is_due {
            descriptors.pop_front();
        }
        self.forget(sent);
        Ok(())
    }

    /// So much was written.
    fn forget(&self, sent: usize) {
        self.written.set(self.written.get() + sent as u64);
        let (mut bytes, gone) = (self.bytes.borrow_mut(), self.gone.get() + sent);
        if bytes.len() - gone <= ROOM_BYTES {
            self.has_room.notify_waiters();
        }
        if gone < bytes.len() && gone < (bytes.len() / 2).max(KEPT_BYTES) {
            return self.gone.set(gone);
        }
        bytes.drain(..gone);
        self.gone.set(0);
        if bytes.is_empty() && bytes.capacity() > KEPT_BYTES {
            *bytes = Vec::new();
        }
    }
}

async fn write(outbox: Rc<Outbox>) {
    write_all(&outbox).await;
    if outbox.broken.get() {
        // Who cannot be written to is not heard any more either, but for what has come already.
        let _ = shutdown(&*outbox.socket, Shutdown::Both);
    }
}

async fn write_all(outbox: &Outbox) {
    loop {
        while outbox.waiting() == 0 {
            if outbox.complete.get() || outbox.broken.get() {
                return;
            }
            outbox.moved.notified().await;
        }
        let written = match outbox.write_some() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                outbox.full.set(true);
                let written = write_slowly(outbox).await;
                outbox.full.set(false);
                written
            }
            written => written,
        };
        // What cannot be written any more is lost with the one who would have read it.
        if written.is_err() {
            return outbox.give_up();
        }
    }
}

/// Writes what waits to a socket that is full, each time when there is room again.
async fn write_slowly(outbox: &Outbox) -> io::Result<()> {
    // Descriptors may be short; those that are open must do their work all the same.
    let Ok(end) = outbox.socket.as_fd().try_clone_to_owned() else {
        tokio::time::sleep(TRIED_AGAIN).await;
        return Ok(());
    };
    let sender = Sender::from_owned_fd_unchecked(end)?;
    while outbox.waiting() > 0 {
        sender.writable().await?;
        match sender.try_io(|| outbox.write_some()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            written => written?,
        }
    }
    Ok(())
}

/// The half that reads.
pub(super) struct Incoming {
    socket: Socket,
    bytes: BytesMut,
    /// Those that came, in order; nothing in place of one that this process had no room for.
    descriptors: VecDeque<Option<OwnedFd>>,
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

    /// The descriptor that has come with a frame; they come in the order of the frames. None when there was no room for
    /// it in this process.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front().flatten()
    }

    /// Reads what is there. An error is an end, too: a socket that is closed before all of it was read makes one.
    async fn read_some(&mut self) -> bool {
        loop {
            if self.socket.readable().await.is_err() {
                return false;
            }
            let (socket, mut read) = (Rc::clone(&self.socket), None);
            let tried = socket.try_io(|| {
                let (length, is_all) = self.read_at_once()?;
                read = Some(length);
                // There is no more: that need not be asked again before the runtime says otherwise.
                if is_all { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match (read, tried) {
                (Some(length), _) => return length > 0,
                (None, Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                (None, _) => return false,
            }
        }
    }

    /// Reads once; also says whether that was all. A read ends early behind descriptors, and when there is no more.
    fn read_at_once(&mut self) -> io::Result<(usize, bool)> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_IN_A_READ))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(buffer)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            let came = retry_on_intr(|| recvmsg(&*self.socket, &mut into, &mut control, flags))?;
            let read = came.bytes;
            let known = self.descriptors.len();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(came) = message {
                    self.descriptors.extend(came.map(Some));
                }
            }
            // A read ends behind the bytes that a descriptor came with, so there is at most one in it.
            if came.flags.contains(ReturnFlags::CTRUNC) {
                self.descriptors.push_back(None);
            }
            self.bytes.extend_from_slice(&buffer[..read]);
            let is_full = read == buffer.len();
            if is_full && read < READ_BYTES {
                buffer.resize(2 * read, 0);
            }
            Ok((read, 0 < read && !is_full && known == self.descriptors.len()))
        })
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
