//! `search`: a node finds all places where a pattern stands in a text, in time linear in both.
//!
//! Where nothing matches, `memmem` leaps to the next match, many characters at once; near matches, and from one block of
//! the text to the next, the automaton of Knuth, Morris and Pratt goes on. Both are linear.

use std::fmt::{self, Display, Write};
use std::mem;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::reader::read_whole;
use super::{CommandSet, Progress, Request, RequestError, StreamItem, StreamedText, TextReader, Turn};

/// The most characters of the text, and of the pattern.
pub const MAX_CHARS: usize = 100_000_000;

/// How many characters one part holds; only the last part of the text and that of the pattern may hold fewer.
pub const PART_CHARS: usize = 48 * 1024;

/// How many positions one part of the result holds at most.
pub const PART_POSITIONS: usize = 4096;

/// How many comparisons one call of [`finish`](CommandSet::finish) makes at most: well below a millisecond.
pub const STEPS_PER_TURN: usize = 128 * 1024;

/// The longest pattern that is sought by [`memmem`]: it must be in one block, and is looked at anew in each turn.
const QUICK_PATTERN_CHARS: usize = 1024;

/// So many characters that are leapt over take as long as one that is compared.
const STEPS_OF_A_LEAP: usize = 8;

/// Behind a match there may soon be the next one, for which [`memmem`] is too much: so many characters are compared first.
const NEAR_CHARS: usize = 64;

/// How many blocks of 64 Ki elements one call frees at most.
const BLOCKS_PER_TURN: usize = 8;

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

/// A request under way: the automaton of Knuth, Morris and Pratt, advanced some steps at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Job {
    text: Blocks<u8>,
    pattern: Blocks<u8>,
    /// For each length of a matched beginning, less one: the longest shorter beginning that ends it.
    borders: Blocks<u32>,
    phase: Phase,
    /// The place in the pattern (while its borders are sought) or in the text that is looked at next.
    next: usize,
    /// How many characters of the pattern match before `next`.
    matched: usize,
    /// Where in the text the last match, or what could have become one, is far enough away to leap.
    leap_from: usize,
    found: Vec<u64>,
    found_any: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Reading,
    Borders,
    Scan,
    Free,
}

impl Job {
    fn add(&mut self, piece: &Piece) -> Result<(), RequestError> {
        let (held, line) = match piece {
            Piece::Text(_) if self.pattern.len() == 0 => (&mut self.text, Line::Text),
            Piece::Text(_) => return Err(RequestError::new("the text must come before the pattern")),
            Piece::Pattern(_) => (&mut self.pattern, Line::Pattern),
        };
        if held.len() + piece.bytes().len() > MAX_CHARS {
            return Err(line.too_long());
        }
        check_chars(piece.bytes(), held.len(), line)?;
        held.extend(piece.bytes());
        Ok(())
    }

    fn advance(&mut self, outputs: &mut Vec<Positions>) -> Result<Progress, RequestError> {
        match self.phase {
            Phase::Reading => self.start()?,
            Phase::Borders => self.seek_borders(),
            Phase::Scan => self.scan(outputs),
            Phase::Free => return Ok(self.free()),
        }
        Ok(Progress::More)
    }

    fn start(&mut self) -> Result<(), RequestError> {
        check_not_empty(self.text.len(), Line::Text)?;
        check_not_empty(self.pattern.len(), Line::Pattern)?;
        self.borders.extend(&[0]);
        (self.phase, self.next) = (Phase::Borders, 1);
        // A short pattern needs no turn of its own.
        if self.pattern.len() <= STEPS_PER_TURN / 2 {
            self.seek_borders();
        }
        Ok(())
    }

