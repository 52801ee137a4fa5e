//! One state of a small system: its nodes, what is on its way, and what may still go wrong.

use std::hash::Hash;
use std::rc::Rc;

use super::counter::Counter;
use super::judge::Judge;
use super::machines::{Machines, Move, Moved};
use super::setup::{Left, Setup};
use super::ways::{Fate, Flying, Link, Parcel, Part, Way};
use crate::actors::message::{
    ControlDown, ControlUp, Envelope, LinkId, MILLISECOND, Nanos, NodeKey, NodeSpec, Role, Side,
};
use crate::actors::{
    ComputingNode, ControlConfig, ControlEffect, ControlInput, ControlNode, End, LinkFrame, NodeEffect, NodeInput,
    Outcome,
};
use crate::topology::Slot;

/// How long the control node waits for an answer.
pub(super) const REPLY_TIMEOUT: Nanos = 5_000 * MILLISECOND;

/// A computing node that runs.
#[derive(Clone, Hash)]
pub(super) struct Running {
    pub(super) key: NodeKey,
    pub(super) node: Rc<Part<ComputingNode>>,
    wake: Nanos,
    pub(super) stopped: bool,
}

/// One state.
#[derive(Clone, Hash)]
pub(super) struct World {
    pub(super) now: Nanos,
    pub(super) control: Rc<Part<ControlNode>>,
    control_wake: Nanos,
    /// By their keys.
    pub(super) nodes: Vec<Running>,
    /// By their numbers.
    pub(super) links: Vec<Link>,
    pub(super) flying: Flying,
    pub(super) left: Left,
    /// So many of the commands have been given.
    pub(super) asked: usize,
    pub(super) judge: Rc<Part<Judge>>,
    repeats: bool,
    pub(super) machines: Machines,
}

impl World {
    /// A control node without nodes.
    pub(super) fn new(setup: &Setup) -> Self {
        let config = ControlConfig {
            topology: setup.topology,
            reply_timeout_ns: REPLY_TIMEOUT,
            asks_kernel: false,
            faults: Vec::new(),
        };
        Self {
            now: 0,
            control: Part::new(ControlNode::new(config)),
            control_wake: Nanos::MAX,
            nodes: Vec::new(),
            links: Vec::new(),
            flying: Flying::default(),
            left: setup.left(),
            asked: 0,
            judge: Part::new(Judge::default()),
            repeats: setup.links_repeat(),
            machines: Machines::default(),
        }
    }

    pub(super) fn node(&self, key: NodeKey) -> Option<&Running> {
        self.nodes.binary_search_by_key(&key, |node| node.key).ok().map(|at| &self.nodes[at])
    }

    fn node_mut(&mut self, key: NodeKey) -> Option<&mut Running> {
        self.nodes.binary_search_by_key(&key, |node| node.key).ok().map(|at| &mut self.nodes[at])
    }

