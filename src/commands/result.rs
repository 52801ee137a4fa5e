//! The result of an exec: its parts as encoded messages, in memory or, when it is long, in a spool.

use std::fmt::{self, Debug, Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::command_sets::CommandSet;

/// Results of more encoded bytes belong into a spool.
pub const MAX_MEMORY_BYTES: usize = 1024 * 1024;

/// The most bytes of one encoded message; a longer one in a spool is an error.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// How much of a spool is read at once.
const WINDOW_BYTES: u64 = 64 * 1024;

/// The bytes before a message: its length, little-endian.
const LENGTH_BYTES: usize = 4;

/// Where a long result is kept, by the mode: an unlinked temporary file, say.
///
/// It is read by position, so that a result can be read, compared and printed more than once. For a file on Unix
/// this is `std::os::unix::fs::FileExt::read_at`.
pub trait Spool: Send + Sync {
    /// Reads bytes from `offset` on; says how many, 0 only at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Spool for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// The encoded messages of a result, whatever its command set, each behind its length.
///
/// Whoever collects a result [`push`](Self::push)es its messages. When [`len`](Self::len) passes
/// [`MAX_MEMORY_BYTES`], it moves [`as_bytes`](Self::as_bytes) to a file, goes on there with [`write_message`], and
/// in the end makes the result with [`spooled`](Self::spooled).
///
/// ```
/// use std::sync::Arc;
/// use nodetree::commands::{EncodedResult, write_message};
/// let mut in_memory = EncodedResult::default();
/// in_memory.push(b"ab")?;
/// let mut file = in_memory.as_bytes().to_vec();
/// in_memory.push(b"c")?;
/// write_message(&mut file, b"c")?;
/// assert_eq!(EncodedResult::spooled(Arc::new(file), 11), in_memory);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct EncodedResult(Stored);

#[derive(Clone)]
enum Stored {
    Memory(Vec<u8>),
    Spool { spool: Arc<dyn Spool>, length: u64 },
}

impl Default for EncodedResult {
    fn default() -> Self {
        Self(Stored::Memory(Vec::new()))
    }
}

impl EncodedResult {
    /// A result whose messages were written to a spool: its first `length` bytes.
    pub fn spooled(spool: Arc<dyn Spool>, length: u64) -> Self {
        Self(Stored::Spool { spool, length })
    }

    /// A result in memory from its messages, each behind its length, as [`as_bytes`](Self::as_bytes) gives them.
    pub fn from_messages(bytes: Vec<u8>) -> Self {
        Self(Stored::Memory(bytes))
    }

    /// Appends a message to a result in memory.
    ///
    /// # Errors
    /// When the message is longer than [`MAX_MESSAGE_BYTES`], or the result spooled, which is complete.
    pub fn push(&mut self, message: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Stored::Memory(bytes) => write_message(bytes, message),
            Stored::Spool { .. } => Err(io::Error::new(ErrorKind::InvalidInput, "a spooled result is complete")),
        }
    }

    /// How many bytes its messages and their lengths take.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Stored::Memory(bytes) => bytes.len() as u64,
            Stored::Spool { length, .. } => *length,
        }
    }

    /// Whether it has no messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is in memory: the messages, each behind its length; nothing when the result is spooled.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Stored::Memory(bytes) => bytes,
            Stored::Spool { .. } => &[],
        }
    }

    /// At least one byte from `offset` on, or an error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..left];
        let length = match &self.0 {
            Stored::Memory(bytes) => bytes.read_at(buffer, offset)?,
            Stored::Spool { spool, .. } => spool.read_at(buffer, offset)?,
        };
        if length == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(length) }
    }

    /// Appends the next bytes from `offset` on to `window`, as many as one reading gives.
    fn read_window(&self, window: &mut Vec<u8>, offset: u64) -> io::Result<()> {
        let before = window.len();
        window.resize(before + WINDOW_BYTES.min(self.len().saturating_sub(offset)) as usize, 0);
        let read = self.read_at(&mut window[before..], offset);
        window.truncate(before + *read.as_ref().unwrap_or(&0));
        read.map(drop)
    }

    fn same_bytes(&self, other: &Self) -> io::Result<bool> {
        let (mut offset, mut mine, mut theirs) = (0, Vec::new(), Vec::new());
        while offset < self.len() {
            self.read_window(&mut mine, offset)?;
            while theirs.len() < mine.len() {
                let read = theirs.len() as u64;
                other.read_window(&mut theirs, offset + read)?;
            }
            if mine[..] != theirs[..mine.len()] {
                return Ok(false);
            }
            offset += mine.len() as u64;
            theirs.drain(..mine.len());
            mine.clear();
        }
        Ok(true)
    }
}

impl PartialEq for EncodedResult {
    /// The same messages, wherever they are kept. What cannot be read equals nothing.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.same_bytes(other).unwrap_or(false)
    }
}

impl Debug for EncodedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stored::Memory(bytes) => f.debug_tuple("Memory").field(bytes).finish(),
            Stored::Spool { length, .. } => f.debug_struct("Spool").field("length", length).finish_non_exhaustive(),
        }
    }
}

/// Writes a message as it stands in a spool: its length, then its bytes.
///
/// # Errors
/// When it cannot be written, and when the message is longer than [`MAX_MESSAGE_BYTES`].
pub fn write_message(out: &mut dyn Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= MAX_MESSAGE_BYTES);
    let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "message too long"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(message)
}

