//! How nodes of an in-process system begin, stop, go on and end.

use std::sync::Arc;

use super::turns::{GONE_AT_ONCE, NOBODY};
use super::{Carrier, Local, LocalNode, Parcel};
use crate::actors::message::{NodeKey, NodeSpec, Side};
use crate::actors::{ComputingNode, ControlInput, End, Gate, NodeActor, NodeLife, NodeMail, SmallMap};
use crate::trace::What;

impl<C: Carrier> Local<C> {
    pub(super) fn start(&self, spec: &NodeSpec) {
        let Some(this) = self.this.upgrade() else { return };
        let pid = self.next_pid.replace(self.next_pid.get() + 1);
        let key = spec.key;
        self.trace.add(self.carrier.now(), || What::Started { node: key.id, incarnation: key.incarnation, pid });
        let ahead = self.faults.born(key);
        let node = ComputingNode::new(self.carrier.now() + ahead, spec, (self.make_executor)());
        let gate = Gate::default();
        let (life, mail) = NodeLife::new(NodeActor::new(node, this, gate.clone()).with_clock_ahead(ahead));
        self.turns.begin(key.incarnation, life);
        let (mail, ends) = (Arc::new(mail), SmallMap::default());
        self.nodes.borrow_mut().insert(key.incarnation, LocalNode { key, mail, gate, ends });
        self.input(ControlInput::Started(key, pid));
    }

    /// Ends a node as SIGKILL does: what it sent before still arrives, then its links end, with
    /// [`end_links`](Self::end_links).
    pub(super) fn kill(&self, key: NodeKey) {
        let Some(node) = self.nodes.borrow_mut().remove(key.incarnation) else { return };
        self.trace.add(self.carrier.now(), || What::Ended { node: key.id, incarnation: key.incarnation });
        self.faults.died(key);
        if !self.turns.end(key.incarnation) {
            node.gate.kill();
        }
        self.ended.borrow_mut().push(node);
    }

    /// The links of nodes that have ended end.
    pub(super) fn end_links(&self) {
        let ended = self.ended.take();
        if ended.is_empty() {
            return;
        }
        let ends = |side| {
            let all = ended.iter().flat_map(|node| node.ends.iter()).map(|(end, ())| end.end());
            all.filter(move |end| end.side == side)
        };
        let mut links = self.links.borrow_mut();
        for End { link, side } in ends(Side::Lower) {
            if let Some(link) = links.get_mut(link.0) {
                link.ends[side as usize] = NOBODY;
            }
        }
        drop(links);
        ends(Side::Upper).chain(ends(Side::Lower)).for_each(|end| self.close_end(end));
        self.carrier.carry(Parcel::Deaths(ended.iter().map(|node| node.key).collect()));
        self.graves.borrow_mut().extend(ended);
    }

    /// Gives back the memory of some nodes that have ended: whoever has killed very many need not wait for that.
    pub(super) fn clear_away(&self) {
        // An address that outlives its mailbox wakes nobody when it goes.
        if !self.turns.clear_away() {
            let mut graves = self.graves.borrow_mut();
            match graves.len().saturating_sub(GONE_AT_ONCE) {
                0 => drop(std::mem::take(&mut *graves)),
                rest => graves.truncate(rest),
            }
        }
    }

    pub(super) fn stop(&self, key: NodeKey) {
        if let Some(node) = self.nodes.borrow().get(key.incarnation) {
            node.gate.stop();
            self.trace.add(self.carrier.now(), || What::Stopped { node: key.id });
        }
        self.input(ControlInput::Stopped(key));
    }

    pub(super) fn go_on(&self, key: NodeKey) {
        if let Some(node) = self.nodes.borrow().get(key.incarnation) {
            node.gate.go_on();
            self.trace.add(self.carrier.now(), || What::Continued { node: key.id });
            node.mail.do_send(NodeMail::GateMoved);
        }
        self.input(ControlInput::Continued(key));
    }
}
