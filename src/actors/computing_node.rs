//! A computing node as a pure state machine: an input and the time come in, effects go out.

#[cfg(feature = "testing")]
mod explored;

use super::execution::{Execution, LongJob, LongResult};
use super::message::{ControlDown, ControlUp, Envelope, LinkId, Nanos, NodeKey, NodeSpec, Role};
use super::node_links::{Changing, Links};
use super::node_wave::Waves;
use crate::command_sets::Executor;
use crate::planted::{Bug, is_planted};
use crate::topology::{Hop, NodeId, Route};

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
#[cfg_attr(feature = "testing", derive(Clone))]
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
#[cfg_attr(feature = "testing", derive(Clone))]
pub struct ComputingNode {
    key: NodeKey,
    pub(super) links: Links,
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
            links: Links::default(),
            execution: Execution::new(executor),
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

    /// Reads what most inputs make it read of the node itself, and gives back no more than that it was read.
    pub(super) fn glance(&self) -> u64 {
        let few = u64::from(self.links.parent().is_some()) ^ u64::from(self.links.children.is_empty());
        few ^ self.waves.deadline() ^ self.wake_at ^ self.next_beat ^ self.effects.len() as u64
    }

    /// The same, of what the node has elsewhere; and the link to its first child.
    pub(super) fn glance_further(&self) -> (Option<LinkId>, u64) {
        (self.links.children.iter().next().map(|child| child.link), self.waves.glance())
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
            self.send_up(Envelope::Reply { from: self.key, packet: Box::new(packet) });
        }
        for (wave, missing) in self.waves.overdue(now) {
            self.answer_wave(wave, missing);
        }
        if self.beat_period_ns > 0 && now >= self.next_beat {
            self.effects.push(NodeEffect::Control(ControlUp::Beat));
            // One beat that is late makes none after it late; after a pause one is enough.
            let late = (now - self.next_beat) % self.beat_period_ns;
            self.next_beat = now - late + self.beat_period_ns;
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
        if let Some(parent) = self.links.parent() {
            self.effects.push(NodeEffect::Send(parent, envelope));
        }
    }

    fn on_envelope(&mut self, now: Nanos, link: LinkId, envelope: Envelope) {
        match self.links.far_side(link) {
            // Over a link that is closed comes what was on its way; it is repeated where it is wanted.
            None if envelope != Envelope::Greeting => return,
            Some(side) if !envelope.may_come_from(side) => return self.on_wrong(link, &envelope),
            _ => {}
        }
        match envelope {
            Envelope::Greeting => self.on_greeting(link),
            Envelope::Request { mut route, to, packet } => match self.next_hop(&mut route, to) {
                Next::Here => self.execution.receive(now, *packet),
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
                let Some(child) = self.links.children.at(link) else { return };
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
        let children = &self.links.children;
        let child = match route.next(self.key.id, to.id) {
            // What was meant for an earlier life of this id must not reach this one.
            Hop::Here if to == self.key || is_planted(Bug::StaleIncarnationAccepted) => return Next::Here,
            Hop::Here => return Next::Nowhere,
            Hop::Child(id) => children.get(id),
            Hop::Slot(slot) => children.iter().find(|child| child.slot == slot),
            Hop::Only => children.iter().next(),
        };
        child.map_or(Next::Nowhere, |child| Next::Link(child.link))
    }

    fn on_wave(&mut self, now: Nanos, wave: u64, (budget_ns, step_ns): (Nanos, Nanos)) {
        let children = &self.links.children;
        if children.is_empty() {
            self.answer_wave(wave, Vec::new());
            return;
        }
        let from_ns = if is_planted(Bug::DeadlineOnTheWallClock) { 0 } else { now };
        let deadline = from_ns.saturating_add(budget_ns);
        if !self.waves.start(wave, deadline, children.iter().map(|child| child.key.id)) {
            return;
        }
        let shrinks_by = if is_planted(Bug::WaveDeadlineNotShrunk) { 0 } else { step_ns };
        let budget_ns = budget_ns.saturating_sub(shrinks_by);
        let down = |link| NodeEffect::Send(link, Envelope::Wave { wave, budget_ns, step_ns });
        self.effects.extend(children.iter().map(|child| down(child.link)));
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
                    retire.into_iter().for_each(|link| self.links.retire_child(link));
                }
                activate.into_iter().for_each(|link| self.links.activate(link));
                if !is_planted(Bug::PlaceNotChanged) {
                    places.into_iter().for_each(|(id, slot)| self.links.children.set_slot(id, slot));
                }
                self.effects.push(NodeEffect::Control(ControlUp::Switched { epoch }));
            }
            ControlDown::Ask { epoch } => self.effects.push(NodeEffect::Control(ControlUp::Here { epoch })),
            ControlDown::Drain { epoch, link, .. } if self.links.far_side(link).is_none() => {
                // It has ended meanwhile: nothing is on it.
                self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
            }
            ControlDown::Drain { epoch, link, through } => {
                self.links.change(|changing| changing.draining = Some((epoch, link)));
                self.effects.push(NodeEffect::Send(link, Envelope::Marker { epoch, through }));
            }
            ControlDown::Unlink { links } => {
                for link in links {
                    self.links.forget(link);
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
        if active {
            self.links.use_link(link, role);
        } else {
            self.links.change(|changing| changing.standby.insert(link, role));
        }
        if role == Role::Parent {
            self.effects.push(NodeEffect::Send(link, Envelope::Greeting));
        } else if self.links.was_greeted(link) {
            self.effects.push(NodeEffect::Control(ControlUp::Linked { link }));
        }
    }

    fn on_greeting(&mut self, link: LinkId) {
        if self.links.greet(link) {
            self.effects.push(NodeEffect::Control(ControlUp::Linked { link }));
        }
    }

    fn on_closed(&mut self, link: LinkId) {
        if self.links.is_on_standby(link) && !is_planted(Bug::UnusedLinkNotMissed) {
            self.effects.push(NodeEffect::Control(ControlUp::LinkEnded { link }));
        }
        self.effects.push(NodeEffect::Close(link));
        if let Some(child) = self.links.forget(link) {
            for (wave, missing) in self.waves.gone(child.key.id) {
                self.answer_wave(wave, missing);
            }
            self.send_up(Envelope::ChildGone { child: child.key, link });
        }
        self.visited(link);
        if self.links.parent().is_none()
            && let Some(next) = self.links.next_parent()
        {
            // The old parent ended in the middle of a re-link: the new one is there already.
            self.links.activate(next);
        }
        let drained = |changing: &mut Changing| changing.draining.take_if(|(_, drained)| *drained == link);
        if let Some((epoch, _)) = self.links.change_if_any(drained) {
            self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
        }
    }
}

enum Next {
    Here,
    Link(LinkId),
    Nowhere,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_sets::{Sum, executor};

    #[test]
    fn a_beat_that_is_late_makes_none_after_it_late() {
        let spec = NodeSpec { key: NodeKey { id: 1, incarnation: 1 }, beat_period_ns: 100 };
        let mut node = ComputingNode::new(7, &spec, executor::<Sum>());
        assert!(matches!(node.take_effects()[..], [NodeEffect::WakeAt(107)]));
        for (now, next) in [(107, 207), (250, 307), (406, 407), (407, 507), (999, 1007), (5_007, 5_107)] {
            node.handle(now, NodeInput::Wake);
            let effects = node.take_effects();
            assert!(
                matches!(effects[..], [NodeEffect::Control(ControlUp::Beat), NodeEffect::WakeAt(at)] if at == next),
                "at {now}: {effects:?}",
            );
        }
    }
}
