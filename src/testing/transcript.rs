//! Dialogues as text: what is typed, what must come back, what is done to nodes meanwhile. The format is that of
//! `tests/transcripts/README.md`.

mod pattern;

use std::collections::BTreeMap;

use super::oracle::{Action, Commands, Topology, UnknownName};

pub use pattern::Pattern;

/// A dialogue and the system that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The topology of the system.
    pub topology: Topology,
    /// The command set of the system.
    pub commands: Commands,
    /// `--reply-timeout`, where it is not the default.
    pub reply_timeout_ms: Option<u64>,
    /// All typed lines are written at once.
    pub one_write: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `> text`: typed.
    Typed(String),
    /// The next reply, or the next line of it.
    Reply(Pattern),
    /// `! kill 4`: done to a node from outside.
    Outside(Action, i64),
    /// `? text`: a notice that comes before the next line is typed.
    Notice(Pattern),
    /// `- text`: a line that does not come before the next line is typed.
    Never(Pattern),
}

/// What a dialogue is held with.
pub trait Driver {
    /// Types one line. The driver of a program must not wait for anything here.
    fn type_line(&mut self, line: &str);
    /// Types all lines in one write, each with its LF.
    fn type_all(&mut self, lines: &[&str]);
    /// The next reply to what was typed, its lines joined by LF; waits for it, and in simulated mode lets time pass
    /// until it comes. None when nothing comes.
    fn next_reply(&mut self) -> Option<String>;
    /// The next notice: one that has come already, or the next to come, in simulated mode by advancing the clock.
    /// None when none comes in a generous time.
    fn next_notice(&mut self) -> Option<String>;
    /// The notices that have come and were not taken yet; waits for none.
    fn pending_notices(&mut self) -> Vec<String>;
    /// The replies that have come and were not taken yet; waits for none.
    fn pending_replies(&mut self) -> Vec<String>;
    /// Does something to a node from outside.
    fn outside(&mut self, action: Action, id: i64);
    /// Whether time stands still while nothing happens.
    fn is_virtual_time(&self) -> bool;
}

/// A text that is no transcript.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// The topology or the command set.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// A line that means nothing.
    #[error("line {line}: {what:?} means nothing")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What stands there.
        what: String,
    },
}

/// The first difference between a dialogue and what came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {typed:?}: expected {expected}, came {came:?}")]
pub struct Mismatch {
    /// What was typed last.
    pub typed: String,
    /// What the transcript says.
    pub expected: String,
    /// What came; empty when nothing did.
    pub came: String,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    ///
    /// The first line that means nothing.
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let (topology, commands) = (Topology::Tree, Commands::Dictionary);
        let mut transcript = Self { topology, commands, reply_timeout_ms: None, one_write: false, steps: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            transcript.read(line, number + 1)?;
        }
        Ok(transcript)
    }

    fn read(&mut self, line: &str, number: usize) -> Result<(), TranscriptError> {
        let nothing = || TranscriptError::Line { line: number, what: line.to_owned() };
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let step = match mark {
            "# " if self.steps.is_empty() => return self.read_key(rest, number),
            "> " | ">" => Step::Typed(rest.to_owned()),
            "! " => outside(rest).ok_or_else(nothing)?,
            "? " => Step::Notice(Pattern::new(rest)),
            "- " => Step::Never(Pattern::new(rest)),
            _ if line.is_empty() && self.steps.is_empty() => return Ok(()),
            _ => Step::Reply(Pattern::new(line)),
        };
        self.steps.push(step);
        Ok(())
    }

    fn read_key(&mut self, rest: &str, number: usize) -> Result<(), TranscriptError> {
        let nothing = || TranscriptError::Line { line: number, what: rest.to_owned() };
        match rest.split_once(": ").ok_or_else(nothing)? {
            ("topology", word) => self.topology = word.parse()?,
            ("commands", word) => self.commands = word.parse()?,
            ("reply-timeout", word) => self.reply_timeout_ms = Some(duration_ms(word).ok_or_else(nothing)?),
            ("one-write", word) => self.one_write = word.parse().map_err(|_| nothing())?,
            _ => return Err(nothing()),
        }
        Ok(())
    }

    /// Holds the dialogue.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn run(&self, driver: &mut dyn Driver) -> Result<(), Mismatch> {
        let mut dialogue = Dialogue { driver, typed: String::new(), never: Vec::new() };
        if self.one_write { dialogue.at_once(&self.steps) } else { dialogue.in_turn(&self.steps) }
    }
}

fn outside(text: &str) -> Option<Step> {
    let (word, id) = text.split_once(' ')?;
    let action = match word {
        "kill" => Action::Kill,
        "stop" => Action::Stop,
        "continue" => Action::Continue,
        _ => return None,
    };
    Some(Step::Outside(action, id.parse().ok()?))
}

fn duration_ms(word: &str) -> Option<u64> {
    match word.strip_suffix("ms") {
        Some(ms) => ms.parse().ok(),
        None => word.strip_suffix('s')?.parse::<u64>().ok()?.checked_mul(1000),
    }
}

struct Dialogue<'d> {
    driver: &'d mut dyn Driver,
    typed: String,
    never: Vec<Pattern>,
}

