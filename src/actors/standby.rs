//! A link that a re-link has made ends by itself before it is used: a frame on it was damaged, or a node is gone.

use std::collections::BTreeSet;

use super::control_node::ControlNode;
use super::message::{ControlDown, LinkId};
use super::relink::{Relink, Stage};
use crate::commands::Refusal;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId};

/// So often the links of one re-link are made; who closes more of them is not asked again.
const MOST_ATTEMPTS: u8 = 8;

impl ControlNode {
    /// One of its ends says so, or it was our own. Before a switch is ordered the links are made once more: nothing has
    /// changed. From then on there is no other way to the node below: it ends, as with any link that is in use.
    pub(super) fn on_standby_ended(&mut self, link: LinkId) {
        let Some(&op) = self.new_links.get(&link) else { return };
        let Some((relink, new)) = self.relinks.get(&op).and_then(|relink| Some((relink, relink.made(link)?))) else {
            return;
        };
        let (stage, lower, is_newborn) = (relink.stage, new.lower, !relink.removes && new.lower == relink.subject);
        match stage {
            Stage::Preparing if relink.attempts < MOST_ATTEMPTS => self.ask_again(op),
            Stage::Preparing if is_newborn => self.refuse_relink(op, Refusal::ParentUnavailable),
            Stage::Preparing => self.refuse_relink(op, Refusal::NodeInTheWay(lower)),
            Stage::Switching | Stage::Draining if is_newborn => self.newborn_died(op, lower),
            Stage::Switching | Stage::Draining => self.bury(lower),
            Stage::Asking | Stage::Ending => {}
        }
    }

    /// Whoever is at an end of the new links is asked whether he is there: a death may be the reason, and not be known yet.
    fn ask_again(&mut self, op: u64) {
        self.drop_new_links(op);
        let Some(relink) = self.relinks.get_mut(&op) else { return };
        let ends: BTreeSet<NodeId> = relink.links.iter().flat_map(|link| [link.upper, link.lower]).collect();
        relink.links.iter_mut().for_each(|link| link.link = LinkId(0));
        relink.attempts += 1;
        relink.stage = Stage::Asking;
        relink.awaited.clone_from(&ends);
        relink.awaited_links.clear();
        let epoch = relink.epoch;
        self.set_relink_deadline(op);
        for node in ends {
            self.say(node, ControlDown::Ask { epoch });
        }
    }

    /// The links that a re-link has made go, at both ends.
    pub(super) fn drop_new_links(&mut self, op: u64) {
        let made = |relink: &Relink| {
            let made = relink.links.iter().filter(|link| link.link != LinkId(0));
            made.map(|link| (link.link, [link.upper, link.lower])).collect::<Vec<_>>()
        };
        for (link, ends) in self.relinks.get(&op).map(made).unwrap_or_default() {
            self.new_links.remove(&link);
            for node in ends {
                let is_there = node == CONTROL || self.newborn.contains_key(&node) || self.registry.is_up(node);
                if is_there && !is_planted(Bug::UndoLeavesLinks) {
                    self.say(node, ControlDown::Unlink { links: vec![link] });
                }
            }
        }
    }
}
