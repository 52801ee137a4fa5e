//! `sum`: a node adds numbers, as many as one likes, without ever holding more than a window of them.

use std::fmt;
use std::mem;

use serde::{Deserialize, Serialize};

use super::digits;
pub use super::numbers::{NotNumbers, Numbers};
use super::reader::read_whole;
use super::words::{Number, is_blank};
use super::{CommandSet, Progress, Request, RequestError, StreamItem, StreamedText, TextReader, Turn};

/// The most numbers of one request.
pub const MAX_COUNT: u64 = 100_000_000;

/// How many numbers one part holds; only the last part of a request may hold fewer. With 32 bits for each, a part
/// fits into one segment.
pub const PART_NUMBERS: usize = 15_000;

/// The sum of one node: nothing but the request under way.
///
/// ```
/// use nodetree::command_sets::{CommandSet, Sum, Turn};
/// let request = Sum::parse("3 9223372036854775807 1 -3")?;
/// let (mut node, mut turn) = (Sum::default(), Turn { now_ns: 0, outputs: Vec::new() });
/// node.begin(request.head, &mut turn)?;
/// for part in request.parts {
///     node.part(part, &mut turn)?;
/// }
/// node.finish(&mut turn)?;
/// assert_eq!(turn.outputs, [9_223_372_036_854_775_805]);
/// # Ok::<(), nodetree::command_sets::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    adding: Option<Adding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Adding {
    count: u64,
    left: u64,
    // 10^8 numbers of 63 bits and a sign need 91 bits: this cannot overflow.
    total: i128,
}

/// How many numbers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// From 1 to [`MAX_COUNT`].
    pub count: u64,
}

impl Sum {
    /// Asks for the sum of these numbers.
    pub fn request(numbers: &[i64]) -> Request<Self> {
        let parts = numbers.chunks(PART_NUMBERS).map(Numbers::new).collect();
        Request { head: Count { count: numbers.len() as u64 }, parts }
    }
}

impl CommandSet for Sum {
    type Head = Count;
    type Part = Numbers;
    type Output = i128;

    const NAME: &'static str = "sum";
    const USAGE: &'static str = "exec id n k1 ... kn";
    const EXAMPLE: &'static str = "create 10\nexec 10 3 1 2 3\n# Ok:10: 6";
    const TEXT: StreamedText = StreamedText::Line;

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        read_whole(text)
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", request.head.count)?;
        request.parts.iter().flat_map(Numbers::iter).try_for_each(|number| write!(f, " {number}"))
    }

    fn reader() -> Box<dyn TextReader<Self>> {
        Box::<SumReader>::default()
    }

    fn begin(&mut self, head: Count, _: &mut Turn<i128>) -> Result<(), RequestError> {
        let count = check_count(Some(head.count))?;
        self.adding = Some(Adding { count, left: count, total: 0 });
        Ok(())
    }

    fn part(&mut self, part: Numbers, _: &mut Turn<i128>) -> Result<(), RequestError> {
        let mut adding = self.adding.take().ok_or_else(RequestError::not_begun)?;
        adding.left = adding.left.checked_sub(part.len() as u64).ok_or_else(|| too_many(adding.count))?;
        adding.total += part.sum();
        self.adding = Some(adding);
        Ok(())
    }

    fn finish(&mut self, turn: &mut Turn<i128>) -> Result<Progress, RequestError> {
        let adding = self.adding.take().ok_or_else(RequestError::not_begun)?;
        check_complete(adding.count, adding.left)?;
        turn.outputs.push(adding.total);
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {
        self.adding = None;
    }
}

/// Reads `n k1 … kn` in pieces.
#[derive(Debug, Default)]
struct SumReader {
    /// How many numbers there must be and how many of them are still to come; nothing before `n` was read.
    count: Option<(u64, u64)>,
    /// The beginning of a word that was cut, or that is not plain enough for the quick way.
    word: Number,
    /// Room for the numbers of the next part, and how many are there.
    numbers: Vec<i64>,
    filled: usize,
}

