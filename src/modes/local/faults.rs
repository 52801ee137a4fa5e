//! Faults in an in-process system: what becomes of frames, who is slow, whose clock is ahead, who is struck when.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::{Carrier, Local, Parcel};
use crate::actors::message::{Envelope, Nanos, NodeKey, Side};
use crate::actors::{ControlInput, End, Frame, LinkEnd, LinkEvent, LinkFrame, NodeHost, NodeInput};
use crate::faults::{Direction, Fault, FaultKind, Moment, Rules, Trigger};
use crate::topology::NodeId;
use crate::trace::What;

/// The faults of a system. Where there are none, a look at a flag is all that they cost.
pub(super) struct Faults {
    /// There is or was a fault of links: frames are looked at.
    of_links: Cell<bool>,
    /// There is or was a slow node: what is delivered is looked at.
    of_pace: Cell<bool>,
    /// Somebody waits for an envelope: what nodes take is looked at.
    of_envelopes: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    rules: Rules,
    /// The ends of links that repeat, or have repeated, what they send.
    ends: BTreeMap<End, LinkEnd>,
    /// When they want to be woken.
    wakes: BTreeMap<End, Nanos>,
    slow: BTreeMap<u64, (NodeId, Nanos)>,
    /// Until when slow nodes are busy.
    busy: BTreeMap<NodeKey, Nanos>,
    ahead: BTreeMap<u64, (NodeId, Nanos)>,
    watches: Vec<Watch>,
    /// Which watch is to strike when the input of now has got so far.
    due: Option<(u64, Moment)>,
}

struct Watch {
    number: u64,
    node: NodeId,
    /// The life in which it counts.
    life: Option<NodeKey>,
    kind: &'static str,
    left: u64,
    moment: Moment,
    what: FaultKind,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            rules: Rules::new(seed),
            ends: BTreeMap::new(),
            wakes: BTreeMap::new(),
            slow: BTreeMap::new(),
            busy: BTreeMap::new(),
            ahead: BTreeMap::new(),
            watches: Vec::new(),
            due: None,
        };
        let (of_links, of_pace, of_envelopes) = Default::default();
        Self { of_links, of_pace, of_envelopes, state: RefCell::new(state) }
    }

    /// A node begins a life: how far its clock is ahead.
    pub(super) fn born(&self, key: NodeKey) -> Nanos {
        let mut state = self.state.borrow_mut();
        for watch in state.watches.iter_mut().filter(|watch| watch.node == key.id && watch.life.is_none()) {
            watch.life = Some(key);
        }
        state.ahead.values().filter(|(node, _)| *node == key.id).map(|(_, ahead)| ahead).sum()
    }

    /// A node has ended.
    pub(super) fn died(&self, key: NodeKey) {
        if self.of_pace.get() {
            self.state.borrow_mut().busy.remove(&key);
        }
    }

    /// An end of a link is closed.
    pub(super) fn closed(&self, end: End) {
        if self.of_links.get() {
            let mut state = self.state.borrow_mut();
            state.ends.remove(&end);
            state.wakes.remove(&end);
        }
    }

    /// Whether there is or was a fault of links.
    pub(super) fn are_of_links(&self) -> bool {
        self.of_links.get()
    }

    /// Whether there is or was a slow node.
    pub(super) fn may_slow_down(&self) -> bool {
        self.of_pace.get()
    }

    /// When a slow node comes to what is delivered now; nothing when it does so at once.
    pub(super) fn late(&self, now: Nanos, key: NodeKey) -> Option<Nanos> {
        let mut state = self.state.borrow_mut();
        let by: Nanos = state.slow.values().filter(|(node, _)| *node == key.id).map(|(_, by)| by).sum();
        let busy = state.busy.get(&key).copied().unwrap_or(0);
        if by == 0 && busy <= now {
            state.busy.remove(&key);
            return None;
        }
        let at = busy.max(now) + by;
        state.busy.insert(key, at);
        Some(at)
    }
}

