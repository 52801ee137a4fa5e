//! What is wrong with a RON text, and where.

use std::fmt::Write as _;

use ron::error::{Error, SpannedError};

/// What is longer is near to no name.
const LONGEST_NAME: usize = 60;

/// The line and the column, both from 1, and what is wrong there.
pub(crate) fn at_its_place(error: &SpannedError) -> (usize, usize, String) {
    (error.span.start.line, error.span.start.col, describe(&error.code))
}

/// What is wrong, in our words where RON's say less.
fn describe(error: &Error) -> String {
    match error {
        Error::NoSuchStructField { expected, found, .. } => unknown("field", found, expected),
        Error::NoSuchEnumVariant { expected, found, .. } => unknown("value", found, expected),
        Error::DuplicateStructField { field, .. } => format!("the field `{field}` stands here for the second time"),
        error => {
            let text = error.to_string();
            text.strip_prefix("Expected").map_or_else(|| text.clone(), |rest| format!("expected{rest}"))
        }
    }
}

fn unknown(what: &str, found: &str, expected: &[&str]) -> String {
    let mut text = format!("unknown {what} `{found}`, ");
    if let Some(meant) = meant(found, expected) {
        let _ = write!(text, "did you mean `{meant}`? ");
    }
    let all: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
    let _ = write!(text, "expected one of {}", all.join(", "));
    text
}

/// The name that is nearest, if it is near enough: one wrong letter, or a third of them.
fn meant<'n>(found: &str, names: &[&'n str]) -> Option<&'n str> {
    // A name of a megabyte is near to nothing.
    let found = if found.len() <= LONGEST_NAME { found.to_lowercase() } else { return None };
    let distances = names.iter().map(|name| (strsim::osa_distance(&found, &name.to_lowercase()), *name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(name)
}
