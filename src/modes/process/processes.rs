//! What the control node's process knows of the processes of nodes, and does to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use actix::Addr;
use rustix::process::{Pid, Signal, WaitStatus, getpid};
use tokio::task::AbortHandle;

use super::channel::{Incoming, open, pair};
use super::hello::{Hello, HelloBack, machine_clock_ns};
use super::line::Line;
use super::outbox::Outgoing;
use super::peer::{Reading, Way, deliver};
use super::plan::Plan;
use super::spares::{Spares, Taken};
use super::spawner::{Event, Family, Owner, Spawner, describe, state};
use crate::actors::message::{ControlDown, ControlUp, LinkId, MILLISECOND, Nanos, NodeKey, NodeSpec, Role, Side};
use crate::actors::{Address, ControlActor, ControlInput, ControlMail, End, Frame, LinkEvent};
use crate::faults::Direction;
use crate::modes::real_time::{TimerKey, Wheel};
use crate::topology::{NodeId, Slot};
use crate::trace::{Trace, What};

/// A program that was started answers within this time, or it is none of ours.
pub(super) const HELLO_WITHIN: Nanos = 10_000 * MILLISECOND;

pub(super) enum Timer {
    Wake,
    HelloDue(NodeKey),
    /// It is looked whether there are as many spare processes as there are to be.
    SparesDue,
    SpareHelloDue(u64),
    SignalDue(NodeKey),
    /// Those who were told of a fault have had time to take it.
    TakenDue(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its program has not answered.
    Starting,
    Up,
    /// It did not come up, and the control node knows.
    Failed,
}

/// What the control node's process knows of a node's process.
pub(super) struct Node {
    pub(super) pid: Option<Pid>,
    /// Which life of all, for the trace: incarnations are secret.
    life: u64,
    /// When its program is given up, if it has not answered.
    hello_due: TimerKey,
    stage: Stage,
    /// Its program has said that it is a node of ours.
    has_answered: bool,
    /// It is to be killed as soon as it is there.
    is_doomed: bool,
    /// Its control link has ended: likewise, but that is reported as its own end.
    is_unheard: bool,
    /// Signals to stop and to continue it, the first of them sent: a second one at once could undo the first
    /// before the kernel shows it.
    pub(super) signals: VecDeque<Signal>,
    pub(super) outgoing: Outgoing,
    reader: AbortHandle,
}

impl Node {
    pub(super) fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// All nodes of a system, as seen from the control node's process.
pub(super) struct Processes {
    pub(super) wheel: Wheel<Timer>,
    pub(super) trace: Trace,
    pub(super) build: String,
    pub(super) family: Arc<Family>,
    pub(super) spawner: RefCell<Option<Spawner>>,
    pub(super) control: RefCell<Option<Addr<ControlActor>>>,
    /// What the control node has not heard of, and whether it was called for that.
    pub(super) happened: RefCell<VecDeque<ControlInput>>,
    pub(super) is_called: Cell<bool>,
    pub(super) nodes: RefCell<BTreeMap<NodeKey, Node>>,
    pub(super) spares: Spares,
    /// How many nodes were started.
    pub(super) lives: Cell<u64>,
    pub(super) plan: Plan,
    /// The readers of the links to top-level nodes.
    pub(super) own_links: RefCell<HashMap<LinkId, AbortHandle>>,
    pub(super) this: Weak<Self>,
}

impl Processes {
    pub(super) fn mail(&self, mail: ControlMail) {
        if let Some(control) = &*self.control.borrow() {
            control.do_send(mail);
        }
    }

    /// Keeps it until the control node has its turn: one mail stands for all that has come until then.
    pub(super) fn input(&self, input: ControlInput) {
        self.happened.borrow_mut().push_back(input);
        if !self.is_called.replace(true) {
            self.mail(ControlMail::Happened);
        }
    }

    pub(super) fn next_input(&self) -> Option<ControlInput> {
        let next = self.happened.borrow_mut().pop_front();
        self.is_called.set(next.is_some());
        next
    }

    /// Ends everything; when it returns, no process is left.
    pub(super) fn shut_down(&self) {
        self.control.take();
        for (_, reader) in self.own_links.take() {
            reader.abort();
        }
        drop(self.nodes.take());
        self.spares.forget_all();
        drop(self.spawner.take());
    }

    pub(super) fn start(&self, spec: NodeSpec) {
        let key = spec.key;
        if let Err(error) = self.try_to_start(spec) {
            self.input(ControlInput::StartFailed(key, error.to_string()));
        }
    }

    fn try_to_start(&self, spec: NodeSpec) -> io::Result<()> {
        let key = spec.key;
        if let Some(Taken { pid, outgoing, incoming }) = self.take_spare(key) {
            self.introduce(spec, outgoing, incoming, Some(pid));
            self.look_whether_up(key);
            return Ok(());
        }
        let (here, there) = pair()?;
        let (outgoing, incoming) = open(here)?;
        self.introduce(spec, outgoing, incoming, None);
        if let Some(spawner) = &*self.spawner.borrow() {
            spawner.order(Owner::Node(key), there);
        }
        Ok(())
    }

