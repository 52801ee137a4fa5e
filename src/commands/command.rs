//! A command, what can be wrong with one, and how it is printed.

use std::fmt::{self, Display};

use crate::command_sets::words::{ECHO_CHARS, Echo};
use crate::command_sets::{CommandSet, Request, RequestError, StreamedText, derive_for_any_set};
use crate::faults::{Fault, WrongFault};
use crate::topology::NodeId;

use super::forms::Form;

/// The most bytes of a line that is not streamed, without its LF, a CR included.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// The longest period of `heartbit` and the longest `wait`: a day.
pub(super) const MAX_MS: u64 = 86_400_000;

/// The shortest period of `heartbit`, besides 0.
pub(super) const MIN_PERIOD_MS: u64 = 10;

/// What a person types.
///
/// `parse` and `Display` are inverse: `command.to_string().parse()` gives the command again, as long as its numbers
/// are in range and its request is `Ok` and one that the command set accepts. An `exec` of a set whose text is
/// [`StreamedText::Lines`] is several lines.
///
/// ```
/// use nodetree::command_sets::Search;
/// use nodetree::commands::Command;
/// let command: Command<Search> = "exec 10\nabracadabra\nabra".parse()?;
/// assert_eq!(command, Command::Exec { id: 10, request: Search::request("abracadabra", "abra") });
/// assert_eq!(command.to_string(), "exec 10\nabracadabra\nabra");
/// # Ok::<(), nodetree::commands::CommandError>(())
/// ```
pub enum Command<C: CommandSet> {
    /// Create a node.
    Create {
        /// The new node.
        id: NodeId,
        /// Where it is to stand.
        parent: Option<NodeId>,
    },
    /// Have a node do something.
    Exec {
        /// The node.
        id: NodeId,
        /// What it is to do; or what is wrong with it, which is said when the node is there and available.
        request: Result<Request<C>, RequestError>,
    },
    /// Ask whether a node is available.
    Ping {
        /// The node.
        id: NodeId,
    },
    /// Ask which nodes are down.
    PingAll,
    /// Have every node report regularly.
    Heartbit {
        /// How often, in milliseconds: 10 to 86 400 000, or 0 for never.
        period_ms: u64,
    },
    /// Take a node away; its descendants live on.
    Remove {
        /// The node.
        id: NodeId,
    },
    /// Kill a node as by `kill -9`.
    Kill {
        /// The node.
        id: NodeId,
    },
    /// Stop a node as by SIGSTOP.
    Pause {
        /// The node.
        id: NodeId,
    },
    /// Continue a node as by SIGCONT.
    Resume {
        /// The node.
        id: NodeId,
    },
    /// Name all nodes.
    All,
    /// Draw the topology.
    Tree,
    /// Wait.
    Wait {
        /// For so many milliseconds, up to 86 400 000; or until every earlier command has been answered.
        ms: Option<u64>,
    },
    /// Let something go wrong.
    Fault {
        /// What, and when.
        fault: Fault,
    },
    /// End a fault.
    Heal {
        /// Its number.
        number: u64,
    },
    /// Name all faults that are armed or under way.
    Faults,
    /// Say what can be typed.
    Help {
        /// Only about this command.
        command: Option<String>,
    },
    /// End.
    Exit,
}

derive_for_any_set!(Command {
    Create { id: id, parent: parent },
    Exec { id: id, request: request },
    Ping { id: id },
    PingAll,
    Heartbit { period_ms: period_ms },
    Remove { id: id },
    Kill { id: id },
    Pause { id: id },
    Resume { id: id },
    All,
    Tree,
    Wait { ms: ms },
    Fault { fault: fault },
    Heal { number: number },
    Faults,
    Help { command: command },
    Exit,
});

impl<C: CommandSet> Command<C> {
    /// An exec with a request that is in order.
    ///
    /// ```
    /// use nodetree::{Command, Dictionary};
    /// assert_eq!(Command::exec(10, Dictionary::load("x")).to_string(), "exec 10 x");
    /// ```
    pub fn exec(id: NodeId, request: Request<C>) -> Self {
        Self::Exec { id, request: Ok(request) }
    }
}

impl<C: CommandSet> Display for Command<C> {
    /// An `exec` whose request is an error prints as `exec id`: what was typed is not kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { id, parent: None } => write!(f, "create {id}"),
            Self::Create { id, parent: Some(parent) } => write!(f, "create {id} {parent}"),
            Self::Exec { id, request } => print_exec(*id, request.as_ref().ok(), f),
            Self::Ping { id } => write!(f, "ping {id}"),
            Self::PingAll => f.write_str("pingall"),
            Self::Heartbit { period_ms } => write!(f, "heartbit {period_ms}"),
            Self::Remove { id } => write!(f, "remove {id}"),
            Self::Kill { id } => write!(f, "kill {id}"),
            Self::Pause { id } => write!(f, "pause {id}"),
            Self::Resume { id } => write!(f, "resume {id}"),
            Self::All => f.write_str("all"),
            Self::Tree => f.write_str("tree"),
            Self::Wait { ms: None } => f.write_str("wait"),
            Self::Wait { ms: Some(ms) } => write!(f, "wait {ms}"),
            Self::Fault { fault } => write!(f, "fault {}", fault.to_ron()),
            Self::Heal { number } => write!(f, "heal {number}"),
            Self::Faults => f.write_str("faults"),
            Self::Help { command: None } => f.write_str("help"),
            Self::Help { command: Some(command) } => write!(f, "help {command}"),
            Self::Exit => f.write_str("exit"),
        }
    }
}

fn print_exec<C: CommandSet>(id: NodeId, request: Option<&Request<C>>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "exec {id}")?;
    let Some(request) = request else { return Ok(()) };
    f.write_str(if matches!(C::TEXT, StreamedText::Lines(_)) { "\n" } else { " " })?;
    C::print(request, f)
}

/// Why a line is not a command. Nothing has happened, and the next line is read as usual.
///
/// It is printed without the leading `Error: `, which [`Answer`](super::Answer) adds.
///
/// ```
/// use nodetree::command_sets::Sum;
/// use nodetree::commands::{Command, CommandError};
/// let parse = |line: &str| line.parse::<Command<Sum>>().unwrap_err().to_string();
/// assert_eq!(parse("fly 1"), "Unknown command: fly");
/// assert_eq!(parse("exec x 1 2"), "Usage: exec id n k1 ... kn");
/// assert_eq!(CommandError::LineTooLong.to_string(), "Line too long");
/// assert_eq!(CommandError::NotUtf8.to_string(), "Not UTF-8");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The wrong number of words, or something else where a number must stand, or a number out of range.
    #[error("Usage: {form}")]
    Usage {
        /// The form of the command.
        form: &'static str,
    },
    /// The first word is no command.
    #[error("Unknown command: {}", Echo(word))]
    Unknown {
        /// The first 64 characters of the word; escaped only when printed.
        word: String,
    },
    /// What stands behind `fault` is none.
    #[error("Wrong fault: {0}")]
    Fault(#[from] WrongFault),
    /// The line has more than [`MAX_LINE_BYTES`] bytes, and is not one of those that may.
    #[error("Line too long")]
    LineTooLong,
    /// The line is not text.
    #[error("Not UTF-8")]
    NotUtf8,
}

impl CommandError {
    /// There is no such command.
    pub fn unknown(word: &str) -> Self {
        Self::Unknown { word: word.chars().take(ECHO_CHARS).collect() }
    }

    /// The command must be typed in this form.
    pub fn usage<C: CommandSet>(form: &Form) -> Self {
        Self::Usage { form: form.usage::<C>() }
    }
}
