//! A node as a process: what the program does when the control node has started it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::{Recipient, System};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::task::AbortHandle;

use super::channel::{Incoming, open};
use super::fail_point::FailPoints;
use super::hello::{Hello, HelloBack, NODE_ARGUMENT, build, machine_clock_ns};
use super::line::Line;
use super::node_faults::NodeFaults;
use super::outbox::Outbox;
use super::peer::{Peer, Reading, Way, WayUp, deliver};
use super::seat::Seat;
use super::who;
use crate::actors::message::{ControlDown, ControlUp, LinkId, Nanos, NodeKey, Role, Side};
use crate::actors::{ComputingNode, End, FromNode, Gate, LongJob, NodeActor, NodeHost, NodeInput, NodeMail};
use crate::command_sets::{CommandSet, Dictionary, Executor, Search, Sum, Timer, executor};
use crate::faults::{Direction, Moment};
use crate::modes::real_time::Wheel;
use crate::topology::NodeId;

/// What a node was told last is written within this time after its end.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// By how many thousandths of the memory the kernel is to think a node larger than it is, and the most it can think so.
const LIKELIER_BY: i32 = 100;
const MOST_LIKELY: i32 = 1000;

/// The exit code of a node that has no control node, or one of another build.
const NOT_A_NODE: i32 = 2;

/// The exit code of a node whose command set panicked.
const PANICKED: i32 = 101;

static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Makes this process a node, if a control node has started it for the command set `C`; then it does not return.
///
/// A program whose nodes run itself (the default in process mode) calls this first in its `main`, once for each
/// command set that it uses. In any other process it does nothing.
///
/// ```no_run
/// use nodetree::{Dictionary, Mode, NodeTree};
///
/// nodetree::modes::process::serve_if_node::<Dictionary>();
/// let tree = NodeTree::<Dictionary>::builder().mode(Mode::Process).start()?;
/// println!("{}", tree.line("create 10")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve_if_node<C: CommandSet>() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != NODE_ARGUMENT) {
        return;
    }
    let id = arguments.next().unwrap_or_default();
    if arguments.next().is_none_or(|name| name != C::NAME) {
        return;
    }
    who::is_called(&id);
    let error = match serve(executor::<C>(), build(C::NAME)) {
        Ok(code) => std::process::exit(code),
        Err(error) => error,
    };
    let _ = writeln!(io::stderr(), "nodetree: only a control node starts a node: {error}");
    std::process::exit(NOT_A_NODE);
}

/// [`serve_if_node`] for each of the built-in command sets.
pub fn serve_if_built_in_node() {
    serve_if_node::<Sum>();
    serve_if_node::<Dictionary>();
    serve_if_node::<Timer>();
    serve_if_node::<Search>();
}

fn serve(executor: Box<dyn Executor>, build: String) -> io::Result<i32> {
    // A stopped process does not see that its control link ends, but it sees this.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    offer_to_the_kernel();
    let control_link = take_control_link()?;
    note_panics();
    // Not `available_parallelism`, which reads files of the system to find quotas of time.
    let cores = rustix::thread::sched_getaffinity(None).map_or(1, |cores| cores.count() as usize).max(1);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(cores).build()?;
    System::with_tokio_rt(|| runtime).block_on(live(control_link, executor, build))
}

/// When the kernel must end a process to get memory, a node is to be chosen before the control node: that would end all.
fn offer_to_the_kernel() {
    const SCORE: &str = "/proc/self/oom_score_adj";
    let score = fs::read_to_string(SCORE).ok().and_then(|text| text.trim().parse::<i32>().ok());
    // Where the kernel has no such file, it cannot be told.
    let _ = fs::write(SCORE, (score.unwrap_or(0) + LIKELIER_BY).min(MOST_LIKELY).to_string());
}

/// The control link is 0 when the process starts; what a command set reads there is nothing.
fn take_control_link() -> io::Result<OwnedFd> {
    let control_link = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(control_link)
}

fn note_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        HAS_PANICKED.store(true, Ordering::Release);
        before(panic);
    }));
}

