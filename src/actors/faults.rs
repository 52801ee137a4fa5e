//! Faults in the books of the control node: what is armed, what sets it off, what is under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{Nanos, NodeKey};
use super::outcome::Outcome;
use super::registry::Life;
use crate::commands::Refusal;
use crate::faults::{Fault, FaultKind, MAX_FAULTS, Trigger};
use crate::topology::NodeId;

/// The faults of a system.
#[derive(Clone, Default)]
pub(super) struct FaultBook {
    held: BTreeMap<u64, Held>,
    made: u64,
    answered: u64,
    /// Which are due when so many commands have been answered.
    counted: BTreeSet<(u64, u64)>,
    /// What the mode was told of each fault and has not taken, and what is then answered.
    told: BTreeMap<u64, VecDeque<Option<(u64, Outcome)>>>,
    /// Pauses at an envelope that were healed before it was known that they had struck, if they had.
    healed: BTreeMap<u64, NodeId>,
    /// Those whom such a pause has struck: they go on as soon as they are stopped.
    go_on: BTreeSet<NodeKey>,
}

#[derive(Clone)]
struct Held {
    fault: Fault,
    /// When it is due, if that is a time.
    due: Option<Nanos>,
    /// When it is due, if commands are counted.
    count: Option<u64>,
    is_active: bool,
}

impl FaultBook {
    fn hold(&mut self, fault: Fault) -> u64 {
        self.made += 1;
        self.held.insert(self.made, Held { fault, due: None, count: None, is_active: false });
        self.made
    }
}

impl ControlNode {
    /// `fault`
    pub(super) fn fault(&mut self, op: u64, fault: Fault) {
        if self.faults.held.len() >= MAX_FAULTS {
            return self.refuse(op, Refusal::Other(format!("there are {MAX_FAULTS} faults already")));
        }
        // Its own answer is not one of those that are counted.
        let number = self.arm(fault, 1);
        self.answer_when_taken(op, number, Outcome::Armed(number));
    }

    /// Answers when everybody who has a part in the fault knows what he was told last: at once, if that is nothing.
    fn answer_when_taken(&mut self, op: u64, number: u64, outcome: Outcome) {
        match self.faults.told.get_mut(&number).and_then(VecDeque::back_mut) {
            Some(last) => *last = Some((op, outcome)),
            None => self.answer(op, outcome),
        }
    }

    fn tell_mode(&mut self, number: u64, what: ControlEffect) {
        self.faults.told.entry(number).or_default().push_back(None);
        self.effects.push(what);
    }

    /// Arms a fault; so many answers that are still to come do not count.
    pub(super) fn arm(&mut self, fault: Fault, not_counted: u64) -> u64 {
        let when = fault.when.clone();
        let number = self.faults.hold(fault);
        match when {
            Trigger::Now | Trigger::After(0) => self.set_off(number),
            Trigger::At(time) => {
                let due = self.now.saturating_add(time.0.as_nanos() as Nanos);
                self.change_held(number, |held| held.due = Some(due));
                self.due(due, Due::Fault(number));
            }
            Trigger::After(commands) => {
                let count = self.faults.answered.saturating_add(not_counted).saturating_add(commands);
                self.change_held(number, |held| held.count = Some(count));
                self.faults.counted.insert((count, number));
            }
            Trigger::Envelope { .. } => {
                if let Some(fault) = self.faults.held.get(&number).map(|held| held.fault.clone()) {
                    let life = fault.what.node().and_then(|node| self.life_of(node));
                    self.tell_mode(number, ControlEffect::WatchForFault(number, fault, life));
                }
            }
        }
        number
    }

    /// The life that the node has, or is about to have.
    fn life_of(&self, node: NodeId) -> Option<NodeKey> {
        let is_alive =
            self.newborn.contains_key(&node) || self.registry.get(node).is_some_and(|entry| entry.life != Life::Dead);
        is_alive.then(|| self.key_of(node))
    }

    fn change_held(&mut self, number: u64, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.faults.held.get_mut(&number) {
            change(held);
        }
    }