    /// Tells a process who it is and who we are. One whose pid is known was a spare one, whose program has answered.
    fn introduce(&self, spec: NodeSpec, outgoing: Outgoing, incoming: Incoming, pid: Option<Pid>) {
        let (key, has_answered) = (spec.key, pid.is_some());
        let (ahead, faults) = self.plan.born(key);
        let clock_began_ns = machine_clock_ns().cast_signed() - self.wheel.now().saturating_add(ahead).cast_signed();
        let (build, parent, seed) = (self.build.clone(), getpid().as_raw_pid(), self.plan.seed);
        outgoing.send(&Hello { build, parent, clock_began_ns, spec, seed });
        faults.iter().for_each(|fault| outgoing.send(fault));
        let listening = listen(Weak::clone(&self.this), key, incoming, has_answered);
        let node = Node {
            pid,
            life: self.lives.replace(self.lives.get() + 1) + 1,
            hello_due: self.wheel.add(self.wheel.now() + HELLO_WITHIN, Timer::HelloDue(key)),
            stage: Stage::Starting,
            has_answered,
            is_doomed: false,
            is_unheard: false,
            signals: VecDeque::new(),
            outgoing,
            reader: tokio::task::spawn_local(listening).abort_handle(),
        };
        self.nodes.borrow_mut().insert(key, node);
    }

    pub(super) fn on_event(&self, event: Event) {
        match event {
            Event::Spawned(Owner::Node(key), pid) => self.on_spawned(key, pid),
            Event::Spawned(Owner::Spare(number), pid) => self.on_spare_spawned(number, pid),
            Event::SpareGone(number, status) => self.on_spare_gone(number, status),
            Event::SpawnFailed(Owner::Spare(number), error) => self.on_spare_failed(number, &error),
            Event::SpawnFailed(Owner::Node(key), error) => {
                if self.nodes.borrow_mut().remove(&key).is_some() {
                    self.input(ControlInput::StartFailed(key, error.to_string()));
                }
            }
            Event::Ended(key, status) => self.on_ended(key, status),
            Event::Stopped(key) => self.on_signal(key, Signal::STOP),
            Event::Continued(key) => self.on_signal(key, Signal::CONT),
        }
    }

    fn on_spawned(&self, key: NodeKey, pid: Pid) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.pid = Some(pid);
            if node.is_doomed || node.is_unheard {
                self.family.signal(pid, Signal::KILL);
            }
        }
        self.look_whether_up(key);
    }