    /// The pattern is matched against itself. Each step moves on, or falls back to a shorter beginning, which it can
    /// do no more often than it moved on.
    fn seek_borders(&mut self) {
        for _ in 0..STEPS_PER_TURN {
            if self.next == self.pattern.len() {
                (self.phase, self.next, self.matched) = (Phase::Scan, 0, 0);
                return;
            }
            let matches = self.pattern.at(self.next) == self.pattern.at(self.matched);
            if !matches && self.matched > 0 {
                self.matched = self.borders.at(self.matched - 1) as usize;
                continue;
            }
            self.matched += usize::from(matches);
            self.borders.extend(&[self.matched as u32]);
            self.next += 1;
        }
    }

    fn scan(&mut self, outputs: &mut Vec<Positions>) {
        let is_short = self.pattern.len() <= QUICK_PATTERN_CHARS;
        let finder = is_short.then(|| Finder::new(self.pattern.run(0)).into_owned());
        let mut steps = STEPS_PER_TURN;
        while steps > 0 && self.found.len() < PART_POSITIONS {
            if self.next == self.text.len() {
                self.hand_out(outputs);
                if !self.found_any {
                    outputs.push(Positions::Nowhere);
                }
                self.phase = Phase::Free;
                return;
            }
            if let Some(finder) = finder.as_ref().filter(|_| self.matched == 0 && self.next >= self.leap_from) {
                steps = steps.saturating_sub(self.leap(finder));
            }
            steps = self.scan_run(steps, finder.is_some());
        }
        if self.found.len() == PART_POSITIONS {
            self.hand_out(outputs);
        }
    }

    /// Where nothing matches: goes to the next match in this block of the text, or to where one may begin that ends in
    /// the next block. Says what that has cost, in steps.
    fn leap(&mut self, finder: &Finder) -> usize {
        let (run, whole) = (self.text.run(self.next), self.pattern.len());
        let far = finder.find(run).unwrap_or_else(|| (run.len() + 1).saturating_sub(whole));
        self.next += far;
        self.leap_from = self.next + whole + NEAR_CHARS;
        far / STEPS_OF_A_LEAP
    }

    /// Scans to the end of a block of the text, of the steps, to the next place found, or to where a leap is better; says
    /// how many steps are left.
    fn scan_run(&mut self, mut steps: usize, may_leap: bool) -> usize {
        let (pattern, borders) = (&self.pattern, &self.borders);
        let (first, whole) = (pattern.at(0), pattern.len());
        let run = self.text.run(self.next);
        let (mut at, mut matched) = (0, self.matched);
        while at < run.len() && steps > 0 {
            steps -= 1;
            if run[at] == pattern.at(matched) {
                at += 1;
                matched += 1;
                if matched == whole {
                    self.found.push((self.next + at - whole) as u64);
                    matched = borders.at(matched - 1) as usize;
                    break;
                }
            } else if matched > 0 {
                matched = borders.at(matched - 1) as usize;
            } else if may_leap && self.next + at >= self.leap_from {
                break;
            } else {
                // Nothing matches here: leap to the next place where something may.
                at = memchr::memchr(first, &run[at..]).map_or(run.len(), |leap| at + leap);
            }
        }
        self.next += at;
        self.matched = matched;
        steps
    }

    fn hand_out(&mut self, outputs: &mut Vec<Positions>) {
        if !self.found.is_empty() {
            self.found_any = true;
            outputs.push(Positions::At(mem::take(&mut self.found)));
        }
    }

    /// Freeing hundreds of megabytes takes long as well.
    fn free(&mut self) -> Progress {
        for _ in 0..BLOCKS_PER_TURN {
            if !self.text.free_block() && !self.pattern.free_block() && !self.borders.free_block() {
                return Progress::Done;
            }
        }
        Progress::More
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
enum Line {
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
    fn bytes(&self) -> &Bytes {
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

    fn too_long(self) -> RequestError {
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

fn check_chars(bytes: &[u8], before: usize, line: Line) -> Result<(), RequestError> {
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

fn check_not_empty(length: usize, line: Line) -> Result<(), RequestError> {
    if length > 0 {
        return Ok(());
    }
    Err(RequestError::new(format_args!("{} must not be empty", line.name())))
}
