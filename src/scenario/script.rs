//! Scripts: what a person might type, as text that can be pasted.

use std::fmt;
use std::str::FromStr;

use super::oracle::{Action, Commands, Topology, UnknownName};

/// What is typed as one command: one line, or the three of an exec of `search`, joined by LF. Or a comment that says
/// what is done to a node from outside at this point, as by `kill` in another terminal: `#! kill 5`, `#! stop 5`,
/// `#! continue 5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line or lines, without the last LF.
    pub text: String,
}

/// A whole input, and the system that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The topology of the system.
    pub topology: Topology,
    /// The command set of the system.
    pub commands: Commands,
    /// What is typed, in order.
    pub steps: Vec<Step>,
    /// All in one write, or each when the one before has been answered.
    pub one_write: bool,
}

/// How a step begins that is done from outside.
pub(crate) const STRIKE: &str = "#! ";

impl<T: Into<String>> From<T> for Step {
    fn from(text: T) -> Self {
        Self { text: text.into() }
    }
}

impl Step {
    /// Whether it may take a node down, or bring a stopped one back.
    pub fn is_fault(&self) -> bool {
        let word = self.text.split([' ', '\t', '\n']).find(|word| !word.is_empty()).unwrap_or("");
        matches!(word, "kill" | "pause" | "resume")
    }

    /// What is done from outside, and to which node.
    pub fn outside(&self) -> Option<(Action, i64)> {
        let (word, id) = self.text.strip_prefix(STRIKE)?.split_once(' ')?;
        let action = match word {
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            "continue" => Action::Continue,
            _ => return None,
        };
        Some((action, id.parse().ok()?))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# topology: {}", self.topology)?;
        writeln!(f, "# commands: {}", self.commands)?;
        writeln!(f, "# one-write: {}", self.one_write)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{}", step.text))
    }
}

/// A text that is no script: one of its first lines names a system that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The topology or the command set.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// `# one-write:` is neither `true` nor `false`.
    #[error("neither true nor false: {word:?}")]
    OneWrite {
        /// What stood there.
        word: String,
    },
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let (topology, commands) = (Topology::Tree, Commands::Dictionary);
        let mut script = Self { topology, commands, steps: Vec::new(), one_write: false };
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n').peekable();
        while let Some(line) = lines.next_if(|line| is_header(line)) {
            script.read_header(line)?;
        }
        script.steps = steps(lines, script.commands);
        Ok(script)
    }
}

/// What is typed as one command is one step: with `search` the two lines behind an exec belong to it.
pub(super) fn steps<'l>(mut lines: impl Iterator<Item = &'l str>, commands: Commands) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(line) = lines.next() {
        let is_exec = line.split([' ', '\t']).find(|word| !word.is_empty()) == Some("exec");
        let more = if is_exec && commands == Commands::Search { 2 } else { 0 };
        let whole: Vec<&str> = std::iter::once(line).chain(lines.by_ref().take(more)).collect();
        steps.push(Step::from(whole.join("\n")));
    }
    steps.retain(|step: &Step| !step.text.is_empty());
    steps
}

fn is_header(line: &str) -> bool {
    ["# topology: ", "# commands: ", "# one-write: "].iter().any(|header| line.starts_with(header))
}

impl Script {
    fn read_header(&mut self, line: &str) -> Result<(), ScriptError> {
        match line.trim_start_matches("# ").split_once(": ") {
            Some(("topology", word)) => self.topology = word.parse()?,
            Some(("commands", word)) => self.commands = word.parse()?,
            Some((_, word)) => {
                self.one_write = word.parse().map_err(|_| ScriptError::OneWrite { word: word.to_owned() })?;
            }
            None => {}
        }
        Ok(())
    }
}
