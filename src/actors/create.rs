//! `create`: a node is started, linked, and then it exists.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::control_io::{ControlEffect, Order};
use super::control_node::{ControlNode, Due};
use super::message::{Envelope, LinkId, Nanos, NodeKey, NodeSpec};
use super::outcome::Outcome;
use super::registry::{Entry, Life};
use super::relink::Stage as RelinkStage;
use crate::commands::Refusal;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId, Place, PlaceError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Its process (or actor) is being started.
    Starting,
    /// The link to its parent is being made.
    Linking,
    /// It comes between two nodes that are linked: see [`Relink`](super::relink::Relink).
    Inserting,
    /// A node above is stopped: the new one is asked through the tree whether it can be reached.
    Asking,
}

/// A create that is under way.
#[derive(Clone, Hash)]
pub(super) struct Creation {
    pub(super) id: NodeId,
    typed_parent: Option<NodeId>,
    pub(super) place: Place,
    pub(super) stage: Stage,
    pub(super) key: NodeKey,
    pid: u64,
    pub(super) link: LinkId,
    /// It was stopped, from outside: nobody can type that before it exists.
    pub(super) stopped: bool,
    deadline: Nanos,
}

impl ControlNode {
    /// The node comes to `place`, if it may.
    pub(super) fn start_creation(
        &mut self,
        op: u64,
        id: NodeId,
        parent: Option<NodeId>,
        place: Result<Place, PlaceError>,
    ) {
        match self.judge_creation(id, place) {
            Err(refusal) => {
                self.refuse(op, refusal);
                self.release(op);
            }
            Ok(place) => {
                let key = NodeKey { id, incarnation: self.draw_incarnation() };
                self.newborn.insert(id, op);
                let stage = Stage::Starting;
                let creation = Creation {
                    id,
                    typed_parent: parent,
                    place,
                    stage,
                    key,
                    pid: 0,
                    link: LinkId(0),
                    stopped: false,
                    deadline: Nanos::MAX,
                };
                self.creations.insert(op, creation);
                let beat_period_ns = self.beat_period_ns();
                self.effects.push(ControlEffect::Start(NodeSpec { key, beat_period_ns }));
            }
        }
    }

    fn judge_creation(&self, id: NodeId, place: Result<Place, PlaceError>) -> Result<Place, Refusal> {
        if id == CONTROL || (self.registry.is_up(id) && !is_planted(Bug::DuplicateCreate)) {
            return Err(Refusal::AlreadyExists);
        }
        let place = place.map_err(|_| Refusal::ParentNotFound)?;
        if place.parent != CONTROL && self.is_known_to_be_down(place.parent) {
            return Err(Refusal::ParentUnavailable);
        }
        match place.follower {
            Some(follower) if self.registry.silent.contains(&follower) => Err(Refusal::NodeInTheWay(follower)),
            _ => Ok(place),
        }
    }

    /// A number that no life of a node had before.
    fn draw_incarnation(&mut self) -> u64 {
        let number = self.next_incarnation;
        self.next_incarnation += 1;
        self.secret.map_or(number, |secret| {
            let mut hasher = DefaultHasher::new();
            (secret, number).hash(&mut hasher);
            // Eight bytes on the wire; 0 is the control node.
            (hasher.finish() >> 8).max(1)
        })
    }

    pub(super) fn creation_of(&self, key: NodeKey) -> Option<u64> {
        let op = *self.newborn.get(&key.id)?;
        self.creations.get(&op).filter(|creation| creation.key == key).map(|_| op)
    }

    pub(super) fn on_started(&mut self, key: NodeKey, pid: u64) {
        let Some(op) = self.creation_of(key) else { return };
        let Some(creation) = self.creations.get_mut(&op) else { return };
        creation.pid = pid;
        let place = creation.place;
        if let Some(follower) = place.follower.filter(|&follower| self.registry.is_up(follower)) {
            creation.stage = Stage::Inserting;
            self.start_insertion(op, key.id, place.parent, follower);
            return;
        }
        creation.stage = Stage::Linking;
        let link = self.connect(place.parent, key.id, place.slot, true);
        self.set_creation_deadline(op);
        self.new_links.insert(link, op);
        if let Some(creation) = self.creations.get_mut(&op) {
            creation.link = link;
        }
    }

