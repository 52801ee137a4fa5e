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

use actix::Addr;

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
use turns::{Ready, Sent, Turns};

/// The pid of the first node of a run.
const FIRST_PID: u64 = 1000;

/// How an in-process mode carries things: at once, or after a delay of its own.
pub(super) trait Carrier: 'static {
    /// The time on the mode's clock.
    fn now(&self) -> Nanos;
    /// Brings it to [`Local::deliver`], behind what was sent the same way before.
    fn carry(&self, parcel: Parcel);
    /// The same, by the first time later; and by the second, while what is sent after it does not wait.
    fn carry_late(&self, parcel: Parcel, times: (Nanos, Nanos));
    /// Has somebody woken ([`Parcel::wake`]) at that time, or at once when it has come.
    fn wake_at(&self, who: NodeKey, at: Nanos);
    /// Brings it to [`Local::deliver`] at that time.
    fn carry_at(&self, at: Nanos, parcel: Parcel);
    /// Runs a job and brings the result to the node.
    fn run_long(&self, node: NodeKey, job: LongJob);
    /// Whether everything that nodes send goes through the network, faults or not.
    fn needs_network(&self) -> bool;
}

struct LocalNode {
    mail: Arc<Addr<NodeActor>>,
    gate: Gate,
    /// Where it waits for its turn.
    place: usize,
    /// The ends of links that it holds.
    ends: SmallMap<Held, ()>,
}