impl<C: Carrier> Local<C> {
    pub(super) fn begin_fault(&self, number: u64, kind: &FaultKind) {
        // What damages a frame takes effect when there is one.
        if !matches!(kind, FaultKind::Corrupt { .. }) {
            self.trace.add(self.carrier.now(), || What::Fault { number, node: kind.place(), text: kind.to_string() });
        }
        let mut state = self.faults.state.borrow_mut();
        match kind {
            FaultKind::Slow { node, by } => {
                state.slow.insert(number, (*node, by.0.as_nanos() as Nanos));
                self.faults.of_pace.set(true);
            }
            FaultKind::Skew { node, ahead } => {
                state.ahead.insert(number, (*node, ahead.0.as_nanos() as Nanos));
            }
            kind => state.rules.start(number, kind),
        }
        let of_links = kind.links().is_some();
        drop(state);
        if of_links {
            self.faults.of_links.set(true);
        }
        self.input(ControlInput::FaultTaken(number));
    }

    pub(super) fn watch_for_fault(&self, number: u64, fault: &Fault, life: Option<NodeKey>) {
        if let (Trigger::Envelope { kind, nth, moment }, Some(node)) = (&fault.when, fault.what.node()) {
            let (kind, left, moment, what) = (kind.name(), *nth, *moment, fault.what.clone());
            self.faults.state.borrow_mut().watches.push(Watch { number, node, life, kind, left, moment, what });
            self.faults.of_envelopes.set(true);
        }
        self.input(ControlInput::FaultTaken(number));
    }

    pub(super) fn end_fault(&self, number: u64) {
        self.trace.add(self.carrier.now(), || What::Healed { number });
        let mut state = self.faults.state.borrow_mut();
        state.rules.heal(number);
        state.slow.remove(&number);
        state.ahead.remove(&number);
        state.watches.retain(|watch| watch.number != number);
        drop(state);
        self.input(ControlInput::FaultTaken(number));
    }

    /// Sends a frame on its way.
    pub(super) fn send(&self, frame: Frame) {
        match frame.event {
            LinkEvent::Envelope(envelope) if self.faults.of_links.get() => self.send_over(frame.to, envelope),
            event => {
                if matches!(event, LinkEvent::Closed) {
                    // What was sent from there before has been carried with what that end knew.
                    self.faults.closed(End { link: frame.to.link, side: frame.to.side.other() });
                }
                self.carry_over(frame.to, Parcel::Frame(Frame { to: frame.to, event }), (0, 0));
            }
        }
    }

    fn send_over(&self, to: End, envelope: Envelope) {
        let Some(below) = self.below(to) else { return };
        let from = End { link: to.link, side: to.side.other() };
        let mut guard = self.faults.state.borrow_mut();
        let state = &mut *guard;
        let must_repeat = state.rules.break_the_stream(below, way(to));
        let frame = match state.ends.get_mut(&from) {
            None if !must_repeat => Some(LinkFrame::Envelope(envelope)),
            _ => {
                let end = state.ends.entry(from).or_default();
                if must_repeat {
                    end.begin_to_repeat();
                }
                end.send(self.carrier.now(), envelope)
            }
        };
        drop(guard);
        match frame {
            Some(frame) => self.fly(to, below, frame),
            None => self.pump(from),
        }
    }

    /// Whose link to its parent this is an end of; nobody's when the link is gone.
    fn below(&self, end: End) -> Option<NodeId> {
        self.links.borrow().get(end.link.0).map(|link| link.below)
    }

    /// A frame goes over a link, and the rules say what becomes of it.
    fn fly(&self, to: End, below: NodeId, frame: LinkFrame) {
        let mut state = self.faults.state.borrow_mut();
        let fate = state.rules.fate(below, way(to));
        let spent = state.rules.take_spent();
        drop(state);
        if let Some(number) = spent {
            let text = || format!("damage a frame over the link above {below}");
            self.trace.add(self.carrier.now(), || What::Fault { number, node: Some(below), text: text() });
            self.input(ControlInput::FaultHappened(number));
        }
        if fate.is_corrupt {
            // Whoever reads it closes the link.
            return self.carry_over(to, Parcel::Frame(Frame { to, event: LinkEvent::Closed }), (0, 0));
        }
        let times = (fate.delay_ns, fate.overtaken_ns);
        if fate.copies == 2 {
            self.carry_over(to, parcel(to, frame.clone()), times);
        }
        if fate.copies > 0 {
            self.carry_over(to, parcel(to, frame), times);
        }
    }

