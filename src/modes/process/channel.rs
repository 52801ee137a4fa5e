//! One end of a socket that carries frames, and with them descriptors: how it is opened, and the half that reads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
};
use serde::de::DeserializeOwned;
use tokio::net::unix::pipe::Receiver;

use super::outbox::{Outbox, Outgoing, write};
use crate::modes::wire::{WireError, decode, first_frame};
use crate::planted::{Bug, is_planted};

/// So much is read at once to begin with: no more than a quiet node needs, which pays for every page of it.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// So much is read at once at the most.
const READ_BYTES: usize = 256 * 1024;

/// How many descriptors one read takes; one write sends one.
const DESCRIPTORS_IN_A_READ: usize = 4;

/// So many descriptors may wait for their frames: each of ours is taken before the next one is read.
const DESCRIPTORS_WAITING: usize = 8;

/// After so many frames of one link others have their turn, and what was handed out is worked on.
const FRAMES_IN_A_ROW: u32 = 512;

thread_local! {
    /// One for all sockets, so that a thousand quiet ones cost nothing. Whoever has read into it has it until he has taken
    /// the frames out; meanwhile there is none here.
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Two ends of a link; both are closed when a program is started, and neither blocks.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let is_inherited = is_planted(Bug::CloseOnExecMissing);
    let flags = SocketFlags::NONBLOCK | if is_inherited { SocketFlags::empty() } else { SocketFlags::CLOEXEC };
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// This end of a link. To the runtime it is the reading end of a pipe: then it wakes us when there is something to
/// read and never, as with its own sockets, each time when the other end has read what we wrote.
pub(super) type Socket = Rc<Receiver>;

/// Opens an end of a link: what is sent through the one half is written once a turn, the other half reads.
pub(super) fn open(end: OwnedFd) -> io::Result<(Outgoing, Incoming)> {
    rustix::io::ioctl_fionbio(&end, true)?;
    let socket = Rc::new(Receiver::from_owned_fd_unchecked(end)?);
    let outbox = Rc::new(Outbox::new(Rc::clone(&socket)));
    actix_rt::spawn(write(Rc::clone(&outbox)));
    let (read, descriptors) = (Read::default(), VecDeque::new());
    Ok((Outgoing(outbox), Incoming { socket, read, descriptors, in_a_row: 0 }))
}

/// The half that reads.
pub(super) struct Incoming {
    socket: Socket,
    read: Read,
    /// Those that came, in order; nothing in place of one that this process had no room for.
    descriptors: VecDeque<Option<OwnedFd>>,
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
            match self.take_frame() {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a link is closed: what has come is no frame");
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

    /// Decodes the first frame of what was read, if it is whole.
    fn take_frame<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        let Some((frame, behind)) = first_frame(self.read.left())? else { return Ok(None) };
        let (message, left) = (decode(frame)?, behind.len());
        self.read.take_all_but(left);
        Ok(Some(message))
    }

    /// The descriptor that has come with a frame; they come in the order of the frames. None when there was no room for
    /// it in this process.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front().flatten()
    }

    /// Reads what is there. An error is an end, too: a socket that is closed before all of it was read makes one.
    async fn read_some(&mut self) -> bool {
        loop {
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
            self.read.put_aside();
            if socket.readable().await.is_err() {
                return false;
            }
        }
    }

    /// Reads once; also says whether that was all. A read ends early behind descriptors, and when there is no more.
    fn read_at_once(&mut self) -> io::Result<(usize, bool)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_IN_A_READ))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let room = self.read.room();
        let wanted = room.len();
        let mut into = [IoSliceMut::new(room)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let came = retry_on_intr(|| recvmsg(&*self.socket, &mut into, &mut control, flags))?;
        let (read, known) = (came.bytes, self.descriptors.len());
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                self.descriptors.extend(came.map(Some));
            }
        }
        // A read ends behind the bytes that a descriptor came with, so there is at most one in it.
        if came.flags.contains(ReturnFlags::CTRUNC) {
            self.descriptors.push_back(None);
        }
        self.read.came(read);
        Ok((read, 0 < read && read < wanted && known == self.descriptors.len()))
    }
}

/// Where much is read, much is freed soon after. glibc gives it back to the kernel, to get it again page by page, unless it
/// has seen that a larger block was freed: it keeps twice as much.
fn keep_what_is_freed() {
    drop(black_box(Vec::<u8>::with_capacity(2 * READ_BYTES)));
}

/// What was read and not taken.
#[derive(Default)]
struct Read {
    /// The one for all sockets, or one that holds just what is left.
    buffer: Vec<u8>,
    taken: usize,
    length: usize,
}

impl Read {
    fn left(&self) -> &[u8] {
        &self.buffer[self.taken..self.length]
    }

    /// The frames before these last bytes were taken.
    fn take_all_but(&mut self, left: usize) {
        self.taken = self.length - left;
    }

    /// Where the next bytes are to be read to.
    fn room(&mut self) -> &mut [u8] {
        let left = self.taken..self.length;
        if self.is_put_aside() {
            let mut buffer = READ_BUFFER.take();
            let least = (left.len() + FIRST_READ_BYTES).next_power_of_two();
            if buffer.len() < least {
                buffer.resize(least, 0);
            }
            buffer[..left.len()].copy_from_slice(&self.buffer[left]);
            self.buffer = buffer;
        } else {
            self.buffer.copy_within(left, 0);
        }
        (self.taken, self.length) = (0, self.length - self.taken);
        &mut self.buffer[self.length..]
    }

    /// So much was read to where there was room.
    fn came(&mut self, bytes: usize) {
        self.length += bytes;
        let whole = self.buffer.len();
        if self.length == whole && whole < READ_BYTES {
            self.buffer.resize(2 * whole, 0);
            if 2 * whole >= READ_BYTES {
                keep_what_is_freed();
            }
        }
    }

    fn is_put_aside(&self) -> bool {
        self.taken == 0 && self.length == self.buffer.len()
    }

    /// Nothing more is there to be read now: what has come of a frame is kept, and others read into the buffer.
    fn put_aside(&mut self) {
        if self.is_put_aside() {
            return;
        }
        let left = self.left().to_vec();
        let buffer = std::mem::replace(&mut self.buffer, left);
        (self.taken, self.length) = (0, self.buffer.len());
        READ_BUFFER.with_borrow_mut(|spare| {
            if spare.len() < buffer.len() {
                *spare = buffer;
            }
        });
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