    fn set_creation_deadline(&mut self, op: u64) {
        let deadline = self.now + self.config.reply_timeout_ns;
        if let Some(creation) = self.creations.get_mut(&op) {
            creation.deadline = deadline;
            self.due(deadline, Due::Create(op));
        }
    }

    pub(super) fn on_start_failed(&mut self, key: NodeKey, why: &str) {
        if let Some(op) = self.creation_of(key) {
            self.end_creation(op, Refusal::Other(format!("the node could not be started: {why}")));
        }
    }

    /// A new link stands, as its parent says.
    pub(super) fn on_linked(&mut self, link: LinkId, parent: NodeId) {
        let Some(&op) = self.new_links.get(&link) else { return };
        match self.creations.get(&op).filter(|creation| creation.stage == Stage::Linking) {
            Some(creation) if creation.place.parent == parent => {
                let place = creation.place;
                self.new_links.remove(&link);
                self.creation_linked(op, place);
            }
            Some(_) => {}
            None => self.on_relink_linked(op, link, parent),
        }
    }

    /// A link cannot be made, says the one at this end of it, or our own mode. Whoever wanted it gives up, and nothing
    /// has changed; but a re-link that goes forward already has no use for the link any more.
    pub(super) fn on_link_failed(&mut self, link: LinkId, end: Option<NodeId>, why: &str) {
        let Some(&op) = self.new_links.get(&link) else { return };
        let refusal = Refusal::Other(format!("a link could not be made: {why}"));
        match self.creations.get(&op).filter(|creation| creation.stage == Stage::Linking) {
            Some(creation) => {
                if end.is_none_or(|end| end == creation.id || end == creation.place.parent) {
                    self.end_creation(op, refusal);
                }
            }
            None => self.relink_cannot_link(op, link, end, refusal),
        }
    }

    fn creation_linked(&mut self, op: u64, place: Place) {
        if self.registry.stopped.is_empty() || !self.is_below_stopped(place.parent) {
            self.finish_creation(op);
            return;
        }
        // The new node answers through the tree, or it is not available and neither is its parent.
        let Some(creation) = self.creations.get_mut(&op) else { return };
        creation.stage = Stage::Asking;
        let (key, link) = (creation.key, creation.link);
        if place.parent == CONTROL {
            self.effects.push(ControlEffect::Send(link, self.ping_to(key, op)));
        } else {
            self.send_ping(self.key_of(place.parent), op);
        }
        self.set_creation_deadline(op);
    }

    fn ping_to(&self, to: NodeKey, nonce: u64) -> Envelope {
        let route = crate::topology::Route::Only;
        Envelope::Ping { route, to, nonce }
    }

    /// An answer to the question of [`creation_linked`](Self::creation_linked).
    pub(super) fn creation_answered(&mut self, op: u64, from: NodeKey) -> bool {
        let asked = self.creations.get(&op).filter(|creation| creation.stage == Stage::Asking);
        let asked = asked.map(|creation| match creation.place.parent {
            CONTROL => creation.key,
            parent => self.key_of(parent),
        });
        if asked == Some(from) {
            self.finish_creation(op);
        }
        asked.is_some()
    }

    pub(super) fn creation_overdue(&mut self, op: u64, at: Nanos) {
        let Some(creation) = self.creations.get(&op) else { return };
        if creation.deadline == at && matches!(creation.stage, Stage::Linking | Stage::Asking) {
            let parent = creation.place.parent;
            if creation.stopped || parent == CONTROL {
                return self.end_creation(op, newborn_is_silent());
            }
            // While they are being linked it may be the way between the two that is silent, and not the parent.
            if creation.stage == Stage::Asking || self.registry.stopped.contains(&parent) {
                self.mark_silent(parent);
            }
            self.end_creation(op, Refusal::ParentUnavailable);
        }
    }

