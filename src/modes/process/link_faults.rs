//! The faults of links, as far as this process has a part in them: as the one who sends.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::time::Instant;

use crate::actors::message::Nanos;
use crate::faults::{Direction, Fate, FaultKind, Rules};
use crate::topology::NodeId;

/// What the rules do to the frames that this process sends. Where there are none, a look at a flag is all that it costs.
pub(super) struct LinkFaults {
    start: Instant,
    any: Cell<bool>,
    rules: RefCell<Rules>,
    /// Damage to what comes, for who reads what others have sent without it.
    of_incoming: RefCell<Rules>,
    /// Takes the number of a fault that has happened and is over.
    happened: Box<dyn Fn(u64) -> Told>,
}

/// Ends when the control node has been told.
pub(super) type Told = Pin<Box<dyn Future<Output = ()>>>;

impl LinkFaults {
    pub(super) fn new(seed: u64, happened: impl Fn(u64) -> Told + 'static) -> Self {
        let (rules, of_incoming) = (RefCell::new(Rules::new(seed)), RefCell::new(Rules::new(seed)));
        Self { start: Instant::now(), any: Cell::new(false), rules, of_incoming, happened: Box::new(happened) }
    }

    /// The time on a clock that only the links of this process read: no fault moves it.
    pub(super) fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// What that clock shows at a moment, as a moment.
    pub(super) fn instant(&self, at: Nanos) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.start + std::time::Duration::from_nanos(at))
    }

    pub(super) fn any(&self) -> bool {
        self.any.get()
    }

    pub(super) fn start(&self, number: u64, kind: &FaultKind) {
        self.rules.borrow_mut().start(number, kind);
        self.look();
    }

    /// A fault that damages what comes in over the links of this process.
    pub(super) fn start_incoming(&self, number: u64, kind: &FaultKind) {
        self.of_incoming.borrow_mut().start(number, kind);
        self.look();
    }

    pub(super) fn heal(&self, number: u64) {
        self.rules.borrow_mut().heal(number);
        self.of_incoming.borrow_mut().heal(number);
        self.look();
    }

    fn look(&self) {
        self.any.set(!self.rules.borrow().is_empty() || !self.of_incoming.borrow().is_empty());
    }

    pub(super) fn break_the_stream(&self, below: NodeId, way: Direction) -> bool {
        self.any.get() && self.rules.borrow().break_the_stream(below, way)
    }

    /// What becomes of the next frame that is sent that way; and if a fault is over with it, when that is known.
    pub(super) fn fate(&self, below: NodeId, way: Direction) -> (Fate, Option<Told>) {
        Self::draw(&self.rules, self, below, way)
    }

    /// Whether the frame that has just come is damaged.
    pub(super) fn damages_incoming(&self, below: NodeId, way: Direction) -> bool {
        self.any.get() && Self::draw(&self.of_incoming, self, below, way).0.is_corrupt
    }

    fn draw(rules: &RefCell<Rules>, all: &Self, below: NodeId, way: Direction) -> (Fate, Option<Told>) {
        let (fate, spent) = {
            let mut rules = rules.borrow_mut();
            (rules.fate(below, way), rules.take_spent())
        };
        let told = spent.map(|number| {
            all.look();
            (all.happened)(number)
        });
        (fate, told)
    }
}
