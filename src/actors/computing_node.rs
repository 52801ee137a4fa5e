//! A computing node as a pure state machine: an input and the time come in, effects go out.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::execution::{Execution, LongJob, LongResult};
use super::message::{ControlDown, ControlUp, Envelope, LinkId, Nanos, NodeKey, NodeSpec, Role, Side};
use super::node_marker::Visit;
use super::node_wave::Waves;
use super::session::SessionConfig;
use crate::command_sets::Executor;
use crate::planted::{Bug, is_planted};
use crate::topology::{Hop, NodeId, Route, Slot};

/// What happens to a node.
#[derive(Debug)]
pub enum NodeInput {
    /// An envelope has come over a link.
    Envelope(LinkId, Envelope),
    /// A link has ended; all that came over it was handed in before.
    Closed(LinkId),
    /// The control node says something.
    Control(ControlDown),
    /// A long job has ended.
    LongDone(LongResult),
    /// A moment that the node asked for has come.
    Wake,
}

/// What a node wants done.
#[derive(Debug)]
pub enum NodeEffect {
    /// Send an envelope over a link.
    Send(LinkId, Envelope),
    /// Say something to the control node.
    Control(ControlUp),
    /// Call again with [`NodeInput::Wake`] at this time (at once when it is not later than now).
    WakeAt(Nanos),
    /// Close this end of a link.
    Close(LinkId),
    /// Run this and hand in [`NodeInput::LongDone`].
    Long(LongJob),
    /// The node has ended in order.
    End,
}

struct Child {
    key: NodeKey,
    slot: Slot,
}

impl NodeInput {
    /// What kind of envelope or message it is; nothing for what nobody has sent.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Envelope(_, envelope) => Some(envelope.kind()),
            Self::Control(message) => Some(message.kind()),
            Self::Closed(_) | Self::LongDone(_) | Self::Wake => None,
        }
    }
}

/// A computing node.
///
/// It never asks who carries an envelope: it names links by their numbers, and whoever performs its effects
/// knows the addresses behind them.
pub struct ComputingNode {
    key: NodeKey,
    /// Every link that is not closed, whether it is used or not, and which of its ends the other one has.
    pub(super) open_links: FxHashMap<LinkId, Side>,
    parent: Option<LinkId>,
    /// By what they are reached, and who is at the other end.
    children: BTreeMap<NodeId, LinkId>,
    child_links: FxHashMap<LinkId, Child>,
    standby: BTreeMap<LinkId, Role>,
    greeted: BTreeSet<LinkId>,
    pub(super) visit: Option<Box<Visit>>,
    pub(super) draining: Option<(u64, LinkId)>,
    execution: Execution,
    waves: Waves,
    beat_period_ns: Nanos,
    next_beat: Nanos,
    wake_at: Nanos,
    pub(super) effects: Vec<NodeEffect>,
}

impl ComputingNode {
    /// A new node that holds `executor` as its state.
    pub fn new(now: Nanos, spec: &NodeSpec, executor: Box<dyn Executor>) -> Self {
        let mut node = Self {
            key: spec.key,
            open_links: FxHashMap::default(),
            parent: None,
            children: BTreeMap::new(),
            child_links: FxHashMap::default(),
            standby: BTreeMap::new(),
            greeted: BTreeSet::new(),
            visit: None,
            draining: None,
            execution: Execution::new(executor, SessionConfig { eager_ack: true, ..SessionConfig::default() }),
            waves: Waves::default(),
            beat_period_ns: spec.beat_period_ns,
            next_beat: now + spec.beat_period_ns,
            wake_at: Nanos::MAX,
            effects: Vec::new(),
        };
        node.ask_to_be_woken(now);
        node
    }

    /// Who it is.
    pub fn key(&self) -> NodeKey {
        self.key
    }

    /// Takes an input; the effects are then drawn with [`take_effects`](Self::take_effects).
    pub fn handle(&mut self, now: Nanos, input: NodeInput) {
        match input {
            NodeInput::Envelope(link, envelope) => self.on_envelope(now, link, envelope),
            NodeInput::Closed(link) => self.on_closed(link),
            NodeInput::Control(message) => self.on_control(now, message),
            NodeInput::LongDone(result) => self.execution.long_done(result),
            NodeInput::Wake => self.wake_at = Nanos::MAX,
        }
        self.drive(now);
    }

    /// Takes the effects of the last calls. (Most nodes do nothing most of the time: none keeps room for them.)
    pub fn take_effects(&mut self) -> Vec<NodeEffect> {
        std::mem::take(&mut self.effects)
    }

    fn drive(&mut self, now: Nanos) {
        if let Some(job) = self.execution.turn(now) {
            self.effects.push(NodeEffect::Long(job));
        }
        while let Some(packet) = self.execution.transmit(now) {
            self.send_up(Envelope::Reply { from: self.key, packet });
        }
        for (wave, missing) in self.waves.overdue(now) {
            self.answer_wave(wave, missing);
        }
        if self.beat_period_ns > 0 && now >= self.next_beat {
            self.effects.push(NodeEffect::Control(ControlUp::Beat));
            // After a pause one beat is enough; the next ones keep their distance.
            self.next_beat = now + self.beat_period_ns;
        }
        self.ask_to_be_woken(now);
    }

