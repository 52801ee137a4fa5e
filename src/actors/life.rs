//! Death and silence: what they do to the nodes below and to what is under way.

use std::collections::{BTreeMap, BTreeSet};

use super::control_io::{ControlEffect, Order};
use super::control_node::{ControlNode, Due, Strike};
use super::message::{LinkId, MILLISECOND, Nanos, NodeKey};
use super::outcome::Outcome;
use super::registry::{Life, Registry};
use crate::commands::{ExecError, Refusal};
use crate::planted::{Bug, is_planted};
use crate::topology::NodeId;

/// How long replies that were sent before a death may still be on their way when the death is known.
const LAST_REPLIES: Nanos = 50 * MILLISECOND;

/// When more nodes than this die together, they do so in the order of their ids and not from above downwards: what is known
/// of neighbouring ids is found together.
const MANY: usize = 1024;

impl ControlNode {
    /// kill, pause, resume.
    pub(super) fn strike(&mut self, op: u64, id: NodeId, strike: Strike) {
        let Some(entry) = self.registry.get_mut(id) else { return self.refuse(op, Refusal::NotFound) };
        if entry.life == Life::Dead {
            return self.refuse(op, Refusal::Unavailable);
        }
        let (key, stopped) = (entry.key, entry.stopped);
        match strike {
            Strike::Kill => self.bury(id),
            Strike::Pause if !stopped => {
                entry.stopped = true;
                self.registry.stopped.insert(id);
                self.effects.push(ControlEffect::Pause(key));
            }
            Strike::Resume if stopped => {
                // Commands after it see what it did, so the books change now and not when it is confirmed.
                self.goes_on(key);
                if is_planted(Bug::ResumeForgotten) {
                    return self.answer(op, Outcome::Done);
                }
                self.effects.push(ControlEffect::Resume(key));
            }
            Strike::Resume => {
                // It may have been stopped from outside, and that is not known yet.
                self.effects.push(ControlEffect::Resume(key));
                return self.answer(op, Outcome::Done);
            }
            Strike::Pause => return self.answer(op, Outcome::Done),
        }
        self.strikes.insert((key, op), strike);
    }

    fn answer_strikes(&mut self, key: NodeKey, outcome: impl Fn(&Strike) -> Option<Outcome>) {
        let of_node = self.strikes.range((key, 0)..=(key, u64::MAX));
        let answers: Vec<_> =
            of_node.filter_map(|(&(_, op), strike)| outcome(strike).map(|outcome| (op, outcome))).collect();
        for (op, outcome) in answers {
            self.strikes.remove(&(key, op));
            self.answer(op, outcome);
        }
    }

    pub(super) fn on_stopped(&mut self, key: NodeKey) {
        // What our own commands do stands in the books already.
        let ours = self.has_strikes(key);
        if let Some(entry) = self.registry.of(key).filter(|entry| entry.life == Life::Up && !ours) {
            entry.stopped = true;
            self.registry.stopped.insert(key.id);
        }
        if let Some(op) = self.creation_of(key)
            && let Some(creation) = self.creations.get_mut(&op)
        {
            creation.stopped = true;
        }
        self.answer_strikes(key, |strike| matches!(strike, Strike::Pause).then_some(Outcome::Done));
        self.heal_a_stop(key);
    }

    fn has_strikes(&self, key: NodeKey) -> bool {
        self.strikes.range((key, 0)..=(key, u64::MAX)).next().is_some()
    }

    pub(super) fn on_continued(&mut self, key: NodeKey) {
        if !self.has_strikes(key) {
            self.goes_on(key);
        }
        self.answer_strikes(key, |strike| (!matches!(strike, Strike::Kill)).then_some(Outcome::Done));
    }

    fn goes_on(&mut self, key: NodeKey) {
        if let Some(op) = self.creation_of(key)
            && let Some(creation) = self.creations.get_mut(&op)
        {
            creation.stopped = false;
        }
        if let Some(entry) = self.registry.of(key) {
            entry.stopped = false;
            self.registry.stopped.remove(&key.id);
            self.registry.reasons.remove(&key.id);
            self.end_silence(&[key.id]);
            self.waves_after_resume(key.id);
        }
    }

    pub(super) fn on_died(&mut self, key: NodeKey) {
        self.no_stop_to_heal(key);
        self.answer_strikes(key, |strike| {
            Some(if matches!(strike, Strike::Kill) { Outcome::Done } else { Outcome::Refused(Refusal::Unavailable) })
        });
        if let Some(op) = self.creation_of(key) {
            self.newborn_died(op, key.id);
        } else if self.registry.of(key).is_some_and(|entry| entry.life == Life::Up) {
            self.bury(key.id);
        } else if self.registry.of(key).is_some() {
            self.relinks_after_deaths(&[key.id]);
        }
    }

