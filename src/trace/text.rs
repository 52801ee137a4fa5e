//! Events in words.

use std::fmt::{self, Display, Write};

use super::{Event, Passage, Run, What};
use crate::actors::message::{Nanos, RequestKind};
use crate::topology::NodeId;

/// What is kept of a text.
const TEXT_BYTES: usize = 4096;

/// What stands for the rest of a text that was cut.
pub(super) const CUT: char = '…';

/// A text, cut where it is long: a result may have any length. No more of it is made than is kept.
pub(crate) fn text_of(value: &impl Display) -> String {
    let mut cut = Cut { text: String::new(), left: TEXT_BYTES };
    if write!(cut, "{value}").is_err() {
        cut.text.push(CUT);
    }
    cut.text
}

/// Whether a text was cut. One that ends so by itself is taken for one.
pub(crate) fn is_cut(text: &str) -> bool {
    text.ends_with(CUT)
}

/// Bytes as text: two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from(if number < 10 { b'0' + number } else { b'a' + number - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that [`hex`] has made text of; nothing for other text.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| rest.is_empty())
}

struct Cut {
    text: String,
    left: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fitting = text.floor_char_boundary(self.left.min(text.len()));
        self.text.push_str(&text[..fitting]);
        self.left -= fitting;
        if fitting == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// A time in milliseconds, with microseconds.
pub(super) struct Ms(pub(super) Nanos);

impl Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:03}", self.0 / 1_000_000, self.0 / 1000 % 1000))
    }
}

/// Where it happened: at a node, or between two.
pub(super) enum Where {
    /// At one node; the control node, where it is about commands.
    At(NodeId),
    /// Over a link that is made.
    Between(NodeId, NodeId),
    /// From one to the other.
    Way(Option<NodeId>, Option<NodeId>),
}

impl Where {
    pub(super) fn of(what: &What) -> Self {
        match what {
            What::Began(_) | What::Submitted { .. } | What::Handed { .. } => Self::At(crate::topology::CONTROL),
            What::Answered { .. } | What::Noticed { .. } => Self::At(crate::topology::CONTROL),
            What::Started { node, .. } | What::Ended { node, .. } => Self::At(*node),
            What::Stopped { node } | What::Continued { node } => Self::At(*node),
            What::Fault { node: Some(node), .. } => Self::At(*node),
            What::Fault { node: None, .. } | What::Healed { .. } => Self::At(crate::topology::CONTROL),
            What::Linked { upper, lower, .. } => Self::Between(*upper, *lower),
            What::Sent(Passage { from, to, .. }) | What::Delivered(Passage { from, to, .. }) => Self::Way(*from, *to),
        }
    }

    /// The nodes that it names.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let two = match *self {
            Self::At(node) => [Some(node), None],
            Self::Between(upper, lower) => [Some(upper), Some(lower)],
            Self::Way(from, to) => [from, to],
        };
        two.into_iter().flatten()
    }
}

impl Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |node: &Option<NodeId>| node.map_or("?".to_owned(), |node| node.to_string());
        match self {
            Self::At(node) => f.pad(&node.to_string()),
            Self::Between(upper, lower) => f.pad(&format!("{upper} -- {lower}")),
            Self::Way(from, to) => f.pad(&format!("{} -> {}", name(from), name(to))),
        }
    }
}

/// What happened, on one line.
pub(super) struct Words<'e>(pub(super) &'e Event);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            What::Submitted { command, text, .. } if text.is_empty() => write!(f, "command {command}: no command"),
            What::Submitted { command, text, .. } => write!(f, "command {command}: {}", OneLine(text)),
            What::Began(run) => write!(f, "{run}"),
            What::Handed { command, kind: RequestKind::Invalid, bytes, .. } => {
                let why = from_hex(bytes).unwrap_or_default();
                write!(f, "command {command}: wrong, {}", OneLine(&String::from_utf8_lossy(&why)))
            }
            What::Handed { command, kind, bytes, .. } => {
                write!(f, "command {command}: {kind:?}, {} bytes", bytes.len() / 2)
            }
            What::Answered { command, text } => write!(f, "answer {command}: {}", OneLine(text)),
            What::Noticed { text, .. } => write!(f, "notice: {}", OneLine(text)),
            What::Started { incarnation, pid, .. } => write!(f, "started: life {incarnation}, pid {pid}"),
            What::Ended { incarnation, .. } => write!(f, "ended: life {incarnation}"),
            What::Stopped { .. } => f.write_str("stopped"),
            What::Continued { .. } => f.write_str("continued"),
            What::Fault { number, text, .. } => write!(f, "fault {number}: {}", OneLine(text)),
            What::Healed { number } => write!(f, "fault {number} is over"),
            What::Linked { link, .. } => write!(f, "link {link}"),
            What::Sent(passage) | What::Delivered(passage) => {
                f.write_str(if matches!(self.0.what, What::Sent(_)) { "sent: " } else { "" })?;
                passage.command.map_or(Ok(()), |command| write!(f, "{command}: "))?;
                write!(f, "{}", OneLine(&passage.envelope))
            }
        }
    }
}

impl Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, topology, commands, mode, seed, .. } = self;
        write!(
            f,
            "began: nodetree {}, {topology}, {}, {}, seed {seed}",
            OneLine(version),
            OneLine(commands),
            OneLine(mode)
        )
    }
}

/// A text whose line ends, and whatever else would move a terminal's cursor, are shown and not obeyed.
struct OneLine<'t>(&'t str);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_safe = |c: char| {
            !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        self.0.chars().try_for_each(|c| if is_safe(c) { f.write_char(c) } else { write!(f, "{}", c.escape_default()) })
    }
}
