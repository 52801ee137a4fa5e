//! Runs a recorded trace again, and says where it first differs.

mod replies;

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::io::{self, BufRead};
use std::iter::{Peekable, Zip};
use std::mem;
use std::ops::RangeFrom;
use std::time::Duration;

use super::entry::Entry;
use super::{Builder, Mode, NodeTree, Stuck, SystemConfig, nanos};
use crate::actors::message::{Nanos, RequestPiece};
use crate::actors::{Order, Outcome};
use crate::command_sets::{CommandSet, CommandSetKind};
use crate::commands::{Refusal, Ticket};
use crate::error::{StartError, SubmitError, WaitError};
use crate::topology::NodeId;
use crate::trace::{Event, Reader, Run, What, from_hex, is_cut};

/// A trace that is read in order to be run again. A simulated one is compared event by event; of the other modes only
/// the replies are.
///
/// ```
/// use nodetree::modes::{Recording, Replayed};
/// use nodetree::{Dictionary, Mode, NodeTree, trace};
/// let tree = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).seed(7).trace(true).start()?;
/// for line in ["create 1", "exec 1 x 5", "exec 1 x"] {
///     tree.line(line)?;
/// }
/// let mut saved = Vec::new();
/// trace::write(&mut saved, &tree.trace())?;
///
/// let again = Recording::open(&saved[..])?.replay::<Dictionary>(NodeTree::builder())?;
/// assert!(matches!(again, Replayed::Same { .. }));
///
/// let changed = String::from_utf8(saved)?.replace("Ok:1: 5", "Ok:1: 6");
/// let again = Recording::open(changed.as_bytes())?.replay::<Dictionary>(NodeTree::builder())?;
/// assert!(again.to_string().starts_with("it differs in line "), "{again}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recording<R: BufRead> {
    run: Run,
    mode: Mode,
    events: Numbered<R>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// Everything happened as it is recorded, in the same order, at the same times.
    Same {
        /// How many events.
        events: u64,
    },
    /// Every command got the reply that is recorded. Nothing else was compared.
    SameReplies {
        /// How many commands.
        commands: u64,
    },
    /// It differs.
    Differs {
        /// The first line of the trace that does, from 1.
        line: u64,
        /// What is recorded; nothing at its end.
        recorded: Option<Box<Event>>,
        /// What happened instead, if anything did.
        happened: Option<Box<Event>>,
    },
}

/// Why a trace cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is no trace, or cannot be read.
    #[error(transparent)]
    NoTrace(io::Error),
    /// It is damaged behind its beginning; what stands before the damage is the same.
    #[error("{0}; what stands before is the same")]
    Damaged(io::Error),
    /// It does not say all that is needed.
    #[error("line {line}: {what}")]
    Incomplete {
        /// The line, from 1.
        line: u64,
        /// What is missing.
        what: String,
    },
    /// The system could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A command was not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A command was not answered.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The simulation cannot go on.
    #[error(transparent)]
    Stuck(#[from] Stuck),
}

/// An event, or why there is none, and the number of its line.
type NumberedEvent = (u64, io::Result<Event>);

type Numbered<R> = Peekable<Zip<RangeFrom<u64>, Reader<R>>>;

fn incomplete(line: u64, what: impl Into<String>) -> ReplayError {
    ReplayError::Incomplete { line, what: what.into() }
}

impl<R: BufRead> Recording<R> {
    /// Reads how the trace begins.
    ///
    /// # Errors
    /// When it is no trace of this version, or does not begin with the beginning of its system.
    pub fn open(input: R) -> Result<Self, ReplayError> {
        let mut events = (2..).zip(Reader::new(input).map_err(ReplayError::NoTrace)?).peekable();
        let first = events.next().map(|(_, event)| event).transpose().map_err(ReplayError::NoTrace)?;
        let Some(Event { what: What::Began(run), .. }) = first else {
            return Err(incomplete(2, "the trace does not begin where its system does, so it cannot be run again"));
        };
        let mode = run.mode.parse().map_err(|error: String| incomplete(2, error))?;
        Ok(Self { run, mode, events })
    }

