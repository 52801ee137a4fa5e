//! Whose turn it is: the nodes of an in-process system, those that have something to do, and what they have sent to a
//! network.
//!
//! They are not tasks of the runtime, for two reasons. A task takes 400 bytes more for each node. And whoever knows what comes
//! next can look ahead: in a large tree each node has left the cache when something comes to it, and one that is waited for
//! costs as much as several that are waited for at the same time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use actix::{Handler, Message};

use super::pages::Pages;
use crate::actors::message::LinkId;
use crate::actors::{Door, Frame, FromNode, NodeActor, NodeLife};

/// A queue with room for more than this gives its memory back when it is empty.
const SENT_KEPT: usize = 4096;

/// Of so many nodes that have ended the memory is given back between two turns.
pub(super) const GONE_AT_ONCE: usize = 64;

/// The incarnation of no node.
pub(super) const NOBODY: u64 = u64::MAX;

/// At the most so many nodes are glanced at together: about as many as a core waits for at the same time.
pub(in crate::modes) const LOOKED_AHEAD: usize = 16;

/// What nodes have sent to a network.
pub(super) enum Sent {
    Frame(Frame),
    FromNode(FromNode),
}

/// A node that lives, and what wakes it.
struct Seat {
    life: NodeLife,
    waker: Waker,
}

#[derive(Default)]
struct Seats {
    /// By the incarnations of the nodes; without whoever has its turn.
    all: Pages<Option<Box<Seat>>>,
    /// Nodes that have ended and whose memory has not been given back.
    #[expect(clippy::vec_box, reason = "they are moved here as they are, not copied")]
    gone: Vec<Box<Seat>>,
}

/// All nodes of a system, and whose turn it is.
#[derive(Default)]
pub(in crate::modes) struct Turns {
    seats: RefCell<Seats>,
    ready: Arc<Ready>,
}

/// What can be reached from other threads.
#[derive(Default)]
pub(super) struct Ready(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<u64>,
    sent: VecDeque<Sent>,
    /// Who has its turn now, and whether it wants another one at once: it works on something that takes long.
    now: Option<u64>,
    is_busy: bool,
    /// Whoever gives turns, while there is nothing to do.
    driver: Option<Waker>,
}

struct Bell {
    incarnation: u64,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut queue = self.ready.queue();
        queue.is_busy |= queue.now == Some(self.incarnation);
        queue.waiting.push_back(self.incarnation);
        wake(queue);
    }
}

/// Wakes whoever gives turns.
fn wake(mut queue: MutexGuard<Queue>) {
    let driver = queue.driver.take();
    drop(queue);
    if let Some(driver) = driver {
        driver.wake();
    }
}

impl Ready {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, sent: Sent) {
        let mut queue = self.queue();
        queue.sent.push_back(sent);
        wake(queue);
    }
}

impl Door for Ready {
    fn put(&self, frame: Frame) {
        self.send(Sent::Frame(frame));
    }
}

impl Turns {
    /// Where a network takes what is sent to it.
    pub(super) fn network(&self) -> Arc<Ready> {
        Arc::clone(&self.ready)
    }

    /// A new node, which has its first turn soon.
    pub(super) fn begin(&self, incarnation: u64, life: NodeLife) {
        let waker = Waker::from(Arc::new(Bell { incarnation, ready: Arc::clone(&self.ready) }));
        waker.wake_by_ref();
        self.seats.borrow_mut().all.insert(incarnation, Some(Box::new(Seat { life, waker })));
    }

    /// The node has no turn any more; false when it has one now, which it ends itself. Its memory is given back
    /// [later](Self::clear_away): whoever has killed very many need not wait for that.
    pub(super) fn end(&self, incarnation: u64) -> bool {
        let mut seats = self.seats.borrow_mut();
        let seat = seats.all.remove(incarnation).flatten();
        let is_seated = seat.is_some();
        seats.gone.extend(seat);
        is_seated
    }

    /// Gives back the memory of some nodes that have ended; false when there are none.
    pub(super) fn clear_away(&self) -> bool {
        let mut seats = self.seats.borrow_mut();
        let rest = seats.gone.len().saturating_sub(GONE_AT_ONCE);
        let gone = if rest == 0 { std::mem::take(&mut seats.gone) } else { seats.gone.split_off(rest) };
        drop(seats);
        let are_some = !gone.is_empty();
        gone.into_iter().for_each(drop_apart);
        are_some
    }