    /// The node is linked and answers: it exists.
    pub(super) fn finish_creation(&mut self, op: u64) {
        let Some(creation) = self.creations.remove(&op) else { return };
        let Creation { id, place, key, pid, link, stopped, deadline, .. } = creation;
        self.not_due(deadline, Due::Create(op));
        self.newborn.remove(&id);
        if self.registry.get(id).is_some() {
            self.fail_execs(id);
            let moved = self.topology.move_to(id, &place);
            debug_assert!(moved.is_ok(), "a live parent stands below no dead node");
        } else {
            self.topology.insert(id, &place);
        }
        let reported = self.registry.get(id).is_some_and(|entry| entry.reported);
        let before = self.registry.get_mut(id).filter(|_| is_planted(Bug::SessionOutlivesItsNode));
        let work = before.and_then(|entry| entry.work.take());
        self.registry.insert(Entry {
            key,
            pid,
            life: Life::Up,
            stopped,
            uplink: link,
            last_sign: self.now,
            reported,
            work,
        });
        if stopped {
            self.registry.stopped.insert(id);
        }
        self.answer(op, Outcome::Created { pid });
        if reported {
            self.has_returned(id);
        }
        self.release(op);
    }

    /// The create fails, and nothing of it remains.
    pub(super) fn end_creation(&mut self, op: u64, refusal: Refusal) {
        if self.undo_creation(op).is_some() {
            self.refuse(op, refusal);
            self.release(op);
        }
    }

    fn undo_creation(&mut self, op: u64) -> Option<Creation> {
        let creation = self.creations.remove(&op)?;
        self.newborn.remove(&creation.id);
        self.not_due(creation.deadline, Due::Create(op));
        self.effects.push(ControlEffect::Kill(creation.key));
        if creation.link != LinkId(0) {
            self.new_links.remove(&creation.link);
            self.own_links.remove(&creation.link);
            let links = vec![creation.link];
            self.say(creation.place.parent, super::message::ControlDown::Unlink { links });
        }
        Some(creation)
    }

    /// What it was planned on has changed: plan it again.
    pub(super) fn restart_creation(&mut self, op: u64) {
        if let Some(creation) = self.undo_creation(op) {
            self.start_again(op, Order::Create { id: creation.id, parent: creation.typed_parent });
        }
    }

    /// These nodes have died: creates below them fail.
    pub(super) fn creations_after_deaths(&mut self, dead: &[NodeId]) {
        if self.creations.is_empty() {
            return;
        }
        let is_hit = |op: &u64, id: NodeId| {
            let creation = self.creations.get(op);
            creation.is_some_and(|creation| creation.stage != Stage::Inserting && creation.place.parent == id)
        };
        let of_node = |&id: &NodeId| self.locks.running_at(id).filter(move |op| is_hit(op, id));
        let hit: BTreeSet<u64> = dead.iter().flat_map(of_node).collect();
        for op in hit {
            self.end_creation(op, Refusal::ParentUnavailable);
        }
    }

    /// A node that is being created has lost the link to its parent.
    pub(super) fn newborn_lost(&mut self, key: NodeKey, link: LinkId) {
        if let Some(op) = self.creation_of(key)
            && self.creations.get(&op).is_some_and(|creation| creation.link == link)
        {
            self.newborn_died(op, key.id);
        }
    }

    /// The inserted node has ended. Whether it exists nevertheless, because others have switched to it.
    fn abandon_insertion(&mut self, op: u64) -> bool {
        let inserting = self.creations.get(&op).is_some_and(|creation| creation.stage == Stage::Inserting);
        match self.relinks.get(&op) {
            Some(relink) if inserting && relink.stage >= RelinkStage::Switching => {
                self.end_relink(op);
                return true;
            }
            Some(_) if inserting => drop(self.undo_relink(op)),
            _ => {}
        }
        false
    }

    /// A node has ended before it was linked.
    pub(super) fn newborn_died(&mut self, op: u64, id: NodeId) {
        if self.abandon_insertion(op) {
            self.bury(id);
        } else {
            self.end_creation(op, Refusal::Other("the new node ended before it was linked".to_owned()));
        }
    }
}

/// Somebody has stopped it before it existed: that is not its parent's fault.
pub(super) fn newborn_is_silent() -> Refusal {
    Refusal::Other("the new node does not answer".to_owned())
}
