//! Who waits for whom: commands that change the tree, those that look at all of it, and those that wait for them.

use std::collections::BTreeMap;

use super::control_io::Order;
use super::control_node::ControlNode;
use super::locks::Claim;
use super::outcome::Outcome;
use crate::commands::Refusal;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId, TopologyKind};

impl ControlNode {
    /// Whether the node, or the way to it, is being made or re-linked by a command before `op`.
    pub(super) fn must_wait(&self, id: NodeId, op: u64) -> bool {
        if self.locks.is_empty() || (self.registry.get(id).is_none() && !self.is_being_created(id, op)) {
            return false;
        }
        self.locks.is_claimed_before(id, op) || self.relink_above(id, op).is_some()
    }

    fn relink_above(&self, id: NodeId, op: u64) -> Option<NodeId> {
        if self.relinks.is_empty() || !self.topology.contains(id) {
            return None;
        }
        let mut above = self.topology.ancestors(id);
        above.find(|&node| self.locks.whole_before(node, op).any(|change| self.relinks.contains_key(&change)))
    }

    pub(super) fn park(&mut self, id: NodeId, op: u64, order: Order) {
        let at = self.parked_at(id, op);
        let waits_for_each = at == id && matches!(order, Order::Exec { .. } | Order::Ping(_));
        let parked = if waits_for_each { &mut self.parked } else { &mut self.parked_below };
        parked.entry(at).or_default().insert(op, order);
    }

    /// The node whose release lets a command for `id` go on.
    pub(super) fn parked_at(&self, id: NodeId, op: u64) -> NodeId {
        if self.locks.is_claimed_before(id, op) { id } else { self.relink_above(id, op).unwrap_or(id) }
    }

    /// Whether a command before `op` creates this very node.
    pub(super) fn is_being_created(&self, id: NodeId, op: u64) -> bool {
        self.locks.whole_before(id, op).any(|change| {
            let waits = matches!(self.changes.get(&change), Some(Order::Create { id: created, .. }) if *created == id);
            waits || self.creations.get(&change).is_some_and(|creation| creation.id == id)
        })
    }

    /// create or remove: takes its place among the others and starts when nothing stands in its way.
    pub(super) fn queue_change(&mut self, op: u64, order: Order) {
        if let Order::Create { id, .. } = order
            && self.registry.is_up(id)
            && !self.locks.is_claimed_before(id, op)
        {
            // It is there, and nothing before this command changes that: nobody need wait for the answer.
            return self.refuse(op, Refusal::AlreadyExists);
        }
        let claims = match order {
            Order::Create { id, .. } if self.places_by_itself() => self.claims_of_turn(id),
            _ => self.claims(&order),
        };
        self.claim(op, claims);
        self.changes.insert(op, order);
        self.try_change(op);
    }

    pub(super) fn try_change(&mut self, op: u64) {
        let Some(order) = self.changes.get(&op) else { return };
        if self.first_barrier().is_some_and(|barrier| barrier < op) {
            self.held_by_barrier.insert(op);
            return;
        }
        let removes = matches!(order, Order::Remove(_));
        if !removes && self.places_by_itself() && !self.locks.may_start(op) {
            // Each waits for all before it: nobody need know its place before its turn has come.
            return;
        }
        // Placement is planned now: an earlier create may have failed.
        let claims = self.claims(order);
        let work_before = if removes { self.work_before(op, &claims) } else { Vec::new() };
        self.claim(op, claims);
        if !self.locks.may_start(op) || self.work_awaited.contains_key(&op) {
            return;
        }
        if !work_before.is_empty() {
            self.work_awaited.insert(op, work_before.len());
            for node in work_before {
                self.waiting_for_work.entry(node).or_default().insert(op);
            }
            return;
        }
        self.locks.start(op);
        match self.changes.remove(&op) {
            Some(Order::Create { id, parent }) => self.start_creation(op, id, parent),
            Some(Order::Remove(id)) => self.start_removal(op, id),
            _ => {}
        }
    }

    /// The claimed nodes with execs or pings that came before `op`.
    fn work_before(&self, op: u64, claims: &BTreeMap<NodeId, Claim>) -> Vec<NodeId> {
        claims.keys().copied().filter(|&id| self.first_work(id).is_some_and(|first| first < op)).collect()
    }

    fn first_work(&self, id: NodeId) -> Option<u64> {
        self.registry.get(id).and_then(|entry| entry.work.as_ref()).and_then(|work| work.first())
    }

    /// An exec or ping of this node was answered.
    pub(super) fn work_done(&mut self, id: NodeId) {
        let first = self.first_work(id).unwrap_or(u64::MAX);
        let Some(waiting) = self.waiting_for_work.get_mut(&id) else { return };
        while let Some(op) = waiting.first().copied().filter(|&op| op < first) {
            waiting.remove(&op);
            if let Some(nodes) = self.work_awaited.get_mut(&op) {
                *nodes -= 1;
                if *nodes == 0 {
                    self.work_awaited.remove(&op);
                    self.freed.insert(op);
                }
            }
        }
        if waiting.is_empty() {
            self.waiting_for_work.remove(&id);
        }
    }

    fn claim(&mut self, op: u64, claims: BTreeMap<NodeId, Claim>) {
        let left = self.locks.claim(op, claims, &mut self.freed);
        self.unpark(left);
    }