    /// The link to a node has ended, and what came over it before has arrived.
    pub(super) fn on_child_gone(&mut self, key: NodeKey, link: LinkId) {
        self.newborn_lost(key, link);
        // The end of a link that a re-link has replaced says nothing.
        let Some(entry) = self.registry.of(key).filter(|entry| entry.uplink == link) else { return };
        if entry.life == Life::Up {
            // Without its link it can do nothing: it is ended if it has not ended by itself.
            self.bury(key.id);
        }
        self.last_replies_are_over(key);
    }

    /// The node is dead from now on, and so is everything below it.
    pub(super) fn bury(&mut self, id: NodeId) {
        let Some(key) = self.registry.get(id).map(|entry| entry.key) else { return };
        let mut dead = vec![id];
        // Whatever is below a dead node is dead already, except while nodes are being moved. Where nobody is dead, nobody
        // need be asked.
        let enters_all = !self.relinks.is_empty() || self.registry.dead().next().is_none();
        if !is_planted(Bug::SubtreeNotMarkedDown) {
            dead.extend(self.topology.descend(id, |node| enters_all || self.registry.is_up(node)));
        }
        if dead.len() > MANY {
            dead[1..].sort_unstable();
        }
        let mut busy = Vec::new();
        dead.retain(|&node| {
            let Some(entry) = self.registry.bury(node) else { return false };
            let (key, has_work) = (entry.key, entry.work.is_some());
            self.effects.push(ControlEffect::Kill(key));
            if has_work {
                let fails = node == id || !is_planted(Bug::PendingBelowTheDead);
                busy.extend((fails && self.registry.busy.contains(&node)).then_some(key));
                self.fail_pings(node);
            }
            true
        });
        self.registry.count_dead(&dead);
        self.last_replies_due(key, busy);
        self.waves_after_deaths(&dead);
        self.creations_after_deaths(&dead);
        self.relinks_after_deaths(&dead);
    }

    /// With `key` nodes have died that have execs under way: they fail once their last replies have come.
    fn last_replies_due(&mut self, key: NodeKey, busy: Vec<NodeKey>) {
        if !busy.is_empty() {
            self.last_replies.insert(key, busy);
            self.due(self.now + LAST_REPLIES, Due::LastReplies(key));
        }
    }

    /// No reply that was sent before the death can still be on its way.
    pub(super) fn last_replies_are_over(&mut self, key: NodeKey) {
        for busy in self.last_replies.remove(&key).into_iter().flatten() {
            if self.registry.of(busy).is_some_and(|entry| entry.life == Life::Dead) {
                self.fail_execs(busy.id);
            }
        }
    }

    /// Dead, or known to be silent, or below such a node.
    pub(super) fn is_known_to_be_down(&self, id: NodeId) -> bool {
        if !self.registry.is_up(id) {
            return true;
        }
        if self.registry.silent.is_empty() {
            return false;
        }
        self.registry.silent.contains(&id)
            || self.topology.ancestors(id).any(|above| self.registry.silent.contains(&above))
    }

    /// Whether the node, or one above it, was stopped.
    pub(super) fn is_below_stopped(&self, id: NodeId) -> bool {
        let stopped = &self.registry.stopped;
        stopped.contains(&id) || self.topology.ancestors(id).any(|above| stopped.contains(&above))
    }

    pub(super) fn mark_silent(&mut self, id: NodeId) {
        if self.registry.is_up(id) {
            self.registry.silent.insert(id);
            let on_the_way = self.topology.ancestors(id).chain([id]);
            let Registry { stopped, reasons, .. } = &mut self.registry;
            if !stopped.is_empty() {
                reasons.extend(on_the_way.filter(|node| stopped.contains(node)));
            }
        }
    }

    /// A sign of life on the control plane.
    pub(super) fn heard_from(&mut self, key: NodeKey) {
        let now = self.now;
        if let Some(entry) = self.registry.of(key) {
            entry.last_sign = now;
            if entry.reported {
                self.has_returned(key.id);
            }
            if self.registry.silent.contains(&key.id) {
                self.end_silence(&[key.id]);
            }
        }
    }

