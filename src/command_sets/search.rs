//! `search`: a node finds all places where a pattern stands in a text, in time linear in both.

use std::fmt::{self, Display, Write};
use std::mem;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::reader::read_whole;
use super::scan::Job;
use super::{CommandSet, Progress, Request, RequestError, StreamItem, StreamedText, TextReader, Turn};

/// The most characters of the text, and of the pattern.
pub const MAX_CHARS: usize = 100_000_000;

/// How many characters one part holds; only the last part of the text and that of the pattern may hold fewer.
pub const PART_CHARS: usize = 48 * 1024;

/// How many positions one part of the result holds at most.
pub const PART_POSITIONS: usize = 4096;

/// How many comparisons one call of [`finish`](CommandSet::finish) makes at most: well below a millisecond.
pub const STEPS_PER_TURN: usize = 128 * 1024;

/// The search of one node: nothing but the request under way.
///
/// The text and the pattern are held once, with 4 bytes per character of the pattern besides.
///
/// ```
/// use nodetree::command_sets::{CommandSet, Progress, Search, Turn, search::Positions};
/// let request = Search::parse("abracadabra\nabra")?;
/// let (mut node, mut turn) = (Search::default(), Turn { now_ns: 0, outputs: Vec::new() });
/// node.begin(request.head, &mut turn)?;
/// for part in request.parts {
///     node.part(part, &mut turn)?;
/// }
/// while node.finish(&mut turn)? == Progress::More {}
/// assert_eq!(turn.outputs, [Positions::At(vec![0, 7])]);
/// assert_eq!(turn.outputs[0].to_string(), "0;7");
/// # Ok::<(), nodetree::command_sets::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    job: Option<Box<Job>>,
}

/// A piece of the text or of the pattern; all of the text comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// The next characters of the text.
    Text(Bytes),
    /// The next characters of the pattern.
    Pattern(Bytes),
}

/// Where the pattern was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Positions {
    /// The next positions, ascending, at most [`PART_POSITIONS`].
    At(Vec<u64>),
    /// Nowhere at all; printed as `-1`.
    Nowhere,
}

impl Search {
    /// Asks for the places of `pattern` in `text`.
    ///
    /// # Errors
    /// When one of them is not `[A-Za-z0-9]+`, or longer than [`MAX_CHARS`].
    pub fn request(text: &str, pattern: &str) -> Result<Request<Self>, RequestError> {
        let mut reader = SearchReader::default();
        let mut items = Vec::new();
        for (line, last) in [(text, false), (pattern, true)] {
            reader.feed(line.as_bytes(), &mut items)?;
            reader.end_line(last, &mut items)?;
        }
        Request::from_items(items)
    }
}

impl CommandSet for Search {
    type Head = ();
    type Part = Piece;
    type Output = Positions;

    const NAME: &'static str = "search";
    const USAGE: &'static str = "exec id";
    const EXAMPLE: &'static str = "create 10\nexec 10\nabracadabra\nabra\n# Ok:10: 0;7";
    const SEPARATOR: &'static str = ";";
    const TEXT: StreamedText = StreamedText::Lines(2);

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        read_whole(text)
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut in_text = true;
        for part in &request.parts {
            if in_text && matches!(part, Piece::Pattern(_)) {
                f.write_char('\n')?;
                in_text = false;
            }
            f.write_str(&String::from_utf8_lossy(part.bytes()))?;
        }
        Ok(())
    }

    fn reader() -> Box<dyn TextReader<Self>> {
        Box::<SearchReader>::default()
    }

    fn begin(&mut self, (): (), _: &mut Turn<Positions>) -> Result<(), RequestError> {
        self.job = Some(Box::default());
        Ok(())
    }

    fn part(&mut self, part: Piece, _: &mut Turn<Positions>) -> Result<(), RequestError> {
        let mut job = self.job.take().ok_or_else(RequestError::not_begun)?;
        job.add(&part)?;
        self.job = Some(job);
        Ok(())
    }

    fn finish(&mut self, turn: &mut Turn<Positions>) -> Result<Progress, RequestError> {
        let mut job = self.job.take().ok_or_else(RequestError::not_begun)?;
        let progress = job.advance(&mut turn.outputs)?;
        self.job = (progress == Progress::More).then_some(job);
        Ok(progress)
    }

    fn cancel(&mut self) {
        self.job = None;
    }
}

/// Reads the text and the pattern in pieces.
#[derive(Debug, Default)]
struct SearchReader {
    line: Line,
    begun: bool,
    held: Vec<u8>,
    /// How many characters of this line were read.
    length: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Line {
    #[default]
    Text,
    Pattern,
}

impl TextReader<Search> for SearchReader {
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<StreamItem<Search>>) -> Result<(), RequestError> {
        self.begin(out);
        while !bytes.is_empty() {
            let room = (PART_CHARS - self.held.len()).min(MAX_CHARS - self.length);
            if room == 0 {
                return Err(self.line.too_long());
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            check_chars(now, self.length, self.line)?;
            self.held.extend_from_slice(now);
            self.length += now.len();
            if self.held.len() == PART_CHARS {
                self.hand_out(out);
            }
            bytes = later;
        }
        Ok(())
    }

    fn end_line(&mut self, _: bool, out: &mut Vec<StreamItem<Search>>) -> Result<(), RequestError> {
        self.begin(out);
        check_not_empty(self.length, self.line)?;
        if !self.held.is_empty() {
            self.hand_out(out);
        }
        (self.line, self.length) = (Line::Pattern, 0);
        Ok(())
    }
}

impl SearchReader {
    fn begin(&mut self, out: &mut Vec<StreamItem<Search>>) {
        if !mem::replace(&mut self.begun, true) {
            out.push(StreamItem::Head(()));
        }
    }

    fn hand_out(&mut self, out: &mut Vec<StreamItem<Search>>) {
        let bytes = Bytes::from(mem::take(&mut self.held));
        out.push(StreamItem::Part(match self.line {
            Line::Text => Piece::Text(bytes),
            Line::Pattern => Piece::Pattern(bytes),
        }));
    }
}

impl Piece {
    pub(super) fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Pattern(bytes) => bytes,
        }
    }
}

impl Line {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Pattern => "pattern",
        }
    }

    pub(super) fn too_long(self) -> RequestError {
        RequestError::new(format_args!("{} must have at most {MAX_CHARS} characters", self.name()))
    }
}

impl Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::At(positions) = self else { return f.write_str("-1") };
        // One long string a part: a hundred million small writes would take longer than the search.
        let (mut text, mut digits) = (String::new(), itoa::Buffer::new());
        for (nth, position) in positions.iter().enumerate() {
            if nth > 0 {
                text.push_str(Search::SEPARATOR);
            }
            text.push_str(digits.format(*position));
        }
        f.write_str(&text)
    }
}

pub(super) fn check_chars(bytes: &[u8], before: usize, line: Line) -> Result<(), RequestError> {
    // Without an end in the middle this is done for many bytes at once.
    if bytes.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    match bytes.iter().position(|byte| !byte.is_ascii_alphanumeric()) {
        None => Ok(()),
        Some(at) => Err(RequestError::new(format_args!(
            "{} must be letters and digits, character {} is not",
            line.name(),
            before + at + 1
        ))),
    }
}

pub(super) fn check_not_empty(length: usize, line: Line) -> Result<(), RequestError> {
    if length > 0 {
        return Ok(());
    }
    Err(RequestError::new(format_args!("{} must not be empty", line.name())))
}
