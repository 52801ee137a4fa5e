//! How a system is configured: in code, or in a RON file.

use std::fmt::{self, Display};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::command_sets::CommandSetKind;
use crate::error::ConfigError;
use crate::topology::TopologyKind;

/// On what a system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One thread, virtual time, everything drawn from a seed.
    Simulated,
    /// Actors on threads, real time.
    #[default]
    Threads,
    /// A process for each node.
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

/// A length of time as it is typed: digits, then `ms` or `s`.
///
/// ```
/// use nodetree::modes::Span;
/// let span: Span = "1500ms".parse()?;
/// assert_eq!(span.0.as_secs_f64(), 1.5);
/// assert_eq!(span.to_string(), "1500ms");
/// assert_eq!("5s".parse::<Span>()?.to_string(), "5s");
/// assert!("5 minutes".parse::<Span>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(
    /// The time.
    pub Duration,
);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected a time like 500ms or 5s, found {text:?}");
        let (digits, factor) = match text.strip_suffix("ms") {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('s').ok_or_else(expected)?, 1000),
        };
        let in_order = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<u64>().ok().filter(|_| in_order).ok_or_else(expected)?;
        number.checked_mul(factor).map(Duration::from_millis).map(Self).ok_or_else(expected)
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms if ms % 1000 == 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The longest reply timeout: a day.
pub const MAX_REPLY_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The most commands that may be in flight or unread.
pub const MAX_CAPACITY: usize = 1 << 24;

/// A system as data.
///
/// ```
/// use nodetree::modes::{Mode, SystemConfig};
/// use nodetree::topology::TopologyKind;
/// let config = SystemConfig::from_ron("(topology: bst, mode: simulated, seed: 7, reply_timeout: \"1s\")")?;
/// assert_eq!(config.topology, TopologyKind::Bst);
/// assert_eq!((config.mode, config.seed), (Mode::Simulated, 7));
///
/// let error = SystemConfig::from_ron("(topology: bst,\n  sead: 7)").unwrap_err();
/// assert!(error.to_string().starts_with("line 2"), "{error}");
/// # Ok::<(), nodetree::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemConfig {
    /// How nodes are placed; `tree` by default.
    pub topology: TopologyKind,
    /// What `exec` does; `dictionary` by default. A system with a command set of its own takes no notice of it.
    pub commands: CommandSetKind,
    /// On what it runs; `threads` by default.
    pub mode: Mode,
    /// From what simulated delays are drawn; 0 by default.
    pub seed: u64,
    /// How long an answer is waited for, from 1 ms to a day; 5 s by default.
    #[serde(deserialize_with = "reply_timeout_in_range")]
    pub reply_timeout: Span,
    /// How many commands may be in flight or unread before a submit waits, from 1 to 2^24; 65 536 by default.
    #[serde(deserialize_with = "capacity_in_range")]
    pub capacity: usize,
}

fn reply_timeout_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(deserializer)?;
    check_reply_timeout(span).map(|()| span).map_err(D::Error::custom)
}

fn check_reply_timeout(Span(timeout): Span) -> Result<(), &'static str> {
    let in_range = timeout >= Duration::from_millis(1) && timeout <= MAX_REPLY_TIMEOUT;
    if in_range { Ok(()) } else { Err("reply_timeout must be from 1ms to 86400s") }
}

fn capacity_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let capacity = usize::deserialize(deserializer)?;
    check_capacity(capacity).map(|()| capacity).map_err(D::Error::custom)
}

fn check_capacity(capacity: usize) -> Result<(), String> {
    let in_range = (1..=MAX_CAPACITY).contains(&capacity);
    if in_range { Ok(()) } else { Err(format!("capacity must be from 1 to {MAX_CAPACITY}")) }
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
        }
    }
}

/// What is wrong, what may have been meant, and the line with a caret below the place.
fn wrong(text: &str, error: &ron::error::SpannedError) -> ConfigError {
    let (line, column) = (error.span.start.line, error.span.start.col);
    let mut what = format!("{}{}", error.code, meant(&error.code).unwrap_or_default());
    if let Some(shown) = text.lines().nth(line.saturating_sub(1)) {
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // What stands before the place keeps its width, tabs included.
        let before = shown.chars().take(column.saturating_sub(1));
        let before: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        what += &format!("\n {margin} |\n {number} | {shown}\n {margin} | {before}^");
    }
    ConfigError::Text { line, column, what }
}

fn meant(error: &ron::Error) -> Option<String> {
    match error {
        ron::Error::NoSuchStructField { expected, found, .. }
        | ron::Error::NoSuchEnumVariant { expected, found, .. } => did_you_mean(found, expected.iter().copied()),
        _ => None,
    }
}

/// `; did you mean …?` with the nearest of `known`, when one is near.
///
/// ```
/// use nodetree::modes::did_you_mean;
/// assert_eq!(did_you_mean("sead", ["mode", "seed"]).as_deref(), Some("; did you mean seed?"));
/// assert_eq!(did_you_mean("x", ["mode", "seed"]), None);
/// ```
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const NEAR: f64 = 0.75;
    let found = found.to_lowercase();
    let likely = known.into_iter().map(|name| (strsim::jaro_winkler(&found, name), name));
    let nearest = likely.filter(|(near, _)| *near >= NEAR).max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, name)| format!("; did you mean {name}?"))
}

impl SystemConfig {
    /// Reads RON text.
    ///
    /// # Errors
    /// Where the text is wrong, with line, column and what was expected.
    pub fn from_ron(text: &str) -> Result<Self, ConfigError> {
        let config: Self = ron::from_str(text).map_err(|error| wrong(text, &error))?;
        config.check()?;
        Ok(config)
    }

    /// Reads a RON file.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`from_ron`](Self::from_ron), with the name of the file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let named = |error: ConfigError| ConfigError::File { path: path.to_owned(), error: Box::new(error) };
        let text = std::fs::read_to_string(path).map_err(|error| named(ConfigError::Unreadable(error.to_string())))?;
        Self::from_ron(&text).map_err(named)
    }

    /// Writes what [`from_ron`](Self::from_ron) reads, one field a line.
    ///
    /// ```
    /// use nodetree::SystemConfig;
    /// let config = SystemConfig { seed: 7, ..SystemConfig::default() };
    /// assert_eq!(SystemConfig::from_ron(&config.to_ron())?, config);
    /// # Ok::<(), nodetree::ConfigError>(())
    /// ```
    pub fn to_ron(&self) -> String {
        let Self { topology, commands, mode, seed, reply_timeout, capacity } = self;
        format!(
            "(\n    topology: {topology},\n    commands: {commands},\n    mode: {mode},\n    seed: {seed},\n    \
             reply_timeout: \"{reply_timeout}\",\n    capacity: {capacity},\n)\n"
        )
    }

    /// Whether all numbers are in range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_reply_timeout(self.reply_timeout).map_err(|what| ConfigError::Range(what.to_owned()))?;
        check_capacity(self.capacity).map_err(ConfigError::Range)
    }
}
