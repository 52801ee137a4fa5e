//! HOW it travels and on what it runs: the facade [`NodeTree`], the same in every mode, and the modes behind it.

mod config;
mod engine;
mod local;
pub mod process;
mod real_time;
mod simulated;
mod sink;
mod stream;
mod threads;
pub mod wire;

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;

use crate::actors::message::{MESSAGE_BYTES, MILLISECOND, Nanos, RequestKind, RequestPiece, SEGMENT_BYTES};
use crate::actors::{ControlConfig, Order, Outcome, Submission};
use crate::command_sets::{CommandSet, Request, RequestError, executor};
use crate::commands::{Answer, Command, CommandError, Notice, Refusal, Reply, Ticket, help};
use crate::error::{StartError, SubmitError, WaitError};
use crate::topology::NodeId;
use crate::trace::{Event, Trace, What};

pub use config::{MAX_CAPACITY, MAX_REPLY_TIMEOUT, Mode, Span, SystemConfig};
pub use engine::Stuck;
use engine::{Engine, Goal, Parts, Shared};
use sink::{Calls, ReplySink};
pub use stream::ExecStream;

/// How many notices wait for a reader; beyond that the latest of each node is kept.
const NOTICES: usize = 1 << 16;

/// How many bytes of streamed requests may be on their way to the control node.
const STREAMED_BYTES: usize = 4 * 1024 * 1024;

/// Builds a [`NodeTree`].
#[derive(Clone, Debug)]
pub struct Builder<C> {
    config: SystemConfig,
    trace: bool,
    codec: bool,
    node_program: Option<PathBuf>,
    set: PhantomData<fn() -> C>,
}

impl<C: CommandSet> Builder<C> {
    /// Takes everything from a configuration.
    pub fn config(mut self, config: SystemConfig) -> Self {
        self.config = config;
        self
    }

    /// How nodes are placed.
    pub fn topology(mut self, topology: crate::topology::TopologyKind) -> Self {
        self.config.topology = topology;
        self
    }

    /// On what it runs.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.config.mode = mode;
        self
    }

    /// From what the simulated mode draws its delays.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// How long an answer is waited for, from 1 ms to a day.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.config.reply_timeout = Span(timeout);
        self
    }

    /// How many commands may be in flight or unread before a submit waits.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.config.capacity = capacity;
        self
    }

    /// Keeps what happens, for [`NodeTree::trace`].
    pub fn trace(mut self, on: bool) -> Self {
        self.trace = on;
        self
    }

    /// Whether in simulated mode everything that travels is encoded and decoded on each hop, as it would be between
    /// processes; on by default in debug builds.
    pub fn codec_on_each_hop(mut self, on: bool) -> Self {
        self.codec = on;
        self
    }

    /// What nodes run in process mode, instead of this program itself: one that calls
    /// [`process::serve_if_node`] first.
    pub fn node_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.node_program = Some(program.into());
        self
    }

    /// Starts the system.
    ///
    /// # Errors
    /// When the configuration is wrong, or the operating system refuses what the mode needs.
    pub fn start(self) -> Result<NodeTree<C>, StartError> {
        self.config.check()?;
        NodeTree::start(self)
    }
}

/// A system: a control node and the tree of computing nodes below it.
///
/// The same in every mode. Commands go in with [`submit`](Self::submit) and its relatives, each gets exactly one reply.
/// In the simulated mode nothing happens between calls: time moves in [`wait`](Self::wait), [`call`](Self::call),
/// [`settle`](Self::settle), [`advance`](Self::advance), and, once [`replies`](Self::replies) has been asked for, in
/// every `submit`, until everything is answered. It ends when it is dropped, with all its nodes.
///
/// ```
/// use nodetree::{Command, Dictionary, Mode, NodeTree};
/// let tree = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).seed(7).start()?;
/// assert_eq!(tree.line("create 10")?, "Ok: 1000");
/// assert_eq!(tree.line("exec 10 MyVar 5")?, "Ok:10");
/// let answer = tree.call(Command::exec(10, Dictionary::load("MyVar")))?;
/// assert_eq!(answer.to_string(), "Ok:10: 5");
/// assert_eq!(tree.line("kill 10")?, "Ok");
/// assert_eq!(tree.line("exec 10 MyVar")?, "Error:10: Node is unavailable");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NodeTree<C: CommandSet> {
    config: SystemConfig,
    engine: Box<dyn Engine>,
    shared: Arc<Shared>,
    submissions: Sender<Submission>,
    replies: Receiver<Reply<C>>,
    notices: Receiver<Notice>,
    calls: Calls<C>,
    kept: Mutex<BTreeMap<Ticket, Reply<C>>>,
    next: AtomicU64,
    in_order: Mutex<()>,
    free_running: AtomicBool,
    trace: Trace,
}