    pub(super) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.binary_search_by_key(&id, |link| link.id).ok().map(|at| &self.links[at])
    }

    fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.binary_search_by_key(&id, |link| link.id).ok().map(|at| &mut self.links[at])
    }

    /// Whether this one can take something.
    fn acts(&self, key: NodeKey) -> bool {
        key == NodeKey::CONTROL || self.node(key).is_some_and(|node| !node.stopped)
    }

    /// Whether what is on this way can arrive.
    pub(super) fn arrives(&self, way: Way) -> bool {
        match way {
            Way::Link(to) => self.link(to.link).and_then(|link| link.at(to.side)).is_some_and(|key| self.acts(key)),
            Way::Down(key) => self.acts(key),
            Way::Up(_) | Way::Kernel => true,
        }
    }

    /// Everybody who is to be woken at some time; the control node too.
    pub(super) fn wakes(&self) -> impl Iterator<Item = (Nanos, NodeKey)> + '_ {
        let nodes = self.nodes.iter().filter(|node| !node.stopped).map(|node| (node.wake, node.key));
        std::iter::once((self.control_wake, NodeKey::CONTROL)).chain(nodes).filter(|(at, _)| *at < Nanos::MAX)
    }

    /// The ends of links that repeat something at some time.
    pub(super) fn repeats(&self) -> impl Iterator<Item = (Nanos, End)> + '_ {
        let of_link = |link| [Side::Upper, Side::Lower].map(|side| Link::end(link, side));
        self.links.iter().flat_map(of_link).filter_map(|end| {
            let link = self.link(end.link)?;
            link.at(end.side).filter(|key| self.acts(*key))?;
            let due = link.repeats[end.side as usize].as_ref()?.it.deadline()?;
            Some((due, end))
        })
    }

    /// What is first on a way arrives. With `cut`, the node there is killed when it has sent so much.
    pub(super) fn deliver(&mut self, way: Way, cut: Option<usize>) -> Result<(), String> {
        let Some(parcel) = self.flying.take(way) else { return Ok(()) };
        match (way, &parcel.it) {
            (Way::Link(to), Parcel::Frame(frame)) => self.take_frame(to, frame, cut),
            (Way::Link(to), Parcel::Closed) => match self.link(to.link).and_then(|link| link.at(to.side)) {
                Some(NodeKey::CONTROL) => self.control(ControlInput::Closed(to.link)),
                Some(key) => self.act(key, NodeInput::Closed(to.link), cut),
                None => Ok(()),
            },
            (Way::Down(key), Parcel::Down(message)) => self.act(key, NodeInput::Control(message.clone()), cut),
            (Way::Up(key), Parcel::Up(message)) => self.control(ControlInput::FromNode(key, message.clone())),
            (_, Parcel::Fate(key, fate)) => self.control(match fate {
                Fate::Started => ControlInput::Started(*key, pid_of(*key)),
                Fate::Died => ControlInput::Died(*key),
                Fate::Stopped => ControlInput::Stopped(*key),
                Fate::Continued => ControlInput::Continued(*key),
            }),
            (way, parcel) => Err(format!("{parcel} is on the way {way:?}")),
        }
    }

    fn take_frame(&mut self, to: End, frame: &LinkFrame, cut: Option<usize>) -> Result<(), String> {
        let moved = self.move_end(to, &Move::Receive(frame));
        let came = match (&moved, frame) {
            (Some(moved), _) => moved.came.as_slice(),
            (None, LinkFrame::Envelope(envelope)) => std::slice::from_ref(envelope),
            (None, LinkFrame::Packet(_)) => &[],
        };
        for (at, envelope) in came.iter().enumerate() {
            let cut = cut.filter(|_| at + 1 == came.len());
            match self.link(to.link).and_then(|link| link.at(to.side)) {
                Some(NodeKey::CONTROL) => self.control(ControlInput::Envelope(to.link, envelope.clone()))?,
                Some(key) => self.act(key, NodeInput::Envelope(to.link, envelope.clone()), cut)?,
                None => {}
            }
        }
        Ok(())
    }

    /// An end that repeats does something, and sends what it then has to send.
    fn move_end(&mut self, at: End, what: &Move<'_>) -> Option<Rc<Moved>> {
        let (now, machines) = (self.now, self.machines.clone());
        let end = self.link_mut(at.link)?.repeats[at.side as usize].as_mut()?;
        let moved = machines.end(end, now, what);
        *end = Rc::clone(&moved.end);
        for frame in &moved.sent {
            self.fly(at, Rc::clone(frame));
        }
        Some(moved)
    }

    /// An end sends what it has to send.
    pub(super) fn pump(&mut self, from: End) {
        self.move_end(from, &Move::Look);
    }

    fn fly(&mut self, from: End, frame: Rc<Part<Parcel>>) {
        let to = End { link: from.link, side: from.side.other() };
        if self.link(to.link).is_some_and(|link| link.at(to.side).is_some()) {
            self.flying.put(Way::Link(to), frame);
        }
    }

    fn send(&mut self, from: End, envelope: &Envelope) {
        if self.repeats {
            self.move_end(from, &Move::Send(envelope));
        } else {
            self.fly(from, Part::new(Parcel::Frame(LinkFrame::Envelope(envelope.clone()))));
        }
    }

    pub(super) fn wake(&mut self, key: NodeKey) -> Result<(), String> {
        if key == NodeKey::CONTROL {
            self.control_wake = Nanos::MAX;
            return self.control(ControlInput::Wake);
        }
        if let Some(node) = self.node_mut(key) {
            node.wake = Nanos::MAX;
        }
        self.act(key, NodeInput::Wake, None)
    }

    /// Hands something to the control node, and does what it wants done.
    pub(super) fn control(&mut self, input: ControlInput) -> Result<(), String> {
        let done = self.machines.control(&self.control, self.now, input);
        self.control = Rc::clone(&done.machine);
        let mut answers = Vec::new();
        for effect in &done.effects {
            self.perform(effect, &mut answers)?;
        }
        if answers.is_empty() {
            return Ok(());
        }
        self.judged(|judge, control| answers.into_iter().try_for_each(|(op, it)| judge.answered(op, it, control)))
    }

    /// Tells the judge something.
    pub(super) fn judged<T>(&mut self, tell: impl FnOnce(&mut Judge, &ControlNode) -> T) -> T {
        let mut judge = self.judge.it.clone();
        let told = tell(&mut judge, &self.control.it);
        self.judge = Part::new(judge);
        told
    }

    fn perform(&mut self, effect: &ControlEffect, answers: &mut Vec<(u64, Outcome)>) -> Result<(), String> {
        match *effect {
            ControlEffect::Answer(op, ref outcome) => answers.push((op, outcome.clone())),
            ControlEffect::Send(link, ref envelope) => self.send(End { link, side: Side::Upper }, envelope),
            ControlEffect::Control(key, ref message) => self.say(key, message.clone()),
            ControlEffect::Start(ref spec) => return self.start(spec),
            ControlEffect::Connect { link, upper, lower, slot, active } => {
                self.connect(link, [upper, lower], slot, active);
            }
            ControlEffect::Close(link) => self.close(End { link, side: Side::Upper }),
            ControlEffect::Kill(key) => self.end(key),
            ControlEffect::Pause(key) => self.set_stopped(key, true),
            ControlEffect::Resume(key) => self.set_stopped(key, false),
            ControlEffect::WakeAt(at) => self.control_wake = self.control_wake.min(at),
            ControlEffect::Notice(_) | ControlEffect::Taken(..) | ControlEffect::Spool(..) => {}
            ControlEffect::Examine(_)
            | ControlEffect::BeginFault(..)
            | ControlEffect::WatchForFault(..)
            | ControlEffect::EndFault(_) => return Err(format!("nobody has asked for this: {effect:?}")),
        }
        Ok(())
    }

    fn say(&mut self, key: NodeKey, message: ControlDown) {
        if self.node(key).is_some() {
            self.flying.send(Way::Down(key), Parcel::Down(message));
        }
    }

    fn start(&mut self, spec: &NodeSpec) -> Result<(), String> {
        let key = spec.key;
        let mut node = ComputingNode::new(self.now, spec, Box::new(Counter::default()));
        let effects = node.take_effects();
        let running = Running { key, node: Part::new(node), wake: Nanos::MAX, stopped: false };
        let at = self.nodes.partition_point(|other| other.key < key);
        self.nodes.insert(at, running);
        self.flying.send(Way::Kernel, Parcel::Fate(key, Fate::Started));
        self.perform_all(key, &effects, None);
        Ok(())
    }

    fn connect(&mut self, id: LinkId, [upper, lower]: [NodeKey; 2], slot: Slot, active: bool) {
        let is_there = |key: &NodeKey| *key == NodeKey::CONTROL || self.node(*key).is_some();
        let ends = [upper, lower].map(|key| Some(key).filter(is_there));
        let at = self.links.partition_point(|link| link.id < id);
        self.links.insert(at, Link::new(id, ends, self.repeats));
        self.say(lower, ControlDown::Link { link: id, role: Role::Parent, active });
        self.say(upper, ControlDown::Link { link: id, role: Role::Child { key: lower, slot }, active });
    }

    /// An end is closed: nothing arrives there any more, and the other end is told, behind what is on its way.
    fn close(&mut self, end: End) {
        let Ok(at) = self.links.binary_search_by_key(&end.link, |link| link.id) else { return };
        let link = &mut self.links[at];
        link.ends[end.side as usize] = None;
        link.repeats[end.side as usize] = None;
        let to = End { link: end.link, side: end.side.other() };
        if link.at(to.side).is_some() {
            self.flying.send(Way::Link(to), Parcel::Closed);
        } else {
            self.links.remove(at);
        }
        self.flying.forget(Way::Link(end));
    }

    /// A node ends: what it has sent still arrives, then its links end.
    pub(super) fn end(&mut self, key: NodeKey) {
        let Ok(at) = self.nodes.binary_search_by_key(&key, |node| node.key) else { return };
        self.nodes.remove(at);
        let ends: Vec<End> = self
            .links
            .iter()
            .flat_map(|link| [Side::Upper, Side::Lower].map(|side| (link.at(side), link.end(side))))
            .filter(|(holder, _)| *holder == Some(key))
            .map(|(_, end)| end)
            .collect();
        ends.into_iter().for_each(|end| self.close(end));
        self.flying.forget(Way::Down(key));
        self.flying.send(Way::Kernel, Parcel::Fate(key, Fate::Died));
    }

    fn set_stopped(&mut self, key: NodeKey, stopped: bool) {
        if let Some(node) = self.node_mut(key) {
            node.stopped = stopped;
        }
        let fate = if stopped { Fate::Stopped } else { Fate::Continued };
        self.flying.send(Way::Kernel, Parcel::Fate(key, fate));
    }

    /// Hands something to a node, and does what it wants done: all of it, or only so much.
    fn act(&mut self, key: NodeKey, input: NodeInput, cut: Option<usize>) -> Result<(), String> {
        let (now, machines) = (self.now, self.machines.clone());
        let Some(running) = self.node_mut(key) else { return Ok(()) };
        let done = machines.node(&running.node, now, input);
        running.node = Rc::clone(&done.machine);
        if !self.judge.it.knows(key, &done.state) {
            self.judged(|judge, _| judge.took_effect(key, &done.state))?;
        }
        self.perform_all(key, &done.effects, cut);
        if cut.is_some() {
            self.strike(key);
        }
        Ok(())
    }

    fn perform_all(&mut self, key: NodeKey, effects: &[NodeEffect], cut: Option<usize>) {
        let mut sent = 0;
        for effect in effects {
            if is_sent(effect) {
                if cut.is_some_and(|cut| sent >= cut) {
                    return;
                }
                sent += 1;
            }
            match *effect {
                NodeEffect::Send(link, ref envelope) => {
                    let held = self.link(link).map(|link| [Side::Upper, Side::Lower].map(|side| link.at(side)));
                    if let Some([upper, lower]) = held
                        && (upper == Some(key) || lower == Some(key))
                    {
                        let side = if upper == Some(key) { Side::Upper } else { Side::Lower };
                        self.send(End { link, side }, envelope);
                    }
                }
                NodeEffect::Control(ref message) => self.tell(key, message.clone()),
                NodeEffect::WakeAt(at) => {
                    if let Some(node) = self.node_mut(key) {
                        node.wake = node.wake.min(at);
                    }
                }
                NodeEffect::Close(link) => {
                    for side in [Side::Upper, Side::Lower] {
                        if self.link(link).is_some_and(|link| link.at(side) == Some(key)) {
                            self.close(End { link, side });
                        }
                    }
                }
                NodeEffect::Long(_) => {}
                NodeEffect::End => self.end(key),
            }
        }
    }

    fn tell(&mut self, key: NodeKey, message: ControlUp) {
        self.flying.send(Way::Up(key), Parcel::Up(message));
    }
}

pub(super) fn is_sent(effect: &NodeEffect) -> bool {
    matches!(effect, NodeEffect::Send(..) | NodeEffect::Control(_))
}

fn pid_of(key: NodeKey) -> u64 {
    1000 + key.incarnation
}
