//! The half of a link's end that sends: what waits to be written, and with it descriptors.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::retry_on_intr;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, sendmsg, shutdown};
use serde::Serialize;
use tokio::net::unix::pipe::Sender;
use tokio::sync::Notify;

use super::channel::Socket;
use super::unwritten::Unwritten;
use crate::modes::wire::{MAX_FRAME_BYTES, WireError};

/// A socket whose other end does not read gets this much and no more. The sessions allow 64 MiB to be under way.
pub(super) const MAX_BACKLOG_BYTES: usize = 128 * 1024 * 1024;

/// So much may wait to be written before [`Outbox::has_room`] says no.
pub(super) const ROOM_BYTES: usize = 256 * 1024;

/// When there is no descriptor left to wait with, a full socket is tried again after this time.
const TRIED_AGAIN: Duration = Duration::from_millis(5);

/// What waits to be written. Whoever reads too slowly makes it grow, never its writer wait.
pub(super) struct Outbox {
    socket: Socket,
    unwritten: RefCell<Unwritten>,
    /// Descriptors, each with the place in the stream where the frame that needs it begins.
    descriptors: RefCell<VecDeque<(u64, OwnedFd)>>,
    /// How much was written in all.
    written: Cell<u64>,
    /// Nothing more will be put in: what is there is written, then this end is closed.
    complete: Cell<bool>,
    broken: Cell<bool>,
    /// The socket is full; what waits is written when there is room again.
    full: Cell<bool>,
    /// Its writer is told that something waits.
    is_told: Cell<bool>,
    moved: Notify,
    has_room: Notify,
}

/// The half that sends. When it is dropped, what was sent is still written.
pub(super) struct Outgoing(pub(super) Rc<Outbox>);

impl Outgoing {
    /// Sends a frame with the next [`flush`](Self::flush).
    pub(super) fn put(&self, message: &impl Serialize) {
        self.put_carrying(message, None);
    }

    /// As [`put`](Self::put); what the frame carries is not copied where that is worth it.
    pub(super) fn put_carrying(&self, message: &impl Serialize, carried: Option<&Bytes>) {
        self.0.add(|unwritten| unwritten.add(message, carried));
    }

    /// Sends a frame that is damaged, so that nobody can read it.
    pub(super) fn put_damaged(&self, message: &impl Serialize) {
        self.0.add(|unwritten| unwritten.add_damaged(message));
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

    /// The same, when others have had their turn.
    pub(super) fn flush_soon(&self) {
        if !self.0.is_told.replace(true) {
            self.0.moved.notify_one();
        }
    }

    /// Sends a frame.
    pub(super) fn send(&self, message: &impl Serialize) {
        self.send_with(message, None);
    }

    /// Sends a frame, and a descriptor that arrives no later than the frame does.
    pub(super) fn send_with(&self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        let place = self.0.written.get() + self.0.waiting() as u64;
        let is_added = self.0.add(|unwritten| unwritten.add(message, None));
        if let Some(descriptor) = descriptor.filter(|_| is_added) {
            self.0.descriptors.borrow_mut().push_back((place, descriptor));
        }
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
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            unwritten: RefCell::default(),
            descriptors: RefCell::default(),
            written: Cell::new(0),
            complete: Cell::new(false),
            broken: Cell::new(false),
            full: Cell::new(false),
            is_told: Cell::new(false),
            moved: Notify::new(),
            has_room: Notify::new(),
        }
    }

    /// Adds a frame; says whether it is there.
    fn add(&self, add: impl FnOnce(&mut Unwritten) -> Result<(), WireError>) -> bool {
        if self.broken.get() {
            return false;
        }
        let waiting = self.waiting();
        if waiting > MAX_BACKLOG_BYTES - MAX_FRAME_BYTES {
            tracing::error!(waiting, "a link is given up: its other end does not read");
            self.give_up();
            return false;
        }
        let added = add(&mut self.unwritten.borrow_mut());
        if let Err(error) = &added {
            tracing::error!(%error, "a frame cannot be sent");
        }
        added.is_ok()
    }

    /// How many bytes wait to be written.
    fn waiting(&self) -> usize {
        self.unwritten.borrow().len()
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

    /// How much has come from the other end and was not read.
    pub(super) fn unread_bytes(&self) -> u64 {
        rustix::io::ioctl_fionread(&*self.socket).unwrap_or(0)
    }

    /// Nothing is written any more, and the link ends.
    pub(super) fn give_up(&self) {
        self.broken.set(true);
        self.unwritten.take();
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
        let unwritten = self.unwritten.borrow();
        let rest = unwritten.next(next.unwrap_or(usize::MAX));
        let sent = retry_on_intr(|| sendmsg(&*self.socket, &rest, &mut control, SendFlags::NOSIGNAL))?;
        drop(unwritten);
        if is_due {
            descriptors.pop_front();
        }
        self.forget(sent);
        Ok(())
    }

    /// So much was written.
    fn forget(&self, sent: usize) {
        self.written.set(self.written.get() + sent as u64);
        let mut unwritten = self.unwritten.borrow_mut();
        unwritten.forget(sent);
        if unwritten.len() <= ROOM_BYTES {
            self.has_room.notify_waiters();
        }
    }
}

/// Writes what was not written at once, and ends the link when it cannot be written to any more.
pub(super) async fn write(outbox: Rc<Outbox>) {
    write_all(&outbox).await;
    if outbox.broken.get() {
        // Who cannot be written to is not heard any more either, but for what has come already.
        let _ = shutdown(&*outbox.socket, Shutdown::Both);
    }
}

async fn write_all(outbox: &Outbox) {
    loop {
        outbox.is_told.set(false);
        while outbox.waiting() == 0 {
            if outbox.complete.get() || outbox.broken.get() {
                return;
            }
            outbox.moved.notified().await;
            outbox.is_told.set(false);
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
