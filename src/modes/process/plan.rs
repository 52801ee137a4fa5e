//! Faults, as the control node's process has a part in them: it tells nodes, and hears what has happened to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::link_faults::LinkFaults;
use super::processes::{Processes, Timer};
use super::spawner::{Event, state};
use crate::actors::ControlInput;
use crate::actors::message::{ControlDown, ControlUp, MILLISECOND, Nanos, NodeKey};
use crate::faults::{Direction, Fault, FaultKind, Links};
use crate::topology::NodeId;
use crate::trace::What;

/// How often it is looked whether those who have not taken a fault could.
const LOOKED_AFTER: Nanos = 100 * MILLISECOND;

/// A node that runs and has not taken a fault after so long is not waited for any longer.
const TAKEN_WITHIN: Nanos = 5_000 * MILLISECOND;

/// What a node has said before it ends or stops is read within this time.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The faults of a system of processes.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) links: Rc<LinkFaults>,
    /// Those that nodes have a part in, for those who are born later.
    active: RefCell<BTreeMap<u64, Fault>>,
    ahead: RefCell<BTreeMap<u64, (NodeId, Nanos)>>,
    watches: RefCell<BTreeMap<u64, Watch>>,
    untold: RefCell<BTreeMap<u64, Untold>>,
    told: Cell<u64>,
}

struct Watch {
    fault: Fault,
    /// The life in which it counts.
    life: Option<NodeKey>,
}

/// Who has not said that he has taken what he was told.
struct Untold {
    number: u64,
    /// He was told that it is over.
    is_over: bool,
    by: BTreeSet<NodeKey>,
    until: Nanos,
}

impl Plan {
    pub(super) fn new(seed: u64, links: LinkFaults) -> Self {
        Self {
            seed,
            links: Rc::new(links),
            active: RefCell::default(),
            ahead: RefCell::default(),
            watches: RefCell::default(),
            untold: RefCell::default(),
            told: Cell::new(0),
        }
    }

    /// A node begins a life: how far its clock is ahead, and the faults that it has a part in.
    pub(super) fn born(&self, key: NodeKey) -> (Nanos, Vec<ControlDown>) {
        let mut watches = self.watches.borrow_mut();
        let mut faults: Vec<ControlDown> = Vec::new();
        for (&number, watch) in watches.iter_mut() {
            if watch.life.is_none() && watch.fault.what.node() == Some(key.id) {
                watch.life = Some(key);
                faults.push(begins(number, &watch.fault));
            }
        }
        let active = self.active.borrow();
        let ours = active.iter().filter(|(_, fault)| fault.what.node().is_none_or(|node| node == key.id));
        faults.extend(ours.map(|(&number, fault)| begins(number, fault)));
        let ahead = self.ahead.borrow();
        let ahead = ahead.values().filter(|(node, _)| *node == key.id);
        (ahead.fold(0, |sum, (_, by)| sum.saturating_add(*by)), faults)
    }

    fn watches(&self, key: NodeKey) -> bool {
        self.watches.borrow().values().any(|watch| watch.life == Some(key))
    }
}

fn begins(number: u64, fault: &Fault) -> ControlDown {
    ControlDown::Fault { number, fault: Box::new(fault.clone()) }
}

impl Processes {
    pub(super) fn begin_fault(&self, number: u64, kind: &FaultKind) {
        // What damages a frame takes effect when there is one.
        if !matches!(kind, FaultKind::Corrupt { .. }) {
            self.trace.add(self.wheel.now(), || What::Fault { number, node: kind.place(), text: kind.to_string() });
        }
        match kind {
            FaultKind::Kill(_) | FaultKind::Pause(_) | FaultKind::Resume(_) => {}
            FaultKind::Skew { node, ahead } => {
                self.plan.ahead.borrow_mut().insert(number, (*node, ahead.0.as_nanos() as Nanos));
            }
            // Of all links that could be meant, the next frame is to be damaged on one: we are at the top of each way.
            FaultKind::Corrupt { links: Links::All, direction: Direction::Up } => {
                self.plan.links.start_incoming(number, kind);
            }
            FaultKind::Corrupt { links: Links::All, .. } => self.plan.links.start(number, kind),
            kind => {
                self.plan.links.start(number, kind);
                let fault = Fault::now(kind.clone());
                self.plan.active.borrow_mut().insert(number, fault.clone());
                return self.tell_nodes(number, kind.node(), &begins(number, &fault));
            }
        }
        self.input(ControlInput::FaultTaken(number));
    }

    pub(super) fn watch_for_fault(&self, number: u64, fault: &Fault, life: Option<NodeKey>) {
        self.plan.watches.borrow_mut().insert(number, Watch { fault: fault.clone(), life });
        match life {
            Some(key) => self.tell(number, [key], &begins(number, fault)),
            None => self.input(ControlInput::FaultTaken(number)),
        }
    }

    pub(super) fn end_fault(&self, number: u64) {
        self.trace.add(self.wheel.now(), || What::Healed { number });
        self.plan.links.heal(number);
        self.plan.ahead.borrow_mut().remove(&number);
        let active = self.plan.active.borrow_mut().remove(&number);
        // A node that looks for it may have met it already: what it has said of that is still to be read.
        let life = self.plan.watches.borrow().get(&number).and_then(|watch| watch.life);
        match (active, life) {
            (Some(fault), _) => self.tell_nodes(number, fault.what.node(), &ControlDown::Heal { number }),
            (None, Some(key)) => self.tell(number, [key], &ControlDown::Heal { number }),
            (None, None) => {
                self.plan.watches.borrow_mut().remove(&number);
                self.input(ControlInput::FaultTaken(number));
            }
        }
    }

