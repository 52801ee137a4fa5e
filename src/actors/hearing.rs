//! What the control node hears from nodes, over the links of the tree and on the control plane, and what it believes.

use super::control_io::ControlEffect;
use super::control_node::ControlNode;
use super::message::{ControlUp, Envelope, LinkId, NodeKey, Side};
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId};

impl ControlNode {
    pub(super) fn on_envelope(&mut self, link: LinkId, envelope: Envelope) {
        // Over a link that is closed comes what was on its way; it is repeated where it is wanted.
        let Some(&top) = self.own_links.get(&link) else { return };
        if !envelope.may_come_from(Side::Lower) {
            tracing::error!(node = top, %envelope, "a link is closed: this must not come over it");
            return self.on_own_link_closed(link);
        }
        match envelope {
            Envelope::Greeting => self.on_linked(link, CONTROL),
            Envelope::Reply { from, packet } => self.on_reply(from, *packet),
            Envelope::Pong { from, nonce } => self.on_pong(from, nonce),
            Envelope::WaveReply { wave, missing, last } => self.on_wave_reply(link, wave, missing, last),
            Envelope::ChildGone { child, link } => self.on_child_gone(child, link),
            Envelope::Marker { epoch, .. } => self.on_drained(epoch, CONTROL),
            // The way is being changed, or a death has not been reported yet: what was sent is repeated, or fails then.
            Envelope::Unroutable { .. } => {}
            Envelope::Request { .. } | Envelope::Ping { .. } | Envelope::Wave { .. } => {}
        }
    }

    /// Reads what a sign of life of each of these nodes makes it read: the memory answers for all of them at the same time.
    pub fn glance(&self, nodes: &[NodeId]) {
        let signs = nodes.iter().filter_map(|id| self.registry.get(*id)).map(|entry| entry.last_sign);
        std::hint::black_box(signs.fold(0, |read, sign| read ^ sign));
    }

    pub(super) fn on_node(&mut self, key: NodeKey, message: ControlUp) {
        self.heard_from(key);
        match message {
            ControlUp::Linked { link } => self.on_linked(link, key.id),
            ControlUp::Switched { epoch } => self.on_switched(epoch, key.id),
            ControlUp::Drained { epoch } => self.on_drained(epoch, key.id),
            ControlUp::LinkFailed { link } => self.on_link_failed(link, Some(key.id), "a node had no room for it"),
            ControlUp::Here { epoch }
                if is_planted(Bug::RequestOnTheControlPlane) && self.pings.contains_key(&epoch) =>
            {
                self.end_ping(epoch, true);
            }
            ControlUp::Here { epoch } => self.on_here(epoch, key.id),
            ControlUp::LinkEnded { link } => self.on_standby_ended(link),
            // Faults are the affair of the mode.
            ControlUp::Beat | ControlUp::FaultTaken { .. } | ControlUp::Happened { .. } => {}
        }
    }

    pub(super) fn on_own_link_closed(&mut self, link: LinkId) {
        self.effects.push(ControlEffect::Close(link));
        if let Some(id) = self.own_links.remove(&link) {
            self.on_standby_ended(link);
            if let Some(key) = self.newborn.get(&id).and_then(|op| self.creations.get(op)).map(|creation| creation.key)
            {
                self.newborn_lost(key, link);
            }
            if let Some(key) = self.registry.get(id).map(|entry| entry.key) {
                self.on_child_gone(key, link);
            }
        }
    }
}
