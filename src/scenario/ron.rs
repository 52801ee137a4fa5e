//! Scenarios as RON text.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::script::{self, Step};
use super::{Expect, Scenario, Typing, runner};
use crate::error::ConfigError;
use crate::faults::FaultPlan;
use crate::modes::config::text::{read, shown_at_its_place};
use crate::modes::{Mode, SystemConfig};

/// A scenario as it is written: of a text of several lines, only the command set says where a step ends.
#[derive(Deserialize)]
#[serde(rename = "Scenario", deny_unknown_fields)]
struct Written {
    #[serde(default = "simulated", deserialize_with = "simulated_unless_said")]
    system: SystemConfig,
    #[serde(default)]
    script: Lines,
    #[serde(default)]
    typing: Typing,
    #[serde(default)]
    faults: FaultPlan,
    #[serde(default)]
    expect: Expect,
}

fn simulated() -> SystemConfig {
    SystemConfig { mode: Mode::Simulated, ..SystemConfig::default() }
}

fn simulated_unless_said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemConfig, D::Error> {
    simulated().read_over(deserializer)
}

enum Lines {
    Text(String),
    Steps(Vec<Step>),
}

impl Default for Lines {
    fn default() -> Self {
        Self::Steps(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LinesVisitor)
    }
}

struct LinesVisitor;

impl<'de> Visitor<'de> for LinesVisitor {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text of several lines, or a list of steps")
    }

    fn visit_str<E>(self, text: &str) -> Result<Lines, E> {
        Ok(Lines::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
        let mut steps = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            steps.push(Step { text });
        }
        Ok(Lines::Steps(steps))
    }
}

impl From<Written> for Scenario {
    fn from(written: Written) -> Self {
        let Written { system, script, typing, faults, expect } = written;
        let script = match script {
            Lines::Steps(steps) => steps,
            Lines::Text(text) => {
                let lines = text.lines().map(str::trim).collect::<Vec<_>>();
                script::steps(lines.into_iter(), runner::commands(system.commands))
            }
        };
        Self { system, script, typing, faults, expect }
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Scenario {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename = "Scenario")]
        struct Out<'s> {
            system: &'s SystemConfig,
            script: Vec<&'s str>,
            typing: Typing,
            faults: &'s FaultPlan,
            expect: &'s Expect,
        }
        let Self { system, script, typing, faults, expect } = self;
        let script = script.iter().map(|step| step.text.as_str()).collect();
        Out { system, script, typing: *typing, faults, expect }.serialize(serializer)
    }
}

impl FromStr for Scenario {
    type Err = ConfigError;

    /// Reads RON text.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let scenario: Self = ::ron::from_str(text).map_err(|error| shown_at_its_place(text, &error))?;
        scenario.check()?;
        Ok(scenario)
    }
}

impl Scenario {
    /// Reads a file of at most 1 MiB.
    ///
    /// # Errors
    /// When it cannot be read, or is wrong: where, and what was expected.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let named = |error: ConfigError| ConfigError::File { path: path.to_owned(), error: Box::new(error) };
        let text = read(path).map_err(|error| named(ConfigError::Unreadable(error.to_string())))?;
        text.parse().map_err(named)
    }

    /// Whether all of it means something.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.system.check()?;
        self.faults.check().map_err(|error| ConfigError::Range(error.to_string()))
    }

    /// Writes it as RON text, a line for each step and each fault, from which `parse` makes the same.
    pub fn to_ron(&self) -> String {
        let SystemConfig { topology, commands, mode, seed, reply_timeout, capacity, spare_processes } = &self.system;
        let mut text = format!(
            "(\n    system: (topology: {topology}, commands: {commands}, mode: {mode}, seed: {seed}, reply_timeout: \
             \"{reply_timeout}\", capacity: {capacity}, spare_processes: {spare_processes}),\n    script: [\n"
        );
        // Writing to a string cannot fail, nor can writing data of this form.
        for step in &self.script {
            let _ = writeln!(text, "        {},", one_line(&step.text));
        }
        let _ = write!(text, "    ],\n    typing: {},\n    faults: [\n", one_line(&self.typing));
        for fault in &self.faults.0 {
            let _ = writeln!(text, "        {},", fault.to_ron());
        }
        let _ = write!(text, "    ],\n    expect: {},\n)\n", one_line(&self.expect));
        text
    }
}

fn one_line<T: Serialize>(what: &T) -> String {
    ::ron::to_string(what).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_cut_as_the_command_set_wants_it() {
        let text = "(system: (commands: search), script: \"create 1\n  exec 1\n\n a\n ping 1\n\")";
        let scenario: Scenario = text.parse().expect("a scenario");
        let steps: Vec<&str> = scenario.script.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(steps, ["create 1", "exec 1\n\na", "ping 1"]);
        assert_eq!(scenario.system.mode, Mode::Simulated);
    }

    #[test]
    fn an_error_shows_the_place() {
        for (text, expected) in [
            ("(system: (sead: 7))", "line 1, column 11: unknown field `sead`, did you mean `seed`?"),
            ("(scripts: [])", "line 1, column 2: unknown field `scripts`, did you mean `script`?"),
            ("(script: 7)", "line 1, column 10: "),
            ("(faults: [(what: Kil(5))])", "line 1, column 18: unknown value `Kil`, did you mean `Kill`?"),
            ("(typing: Fast)", "line 1, column 10: unknown value `Fast`"),
            ("(system: (capacity: 0))", "capacity must be"),
        ] {
            let error = text.parse::<Scenario>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn everything_survives_writing() {
        let text = r##"(
            system: (topology: bst, commands: sum, mode: process, seed: 18446744073709551615, reply_timeout: "7ms"),
            script: ["create 1", "exec 1\n\"\\\u{1b}", "#! kill 5"],
            typing: Drawn,
            faults: [(when: Envelope(kind: Request, nth: 2, moment: Applied), what: Kill(-5)), (what: Skew(node: 3, ahead: "1s"))],
            expect: Replies(["Ok: PID"]),
        )"##;
        let scenario: Scenario = text.parse().expect("a scenario");
        assert_eq!(scenario.to_ron().parse(), Ok(scenario.clone()));
        let written = ::ron::to_string(&scenario).expect("it can be written");
        assert_eq!(written.parse(), Ok(scenario));
    }
}