impl TextReader<Sum> for SumReader {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        let mut at = 0;
        loop {
            if self.word.is_empty() {
                at = self.quickly(bytes, at, out);
            }
            let Some(byte) = bytes.get(at) else { return Ok(()) };
            self.step(*byte, out)?;
            at += 1;
        }
    }

    fn end_line(&mut self, _: bool, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        self.end_word(out)?;
        let (count, left) = self.count.ok_or_else(wrong_count)?;
        check_complete(count, left)
    }
}

impl SumReader {
    /// The quick way: plain words from `at` on, as many as there are. Gives back where the first one begins that is not.
    fn quickly(&mut self, bytes: &[u8], mut at: usize, out: &mut Vec<StreamItem<Sum>>) -> usize {
        loop {
            let (end, read) = digits::read(bytes, at, &mut self.numbers[self.filled..]);
            if read == 0 {
                return end;
            }
            at = end;
            self.add(read, out);
        }
    }

    /// The slow way: any byte.
    fn step(&mut self, byte: u8, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        if is_blank(byte) {
            return self.end_word(out);
        }
        // Judged at the first byte of the word, as the quick way does: the error must not depend on the cuts.
        self.check_room()?;
        if self.word.push(byte) { Ok(()) } else { Err(self.bad_number()) }
    }

    fn end_word(&mut self, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        let word = mem::take(&mut self.word);
        if word.is_empty() {
            return Ok(());
        }
        let number = word.value().ok_or_else(|| self.bad_number())?;
        self.number(number, out)
    }

    fn number(&mut self, number: i64, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        let Some((count, _)) = self.count else {
            let count = check_count(u64::try_from(number).ok())?;
            self.count = Some((count, count));
            self.make_room();
            out.push(StreamItem::Head(Count { count }));
            return Ok(());
        };
        *self.numbers.get_mut(self.filled).ok_or_else(|| too_many(count))? = number;
        self.add(1, out);
        Ok(())
    }

    /// So many numbers have come into their places.
    fn add(&mut self, read: usize, out: &mut Vec<StreamItem<Sum>>) {
        self.filled += read;
        if let Some((_, left)) = &mut self.count {
            *left -= read as u64;
        }
        if self.filled == self.numbers.len() {
            out.push(StreamItem::Part(Numbers::new(&self.numbers)));
            self.make_room();
        }
    }

    /// For as many numbers as the next part has: none when all have come.
    fn make_room(&mut self) {
        let left = self.count.map_or(0, |(_, left)| left);
        self.numbers.resize(left.min(PART_NUMBERS as u64) as usize, 0);
        self.filled = 0;
    }

    fn check_room(&self) -> Result<(), RequestError> {
        match self.count {
            Some((count, 0)) => Err(too_many(count)),
            _ => Ok(()),
        }
    }

    fn bad_number(&self) -> RequestError {
        let Some((count, left)) = self.count else { return wrong_count() };
        let (from, to, at) = (i64::MIN, i64::MAX, count - left + 1);
        RequestError::new(format_args!("k{at} must be an integer from {from} to {to}"))
    }
}

fn check_count(count: Option<u64>) -> Result<u64, RequestError> {
    count.filter(|count| (1..=MAX_COUNT).contains(count)).ok_or_else(wrong_count)
}

fn check_complete(count: u64, left: u64) -> Result<(), RequestError> {
    if left == 0 {
        return Ok(());
    }
    Err(RequestError::new(format_args!("expected {count} numbers behind n, found {}", count - left)))
}

fn wrong_count() -> RequestError {
    RequestError::new(format_args!("n must be an integer from 1 to {MAX_COUNT}"))
}

fn too_many(count: u64) -> RequestError {
    RequestError::new(format_args!("expected {count} numbers behind n, found more"))
}
