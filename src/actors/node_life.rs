//! What a node's actor lives in: its mailbox and its context. actix's own have room for futures, timers and streams; a node
//! has none of these, and a large tree has very many nodes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix::dev::channel::{AddressReceiver, channel};
use actix::dev::{Envelope as Letter, EnvelopeProxy, Stream, ToEnvelope};
use actix::{ActorContext, ActorState, Addr, Handler, Message};
use tokio::sync::oneshot::Sender;

use super::message::LinkId;
use super::node_actor::NodeActor;

/// The bounds are those of the sessions; a mailbox that refuses would lose what they count on.
const UNBOUNDED: usize = usize::MAX >> 8;

/// Whether the actor of a node goes on.
#[derive(Debug, Default)]
pub struct NodeContext {
    is_over: bool,
}

impl ActorContext for NodeContext {
    fn stop(&mut self) {
        self.is_over = true;
    }

    fn terminate(&mut self) {
        self.is_over = true;
    }

    fn state(&self) -> ActorState {
        if self.is_over { ActorState::Stopped } else { ActorState::Running }
    }
}

/// A message in the mailbox. Nobody waits for an answer to it.
struct Sealed<M>(Option<M>);

impl<M: Message<Result = ()>> EnvelopeProxy<NodeActor> for Sealed<M>
where
    NodeActor: Handler<M, Result = ()>,
{
    fn handle(&mut self, actor: &mut NodeActor, context: &mut NodeContext) {
        if let Some(message) = self.0.take() {
            actor.handle(message, context);
        }
    }
}

impl<M: Message<Result = ()> + Send + 'static> ToEnvelope<NodeActor, M> for NodeContext
where
    NodeActor: Handler<M, Result = ()>,
{
    fn pack(message: M, _: Option<Sender<()>>) -> Letter<NodeActor> {
        Letter::with_proxy(Box::new(Sealed(Some(message))))
    }
}

/// A node's actor with its mailbox: it takes whatever is there with each turn, until the node has ended or nobody knows its
/// address any more.
pub struct NodeLife {
    actor: NodeActor,
    context: NodeContext,
    has_begun: bool,
    mailbox: AddressReceiver<NodeActor>,
}

impl NodeLife {
    /// The actor with a mailbox, and its address. Whoever has it gives it turns.
    pub fn new(actor: NodeActor) -> (Self, Addr<NodeActor>) {
        let (sender, mailbox) = channel(UNBOUNDED);
        (Self { actor, context: NodeContext::default(), has_begun: false, mailbox }, Addr::new(sender))
    }

    /// Reads what the next message will make the actor read, so that it comes into the cache. Whoever knows which nodes have
    /// their turns next glances at several of them, and then [further](Self::glance_further): the memory answers them all in
    /// the time that one takes. What it gives back says only that all has been read.
    ///
    /// It takes no way that depends on what it reads: a processor that has guessed such a way wrongly begins again.
    pub fn glance(&self) -> u64 {
        self.actor.glance()
    }

    /// Reads what the actor has elsewhere; the link to its first child comes out, too.
    pub fn glance_further(&self) -> (Option<LinkId>, u64) {
        self.actor.glance_further()
    }

    /// The actor takes a message that has not been in its mailbox, where nothing waits; false when it has ended.
    pub fn take<M>(&mut self, message: M) -> bool
    where
        M: Message<Result = ()>,
        NodeActor: Handler<M, Result = ()>,
    {
        self.actor.handle(message, &mut self.context);
        !self.context.is_over
    }
}

impl Future for NodeLife {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.has_begun {
            this.has_begun = true;
            this.actor.begin(&mut this.context);
        }
        while !this.context.is_over {
            match Pin::new(&mut this.mailbox).poll_next(task) {
                Poll::Ready(Some(mut letter)) => letter.handle(&mut this.actor, &mut this.context),
                Poll::Pending if this.mailbox.connected() => return Poll::Pending,
                _ => break,
            }
        }
        Poll::Ready(())
    }
}
