//! The one at the other end of a socket, as an actor: what is sent to its address is written to the socket.

use std::pin::Pin;
use std::task::{self, Poll};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context, Handler, Recipient};

use super::channel::{Incoming, Outgoing};
use crate::actors::message::Envelope;
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

/// Hands what comes over a link to the one at this end, and at last that it is closed.
pub(super) async fn deliver(mut incoming: Incoming, to: End, reader: Recipient<Frame>) {
    while let Some(envelope) = incoming.next::<Envelope>().await {
        reader.do_send(Frame { to, event: LinkEvent::Envelope(envelope) });
    }
    reader.do_send(Frame { to, event: LinkEvent::Closed });
}