/// Gives back the exit code once the control link has ended: then nobody can want anything of this node.
async fn live(control_link: OwnedFd, executor: Box<dyn Executor>, build: String) -> io::Result<i32> {
    let (outgoing, mut incoming) = open(control_link)?;
    outgoing.send(&HelloBack { build: build.clone() });
    let Some(hello) = incoming.next::<Hello>().await else { return Ok(NOT_A_NODE) };
    let is_orphan = getppid().is_none_or(|parent| parent.as_raw_pid() != hello.parent);
    if is_orphan || hello.build != build {
        return Ok(NOT_A_NODE);
    }
    let key = hello.spec.key;
    who::is_told(key.id);
    let points = fail_points(key.id)?;
    let outboxes = RefCell::new(vec![Rc::downgrade(outgoing.outbox())]);
    let control: Recipient<FromNode> = Peer::start(outgoing).recipient();
    let wheel = Rc::new(wheel(hello.clock_began_ns));
    let gate = Gate::default();
    tracing::debug!(build, "serving");
    let host = Rc::new_cyclic(|this| Host {
        key,
        wheel: Rc::clone(&wheel),
        control: RefCell::new(Some(control)),
        node: RefCell::default(),
        way_up: Rc::default(),
        readers: RefCell::default(),
        lines: RefCell::default(),
        outboxes,
        has_ended: Cell::new(false),
        faults: NodeFaults::new(hello.seed, points, this),
        gate: gate.clone(),
        this: Weak::clone(this),
    });
    let node = ComputingNode::new(wheel.now(), &hello.spec, executor);
    let seat = Seat::start(NodeActor::new(node, Rc::clone(&host) as Rc<dyn NodeHost>, gate));
    *host.node.borrow_mut() = Some(Rc::clone(&seat));
    actix_rt::spawn(async move {
        let wake = |()| {
            seat.hand(NodeMail::Wake);
            !seat.is_over()
        };
        wheel.turn(wake).await;
    });
    host.obey(incoming).await;
    Ok(i32::from(HAS_PANICKED.load(Ordering::Acquire)) * PANICKED)
}

/// The wheel of a node whose clock showed 0 then, on the machine's clock.
fn wheel(clock_began_ns: i64) -> Wheel<()> {
    let age = i128::from(machine_clock_ns()) - i128::from(clock_began_ns);
    let age = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
    Wheel::new(Instant::now().checked_sub(age).unwrap_or_else(Instant::now))
}

#[cfg(feature = "testing")]
fn fail_points(node: NodeId) -> io::Result<FailPoints> {
    FailPoints::of(node).map_err(io::Error::other)
}

#[cfg(not(feature = "testing"))]
fn fail_points(_: NodeId) -> io::Result<FailPoints> {
    Ok(FailPoints::default())
}

/// What the process does for its one node.
pub(super) struct Host {
    key: NodeKey,
    wheel: Rc<Wheel<()>>,
    /// Until the node ends: its outbox is watched then.
    control: RefCell<Option<Recipient<FromNode>>>,
    node: RefCell<Option<Rc<Seat>>>,
    way_up: Rc<WayUp>,
    readers: RefCell<BTreeMap<End, AbortHandle>>,
    lines: RefCell<Vec<Weak<Line>>>,
    outboxes: RefCell<Vec<Weak<Outbox>>>,
    has_ended: Cell<bool>,
    pub(super) faults: NodeFaults,
    /// The node takes nothing while it is stopped.
    pub(super) gate: Gate,
    pub(super) this: Weak<Self>,
}

impl Host {
    /// Hands to the node what the control node says, until it says no more.
    async fn obey(&self, mut incoming: Incoming) {
        while let Some(message) = incoming.next::<ControlDown>().await {
            tracing::debug!(?message, "told");
            let ControlDown::Link { link, role, .. } = message else {
                self.obey_words(message);
                continue;
            };
            let end = incoming.descriptor().ok_or_else(|| io::Error::other("no descriptor has come with it"));
            if let Err(error) = end.and_then(|end| self.link(link, role, message, end)) {
                tracing::error!(%error, link = link.0, "a link cannot be used");
                self.report(ControlUp::LinkFailed { link });
            }
        }
    }

    fn obey_words(&self, message: ControlDown) {
        match message {
            // The node does not know of faults.
            ControlDown::Fault { number, fault } => self.begin_fault(number, &fault),
            ControlDown::Heal { number } => self.end_fault(number),
            message => self.tell(NodeMail::Control(message, None)),
        }
    }

