//! The thin actix shell around a computing node: it holds the addresses, and performs the node's effects.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use actix::dev::ToEnvelope;
use actix::{Actor, ActorContext, Addr, Handler, Message};

use super::computing_node::{ComputingNode, NodeEffect, NodeInput};
use super::execution::{LongJob, LongResult};
use super::message::{ControlDown, ControlUp, Envelope, LinkId, Nanos, NodeKey, Role, Side};
use super::node_life::NodeContext;
use super::small_map::SmallMap;

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The link.
    pub link: LinkId,
    /// Which of its ends.
    pub side: Side,
}

/// Takes what comes out of links.
pub trait Door: Send + Sync {
    /// Takes it; it is dealt with later.
    fn put(&self, frame: Frame);
}

impl<A: Actor + Handler<Frame>> Door for Addr<A>
where
    A::Context: ToEnvelope<A, Frame>,
{
    fn put(&self, frame: Frame) {
        self.do_send(frame);
    }
}

/// The address of whoever is at the other end of a link; all who have a link to him share it.
pub type Address = Arc<dyn Door>;

/// What comes out of a link at one of its ends.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Frame {
    /// Where it comes out.
    pub to: End,
    /// What it is.
    pub event: LinkEvent,
}

/// What a link does at one of its ends.
#[derive(Debug)]
pub enum LinkEvent {
    /// It brings an envelope.
    Envelope(Envelope),
    /// It has ended; nothing comes any more.
    Closed,
}

/// What a node says on the control plane.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FromNode {
    /// Who says it.
    pub from: NodeKey,
    /// What it says.
    pub message: ControlUp,
}

/// What comes to a node otherwise than over its links.
#[derive(Message)]
#[rtype(result = "()")]
pub enum NodeMail {
    /// The control node says something; where it speaks of a new link, with the address of the other end.
    Control(ControlDown, Option<Address>),
    /// A long job has ended.
    LongDone(LongResult),
    /// A moment that the node asked for has come.
    Wake,
    /// The gate has been opened or closed for good.
    GateMoved,
}

/// Whether anything of a node is to be seen. A mode sets it from outside, as the kernel does with a process.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicU8>);

impl Gate {
    const RUNNING: u8 = 0;
    const STOPPED: u8 = 1;
    const DEAD: u8 = 2;

    /// As by SIGSTOP: what comes is kept until the node goes on.
    pub fn stop(&self) {
        self.0.fetch_or(Self::STOPPED, Ordering::Release);
    }

    /// As by SIGCONT; the node must then be told [`NodeMail::GateMoved`].
    pub fn go_on(&self) {
        self.0.fetch_and(!Self::STOPPED, Ordering::Release);
    }

