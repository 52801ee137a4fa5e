//! Faults of a plan, or typed with `fault`: which there are, which of them hold, and what is said of them.

use std::collections::BTreeMap;

use super::command::Command;
use super::log::{Log, Moment, Record};
use super::{OracleConfig, Told};

/// What is known of one fault: places in the history.
#[derive(Clone, Debug)]
struct Known {
    text: String,
    ends_itself: bool,
    /// The place in the history, and the time until which it need not be known.
    begun: Option<(usize, u64)>,
}

/// All faults, by number.
#[derive(Debug, Default)]
pub(super) struct Faults {
    known: BTreeMap<u64, Known>,
    slack_us: u64,
}

/// Whether a fault is in the books while a command is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No,
    Perhaps,
}

impl Faults {
    pub(super) fn read(config: &OracleConfig, log: &Log) -> Self {
        let mut faults = Self { slack_us: config.slack_us(), ..Self::default() };
        log.told.iter().for_each(|moment| faults.add(moment));
        faults
    }

    fn add(&mut self, moment: &Moment<Told>) {
        match &moment.what {
            Told::Armed { number, text, ends_itself } => {
                let (text, ends_itself) = (text.clone(), *ends_itself);
                self.known.insert(*number, Known { text, ends_itself, begun: None });
            }
            Told::Begun { number, .. } => {
                if let Some(known) = self.known.get_mut(number) {
                    known.begun.get_or_insert((moment.index, moment.at_us));
                }
            }
            Told::Over { .. } => {}
        }
    }

    /// Whether `heal` would find it. Faults are armed, healed and listed in the order of input.
    pub(super) fn is_held(&self, log: &Log, record: &Record, number: u64) -> Held {
        let (earlier, slack_us) = (&log.records[..record.position], self.slack_us);
        let Some(known) = self.known.get(&number).filter(|_| is_armed_by(log, record, number)) else { return Held::No };
        let is_heal = |other: &&Record| other.command == Command::Heal(number) && other.is_ok();
        if earlier.iter().any(|other| is_heal(&other)) {
            return Held::No;
        }
        match known.begun.filter(|_| known.ends_itself) {
            Some((begun, at_us)) if begun < record.read_index && at_us + slack_us < record.read_us => Held::No,
            Some((begun, _)) if begun < record.replied_index() => Held::Perhaps,
            _ => Held::Yes,
        }
    }

    /// The list of `faults`, and what is wrong with it.
    pub(super) fn check_list(&self, log: &Log, record: &Record) -> Result<bool, String> {
        let list = record.reply_text().strip_prefix("Ok:").ok_or("Ok: and a list of faults")?;
        let mut told: Vec<&str> = list.split(';').map(str::trim).filter(|it| !it.is_empty()).collect();
        told.reverse();
        let mut is_exact = true;
        for (number, known) in &self.known {
            let line = format!("{number} {}", known.text);
            let is_told = told.last() == Some(&line.as_str());
            if is_told {
                told.pop();
            }
            let held = self.is_held(log, record, *number);
            is_exact &= held != Held::Perhaps;
            match held {
                Held::Yes if !is_told => return Err(format!("{line:?} at its place")),
                Held::No if is_told => return Err(format!("a list without {line:?}")),
                _ => {}
            }
        }
        if told.is_empty() { Ok(is_exact) } else { Err("only faults that were armed".to_owned()) }
    }
}

/// The number that the next `fault` gets.
pub(super) fn next_number(log: &Log, record: &Record) -> u64 {
    let planned = log.told.iter().filter(|it| it.index < log.first_typed && matches!(it.what, Told::Armed { .. }));
    let typed = log.records[..record.position].iter();
    let typed = typed.filter(|other| matches!(other.command, Command::Fault) && other.is_ok());
    (planned.count() + typed.count()) as u64 + 1
}

fn is_armed_by(log: &Log, record: &Record, number: u64) -> bool {
    number < next_number(log, record)
}

impl OracleConfig {
    /// How much longer than it is there a trouble of a link may be felt: what was sent meanwhile is repeated.
    pub(super) fn linger_us(&self) -> u64 {
        self.reply_timeout_us().max(super::pauses::NOTICED_US)
    }
}
