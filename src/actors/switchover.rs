//! The second half of a re-link, which goes forward whatever happens: switch, drain, commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{ControlDown, LinkId};
use super::outcome::Outcome;
use super::registry::Life;
use super::relink::{NewLink, Relink, Stage, Switch};
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId};

impl Relink {
    /// The link of this number, once they are made: they were numbered in their order.
    pub(super) fn made(&self, link: LinkId) -> Option<&NewLink> {
        self.links.binary_search_by_key(&link, |new| new.link).ok().map(|at| &self.links[at])
    }
}

impl ControlNode {
    pub(super) fn start_switching(&mut self, op: u64) {
        let Some(relink) = self.relinks.get(&op) else { return };
        let groups = self.switch_groups(relink);
        let uplinks: Vec<_> = relink.links.iter().map(|link| (link.lower, link.link)).collect();
        for (lower, link) in uplinks {
            if let Some(entry) = self.registry.get_mut(lower) {
                entry.uplink = link;
            }
            if let Some(creation) = self.creations.get_mut(&op).filter(|creation| creation.id == lower) {
                creation.link = link;
            }
        }
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        relink.stage = Stage::Switching;
        relink.groups = groups;
        if relink.removes {
            // From here on it goes forward, so whoever dies takes along what is below it in the new tree.
            let subject = relink.subject;
            self.topology.remove(subject);
        }
        self.switch_next(op);
    }

    /// Who switches when: from below upwards, so that no way, down or up, ever leads in a circle. First who takes over
    /// the child of the replacement, then the replacement itself, then everybody else.
    fn switch_groups(&self, relink: &Relink) -> VecDeque<BTreeMap<NodeId, Switch>> {
        let lowers: BTreeSet<NodeId> = relink.links.iter().map(|link| link.lower).collect();
        let replacement = relink.links.iter().map(|link| link.upper).find(|upper| lowers.contains(upper));
        let mut groups = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
        let group_of = |id: NodeId, early: bool| match replacement {
            Some(replacement) if replacement == id => 1,
            _ if early => 0,
            _ => 2,
        };
        for (at, link) in relink.links.iter().enumerate() {
            let early = replacement.is_some_and(|replacement| link.upper != replacement && link.lower != replacement);
            let upper: &mut Switch = groups[group_of(link.upper, early)].entry(link.upper).or_default();
            if at == 0 || !is_planted(Bug::RelinkLosesChild) {
                upper.activate.push(link.link);
            }
            let lower: &mut Switch = groups[group_of(link.lower, early)].entry(link.lower).or_default();
            lower.activate.push(link.link);
        }
        for link in &relink.links {
            let (Some(old), from) = (link.old, link.from) else { continue };
            if from != relink.subject {
                // Whoever loses the child stops sending to it: with the first group where it is not the parent above.
                let group = if from == relink.parent { 2 } else { group_of(from, true) };
                groups[group].entry(from).or_default().retire.push(old);
            }
        }
        if relink.removes
            && let Some(entry) = self.registry.get(relink.subject)
        {
            let above: &mut Switch = groups[2].entry(relink.parent).or_default();
            above.retire.push(entry.uplink);
            above.places = relink.places.clone();
        }
        groups.into_iter().filter(|group| !group.is_empty()).collect()
    }

    pub(super) fn switch_next(&mut self, op: u64) {
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        let epoch = relink.epoch;
        let Some(group) = relink.groups.pop_front() else { return self.drain(op) };
        let alive = |node: &NodeId| *node == CONTROL || self.newborn.contains_key(node) || self.registry.is_up(*node);
        let group: Vec<_> = group.into_iter().filter(|(node, _)| alive(node)).collect();
        relink.awaited = group.iter().map(|(node, _)| *node).collect();
        self.set_relink_deadline(op);
        for (node, Switch { activate, retire, places }) in group {
            self.say(node, ControlDown::Switch { epoch, activate, retire, places });
        }
        self.advance(op);
    }

    fn drain(&mut self, op: u64) {
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        if relink.stage != Stage::Switching {
            return;
        }
        relink.stage = Stage::Draining;
        let (epoch, parent, through) = (relink.epoch, relink.parent, relink.removes);
        let old = if through {
            self.registry.get(relink.subject).filter(|entry| entry.life == Life::Up).map(|entry| entry.uplink)
        } else {
            relink.links.iter().find_map(|link| link.old)
        };
        match old {
            Some(link) if parent == CONTROL || self.registry.is_up(parent) => {
                self.set_relink_deadline(op);
                self.say(parent, ControlDown::Drain { epoch, link, through });
            }
            _ => self.end_relink(op),
        }
    }

    pub(super) fn on_drained(&mut self, epoch: u64, parent: NodeId) {
        if let Some(op) = self.relink_of(epoch)
            && self.relinks.get(&op).is_some_and(|relink| relink.stage == Stage::Draining && relink.parent == parent)
        {
            self.end_relink(op);
        }
    }

    pub(super) fn end_relink(&mut self, op: u64) {
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        relink.stage = Stage::Ending;
        relink.awaited.clear();
        for made in &relink.links {
            self.new_links.remove(&made.link);
        }
        let (subject, parent, removes) = (relink.subject, relink.parent, relink.removes);
        let mut closing: BTreeMap<NodeId, Vec<LinkId>> = BTreeMap::new();
        let olds: Vec<_> =
            relink.links.iter().filter_map(|link| link.old.map(|old| (link.lower, link.from, old))).collect();
        let lowers: Vec<NodeId> = relink.links.iter().map(|link| link.lower).collect();
        let moved: Vec<NodeId> = lowers.iter().copied().chain(relink.places.iter().map(|(id, _)| *id)).collect();
        for (lower, from, old) in olds {
            closing.entry(lower).or_default().push(old);
            closing.entry(from).or_default().push(old);
        }
        if removes && let Some(entry) = self.registry.get(subject) {
            closing.entry(parent).or_default().push(entry.uplink);
        }
        closing.remove(&subject);
        for (node, links) in closing {
            if node == CONTROL || self.registry.is_up(node) {
                self.say(node, ControlDown::Unlink { links });
            }
        }
        if removes {
            self.end_removed_node(op, subject);
        } else {
            if let Some(relink) = self.relinks.remove(&op) {
                self.not_due(relink.deadline, Due::Relink(op));
            }
            self.finish_creation(op);
        }
        self.bury_below_dead(&lowers);
        // Their way is another one now; what was silent because of the old one is not any more.
        self.end_silence(&lowers);
        self.repeat_what_was_lost(&moved);
    }

    fn end_removed_node(&mut self, op: u64, subject: NodeId) {
        match self.registry.get(subject) {
            Some(entry) if entry.life == Life::Up => {
                let key = entry.key;
                self.effects.push(ControlEffect::Control(key, ControlDown::Stop));
                self.set_relink_deadline(op);
            }
            _ => self.removed(op),
        }
    }

    pub(super) fn removed(&mut self, op: u64) {
        let Some(relink) = self.relinks.remove(&op) else { return };
        self.not_due(relink.deadline, Due::Relink(op));
        self.fail_execs(relink.subject);
        self.fail_pings(relink.subject);
        self.registry.remove(relink.subject);
        self.answer(op, Outcome::Done);
        self.release(op);
    }

    /// Live nodes that have come to stand below one that died meanwhile share its fate.
    fn bury_below_dead(&mut self, moved: &[NodeId]) {
        for &node in moved {
            let above = self.topology.parent(node).unwrap_or(CONTROL);
            if self.registry.is_up(node) && above != CONTROL && !self.registry.is_up(above) {
                self.bury(node);
            }
        }
    }
}
