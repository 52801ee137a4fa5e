//! What happened: events as data, one RON line each, saved and read again.

use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::actors::message::Nanos;
use crate::topology::NodeId;

/// The version of the format of saved traces; it stands in their first line.
pub const VERSION: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds on the mode's clock.
    pub at_ns: Nanos,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A command was submitted.
    Submitted {
        /// Its ticket.
        command: u64,
        /// Its text.
        text: String,
    },
    /// A command was answered.
    Answered {
        /// Its ticket.
        command: u64,
        /// The text of the reply.
        text: String,
    },
    /// Something was said unasked.
    Noticed {
        /// The text of the notice.
        text: String,
    },
    /// A node was started.
    Started {
        /// Its id.
        node: NodeId,
        /// Which life of it.
        incarnation: u64,
    },
    /// A node has ended.
    Ended {
        /// Its id.
        node: NodeId,
        /// Which life of it.
        incarnation: u64,
    },
    /// A link was made.
    Linked {
        /// Its number.
        link: u64,
        /// The parent.
        upper: NodeId,
        /// The child.
        lower: NodeId,
    },
    /// An envelope has come to a node.
    Delivered {
        /// The node.
        to: NodeId,
        /// The link it came over.
        link: u64,
        /// What it is, in short.
        envelope: String,
    },
}

/// A place where events are kept; a trace that is off keeps nothing and costs a comparison.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Arc<Mutex<Vec<Event>>>>);

impl Trace {
    /// A trace that is kept.
    pub fn on() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether events are kept.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps an event; `what` is only made when the trace is on.
    pub fn add(&self, at_ns: Nanos, what: impl FnOnce() -> What) {
        if let Some(events) = &self.0 {
            events.lock().unwrap_or_else(PoisonError::into_inner).push(Event { at_ns, what: what() });
        }
    }

    /// Takes the events that were kept.
    pub fn take(&self) -> Vec<Event> {
        let take = |events: &Arc<Mutex<Vec<Event>>>| {
            std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.0.as_ref().map(take).unwrap_or_default()
    }
}

/// Writes events, one RON line each, behind a line with the version.
///
/// # Errors
/// When it cannot be written.
///
/// ```
/// use nodetree::trace::{Event, What, read, write};
/// let events = vec![Event { at_ns: 5, what: What::Started { node: 7, incarnation: 1 } }];
/// let mut file = Vec::new();
/// write(&mut file, &events)?;
/// assert_eq!(read(&file[..])?, events);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(out: &mut dyn Write, events: &[Event]) -> io::Result<()> {
    writeln!(out, "nodetree trace {VERSION}")?;
    for event in events {
        writeln!(out, "{}", ron::to_string(event).map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// Reads what [`write()`] has written.
///
/// # Errors
/// When it cannot be read, or is no trace of this version.
pub fn read(input: impl BufRead) -> io::Result<Vec<Event>> {
    let mut lines = input.lines();
    let bad = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    match lines.next().transpose()? {
        Some(first) if first == format!("nodetree trace {VERSION}") => {}
        first => return Err(bad(format!("line 1: expected \"nodetree trace {VERSION}\", found {first:?}"))),
    }
    let event = |(number, line): (usize, io::Result<String>)| {
        ron::from_str(&line?).map_err(|error| bad(format!("line {}: {error}", number + 2)))
    };
    lines.enumerate().map(event).collect()
}