    /// A change is done: whoever waited for it goes on.
    pub(super) fn release(&mut self, op: u64) {
        let left = self.locks.release(op, &mut self.freed);
        self.unpark(left);
    }

    fn unpark(&mut self, nodes: Vec<NodeId>) {
        for node in nodes {
            let freed = self.parked_below.remove(&node).filter(|_| !is_planted(Bug::ParkedForgotten));
            self.unparked.extend(freed.into_iter().flatten());
            // Whoever comes behind the next change of the node waits for that one; nobody, for a node that is gone.
            let is_gone = self.registry.get(node).is_none() && !self.is_being_created(node, u64::MAX);
            let next = self.locks.first_whole(node).filter(|_| !is_gone).unwrap_or(u64::MAX);
            let Some(parked) = self.parked.get_mut(&node) else { continue };
            while let Some(entry) = parked.first_entry().filter(|entry| *entry.key() < next) {
                let (op, order) = entry.remove_entry();
                self.unparked.insert(op, order);
            }
            if parked.is_empty() {
                self.parked.remove(&node);
            }
        }
    }

    /// Puts a change that had started back to those that wait, to be judged again.
    pub(super) fn start_again(&mut self, op: u64, order: Order) {
        self.locks.stop(op, &mut self.freed);
        self.changes.insert(op, order);
        self.freed.insert(op);
    }

    fn first_barrier(&self) -> Option<u64> {
        let waiting = self.barriers.keys().next();
        waiting.into_iter().chain(self.waves.keys().next()).min().copied()
    }

    pub(super) fn start_barriers(&mut self) {
        while let Some((&op, _)) = self.barriers.first_key_value()
            && (self.locks.first().is_none_or(|change| change > op) || is_planted(Bug::BarrierIgnored))
        {
            match self.barriers.remove(&op) {
                Some(Order::PingAll) => self.start_wave(op),
                Some(Order::All) => {
                    let ids = self.topology.ids().collect();
                    self.answer(op, Outcome::All(ids));
                }
                _ => {
                    let drawing = self.draw();
                    self.answer(op, Outcome::Tree(drawing));
                }
            }
            self.barrier_done();
        }
    }

    /// Changes that waited for a barrier look again whether they may start.
    pub(super) fn barrier_done(&mut self) {
        let barrier = self.first_barrier().unwrap_or(u64::MAX);
        while let Some(op) = self.held_by_barrier.first().copied().filter(|&op| op < barrier) {
            self.held_by_barrier.remove(&op);
            self.freed.insert(op);
        }
    }

    fn claims(&self, order: &Order) -> BTreeMap<NodeId, Claim> {
        match order {
            Order::Create { id, parent } => self.claims_of_create(*id, *parent),
            Order::Remove(id) => self.claims_of_remove(*id),
            _ => BTreeMap::new(),
        }
    }

    fn claims_of_create(&self, id: NodeId, parent: Option<NodeId>) -> BTreeMap<NodeId, Claim> {
        let known = self.topology.contains(id);
        let place = if known { self.topology.place_again(id, parent) } else { self.topology.place(id, parent) };
        let (above, follower) = match &place {
            Ok(place) => (place.parent, place.follower),
            // The parent may be made by a command before this one.
            Err(_) => (parent.unwrap_or(CONTROL), None),
        };
        let shared = match self.config.topology {
            TopologyKind::Tree => true,
            TopologyKind::List => above == CONTROL,
            TopologyKind::Bst | TopologyKind::Balanced => false,
        };
        let mut claims = BTreeMap::from([(above, if shared { Claim::Attach } else { Claim::Below })]);
        claims.extend(follower.map(|follower| (follower, Claim::Whole)));
        self.claim_everything(&mut claims);
        claims.insert(id, Claim::Whole);
        claims
    }

    /// What a create claims before its turn has come, in a topology that places by itself.
    fn claims_of_turn(&self, id: NodeId) -> BTreeMap<NodeId, Claim> {
        let mut claims = BTreeMap::from([(id, Claim::Whole)]);
        self.claim_everything(&mut claims);
        claims
    }

    fn claims_of_remove(&self, id: NodeId) -> BTreeMap<NodeId, Claim> {
        let mut claims = BTreeMap::from([(id, Claim::Whole)]);
        self.claim_everything(&mut claims);
        if !self.topology.contains(id) {
            return claims;
        }
        for step in self.topology.plan_removal(id) {
            let from = self.topology.parent(step.node);
            for above in [Some(step.parent), from].into_iter().flatten() {
                claims.entry(above).or_insert(Claim::Below);
            }
            if from != Some(step.parent) {
                claims.insert(step.node, Claim::Whole);
            }
        }
        if let Some(parent) = self.topology.parent(id) {
            claims.entry(parent).or_insert(Claim::Below);
        }
        if matches!(self.config.topology, TopologyKind::Tree | TopologyKind::List) && claims.contains_key(&CONTROL) {
            // We can have the links to several children changed at the same time.
            claims.insert(CONTROL, Claim::Attach);
        }
        claims
    }

    /// Where the topology places by itself, the place of a node depends on every change before: the root stands for all.
    fn claim_everything(&self, claims: &mut BTreeMap<NodeId, Claim>) {
        if self.places_by_itself() {
            claims.insert(CONTROL, Claim::Below);
        }
    }

    fn places_by_itself(&self) -> bool {
        matches!(self.config.topology, TopologyKind::Bst | TopologyKind::Balanced)
    }
}