/// Who is at the two ends of a link, nobody once an end is closed; and the node whose link to its parent it is.
#[derive(Clone, Copy)]
struct LocalLink {
    ends: [Option<NodeKey>; 2],
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
    /// Nodes that have ended, and the ends of links that they held: they are closed when all are known that end together,
    /// so that none of these is told of another.
    ended: RefCell<Vec<(NodeKey, SmallMap<Held, ()>)>>,
    control: RefCell<Option<Arc<Addr<ControlActor>>>>,
    control_was_told: Cell<bool>,
    /// What the control node has not heard of, and whether it was called for that.
    happened: RefCell<VecDeque<ControlInput>>,
    is_called: Cell<bool>,
    pub(super) turns: Turns,
    faults: Faults,
    /// What stands behind the addresses of nodes, if something has to look at what they send.
    network: RefCell<Option<Arc<Ready>>>,
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
            control: RefCell::default(),
            control_was_told: Cell::new(false),
            happened: RefCell::default(),
            is_called: Cell::new(false),
            turns: Turns::default(),
            faults: Faults::new(seed),
            network: RefCell::default(),
            next_pid: Cell::new(FIRST_PID),
            this: this.clone(),
        })
    }

    pub(super) fn set_control(&self, control: Addr<ControlActor>) {
        if self.carrier.needs_network() {
            *self.network.borrow_mut() = Some(self.turns.network());
        }
        *self.control.borrow_mut() = Some(Arc::new(control));
    }

    /// Ends all actors, so that nothing keeps them.
    pub(super) fn shut_down(&self) {
        self.links.borrow_mut().clear();
        self.turns.end_all();
        self.nodes.borrow_mut().clear();
        self.control.borrow_mut().take();
    }

    /// Gives at most so many turns to nodes, and carries what they send; false when nobody has anything to do any more.
    pub(super) fn give_turns(&self, most: usize) -> bool {
        self.carry_sent();
        self.turns.clear_away();
        for _ in 0..most {
            if !self.turns.give_one() {
                return false;
            }
            self.carry_sent();
            if self.turns.is_busy() {
                return true;
            }
        }
        true
    }

    /// Hands over what has been carried.
    pub(super) fn deliver(&self, parcel: Parcel) {
        let reader = if self.faults.may_slow_down() { self.reader_of(&parcel) } else { None };
        let late = reader.and_then(|key| self.faults.late(self.carrier.now(), key));
        match late {
            Some(at) => self.carrier.carry_at(at, Parcel::Late(Box::new(parcel))),
            None => self.hand_over(parcel),
        }
    }

    /// The node that it is for, if it has to be asked how slow that is.
    fn reader_of(&self, parcel: &Parcel) -> Option<NodeKey> {
        match parcel {
            Parcel::ToNode(key, _) => Some(*key),
            Parcel::Frame(Frame { to, .. }) => self.links.borrow().get(to.link.0)?.ends[to.side as usize],
            _ => None,
        }
    }

    fn hand_over(&self, parcel: Parcel) {
        match parcel {
            Parcel::Packet(to, packet) => self.take_packet(to, packet),
            Parcel::EndDue(end, at) => self.end_is_due(end, at),
            Parcel::Late(parcel) => self.hand_over(*parcel),
            Parcel::Frame(frame) => self.deliver_frame(frame),
            Parcel::ToNode(key, mail) => {
                if let Some(node) = self.nodes.borrow().get(key.incarnation) {
                    node.mail.do_send(mail);
                }
            }
            Parcel::ToControl(ControlMail::Input(input)) => self.tell_later(input),
            Parcel::ToControl(mail) => self.tell_control(mail),
            Parcel::FromNode(FromNode { from, message }) => self.tell_later(ControlInput::FromNode(from, message)),
        }
    }

    fn deliver_frame(&self, frame: Frame) {
        let Some(&LocalLink { ends, .. }) = self.links.borrow().get(frame.to.link.0) else { return };
        match ends[frame.to.side as usize] {
            None => {}
            Some(NodeKey::CONTROL) => self.tell_control(frame),
            Some(key) => {
                if let Some(node) = self.nodes.borrow().get(key.incarnation) {
                    node.mail.do_send(frame);
                }
            }
        }
    }

    /// Nobody has the address of a node that is gone.
    fn address_of(&self, key: NodeKey) -> Option<Address> {
        let control = || self.control.borrow().as_ref().map(|control| Arc::clone(control) as Address);
        let node = || self.nodes.borrow().get(key.incarnation).map(|node| Arc::clone(&node.mail) as Address);
        let address = if key == NodeKey::CONTROL { control() } else { node() };
        address.map(|address| self.network.borrow().clone().map_or(address, |network| network as Address))
    }

    fn connect(&self, link: LinkId, [upper, lower]: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address> {
        self.trace.linked(self.carrier.now(), link, upper.id, lower.id);
        let (up, down) = (self.address_of(upper), self.address_of(lower));
        let made = [up.is_some().then_some(upper), down.is_some().then_some(lower)];
        self.links.borrow_mut().insert(link.0, LocalLink { ends: made, below: lower.id });
        for (key, side) in made.into_iter().zip([Side::Upper, Side::Lower]) {
            let mut nodes = self.nodes.borrow_mut();
            if let Some(node) = key.and_then(|key| nodes.get_mut(key.incarnation)) {
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
        self.faults.closed(end);
        let mut links = self.links.borrow_mut();
        let Some(LocalLink { ends, .. }) = links.get_mut(end.link.0) else { return };
        ends[end.side as usize] = None;
        let Some(other) = ends[end.side.other() as usize] else {
            links.remove(end.link.0);
            return;
        };
        drop(links);
        if other != NodeKey::CONTROL && self.nodes.borrow().get(other.incarnation).is_none() {
            return;
        }
        let to = End { link: end.link, side: end.side.other() };
        let closed = Frame { to, event: LinkEvent::Closed };
        match &*self.network.borrow() {
            // Behind what the node has just sent.
            Some(network) => network.send(Sent::Frame(closed)),
            None => self.carrier.carry(Parcel::Frame(closed)),
        }
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
        match &*self.network.borrow() {
            Some(network) => network.send(Sent::FromNode(message)),
            None => self.tell_later(ControlInput::FromNode(message.from, message.message)),
        }
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

    fn delivered(&self, link: LinkId, envelope: &Envelope) {
        self.0.delivered(NodeKey::CONTROL, link, envelope);
    }
}
