//! Whose turn it is: the nodes of an in-process system, those that have something to do, and what they have sent to a
//! network.
//!
//! They are not tasks of the runtime, for two reasons. A task takes 400 bytes more for each node. And the runtime's queue is
//! first in, first out: a wave would go down a large tree level by level, so that each node has left the cache between the
//! moment that something is sent to it and the moment that it acts on it. Here whoever was sent to last has the next turn.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::actors::{Door, Frame, FromNode, NodeLife};

/// Of so many turns one is for whoever waits for the longest time, so that nobody is forgotten.
const FOR_THE_FIRST: u32 = 16;

/// Of so many nodes that have ended the memory is given back between two turns.
const GONE_AT_ONCE: usize = 64;

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
    all: Vec<Option<Box<Seat>>>,
    free: Vec<usize>,
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
    places: VecDeque<usize>,
    sent: VecDeque<Sent>,
    /// Who has its turn now, and whether it wants another one at once: it works on something that takes long.
    now: Option<usize>,
    is_busy: bool,
    turns: u32,
    /// Whoever gives turns, while there is nothing to do.
    driver: Option<Waker>,
}

struct Bell {
    place: usize,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut queue = self.ready.queue();
        if queue.now == Some(self.place) {
            // Whoever wakes itself lets the others go first.
            queue.places.push_front(self.place);
            queue.is_busy = true;
        } else {
            queue.places.push_back(self.place);
        }
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

impl Queue {
    fn next(&mut self) -> Option<usize> {
        self.turns = self.turns.wrapping_add(1);
        let is_for_the_first = self.turns.is_multiple_of(FOR_THE_FIRST);
        self.now = if is_for_the_first { self.places.pop_front() } else { self.places.pop_back() };
        self.now
    }
}

impl Turns {
    /// Where a network takes what is sent to it.
    pub(super) fn network(&self) -> Arc<Ready> {
        Arc::clone(&self.ready)
    }

    /// A new node, which has its first turn soon. Where it sits is what [`end`](Self::end) is told.
    pub(super) fn begin(&self, life: NodeLife) -> usize {
        let mut seats = self.seats.borrow_mut();
        let place = seats.free.pop().unwrap_or_else(|| {
            seats.all.push(None);
            seats.all.len() - 1
        });
        let bell = Arc::new(Bell { place, ready: Arc::clone(&self.ready) });
        let waker = Waker::from(bell);
        waker.wake_by_ref();
        seats.all[place] = Some(Box::new(Seat { life, waker }));
        place
    }

    /// The node has no turn any more; false when it has its turn now, and must end by itself. Its memory is given back
    /// [later](Self::clear_away): whoever has killed very many need not wait for that.
    pub(super) fn end(&self, place: usize) -> bool {
        let mut seats = self.seats.borrow_mut();
        let Some(seat) = seats.all.get_mut(place).and_then(Option::take) else { return false };
        seats.gone.push(seat);
        seats.free.push(place);
        true
    }

    /// Gives back the memory of some nodes that have ended.
    pub(super) fn clear_away(&self) {
        let mut seats = self.seats.borrow_mut();
        if !seats.gone.is_empty() {
            let rest = seats.gone.len().saturating_sub(GONE_AT_ONCE);
            let gone = seats.gone.split_off(rest);
            drop(seats);
            gone.into_iter().for_each(drop_apart);
        }
    }

    /// All nodes are gone at once.
    pub(super) fn end_all(&self) {
        let Seats { all, gone, .. } = self.seats.take();
        all.into_iter().flatten().chain(gone).for_each(drop_apart);
    }

    /// Gives whoever is next a turn; false when nobody has anything to do.
    pub(super) fn give_one(&self) -> bool {
        let next = self.ready.queue().next();
        let Some(place) = next else { return false };
        let seat = self.seats.borrow_mut().all.get_mut(place).and_then(Option::take);
        // A node that has ended is woken for nothing.
        let Some(mut seat) = seat else { return true };
        let Seat { life, waker } = &mut *seat;
        let mut turn = || Pin::new(&mut *life).poll(&mut Context::from_waker(waker));
        // Whatever panics in a turn is the end of that node and of nothing else.
        let goes_on = catch_unwind(AssertUnwindSafe(&mut turn)).is_ok_and(|turn| turn.is_pending());
        let mut seats = self.seats.borrow_mut();
        if !goes_on {
            seats.free.push(place);
            drop(seats);
            drop_apart(seat);
        } else if let Some(of_seat) = seats.all.get_mut(place) {
            *of_seat = Some(seat);
        }
        true
    }

    /// Whether whoever had the last turn is not done: then others than nodes are to have their turn, too.
    pub(super) fn is_busy(&self) -> bool {
        std::mem::take(&mut self.ready.queue().is_busy)
    }

    /// What was sent to the network since the last time, in order.
    pub(super) fn take_sent(&self) -> VecDeque<Sent> {
        std::mem::take(&mut self.ready.queue().sent)
    }

    /// When nobody has anything to do, `driver` is woken as soon as somebody has; false when somebody has.
    pub(in crate::modes) fn rest(&self, driver: &Waker) -> bool {
        let mut queue = self.ready.queue();
        queue.now = None;
        let is_idle = queue.places.is_empty() && queue.sent.is_empty() && self.seats.borrow().gone.is_empty();
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