    fn ask_to_be_woken(&mut self, now: Nanos) {
        let mut at = self.execution.deadline(now).unwrap_or(Nanos::MAX).min(self.waves.deadline());
        if self.beat_period_ns > 0 {
            at = at.min(self.next_beat);
        }
        if at < self.wake_at {
            self.wake_at = at;
            self.effects.push(NodeEffect::WakeAt(at));
        }
    }

    fn send_up(&mut self, envelope: Envelope) {
        if let Some(parent) = self.parent {
            self.effects.push(NodeEffect::Send(parent, envelope));
        }
    }

    fn on_envelope(&mut self, now: Nanos, link: LinkId, envelope: Envelope) {
        match self.open_links.get(&link) {
            // Over a link that is closed comes what was on its way; it is repeated where it is wanted.
            None if envelope != Envelope::Greeting => return,
            Some(&side) if !envelope.may_come_from(side) => return self.on_wrong(link, &envelope),
            _ => {}
        }
        match envelope {
            Envelope::Greeting => self.on_greeting(link),
            Envelope::Request { mut route, to, packet } => match self.next_hop(&mut route, to) {
                Next::Here => self.execution.receive(now, packet),
                Next::Link(next) => self.effects.push(NodeEffect::Send(next, Envelope::Request { route, to, packet })),
                Next::Nowhere => self.send_up(Envelope::Unroutable { to }),
            },
            Envelope::Ping { mut route, to, nonce } => match self.next_hop(&mut route, to) {
                Next::Here => self.send_up(Envelope::Pong { from: to, nonce }),
                Next::Link(next) => self.effects.push(NodeEffect::Send(next, Envelope::Ping { route, to, nonce })),
                Next::Nowhere => self.send_up(Envelope::Unroutable { to }),
            },
            Envelope::Wave { wave, budget_ns, step_ns } => self.on_wave(now, wave, (budget_ns, step_ns)),
            Envelope::WaveReply { wave, missing, last } => {
                let Some(child) = self.child_links.get(&link).map(|child| child.key.id) else { return };
                if self.waves.is_too_much(wave, missing.len()) {
                    return self.on_wrong(link, &Envelope::WaveReply { wave, missing: Vec::new(), last });
                }
                if let Some((wave, missing)) = self.waves.answered(wave, child, missing, last) {
                    self.answer_wave(wave, missing);
                }
            }
            Envelope::Marker { epoch, through } => self.on_marker(link, epoch, through),
            up @ (Envelope::Reply { .. }
            | Envelope::Pong { .. }
            | Envelope::ChildGone { .. }
            | Envelope::Unroutable { .. }) => self.send_up(up),
        }
    }

    /// No node of ours sends this this way, and none would have passed it on: whoever is there is not to be believed.
    fn on_wrong(&mut self, link: LinkId, envelope: &Envelope) {
        tracing::error!(node = self.key.id, link = link.0, %envelope, "a link is closed: this must not come over it");
        self.on_closed(link);
    }

    fn next_hop(&self, route: &mut Route, to: NodeKey) -> Next {
        let in_slot = |slot| move |link: &&LinkId| self.child_links.get(link).is_some_and(|child| child.slot == slot);
        let link = match route.next(self.key.id, to.id) {
            // What was meant for an earlier life of this id must not reach this one.
            Hop::Here if to == self.key || is_planted(Bug::StaleIncarnationAccepted) => return Next::Here,
            Hop::Here => return Next::Nowhere,
            Hop::Child(id) => self.children.get(&id),
            Hop::Slot(slot) => self.children.values().find(in_slot(slot)),
            Hop::Only => self.children.values().next(),
        };
        link.map_or(Next::Nowhere, |link| Next::Link(*link))
    }

    fn on_wave(&mut self, now: Nanos, wave: u64, (budget_ns, step_ns): (Nanos, Nanos)) {
        if self.children.is_empty() {
            self.answer_wave(wave, Vec::new());
            return;
        }
        let from_ns = if is_planted(Bug::DeadlineOnTheWallClock) { 0 } else { now };
        if !self.waves.start(wave, from_ns.saturating_add(budget_ns), self.children.keys().copied()) {
            return;
        }
        let shrinks_by = if is_planted(Bug::WaveDeadlineNotShrunk) { 0 } else { step_ns };
        let budget_ns = budget_ns.saturating_sub(shrinks_by);
        for &link in self.children.values() {
            self.effects.push(NodeEffect::Send(link, Envelope::Wave { wave, budget_ns, step_ns }));
        }
    }

