//! Re-linking: `remove`, and `create` between two linked nodes. Ask, prepare, switch, drain, commit.
//!
//! Until the first switch is ordered, any death or silence undoes everything; from then on it goes forward.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::control_io::{ControlEffect, Order};
use super::control_node::{ControlNode, Due};
use super::create::newborn_is_silent;
use super::message::{ControlDown, LinkId, Nanos, NodeKey, command_of, epoch_of};
use super::registry::Life;
use crate::commands::Refusal;
use crate::topology::{CONTROL, Move, NodeId, Slot};

/// How far a re-link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// Everybody whose links will change is asked.
    Asking,
    /// The new links are made, unused.
    Preparing,
    /// From here on it goes forward: the nodes switch to the new links.
    Switching,
    /// A marker passes through the old way.
    Draining,
    /// The old links are closed; a removed node ends.
    Ending,
}

/// A link that is to be made: the node below gets a new parent.
#[derive(Clone, Hash)]
pub(super) struct NewLink {
    pub(super) upper: NodeId,
    pub(super) lower: NodeId,
    pub(super) slot: Slot,
    pub(super) link: LinkId,
    /// What it replaces at the node below, and the parent there.
    pub(super) old: Option<LinkId>,
    pub(super) from: NodeId,
}

/// What one node is told to switch.
#[derive(Clone, Default, Hash)]
pub(super) struct Switch {
    pub(super) activate: Vec<LinkId>,
    pub(super) retire: Vec<LinkId>,
    pub(super) places: Vec<(NodeId, Slot)>,
}

#[derive(Clone, Hash)]
pub(super) struct Relink {
    pub(super) stage: Stage,
    pub(super) epoch: u64,
    /// The removed node, or the inserted one.
    pub(super) subject: NodeId,
    pub(super) subject_key: NodeKey,
    pub(super) removes: bool,
    pub(super) parent: NodeId,
    pub(super) links: Vec<NewLink>,
    /// Those whose death matters.
    touched: BTreeSet<NodeId>,
    /// Children of `parent` that stay there, in another place.
    pub(super) places: Vec<(NodeId, Slot)>,
    /// Dead nodes that live ones would come to stand below.
    pub(super) blocked: BTreeSet<NodeId>,
    pub(super) awaited: BTreeSet<NodeId>,
    pub(super) awaited_links: BTreeSet<LinkId>,
    /// The removed node must answer through the tree.
    pub(super) reached: bool,
    pub(super) groups: VecDeque<BTreeMap<NodeId, Switch>>,
    /// So often the links were made before, and one of them ended by itself.
    pub(super) attempts: u8,
    pub(super) deadline: Nanos,
}

impl Relink {
    /// Gives it the links that are to be made; whoever is at one of their ends is touched.
    fn plan(&mut self, links: Vec<NewLink>) {
        self.touched.extend(links.iter().flat_map(|link| [link.upper, link.lower]));
        self.links = links;
    }
}

impl ControlNode {
    pub(super) fn start_removal(&mut self, op: u64, id: NodeId) {
        let refusal = match self.registry.get(id) {
            None => Some(Refusal::NotFound),
            Some(_) if self.is_known_to_be_down(id) => Some(Refusal::Unavailable),
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            self.refuse(op, refusal);
            self.release(op);
            return;
        }
        let moves = self.topology.plan_removal(id);
        let parent = self.topology.parent(id).unwrap_or(CONTROL);
        let mut relink = self.new_relink(op, id, parent, true);
        relink.blocked = self.in_the_way(&moves);
        relink.awaited = self.to_be_asked(id, parent, &moves);
        relink.reached = false;
        let (stay, go): (Vec<&Move>, Vec<&Move>) = moves.iter().partition(|step| self.stays_below_its_parent(step));
        relink.places = stay.into_iter().map(|step| (step.node, step.slot)).collect();
        relink.plan(go.into_iter().filter_map(|step| self.planned_link(step)).collect());
        let (epoch, asked) = (relink.epoch, relink.awaited.clone());
        self.relinks.insert(op, relink);
        self.set_relink_deadline(op);
        for node in asked {
            self.say(node, ControlDown::Ask { epoch });
        }
        self.send_ping(self.key_of(id), op);
    }

