//! The thin actix shell around the control node.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use crossbeam_channel::Receiver;
use rustc_hash::FxHashMap;

use super::control_io::{ControlEffect, ControlInput, Order};
use super::control_node::ControlNode;
use super::message::{ControlDown, Envelope, LinkId, Nanos, NodeKey, NodeSpec, RequestPiece, Side};
use super::node_actor::{Address, End, Frame, FromNode, LinkEvent};
use super::outcome::Outcome;
use crate::commands::Notice;
use crate::faults::{Fault, FaultKind};
use crate::topology::{NodeId, Slot};

/// How many submissions, and other things that have happened, are taken with one look at the clock.
const SUBMISSIONS_PER_CLOCK: usize = 16;

/// After so many things that have happened, those who wait for replies are not kept waiting any longer.
const INPUTS_PER_HANDOUT: usize = 64;

/// After so many looks at the clock the nodes have their turn: what the first commands have caused goes on while the
/// others wait, and is not far from the processor yet.
const CLOCKS_IN_A_TURN: usize = 4;

/// What a mode does for the control node.
pub trait Fabric {
    /// The time on the mode's monotonic clock.
    fn now(&self) -> Nanos;
    /// Sends [`ControlMail::Wake`] at that time.
    fn wake_at(&mut self, at: Nanos);
    /// Starts a node; answered by [`ControlInput::Started`] or [`ControlInput::StartFailed`].
    fn start(&mut self, spec: NodeSpec);
    /// Makes a link and gives each side its end; the address of the lower end when the upper one is the control node's.
    fn connect(&mut self, link: LinkId, ends: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address>;
    /// Says something to a node.
    fn say(&mut self, to: NodeKey, message: ControlDown);
    /// The control node has closed its own end of a link.
    fn close(&mut self, link: LinkId);
    /// As by SIGKILL; answered by [`ControlInput::Died`].
    fn kill(&mut self, node: NodeKey);
    /// As by SIGSTOP; answered by [`ControlInput::Stopped`].
    fn pause(&mut self, node: NodeKey);
    /// As by SIGCONT; answered by [`ControlInput::Continued`].
    fn resume(&mut self, node: NodeKey);
    /// Asks the kernel about a process, where nodes are processes; answered by [`ControlInput::Examined`].
    fn examine(&mut self, _node: NodeKey) {}
    /// A fault takes effect; what is not a blow at a node is to be done, then [`ControlInput::FaultTaken`] handed in.
    fn begin_fault(&mut self, number: u64, kind: &FaultKind);
    /// A fault that an envelope sets off is to be looked for, in this life of its node or in its next one; then [`ControlInput::FaultTaken`] is handed in.
    fn watch_for_fault(&mut self, number: u64, fault: &Fault, life: Option<NodeKey>);
    /// A fault is over, or not looked for any more; then [`ControlInput::FaultTaken`] is handed in.
    fn end_fault(&mut self, number: u64);
    /// An envelope has come to the control node, which takes it at this time.
    fn delivered(&self, _now: Nanos, _link: LinkId, _envelope: &Envelope) {}
    /// The control node has sent an envelope.
    fn sent(&self, _link: LinkId, _envelope: &Envelope) {}
    /// The next of those things that [`ControlMail::Happened`] has announced.
    fn next_input(&mut self) -> Option<ControlInput> {
        None
    }
    /// Some of those who may be heard next, where the mode knows: what is known of them comes into the cache.
    fn next_speakers(&mut self) -> Vec<NodeId> {
        Vec::new()
    }
    /// All effects of one input have been performed.
    fn flush(&mut self) {}
}

/// Who takes what the control node has to say. It is called on the arbiter's thread and must not block.
pub trait Sink {
    /// A command was answered. The reply may be kept until [`hand_out`](Self::hand_out).
    fn answer(&mut self, now: Nanos, op: u64, outcome: Outcome);
    /// Something is said unasked.
    fn notice(&mut self, now: Nanos, notice: Notice);
    /// Something has happened: notices that found no room may find it now.
    fn hand_out_notices(&mut self);
    /// Hands out replies that were kept.
    fn hand_out(&mut self);
    /// So many bytes of a streamed request have been taken.
    fn taken(&mut self, op: u64, bytes: usize);
    /// Part of a long result is to be kept.
    fn spool(&mut self, op: u64, bytes: Vec<u8>);
}

/// What the facade hands to the control node.
#[derive(Debug)]
pub enum Submission {
    /// A command with its number.
    Order(u64, Order),
    /// A further piece of a streamed request.
    Piece(u64, RequestPiece),
    /// No more waiting: the end is near.
    Interrupt,
    /// Answer everything now.
    GiveUp,
}

/// The queue between the facade and the control node. One wake-up stands for any number of submissions.
#[derive(Clone)]
pub struct Submissions {
    receiver: Receiver<Submission>,
    awake: Arc<AtomicBool>,
}

impl Submissions {
    /// The receiving half of the queue, and the flag that says that a wake-up is on its way.
    pub fn new(receiver: Receiver<Submission>, awake: Arc<AtomicBool>) -> Self {
        Self { receiver, awake }
    }