/// The result of an exec in systems of the command set `C`.
///
/// ```
/// use nodetree::command_sets::{Search, search::Positions};
/// use nodetree::commands::ExecResult;
/// let result = ExecResult::<Search>::of([Positions::At(vec![0, 7]), Positions::At(vec![9])]);
/// assert_eq!(result.to_string(), "0;7;9");
/// assert_eq!(result.parts().count(), 2);
/// ```
pub struct ExecResult<C> {
    encoded: EncodedResult,
    set: PhantomData<fn() -> C>,
}

impl<C: CommandSet> ExecResult<C> {
    /// The result that has these parts.
    ///
    /// # Panics
    /// When a part cannot be encoded, or is longer than [`MAX_MESSAGE_BYTES`].
    pub fn of(parts: impl IntoIterator<Item = C::Output>) -> Self {
        let mut encoded = EncodedResult::default();
        for part in parts {
            let message = postcard::to_stdvec(&part).expect("the parts of a result can be encoded");
            encoded.push(&message).expect("the parts of a result are short");
        }
        encoded.into()
    }

    /// The parts, in order. After an error, which says that a spool cannot be read or that its bytes are not of this
    /// command set, there are no more.
    pub fn parts(&self) -> Parts<'_, C> {
        Parts { encoded: &self.encoded, offset: 0, window: Vec::new(), start: 0, set: PhantomData }
    }

    /// Writes the text: the parts with [`CommandSet::SEPARATOR`] between them. It is never held whole.
    ///
    /// # Errors
    /// When it cannot be written, or the parts cannot be read.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        for (nth, part) in self.parts().enumerate() {
            if nth > 0 {
                out.write_all(C::SEPARATOR.as_bytes())?;
            }
            write!(out, "{}", part?)?;
        }
        Ok(())
    }

    /// The messages behind it.
    pub fn encoded(&self) -> &EncodedResult {
        &self.encoded
    }
}

impl<C> From<EncodedResult> for ExecResult<C> {
    fn from(encoded: EncodedResult) -> Self {
        Self { encoded, set: PhantomData }
    }
}

impl<C> Clone for ExecResult<C> {
    fn clone(&self) -> Self {
        self.encoded.clone().into()
    }
}

impl<C> PartialEq for ExecResult<C> {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl<C: CommandSet> Debug for ExecResult<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.encoded.0 {
            Stored::Memory(_) => f.debug_list().entries(self.parts()).finish(),
            Stored::Spool { .. } => self.encoded.fmt(f),
        }
    }
}

impl<C: CommandSet> Display for ExecResult<C> {
    /// The text, also of a spooled result; then [`write_to`](ExecResult::write_to) is better, because here an error
    /// of reading becomes a [`fmt::Error`], on which `to_string` panics.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, part) in self.parts().enumerate() {
            if nth > 0 {
                f.write_str(C::SEPARATOR)?;
            }
            write!(f, "{}", part.map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// The parts of a result, read one after the other.
pub struct Parts<'a, C> {
    encoded: &'a EncodedResult,
    /// Where the bytes behind `window` stand.
    offset: u64,
    /// Bytes read; those before `start` have been used.
    window: Vec<u8>,
    start: usize,
    set: PhantomData<fn() -> C>,
}

impl<C: CommandSet> Iterator for Parts<'_, C> {
    type Item = io::Result<C::Output>;

    fn next(&mut self) -> Option<Self::Item> {
        let at_end = self.start == self.window.len() && self.offset >= self.encoded.len();
        if at_end {
            return None;
        }
        let part = self.part();
        if part.is_err() {
            (self.offset, self.start) = (u64::MAX, self.window.len());
        }
        Some(part)
    }
}

impl<C: CommandSet> Parts<'_, C> {
    fn part(&mut self) -> io::Result<C::Output> {
        let length: [u8; LENGTH_BYTES] = self.take(LENGTH_BYTES)?.try_into().map_err(io::Error::other)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, "message too long"));
        }
        postcard::from_bytes(self.take(length)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.window.len() - self.start < length {
            self.window.drain(..self.start);
            self.start = 0;
            let before = self.window.len();
            self.encoded.read_window(&mut self.window, self.offset)?;
            self.offset += (self.window.len() - before) as u64;
        }
        self.start += length;
        Ok(&self.window[self.start - length..self.start])
    }
}

/// Writes its prefix before the first thing that is written through it, if ever something is.
pub(super) struct Behind<W> {
    prefix: Option<&'static str>,
    out: W,
}

impl<W> Behind<W> {
    pub(super) fn new(prefix: &'static str, out: W) -> Self {
        Self { prefix: Some(prefix), out }
    }
}

impl Write for Behind<&mut dyn Write> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(prefix) = self.prefix.take_if(|_| !bytes.is_empty()) {
            self.out.write_all(prefix.as_bytes())?;
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl fmt::Write for Behind<&mut fmt::Formatter<'_>> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(prefix) = self.prefix.take_if(|_| !text.is_empty()) {
            self.out.write_str(prefix)?;
        }
        self.out.write_str(text)
    }
}

impl<C: CommandSet> ExecResult<C> {
    /// Prints the text, and the prefix before it when it is not empty.
    pub(super) fn fmt_behind(&self, prefix: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Behind::new(prefix, f), "{self}")
    }
}