    /// `create` between a live node and its live follower.
    pub(super) fn start_insertion(&mut self, op: u64, id: NodeId, parent: NodeId, follower: NodeId) {
        let mut relink = self.new_relink(op, id, parent, false);
        let old = self.registry.get(follower).map(|entry| entry.uplink);
        relink.plan(vec![
            NewLink { upper: parent, lower: id, slot: Slot::Any, link: LinkId(0), old: None, from: parent },
            NewLink { upper: id, lower: follower, slot: Slot::Any, link: LinkId(0), old, from: parent },
        ]);
        relink.awaited = BTreeSet::from([parent, follower]);
        // Where a node above is stopped, the parent must show that it can be reached.
        let ask_through_the_tree = !self.registry.stopped.is_empty() && self.is_below_stopped(parent);
        relink.reached = !ask_through_the_tree;
        let (epoch, asked) = (relink.epoch, relink.awaited.clone());
        self.relinks.insert(op, relink);
        self.set_relink_deadline(op);
        for node in asked {
            self.say(node, ControlDown::Ask { epoch });
        }
        if ask_through_the_tree {
            self.send_ping(self.key_of(parent), op);
        }
    }

    fn new_relink(&mut self, op: u64, subject: NodeId, parent: NodeId, removes: bool) -> Relink {
        Relink {
            stage: Stage::Asking,
            epoch: epoch_of(op, self.next_link),
            subject,
            subject_key: self.key_of(subject),
            removes,
            parent,
            links: Vec::new(),
            touched: BTreeSet::from([subject, parent]),
            places: Vec::new(),
            blocked: BTreeSet::new(),
            awaited: BTreeSet::new(),
            awaited_links: BTreeSet::new(),
            reached: true,
            groups: VecDeque::new(),
            attempts: 0,
            deadline: Nanos::MAX,
        }
    }

    fn planned_link(&self, step: &Move) -> Option<NewLink> {
        let entry = self.registry.get(step.node).filter(|entry| entry.life == Life::Up)?;
        let (upper, lower, slot) = (step.parent, step.node, step.slot);
        let from = self.topology.parent(lower)?;
        Some(NewLink { upper, lower, slot, link: LinkId(0), old: Some(entry.uplink), from })
    }

    /// Only its place changes, which its parent alone must know.
    fn stays_below_its_parent(&self, step: &Move) -> bool {
        self.topology.parent(step.node) == Some(step.parent)
    }

    fn in_the_way(&self, moves: &[Move]) -> BTreeSet<NodeId> {
        let live = moves.iter().filter(|step| self.registry.is_up(step.node));
        live.map(|step| step.parent).filter(|&parent| parent != CONTROL && !self.registry.is_up(parent)).collect()
    }

    /// The live nodes whose parent or set of children changes, but for the removed one, which is asked through the tree.
    fn to_be_asked(&self, id: NodeId, parent: NodeId, moves: &[Move]) -> BTreeSet<NodeId> {
        let mut asked = BTreeSet::from([parent]);
        for step in moves.iter().filter(|step| !self.stays_below_its_parent(step)) {
            asked.extend([step.node, step.parent]);
            asked.extend(self.topology.parent(step.node));
        }
        asked.remove(&id);
        asked.retain(|&node| node == CONTROL || self.registry.is_up(node));
        asked
    }

    pub(super) fn set_relink_deadline(&mut self, op: u64) {
        let deadline = self.now + self.config.reply_timeout_ns;
        if let Some(relink) = self.relinks.get_mut(&op) {
            let before = std::mem::replace(&mut relink.deadline, deadline);
            self.not_due(before, Due::Relink(op));
            self.due(deadline, Due::Relink(op));
        }
    }

    pub(super) fn relink_of(&self, epoch: u64) -> Option<u64> {
        let op = command_of(epoch);
        self.relinks.get(&op).filter(|relink| relink.epoch == epoch).map(|_| op)
    }

