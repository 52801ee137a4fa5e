//! The one at the other end of a socket, as an actor: what is sent to its address is written to the socket.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{self, Poll};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context, Handler, Recipient};

use super::channel::Incoming;
use super::line::{Line, Sending};
use super::outbox::Outgoing;
use crate::actors::message::Side;
use crate::actors::{End, Frame, FromNode, LinkEvent, LinkFrame};

/// It ends, and with it the socket once all is written, when nobody has its address any more.
pub(super) struct Peer<W: Writer>(W);

/// What a peer is reached through.
pub(super) trait Writer: Unpin + 'static {
    /// Writes what waits, as far as there is room.
    fn flush(&self);
}

impl Writer for Outgoing {
    fn flush(&self) {
        self.flush();
    }
}

impl Writer for Sending {
    fn flush(&self) {
        self.0.flush();
    }
}

impl<W: Writer> Peer<W> {
    pub(super) fn start(writer: W) -> Addr<Self> {
        Actor::start(Self(writer))
    }
}

impl<W: Writer> Actor for Peer<W> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // What is in it is soon in the outbox, which has a bound; a refusal would lose it.
        context.set_mailbox_capacity(usize::MAX >> 8);
        context.spawn(EndOfTurn);
    }
}

/// What the peer does each time when its mailbox is empty: it writes all that it was sent, at once.
struct EndOfTurn;

impl<W: Writer> ActorFuture<Peer<W>> for EndOfTurn {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        peer: &mut Peer<W>,
        context: &mut Context<Peer<W>>,
        _: &mut task::Context<'_>,
    ) -> Poll<()> {
        peer.0.flush();
        // Nobody has its address any more: nothing comes.
        if context.connected() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Handler<Frame> for Peer<Sending> {
    type Result = ();

    fn handle(&mut self, frame: Frame, _: &mut Self::Context) {
        if let LinkEvent::Envelope(envelope) = frame.event {
            self.0.0.send(envelope);
        }
    }
}

impl Handler<FromNode> for Peer<Outgoing> {
    type Result = ();

    /// The control node knows who is at the other end.
    fn handle(&mut self, FromNode { message, .. }: FromNode, _: &mut Self::Context) {
        self.0.put(&message);
    }
}

/// The way up from a node: to whom what comes from below is passed on.
#[derive(Default)]
pub(super) struct WayUp(RefCell<Weak<Line>>);

impl WayUp {
    /// The node has a new parent.
    pub(super) fn lead_through(&self, line: &Rc<Line>) {
        *self.0.borrow_mut() = Rc::downgrade(line);
    }

    /// What cannot be passed on is not read: so it waits with its source, and not here.
    async fn has_room(&self) {
        let line = self.0.borrow().upgrade();
        if let Some(line) = line {
            line.has_room().await;
        }
    }
}

/// What reads a link for the one at this end.
pub(super) struct Reading {
    pub(super) incoming: Incoming,
    pub(super) to: End,
    pub(super) reader: Recipient<Frame>,
    pub(super) line: Rc<Line>,
    pub(super) way_up: Rc<WayUp>,
}

/// Hands what comes over a link to the one at this end, and at last that it is closed. What comes from below is read
/// while there is room on the way up, if there is one.
pub(super) async fn deliver(Reading { mut incoming, to, reader, line, way_up }: Reading) {
    while let Some(frame) = incoming.next::<LinkFrame>().await {
        if incoming.descriptor().is_some() {
            tracing::error!(link = to.link.0, "a link is closed: a descriptor has come that nobody asked for");
            break;
        }
        if line.came_damaged() {
            tracing::error!(link = to.link.0, "a link is closed: a fault has damaged what has come");
            break;
        }
        if to.side == Side::Upper {
            way_up.has_room().await;
        }
        line.receive(frame, |envelope| reader.do_send(Frame { to, event: LinkEvent::Envelope(envelope) }));
    }
    tracing::debug!(link = to.link.0, "a link has ended");
    reader.do_send(Frame { to, event: LinkEvent::Closed });
}