    /// Sends what an end has to send, and sees to it that it is woken.
    fn pump(&self, from: End) {
        let Some(below) = self.below(from) else { return };
        let to = End { link: from.link, side: from.side.other() };
        let now = self.carrier.now();
        while let Some(frame) = self.with_end(from, |end| end.transmit(now)).flatten() {
            self.fly(to, below, frame);
        }
        let Some(due) = self.with_end(from, |end| end.deadline()).flatten() else { return };
        let mut state = self.faults.state.borrow_mut();
        if state.wakes.get(&from).is_none_or(|at| due < *at) {
            state.wakes.insert(from, due);
            drop(state);
            self.carrier.carry_at(due, Parcel::EndDue(from, due));
        }
    }

    fn with_end<T>(&self, end: End, act: impl FnOnce(&mut LinkEnd) -> T) -> Option<T> {
        self.faults.state.borrow_mut().ends.get_mut(&end).map(act)
    }

    pub(super) fn end_is_due(&self, end: End, at: Nanos) {
        let mut state = self.faults.state.borrow_mut();
        // An earlier moment took its place.
        if state.wakes.get(&end) == Some(&at) {
            state.wakes.remove(&end);
            drop(state);
            self.pump(end);
        }
    }

    /// A packet has come to an end of a link.
    pub(super) fn take_packet(&self, to: End, frame: LinkFrame) {
        if self.at_end(to).is_none() {
            return;
        }
        let now = self.carrier.now();
        let mut state = self.faults.state.borrow_mut();
        let end = state.ends.entry(to).or_default();
        let mut came: Vec<Envelope> = end.receive(now, frame).into_iter().collect();
        came.extend(std::iter::from_fn(|| end.take()));
        drop(state);
        for envelope in came {
            self.deliver_frame(Frame { to, event: LinkEvent::Envelope(envelope) });
        }
        self.pump(to);
    }

    /// Whether a node may take this now: not when it is struck before.
    pub(super) fn may_take(&self, key: NodeKey, input: &NodeInput) -> bool {
        if !self.faults.of_envelopes.get() {
            return true;
        }
        let Some(kind) = input.kind() else { return true };
        let mut state = self.faults.state.borrow_mut();
        let counts = |watch: &&mut Watch| watch.life == Some(key) && watch.kind == kind && watch.left > 0;
        let mut reached = None;
        for watch in state.watches.iter_mut().filter(counts) {
            watch.left -= 1;
            if watch.left == 0 && reached.is_none() {
                reached = Some((watch.number, watch.moment));
            }
        }
        state.due = reached;
        drop(state);
        self.is_not_struck(key, Moment::Before)
    }

    /// Strikes a node if this is the moment.
    pub(super) fn is_not_struck(&self, key: NodeKey, now: Moment) -> bool {
        if !self.faults.of_envelopes.get() {
            return true;
        }
        let due = self.faults.state.borrow().due;
        let Some((number, _)) = due.filter(|(_, moment)| *moment == now) else { return true };
        let mut state = self.faults.state.borrow_mut();
        state.due = None;
        let place = state.watches.iter().position(|watch| watch.number == number);
        let Some(watch) = place.map(|place| state.watches.remove(place)) else { return true };
        drop(state);
        self.trace.add(self.carrier.now(), || What::Fault { number, node: Some(key.id), text: watch.what.to_string() });
        self.input(ControlInput::FaultHappened(number));
        match watch.what {
            FaultKind::Pause(_) => self.stop(key),
            _ => self.ended(key),
        }
        false
    }
}

/// Which way what comes out at this end has travelled.
fn way(to: End) -> Direction {
    if to.side == Side::Lower { Direction::Down } else { Direction::Up }
}

fn parcel(to: End, frame: LinkFrame) -> Parcel {
    match frame {
        LinkFrame::Envelope(envelope) => Parcel::Frame(Frame { to, event: LinkEvent::Envelope(envelope) }),
        packet => Parcel::Packet(to, packet),
    }
}
