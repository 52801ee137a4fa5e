//! What stands between the nodes of an in-process system where something has to look at what they send.

use std::collections::BTreeSet;
use std::rc::Weak;
use std::sync::Arc;

use actix::{Actor, Context, Handler};

use super::{Carrier, Local, Parcel};
use crate::actors::{Address, ControlMail, Frame, FromNode, NodeMail};

/// What stands behind the addresses of nodes where somebody looks at what they send.
pub(in crate::modes) struct Network<C: Carrier>(pub(in crate::modes) Weak<Local<C>>);

impl<C: Carrier> Actor for Network<C> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(usize::MAX >> 8);
    }
}

impl<C: Carrier> Handler<Frame> for Network<C> {
    type Result = ();

    fn handle(&mut self, frame: Frame, _: &mut Self::Context) {
        if let Some(local) = self.0.upgrade() {
            local.send(frame);
        }
    }
}

impl<C: Carrier> Handler<FromNode> for Network<C> {
    type Result = ();

    fn handle(&mut self, message: FromNode, _: &mut Self::Context) {
        if let Some(local) = self.0.upgrade() {
            local.carrier.carry(Parcel::FromNode(message));
        }
    }
}

impl<C: Carrier> Local<C> {
    /// From now on something looks at what nodes send. What they have sent is in the mailboxes already.
    pub(super) fn send_through_the_network(&self) {
        if self.network.borrow().is_some() {
            return;
        }
        let network: Address = Arc::new(Network(self.this.clone()).start().recipient());
        *self.network.borrow_mut() = Some(Arc::clone(&network));
        if let Some(control) = &mut *self.control.borrow_mut() {
            control.link = Arc::clone(&network);
            control.mail.do_send(ControlMail::SendThrough(Arc::clone(&network)));
        }
        let mut nodes = self.nodes.borrow_mut();
        let all: BTreeSet<u64> = self.ends.borrow().iter().map(|(key, _)| *key).collect();
        for key in all {
            if let Some(node) = nodes.get_mut(&key) {
                node.link = Arc::clone(&network);
                node.mail.do_send(NodeMail::SendThrough(Arc::clone(&network)));
            }
        }
    }
}
