//! What the in-process modes share: nodes as actors in one system, gates instead of signals, links as addresses.

mod calls;
mod faults;
mod held;
mod lives;
mod network;
mod pages;
mod parcel;
mod turns;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;

use actix::{Addr, Handler, Message};

use crate::actors::SmallMap;
use crate::actors::message::{ControlDown, Envelope, LinkId, Nanos, NodeKey, NodeSpec, Role, Side};
use crate::actors::{
    Address, ControlActor, ControlInput, ControlMail, End, Fabric, Frame, FromNode, Gate, LinkEvent, LongJob,
    NodeActor, NodeHost, NodeInput, NodeMail,
};
use crate::command_sets::Executor;
use crate::faults::{Fault, FaultKind, Moment};
use crate::topology::{NodeId, Slot};
use crate::trace::Trace;
use faults::Faults;
use held::Held;
use pages::Pages;
pub(super) use parcel::Parcel;
pub(super) use turns::LOOKED_AHEAD;
use turns::{NOBODY, Sent, Turns};

/// The pid of the first node of a run.
const FIRST_PID: u64 = 1000;

/// How an in-process mode carries things: at once, or after a delay of its own.
pub(super) trait Carrier: 'static {
    /// Whether what is sent is there at once, where nothing goes wrong.
    const IS_AT_ONCE: bool;
    /// The time on the mode's clock.
    fn now(&self) -> Nanos;
    /// Brings it to [`Local::deliver`], behind what was sent the same way before.
    fn carry(&self, parcel: Parcel);
    /// When something arrives that goes over a link now and takes so much longer than usual, if what was sent before
    /// arrives then; nothing when it is there at once.
    fn arrival(&self, last: Nanos, later: Nanos) -> Option<Nanos>;
    /// Has somebody woken ([`Parcel::wake`]) at that time, or at once when it has come.
    fn wake_at(&self, who: NodeKey, at: Nanos);
    /// Brings it to [`Local::deliver`] at that time, and never before this call has ended.
    fn carry_at(&self, at: Nanos, parcel: Parcel);
    /// Runs a job and brings the result to the node.
    fn run_long(&self, node: NodeKey, job: LongJob);
}

struct LocalNode {
    key: NodeKey,
    mail: Arc<Addr<NodeActor>>,
    gate: Gate,
    /// The ends of links that it holds.
    ends: SmallMap<Held, ()>,
}

/// A link.
struct LocalLink {
    /// The incarnations of those at its two ends; [`NOBODY`] once an end is closed.
    ends: [u64; 2],
    /// When the last thing arrives that was sent to each of them.
    arrivals: [Nanos; 2],
    /// The node whose link to its parent it is.
    below: NodeId,
}

pub(super) type MakeExecutor = Box<dyn Fn() -> Box<dyn Executor> + Send>;

/// All nodes and links of an in-process system.
pub(super) struct Local<C: Carrier> {
    pub(super) carrier: C,
    pub(super) trace: Trace,
    make_executor: MakeExecutor,
    /// By their incarnations, which no two nodes of a run share.
    nodes: RefCell<Pages<LocalNode>>,
    /// By their numbers.
    links: RefCell<Pages<LocalLink>>,
    /// Nodes that have ended: the ends of links that they held are closed when all are known that end together, so that
    /// none of these is told of another.
    ended: RefCell<Vec<LocalNode>>,
    /// Those whose links have ended, too, and whose memory has not been given back.
    graves: RefCell<Vec<LocalNode>>,
    control: RefCell<Option<Arc<Addr<ControlActor>>>>,
    control_was_told: Cell<bool>,
    /// What the control node has not heard of, and whether it was called for that.
    happened: RefCell<VecDeque<ControlInput>>,
    is_called: Cell<bool>,
    /// Those of whom it will hear soon, as far as that is known and was not asked yet.
    speakers: RefCell<Vec<NodeId>>,
    pub(super) turns: Turns,
    /// An empty list with room for what is carried next.
    carried: Cell<Vec<Sent>>,
    faults: Faults,
    next_pid: Cell<u64>,
    this: Weak<Self>,
}