    fn answer_wave(&mut self, wave: u64, missing: Vec<NodeId>) {
        for (missing, last) in Waves::in_pieces(missing) {
            self.send_up(Envelope::WaveReply { wave, missing, last });
        }
    }

    fn on_control(&mut self, now: Nanos, message: ControlDown) {
        match message {
            ControlDown::Link { link, role, active } => self.on_link(link, role, active),
            ControlDown::Switch { epoch, activate, retire, places } => {
                if !is_planted(Bug::RetiredLinkUsed) {
                    retire.into_iter().for_each(|link| drop(self.forget_child(link)));
                }
                for link in activate {
                    self.activate(link);
                }
                for (id, slot) in places {
                    if is_planted(Bug::PlaceNotChanged) {
                        break;
                    }
                    if let Some(child) = self.children.get(&id).and_then(|link| self.child_links.get_mut(link)) {
                        child.slot = slot;
                    }
                }
                self.effects.push(NodeEffect::Control(ControlUp::Switched { epoch }));
            }
            ControlDown::Ask { epoch } => self.effects.push(NodeEffect::Control(ControlUp::Here { epoch })),
            ControlDown::Drain { epoch, link, .. } if !self.open_links.contains_key(&link) => {
                // It has ended meanwhile: nothing is on it.
                self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
            }
            ControlDown::Drain { epoch, link, through } => {
                self.draining = Some((epoch, link));
                self.effects.push(NodeEffect::Send(link, Envelope::Marker { epoch, through }));
            }
            ControlDown::Unlink { links } => {
                for link in links {
                    self.forget(link);
                    self.effects.push(NodeEffect::Close(link));
                }
            }
            ControlDown::Beat { period_ns } => {
                self.beat_period_ns = period_ns;
                self.next_beat = now + period_ns;
            }
            ControlDown::Stop => self.effects.push(NodeEffect::End),
            // A node does not know of faults: it suffers them.
            ControlDown::Fault { .. } | ControlDown::Heal { .. } => {}
        }
    }

    fn on_link(&mut self, link: LinkId, role: Role, active: bool) {
        self.open_links.insert(link, if role == Role::Parent { Side::Upper } else { Side::Lower });
        if active {
            self.use_link(link, role);
        } else {
            self.standby.insert(link, role);
        }
        if role == Role::Parent {
            self.effects.push(NodeEffect::Send(link, Envelope::Greeting));
        } else if self.greeted.remove(&link) {
            self.effects.push(NodeEffect::Control(ControlUp::Linked { link }));
        }
    }

    fn on_greeting(&mut self, link: LinkId) {
        if self.child_links.contains_key(&link) || self.standby.contains_key(&link) {
            self.effects.push(NodeEffect::Control(ControlUp::Linked { link }));
        } else if !self.open_links.contains_key(&link) && !self.greeted.contains(&link) {
            // The child was faster than the control node's word about it.
            self.greeted.insert(link);
        }
    }

    fn activate(&mut self, link: LinkId) {
        if let Some(role) = self.standby.remove(&link) {
            self.use_link(link, role);
        }
    }

    fn use_link(&mut self, link: LinkId, role: Role) {
        match role {
            Role::Parent if self.parent.is_some() && is_planted(Bug::OldParentKept) => {}
            Role::Parent => self.parent = Some(link),
            Role::Child { key, slot } => {
                if let Some(old) = self.children.insert(key.id, link) {
                    self.child_links.remove(&old);
                }
                self.child_links.insert(link, Child { key, slot });
            }
        }
    }

    /// The links to the children that are in use.
    pub(super) fn links_down(&self) -> BTreeSet<LinkId> {
        self.children.values().copied().collect()
    }

    fn forget_child(&mut self, link: LinkId) -> Option<Child> {
        let child = self.child_links.remove(&link)?;
        self.children.remove(&child.key.id);
        Some(child)
    }

    fn forget(&mut self, link: LinkId) {
        self.open_links.remove(&link);
        self.forget_child(link);
        self.standby.remove(&link);
        self.greeted.remove(&link);
        if self.parent == Some(link) {
            self.parent = None;
        }
    }

    fn on_closed(&mut self, link: LinkId) {
        self.effects.push(NodeEffect::Close(link));
        if let Some(child) = self.forget_child(link) {
            for (wave, missing) in self.waves.gone(child.key.id) {
                self.answer_wave(wave, missing);
            }
            self.send_up(Envelope::ChildGone { child: child.key, link });
        }
        self.forget(link);
        self.visited(link);
        if self.parent.is_none()
            && let Some((&next, _)) = self.standby.iter().find(|(_, role)| **role == Role::Parent)
        {
            // The old parent ended in the middle of a re-link: the new one is there already.
            self.activate(next);
        }
        if self.draining.is_some_and(|(_, drained)| drained == link)
            && let Some((epoch, _)) = self.draining.take()
        {
            self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
        }
    }
}

enum Next {
    Here,
    Link(LinkId),
    Nowhere,
}
