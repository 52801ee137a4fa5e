//! A judge of what a system did: it reads what was typed, what came back and when, and compares it with the
//! specification. It shares no code with the system and knows nothing of how it works.
//!
//! It is *sound*: it accuses only where the specification, read literally, leaves no way for what came. Where the
//! outcome is a matter of chance (a command that a `kill` overtook, a node that was stopped while it was asked) it
//! allows what the specification allows, and counts how often it had to.
//!
//! ```text
//! history ──> log ──> judge ──> answers ──> forest, content, silence
//!                       └─────> notices
//! ```

mod answers;
mod command;
mod content;
mod doubts;
mod drawing;
mod forest;
mod judge;
mod log;
mod names;
mod notices;
mod pauses;
mod promptness;
mod request;
mod rules;
mod silence;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_overlaps;
#[cfg(test)]
mod tests_right;
#[cfg(test)]
mod tests_troubles;
#[cfg(test)]
mod tests_wrong;
mod troubles;
mod violation;

use serde::{Deserialize, Serialize};

pub use names::UnknownName;
pub use violation::{Invariant, Violation};

/// How nodes are joined (section 3 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// Chains that hang off the control node.
    List,
    /// Any shape.
    Tree,
    /// A binary search tree of ids.
    Bst,
    /// A perfectly balanced binary tree.
    Balanced,
}

/// What an exec can ask (section 4 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Commands {
    /// `exec id n k1 … kn`
    Sum,
    /// `exec id name [value]`
    Dictionary,
    /// `exec id start|stop|time`
    Timer,
    /// `exec id`, a text, a pattern
    Search,
}

/// Which pids a mode may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PidRule {
    /// In-process modes: from 1000 up, never twice in one run.
    NeverTwice,
    /// Process mode: positive, and not that of a node that lives. The kernel may give the pid of a dead one again.
    NotShared,
}

/// What the oracle must know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleConfig {
    /// How nodes are joined.
    pub topology: Topology,
    /// What an exec can ask.
    pub commands: Commands,
    /// `--reply-timeout`, in milliseconds.
    pub reply_timeout_ms: u64,
    /// How much later than the specification says a thing may come: about 1 in virtual time, as much as the machine
    /// may delay a process in real time.
    pub slack_ms: u64,
    /// Which pids the mode may give.
    pub pid_rule: PidRule,
}

/// What can be done to a node from outside, by a signal to its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// As by `kill -KILL`.
    Kill,
    /// As by `kill -STOP`.
    Stop,
    /// As by `kill -CONT`.
    Continue,
}

/// What a fault does that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// Nothing gets over the link above this node, whichever node that leads to; over no link where none is named.
    /// Heartbeats do not go over the links of the tree.
    Cut(Option<i64>),
    /// What goes over that link, or over any, may take longer than anybody waits, and may not.
    Hinder(Option<i64>),
    /// A node may take longer for anything than anybody waits, for its heartbeats too.
    Slow(i64),
}

/// What the harness tells of a fault. A fault that is only a matter of time, within what the reply timeout allows,
/// has no [`Trouble`]: links repeat what they lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// It is armed: those of the plan before anything is typed, those of a `fault` when that is typed.
    Armed {
        /// Its number: from 1, those of the plan first.
        number: u64,
        /// As `faults` shows it.
        text: String,
        /// It is over as soon as it has begun.
        ends_itself: bool,
    },
    /// It takes effect. (What it does to a process is told as [`Happened::Outside`].)
    Begun {
        /// Which.
        number: u64,
        /// What it does until it is over.
        trouble: Option<Trouble>,
    },
    /// It is healed.
    Over {
        /// Which.
        number: u64,
    },
}

/// One thing that the harness did or saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// A line was typed. Blank lines, comments and `exit` may be told too; they get no reply.
    Submitted {
        /// Its number; numbers ascend in the order of input.
        command: u64,
        /// The line without its LF; an exec of `search` is three lines joined by LF.
        text: String,
    },
    /// A reply came.
    Replied {
        /// The number of the command that it answers.
        command: u64,
        /// The exact reply, without its last LF; that of `tree` and `help` has several lines.
        text: String,
    },
    /// A line came that nobody asked for.
    Notice {
        /// The exact line.
        text: String,
    },
    /// Something was done to a node from outside; told at the time at which it was done or just before.
    Outside {
        /// What.
        action: Action,
        /// To which node.
        id: i64,
    },
    /// Something about a fault.
    Fault(Told),
    /// The run is over: everything has been drained, nothing more comes. Without it unanswered commands are no
    /// violation.
    Ended,
}

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// In microseconds of the mode's clock. What is done is stamped before it is done, what comes after it came.
    pub at_us: u64,
    /// What happened.
    pub what: Happened,
}

/// What a judgement rests on: how much was compared, and how much of it left no choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Replies for which one text was right (a pid counts as one).
    pub judged_exactly: u64,
    /// Replies for which several were, because of a race or of a silence.
    pub judged_leniently: u64,
    /// Replies of which only the form was looked at: what came before is too entangled.
    pub not_judged: u64,
    /// Execs whose result was compared with what the node holds.
    pub results: u64,
    /// Answers of `pingall` compared.
    pub pingalls: u64,
    /// Drawings of `tree` compared.
    pub drawings: u64,
    /// Replies for which there was a latest time.
    pub deadlines: u64,
    /// Notices that were allowed.
    pub notices: u64,
    /// Notices that had to come, and did.
    pub notices_required: u64,
}

/// Judges a whole run.
///
/// # Errors
///
/// The first promise of the specification that the system broke, in the order of the commands; notices come last.
///
/// # Examples
///
/// ```
/// use nodetree::scenario::oracle::*;
///
/// let config = OracleConfig {
///     topology: Topology::Tree,
///     commands: Commands::Dictionary,
///     reply_timeout_ms: 5000,
///     slack_ms: 1,
///     pid_rule: PidRule::NeverTwice,
/// };
/// let typed = Event { at_us: 0, what: Happened::Submitted { command: 1, text: "ping 7".to_owned() } };
/// let wrong = Event { at_us: 0, what: Happened::Replied { command: 1, text: "Ok: 1".to_owned() } };
/// let violation = judge(&config, &[typed, wrong]).unwrap_err();
/// assert_eq!(violation.allowed, "Error: Not found");
/// ```
pub fn judge(config: &OracleConfig, history: &[Event]) -> Result<Summary, Violation> {
    let log = log::Log::read(config, history)?;
    judge::Judge::new(config, &log).run()
}

impl OracleConfig {
    fn reply_timeout_us(&self) -> u64 {
        self.reply_timeout_ms.saturating_mul(1000)
    }

    fn slack_us(&self) -> u64 {
        self.slack_ms.saturating_mul(1000)
    }
}
