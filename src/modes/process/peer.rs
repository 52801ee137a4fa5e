//! The one at the other end of a socket, as an actor: what is sent to its address is written to the socket.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{self, Poll};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context, Handler, Recipient};

use super::channel::Incoming;
use super::outbox::{Outbox, Outgoing};
use crate::actors::message::{Envelope, Side};
use crate::actors::{End, Frame, FromNode, LinkEvent};

/// It ends, and with it the socket once all is written, when nobody has its address any more.
pub(super) struct Peer(Outgoing);

impl Peer {
    pub(super) fn start(outgoing: Outgoing) -> Addr<Self> {
        Actor::start(Self(outgoing))
    }
}

impl Actor for Peer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // What is in it is soon in the outbox, which has a bound; a refusal would lose it.
        context.set_mailbox_capacity(usize::MAX >> 8);
        context.spawn(EndOfTurn);
    }
}

/// What the peer does each time when its mailbox is empty: it writes all that it was sent, at once.
struct EndOfTurn;

impl ActorFuture<Peer> for EndOfTurn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, peer: &mut Peer, context: &mut Context<Peer>, _: &mut task::Context<'_>) -> Poll<()> {
        peer.0.flush();
        // Nobody has its address any more: nothing comes.
        if context.connected() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Handler<Frame> for Peer {
    type Result = ();

    fn handle(&mut self, frame: Frame, _: &mut Self::Context) {
        if let LinkEvent::Envelope(envelope) = frame.event {
            self.0.put(&envelope);
        }
    }
}

impl Handler<FromNode> for Peer {
    type Result = ();

    /// The control node knows who is at the other end.
    fn handle(&mut self, FromNode { message, .. }: FromNode, _: &mut Self::Context) {
        self.0.put(&message);
    }
}

/// The way up from a node: to whom what comes from below is passed on.
#[derive(Default)]
pub(super) struct WayUp(RefCell<Weak<Outbox>>);

impl WayUp {
    /// The node has a new parent.
    pub(super) fn lead_through(&self, outbox: &Rc<Outbox>) {
        *self.0.borrow_mut() = Rc::downgrade(outbox);
    }

    /// What cannot be passed on is not read: so it waits with its source, and not here.
    async fn has_room(&self) {
        let outbox = self.0.borrow().upgrade();
        if let Some(outbox) = outbox {
            outbox.has_room().await;
        }
    }
}

/// Hands what comes over a link to the one at this end, and at last that it is closed. What comes from below is read
/// while there is room on the way up, if there is one.
pub(super) async fn deliver(mut incoming: Incoming, to: End, reader: Recipient<Frame>, way_up: Rc<WayUp>) {
    while let Some(envelope) = incoming.next::<Envelope>().await {
        if incoming.descriptor().is_some() {
            tracing::error!(link = to.link.0, "a link is closed: a descriptor has come that nobody asked for");
            break;
        }
        if to.side == Side::Upper {
            way_up.has_room().await;
        }
        reader.do_send(Frame { to, event: LinkEvent::Envelope(envelope) });
    }
    tracing::debug!(link = to.link.0, "a link has ended");
    reader.do_send(Frame { to, event: LinkEvent::Closed });
}