    /// The fault takes effect.
    pub(super) fn set_off(&mut self, number: u64) {
        let Some(held) = self.faults.held.get_mut(&number) else { return };
        held.is_active = true;
        let what = held.fault.what.clone();
        self.tell_mode(number, ControlEffect::BeginFault(number, what.clone()));
        match what {
            FaultKind::Kill(node) => self.strike_live(node, ControlEffect::Kill),
            FaultKind::Pause(node) => self.strike_live(node, ControlEffect::Pause),
            FaultKind::Resume(node) => self.strike_live(node, ControlEffect::Resume),
            _ => {}
        }
        if matches!(what, FaultKind::Kill(_) | FaultKind::Resume(_)) {
            self.faults.held.remove(&number);
        }
    }

    /// As from outside: the node says by itself what has become of it.
    fn strike_live(&mut self, node: NodeId, strike: fn(NodeKey) -> ControlEffect) {
        if let Some(entry) = self.registry.get(node).filter(|entry| entry.life != Life::Dead) {
            self.effects.push(strike(entry.key));
        }
    }

    /// A command was answered.
    pub(super) fn count_answer(&mut self) {
        self.faults.answered += 1;
        while let Some(&(count, number)) = self.faults.counted.first()
            && count <= self.faults.answered
        {
            self.faults.counted.pop_first();
            self.set_off(number);
        }
    }

    /// Everybody who has a part in it knows of it: that it has begun, or that it is over.
    pub(super) fn on_fault_taken(&mut self, number: u64) {
        let Some(told) = self.faults.told.get_mut(&number) else { return };
        let taken = told.pop_front();
        if told.is_empty() {
            self.faults.told.remove(&number);
        }
        if let Some(Some((op, outcome))) = taken {
            self.answer(op, outcome);
        }
    }

    /// It has happened. What can be healed is under way, the rest is over; unless it was healed meanwhile.
    pub(super) fn on_fault_happened(&mut self, number: u64) {
        if let Some(node) = self.faults.healed.remove(&number) {
            let struck = self.life_of(node);
            return self.faults.go_on.extend(struck);
        }
        match self.faults.held.get_mut(&number) {
            Some(held) if !held.fault.what.is_an_event() => held.is_active = true,
            _ => drop(self.faults.held.remove(&number)),
        }
    }

    /// `heal`
    pub(super) fn heal(&mut self, op: u64, number: u64) {
        let Some(held) = self.faults.held.remove(&number) else { return self.refuse(op, Refusal::NotFound) };
        if let Some(due) = held.due {
            self.not_due(due, Due::Fault(number));
        }
        if let Some(count) = held.count {
            self.faults.counted.remove(&(count, number));
        }
        if held.is_active || matches!(held.fault.when, Trigger::Envelope { .. }) {
            self.tell_mode(number, ControlEffect::EndFault(number));
        }
        match held.fault.what {
            FaultKind::Pause(node) if held.is_active => self.strike_live(node, ControlEffect::Resume),
            FaultKind::Pause(node) if matches!(held.fault.when, Trigger::Envelope { .. }) => {
                self.faults.healed.insert(number, node);
                if self.faults.healed.len() > MAX_FAULTS {
                    self.faults.healed.pop_first();
                }
            }
            _ => {}
        }
        self.answer_when_taken(op, number, Outcome::Done);
    }

    /// A node is stopped: it goes on if that was a pause that has been healed.
    pub(super) fn heal_a_stop(&mut self, key: NodeKey) {
        if self.faults.go_on.remove(&key) {
            self.effects.push(ControlEffect::Resume(key));
        }
    }

    /// A node has died.
    pub(super) fn no_stop_to_heal(&mut self, key: NodeKey) {
        self.faults.go_on.remove(&key);
    }

    /// `faults`
    pub(super) fn list_faults(&mut self, op: u64) {
        let list = self.faults.held.iter().map(|(&number, held)| (number, held.fault.to_string())).collect();
        self.answer(op, Outcome::Faults(list));
    }

    /// The end is here.
    pub(super) fn give_up_faults(&mut self) {
        let told = std::mem::take(&mut self.faults.told);
        told.into_values().flatten().flatten().for_each(|(op, _)| self.refuse(op, Refusal::Interrupted));
    }
}