    /// All nodes are gone at once.
    pub(super) fn end_all(&self) {
        let Seats { all, gone } = self.seats.take();
        all.into_entries().flatten().chain(gone).for_each(drop_apart);
    }

    /// Gives whoever is next a turn; false when nobody has anything to do.
    pub(super) fn give_one(&self) -> bool {
        let mut queue = self.ready.queue();
        let next = queue.waiting.pop_front();
        queue.now = next;
        drop(queue);
        // A node that has ended is woken for nothing.
        next.is_some_and(|incarnation| {
            self.turn(incarnation, |Seat { life, waker }| {
                Pin::new(life).poll(&mut Context::from_waker(waker)).is_pending()
            });
            true
        })
    }

    /// Hands something to a node past its mailbox, as a turn of its own; gives it back when there is no such node, or when
    /// it has its turn now.
    pub(super) fn hand<M>(&self, incarnation: u64, message: M) -> Option<M>
    where
        M: Message<Result = ()>,
        NodeActor: Handler<M, Result = ()>,
    {
        let mut message = Some(message);
        self.turn(incarnation, |seat| message.take().is_none_or(|message| seat.life.take(message)));
        message
    }

    /// Has what these nodes need for their next turns come into the cache, at the same time; the links to their first
    /// children.
    pub(super) fn glance(&self, incarnations: &[u64; LOOKED_AHEAD]) -> [Option<LinkId>; LOOKED_AHEAD] {
        let seats = self.seats.borrow();
        // The places of all are looked for before anything is looked at in there.
        let found = incarnations.map(|incarnation| seats.all.get(incarnation).and_then(Option::as_deref));
        let read = found.iter().flatten().fold(0, |read, seat| read ^ seat.life.glance());
        std::hint::black_box(read);
        found.map(|seat| {
            let (child, read) = seat.map_or((None, 0), |seat| seat.life.glance_further());
            std::hint::black_box(read);
            child
        })
    }

    /// A turn of a node, which says whether it goes on.
    fn turn(&self, incarnation: u64, act: impl FnOnce(&mut Seat) -> bool) {
        // Its place is kept, without it.
        let taken = self.seats.borrow_mut().all.get_mut(incarnation).and_then(Option::take);
        let Some(mut seat) = taken else { return };
        // Whatever panics in a turn is the end of that node and of nothing else.
        let goes_on = catch_unwind(AssertUnwindSafe(|| act(&mut seat))).unwrap_or(false);
        let mut seats = self.seats.borrow_mut();
        match seats.all.get_mut(incarnation) {
            Some(place) if goes_on => *place = Some(seat),
            _ => {
                seats.all.remove(incarnation);
                drop(seats);
                drop_apart(seat);
            }
        }
    }

    /// Whether whoever had the last turn is not done: then others than nodes are to have their turn, too.
    pub(super) fn is_busy(&self) -> bool {
        std::mem::take(&mut self.ready.queue().is_busy)
    }

    /// What was sent to the network first goes into `sent`; [`LOOKED_AHEAD`] at the most.
    pub(super) fn take_sent(&self, sent: &mut Vec<Sent>) {
        let mut queue = self.ready.queue();
        let count = queue.sent.len().min(LOOKED_AHEAD);
        sent.extend(queue.sent.drain(..count));
        if queue.sent.is_empty() && queue.sent.capacity() > SENT_KEPT {
            queue.sent = VecDeque::new();
        }
    }

    /// When nobody has anything to do, `driver` is woken as soon as somebody has; false when somebody has.
    pub(super) fn rest(&self, driver: &Waker) -> bool {
        let mut queue = self.ready.queue();
        queue.now = None;
        let is_idle = queue.waiting.is_empty() && queue.sent.is_empty() && self.seats.borrow().gone.is_empty();
        queue.driver = is_idle.then(|| driver.clone());
        is_idle
    }
}

/// What a command set does when it is dropped concerns nobody else.
fn drop_apart(seat: Box<Seat>) {
    if catch_unwind(AssertUnwindSafe(|| drop(seat))).is_err() {
        tracing::error!("a command set panicked when it was dropped");
    }
}