impl<C: CommandSet> NodeTree<C> {
    /// A builder with the defaults of [`SystemConfig`].
    pub fn builder() -> Builder<C> {
        let (config, codec) = (SystemConfig::default(), cfg!(debug_assertions));
        Builder { config, trace: false, codec, node_program: None, set: PhantomData }
    }

    fn start(builder: Builder<C>) -> Result<Self, StartError> {
        let config = builder.config;
        let shared = Arc::new(Shared { byte_limit: STREAMED_BYTES, capacity: config.capacity, ..Shared::default() });
        let (replies_in, replies) = bounded(config.capacity + 1);
        let (notices_in, notices) = bounded(NOTICES);
        let (submissions, queue) = bounded(config.capacity + 1);
        let (calls, trace) = (Calls::default(), if builder.trace { Trace::on() } else { Trace::default() });
        let sink = ReplySink {
            replies: replies_in,
            notices: notices_in,
            calls: Arc::clone(&calls),
            shared: Arc::clone(&shared),
            trace: trace.clone(),
            spools: HashMap::new(),
            late: BTreeMap::new(),
        };
        let parts = Parts {
            config: ControlConfig {
                topology: config.topology,
                reply_timeout_ns: nanos(config.reply_timeout.0),
                lossy_links: false,
            },
            make_executor: Box::new(executor::<C>),
            sink: Box::new(sink),
            submissions: queue,
            awake: Arc::default(),
            trace: trace.clone(),
            shared: Arc::clone(&shared),
        };
        let engine: Box<dyn Engine> = match config.mode {
            Mode::Simulated => {
                let settings = simulated::Settings { seed: config.seed, codec: builder.codec };
                Box::new(simulated::Simulated::start(settings, parts)?)
            }
            Mode::Threads => Box::new(threads::start(parts)?),
            Mode::Process => Box::new(process::start(builder.node_program, C::NAME, parts)?),
        };
        Ok(Self {
            config,
            engine,
            shared,
            submissions,
            replies,
            notices,
            calls,
            kept: Mutex::default(),
            next: AtomicU64::new(1),
            in_order: Mutex::default(),
            free_running: AtomicBool::new(false),
            trace,
        })
    }

    /// How it was configured.
    pub fn config(&self) -> &SystemConfig {
        &self.config
    }

    /// Whether time is virtual.
    pub fn is_virtual(&self) -> bool {
        self.engine.is_virtual()
    }

