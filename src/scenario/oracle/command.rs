//! Section 2 of the specification: a typed line is a command, or a line that is wrong in a known way.

use super::Commands;
use super::request::{self, Request};

/// What one typed line (three of them for an exec of `search`) asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Create {
        id: i64,
        parent: Option<i64>,
    },
    Exec {
        id: i64,
        request: Request,
    },
    Ping(i64),
    PingAll,
    Heartbit(u64),
    Remove(i64),
    Kill(i64),
    Pause(i64),
    Resume(i64),
    All,
    Tree,
    WaitMs(u64),
    WaitAll,
    Help(Option<String>),
    /// What stands behind it is for the harness to read.
    Fault,
    Heal(u64),
    Faults,
    Exit,
    /// Wrong in itself: the exact reply, whatever the state of the system.
    Malformed(String),
    /// Blank or a comment: no reply.
    Nothing,
}

const LONGEST_LINE_BYTES: usize = 65_536;
const LONGEST_WAIT_MS: i64 = 86_400_000;
const SHORTEST_HEARTBIT_MS: i64 = 10;
const ECHOED_CHARACTERS: usize = 64;

/// The words of a line: only blanks and tabs separate.
pub(super) fn words(line: &str) -> Vec<&str> {
    line.split([' ', '\t']).filter(|word| !word.is_empty()).collect()
}

/// A number: an optional `-` and digits that fit an `i64`.
pub(super) fn number(word: &str) -> Option<i64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { word.parse().ok() } else { None }
}

/// Reads what was typed; `text` has no LF at its end, a CR there is cut.
pub(super) fn read(text: &str, set: Commands) -> Command {
    let first_line = text.split('\n').next().unwrap_or("");
    let line = first_line.strip_suffix('\r').unwrap_or(first_line);
    let words = words(line);
    match words.first() {
        None => Command::Nothing,
        Some(word) if word.starts_with('#') => Command::Nothing,
        Some(&word) if is_too_long(first_line, word, set) => Command::Malformed("Error: Line too long".to_owned()),
        Some(&"exec") => exec(text, &words[1..], set),
        Some(&word) => other(word, &words[1..]),
    }
}

fn is_too_long(line: &str, word: &str, set: Commands) -> bool {
    let is_streamed = word == "exec" && set == Commands::Sum;
    line.len() > LONGEST_LINE_BYTES && !is_streamed
}

fn usage(form: &str) -> Command {
    Command::Malformed(format!("Error: Usage: {form}"))
}

fn exec(text: &str, words: &[&str], set: Commands) -> Command {
    match words.first().and_then(|word| number(word)) {
        Some(id) => Command::Exec { id, request: request::read(text, &words[1..], set) },
        None => usage(exec_form(set)),
    }
}

fn exec_form(set: Commands) -> &'static str {
    match set {
        Commands::Sum => "exec id n k1 ... kn",
        Commands::Dictionary => "exec id name [value]",
        Commands::Timer => "exec id start|stop|time",
        Commands::Search => "exec id",
    }
}

fn other(word: &str, words: &[&str]) -> Command {
    match word {
        "create" => create(words),
        "ping" => with_id(words, "ping id", Command::Ping),
        "remove" => with_id(words, "remove id", Command::Remove),
        "kill" => with_id(words, "kill id", Command::Kill),
        "pause" => with_id(words, "pause id", Command::Pause),
        "resume" => with_id(words, "resume id", Command::Resume),
        "pingall" => alone(words, "pingall", Command::PingAll),
        "all" => alone(words, "all", Command::All),
        "tree" => alone(words, "tree", Command::Tree),
        "fault" if words.is_empty() => usage("fault what"),
        "fault" => Command::Fault,
        "heal" => with_id(words, "heal number", |number| {
            u64::try_from(number).map_or_else(|_| usage("heal number"), Command::Heal)
        }),
        "faults" => alone(words, "faults", Command::Faults),
        "exit" => alone(words, "exit", Command::Exit),
        "quit" => alone(words, "quit", Command::Exit),
        "heartbit" | "heartbeat" => heartbit(words),
        "wait" => wait(words),
        "help" => help(words),
        _ => Command::Malformed(format!("Error: Unknown command: {}", echoed(word))),
    }
}

/// A word as an error shows it: cut first, then what is not printable ASCII is escaped.
pub(super) fn echoed(word: &str) -> String {
    let show = |c: char| if matches!(c, '!'..='~') { c.to_string() } else { c.escape_unicode().to_string() };
    word.chars().take(ECHOED_CHARACTERS).map(show).collect()
}

fn create(words: &[&str]) -> Command {
    let numbers: Option<Vec<i64>> = words.iter().map(|word| number(word)).collect();
    match numbers.as_deref() {
        Some(&[id]) => Command::Create { id, parent: None },
        Some(&[id, parent]) => Command::Create { id, parent: Some(parent) },
        _ => usage("create id [parent]"),
    }
}

fn with_id(words: &[&str], form: &str, command: fn(i64) -> Command) -> Command {
    match (words.len(), words.first().and_then(|word| number(word))) {
        (1, Some(id)) => command(id),
        _ => usage(form),
    }
}

fn alone(words: &[&str], form: &str, command: Command) -> Command {
    if words.is_empty() { command } else { usage(form) }
}

fn heartbit(words: &[&str]) -> Command {
    match (words.len(), words.first().and_then(|word| number(word))) {
        (1, Some(0)) => Command::Heartbit(0),
        (1, Some(ms @ SHORTEST_HEARTBIT_MS..=LONGEST_WAIT_MS)) => Command::Heartbit(ms.unsigned_abs()),
        _ => usage("heartbit ms"),
    }
}

fn wait(words: &[&str]) -> Command {
    match (words.len(), words.first().and_then(|word| number(word))) {
        (0, _) => Command::WaitAll,
        (1, Some(ms @ 0..=LONGEST_WAIT_MS)) => Command::WaitMs(ms.unsigned_abs()),
        _ => usage("wait [ms]"),
    }
}

fn help(words: &[&str]) -> Command {
    match words {
        [] => Command::Help(None),
        [word] => Command::Help(Some((*word).to_owned())),
        _ => usage("help [command]"),
    }
}

impl Command {
    /// Whether the next line is read only when this one is answered.
    pub(super) fn is_wait(&self) -> bool {
        matches!(self, Self::WaitMs(_) | Self::WaitAll)
    }

    /// The node that a command is for, where it is for one.
    pub(super) fn node(&self) -> Option<i64> {
        match self {
            Self::Create { id, .. } | Self::Exec { id, .. } => Some(*id),
            Self::Ping(id) | Self::Remove(id) | Self::Kill(id) | Self::Pause(id) | Self::Resume(id) => Some(*id),
            _ => None,
        }
    }

    /// Whether it changes which nodes there are or how they are linked.
    pub(super) fn is_structural(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Remove(_))
    }
}
