//! The half of a tree link's end that sends, and what the link needs when it may lose what it carries.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use tokio::sync::Notify;

use super::link_faults::{LinkFaults, Told};
use super::outbox::{MAX_BACKLOG_BYTES, Outgoing, ROOM_BYTES};
use crate::actors::message::{Envelope, Nanos};
use crate::actors::{LinkEnd, LinkFrame};
use crate::faults::{Direction, Fate};
use crate::topology::NodeId;

/// One end of a link of the tree: what is sent goes through the rules of this process, then to the outbox.
pub(super) struct Line {
    /// Whose link to its parent it is, and which way is away from here.
    below: NodeId,
    way: Direction,
    faults: Rc<LinkFaults>,
    /// Until it is closed.
    outgoing: RefCell<Option<Outgoing>>,
    end: RefCell<LinkEnd>,
    /// What a rule holds back, by the time at which it goes on.
    late: RefCell<BTreeMap<(Nanos, u64), LinkFrame>>,
    made: Cell<u64>,
    /// When the last frame that nothing may overtake goes on.
    last: Cell<Nanos>,
    /// For what it is to be woken next; until it has been woken for the first time, nobody is there to do it.
    wake_at: Cell<Nanos>,
    is_tended: Cell<bool>,
    is_closed: Cell<bool>,
    is_damaged: Cell<bool>,
    moved: Notify,
    has_room: Notify,
    this: Weak<Self>,
}