    /// The time on the mode's clock, since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.engine.now())
    }

    /// How many envelopes were delivered; 0 where the mode does not count them.
    pub fn delivered(&self) -> u64 {
        self.engine.delivered()
    }

    /// Submits a command; its reply comes to [`replies`](Self::replies), or is waited for with [`wait`](Self::wait).
    /// Waits while as many commands as the capacity allows are in flight or unread.
    ///
    /// # Errors
    /// When the command cannot be submitted; then it has no effect and no reply.
    pub fn submit(&self, command: Command<C>) -> Result<Ticket, SubmitError> {
        let order = self.order(command)?;
        self.wait_for_place()?;
        let ticket = self.enter(order, None)?;
        self.run_if_free_running()?;
        Ok(ticket)
    }

    /// As [`submit`](Self::submit), but does not wait for a place.
    ///
    /// # Errors
    /// [`SubmitError::Full`] instead of waiting.
    pub fn try_submit(&self, command: Command<C>) -> Result<Ticket, SubmitError> {
        let order = self.order(command)?;
        if !self.has_place() {
            return Err(SubmitError::Full(self.config.capacity));
        }
        let ticket = self.enter(order, None)?;
        self.run_if_free_running()?;
        Ok(ticket)
    }

    /// Submits commands all at once. In the simulated mode they arrive one after the other at moments drawn from the
    /// seed, while those before them are under way.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); the commands before the wrong one were submitted.
    pub fn submit_all(&self, commands: impl IntoIterator<Item = Command<C>>) -> Result<Vec<Ticket>, SubmitError> {
        let mut tickets = Vec::new();
        for command in commands {
            let order = self.order(command)?;
            self.wait_for_place()?;
            tickets.push(self.enter(order, None)?);
        }
        self.run_if_free_running()?;
        Ok(tickets)
    }

    /// Submits a line that is no command, so that it is refused when its turn comes.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_wrong(&self, error: CommandError) -> Result<Ticket, SubmitError> {
        self.wait_for_place()?;
        let ticket = self.enter(Entry::answer(Outcome::Refused(Refusal::Command(error))), None)?;
        self.run_if_free_running()?;
        Ok(ticket)
    }

    /// Submits a command given as text, right or wrong.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_line(&self, line: &str) -> Result<Ticket, SubmitError> {
        match line.parse() {
            Ok(command) => self.submit(command),
            Err(error) => self.submit_wrong(error),
        }
    }

    /// Submits lines, right or wrong, all at once; see [`submit_all`](Self::submit_all).
    ///
    /// # Errors
    /// As [`submit_all`](Self::submit_all).
    pub fn submit_lines<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Ticket>, SubmitError> {
        let mut tickets = Vec::new();
        for line in lines {
            let order = match line.parse() {
                Ok(command) => self.order(command)?,
                Err(error) => Entry::answer(Outcome::Refused(Refusal::Command(error))),
            };
            self.wait_for_place()?;
            tickets.push(self.enter(order, None)?);
        }
        self.run_if_free_running()?;
        Ok(tickets)
    }

    /// Begins an exec whose request comes in pieces.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn begin_exec(&self, id: NodeId) -> Result<ExecStream<'_, C>, SubmitError> {
        self.wait_for_place()?;
        Ok(ExecStream::new(self, id))
    }

    /// The receiver of all replies but those that are waited for, for `select!` and for other threads.
    ///
    /// In the simulated mode, from now on every submit runs the simulation until everything is answered, so that
    /// nobody waits at the receiver for what cannot come.
    ///
    /// # Errors
    /// When the simulation is stuck.
    pub fn replies(&self) -> Result<Receiver<Reply<C>>, Stuck> {
        self.free_running.store(true, Ordering::Release);
        self.settle()?;
        Ok(self.replies.clone())
    }

    /// The receiver of what is said unasked. When nobody reads, the latest notice of each node is kept.
    pub fn notices(&self) -> Receiver<Notice> {
        self.notices.clone()
    }

    /// Waits for the reply to one command. Replies to others that come meanwhile are kept for their own `wait`.
    ///
    /// # Errors
    /// When there is no such reply to come, the system has ended, or the simulation is stuck.
    pub fn wait(&self, ticket: Ticket) -> Result<Reply<C>, WaitError> {
        if ticket.0 == 0 || ticket.0 >= self.next.load(Ordering::Acquire) {
            return Err(WaitError::Unknown);
        }
        loop {
            let mut kept = self.kept();
            if let Some(reply) = kept.remove(&ticket) {
                return Ok(reply);
            }
            while let Ok(reply) = self.replies.try_recv() {
                if reply.ticket == ticket {
                    return Ok(reply);
                }
                kept.insert(reply.ticket, reply);
            }
            drop(kept);
            if self.shared.in_flight.load(Ordering::Acquire) == 0 && self.replies.is_empty() {
                return Err(WaitError::Unknown);
            }
            self.run_for_a_reply(ticket)?;
        }
    }

    fn run_for_a_reply(&self, ticket: Ticket) -> Result<(), Stuck> {
        if self.is_virtual() {
            self.shared.watched.store(ticket.0, Ordering::Release);
            // Answered already, and read by somebody else: then everything is answered in the end.
            let goal = if self.shared.in_flight.load(Ordering::Acquire) == 0 { Goal::Idle } else { Goal::Watched };
            return self.engine.run(goal);
        }
        if let Ok(reply) = self.replies.recv_timeout(Duration::from_millis(50)) {
            self.kept().insert(reply.ticket, reply);
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Ticket, Reply<C>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a command and waits for its answer, which does not come to [`replies`](Self::replies).
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`wait`](Self::wait).
    pub fn call(&self, command: Command<C>) -> Result<Answer<C>, WaitError> {
        let order = self.order(command)?;
        self.call_order(order)
    }

    fn call_order(&self, order: Entry) -> Result<Answer<C>, WaitError> {
        self.wait_for_place()?;
        let (call, reply) = bounded(2);
        let ticket = self.enter(order, Some(call))?;
        if self.is_virtual() {
            self.shared.watched.store(ticket.0, Ordering::Release);
            self.engine.run(Goal::Watched)?;
        }
        reply.recv().map(|reply| reply.answer).map_err(|_| WaitError::Ended)
    }

    /// Types a line and waits for the text of its reply.
    ///
    /// # Errors
    /// As [`call`](Self::call); a wrong line is no error, its reply says so.
    pub fn line(&self, line: &str) -> Result<String, WaitError> {
        let answer = match line.parse() {
            Ok(command) => self.call(command)?,
            Err(error) => self.call_order(Entry::answer(Outcome::Refused(Refusal::Command(error))))?,
        };
        Ok(answer.to_string())
    }

    /// Waits until everything that was submitted has been answered.
    ///
    /// # Errors
    /// When the simulation is stuck.
    pub fn settle(&self) -> Result<(), Stuck> {
        if self.is_virtual() {
            return self.engine.run(Goal::Idle);
        }
        self.shared.wait_until(|| Goal::Idle.is_reached(&self.shared));
        Ok(())
    }

    /// Lets time pass: virtual time at once, real time by waiting.
    ///
    /// # Errors
    /// When the simulation has ended.
    pub fn advance(&self, time: Duration) -> Result<(), Stuck> {
        self.engine.advance(nanos(time))
    }

    /// Waits for the next notice, at most for so long on the mode's clock.
    ///
    /// # Errors
    /// When the simulation has ended.
    pub fn next_notice(&self, within: Duration) -> Result<Option<Notice>, Stuck> {
        if !self.is_virtual() {
            return Ok(self.notices.recv_timeout(within).ok());
        }
        let until = self.now() + within;
        loop {
            if let Ok(notice) = self.notices.try_recv() {
                return Ok(Some(notice));
            }
            if self.now() >= until {
                return Ok(None);
            }
            self.advance(Duration::from_millis(10).min(until - self.now()))?;
        }
    }

    /// Takes what has happened since the last time, when the trace is on.
    pub fn trace(&self) -> Vec<Event> {
        self.trace.take()
    }

    /// Answers `wait`s with `Interrupted`, so that the end need not wait for them.
    pub fn interrupt(&self) {
        self.tell(Submission::Interrupt);
    }

    /// Answers everything that is not answered: execs with `Node is unavailable`, changes with `Interrupted`.
    ///
    /// # Errors
    /// When the simulation is stuck.
    pub fn give_up(&self) -> Result<(), Stuck> {
        self.tell(Submission::GiveUp);
        self.settle()
    }

    fn tell(&self, submission: Submission) {
        if self.submissions.send(submission).is_ok() {
            self.engine.submitted();
        }
    }

    fn has_place(&self) -> bool {
        let in_flight = self.shared.in_flight.load(Ordering::Acquire);
        in_flight + self.replies.len() < self.config.capacity
    }

    fn wait_for_place(&self) -> Result<(), SubmitError> {
        if !self.has_place() {
            if self.is_virtual() {
                self.engine.run(Goal::Idle)?;
            }
            self.shared.wait_until(|| self.has_place());
        }
        Ok(())
    }

    fn run_if_free_running(&self) -> Result<(), SubmitError> {
        if self.is_virtual() && self.free_running.load(Ordering::Acquire) {
            self.engine.run(Goal::Idle)?;
        }
        Ok(())
    }

    fn enter(&self, entry: Entry, call: Option<Sender<Reply<C>>>) -> Result<Ticket, SubmitError> {
        let Entry { order, rest, text } = entry;
        // Numbers and the queue must agree on who was first.
        let in_order = self.in_order.lock().unwrap_or_else(PoisonError::into_inner);
        let op = self.next.fetch_add(1, Ordering::AcqRel);
        if let Some(call) = call {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(op, call);
        }
        if let Order::Wait(Some(ns)) = order {
            self.shared.waits_ns.fetch_add(ns, Ordering::AcqRel);
        }
        self.trace.add(self.engine.now(), || What::Submitted { command: op, text });
        self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        let sent = self.submissions.send(Submission::Order(op, numbered(order, op)));
        sent.map_err(|_| SubmitError::Ended)?;
        self.engine.submitted();
        for piece in rest {
            self.send_piece(op, piece)?;
        }
        drop(in_order);
        Ok(Ticket(op))
    }

    /// Sends a further piece of a request, and waits for room.
    fn send_piece(&self, op: u64, piece: RequestPiece) -> Result<(), SubmitError> {
        let bytes = piece.bytes.len();
        if !self.shared.has_room(bytes) || self.submissions.is_full() {
            if self.is_virtual() {
                self.engine.run(Goal::Room(bytes))?;
            }
            self.shared.wait_until(|| self.shared.has_room(bytes));
        }
        self.shared.streamed.fetch_add(bytes, Ordering::AcqRel);
        let piece = RequestPiece { exec: op, ..piece };
        self.submissions.send(Submission::Piece(op, piece)).map_err(|_| SubmitError::Ended)?;
        self.engine.submitted();
        Ok(())
    }

    fn order(&self, command: Command<C>) -> Result<Entry, SubmitError> {
        let text = if self.trace.is_on() { command.to_string() } else { String::new() };
        let order = match command {
            Command::Create { id, parent } => Order::Create { id, parent },
            Command::Exec { id, request } => return Ok(Entry { text, ..exec_entry(id, request)? }),
            Command::Ping { id } => Order::Ping(id),
            Command::PingAll => Order::PingAll,
            Command::Heartbit { period_ms } => Order::Heartbit(period_ms * MILLISECOND),
            Command::Remove { id } => Order::Remove(id),
            Command::Kill { id } => Order::Kill(id),
            Command::Pause { id } => Order::Pause(id),
            Command::Resume { id } => Order::Resume(id),
            Command::All => Order::All,
            Command::Tree => Order::Tree,
            Command::Wait { ms } => Order::Wait(ms.map(|ms| ms * MILLISECOND)),
            Command::Help { command } => Order::Answer(match help::<C>(command.as_deref()) {
                Ok(text) => Outcome::Help(text),
                Err(error) => Outcome::Refused(Refusal::Command(error)),
            }),
            Command::Exit => return Err(SubmitError::Exit),
        };
        Ok(Entry { order, rest: Vec::new(), text })
    }
}