    fn on_hello(&self, key: NodeKey, HelloBack { build }: HelloBack) {
        if build != self.build {
            return self.fail(key, format!("its program is {build}, this is {}", self.build));
        }
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.has_answered = true;
        }
        self.look_whether_up(key);
    }

    fn look_whether_up(&self, key: NodeKey) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(node) = nodes.get_mut(&key)
            && let Some(pid) = node.pid
            && node.has_answered
            && node.stage == Stage::Starting
        {
            node.stage = Stage::Up;
            self.wheel.remove(node.hello_due);
            let (id, incarnation) = (key.id, node.life);
            let pid = u64::from(pid.as_raw_pid().unsigned_abs());
            self.trace.add(self.wheel.now(), || What::Started { node: id, incarnation, pid });
            tracing::info!(node = id, pid, "a node is started");
            self.input(ControlInput::Started(key, pid));
        }
    }

    fn fail(&self, key: NodeKey, why: String) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key).filter(|node| node.stage == Stage::Starting) {
            node.stage = Stage::Failed;
            tracing::info!(node = key.id, why, "a node could not be started");
            self.input(ControlInput::StartFailed(key, why));
        }
        self.kill(key);
    }

    fn on_ended(&self, key: NodeKey, status: WaitStatus) {
        let Some(node) = self.nodes.borrow_mut().remove(&key) else { return };
        self.nobody_waits_for(key);
        match node.stage {
            Stage::Starting if !node.is_doomed => {
                let how = describe(status);
                let why = format!("its program {how} before it answered: does its main call serve_if_node first?");
                self.input(ControlInput::StartFailed(key, why));
            }
            Stage::Failed => {}
            Stage::Starting | Stage::Up => {
                log_end(key.id, status);
                let (id, incarnation) = (key.id, node.life);
                self.trace.add(self.wheel.now(), || What::Ended { node: id, incarnation });
                self.input(ControlInput::Died(key));
            }
        }
    }

    pub(super) fn kill(&self, key: NodeKey) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.is_doomed = true;
            if let Some(pid) = node.pid {
                self.family.signal(pid, Signal::KILL);
            }
        }
    }

    /// As [`kill`](Self::kill), but its end is not of our making: it is still reported as what it is.
    fn end_unheard(&self, key: NodeKey) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.is_unheard = true;
            if let Some(pid) = node.pid {
                self.family.signal(pid, Signal::KILL);
            }
        }
    }

    pub(super) fn examine(&self, key: NodeKey) {
        let pid = self.nodes.borrow().get(&key).and_then(|node| node.pid);
        let state = pid.and_then(state);
        tracing::info!(node = key.id, ?state, "a node is silent; this is its state in the kernel");
        self.input(ControlInput::Examined(key, state == Some('R')));
    }

    pub(super) fn on_timer(&self, timer: Timer) -> bool {
        match timer {
            Timer::Wake => self.mail(ControlMail::Wake),
            Timer::HelloDue(key) => {
                let is_late = |node: &Node| node.stage == Stage::Starting;
                if self.nodes.borrow().get(&key).is_some_and(is_late) {
                    self.fail(key, "its program does not answer: does its main call serve_if_node first?".to_owned());
                }
            }
            Timer::SparesDue => self.start_spares(),
            Timer::SpareHelloDue(number) => self.spare_should_have_answered(number),
            Timer::SignalDue(key) => self.look_after_signal(key),
            Timer::TakenDue(ticket) => self.fault_should_be_taken(ticket),
        }
        true
    }

    pub(super) fn connect(&self, link: LinkId, ends: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address> {
        let [upper, lower] = ends;
        tracing::info!(link = link.0, upper = upper.id, lower = lower.id, "a link is made");
        self.trace.linked(self.wheel.now(), link, upper.id, lower.id);
        match self.try_to_connect(link, ends, slot, active) {
            Ok(address) => address,
            Err(error) => {
                self.input(ControlInput::LinkFailed(link, error.to_string()));
                None
            }
        }
    }

    /// An end for a node that is no more is closed at once, and so the other side learns it.
    fn try_to_connect(
        &self,
        link: LinkId,
        [upper, lower]: [NodeKey; 2],
        slot: Slot,
        active: bool,
    ) -> io::Result<Option<Address>> {
        let (up, down) = pair()?;
        let nodes = self.nodes.borrow();
        let hand_out = |to: NodeKey, role: Role, end| {
            if let Some(node) = nodes.get(&to) {
                node.outgoing.send_with(&ControlDown::Link { link, role, active }, Some(end));
            }
        };
        hand_out(lower, Role::Parent, down);
        if upper != NodeKey::CONTROL {
            hand_out(upper, Role::Child { key: lower, slot }, up);
            return Ok(None);
        }
        let (outgoing, incoming) = open(up)?;
        let line = Line::new(outgoing, lower.id, Direction::Down, Rc::clone(&self.plan.links));
        let way = Way::over(&line);
        let (to, this) = (End { link, side: Side::Upper }, Weak::clone(&self.this));
        let hand = Box::new(move |Frame { to: End { link, .. }, event }: Frame| {
            if let Some(processes) = this.upgrade() {
                processes.input(match event {
                    LinkEvent::Envelope(envelope) => ControlInput::Envelope(link, envelope),
                    LinkEvent::Closed => ControlInput::Closed(link),
                });
            }
        });
        let reading = Reading { incoming, to, hand, line, way_up: Rc::default() };
        let reader = tokio::task::spawn_local(deliver(reading));
        self.own_links.borrow_mut().insert(link, reader.abort_handle());
        Ok(Some(Arc::new(way)))
    }
}

/// Hears what a node says on its control link; `is_known` when its program has answered already.
async fn listen(processes: Weak<Processes>, key: NodeKey, mut incoming: Incoming, mut is_known: bool) {
    if !is_known && let Some(hello) = incoming.next::<HelloBack>().await {
        let Some(known) = processes.upgrade() else { return };
        known.on_hello(key, hello);
        is_known = true;
    }
    if is_known {
        hear(&processes, key, &mut incoming).await;
    }
    // Without its control link it is of no use, if it has not ended by itself.
    if let Some(processes) = processes.upgrade() {
        processes.end_unheard(key);
    }
}

async fn hear(processes: &Weak<Processes>, key: NodeKey, incoming: &mut Incoming) {
    while let Some(message) = incoming.next::<ControlUp>().await {
        let Some(processes) = processes.upgrade() else { return };
        if incoming.descriptor().is_some() {
            return tracing::error!(node = key.id, "a node is ended: it has sent a descriptor");
        }
        tracing::debug!(node = key.id, ?message, "heard");
        let message = processes.hear_of_faults(key, message);
        if let Some(message) = message {
            processes.input(ControlInput::FromNode(key, message));
        }
    }
}

/// SIGKILL is always somebody's will; whatever else is not an end in order is a failure of the node.
fn log_end(node: NodeId, status: WaitStatus) {
    let how = describe(status);
    if status.exit_status() == Some(0) || status.terminating_signal() == Some(Signal::KILL.as_raw()) {
        tracing::info!(node, "a node {how}");
    } else {
        tracing::warn!(node, "a node has failed: it {how}");
    }
}