impl<C: Carrier> Local<C> {
    pub(super) fn new(carrier: C, seed: u64, trace: Trace, make_executor: MakeExecutor) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            carrier,
            trace,
            make_executor,
            nodes: RefCell::default(),
            links: RefCell::default(),
            ended: RefCell::default(),
            graves: RefCell::default(),
            control: RefCell::default(),
            control_was_told: Cell::new(false),
            happened: RefCell::default(),
            is_called: Cell::new(false),
            speakers: RefCell::default(),
            turns: Turns::default(),
            carried: Cell::default(),
            faults: Faults::new(seed),
            next_pid: Cell::new(FIRST_PID),
            this: this.clone(),
        })
    }

    pub(super) fn set_control(&self, control: Addr<ControlActor>) {
        *self.control.borrow_mut() = Some(Arc::new(control));
    }

    /// Ends all actors, so that nothing keeps them.
    pub(super) fn shut_down(&self) {
        self.links.borrow_mut().clear();
        self.turns.end_all();
        self.nodes.borrow_mut().clear();
        self.control.borrow_mut().take();
    }

    /// Gives about so many turns to nodes at the most, and carries what they send; false when nobody has anything to do any
    /// more.
    pub(super) fn give_turns(&self, most: usize) -> bool {
        self.clear_away();
        let mut given = 0;
        while given < most {
            let carried = self.carry_sent();
            if carried == 0 && !self.turns.give_one() {
                return false;
            }
            given += carried.max(1);
            if self.turns.is_busy() {
                return true;
            }
        }
        true
    }

    /// When nobody has anything to do, `driver` is woken as soon as somebody has; false when somebody has.
    pub(super) fn rest(&self, driver: &Waker) -> bool {
        self.graves.borrow().is_empty() && self.turns.rest(driver)
    }

    /// Hands over what has been carried.
    pub(super) fn deliver(&self, parcel: Parcel) {
        let reader = if self.faults.may_slow_down() { self.reader_of(&parcel) } else { None };
        let late = reader.and_then(|node| self.faults.late(self.carrier.now(), self.key_of(node)?));
        match late {
            Some(at) => self.carrier.carry_at(at, Parcel::Late(Box::new(parcel))),
            None => self.hand_over(parcel),
        }
    }

    /// The incarnation of the node that takes it, if it is a node that does.
    pub(super) fn reader_of(&self, parcel: &Parcel) -> Option<u64> {
        match parcel {
            Parcel::ToNode(key, _) => Some(key.incarnation),
            Parcel::Frame(Frame { to, .. }) => self.at_end(*to),
            _ => None,
        }
    }

    fn hand_over(&self, parcel: Parcel) {
        match parcel {
            Parcel::Packet(to, packet) => self.take_packet(to, packet),
            Parcel::EndDue(end, at) => self.end_is_due(end, at),
            Parcel::Late(parcel) => self.hand_over(*parcel),
            Parcel::Frame(frame) => self.deliver_frame(frame),
            Parcel::ToNode(key, mail) => self.hand(key.incarnation, mail),
            Parcel::ToControl(ControlMail::Input(input)) => self.tell_later([input]),
            Parcel::ToControl(mail) => self.tell_control(mail),
            Parcel::FromNode(FromNode { from, message }) => self.tell_later([ControlInput::FromNode(from, message)]),
            Parcel::Deaths(keys) => self.tell_later(keys.into_iter().map(ControlInput::Died)),
        }
    }

    fn deliver_frame(&self, frame: Frame) {
        match self.at_end(frame.to) {
            None => {}
            Some(incarnation) if incarnation == NodeKey::CONTROL.incarnation => self.tell_control(frame),
            Some(incarnation) => self.hand(incarnation, frame),
        }
    }

    /// Gives something to a node: at once, unless it is its turn.
    fn hand<M>(&self, incarnation: u64, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        NodeActor: Handler<M, Result = ()>,
    {
        if let Some(message) = self.turns.hand(incarnation, message)
            && let Some(node) = self.nodes.borrow().get(incarnation)
        {
            node.mail.do_send(message);
        }
    }

    /// Who is at an end of a link, if the link is there and the end is not closed.
    fn at_end(&self, end: End) -> Option<u64> {
        let at_end = self.links.borrow().get(end.link.0)?.ends[end.side as usize];
        (at_end != NOBODY).then_some(at_end)
    }

    fn key_of(&self, incarnation: u64) -> Option<NodeKey> {
        self.nodes.borrow().get(incarnation).map(|node| node.key)
    }

    fn is_there(&self, key: NodeKey) -> bool {
        key == NodeKey::CONTROL || self.nodes.borrow().get(key.incarnation).is_some()
    }

    fn connect(&self, link: LinkId, [upper, lower]: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address> {
        self.trace.linked(self.carrier.now(), link, upper.id, lower.id);
        let ends = [upper, lower].map(|key| if self.is_there(key) { key.incarnation } else { NOBODY });
        // Everybody is reached through the network, and nobody who is gone.
        let address = |end: u64| (end != NOBODY).then(|| self.turns.network() as Address);
        let [up, down] = ends.map(address);
        self.links.borrow_mut().insert(link.0, LocalLink { ends, arrivals: [0; 2], below: lower.id });
        for (incarnation, side) in ends.into_iter().zip([Side::Upper, Side::Lower]) {
            if let Some(node) = self.nodes.borrow_mut().get_mut(incarnation) {
                node.ends.insert(Held::of(End { link, side }), ());
            }
        }
        let for_child = Parcel::ToNode(lower, link_mail(link, Role::Parent, active, up));
        self.carrier.carry(for_child);
        if upper == NodeKey::CONTROL {
            return down;
        }
        let role = Role::Child { key: lower, slot };
        self.carrier.carry(Parcel::ToNode(upper, link_mail(link, role, active, down)));
        None
    }

    /// An end is closed: nothing is delivered there any more, and the other end is told, behind what is on its way.
    fn close_end(&self, end: End) {
        let mut links = self.links.borrow_mut();
        let Some(LocalLink { ends, .. }) = links.get_mut(end.link.0) else { return };
        ends[end.side as usize] = NOBODY;
        let other = ends[end.side.other() as usize];
        if other == NOBODY {
            links.remove(end.link.0);
            return self.faults.closed(end);
        }
        drop(links);
        if other != NodeKey::CONTROL.incarnation && self.nodes.borrow().get(other).is_none() {
            return self.faults.closed(end);
        }
        let to = End { link: end.link, side: end.side.other() };
        let closed = Frame { to, event: LinkEvent::Closed };
        // Behind what the node has just sent.
        self.turns.network().send(Sent::Frame(closed));
    }
}

fn link_mail(link: LinkId, role: Role, active: bool, address: Option<Address>) -> NodeMail {
    NodeMail::Control(ControlDown::Link { link, role, active }, address)
}

impl<C: Carrier> NodeHost for Local<C> {
    fn now(&self) -> Nanos {
        self.carrier.now()
    }

    fn wake_at(&self, node: NodeKey, at: Nanos) {
        self.carrier.wake_at(node, at);
    }

    fn say(&self, message: FromNode) {
        self.turns.network().send(Sent::FromNode(message));
    }

    fn close(&self, node: NodeKey, end: End) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(node.incarnation) {
            node.ends.remove(&Held::of(end));
        }
        self.close_end(end);
    }

    fn run_long(&self, node: NodeKey, job: LongJob) {
        self.carrier.run_long(node, job);
    }

    fn ended(&self, node: NodeKey) {
        self.kill(node);
        self.end_links();
    }

    fn delivered(&self, to: NodeKey, link: LinkId, envelope: &Envelope) {
        // The clock is looked at only where somebody wants to know.
        if self.trace.is_on() {
            self.trace.delivered(self.carrier.now(), to.id, link, envelope);
        }
    }

    fn before(&self, node: NodeKey, input: &NodeInput) -> bool {
        self.may_take(node, input)
    }

    fn applied(&self, node: NodeKey) -> bool {
        self.is_not_struck(node, Moment::Applied)
    }

    fn after(&self, node: NodeKey) {
        self.is_not_struck(node, Moment::Answered);
    }
}

