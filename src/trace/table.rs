//! A trace as a table.

use std::io::{self, Write};

use super::text::{Ms, Where, Words};
use super::{Event, Filter};

/// Writes the chosen events as a table: the time in milliseconds, where it happened, and what. One line for each event,
/// in the order in which they were kept; it needs no memory for them.
///
/// # Errors
/// When it cannot be written.
///
/// ```
/// use nodetree::trace::{Event, Filter, What, table};
/// let events = [Event { at_ns: 1_234_567, what: What::Linked { link: 3, upper: -1, lower: 7 } }];
/// let mut text = Vec::new();
/// table(&mut text, events, &mut Filter::default())?;
/// let lines = ["          ms  where         what", "       1.234  -1 -- 7       link 3", ""];
/// assert_eq!(String::from_utf8(text)?, lines.join("\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn table(out: &mut dyn Write, events: impl IntoIterator<Item = Event>, filter: &mut Filter) -> io::Result<()> {
    writeln!(out, "{:>12}  {:<12}  what", "ms", "where")?;
    for event in events {
        if filter.chooses(&event) {
            writeln!(out, "{:>12}  {:<12}  {}", Ms(event.at_ns), Where::of(&event.what), Words(&event))?;
        }
    }
    Ok(())
}