    /// Tells all nodes, or the lives of one.
    fn tell_nodes(&self, number: u64, node: Option<NodeId>, what: &ControlDown) {
        let all: Vec<NodeKey> = self.nodes.borrow().keys().copied().collect();
        self.tell(number, all.into_iter().filter(|key| node.is_none_or(|node| node == key.id)), what);
    }

    /// Tells nodes. When those who can have taken it, the control node hears of it.
    fn tell(&self, number: u64, keys: impl IntoIterator<Item = NodeKey>, what: &ControlDown) {
        let nodes = self.nodes.borrow();
        let known = keys.into_iter().filter_map(|key| Some((key, nodes.get(&key)?)));
        let mut by = BTreeSet::new();
        for (key, node) in known {
            node.outgoing.send(what);
            // Whoever starts hears of it before all else.
            by.extend(node.is_up().then_some(key));
        }
        drop(nodes);
        let is_over = matches!(what, ControlDown::Heal { .. });
        let until = self.wheel.now() + TAKEN_WITHIN;
        let ticket = self.plan.told.replace(self.plan.told.get() + 1);
        self.plan.untold.borrow_mut().insert(ticket, Untold { number, is_over, by, until });
        self.wheel.add(self.wheel.now() + LOOKED_AFTER, Timer::TakenDue(ticket));
        self.look_who_has_taken(|_| true);
    }

    /// Whoever does not hold is not waited for.
    fn look_who_has_taken(&self, mut holds: impl FnMut(NodeKey) -> bool) {
        let mut taken = Vec::new();
        self.plan.untold.borrow_mut().retain(|_, untold| {
            untold.by.retain(|&key| holds(key));
            taken.extend(untold.by.is_empty().then_some(untold.number));
            !untold.by.is_empty()
        });
        taken.into_iter().for_each(|number| self.input(ControlInput::FaultTaken(number)));
    }

    fn fault_is_taken_by(&self, key: NodeKey, number: u64) {
        // The first that it was told of this fault and has not answered.
        let mut untold = self.plan.untold.borrow_mut();
        if let Some(untold) = untold.values_mut().find(|untold| untold.number == number && untold.by.contains(&key)) {
            untold.by.remove(&key);
            if untold.is_over {
                self.plan.watches.borrow_mut().remove(&number);
            }
        }
        drop(untold);
        self.look_who_has_taken(|_| true);
    }

    /// Whoever is stopped is not waited for, and nobody for ever.
    pub(super) fn fault_should_be_taken(&self, ticket: u64) {
        let now = self.wheel.now();
        if let Some(untold) = self.plan.untold.borrow_mut().get_mut(&ticket) {
            let nodes = self.nodes.borrow();
            let state = |key: &NodeKey| nodes.get(key).and_then(|node| state(node.pid?));
            untold.by.retain(|key| now < untold.until && state(key).is_some_and(|state| !matches!(state, 'T' | 't')));
            self.wheel.add(now + LOOKED_AFTER, Timer::TakenDue(ticket));
        }
        self.look_who_has_taken(|_| true);
    }

    pub(super) fn nobody_waits_for(&self, key: NodeKey) {
        self.plan.watches.borrow_mut().retain(|_, watch| watch.life != Some(key));
        self.look_who_has_taken(|other| other != key);
    }

    /// What a node says of faults; gives back what is for the control node.
    pub(super) fn hear_of_faults(&self, key: NodeKey, message: ControlUp) -> Option<ControlUp> {
        match message {
            ControlUp::FaultTaken { number } => self.fault_is_taken_by(key, number),
            ControlUp::Happened { number } => self.fault_has_happened_to(key, number),
            message => return Some(message),
        }
        None
    }

    fn fault_has_happened_to(&self, key: NodeKey, number: u64) {
        let mut watches = self.plan.watches.borrow_mut();
        let is_its_own = watches.get(&number).is_some_and(|watch| watch.life == Some(key));
        let watch = if is_its_own { watches.remove(&number) } else { None };
        drop(watches);
        if let Some(Watch { fault, .. }) = watch {
            self.it_runs(key);
            let (node, text) = (Some(key.id), fault.what.to_string());
            self.trace.add(self.wheel.now(), || What::Fault { number, node, text });
            self.input(ControlInput::FaultHappened(number));
            return;
        }
        let active = self.plan.active.borrow().get(&number).map(|fault| fault.what.clone());
        if matches!(active, Some(FaultKind::Corrupt { .. })) {
            self.frame_was_damaged(number);
        }
    }

    /// A fault that damages a frame has done so, here or at a node; nobody else is to do it again.
    pub(super) fn frame_was_damaged(&self, number: u64) {
        let active = self.plan.active.borrow_mut().remove(&number);
        if let Some(fault) = active {
            let (node, text) = (fault.what.place(), fault.what.to_string());
            self.trace.add(self.wheel.now(), || What::Fault { number, node, text });
            self.plan.links.heal(number);
            for node in self.nodes.borrow().values() {
                node.outgoing.send(&ControlDown::Heal { number });
            }
        }
        self.input(ControlInput::FaultHappened(number));
    }

    /// Before the end or a stop of a node is told that waits for an envelope, what it has said is read.
    pub(super) async fn hear_out(&self, event: &Event) {
        let (Event::Ended(key, _) | Event::Stopped(key)) = event else { return };
        if !self.plan.watches(*key) {
            return;
        }
        let until = tokio::time::Instant::now() + LAST_WORDS;
        while tokio::time::Instant::now() < until {
            let unread = self.nodes.borrow().get(key).map(|node| node.outgoing.outbox().unread_bytes());
            if unread.is_none_or(|unread| unread == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
