//! What the control node's process knows of the processes of nodes, and does to them.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use actix::Addr;
use rustix::process::{Pid, Signal, WaitStatus, getpid};
use tokio::task::AbortHandle;

use super::channel::{Incoming, open, pair};
use super::hello::{Hello, HelloBack, machine_clock_ns};
use super::outbox::Outgoing;
use super::peer::{Peer, deliver};
use super::spawner::{Event, Family, Spawner, describe, state};
use crate::actors::message::{ControlDown, ControlUp, LinkId, MILLISECOND, Nanos, NodeKey, NodeSpec, Role, Side};
use crate::actors::{Address, ControlActor, ControlInput, ControlMail, End, FromNode};
use crate::modes::real_time::{TimerKey, Wheel};
use crate::topology::{NodeId, Slot};
use crate::trace::{Trace, What};

/// A program that was started answers within this time, or it is none of ours.
const HELLO_WITHIN: Nanos = 10_000 * MILLISECOND;

/// A signal that shows no effect for so long (somebody else may have sent the contrary) is looked after.
const SIGNAL_WITHIN: Nanos = 100 * MILLISECOND;

pub(super) enum Timer {
    Wake,
    HelloDue(NodeKey),
    SignalDue(NodeKey),
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
    pid: Option<Pid>,
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
    signals: VecDeque<Signal>,
    pub(super) outgoing: Outgoing,
    reader: AbortHandle,
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
    pub(super) nodes: RefCell<HashMap<NodeKey, Node>>,
    /// How many nodes were started.
    pub(super) lives: Cell<u64>,
    /// The readers of the links to top-level nodes.
    pub(super) own_links: RefCell<HashMap<LinkId, AbortHandle>>,
    pub(super) this: Weak<Self>,
}

impl Processes {
    pub(super) fn tell(&self, mail: ControlMail) {
        if let Some(control) = &*self.control.borrow() {
            control.do_send(mail);
        }
    }

    fn input(&self, input: ControlInput) {
        self.tell(ControlMail::Input(input));
    }

    /// Ends everything; when it returns, no process is left.
    pub(super) fn shut_down(&self) {
        self.control.take();
        for (_, reader) in self.own_links.take() {
            reader.abort();
        }
        drop(self.nodes.take());
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
        let (here, there) = pair()?;
        let (outgoing, incoming) = open(here)?;
        let clock_began_ns = machine_clock_ns() - self.wheel.now();
        let parent = getpid().as_raw_pid();
        outgoing.send(&Hello { build: self.build.clone(), parent, clock_began_ns, spec });
        let reader = tokio::task::spawn_local(listen(self.this.clone(), key, incoming)).abort_handle();
        let hello_due = self.wheel.add(self.wheel.now() + HELLO_WITHIN, Timer::HelloDue(key));
        let node = Node {
            pid: None,
            life: self.lives.replace(self.lives.get() + 1) + 1,
            hello_due,
            stage: Stage::Starting,
            has_answered: false,
            is_doomed: false,
            is_unheard: false,
            signals: VecDeque::new(),
            outgoing,
            reader,
        };
        self.nodes.borrow_mut().insert(key, node);
        if let Some(spawner) = &*self.spawner.borrow() {
            spawner.order(key, there);
        }
        Ok(())
    }

    pub(super) fn on_event(&self, event: Event) {
        match event {
            Event::Spawned(key, pid) => self.on_spawned(key, pid),
            Event::SpawnFailed(key, error) => {
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

    /// Sends a signal when those before it have shown their effect.
    pub(super) fn send_signal(&self, key: NodeKey, signal: Signal) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.signals.push_back(signal);
            if node.signals.len() == 1 {
                self.send_first_signal(key, node);
            }
        }
    }

    fn send_first_signal(&self, key: NodeKey, node: &Node) {
        if let (Some(pid), Some(&signal)) = (node.pid, node.signals.front()) {
            self.family.signal(pid, signal);
            self.wheel.add(self.wheel.now() + SIGNAL_WITHIN, Timer::SignalDue(key));
        }
    }

    pub(super) fn examine(&self, key: NodeKey) {
        let pid = self.nodes.borrow().get(&key).and_then(|node| node.pid);
        let state = pid.and_then(state);
        tracing::info!(node = key.id, ?state, "a node is silent; this is its state in the kernel");
        self.input(ControlInput::Examined(key, state == Some('R')));
    }

    /// It was stopped, or goes on, by us or by somebody else.
    fn on_signal(&self, key: NodeKey, signal: Signal) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key)
            && node.signals.front() == Some(&signal)
        {
            node.signals.pop_front();
            self.send_first_signal(key, node);
        }
        let node = key.id;
        if signal == Signal::STOP {
            tracing::info!(node, "a node is stopped");
            self.trace.add(self.wheel.now(), || What::Stopped { node });
            self.input(ControlInput::Stopped(key));
        } else {
            tracing::info!(node, "a node goes on");
            self.trace.add(self.wheel.now(), || What::Continued { node });
            self.input(ControlInput::Continued(key));
        }
    }

    /// No effect was reported: it was so already, or somebody has undone it.
    fn look_after_signal(&self, key: NodeKey) {
        let nodes = self.nodes.borrow();
        let Some(node) = nodes.get(&key) else { return };
        let (Some(pid), Some(&signal)) = (node.pid, node.signals.front()) else { return };
        if matches!(state(pid), Some('T' | 't')) == (signal == Signal::STOP) {
            drop(nodes);
            self.on_signal(key, signal);
        } else {
            self.send_first_signal(key, node);
        }
    }

    pub(super) fn on_timer(&self, timer: Timer) -> bool {
        match timer {
            Timer::Wake => self.tell(ControlMail::Wake),
            Timer::HelloDue(key) => {
                let is_late = |node: &Node| node.stage == Stage::Starting;
                if self.nodes.borrow().get(&key).is_some_and(is_late) {
                    self.fail(key, "its program does not answer: does its main call serve_if_node first?".to_owned());
                }
            }
            Timer::SignalDue(key) => self.look_after_signal(key),
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
        let Some(control) = self.control.borrow().clone() else { return Ok(None) };
        let to = End { link, side: Side::Upper };
        let reader = tokio::task::spawn_local(deliver(incoming, to, control.recipient(), Rc::default()));
        self.own_links.borrow_mut().insert(link, reader.abort_handle());
        Ok(Some(Peer::start(outgoing).recipient().into()))
    }
}

/// Hears what a node says on its control link.
async fn listen(processes: Weak<Processes>, key: NodeKey, mut incoming: Incoming) {
    if let Some(hello) = incoming.next::<HelloBack>().await {
        let Some(known) = processes.upgrade() else { return };
        known.on_hello(key, hello);
        drop(known);
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
        if let Some(control) = &*processes.control.borrow() {
            control.do_send(FromNode { from: key, message });
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
