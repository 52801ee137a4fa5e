//! The process mode: every node is a process, every link a socket between two of them.
//!
//! Flat in the operating system: all nodes are children of the control node's process, which makes the links and
//! hands their ends out over the control links. `docs/wire.md` is what travels over them. Faults of links are done by the
//! process that sends, faults of a node by its own process, and what signals do by signals.

mod channel;
mod fail_point;
mod hello;
mod line;
mod link_faults;
mod node;
mod node_faults;
mod outbox;
mod peer;
mod plan;
mod processes;
mod seat;
mod signals;
mod spares;
mod spawner;
mod unwritten;
mod who;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs::File;
use std::future::ready;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::Instant;

use actix::Actor;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use tokio::sync::mpsc::unbounded_channel;

use super::engine::Parts;
use super::real_time::{Begun, RealTime, Wheel};
use crate::actors::message::{ControlDown, Envelope, LinkId, Nanos, NodeKey, NodeSpec};
use crate::actors::{Address, ControlActor, ControlInput, ControlMail, ControlNode, Fabric, Submissions};
use crate::error::StartError;
use crate::faults::{Fault, FaultKind};
use crate::topology::Slot;
use hello::build;
use link_faults::LinkFaults;
pub use node::{serve_if_built_in_node, serve_if_node};
use plan::Plan;
use processes::{Processes, Timer};
use spares::Spares;
use spawner::{Program, Spawner};
pub use who::{is_node, node_id};

/// Starts a process system.
pub(super) fn start(
    path: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
    command_set: &'static str,
    spares: usize,
    parts: Parts,
) -> Result<RealTime, StartError> {
    if is_node() {
        let what = format!("this process is to be a node, but its main serves no command set {command_set}");
        return Err(StartError::Unsupported(what));
    }
    if ignores_ends_of_children() {
        let what = "this process ignores SIGCHLD, so that the kernel tells nobody how its nodes end: give it a handler";
        return Err(StartError::Unsupported(what.to_owned()));
    }
    raise_descriptor_limit();
    let program = Program { path: path.unwrap_or_else(|| PathBuf::from("/proc/self/exe")), command_set, env };
    Ok(RealTime::start(parts, move |parts, start| begin(program, spares, parts, start))?)
}

/// Whether SIGCHLD is ignored here. Whoever starts a program hands that down to it.
fn ignores_ends_of_children() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & 1 << (Signal::CHILD.as_raw() - 1) != 0
}

/// Each node takes one descriptor of this process, each top-level node one more.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of descriptors could not be raised");
    }
}

fn begin(program: Program, spares: usize, parts: Parts, start: Instant) -> io::Result<Begun> {
    let Parts { config, make_executor: _, sink, submissions, trace, awake, seed, shared } = parts;
    let build = build(program.command_set);
    let secret = draw_secret()?;
    let (events, mut happened) = unbounded_channel();
    let spawner = Spawner::start(program, events)?;
    let processes = Rc::new_cyclic(|this| Processes {
        wheel: Wheel::new(start),
        trace,
        build,
        family: spawner.family(),
        spawner: RefCell::new(Some(spawner)),
        control: RefCell::default(),
        happened: RefCell::default(),
        is_called: Cell::new(false),
        nodes: RefCell::default(),
        spares: Spares::new(spares, shared),
        lives: Cell::new(0),
        plan: Plan::new(seed, own_link_faults(seed, this)),
        own_links: RefCell::default(),
        this: this.clone(),
    });
    let fabric = Box::new(ProcessFabric(Rc::clone(&processes)));
    let queue = Submissions::new(submissions, awake);
    let control = ControlActor::new(ControlNode::new(config).with_secret(secret), fabric, sink, queue).start();
    *processes.control.borrow_mut() = Some(control.clone());
    processes.start_spares();
    let turned = Rc::clone(&processes);
    actix_rt::spawn(async move { turned.wheel.turn(|timer| turned.on_timer(timer)).await });
    let told = Rc::clone(&processes);
    actix_rt::spawn(async move {
        while let Some(event) = happened.recv().await {
            told.hear_out(&event).await;
            told.on_event(event);
        }
    });
    Ok((control, Box::new(move || processes.shut_down())))
}

/// The faults of the control node's own links.
fn own_link_faults(seed: u64, processes: &Weak<Processes>) -> LinkFaults {
    let processes = Weak::clone(processes);
    LinkFaults::new(seed, move |number| {
        if let Some(processes) = processes.upgrade() {
            processes.frame_was_damaged(number);
        }
        Box::pin(ready(()))
    })
}

/// A number that nobody can guess.
fn draw_secret() -> io::Result<u128> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}

/// The hands of the control node in a process system.
struct ProcessFabric(Rc<Processes>);

impl Fabric for ProcessFabric {
    fn now(&self) -> Nanos {
        self.0.wheel.now()
    }

    fn wake_at(&mut self, at: Nanos) {
        if at > self.0.wheel.now() {
            self.0.wheel.add(at, Timer::Wake);
        } else {
            self.0.mail(ControlMail::Wake);
        }
    }

    fn start(&mut self, spec: NodeSpec) {
        self.0.start(spec);
    }

    fn connect(&mut self, link: LinkId, ends: [NodeKey; 2], slot: Slot, active: bool) -> Option<Address> {
        self.0.connect(link, ends, slot, active)
    }

    fn say(&mut self, to: NodeKey, message: ControlDown) {
        tracing::debug!(node = to.id, ?message, "said");
        if let Some(node) = self.0.nodes.borrow().get(&to) {
            node.outgoing.send(&message);
        }
    }

    fn close(&mut self, link: LinkId) {
        if let Some(reader) = self.0.own_links.borrow_mut().remove(&link) {
            reader.abort();
        }
    }

    fn next_input(&mut self) -> Option<ControlInput> {
        self.0.next_input()
    }

    fn kill(&mut self, node: NodeKey) {
        self.0.kill(node);
    }

    fn pause(&mut self, node: NodeKey) {
        self.0.send_signal(node, Signal::STOP);
    }

    fn resume(&mut self, node: NodeKey) {
        self.0.send_signal(node, Signal::CONT);
    }

    fn examine(&mut self, node: NodeKey) {
        self.0.examine(node);
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

    fn sent(&self, link: LinkId, envelope: &Envelope) {
        self.0.trace.sent(self.0.wheel.now(), NodeKey::CONTROL.id, link, envelope);
    }
}
