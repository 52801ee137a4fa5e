//! What the facade asks of a mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::local::MakeExecutor;
use crate::actors::message::Nanos;
use crate::actors::{ControlConfig, Sink, Submission};
use crate::topology::NodeId;
use crate::trace::Trace;

/// A simulated system that cannot go on although a command is not answered: a bug of nodetree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulation with seed {seed} is stuck: {what}")]
pub struct Stuck {
    /// The seed that shows it again.
    pub seed: u64,
    /// What is not answered.
    pub what: String,
}

/// What runs a system.
pub(super) trait Engine: Send + Sync {
    /// Whether time is virtual, and passes only in [`run`](Self::run) and [`advance`](Self::advance).
    fn is_virtual(&self) -> bool;
    /// Something was put into the queue of submissions.
    fn submitted(&self);
    /// Runs until the goal is reached; at once where the system runs by itself.
    fn run(&self, goal: Goal) -> Result<(), Stuck>;
    /// Lets time pass.
    fn advance(&self, ns: Nanos) -> Result<(), Stuck>;
    /// The time on the mode's clock.
    fn now(&self) -> Nanos;
    /// How many envelopes were delivered, where the mode counts them.
    fn delivered(&self) -> u64 {
        0
    }
}

/// Until when a simulation is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Everything is answered.
    Idle,
    /// The watched command is answered.
    Watched,
    /// So many bytes of streamed requests can be taken.
    Room(usize),
}

impl Goal {
    pub(super) fn is_reached(self, shared: &Shared) -> bool {
        match self {
            Self::Idle => shared.in_flight.load(Ordering::Acquire) == 0,
            Self::Watched => shared.watched.load(Ordering::Acquire) == 0,
            Self::Room(bytes) => shared.has_room(bytes),
        }
    }
}

/// What the facade and the sink of a system share.
pub(super) struct Shared {
    /// Commands that are not answered.
    pub(super) in_flight: AtomicUsize,
    /// Commands that were answered.
    pub(super) answered: AtomicU64,
    /// The command that a simulation runs for; 0 for none.
    pub(super) watched: AtomicU64,
    /// Notices that were given.
    pub(super) noticed: AtomicU64,
    /// All the time that was asked for with `wait`.
    pub(super) waits_ns: AtomicU64,
    /// Bytes of streamed requests that were sent and not taken.
    pub(super) streamed: AtomicUsize,
    pub(super) byte_limit: usize,
    pub(super) capacity: usize,
    /// The pids of the spare processes that stand by.
    pub(super) spares: Mutex<Vec<u32>>,
    /// How many commands each node may be asked at the same time.
    pub(super) credits: Credits,
    pub(super) moved: Mutex<()>,
    pub(super) has_moved: Condvar,
}

impl Shared {
    pub(super) fn new(capacity: usize, byte_limit: usize) -> Self {
        Self {
            in_flight: AtomicUsize::default(),
            answered: AtomicU64::default(),
            watched: AtomicU64::default(),
            noticed: AtomicU64::default(),
            waits_ns: AtomicU64::default(),
            streamed: AtomicUsize::default(),
            byte_limit,
            capacity,
            spares: Mutex::default(),
            credits: Credits::new(capacity),
            moved: Mutex::default(),
            has_moved: Condvar::default(),
        }
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let streamed = self.streamed.load(Ordering::Acquire);
        streamed == 0 || streamed + bytes <= self.byte_limit
    }

    /// Something was answered or taken: whoever waits for room looks again.
    pub(super) fn notify(&self) {
        drop(self.moved.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_moved.notify_all();
    }

    /// Waits until `ready`. What is read from a channel tells nobody, so it looks again every millisecond.
    pub(super) fn wait_until(&self, ready: impl Fn() -> bool) {
        let mut guard = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        while !ready() {
            let wait = self.has_moved.wait_timeout(guard, Duration::from_millis(1));
            guard = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How many counters share the nodes among them.
const COUNTERS: usize = 1024;

/// What each node may be asked at the same time: half of the capacity, so that one that is silent does not use it up.
///
/// Nodes whose numbers fall on the same counter share one credit: a counter for every number that may be typed would
/// have no bound.
pub(super) struct Credits {
    counters: Box<[AtomicUsize]>,
    limit: usize,
}

impl Credits {
    /// For a system that takes so many commands in all.
    pub(super) fn new(capacity: usize) -> Self {
        Self { counters: (0..COUNTERS).map(|_| AtomicUsize::new(0)).collect(), limit: capacity.div_ceil(2) }
    }

    fn counter(&self, id: NodeId) -> &AtomicUsize {
        &self.counters[id.rem_euclid(COUNTERS as i64) as usize]
    }

    /// Whether the node may be asked for one thing more.
    pub(super) fn has_one(&self, id: NodeId) -> bool {
        self.counter(id).load(Ordering::Acquire) < self.limit
    }

    pub(super) fn take(&self, id: NodeId) {
        self.counter(id).fetch_add(1, Ordering::AcqRel);
    }

    /// Whether somebody may have waited for it.
    pub(super) fn give_back(&self, id: NodeId) -> bool {
        self.counter(id).fetch_sub(1, Ordering::AcqRel) >= self.limit
    }
}

/// What a mode is made of.
pub(super) struct Parts {
    pub(super) config: ControlConfig,
    pub(super) make_executor: MakeExecutor,
    pub(super) sink: Box<dyn Sink + Send>,
    pub(super) submissions: Receiver<Submission>,
    pub(super) awake: Arc<AtomicBool>,
    /// From what chance is drawn.
    pub(super) seed: u64,
    pub(super) trace: Trace,
    pub(super) shared: Arc<Shared>,
}
