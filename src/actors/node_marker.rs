//! The markers of a re-link at a node: they show that a way is empty.

use std::collections::BTreeSet;

use super::computing_node::{ComputingNode, NodeEffect};
use super::message::{ControlUp, Envelope, LinkId, Side};
use super::node_links::Changing;

/// A marker that visits the links below before it goes back.
#[derive(Clone, Hash)]
pub(super) struct Visit {
    epoch: u64,
    back_to: LinkId,
    awaited: BTreeSet<LinkId>,
}

impl ComputingNode {
    pub(super) fn on_marker(&mut self, link: LinkId, epoch: u64, through: bool) {
        let (draining, is_visit) = self.links.changing().map_or((None, false), |changing| {
            let visit = changing.visit.as_ref();
            (changing.draining, visit.is_some_and(|visit| visit.epoch == epoch && visit.awaited.contains(&link)))
        });
        if draining == Some((epoch, link)) {
            self.links.change(|changing| changing.draining = None);
            self.effects.push(NodeEffect::Control(ControlUp::Drained { epoch }));
        } else if is_visit {
            self.visited(link);
        } else if self.links.far_side(link) != Some(Side::Upper) {
            // From below comes nothing but what we have sent there. This one is late: nobody waits for it any more.
        } else if through {
            let awaited: BTreeSet<LinkId> = self.links.children.iter().map(|child| child.link).collect();
            let down = |&link: &LinkId| NodeEffect::Send(link, Envelope::Marker { epoch, through: false });
            self.effects.extend(awaited.iter().map(down));
            self.links.change(|changing| changing.visit = Some(Visit { epoch, back_to: link, awaited }));
            self.end_of_visit();
        } else {
            self.effects.push(NodeEffect::Send(link, Envelope::Marker { epoch, through }));
        }
    }

    pub(super) fn visited(&mut self, link: LinkId) {
        let was_awaited = self
            .links
            .change_if_any(|changing| changing.visit.as_mut().is_some_and(|visit| visit.awaited.remove(&link)));
        if was_awaited {
            self.end_of_visit();
        }
    }

    fn end_of_visit(&mut self) {
        let over = |changing: &mut Changing| changing.visit.take_if(|visit| visit.awaited.is_empty());
        if let Some(visit) = self.links.change_if_any(over)
            && self.links.far_side(visit.back_to).is_some()
        {
            let marker = Envelope::Marker { epoch: visit.epoch, through: true };
            self.effects.push(NodeEffect::Send(visit.back_to, marker));
        }
    }
}
