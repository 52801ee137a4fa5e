//! Scenarios: a system, what is typed, and what goes wrong, as a value that is run and judged.
//!
//! ```text
//! Scenario ──record──> history ──judge──> Summary, or the Violation
//! ```
//!
//! A [`Scenario`] is written in RON and runs in every mode. The [`runner`] types its script and keeps what happened, the
//! [`oracle`] compares it with the specification. Scenarios made by chance are in `nodetree::testing`.

mod expected;
mod faults;
pub mod oracle;
mod outside;
mod ron;
pub mod runner;
pub mod script;
mod settled;
mod shrink;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::faults::FaultPlan;
use crate::modes::{Mode, SystemConfig};
use script::Step;
pub use settled::check_settled;
pub use shrink::{Shrunk, shrink};

/// A system, what is typed, and what goes wrong.
///
/// ```
/// use nodetree::scenario::Scenario;
/// let text = r#"(
///     system: (topology: tree, commands: dictionary, seed: 7, reply_timeout: "1s"),
///     script: "
///         create 1
///         create 2 1
///         exec 2 x 5
///         ping 2
///     ",
///     faults: [(what: Drop(links: Above(2), chance: 0.3))],
/// )"#;
/// let scenario: Scenario = text.parse()?;
/// assert_eq!(scenario.script.len(), 4);
/// assert_eq!(scenario.run()?.judged_exactly, 4);
/// assert_eq!(scenario.to_ron().parse(), Ok(scenario));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The system; in RON simulated, unless it says something else.
    pub system: SystemConfig,
    /// What is typed. In RON a list of steps, or one text of several lines. A line `#= REPLY` states the reply to the
    /// command before it; `Ok: PID` stands for any pid.
    pub script: Vec<Step>,
    /// How fast it is typed.
    pub typing: Typing,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// What must come of it.
    pub expect: Expect,
}

/// How fast a script is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Typing {
    /// Each line when the one before has been answered.
    #[default]
    Slowly,
    /// All in one write.
    AtOnce,
    /// Each a while after the one before, answered or not: at moments drawn from the seed.
    Drawn,
}

/// What must come of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing that the specification does not allow.
    #[default]
    Right,
    /// Besides, exactly these replies, in the order of what is typed; `Ok: PID` stands for any pid.
    Replies(Vec<String>),
}

impl Scenario {
    /// A system that is to do nothing.
    pub fn new(system: SystemConfig) -> Self {
        let (typing, faults, expect) = Default::default();
        Self { system, script: Vec::new(), typing, faults, expect }
    }

    /// The same with other chances.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.system.seed = seed;
        self
    }

    /// The same on something else.
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.system.mode = mode;
        self
    }
}

/// For people: what it is, a line for each step and for each fault.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SystemConfig { topology, commands, mode, seed, reply_timeout, .. } = &self.system;
        writeln!(f, "{topology}, {commands}, {mode}, seed {seed}, reply timeout {reply_timeout}; {}", self.typing)?;
        self.script.iter().try_for_each(|step| writeln!(f, "> {}", step.text.replace('\n', "\n> ")))?;
        write!(f, "{}", self.faults)
    }
}

impl fmt::Display for Typing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slowly => "typed slowly",
            Self::AtOnce => "typed at once",
            Self::Drawn => "typed at moments drawn from the seed",
        })
    }
}