    /// The system that the trace is of.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The mode that it ran in.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Which of the built-in command sets its system has.
    ///
    /// # Errors
    /// When it has another one.
    pub fn commands(&self) -> Result<CommandSetKind, ReplayError> {
        let unknown = |_| incomplete(2, format!("{:?} is no built-in command set", self.run.commands));
        self.run.commands.parse().map_err(unknown)
    }

    /// Starts such a system, submits the same commands at the same moments, and compares what happens. What `base` says
    /// of the programs of nodes is kept, the rest stands in the trace.
    ///
    /// # Errors
    /// When the trace is damaged or does not say enough, or the system cannot be started.
    pub fn replay<C: CommandSet>(self, base: Builder<C>) -> Result<Replayed, ReplayError> {
        let Run { topology, seed, reply_timeout, capacity, codec, faults, .. } = self.run;
        let config = SystemConfig { topology, mode: self.mode, seed, reply_timeout, capacity, ..base.config.clone() };
        let tree = base.config(config).codec_on_each_hop(codec).faults(faults).trace(true).start()?;
        match self.mode {
            Mode::Simulated => Again::new(&tree).event_by_event(self.events),
            Mode::Threads | Mode::Process => replies::compare(&tree, self.events),
        }
    }
}

/// The second run of a simulation.
struct Again<'t, C: CommandSet> {
    tree: &'t NodeTree<C>,
    /// What has happened and is not compared yet.
    happened: VecDeque<Event>,
    /// The last line that was compared.
    line: u64,
    input: Input<'t, C>,
}

impl<'t, C: CommandSet> Again<'t, C> {
    fn new(tree: &'t NodeTree<C>) -> Self {
        // That it began is no news.
        let happened = tree.trace().into_iter().skip(1).collect();
        Self { tree, happened, line: 2, input: Input { tree, is_taken: false } }
    }

    fn event_by_event<R: BufRead>(mut self, mut events: Numbered<R>) -> Result<Replayed, ReplayError> {
        // From the last command on: what is to happen before the next.
        let mut recorded: Vec<(u64, Event)> = Vec::new();
        while let Some((line, event)) = events.next() {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    self.run_to_the_end(&recorded)?;
                    return self.compare(recorded.into_iter()).ok_or(ReplayError::Damaged(error));
                }
            };
            if is_input(&event.what) {
                self.run_until(event.at_ns, &recorded)?;
                if let Some(differs) = self.compare(recorded.drain(..)) {
                    return Ok(differs);
                }
                self.input.hand_in(line, &event.what, events.peek())?;
            }
            recorded.push((line, event));
        }
        self.run_to_the_end(&recorded)?;
        let differs = self.compare(recorded.into_iter()).or_else(|| self.behind_the_end());
        Ok(differs.unwrap_or(Replayed::Same { events: self.line - 1 }))
    }

    /// Lets happen what is recorded last.
    fn run_to_the_end(&mut self, recorded: &[(u64, Event)]) -> Result<(), ReplayError> {
        recorded.last().map_or(Ok(()), |(_, last)| self.run_until(last.at_ns, recorded))
    }

    /// What happens and is not recorded.
    fn behind_the_end(&mut self) -> Option<Replayed> {
        let (line, happened) = (self.line + 1, self.happened.pop_front()?);
        Some(Replayed::Differs { line, recorded: None, happened: Some(Box::new(happened)) })
    }

    /// Lets time pass up to the moment at which somebody stopped the recorded system: when a command had been answered,
    /// or at a time.
    fn run_until(&mut self, at_ns: Nanos, recorded: &[(u64, Event)]) -> Result<(), ReplayError> {
        let answered = recorded.iter().rev().find_map(|(_, event)| match event.what {
            What::Answered { command, .. } => Some((Ticket(command), event.at_ns)),
            _ => None,
        });
        let was_stopped_by = answered.filter(|(_, at)| *at == at_ns);
        // Whatever goes wrong where the trace was changed will be seen to differ.
        if was_stopped_by.is_none_or(|(ticket, _)| self.tree.wait(ticket).is_err()) {
            let ahead = Duration::from_nanos(at_ns).saturating_sub(self.tree.now());
            if !ahead.is_zero() || recorded.iter().any(|(_, event)| !is_input(&event.what)) {
                self.tree.engine.advance(nanos(ahead))?;
            }
        }
        self.tree.replies.try_iter().for_each(drop);
        self.tree.kept().clear();
        self.happened.extend(self.tree.trace());
        Ok(())
    }

    fn compare(&mut self, recorded: impl Iterator<Item = (u64, Event)>) -> Option<Replayed> {
        for (line, recorded) in recorded {
            let happened = self.happened.pop_front();
            if happened.as_ref() != Some(&recorded) {
                let (recorded, happened) = (Some(Box::new(recorded)), happened.map(Box::new));
                return Some(Replayed::Differs { line, recorded, happened });
            }
            self.line = line;
        }
        None
    }
}