    /// The removed node, or the parent of the inserted one, has answered through the tree.
    pub(super) fn relink_answered(&mut self, op: u64, from: NodeKey) -> bool {
        let Some(relink) = self.relinks.get(&op) else { return false };
        let asked = self.key_of(if relink.removes { relink.subject } else { relink.parent });
        if let Some(relink) = self.relinks.get_mut(&op).filter(|_| from == asked) {
            relink.reached = true;
            self.advance(op);
        }
        true
    }

    pub(super) fn on_here(&mut self, epoch: u64, id: NodeId) {
        if let Some(op) = self.relink_of(epoch)
            && let Some(relink) = self.relinks.get_mut(&op)
            && relink.stage == Stage::Asking
        {
            relink.awaited.remove(&id);
            self.advance(op);
        }
    }

    pub(super) fn on_relink_linked(&mut self, op: u64, link: LinkId, parent: NodeId) {
        let is_new = |new: &NewLink| new.upper == parent;
        if let Some(relink) = self.relinks.get_mut(&op).filter(|relink| relink.made(link).is_some_and(is_new)) {
            relink.awaited_links.remove(&link);
            self.advance(op);
        }
    }

    pub(super) fn on_switched(&mut self, epoch: u64, id: NodeId) {
        if let Some(op) = self.relink_of(epoch)
            && let Some(relink) = self.relinks.get_mut(&op)
            && relink.stage == Stage::Switching
        {
            relink.awaited.remove(&id);
            self.advance(op);
        }
    }

    /// Goes on to the next stage when nothing is awaited in this one.
    pub(super) fn advance(&mut self, op: u64) {
        let Some(relink) = self.relinks.get(&op) else { return };
        if !relink.awaited.is_empty() || !relink.awaited_links.is_empty() {
            return;
        }
        match relink.stage {
            Stage::Asking if relink.reached => match relink.blocked.first() {
                Some(&id) => self.refuse_relink(op, Refusal::NodeInTheWay(id)),
                None => self.prepare(op),
            },
            Stage::Preparing => self.start_switching(op),
            Stage::Switching => self.switch_next(op),
            Stage::Asking | Stage::Draining | Stage::Ending => {}
        }
    }

    fn prepare(&mut self, op: u64) {
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        relink.stage = Stage::Preparing;
        let planned: Vec<_> = relink.links.iter().map(|link| (link.upper, link.lower, link.slot)).collect();
        let made: Vec<LinkId> =
            planned.into_iter().map(|(upper, lower, slot)| self.connect(upper, lower, slot, false)).collect();
        self.new_links.extend(made.iter().map(|&link| (link, op)));
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        for (planned, &link) in relink.links.iter_mut().zip(&made) {
            planned.link = link;
        }
        relink.awaited_links = made.into_iter().collect();
        self.set_relink_deadline(op);
        self.advance(op);
    }

    pub(super) fn relink_overdue(&mut self, op: u64, at: Nanos) {
        let Some(relink) = self.relinks.get(&op) else { return };
        if relink.deadline != at {
            return;
        }
        match relink.stage {
            Stage::Asking | Stage::Preparing => self.relink_timed_out(op),
            Stage::Switching => {
                if let Some(relink) = self.relinks.get_mut(&op) {
                    relink.awaited.clear();
                }
                self.advance(op);
            }
            Stage::Draining => self.end_relink(op),
            Stage::Ending => {
                let key = relink.subject_key;
                self.effects.push(ControlEffect::Kill(key));
            }
        }
    }

    /// One of the new links cannot be made.
    pub(super) fn relink_cannot_link(&mut self, op: u64, link: LinkId, end: Option<NodeId>, refusal: Refusal) {
        let is_it = |new: &NewLink| end.is_none_or(|end| end == new.upper || end == new.lower);
        if self.relinks.get(&op).is_some_and(|it| it.stage == Stage::Preparing && it.made(link).is_some_and(is_it)) {
            self.refuse_relink(op, refusal);
        }
    }