    /// As by SIGKILL: nothing of the node is seen from now on, whatever waits in its mailbox.
    pub fn kill(&self) {
        self.0.fetch_or(Self::DEAD, Ordering::Release);
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

/// What a mode does for the nodes on one arbiter.
pub trait NodeHost {
    /// The time on the mode's monotonic clock.
    fn now(&self) -> Nanos;
    /// Sends [`NodeMail::Wake`] at that time.
    fn wake_at(&self, node: NodeKey, at: Nanos);
    /// The node says something on the control plane.
    fn say(&self, message: FromNode);
    /// The node has closed its end of a link.
    fn close(&self, node: NodeKey, end: End);
    /// Runs a job that takes long and sends [`NodeMail::LongDone`].
    fn run_long(&self, node: NodeKey, job: LongJob);
    /// The node has ended: in order, or because its command set panicked.
    fn ended(&self, node: NodeKey);
    /// An envelope has come to a node.
    fn delivered(&self, _to: NodeKey, _link: LinkId, _envelope: &Envelope) {}
    /// The node is about to take something; false when it cannot, because it has just been stopped or killed. What panics
    /// here is a panic of the node.
    fn before(&self, _node: NodeKey, _input: &NodeInput) -> bool {
        true
    }
    /// The node has taken it; false when what it wants done cannot be done now, for the same reason.
    fn applied(&self, _node: NodeKey) -> bool {
        true
    }
    /// The node has taken it, and what it wanted done is being done. What panics here is a panic of the node.
    fn after(&self, _node: NodeKey) {}
}

enum Mail {
    Frame(Frame),
    Other(NodeMail),
    /// What the node was about to take when it was stopped.
    Input(NodeInput),
}

/// A computing node as an actor: its state machine, and the addresses of its parent and its children.
pub struct NodeActor {
    node: ComputingNode,
    parent: Option<(LinkId, Address)>,
    others: SmallMap<LinkId, (Side, Address)>,
    host: Rc<dyn NodeHost>,
    gate: Gate,
    /// What has come while it was stopped.
    #[expect(clippy::box_collection, reason = "a large tree has very many nodes, and hardly one that is stopped")]
    stash: Option<Box<VecDeque<Mail>>>,
    /// By how much its clock is ahead of the others'.
    ahead: Nanos,
}

impl NodeActor {
    /// The actor of a node.
    pub fn new(node: ComputingNode, host: Rc<dyn NodeHost>, gate: Gate) -> Self {
        Self { node, parent: None, others: SmallMap::default(), host, gate, stash: None, ahead: 0 }
    }

    /// The same, with a clock that is so much ahead.
    #[must_use]
    pub fn with_clock_ahead(self, ahead: Nanos) -> Self {
        Self { ahead, ..self }
    }

    /// See [`NodeLife::glance`](super::NodeLife::glance).
    pub(super) fn glance(&self) -> u64 {
        let few =
            u64::from(self.others.is_empty()) ^ u64::from(self.parent.is_some()) ^ u64::from(self.stash.is_some());
        few ^ self.node.glance() ^ u64::from(self.gate.state())
    }

    /// See [`NodeLife::glance_further`](super::NodeLife::glance_further).
    pub(super) fn glance_further(&self) -> (Option<LinkId>, u64) {
        let other = self.others.iter().next().map_or(0, |(link, _)| link.0);
        let (child, read) = self.node.glance_further();
        (child, read ^ other)
    }

    /// What a new node wants done.
    pub(super) fn begin(&mut self, context: &mut NodeContext) {
        self.perform(context);
    }

    fn on_mail(&mut self, mail: Mail, context: &mut NodeContext) {
        match self.gate.state() {
            Gate::RUNNING if self.stash.is_none() => self.take(mail, context),
            Gate::RUNNING => {
                self.stash.get_or_insert_default().push_back(mail);
                // What it takes may stop it again.
                while self.gate.state() == Gate::RUNNING
                    && let Some(earlier) = self.stash.as_mut().and_then(|stash| stash.pop_front())
                {
                    self.take(earlier, context);
                }
                self.stash.take_if(|stash| stash.is_empty());
            }
            Gate::STOPPED => self.stash.get_or_insert_default().push_back(mail),
            _ => context.stop(),
        }
    }

    fn take(&mut self, mail: Mail, context: &mut NodeContext) {
        let input = match mail {
            Mail::Frame(Frame { to, event: LinkEvent::Envelope(envelope) }) => {
                self.host.delivered(self.node.key(), to.link, &envelope);
                NodeInput::Envelope(to.link, envelope)
            }
            Mail::Frame(Frame { to, event: LinkEvent::Closed }) => NodeInput::Closed(to.link),
            Mail::Other(NodeMail::Control(message, address)) => {
                self.learn(&message, address);
                NodeInput::Control(message)
            }
            Mail::Other(NodeMail::LongDone(result)) => NodeInput::LongDone(result),
            Mail::Other(NodeMail::Wake) => NodeInput::Wake,
            Mail::Other(NodeMail::GateMoved) => return self.perform(context),
            Mail::Input(input) => return self.try_handle(input, context, Self::go_on),
        };
        self.try_handle(input, context, Self::handle);
    }

    fn try_handle(
        &mut self,
        input: NodeInput,
        context: &mut NodeContext,
        handle: fn(&mut Self, NodeInput, &mut NodeContext),
    ) {
        // A panic in a command set is the death of the node, and of nothing else.
        match catch_unwind(AssertUnwindSafe(|| handle(self, input, context))) {
            Ok(()) => {}
            Err(panic) => {
                tracing::error!(node = self.node.key().id, panic = panic_text(&*panic), "the command set panicked");
                self.end(context);
            }
        }
    }

    fn handle(&mut self, input: NodeInput, context: &mut NodeContext) {
        if self.host.before(self.node.key(), &input) {
            self.go_on(input, context);
        } else {
            self.stash.get_or_insert_default().push_front(Mail::Input(input));
        }
    }

    fn go_on(&mut self, input: NodeInput, context: &mut NodeContext) {
        let key = self.node.key();
        self.node.handle(self.host.now() + self.ahead, input);
        if self.host.applied(key) {
            self.perform(context);
            self.host.after(key);
        }
    }

    fn learn(&mut self, message: &ControlDown, address: Option<Address>) {
        if let (ControlDown::Link { link, role, .. }, Some(address)) = (message, address) {
            match role {
                Role::Parent if self.parent.is_none() => self.parent = Some((*link, address)),
                Role::Parent => drop(self.others.insert(*link, (Side::Upper, address))),
                Role::Child { .. } => drop(self.others.insert(*link, (Side::Lower, address))),
            }
        }
    }

    fn perform(&mut self, context: &mut NodeContext) {
        let key = self.node.key();
        for effect in self.node.take_effects() {
            match effect {
                NodeEffect::Send(link, envelope) => self.send(link, envelope),
                NodeEffect::Control(message) => self.host.say(FromNode { from: key, message }),
                NodeEffect::WakeAt(at) => self.host.wake_at(key, at.saturating_sub(self.ahead)),
                NodeEffect::Close(link) => self.close(link),
                NodeEffect::Long(job) => self.host.run_long(key, job.with_clock_ahead(self.ahead)),
                NodeEffect::End => self.end(context),
            }
        }
    }

    fn send(&self, link: LinkId, envelope: Envelope) {
        let (side, address) = match &self.parent {
            Some((parent, address)) if *parent == link => (Side::Upper, address),
            _ => match self.others.get(&link) {
                Some((side, address)) => (*side, address),
                None => return,
            },
        };
        address.put(Frame { to: End { link, side }, event: LinkEvent::Envelope(envelope) });
    }

    fn close(&mut self, link: LinkId) {
        let far_side = if self.parent.as_ref().is_some_and(|(parent, _)| *parent == link) {
            self.parent = None;
            Some(Side::Upper)
        } else {
            self.others.remove(&link).map(|(side, _)| side)
        };
        if let Some(side) = far_side {
            self.host.close(self.node.key(), End { link, side: side.other() });
        }
    }

    fn end(&mut self, context: &mut NodeContext) {
        self.gate.kill();
        self.host.ended(self.node.key());
        context.stop();
    }
}

impl Actor for NodeActor {
    type Context = NodeContext;
}

impl Handler<Frame> for NodeActor {
    type Result = ();

    fn handle(&mut self, frame: Frame, context: &mut Self::Context) {
        self.on_mail(Mail::Frame(frame), context);
    }
}

impl Handler<NodeMail> for NodeActor {
    type Result = ();

    fn handle(&mut self, mail: NodeMail, context: &mut Self::Context) {
        self.on_mail(Mail::Other(mail), context);
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
