//! `sum`: a node adds numbers, as many as one likes, without ever holding more than a window of them.

use std::fmt;
use std::mem;

use serde::{Deserialize, Serialize};

use super::reader::read_whole;
use super::words::{Number, is_blank};
use super::{CommandSet, Progress, Request, RequestError, StreamItem, StreamedText, TextReader, Turn};

/// The most numbers of one request.
pub const MAX_COUNT: u64 = 100_000_000;

/// How many numbers one part holds; only the last part of a request may hold fewer.
pub const PART_NUMBERS: usize = 4096;

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
        let parts = numbers.chunks(PART_NUMBERS).map(<[i64]>::to_vec).collect();
        Request { head: Count { count: numbers.len() as u64 }, parts }
    }
}

impl CommandSet for Sum {
    type Head = Count;
    type Part = Vec<i64>;
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
        request.parts.iter().flatten().try_for_each(|number| write!(f, " {number}"))
    }

    fn reader() -> Box<dyn TextReader<Self>> {
        Box::<SumReader>::default()
    }

    fn begin(&mut self, head: Count, _: &mut Turn<i128>) -> Result<(), RequestError> {
        let count = check_count(Some(head.count))?;
        self.adding = Some(Adding { count, left: count, total: 0 });
        Ok(())
    }

    fn part(&mut self, part: Vec<i64>, _: &mut Turn<i128>) -> Result<(), RequestError> {
        let mut adding = self.adding.take().ok_or_else(RequestError::not_begun)?;
        adding.left = adding.left.checked_sub(part.len() as u64).ok_or_else(|| too_many(adding.count))?;
        adding.total += part.into_iter().map(i128::from).sum::<i128>();
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
    /// The beginning of a word that was cut, or that is too long for the quick way.
    word: Number,
    numbers: Vec<i64>,
}

impl TextReader<Sum> for SumReader {
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        while let [byte, rest @ ..] = bytes {
            if let (true, Some((number, length))) = (self.word.is_empty(), short_word(bytes)) {
                self.number(number, out)?;
                bytes = &bytes[length..];
            } else {
                self.step(*byte, out)?;
                bytes = rest;
            }
        }
        Ok(())
    }

    fn end_line(&mut self, _: bool, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        self.end_word(out)?;
        let (count, left) = self.count.ok_or_else(wrong_count)?;
        check_complete(count, left)?;
        if !self.numbers.is_empty() {
            out.push(StreamItem::Part(mem::take(&mut self.numbers)));
        }
        Ok(())
    }
}

impl SumReader {
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

    #[inline]
    fn number(&mut self, number: i64, out: &mut Vec<StreamItem<Sum>>) -> Result<(), RequestError> {
        let Some((count, left)) = &mut self.count else {
            let count = check_count(u64::try_from(number).ok())?;
            self.count = Some((count, count));
            out.push(StreamItem::Head(Count { count }));
            return Ok(());
        };
        *left = left.checked_sub(1).ok_or_else(|| too_many(*count))?;
        if self.numbers.capacity() == 0 {
            self.numbers.reserve_exact(PART_NUMBERS.min(*left as usize + 1));
        }
        self.numbers.push(number);
        if self.numbers.len() == PART_NUMBERS {
            out.push(StreamItem::Part(mem::take(&mut self.numbers)));
        }
        Ok(())
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

/// The number at the beginning of `bytes` and the length of its word with the blank behind it, when the word has at
/// most seven digits and both are whole in `bytes`. Eight bytes are looked at in one step: this is the tight loop of
/// requests of 700 MB.
#[inline]
fn short_word(bytes: &[u8]) -> Option<(i64, usize)> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let window = bytes.get(sign..sign + 8)?;
    let digits = u64::from_le_bytes(window.try_into().ok()?) ^ 0x3030_3030_3030_3030;
    // Bit 7 of a byte is set where the byte is above 9; a carry only reaches bytes behind one that is marked already.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let length = others.trailing_zeros() as usize / 8;
    if length == 0 || length == 8 || !is_blank(window[length]) {
        return None;
    }
    let number = eight_digits(digits << (64 - 8 * length)) as i64;
    Some((if sign == 1 { -number } else { number }, sign + length + 1))
}

/// The number that eight digits make, one a byte, the first in the lowest byte.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
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
