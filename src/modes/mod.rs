//! HOW it travels and on what it runs: the facade [`NodeTree`], the same in every mode, and the modes behind it.

mod alarm;
mod builder;
pub(crate) mod config;
mod engine;
mod entry;
mod inject;
mod local;
pub mod process;
mod real_time;
mod replay;
mod simulated;
mod sink;
mod stream;
mod threads;
pub mod wire;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::actors::message::{COUNTED_BYTES, Nanos, RequestKind, RequestPiece};
use crate::actors::{Order, Outcome, Submission};
use crate::command_sets::CommandSet;
use crate::commands::{Answer, Command, CommandError, Notice, Reply, Ticket};
use crate::error::{SubmitError, WaitError};
use crate::faults::FaultPlan;
use crate::topology::NodeId;
use crate::trace::{Event, Trace, What, hex, text_of};

pub use builder::Builder;
pub use config::{MAX_CAPACITY, MAX_REPLY_TIMEOUT, MAX_SPARE_PROCESSES, Mode, Span, SystemConfig};
pub use engine::Stuck;
use engine::{Engine, Goal, Shared};
use entry::{Entry, numbered};
pub use inject::{FaultGuard, InjectError};
pub use replay::{Recording, ReplayError, Replayed};
use sink::Calls;
pub use stream::ExecStream;

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
        Builder {
            config,
            faults: FaultPlan::default(),
            trace: false,
            codec,
            node_program: None,
            node_env: Vec::new(),
            set: PhantomData,
        }
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

    /// The processes that stand by to become nodes, by their pids: see [`Builder::spare_processes`].
    pub fn spare_processes(&self) -> Vec<u32> {
        self.shared.spares.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Submits a command; its reply comes to [`replies`](Self::replies), or is waited for with [`wait`](Self::wait).
    /// Waits while as many commands as the capacity allows are in flight or unread, or half as many ask the same node:
    /// one that is silent does not use up what others need.
    ///
    /// # Errors
    /// When the command cannot be submitted; then it has no effect and no reply.
    pub fn submit(&self, command: Command<C>) -> Result<Ticket, SubmitError> {
        self.enter_one(self.order(command)?)
    }

    /// As [`submit`](Self::submit), but does not wait for a place.
    ///
    /// # Errors
    /// [`SubmitError::Full`] instead of waiting.
    pub fn try_submit(&self, command: Command<C>) -> Result<Ticket, SubmitError> {
        let entry = self.order(command)?;
        if !self.has_place(&entry.order) {
            return Err(SubmitError::Full(self.config.capacity));
        }
        let ticket = self.enter(entry, None)?;
        self.run_if_free_running()?;
        Ok(ticket)
    }

    /// Submits commands all at once. In the simulated mode they arrive one after the other at moments drawn from the
    /// seed, while those before them are under way.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); the commands before the wrong one were submitted.
    pub fn submit_all(&self, commands: impl IntoIterator<Item = Command<C>>) -> Result<Vec<Ticket>, SubmitError> {
        self.enter_all(commands.into_iter().map(|command| self.order(command)))
    }

    /// Submits a line that is no command, so that it is refused when its turn comes.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_wrong(&self, error: CommandError) -> Result<Ticket, SubmitError> {
        self.enter_one(Entry::wrong(error))
    }

    /// Submits a command given as text, right or wrong.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_line(&self, line: &str) -> Result<Ticket, SubmitError> {
        self.enter_one(self.order_of_line(line)?)
    }

    /// Submits lines, right or wrong, all at once; see [`submit_all`](Self::submit_all).
    ///
    /// # Errors
    /// As [`submit_all`](Self::submit_all).
    pub fn submit_lines<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Ticket>, SubmitError> {
        self.enter_all(lines.into_iter().map(|line| self.order_of_line(line)))
    }

    /// Begins an exec whose request comes in pieces.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn begin_exec(&self, id: NodeId) -> Result<ExecStream<'_, C>, SubmitError> {
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

    fn call_order(&self, entry: Entry) -> Result<Answer<C>, WaitError> {
        self.wait_for_place(&entry.order)?;
        let (call, reply) = bounded(2);
        let ticket = self.enter(entry, Some(call))?;
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
        Ok(self.call_order(self.order_of_line(line)?)?.to_string())
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
        if time.is_zero() {
            return Ok(());
        }
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

    /// Has what happens written while it happens, and not kept for [`trace`](Self::trace): what was kept until now
    /// first. Nothing is written when the trace is off.
    ///
    /// It is written by whoever it happens to, 64 KiB at once, so `out` should be a file and not a pipe that nobody
    /// reads.
    pub fn write_trace_to(&self, out: impl Write + Send + 'static) {
        self.trace.write_to(out);
    }

    /// Ends what [`write_trace_to`](Self::write_trace_to) has begun.
    ///
    /// # Errors
    /// The first thing that could not be written; what came behind it was not kept.
    pub fn end_trace(&self) -> io::Result<()> {
        self.trace.end()
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

    /// Whether a command finds room, in the system and at the node that it asks.
    fn has_place(&self, order: &Order) -> bool {
        let in_flight = self.shared.in_flight.load(Ordering::Acquire);
        let has_credit = order.asks().is_none_or(|id| self.shared.credits.has_one(id));
        has_credit && in_flight + self.replies.len() < self.config.capacity
    }

    pub(super) fn wait_for_place(&self, order: &Order) -> Result<(), SubmitError> {
        if !self.has_place(order) {
            if self.is_virtual() {
                self.engine.run(Goal::Idle)?;
            }
            self.shared.wait_until(|| self.has_place(order));
        }
        Ok(())
    }

    fn run_if_free_running(&self) -> Result<(), SubmitError> {
        if self.is_virtual() && self.free_running.load(Ordering::Acquire) {
            self.engine.run(Goal::Idle)?;
        }
        Ok(())
    }

    fn enter_one(&self, entry: Entry) -> Result<Ticket, SubmitError> {
        self.wait_for_place(&entry.order)?;
        let ticket = self.enter(entry, None)?;
        self.run_if_free_running()?;
        Ok(ticket)
    }

    fn enter_all(&self, entries: impl Iterator<Item = Result<Entry, SubmitError>>) -> Result<Vec<Ticket>, SubmitError> {
        let mut tickets = Vec::new();
        for entry in entries {
            let entry = entry?;
            self.wait_for_place(&entry.order)?;
            tickets.push(self.enter(entry, None)?);
        }
        self.run_if_free_running()?;
        Ok(tickets)
    }

    fn enter(&self, entry: Entry, call: Option<Sender<Reply<C>>>) -> Result<Ticket, SubmitError> {
        let Entry { order, rest, text, is_told_in_pieces } = entry;
        if let Order::Exec { first, .. } = &order {
            self.count(first.bytes.len())?;
        }
        // Numbers and the queue must agree on who was first.
        let in_order = self.in_order.lock().unwrap_or_else(PoisonError::into_inner);
        let op = self.next.fetch_add(1, Ordering::AcqRel);
        if let Some(call) = call {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(op, call);
        }
        if let Order::Wait(Some(ns)) = order {
            self.shared.waits_ns.fetch_add(ns, Ordering::AcqRel);
        }
        self.trace.add(self.engine.now(), || What::Submitted { command: op, node: order.node(), text });
        if is_told_in_pieces {
            self.tell_pieces(op, &order, &rest);
        }
        self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        if let Some(id) = order.asks() {
            self.shared.credits.take(id);
        }
        self.clear_queue()?;
        let sent = self.submissions.send(Submission::Order(op, numbered(order, op)));
        sent.map_err(|_| SubmitError::Ended)?;
        for piece in rest {
            self.queue_piece(op, piece)?;
        }
        self.engine.submitted();
        drop(in_order);
        Ok(Ticket(op))
    }

    /// Keeps in the trace what the text of a command does not say.
    fn tell_pieces(&self, op: u64, order: &Order, rest: &[RequestPiece]) {
        match order {
            Order::Exec { first, .. } => {
                std::iter::once(first).chain(rest).for_each(|piece| self.tell_piece(op, piece))
            }
            Order::Answer(Outcome::Refused(refusal)) => {
                let bytes = refusal.to_string().into();
                let (exec, kind, more, last) = (op, RequestKind::Invalid, false, true);
                self.tell_piece(op, &RequestPiece { exec, kind, more, last, bytes });
            }
            _ => {}
        }
    }

    fn tell_piece(&self, command: u64, piece: &RequestPiece) {
        let RequestPiece { kind, more, last, .. } = *piece;
        let handed = || What::Handed { command, kind, more, last, bytes: hex(&piece.bytes) };
        self.trace.add(self.engine.now(), handed);
    }

    /// Counts a piece of a request as on its way, and waits for room.
    fn count(&self, bytes: usize) -> Result<(), SubmitError> {
        if bytes <= COUNTED_BYTES {
            return Ok(());
        }
        if !self.shared.has_room(bytes) {
            // What it is to take it may not have been told of.
            self.engine.submitted();
            if self.is_virtual() {
                self.engine.run(Goal::Room(bytes))?;
            }
            self.shared.wait_until(|| self.shared.has_room(bytes));
        }
        self.shared.streamed.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// In the simulated mode nobody takes what is queued unless it is asked to.
    fn clear_queue(&self) -> Result<(), Stuck> {
        if self.is_virtual() && self.submissions.is_full() { self.engine.run(Goal::Room(0)) } else { Ok(()) }
    }

    /// Queues a further piece of a request, and waits for room. The control node is not woken for it, unless there is none.
    fn queue_piece(&self, op: u64, piece: RequestPiece) -> Result<(), SubmitError> {
        self.count(piece.bytes.len())?;
        self.clear_queue()?;
        let piece = Submission::Piece(op, RequestPiece { exec: op, ..piece });
        match self.submissions.try_send(piece) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(piece)) => {
                self.engine.submitted();
                self.submissions.send(piece).map_err(|_| SubmitError::Ended)
            }
            Err(TrySendError::Disconnected(_)) => Err(SubmitError::Ended),
        }
    }

    /// Sends a further piece of a request, and waits for room.
    fn send_piece(&self, op: u64, piece: RequestPiece) -> Result<(), SubmitError> {
        self.queue_piece(op, piece)?;
        self.engine.submitted();
        Ok(())
    }

    fn order_of_line(&self, line: &str) -> Result<Entry, SubmitError> {
        line.parse().map_or_else(
            |error| Ok(Entry { text: text_of(&line), ..Entry::wrong(error) }),
            |command| self.order(command),
        )
    }

    fn order(&self, command: Command<C>) -> Result<Entry, SubmitError> {
        Entry::of(command, self.trace.is_on())
    }
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX / 4)
}