fn is_input(what: &What) -> bool {
    matches!(what, What::Submitted { .. } | What::Handed { .. })
}

/// Commands as they are recorded.
struct Input<'t, C: CommandSet> {
    tree: &'t NodeTree<C>,
    /// The next piece was handed in together with its command.
    is_taken: bool,
}

impl<C: CommandSet> Input<'_, C> {
    /// Submits a command, or a further piece of its request.
    fn hand_in(&mut self, line: u64, what: &What, next: Option<&NumberedEvent>) -> Result<(), ReplayError> {
        match what {
            What::Submitted { command, node, text } => {
                let piece = next.and_then(|(line, event)| Some((*line, &event.as_ref().ok()?.what)));
                let piece =
                    piece.filter(|(_, what)| matches!(what, What::Handed { command: its, .. } if its == command));
                self.is_taken = piece.is_some();
                let entry = match piece {
                    Some((line, first)) => told(*node, text, piece_of(line, first)?),
                    None if is_cut(text) => return Err(incomplete(line, "the command is not whole")),
                    None => self.tree.order_of_line(text)?,
                };
                match self.tree.enter(entry, None)? {
                    Ticket(number) if number == *command => Ok(()),
                    Ticket(number) => Err(incomplete(line, format!("this is command {number}, it says {command}"))),
                }
            }
            _ if mem::take(&mut self.is_taken) => Ok(()),
            What::Handed { command, .. } => {
                let piece = piece_of(line, what)?;
                self.tree.tell_piece(*command, &piece);
                Ok(self.tree.send_piece(*command, piece)?)
            }
            _ => Ok(()),
        }
    }
}

fn piece_of(line: u64, what: &What) -> Result<RequestPiece, ReplayError> {
    let What::Handed { command, kind, more, last, bytes } = what else { return Err(incomplete(line, "no piece")) };
    let bytes = from_hex(bytes).ok_or_else(|| incomplete(line, "these are no bytes"))?;
    Ok(RequestPiece { exec: *command, kind: *kind, more: *more, last: *last, bytes: bytes.into() })
}

/// A command whose text does not say it all.
fn told(node: Option<NodeId>, text: &str, first: RequestPiece) -> Entry {
    let order = match node {
        Some(id) => Order::Exec { id, complete: first.last && !first.more, first },
        None => {
            let why = String::from_utf8_lossy(&first.bytes).into_owned();
            Order::Answer(Outcome::Refused(Refusal::Other(why)))
        }
    };
    Entry { order, rest: Vec::new(), text: text.to_owned(), is_told_in_pieces: true }
}

impl Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { events } => write!(f, "the same: {events} events"),
            Self::SameReplies { commands } => {
                write!(f, "the same replies to {commands} commands; in real time nothing else is compared")
            }
            Self::Differs { line, recorded, happened } => {
                writeln!(f, "it differs in line {line}")?;
                let shown = |event: &Option<Box<Event>>| {
                    event.as_ref().map_or("nothing".to_owned(), |event| ron::to_string(event).unwrap_or_default())
                };
                write!(f, "  recorded: {}\n  happened: {}", shown(recorded), shown(happened))
            }
        }
    }
}