/// A command on its way to the control node.
struct Entry {
    order: Order,
    /// What follows of its request.
    rest: Vec<RequestPiece>,
    text: String,
}

impl Entry {
    fn answer(outcome: Outcome) -> Self {
        Self { order: Order::Answer(outcome), rest: Vec::new(), text: String::new() }
    }
}

fn numbered(order: Order, op: u64) -> Order {
    match order {
        Order::Exec { id, first, complete } => Order::Exec { id, first: RequestPiece { exec: op, ..first }, complete },
        order => order,
    }
}

fn exec_entry<C: CommandSet>(id: NodeId, request: Result<Request<C>, RequestError>) -> Result<Entry, SubmitError> {
    let mut pieces = Vec::new();
    match request {
        Err(RequestError(text)) => add_message(RequestKind::Invalid, text.into_bytes(), true, &mut pieces),
        Ok(Request { head, parts }) => {
            add_message(RequestKind::Head, encoded(&head)?, parts.is_empty(), &mut pieces);
            let count = parts.len();
            for (at, part) in parts.iter().enumerate() {
                add_message(RequestKind::Part, encoded(part)?, at + 1 == count, &mut pieces);
            }
        }
    }
    let mut pieces = pieces.into_iter();
    let first = pieces.next().ok_or_else(|| SubmitError::Encode("an empty request".to_owned()))?;
    let rest: Vec<_> = pieces.collect();
    Ok(Entry { order: Order::Exec { id, first, complete: rest.is_empty() }, rest, text: String::new() })
}

fn encoded<T: Serialize>(message: &T) -> Result<Vec<u8>, SubmitError> {
    let bytes = postcard::to_stdvec(message).map_err(|error| SubmitError::Encode(error.to_string()))?;
    match bytes.len() {
        length if length > MESSAGE_BYTES => Err(SubmitError::TooLong { bytes: length, limit: MESSAGE_BYTES }),
        _ => Ok(bytes),
    }
}

/// Cuts a message into pieces that fit into segments.
fn add_message(kind: RequestKind, message: Vec<u8>, last: bool, pieces: &mut Vec<RequestPiece>) {
    let mut rest = Bytes::from(message);
    loop {
        let bytes = rest.split_to(rest.len().min(SEGMENT_BYTES));
        let more = !rest.is_empty();
        pieces.push(RequestPiece { exec: 0, kind, more, last: last && !more, bytes });
        if !more {
            return;
        }
    }
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX / 4)
}
