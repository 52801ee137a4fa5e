//! What stands for those at the other ends of sockets.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{self, Poll};

use actix::{Actor, ActorFuture, Addr, AsyncContext, Context, Handler};
use send_wrapper::SendWrapper;

use super::channel::Incoming;
use super::line::{Line, Sending};
use super::outbox::Outgoing;
use crate::actors::message::Side;
use crate::actors::{Door, End, Frame, FromNode, LinkEvent, LinkFrame};

/// The control node, as an actor: what is sent to its address is written to the socket. It ends, and with it the socket once
/// all is written, when nobody has its address any more.
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

impl Handler<FromNode> for Peer {
    type Result = ();

    /// The control node knows who is at the other end.
    fn handle(&mut self, FromNode { message, .. }: FromNode, _: &mut Self::Context) {
        self.0.put(&message);
    }
}

/// Whoever is at the other end of a link of the tree: what is put in here is written with the end of the turn, together with
/// all that is put in until then. No actor stands in between, whose mailbox would cost as much as the rest of the way.
///
/// It is used, and dropped, on the thread of the link only; addresses may go to others by their type.
pub(super) struct Way(SendWrapper<Sending>);

impl Way {
    pub(super) fn over(line: &Rc<Line>) -> Self {
        Self(SendWrapper::new(Sending(Rc::clone(line))))
    }
}

impl Door for Way {
    fn put(&self, frame: Frame) {
        if let LinkEvent::Envelope(envelope) = frame.event {
            let Sending(line) = &*self.0;
            line.send(envelope);
            line.flush_soon();
        }
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
    pub(super) hand: Box<dyn Fn(Frame)>,
    pub(super) line: Rc<Line>,
    pub(super) way_up: Rc<WayUp>,
}

/// Hands what comes over a link to the one at this end, and at last that it is closed. What comes from below is read
/// while there is room on the way up, if there is one.
pub(super) async fn deliver(Reading { mut incoming, to, hand, line, way_up }: Reading) {
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
        line.receive(frame, |envelope| hand(Frame { to, event: LinkEvent::Envelope(envelope) }));
    }
    tracing::debug!(link = to.link.0, "a link has ended");
    hand(Frame { to, event: LinkEvent::Closed });
}
