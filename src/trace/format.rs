//! A saved trace: a line with the version, then one RON line for each event.

use std::io::{self, BufRead, Read, Write};

use super::Event;

/// The version of the format of saved traces; it stands in their first line.
pub const VERSION: u32 = 3;

/// What stands before the version in the first line.
const TITLE: &str = "nodetree trace ";

/// No event is so long: texts are cut when they are kept.
const LINE_BYTES: u64 = 256 * 1024;

/// Writes events, one RON line each, behind a line with the version.
///
/// # Errors
/// When it cannot be written.
///
/// ```
/// use nodetree::trace::{Event, What, read, write};
/// let events = vec![Event { at_ns: 5, what: What::Started { node: 7, incarnation: 1, pid: 1000 } }];
/// let mut file = Vec::new();
/// write(&mut file, &events)?;
/// assert_eq!(read(&file[..])?, events);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(out: &mut dyn Write, events: &[Event]) -> io::Result<()> {
    writeln!(out, "{TITLE}{VERSION}")?;
    events.iter().try_for_each(|event| write_event(out, event))
}

pub(super) fn write_event(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    writeln!(out, "{}", ron::to_string(event).map_err(io::Error::other)?)
}

/// Reads what [`write()`] has written.
///
/// # Errors
/// When it cannot be read, is no trace of this version, or is damaged; the number of the line stands in the text.
pub fn read(input: impl BufRead) -> io::Result<Vec<Event>> {
    Reader::new(input)?.collect()
}

/// Reads a saved trace event by event, behind a first line that was right. It ends with the first error.
///
/// ```
/// use nodetree::trace::Reader;
/// let saved = "nodetree trace 3\n(at_ns:5,what:Stopped(node:7))\n(at_ns:6,wh";
/// let mut events = Reader::new(saved.as_bytes())?;
/// assert_eq!(events.next().expect("a line")?.at_ns, 5);
/// assert!(events.next().expect("a line").unwrap_err().to_string().starts_with("line 3: "));
/// assert!(events.next().is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reader<R> {
    input: R,
    line: u64,
    has_failed: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// When it cannot be read, or is not that of a trace of this version.
    pub fn new(mut input: R) -> io::Result<Self> {
        let first = next_line(&mut input).map_err(|error| at_line(1, &error.to_string()))?.unwrap_or_default();
        match first.strip_prefix(TITLE).map(str::parse::<u32>) {
            Some(Ok(VERSION)) => Ok(Self { input, line: 1, has_failed: false }),
            Some(Ok(other)) => {
                let what = format!("this is a trace of version {other}, only version {VERSION} can be read");
                Err(at_line(1, &what))
            }
            _ => Err(at_line(1, &format!("this is no trace: it does not begin with \"{TITLE}{VERSION}\""))),
        }
    }

    fn next_event(&mut self) -> io::Result<Option<Event>> {
        self.line += 1;
        let Some(line) = next_line(&mut self.input).map_err(|error| at_line(self.line, &error.to_string()))? else {
            return Ok(None);
        };
        let wrong = |error: ron::error::SpannedError| {
            at_line(self.line, &format!("column {}: {}", error.span.start.col, error.code))
        };
        ron::from_str(&line).map(Some).map_err(wrong)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let event = self.next_event();
        self.has_failed = event.is_err();
        event.transpose()
    }
}

fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    input.take(LINE_BYTES).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => String::from_utf8(line).map(Some).map_err(|_| bad("it is not UTF-8")),
        Some(_) if line.len() as u64 + 1 == LINE_BYTES => Err(bad("it is too long for an event")),
        // Whoever wrote it was ended in the middle of it.
        Some(_) => Err(bad("it is not complete")),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn at_line(line: u64, what: &str) -> io::Error {
    bad(&format!("line {line}: {what}"))
}