    /// Whoever submits from now on sends a wake-up again; false when somebody has submitted meanwhile without one.
    fn fall_asleep(&self) -> bool {
        self.awake.store(false, Ordering::SeqCst);
        self.receiver.is_empty() || self.awake.swap(true, Ordering::SeqCst)
    }

    /// The next submission.
    pub fn next(&self) -> Option<Submission> {
        self.receiver.try_recv().ok()
    }
}

/// What comes to the control node otherwise than over its links.
#[derive(Message)]
#[rtype(result = "()")]
pub enum ControlMail {
    /// There are submissions in the queue.
    Submitted,
    /// A submission.
    Submit(Submission),
    /// Something has happened.
    Input(ControlInput),
    /// Things have happened: the mode has kept them.
    Happened,
    /// A moment that was asked for has come.
    Wake,
}

/// The control node as an actor.
pub struct ControlActor {
    node: ControlNode,
    links: FxHashMap<LinkId, Address>,
    fabric: Box<dyn Fabric>,
    sink: Box<dyn Sink>,
    submissions: Submissions,
    effects: Vec<ControlEffect>,
}

impl ControlActor {
    /// The actor of a control node.
    pub fn new(node: ControlNode, fabric: Box<dyn Fabric>, sink: Box<dyn Sink>, submissions: Submissions) -> Self {
        Self { node, links: FxHashMap::default(), fabric, sink, submissions, effects: Vec::new() }
    }

    fn take(&mut self, input: ControlInput) {
        self.take_at(self.fabric.now(), input);
    }

    fn take_at(&mut self, now: Nanos, input: ControlInput) {
        if let ControlInput::Envelope(link, envelope) = &input {
            self.fabric.delivered(now, *link, envelope);
        }
        self.node.handle(now, input);
        self.perform_all(now);
    }

    fn perform_all(&mut self, now: Nanos) {
        let mut effects = std::mem::take(&mut self.effects);
        self.node.take_effects(&mut effects);
        for effect in effects.drain(..) {
            self.perform(now, effect);
        }
        self.effects = effects;
        self.sink.hand_out_notices();
    }

    fn end_turn(&mut self) {
        self.sink.hand_out();
        self.fabric.flush();
    }

    fn perform(&mut self, now: Nanos, effect: ControlEffect) {
        match effect {
            ControlEffect::Answer(op, outcome) => self.sink.answer(now, op, outcome),
            ControlEffect::Notice(notice) => self.sink.notice(now, notice),
            ControlEffect::Taken(op, bytes) => self.sink.taken(op, bytes),
            ControlEffect::Spool(op, bytes) => self.sink.spool(op, bytes),
            ControlEffect::Send(link, envelope) => {
                if let Some(address) = self.links.get(&link) {
                    self.fabric.sent(link, &envelope);
                    let to = End { link, side: Side::Lower };
                    address.put(Frame { to, event: LinkEvent::Envelope(envelope) });
                }
            }
            ControlEffect::Control(to, message) => self.fabric.say(to, message),
            ControlEffect::Start(spec) => self.fabric.start(spec),
            ControlEffect::Connect { link, upper, lower, slot, active } => {
                if let Some(address) = self.fabric.connect(link, [upper, lower], slot, active) {
                    self.links.insert(link, address);
                }
            }
            ControlEffect::Close(link) => {
                if self.links.remove(&link).is_some() {
                    self.fabric.close(link);
                }
            }
            ControlEffect::Kill(node) => self.fabric.kill(node),
            ControlEffect::Pause(node) => self.fabric.pause(node),
            ControlEffect::Resume(node) => self.fabric.resume(node),
            ControlEffect::Examine(node) => self.fabric.examine(node),
            ControlEffect::BeginFault(number, kind) => self.fabric.begin_fault(number, &kind),
            ControlEffect::WatchForFault(number, fault, life) => self.fabric.watch_for_fault(number, &fault, life),
            ControlEffect::EndFault(number) => self.fabric.end_fault(number),
            ControlEffect::WakeAt(at) => self.fabric.wake_at(at),
        }
    }

