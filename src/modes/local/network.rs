//! What stands between the nodes of an in-process system where something has to look at what they send.

use std::sync::Arc;

use super::turns::Sent;
use super::{Carrier, Local, Parcel};
use crate::actors::{Address, ControlMail, NodeMail};

impl<C: Carrier> Local<C> {
    /// Carries what was sent to the network since the last time, in order.
    pub(in crate::modes) fn carry_sent(&self) {
        if self.network.borrow().is_none() {
            return;
        }
        for sent in self.turns.take_sent() {
            match sent {
                Sent::Frame(frame) => self.send(frame),
                Sent::FromNode(message) => self.carrier.carry(Parcel::FromNode(message)),
            }
        }
    }

    /// From now on something looks at what nodes send. What they have sent is in the mailboxes already.
    pub(super) fn send_through_the_network(&self) {
        if self.network.borrow().is_some() {
            return;
        }
        let network = self.turns.network();
        *self.network.borrow_mut() = Some(Arc::clone(&network));
        let network: Address = network;
        if let Some(control) = &*self.control.borrow() {
            control.do_send(ControlMail::SendThrough(Arc::clone(&network)));
        }
        for node in self.nodes.borrow().iter() {
            node.mail.do_send(NodeMail::SendThrough(Arc::clone(&network)));
        }
    }
}