    /// A sign of life that has come through the tree tells of everybody on its way.
    pub(super) fn heard_through_the_tree(&mut self, key: NodeKey) {
        self.heard_from(key);
        if !self.registry.silent.is_empty() && self.topology.contains(key.id) {
            let above = self.topology.ancestors(key.id);
            let silent: Vec<NodeId> = above.filter(|id| self.registry.silent.contains(id)).collect();
            self.end_silence(&silent);
        }
    }

    /// The silence of these nodes ends, and with it that of all below them; but for those that have a reason of their
    /// own: a node on the way to them, or they themselves, was stopped already when they became silent.
    pub(super) fn end_silence(&mut self, ids: &[NodeId]) {
        let Registry { silent, reasons, .. } = &mut self.registry;
        if silent.is_empty() || ids.is_empty() || is_planted(Bug::SilenceForEver) {
            return;
        }
        let ids: BTreeSet<NodeId> = ids.iter().copied().collect();
        let mut ended = self.topology.at_or_below(silent.iter().copied(), |id| ids.contains(&id));
        let excused = self.topology.at_or_below(ended.iter().copied(), |id| reasons.contains(&id));
        ended.retain(|id| ids.contains(id) || !excused.contains(id));
        silent.retain(|id| !ended.contains(id));
    }

    /// After a re-link: whatever was under way below these nodes is sent again.
    pub(super) fn repeat_what_was_lost(&mut self, moved: &[NodeId]) {
        let moved: BTreeSet<NodeId> = moved.iter().copied().collect();
        let below =
            |nodes: &mut dyn Iterator<Item = NodeId>| self.topology.at_or_below(nodes, |id| moved.contains(&id));
        let busy = below(&mut self.registry.busy.iter().copied());
        let pinged = below(&mut self.pings.values().map(|ping| ping.id));
        busy.into_iter().for_each(|id| self.repeat(id));
        pinged.into_iter().for_each(|id| self.repeat_pings(id));
    }

    /// The end: everything that is not answered is answered.
    pub(super) fn give_up(&mut self) {
        self.interrupt();
        let pings: Vec<u64> = self.pings.keys().copied().collect();
        pings.into_iter().for_each(|op| self.ping_overdue(op));
        let waves: Vec<u64> = self.waves.keys().copied().collect();
        waves.into_iter().for_each(|op| self.end_wave(op));
        let busy: Vec<NodeId> = self.registry.busy.iter().copied().collect();
        busy.into_iter().for_each(|id| self.fail_execs(id));
        // In the order of input, whatever the order of the nodes that they wait for.
        let own = std::mem::take(&mut self.parked).into_values().flatten();
        let way = std::mem::take(&mut self.parked_below).into_values().flatten();
        let parked: BTreeMap<u64, Order> = own.chain(way).collect();
        parked.into_iter().for_each(|(op, order)| self.refuse_order(op, &order));
        let changes = std::mem::take(&mut self.changes);
        let barriers = std::mem::take(&mut self.barriers);
        changes.into_iter().for_each(|(op, order)| self.refuse_order(op, &order));
        let running: BTreeSet<u64> = self.creations.keys().chain(self.relinks.keys()).copied().collect();
        self.creations.clear();
        self.relinks.clear();
        running.into_iter().for_each(|op| self.refuse(op, Refusal::Interrupted));
        barriers.into_iter().for_each(|(op, order)| self.answer_by_the_book(op, &order));
        let strikes: Vec<u64> = std::mem::take(&mut self.strikes).into_keys().map(|(_, op)| op).collect();
        strikes.into_iter().for_each(|op| self.answer(op, Outcome::Done));
        self.give_up_faults();
    }

    /// Who waited for changes that are given up is told what is known.
    fn answer_by_the_book(&mut self, op: u64, order: &Order) {
        let outcome = match order {
            Order::PingAll => {
                let dead = self.registry.dead().filter(|&id| self.topology.contains(id));
                Outcome::PingAll(dead.chain(self.known_silent()).collect::<BTreeSet<_>>().into_iter().collect())
            }
            Order::All => Outcome::All(self.topology.ids().collect()),
            _ => Outcome::Tree(self.draw()),
        };
        self.answer(op, outcome);
    }

    fn refuse_order(&mut self, op: u64, order: &Order) {
        match order {
            Order::Exec { id, first, .. } => {
                self.effects.push(ControlEffect::Taken(op, super::exec::counted(first)));
                self.answer(op, Outcome::Exec { id: *id, result: Err(ExecError::Unavailable) });
            }
            Order::Ping(id) => self.answer(op, Outcome::Ping { id: *id, result: Ok(false) }),
            _ => self.refuse(op, Refusal::Interrupted),
        }
    }
}