impl Dialogue<'_> {
    fn mismatch(&self, expected: impl Into<String>, came: impl Into<String>) -> Mismatch {
        Mismatch { typed: self.typed.clone(), expected: expected.into(), came: came.into() }
    }

    fn in_turn(&mut self, steps: &[Step]) -> Result<(), Mismatch> {
        let mut rest = steps;
        while let Some((step, after)) = rest.split_first() {
            rest = after;
            match step {
                Step::Typed(line) => self.type_line(line)?,
                Step::Reply(pattern) => rest = self.reply(pattern, after)?,
                Step::Outside(action, id) => self.driver.outside(*action, *id),
                Step::Notice(_) => {
                    let more = after.iter().take_while(|step| matches!(step, Step::Notice(_))).count();
                    self.notices(&steps[steps.len() - after.len() - 1..steps.len() - after.len() + more])?;
                    rest = &after[more..];
                }
                Step::Never(pattern) => self.never.push(pattern.clone()),
            }
        }
        self.check_nothing_more()
    }

    fn type_line(&mut self, line: &str) -> Result<(), Mismatch> {
        self.check_nothing_more()?;
        self.never.clear();
        line.clone_into(&mut self.typed);
        self.driver.type_line(line);
        Ok(())
    }

    /// Takes one reply and as many lines of the transcript as it has; gives back the steps that are left.
    fn reply<'s>(&mut self, first: &Pattern, after: &'s [Step]) -> Result<&'s [Step], Mismatch> {
        let Some(came) = self.driver.next_reply() else { return Err(self.mismatch(first.to_string(), "")) };
        let mut rest = after;
        for (number, line) in came.split('\n').enumerate() {
            let expected = match (number, rest.split_first()) {
                (0, _) => first,
                (_, Some((Step::Reply(pattern), left))) => {
                    rest = left;
                    pattern
                }
                _ => return Err(self.mismatch("no further line", line)),
            };
            if !expected.fits(line, self.driver.is_virtual_time()) {
                return Err(self.mismatch(expected.to_string(), line));
            }
        }
        Ok(rest)
    }

    /// As many notices as there are steps, in any order.
    fn notices(&mut self, steps: &[Step]) -> Result<(), Mismatch> {
        let mut open: Vec<&Pattern> =
            steps.iter().filter_map(|step| if let Step::Notice(it) = step { Some(it) } else { None }).collect();
        while let Some(next) = open.first() {
            let Some(came) = self.driver.next_notice() else { return Err(self.mismatch(next.to_string(), "")) };
            let is_virtual = self.driver.is_virtual_time();
            match open.iter().position(|pattern| pattern.fits(&came, is_virtual)) {
                Some(place) => drop(open.remove(place)),
                None => return Err(self.mismatch(next.to_string(), came)),
            }
        }
        Ok(())
    }

    fn check_nothing_more(&mut self) -> Result<(), Mismatch> {
        let mut came = self.driver.pending_notices();
        came.extend(self.driver.pending_replies());
        let is_virtual = self.driver.is_virtual_time();
        let forbidden = came.iter().find(|line| self.never.iter().any(|pattern| pattern.fits(line, is_virtual)));
        match forbidden.or(came.first()) {
            Some(line) => Err(self.mismatch("nothing", line.clone())),
            None => Ok(()),
        }
    }

    fn at_once(&mut self, steps: &[Step]) -> Result<(), Mismatch> {
        let lines: Vec<&str> = steps
            .iter()
            .filter_map(|step| if let Step::Typed(line) = step { Some(line.as_str()) } else { None })
            .collect();
        let replies: Vec<&Pattern> =
            steps.iter().filter_map(|step| if let Step::Reply(it) = step { Some(it) } else { None }).collect();
        if lines.len() != replies.len() {
            return Err(self.mismatch("one line of reply to every typed line", format!("{} lines", replies.len())));
        }
        self.driver.type_all(&lines);
        let mut from = 0;
        for (at, line) in lines.iter().enumerate() {
            let is_wait = line.split([' ', '\t']).find(|word| !word.is_empty()) == Some("wait");
            if is_wait || at + 1 == lines.len() {
                (*line).clone_into(&mut self.typed);
                self.section(&replies[from..=at], is_wait)?;
                from = at + 1;
            }
        }
        self.check_nothing_more()
    }

    /// The replies up to that of a `wait`, which comes last.
    fn section(&mut self, expected: &[&Pattern], ends_with_wait: bool) -> Result<(), Mismatch> {
        let mut came = Vec::new();
        for _ in expected {
            let Some(reply) = self.driver.next_reply() else {
                return Err(self.mismatch(format!("{} replies", expected.len()), came.join("\n")));
            };
            came.push(reply);
        }
        let is_virtual = self.driver.is_virtual_time();
        let free = if ends_with_wait { expected.len().saturating_sub(1) } else { expected.len() };
        let last_fits =
            expected[free..].iter().zip(&came[free..]).all(|(pattern, line)| pattern.fits(line, is_virtual));
        if !last_fits {
            return Err(self.mismatch("the reply to wait, last", came.join("\n")));
        }
        self.in_any_order(&expected[..free], &came[..free])
    }

    fn in_any_order(&self, expected: &[&Pattern], came: &[String]) -> Result<(), Mismatch> {
        let is_virtual = self.driver.is_virtual_time();
        let mut open: Vec<&Pattern> = expected.to_vec();
        open.sort_by_key(|pattern| pattern.vagueness());
        let mut left: Vec<&String> = came.iter().collect();
        for pattern in open {
            match left.iter().position(|line| pattern.fits(line, is_virtual)) {
                Some(place) => drop(left.remove(place)),
                None => return Err(self.mismatch(pattern.to_string(), came.join("\n"))),
            }
        }
        let mut by_node: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for line in came {
            by_node.entry(pattern::node_of(line).unwrap_or("")).or_default().push(line);
        }
        for (node, lines) in by_node.into_iter().filter(|(node, _)| !node.is_empty()) {
            let wanted = expected.iter().filter(|pattern| pattern::node_of(pattern.text()) == Some(node));
            if let Some((pattern, line)) = wanted.zip(lines).find(|(pattern, line)| !pattern.fits(line, is_virtual)) {
                return Err(self.mismatch(format!("{pattern} first of node {node}"), line.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