/// The hands of the control node in an in-process system.
pub(super) struct LocalFabric<C: Carrier>(pub(super) Rc<Local<C>>);

impl<C: Carrier> Fabric for LocalFabric<C> {
    fn now(&self) -> Nanos {
        self.0.carrier.now()
    }

    fn wake_at(&mut self, at: Nanos) {
        self.0.carrier.wake_at(NodeKey::CONTROL, at);
    }

    fn start(&mut self, spec: NodeSpec) {
        self.0.start(&spec);
    }

    fn connect(&mut self, link: LinkId, ends: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address> {
        self.0.connect(link, ends, slot, active)
    }

    fn say(&mut self, to: NodeKey, message: ControlDown) {
        self.0.carrier.carry(Parcel::ToNode(to, NodeMail::Control(message, None)));
    }

    fn close(&mut self, link: LinkId) {
        self.0.close_end(End { link, side: Side::Upper });
    }

    fn kill(&mut self, node: NodeKey) {
        self.0.kill(node);
    }

    fn next_input(&mut self) -> Option<ControlInput> {
        self.0.next_input()
    }

    fn next_speakers(&mut self) -> Vec<NodeId> {
        self.0.next_speakers()
    }

    fn flush(&mut self) {
        self.0.end_links();
    }

    fn pause(&mut self, node: NodeKey) {
        self.0.stop(node);
    }

    fn resume(&mut self, node: NodeKey) {
        self.0.go_on(node);
    }

    fn begin_fault(&mut self, number: u64, kind: &FaultKind) {
        self.0.begin_fault(number, kind);
    }

    fn watch_for_fault(&mut self, number: u64, fault: &Fault, life: Option<NodeKey>) {
        self.0.watch_for_fault(number, fault, life);
    }

    fn end_fault(&mut self, number: u64) {
        self.0.end_fault(number);
    }

    fn delivered(&self, now: Nanos, link: LinkId, envelope: &Envelope) {
        self.0.trace.delivered(now, NodeKey::CONTROL.id, link, envelope);
    }
}
