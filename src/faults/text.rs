//! Faults as RON text.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::plan::{Fault, FaultKind, FaultPlan, MAX_FAULTS, MAX_TIME, Spread, Trigger};
use crate::ron_text::at_its_place;

/// Why a text is no fault. Nothing was armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WrongFault {
    /// It is not what it should be.
    #[error("line {line}, column {column}: {what}")]
    Text {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, what was expected, and what may have been meant.
        what: String,
    },
    /// It means nothing.
    #[error("{0}")]
    Senseless(&'static str),
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, WrongFault> {
    ron::from_str(text).map_err(|error| {
        let (line, column, what) = at_its_place(&error);
        WrongFault::Text { line, column, what }
    })
}

impl Fault {
    /// Whether it means something.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), WrongFault> {
        let too_long = self.what.times().iter().any(|time| time.0 > MAX_TIME);
        let wrong = match (&self.when, &self.what) {
            (Trigger::Envelope { nth: 0, .. }, _) => "envelopes are counted from 1",
            (Trigger::Envelope { .. }, FaultKind::Kill(_) | FaultKind::Pause(_)) => return Ok(()),
            (Trigger::Envelope { .. }, _) => "only Kill and Pause are set off by an envelope",
            (Trigger::At(time), _) if time.0 > MAX_TIME => "the longest time of a fault is 86400s",
            _ if too_long => "the longest time of a fault is 86400s",
            (_, FaultKind::Delay { by: Spread::Between(shortest, longest), .. }) if shortest > longest => {
                "the shortest delay comes first"
            }
            _ => return Ok(()),
        };
        Err(WrongFault::Senseless(wrong))
    }

    /// Writes it as RON text on one line, from which `parse` makes the same.
    pub fn to_ron(&self) -> String {
        // Data of this form can always be written.
        ron::to_string(self).unwrap_or_default()
    }
}

impl FromStr for Fault {
    type Err = WrongFault;

    /// Reads a fault, or the kind of one that is set off now.
    fn from_str(text: &str) -> Result<Self, WrongFault> {
        let fault = if text.trim_start().starts_with('(') { read(text)? } else { Self::now(read(text)?) };
        fault.check()?;
        Ok(fault)
    }
}

impl FaultPlan {
    /// Whether all faults mean something.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), WrongFault> {
        if self.0.len() > MAX_FAULTS {
            return Err(WrongFault::Senseless("there are more than 4096 faults"));
        }
        self.0.iter().try_for_each(Fault::check)
    }

    /// Writes it as RON text, one fault a line, from which `parse` makes the same.
    pub fn to_ron(&self) -> String {
        let faults: String = self.0.iter().map(|fault| format!("    {},\n", fault.to_ron())).collect();
        format!("[\n{faults}]\n")
    }
}

impl FromStr for FaultPlan {
    type Err = WrongFault;

    fn from_str(text: &str) -> Result<Self, WrongFault> {
        let plan: Self = read(text)?;
        plan.check()?;
        Ok(plan)
    }
}