    /// Takes what is there, but not more than is good for a turn.
    fn take_submissions(&mut self, context: &mut Context<Self>) {
        for _ in 0..CLOCKS_IN_A_TURN {
            // Reading the clock costs as much as a lookup: once for a few commands that are there is enough.
            let waiting = self.submissions.receiver.len().min(SUBMISSIONS_PER_CLOCK);
            let now = self.fabric.now();
            for _ in 0..waiting {
                if let Some(submission) = self.submissions.next() {
                    self.submit(now, submission);
                }
            }
            if waiting == 0 && self.submissions.fall_asleep() {
                return;
            }
        }
        let others = turn_of_others().into_actor(self);
        context.spawn(others.map(|(), actor, context| {
            actor.take_submissions(context);
            actor.end_turn();
        }));
    }

    fn take_what_happened(&mut self) {
        let mut now = self.fabric.now();
        let mut taken = 0;
        self.node.glance(&self.fabric.next_speakers());
        while let Some(input) = self.fabric.next_input() {
            self.take_at(now, input);
            taken += 1;
            if taken % INPUTS_PER_HANDOUT == 0 {
                self.sink.hand_out();
            }
            if taken % SUBMISSIONS_PER_CLOCK == 0 {
                now = self.fabric.now();
                self.node.glance(&self.fabric.next_speakers());
            }
        }
    }

    fn submit(&mut self, now: Nanos, submission: Submission) {
        let input = match submission {
            Submission::Order(op, order) => ControlInput::Submit(op, order),
            Submission::Piece(op, piece) => ControlInput::Piece(op, piece),
            Submission::Interrupt => ControlInput::Interrupt,
            Submission::GiveUp => ControlInput::GiveUp,
        };
        self.take_at(now, input);
    }
}

/// Ends when everybody has had a turn who has something to do now. (tokio's own `yield_now` looks at the timers first.)
pub async fn turn_of_others() {
    let mut was_here = false;
    poll_fn(|context| {
        if std::mem::replace(&mut was_here, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Actor for ControlActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(usize::MAX >> 8);
        self.perform_all(self.fabric.now());
    }
}

impl Handler<ControlMail> for ControlActor {
    type Result = ();

    fn handle(&mut self, mail: ControlMail, context: &mut Self::Context) {
        match mail {
            ControlMail::Submitted => self.take_submissions(context),
            ControlMail::Submit(submission) => self.submit(self.fabric.now(), submission),
            ControlMail::Input(input) => self.take(input),
            ControlMail::Happened => self.take_what_happened(),
            ControlMail::Wake => self.take(ControlInput::Wake),
        }
        self.end_turn();
    }
}

impl Handler<Frame> for ControlActor {
    type Result = ();

    fn handle(&mut self, frame: Frame, _: &mut Self::Context) {
        let link = frame.to.link;
        self.take(match frame.event {
            LinkEvent::Envelope(envelope) => ControlInput::Envelope(link, envelope),
            LinkEvent::Closed => ControlInput::Closed(link),
        });
        self.end_turn();
    }
}

/// Asks for a description of what is not answered.
#[derive(Debug, Message)]
#[rtype(result = "String")]
pub struct Describe;

impl Handler<Describe> for ControlActor {
    type Result = String;

    fn handle(&mut self, _: Describe, _: &mut Self::Context) -> String {
        self.node.describe_unanswered()
    }
}

impl Handler<FromNode> for ControlActor {
    type Result = ();

    fn handle(&mut self, FromNode { from, message }: FromNode, _: &mut Self::Context) {
        self.take(ControlInput::FromNode(from, message));
        self.end_turn();
    }
}
