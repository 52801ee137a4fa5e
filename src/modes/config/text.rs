//! A configuration as RON text: read with errors that show the place, and written.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ron::error::SpannedError;

use super::{Given, SystemConfig};
use crate::error::ConfigError;
use crate::ron_text::at_its_place;

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// How many characters of a line are shown on each side of the place.
const SHOWN: usize = 60;

impl SystemConfig {
    /// Reads RON text; what it does not name is as by default.
    ///
    /// # Errors
    /// Where the text is wrong, with line, column, what was expected, and the line itself.
    pub fn from_ron(text: &str) -> Result<Self, ConfigError> {
        Self::default().with_ron(text)
    }

    /// Lays over it what RON text names.
    ///
    /// ```
    /// use nodetree::{Mode, SystemConfig};
    /// let base = SystemConfig { mode: Mode::Simulated, ..SystemConfig::default() };
    /// let config = base.with_ron("(seed: 7)")?;
    /// assert_eq!((config.mode, config.seed), (Mode::Simulated, 7));
    /// # Ok::<(), nodetree::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_ron`](Self::from_ron).
    pub fn with_ron(self, text: &str) -> Result<Self, ConfigError> {
        let given: Given = ron::from_str(text).map_err(|error| shown_at_its_place(text, &error))?;
        let config = self.overlaid(given);
        config.check()?;
        Ok(config)
    }

    /// Reads a RON file of at most 1 MiB; what it does not name is as by default.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`from_ron`](Self::from_ron), with the name of the file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::default().with_file(path)
    }

    /// Lays over it what a RON file names.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn with_file(self, path: &Path) -> Result<Self, ConfigError> {
        let named = |error: ConfigError| ConfigError::File { path: path.to_owned(), error: Box::new(error) };
        let text = read(path).map_err(|error| named(ConfigError::Unreadable(error.to_string())))?;
        self.with_ron(&text).map_err(named)
    }

    /// Writes it as RON text with comments, from which [`from_ron`](Self::from_ron) makes the same.
    pub fn to_ron(&self) -> String {
        let Self { topology, commands, mode, seed, reply_timeout, capacity, spare_processes } = self;
        format!(
            "(
    // How nodes are joined: list, tree, bst or balanced.
    topology: {topology},
    // What exec does: sum, dictionary, timer or search.
    commands: {commands},
    // On what nodes run: simulated (virtual time), threads or process.
    mode: {mode},
    // From what the simulated mode draws its delays.
    seed: {seed},
    // How long an answer is waited for, from 1ms to 86400s.
    reply_timeout: \"{reply_timeout}\",
    // How many commands may be in flight or unread, from 1 to 16777216.
    capacity: {capacity},
    // How many processes are kept ready to become nodes, in mode process only, at most 1024.
    spare_processes: {spare_processes},
)
"
        )
    }
}

pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MAX_BYTES { Err(io::Error::other("it is longer than 1 MiB")) } else { Ok(text) }
}

pub(crate) fn shown_at_its_place(text: &str, error: &SpannedError) -> ConfigError {
    let (line, column, what) = at_its_place(error);
    let end = &error.span.end;
    let end = if end.line == line { end.col } else { column + 1 };
    let shown = text.split('\n').nth(line.saturating_sub(1)).map_or_else(String::new, |it| show(line, it, column, end));
    ConfigError::Text { line, column, what, shown }
}

/// The line, and below it carets from the column to the end, both from 1.
fn show(number: usize, line: &str, column: usize, end: usize) -> String {
    let at = column.saturating_sub(1);
    let first = at.saturating_sub(SHOWN);
    // What could move the cursor is not for a terminal.
    let plain = |c: char| {
        if c == '\t' {
            ' '
        } else if c.is_control() {
            '\u{fffd}'
        } else {
            c
        }
    };
    let shown: String = line.trim_end().chars().skip(first).take(2 * SHOWN).map(plain).collect();
    if shown.trim().is_empty() {
        return String::new();
    }
    let width = end.saturating_sub(column).clamp(1, SHOWN);
    let (margin, carets) = (" ".repeat(number.to_string().len()), "^".repeat(width));
    format!("\n {number} | {shown}\n {margin} | {:1$}{carets}", "", at - first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_sets::CommandSetKind;
    use crate::modes::{Mode, Span};
    use crate::topology::TopologyKind;
    use std::time::Duration;

    fn error(text: &str) -> String {
        SystemConfig::from_ron(text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_shows_the_line_and_the_place() {
        let cases = [
            (
                "(topology: bst,\n  sead: 7)",
                "line 2, column 3: unknown field `sead`, did you mean `seed`?",
                "  sead: 7)",
                "  ^^^^",
            ),
            (
                "(\n\tmode: thread,\n)",
                "line 2, column 8: unknown value `thread`, did you mean `threads`?",
                " mode: thread,",
                "       ^^^^^^",
            ),
        ];
        for (text, what, line, carets) in cases {
            let said = error(text);
            let lines: Vec<_> = said.lines().collect();
            assert!(lines[0].starts_with(what), "{said}");
            assert_eq!(lines[1..], [format!(" 2 | {line}"), format!("   | {carets}")], "{said}");
        }
    }

    #[test]
    fn what_is_near_to_nothing_is_not_guessed() {
        for (text, expected) in [
            ("(topology: ring)", "expected one of `list`, `tree`, `bst`, `balanced`"),
            ("(colour: 1)", "expected one of `topology`"),
        ] {
            let said = error(text);
            assert!(said.contains(expected) && !said.contains("did you mean"), "{said}");
        }
    }

    #[test]
    fn a_line_of_any_length_and_content_is_shown_in_part() {
        let said = error(&format!("({}seed: \u{1b}[2J{})", " ".repeat(10_000), "x".repeat(1 << 20)));
        assert!(said.len() < 1000 && !said.contains('\u{1b}'), "{said}");
        let long = error(&format!("({}: 1)", "x".repeat(100_000)));
        assert!(long.len() < 200_000, "{}", long.len());
    }

    #[test]
    fn every_configuration_is_read_as_it_was_written() {
        for topology in TopologyKind::ALL {
            for commands in
                [CommandSetKind::Sum, CommandSetKind::Dictionary, CommandSetKind::Timer, CommandSetKind::Search]
            {
                for mode in Mode::ALL {
                    let reply_timeout = Span(Duration::from_millis(1501));
                    let (seed, capacity, spare_processes) = (u64::MAX, 17, 3);
                    let config =
                        SystemConfig { topology, commands, mode, seed, reply_timeout, capacity, spare_processes };
                    assert_eq!(SystemConfig::from_ron(&config.to_ron()), Ok(config));
                }
            }
        }
    }

    #[test]
    fn what_a_text_does_not_name_is_left() {
        let base = SystemConfig { mode: Mode::Process, seed: 3, ..SystemConfig::default() };
        assert_eq!(base.clone().with_ron("()"), Ok(base.clone()));
        assert_eq!(base.clone().with_ron("(mode: threads)").unwrap().mode, Mode::Threads);
        assert!(base.clone().with_ron("(capacity: 0)").is_err());
        assert!(base.with_ron("(spare_processes: 1025)").unwrap_err().to_string().contains("at most 1024"));
    }
}