impl Line {
    pub(super) fn new(outgoing: Outgoing, below: NodeId, way: Direction, faults: Rc<LinkFaults>) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            below,
            way,
            faults,
            outgoing: RefCell::new(Some(outgoing)),
            end: RefCell::default(),
            late: RefCell::default(),
            made: Cell::new(0),
            last: Cell::new(0),
            wake_at: Cell::new(Nanos::MAX),
            is_tended: Cell::new(false),
            is_closed: Cell::new(false),
            is_damaged: Cell::new(false),
            moved: Notify::new(),
            has_room: Notify::new(),
            this: Weak::clone(this),
        })
    }

    /// Sends an envelope with the next [`flush`](Self::flush), or when the rules let it.
    pub(super) fn send(&self, envelope: Envelope) {
        let mut end = self.end.borrow_mut();
        if self.faults.break_the_stream(self.below, self.way) {
            end.begin_to_repeat();
        }
        if !end.repeats() {
            drop(end);
            return self.fly(LinkFrame::Envelope(envelope));
        }
        let queued = end.queued_bytes();
        if queued > MAX_BACKLOG_BYTES {
            tracing::error!(queued, "a link is given up: nothing gets over it");
            return self.give_up();
        }
        let now = self.faults.now();
        let at_once = end.send(now, envelope);
        drop(end);
        debug_assert!(at_once.is_none(), "what repeats keeps what it sends");
        self.pump(now);
    }

    /// Takes what has come over the link, and hands out the envelopes that are due.
    pub(super) fn receive(&self, frame: LinkFrame, mut hand_out: impl FnMut(Envelope)) {
        let packet = match frame {
            LinkFrame::Envelope(envelope) => return hand_out(envelope),
            packet @ LinkFrame::Packet(_) => packet,
        };
        let now = self.faults.now();
        let mut end = self.end.borrow_mut();
        let mut due = Vec::from_iter(end.receive(now, packet));
        due.extend(std::iter::from_fn(|| end.take()));
        drop(end);
        // Whoever takes one may send something over this very link.
        due.into_iter().for_each(&mut hand_out);
        self.pump(now);
        self.flush();
        self.has_room.notify_waiters();
    }

    /// Whether the frame that has just come is damaged.
    pub(super) fn came_damaged(&self) -> bool {
        let back = if self.way == Direction::Down { Direction::Up } else { Direction::Down };
        self.faults.damages_incoming(self.below, back)
    }

    /// Writes what waits, as far as there is room.
    pub(super) fn flush(&self) {
        if let Some(outgoing) = &*self.outgoing.borrow() {
            outgoing.flush();
        }
    }

    /// The same, when others have had their turn.
    pub(super) fn flush_soon(&self) {
        if let Some(outgoing) = &*self.outgoing.borrow() {
            outgoing.flush_soon();
        }
    }

    /// Nothing more is sent; what a rule holds back is still sent in its time.
    fn close(&self) {
        self.is_closed.set(true);
        if self.late.borrow().is_empty() {
            self.outgoing.take();
        }
        self.moved.notify_one();
        self.has_room.notify_waiters();
    }

    /// Whether a rule holds nothing back.
    pub(super) fn is_empty(&self) -> bool {
        self.late.borrow().is_empty()
    }

    /// Waits until not much is left to be sent, or nobody sends here any more.
    pub(super) async fn has_room(&self) {
        let outbox = self.outgoing.borrow().as_ref().map(|outgoing| Rc::clone(outgoing.outbox()));
        if let Some(outbox) = outbox {
            outbox.has_room().await;
        }
        while self.end.borrow().queued_bytes() > ROOM_BYTES && !self.is_closed.get() {
            self.has_room.notified().await;
        }
    }

    fn give_up(&self) {
        if let Some(outgoing) = &*self.outgoing.borrow() {
            outgoing.outbox().give_up();
        }
    }

    /// Sends what the end has to send, and sees to it that it is woken.
    fn pump(&self, now: Nanos) {
        while let Some(frame) = self.next_packet(now) {
            self.fly(frame);
        }
        let due = self.end.borrow().deadline();
        self.wake_at(due.unwrap_or(Nanos::MAX));
    }

    fn next_packet(&self, now: Nanos) -> Option<LinkFrame> {
        self.end.borrow_mut().transmit(now)
    }

    /// A frame goes over the link, and the rules say what becomes of it.
    fn fly(&self, frame: LinkFrame) {
        if !self.faults.any() && self.late.borrow().is_empty() {
            return self.put(&frame);
        }
        let (fate, told) = self.faults.fate(self.below, self.way);
        if fate.is_corrupt {
            return self.put_damaged(frame, told);
        }
        if fate.copies == 2 {
            self.go(frame.clone(), fate);
        }
        if fate.copies > 0 {
            self.go(frame, fate);
        }
    }

    fn go(&self, frame: LinkFrame, fate: Fate) {
        let now = self.faults.now();
        self.let_go(now);
        if fate.delay_ns == 0 && fate.overtaken_ns == 0 && self.last.get() <= now {
            return self.put(&frame);
        }
        let at = now.saturating_add(fate.delay_ns).max(self.last.get() + 1);
        self.last.set(at);
        let at = at.saturating_add(fate.overtaken_ns);
        self.late.borrow_mut().insert((at, self.made.replace(self.made.get() + 1)), frame);
        self.wake_at(at);
    }

    /// What was held back until now goes on.
    fn let_go(&self, now: Nanos) {
        let mut late = self.late.borrow_mut();
        while let Some(first) = late.first_entry().filter(|first| first.key().0 <= now) {
            self.put(&first.remove());
        }
    }

    /// Who sends it may be the one who dies of it. So the control node is told before; meanwhile nothing more goes.
    fn put_damaged(&self, frame: LinkFrame, told: Option<Told>) {
        self.is_damaged.set(true);
        let Some(this) = self.this.upgrade() else { return };
        actix_rt::spawn(async move {
            if let Some(told) = told {
                told.await;
            }
            if let Some(outgoing) = &*this.outgoing.borrow() {
                outgoing.put_damaged(&frame);
                outgoing.flush();
            }
        });
    }

    fn put(&self, frame: &LinkFrame) {
        if self.is_damaged.get() {
            return;
        }
        if let Some(outgoing) = &*self.outgoing.borrow() {
            outgoing.put_carrying(frame, frame.payload());
        }
    }

    fn wake_at(&self, at: Nanos) {
        if at >= self.wake_at.get() {
            return;
        }
        self.wake_at.set(at);
        if self.is_tended.replace(true) {
            self.moved.notify_one();
        } else if let Some(this) = self.this.upgrade() {
            actix_rt::spawn(tend(this));
        }
    }

    fn next_due(&self) -> Nanos {
        let late = self.late.borrow().first_key_value().map(|((at, _), _)| *at);
        let repeated = if self.is_closed.get() { None } else { self.end.borrow().deadline() };
        late.into_iter().chain(repeated).min().unwrap_or(Nanos::MAX)
    }
}

/// Does for a link what is to be done in time, until it is closed.
async fn tend(line: Rc<Line>) {
    loop {
        if line.is_closed.get() && line.is_empty() {
            line.outgoing.take();
            return;
        }
        let due = line.next_due();
        line.wake_at.set(due);
        tokio::select! {
            biased;
            () = line.moved.notified() => continue,
            () = tokio::time::sleep_until(line.faults.instant(due)), if due < Nanos::MAX => {}
        }
        let now = line.faults.now();
        // It looks again by itself.
        line.wake_at.set(0);
        line.let_go(now);
        line.pump(now);
        line.flush();
    }
}

/// Who sends over a link. Without him it is closed.
pub(super) struct Sending(pub(super) Rc<Line>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.close();
    }
}
