//! Nodes are killed: between two steps, or in the middle of one. Links end by themselves.

use std::ops::Range;

use super::ways::{Link, Parcel, Way};
use super::world::{World, is_sent};
use crate::actors::message::{ControlDown, Envelope, NodeKey, Side};
use crate::actors::{End, LinkFrame, NodeInput};

impl World {
    /// Somebody kills a node.
    pub(super) fn strike(&mut self, key: NodeKey) {
        self.left.kills -= 1;
        self.judged(|judge, control| judge.struck(key, control));
        self.end(key);
    }

    /// The ends of links that may find that their link is over: the node below has sent something over it.
    pub(super) fn breakable(&self) -> impl Iterator<Item = End> + '_ {
        let knows = |link: &&Link| {
            let lower = link.at(Side::Lower).and_then(|key| self.node(key));
            lower.is_some_and(|lower| lower.node.it.table().open.contains(&link.id))
        };
        let ends = |link: &Link| [Side::Upper, Side::Lower].map(|side| link.end(side));
        self.links.iter().filter(|link| link.at(Side::Upper).is_some()).filter(knows).flat_map(ends)
    }

    /// What is on its way there is lost. The node below may not live on.
    pub(super) fn break_at(&mut self, end: End) {
        self.left.breaks -= 1;
        let Some(lower) = self.link(end.link).and_then(|link| link.at(Side::Lower)) else { return };
        self.judged(|judge, control| judge.struck(lower, control));
        self.flying.forget(Way::Link(end));
        self.flying.send(Way::Link(end), Parcel::Closed);
    }

    /// How a node may be cut short that takes what is first on this way: when it has sent how much of what it then sends.
    /// To be killed before it takes it, or when all is sent, are steps of their own.
    pub(super) fn cuts(&self, way: Way) -> Range<usize> {
        let key = match way {
            Way::Down(key) => Some(key),
            Way::Link(to) => self.link(to.link).and_then(|link| link.at(to.side)),
            Way::Up(_) | Way::Kernel => None,
        };
        let Some((node, parcel)) = key.and_then(|key| self.node(key)).zip(self.flying.first(way)) else { return 0..0 };
        let Some((input, takes_effect)) = input_with_several_answers(node.key, way, parcel) else { return 0..0 };
        let done = self.machines.node(&node.node, self.now, input);
        let sent = done.effects.iter().filter(|effect| is_sent(effect)).count();
        usize::from(!takes_effect)..sent
    }
}

/// What a node takes, if it may send several things then or take effect: and whether the latter.
fn input_with_several_answers(at: NodeKey, way: Way, parcel: &Parcel) -> Option<(NodeInput, bool)> {
    match (way, parcel) {
        (Way::Down(_), Parcel::Down(message @ ControlDown::Link { .. })) => {
            Some((NodeInput::Control(message.clone()), false))
        }
        (Way::Link(to), Parcel::Closed) => Some((NodeInput::Closed(to.link), false)),
        (Way::Link(to), Parcel::Frame(frame)) => {
            let envelope = match frame {
                LinkFrame::Envelope(envelope) => envelope,
                LinkFrame::Packet(packet) => &packet.segment.as_ref()?.1,
            };
            let takes_effect = matches!(envelope, Envelope::Request { to, .. } if *to == at);
            let is_passed_down = matches!(envelope, Envelope::Wave { .. } | Envelope::Marker { .. });
            (takes_effect || is_passed_down).then(|| (NodeInput::Envelope(to.link, envelope.clone()), takes_effect))
        }
        _ => None,
    }
}
