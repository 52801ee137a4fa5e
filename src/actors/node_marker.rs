//! The markers of a re-link at a node: they show that a way is empty.

use std::collections::BTreeSet;

use super::computing_node::{ComputingNode, NodeEffect};
use super::message::{ControlUp, Envelope, LinkId, Side};

/// A marker that visits the links below before it goes back.
pub(super) struct Visit {
    epoch: u64,
    back_to: LinkId,
    awaited: BTreeSet<LinkId>,
}

impl ComputingNode {
    pub(super) fn on_marker(&mut self, link: LinkId, epoch: u64, through: bool) {
        if self.draining == Some((epoch, link)) {
            self.draining = None;
            self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
        } else if self.visit.as_ref().is_some_and(|visit| visit.epoch == epoch && visit.awaited.contains(&link)) {
            self.visited(link);
        } else if self.open_links.get(&link) != Some(&Side::Upper) {
            // From below comes nothing but what we have sent there. This one is late: nobody waits for it any more.
        } else if through {
            let awaited = self.links_down();
            let down = |&link: &LinkId| NodeEffect::Send(link, Envelope::Marker { epoch, through: false });
            self.effects.extend(awaited.iter().map(down));
            self.visit = Some(Box::new(Visit { epoch, back_to: link, awaited }));
            self.end_of_visit();
        } else {
            self.effects.push(NodeEffect::Send(link, Envelope::Marker { epoch, through }));
        }
    }

    pub(super) fn visited(&mut self, link: LinkId) {
        if let Some(visit) = &mut self.visit {
            visit.awaited.remove(&link);
            self.end_of_visit();
        }
    }

    fn end_of_visit(&mut self) {
        if let Some(visit) = self.visit.take_if(|visit| visit.awaited.is_empty())
            && self.open_links.contains_key(&visit.back_to)
        {
            let marker = Envelope::Marker { epoch: visit.epoch, through: true };
            self.effects.push(NodeEffect::Send(visit.back_to, marker));
        }
    }
}
