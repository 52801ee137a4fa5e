//! `ping` and `pingall`: nodes are asked through the tree.

use std::collections::BTreeSet;

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{ControlDown, Envelope, LinkId, Nanos, NodeKey};
use super::outcome::Outcome;
use crate::commands::Refusal;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId, Route};

#[derive(Clone, Hash)]
pub(super) struct PendingPing {
    pub(super) id: NodeId,
    deadline: Nanos,
}

/// A pingall that is under way.
#[derive(Clone, Hash)]
pub(super) struct PendingWave {
    /// The top-level nodes that have not answered.
    awaited: BTreeSet<NodeId>,
    missing: BTreeSet<NodeId>,
    /// Those that were stopped meanwhile and go on: they had less than the reply timeout.
    resumed: BTreeSet<NodeId>,
    deadline: Nanos,
}

impl ControlNode {
    pub(super) fn ping(&mut self, op: u64, id: NodeId) {
        let Some(entry) = self.registry.get(id) else {
            return self.answer(op, Outcome::Ping { id, result: Err(Refusal::NotFound) });
        };
        let key = entry.key;
        if !self.registry.is_up(id) {
            return self.answer(op, Outcome::Ping { id, result: Ok(false) });
        }
        let deadline = self.now + self.config.reply_timeout_ns;
        self.pings.insert(op, PendingPing { id, deadline });
        if let Some(work) = self.work(id) {
            work.pings.insert(op);
        }
        self.due(deadline, Due::Ping(op));
        if is_planted(Bug::RequestOnTheControlPlane) {
            return self.say(id, ControlDown::Ask { epoch: op });
        }
        self.send_ping(key, op);
    }

    /// The link to the top-level node above `id`, and the route from there on.
    pub(super) fn way_to(&self, id: NodeId) -> Option<(LinkId, Route)> {
        let first = self.registry.get(self.topology.first_hop(id)?)?;
        Some((first.uplink, self.topology.route(id)?))
    }

    pub(super) fn send_ping(&mut self, to: NodeKey, nonce: u64) {
        if let Some((link, route)) = self.way_to(to.id) {
            self.effects.push(ControlEffect::Send(link, Envelope::Ping { route, to, nonce }));
        }
    }

    pub(super) fn on_pong(&mut self, from: NodeKey, nonce: u64) {
        self.heard_through_the_tree(from);
        if self.creation_answered(nonce, from) || self.relink_answered(nonce, from) {
            return;
        }
        if self.registry.of(from).is_some() && self.pings.get(&nonce).is_some_and(|ping| ping.id == from.id) {
            self.end_ping(nonce, true);
        }
    }

    pub(super) fn end_ping(&mut self, op: u64, available: bool) {
        let Some(ping) = self.pings.remove(&op) else { return };
        self.not_due(ping.deadline, Due::Ping(op));
        if let Some(work) = self.work(ping.id) {
            work.pings.remove(&op);
        }
        self.answer(op, Outcome::Ping { id: ping.id, result: Ok(available) });
        self.work_done(ping.id);
    }

    pub(super) fn ping_overdue(&mut self, op: u64) {
        if let Some(ping) = self.pings.get(&op) {
            self.mark_silent(ping.id);
            self.end_ping(op, false);
        }
    }

    /// The node is gone: whoever asks for it need not wait.
    pub(super) fn fail_pings(&mut self, id: NodeId) {
        let work = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut());
        let pings = work.map(|work| std::mem::take(&mut work.pings)).unwrap_or_default();
        pings.into_iter().for_each(|op| self.end_ping(op, false));
    }

    /// Asks again where the way has changed.
    pub(super) fn repeat_pings(&mut self, id: NodeId) {
        let Some(entry) = self.registry.get(id) else { return };
        let key = entry.key;
        let pings = entry.work.as_ref().map(|work| work.pings.clone()).unwrap_or_default();
        pings.into_iter().for_each(|op| self.send_ping(key, op));
    }

    pub(super) fn start_wave(&mut self, op: u64) {
        let timeout = self.config.reply_timeout_ns;
        let top: Vec<NodeId> = self.topology.children(CONTROL).map(|(_, id)| id).collect();
        let top: Vec<NodeId> = top.into_iter().filter(|&id| self.registry.is_up(id)).collect();
        let (awaited, missing) = (top.iter().copied().collect(), BTreeSet::new());
        self.waves.insert(op, PendingWave { awaited, missing, resumed: BTreeSet::new(), deadline: self.now + timeout });
        if top.is_empty() {
            return self.end_wave(op);
        }
        let step_ns = timeout / (2 * self.topology.height().max(1) as u64);
        let from_ns = if is_planted(Bug::DeadlineOnTheWallClock) { self.now } else { 0 };
        let wave = Envelope::Wave { wave: op, budget_ns: from_ns + timeout.saturating_sub(step_ns), step_ns };
        for id in top {
            if let Some(entry) = self.registry.get(id) {
                self.effects.push(ControlEffect::Send(entry.uplink, wave.clone()));
            }
        }
        self.due(self.now + timeout, Due::Wave(op));
    }

    pub(super) fn on_wave_reply(&mut self, link: LinkId, wave: u64, missing: Vec<NodeId>, last: bool) {
        let Some(&child) = self.own_links.get(&link) else { return };
        let key = self.key_of(child);
        self.heard_from(key);
        let Some(pending) = self.waves.get_mut(&wave) else { return };
        // Who is not below it, or not at all, is not its affair.
        let topology = &self.topology;
        pending.missing.extend(missing.into_iter().filter(|&id| topology.first_hop(id) == Some(child)));
        if last {
            pending.awaited.remove(&child);
            if pending.awaited.is_empty() {
                self.end_wave(wave);
            }
        }
    }

    /// A node that was stopped goes on.
    pub(super) fn waves_after_resume(&mut self, id: NodeId) {
        for wave in self.waves.values_mut().filter(|wave| wave.awaited.contains(&id)) {
            wave.resumed.insert(id);
        }
    }

    pub(super) fn wave_overdue(&mut self, op: u64) {
        let Some(wave) = self.waves.get(&op) else { return };
        // They were given the whole reply timeout; nodes further down had less.
        let silent: Vec<NodeId> = wave.awaited.difference(&wave.resumed).copied().collect();
        silent.into_iter().for_each(|id| self.mark_silent(id));
        self.end_wave(op);
    }

    /// Nodes that have died are not waited for.
    pub(super) fn waves_after_deaths(&mut self, dead: &[NodeId]) {
        for pending in self.waves.values_mut() {
            for id in dead {
                pending.awaited.remove(id);
            }
        }
        let complete: Vec<u64> =
            self.waves.iter().filter(|(_, wave)| wave.awaited.is_empty()).map(|(&op, _)| op).collect();
        complete.into_iter().for_each(|op| self.end_wave(op));
    }

    pub(super) fn end_wave(&mut self, op: u64) {
        let Some(wave) = self.waves.remove(&op) else { return };
        self.not_due(wave.deadline, Due::Wave(op));
        let mut down: BTreeSet<NodeId> = self.registry.dead().filter(|&id| self.topology.contains(id)).collect();
        for root in wave.awaited.into_iter().chain(wave.missing) {
            if down.insert(root) && self.topology.contains(root) && !is_planted(Bug::PingallWithoutDescendants) {
                down.extend(self.topology.descendants(root));
            }
        }
        self.answer(op, Outcome::PingAll(down.into_iter().collect()));
        self.barrier_done();
    }
}
