//! How a system is configured: in code, or in a RON file.

pub(crate) mod text;

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::command_sets::CommandSetKind;
use crate::error::ConfigError;
pub use crate::span::Span;
use crate::topology::TopologyKind;

/// On what a system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One thread, virtual time, everything drawn from a seed.
    Simulated,
    /// Actors on threads, real time. The default of the library; the program's is `process`.
    #[default]
    Threads,
    /// A process for each node. A program whose nodes run itself calls
    /// [`serve_if_node`](crate::modes::process::serve_if_node) first in its `main`, which is why this is no default.
    Process,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Simulated, Self::Threads, Self::Process];
}

impl Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "simulated",
            Self::Threads => "threads",
            Self::Process => "process",
        })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mode| mode.to_string() == text);
        found.ok_or_else(|| format!("expected simulated, threads or process, found {text:?}"))
    }
}

/// The longest reply timeout: a day.
pub const MAX_REPLY_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The most commands that may be in flight or unread.
pub const MAX_CAPACITY: usize = 1 << 24;

/// The most spare processes.
pub const MAX_SPARE_PROCESSES: usize = 1024;

/// A system as data.
///
/// ```
/// use nodetree::modes::{Mode, SystemConfig};
/// use nodetree::topology::TopologyKind;
/// let config = SystemConfig::from_ron("(topology: bst, mode: simulated, seed: 7, reply_timeout: \"1s\")")?;
/// assert_eq!(config.topology, TopologyKind::Bst);
/// assert_eq!((config.mode, config.seed), (Mode::Simulated, 7));
/// assert_eq!(SystemConfig::from_ron(&config.to_ron())?, config);
///
/// let error = SystemConfig::from_ron("(topology: bst,\n  sead: 7)").unwrap_err().to_string();
/// assert!(error.starts_with("line 2, column 3: unknown field `sead`, did you mean `seed`?"), "{error}");
/// # Ok::<(), nodetree::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Given")]
pub struct SystemConfig {
    /// How nodes are placed; `tree` by default.
    pub topology: TopologyKind,
    /// What `exec` does; `dictionary` by default. A system with a command set of its own takes no notice of it.
    pub commands: CommandSetKind,
    /// On what it runs. By default `threads`, which asks nothing of the program around it; the program `nodetree` itself
    /// runs in mode `process` where neither its arguments nor its file name a mode.
    pub mode: Mode,
    /// From what simulated delays are drawn; 0 by default.
    pub seed: u64,
    /// How long an answer is waited for, from 1 ms to a day; 5 s by default.
    pub reply_timeout: Span,
    /// How many commands may be in flight or unread before a submit waits, from 1 to 2^24; 65 536 by default.
    pub capacity: usize,
    /// How many processes are kept ready to become nodes, at most 1024; 0 by default. Modes without processes take no
    /// notice of it.
    pub spare_processes: usize,
}

/// What a text names of a configuration. The rest is left as it was.
#[derive(Default, Deserialize)]
#[serde(rename = "SystemConfig", default, deny_unknown_fields)]
struct Given {
    #[serde(deserialize_with = "given")]
    topology: Option<TopologyKind>,
    #[serde(deserialize_with = "given")]
    commands: Option<CommandSetKind>,
    #[serde(deserialize_with = "given")]
    mode: Option<Mode>,
    #[serde(deserialize_with = "given")]
    seed: Option<u64>,
    #[serde(deserialize_with = "reply_timeout_in_range")]
    reply_timeout: Option<Span>,
    #[serde(deserialize_with = "capacity_in_range")]
    capacity: Option<usize>,
    #[serde(deserialize_with = "spare_processes_in_range")]
    spare_processes: Option<usize>,
}

/// Without the `Some(…)` around it.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn reply_timeout_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let span = Span::deserialize(deserializer)?;
    check_reply_timeout(span).map(|()| Some(span)).map_err(D::Error::custom)
}

fn check_reply_timeout(Span(timeout): Span) -> Result<(), &'static str> {
    let in_range = timeout >= Duration::from_millis(1) && timeout <= MAX_REPLY_TIMEOUT;
    if in_range { Ok(()) } else { Err("reply_timeout must be from 1ms to 86400s") }
}

fn capacity_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let capacity = usize::deserialize(deserializer)?;
    check_capacity(capacity).map(|()| Some(capacity)).map_err(D::Error::custom)
}

fn check_capacity(capacity: usize) -> Result<(), String> {
    let in_range = (1..=MAX_CAPACITY).contains(&capacity);
    if in_range { Ok(()) } else { Err(format!("capacity must be from 1 to {MAX_CAPACITY}")) }
}

fn spare_processes_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let number = usize::deserialize(deserializer)?;
    check_spare_processes(number).map(|()| Some(number)).map_err(D::Error::custom)
}

fn check_spare_processes(number: usize) -> Result<(), String> {
    let in_range = number <= MAX_SPARE_PROCESSES;
    if in_range { Ok(()) } else { Err(format!("spare_processes must be at most {MAX_SPARE_PROCESSES}")) }
}

impl From<Given> for SystemConfig {
    fn from(given: Given) -> Self {
        Self::default().overlaid(given)
    }
}

impl Default for SystemConfig {
    fn default() -> Self {
        Self {
            topology: TopologyKind::default(),
            commands: CommandSetKind::default(),
            mode: Mode::default(),
            seed: 0,
            reply_timeout: Span(Duration::from_secs(5)),
            capacity: 1 << 16,
            spare_processes: 0,
        }
    }
}

impl SystemConfig {
    /// Lays over it what is read.
    pub(crate) fn read_over<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        Given::deserialize(deserializer).map(|given| self.overlaid(given))
    }

    fn overlaid(self, given: Given) -> Self {
        Self {
            topology: given.topology.unwrap_or(self.topology),
            commands: given.commands.unwrap_or(self.commands),
            mode: given.mode.unwrap_or(self.mode),
            seed: given.seed.unwrap_or(self.seed),
            reply_timeout: given.reply_timeout.unwrap_or(self.reply_timeout),
            capacity: given.capacity.unwrap_or(self.capacity),
            spare_processes: given.spare_processes.unwrap_or(self.spare_processes),
        }
    }

    /// Whether all numbers are in range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_reply_timeout(self.reply_timeout).map_err(|what| ConfigError::Range(what.to_owned()))?;
        check_capacity(self.capacity).map_err(ConfigError::Range)?;
        check_spare_processes(self.spare_processes).map_err(ConfigError::Range)
    }
}
