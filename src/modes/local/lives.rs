//! How nodes of an in-process system begin, stop, go on and end.

use std::sync::Arc;

use super::{Carrier, Local, LocalNode};
use crate::actors::message::{NodeKey, NodeSpec};
use crate::actors::{ComputingNode, ControlInput, Gate, NodeActor, NodeLife, NodeMail, SmallMap};
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
        node.gate.kill();
        self.turns.end(key.incarnation);
        self.ended.borrow_mut().push((key, node.ends));
    }

    /// The links of nodes that have ended end.
    pub(super) fn end_links(&self) {
        if self.ended.borrow().is_empty() {
            return;
        }
        for (key, ends) in self.ended.take() {
            ends.iter().for_each(|(end, ())| self.close_end(end.end()));
            self.input(ControlInput::Died(key));
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