    fn relink_timed_out(&mut self, op: u64) {
        let Some(relink) = self.relinks.get(&op) else { return };
        let Relink { subject, reached, stage, parent, removes, .. } = *relink;
        let newborn_is_asked = !removes && relink.awaited.contains(&subject);
        if newborn_is_asked || (stage == Stage::Preparing && self.creations.get(&op).is_some_and(|it| it.stopped)) {
            return self.refuse_relink(op, newborn_is_silent());
        }
        let silent = if stage == Stage::Asking { relink.awaited.clone() } else { self.silent_ends(relink) };
        let in_the_way = silent.union(&relink.blocked).next().copied();
        let is_to_blame = |node: &NodeId| stage == Stage::Asking || self.registry.stopped.contains(node);
        let blamed: Vec<NodeId> = silent.iter().copied().filter(is_to_blame).collect();
        blamed.into_iter().for_each(|node| self.mark_silent(node));
        if !reached {
            self.mark_silent(if removes { subject } else { parent });
        }
        let refusal = match in_the_way {
            _ if !reached && removes => Refusal::Unavailable,
            _ if !reached => Refusal::ParentUnavailable,
            Some(node) if !removes && node == parent => Refusal::ParentUnavailable,
            Some(node) => Refusal::NodeInTheWay(node),
            None => Refusal::Unavailable,
        };
        self.refuse_relink(op, refusal);
    }

    /// Who has not taken his end of a new link: whoever is known to be stopped, or else who would be moved.
    fn silent_ends(&self, relink: &Relink) -> BTreeSet<NodeId> {
        let is_awaited = |link: &&NewLink| relink.awaited_links.contains(&link.link);
        let awaited = || relink.links.iter().filter(is_awaited);
        let ends = awaited().flat_map(|link| [link.upper, link.lower]);
        let ends: BTreeSet<NodeId> = ends.filter(|&id| self.registry.is_up(id)).collect();
        let stopped: BTreeSet<NodeId> = ends.intersection(&self.registry.stopped).copied().collect();
        let is_moved = |id: &NodeId| !relink.removes || awaited().any(|link| link.lower == *id);
        if stopped.is_empty() { ends.into_iter().filter(is_moved).collect() } else { stopped }
    }

    pub(super) fn refuse_relink(&mut self, op: u64, refusal: Refusal) {
        if let Some(relink) = self.undo_relink(op) {
            if relink.removes {
                self.refuse(op, refusal);
                self.release(op);
            } else {
                self.end_creation(op, refusal);
            }
        }
    }

    /// Before anything was switched: the new links go, and nothing has changed.
    pub(super) fn undo_relink(&mut self, op: u64) -> Option<Relink> {
        self.drop_new_links(op);
        let relink = self.relinks.remove(&op)?;
        self.not_due(relink.deadline, Due::Relink(op));
        Some(relink)
    }

    /// These nodes have died: before a switch everything is undone and judged again, afterwards it goes forward.
    pub(super) fn relinks_after_deaths(&mut self, dead: &[NodeId]) {
        if self.relinks.is_empty() {
            return;
        }
        let touches = |op: &u64, id: NodeId| {
            let relink = self.relinks.get(op);
            relink.is_some_and(|relink| relink.touched.contains(&id) || relink.awaited.contains(&id))
        };
        // Whoever re-links a node claims it.
        let of_node = |&id: &NodeId| self.locks.running_at(id).filter(move |op| touches(op, id));
        let hit: BTreeSet<u64> = dead.iter().flat_map(of_node).collect();
        for op in hit {
            let Some(relink) = self.relinks.get_mut(&op) else { continue };
            match relink.stage {
                Stage::Asking | Stage::Preparing => self.restart_relink(op),
                Stage::Switching => {
                    let is_alive =
                        |id: NodeId| id == CONTROL || self.newborn.contains_key(&id) || self.registry.is_up(id);
                    relink.awaited.retain(|&id| is_alive(id));
                    self.advance(op);
                }
                Stage::Draining => self.end_relink(op),
                Stage::Ending if !self.registry.is_up(relink.subject) => self.removed(op),
                Stage::Ending => {}
            }
        }
    }

    fn restart_relink(&mut self, op: u64) {
        if let Some(relink) = self.undo_relink(op) {
            if relink.removes {
                self.start_again(op, Order::Remove(relink.subject));
            } else {
                self.restart_creation(op);
            }
        }
    }
}