    fn link(&self, link: LinkId, role: Role, message: ControlDown, end: OwnedFd) -> io::Result<()> {
        let (side, below, way) = match role {
            Role::Parent => (Side::Lower, self.key.id, Direction::Up),
            Role::Child { key, .. } => (Side::Upper, key.id, Direction::Down),
        };
        let to = End { link, side };
        let (outgoing, incoming) = open(end)?;
        let mut outboxes = self.outboxes.borrow_mut();
        outboxes.retain(|outbox| outbox.strong_count() > 0);
        outboxes.push(Rc::downgrade(outgoing.outbox()));
        drop(outboxes);
        let line = Line::new(outgoing, below, way, Rc::clone(&self.faults.links));
        if side == Side::Lower {
            self.way_up.lead_through(&line);
        }
        let mut lines = self.lines.borrow_mut();
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Rc::downgrade(&line));
        drop(lines);
        let address = Arc::new(Way::over(&line));
        let node = self.node.borrow().clone();
        if let Some(node) = node {
            node.hand(NodeMail::Control(message, Some(address)));
            let (hand, way_up) = (Box::new(move |frame| node.hand(frame)), Rc::clone(&self.way_up));
            let reader = tokio::task::spawn_local(deliver(Reading { incoming, to, hand, line, way_up }));
            self.readers.borrow_mut().insert(to, reader.abort_handle());
            actix_rt::spawn(async move {
                // A reader that panics is a bug of ours. The node must not go on deaf.
                if reader.await.is_err_and(|error| error.is_panic()) {
                    std::process::exit(PANICKED);
                }
            });
        }
        Ok(())
    }

    pub(super) fn report(&self, message: ControlUp) {
        self.say(FromNode { from: self.key, message });
    }

    pub(super) fn tell(&self, mail: NodeMail) {
        // It may end by that.
        let node = self.node.borrow().clone();
        if let Some(node) = node {
            node.hand(mail);
        }
    }

    /// Waits until what was said to the control node has left this process.
    pub(super) async fn control_is_told(&self) {
        until_it_is_queued().await;
        // The control link's is the first.
        let outbox = self.outboxes.borrow().first().cloned();
        while outbox.as_ref().and_then(Weak::upgrade).is_some_and(|outbox| !outbox.is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until nothing that was sent is left in this process.
    pub(super) async fn all_is_written(&self) {
        until_it_is_queued().await;
        let has_left = |outbox: &Weak<Outbox>| outbox.upgrade().is_none_or(|outbox| outbox.is_empty());
        let holds_nothing = |line: &Weak<Line>| line.upgrade().is_none_or(|line| line.is_empty());
        while !(self.outboxes.borrow().iter().all(has_left) && self.lines.borrow().iter().all(holds_nothing)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What was sent is put into the outboxes by actors, in this turn or the next.
async fn until_it_is_queued() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

impl NodeHost for Host {
    fn now(&self) -> Nanos {
        self.wheel.now()
    }

    fn wake_at(&self, _: NodeKey, at: Nanos) {
        if at > self.wheel.now() {
            self.wheel.add(at, ());
        } else {
            self.tell(NodeMail::Wake);
        }
    }

    fn say(&self, message: FromNode) {
        if let Some(control) = &*self.control.borrow() {
            control.do_send(message);
        }
    }

    fn close(&self, _: NodeKey, end: End) {
        tracing::debug!(link = end.link.0, "a link is closed: it is not needed any more");
        if let Some(reader) = self.readers.borrow_mut().remove(&end) {
            reader.abort();
        }
    }

    fn run_long(&self, _: NodeKey, job: LongJob) {
        let (now, Some(node)) = (self.wheel.now(), self.node.borrow().clone()) else { return };
        actix_rt::spawn(async move {
            match tokio::task::spawn_blocking(move || job.run(now)).await {
                Ok(result) => node.hand(NodeMail::LongDone(result)),
                // A panic in a command set is the death of the node.
                Err(_) => std::process::exit(PANICKED),
            }
        });
    }

    fn before(&self, _: NodeKey, input: &NodeInput) -> bool {
        self.faults.points.count(input);
        self.may_go_on(Moment::Before) && self.is_in_time()
    }

    fn applied(&self, _: NodeKey) -> bool {
        self.may_go_on(Moment::Applied)
    }

    fn after(&self, _: NodeKey) {
        self.may_go_on(Moment::Answered);
    }

    /// The process ends when what the node has sent is written.
    fn ended(&self, _: NodeKey) {
        self.node.borrow_mut().take();
        self.control.borrow_mut().take();
        if self.has_ended.replace(true) {
            return;
        }
        let outboxes = self.outboxes.take();
        actix_rt::spawn(async move {
            let until = Instant::now() + LAST_WORDS;
            // Each outbox goes away with the addresses that the node held, and what is in it is written before.
            while outboxes.iter().any(|outbox| outbox.strong_count() > 0) && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            std::process::exit(i32::from(HAS_PANICKED.load(Ordering::Acquire)) * PANICKED);
        });
    }
}
