//! Reading the text of a request in pieces, so that no process holds more than a window of it.

use super::{CommandSet, Request, RequestError, derive_for_any_set};

/// How the text of a set's requests is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamedText {
    /// The words behind `exec id`, on a line of at most 64 KiB.
    Words,
    /// The words behind `exec id`, on a line of any length.
    Line,
    /// This many lines of any length that follow the line `exec id`.
    Lines(u32),
}

/// A piece of a request as a [`TextReader`] hands it out.
pub enum StreamItem<C: CommandSet> {
    /// The head; comes first, once.
    Head(C::Head),
    /// A part.
    Part(C::Part),
}

derive_for_any_set!(StreamItem { Head { 0: head }, Part { 0: part } });

/// Reads the text of one request in pieces.
pub trait TextReader<C: CommandSet> {
    /// Takes the next bytes of the text, cut anywhere, without line ends, and appends what is complete to `out`.
    /// The pieces handed out do not depend on where the bytes were cut.
    ///
    /// # Errors
    /// What is wrong with the request. The caller goes on to the end of the text and drops the rest.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<StreamItem<C>>) -> Result<(), RequestError>;

    /// The line ends. `last` says that the text ends with it.
    ///
    /// # Errors
    /// What is wrong with the request.
    fn end_line(&mut self, last: bool, out: &mut Vec<StreamItem<C>>) -> Result<(), RequestError>;
}

/// Reads a text that is known whole with the reader of the set: the [`parse`](CommandSet::parse) of streamed sets.
///
/// ```
/// use nodetree::command_sets::{Search, read_whole};
/// assert_eq!(read_whole("aaaa\naa"), Search::request("aaaa", "aa"));
/// assert!(read_whole::<Search>("aaaa").is_err());
/// ```
///
/// # Errors
/// What the reader finds wrong, and when the number of lines is not that of [`StreamedText::Lines`].
pub fn read_whole<C: CommandSet>(text: &str) -> Result<Request<C>, RequestError> {
    let lines = match C::TEXT {
        StreamedText::Lines(lines) => lines as usize,
        StreamedText::Words | StreamedText::Line => 1,
    };
    if text.split('\n').count() != lines {
        return Err(RequestError::new(format_args!("expected {lines} lines behind exec id")));
    }
    let (mut reader, mut items) = (C::reader(), Vec::new());
    for (nth, line) in text.split('\n').enumerate() {
        reader.feed(line.as_bytes(), &mut items)?;
        reader.end_line(nth + 1 == lines, &mut items)?;
    }
    Request::from_items(items)
}

/// The reader of sets whose text is not streamed: it refuses everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStream;

impl<C: CommandSet> TextReader<C> for NoStream {
    fn feed(&mut self, _: &[u8], _: &mut Vec<StreamItem<C>>) -> Result<(), RequestError> {
        Err(RequestError::new("this command set does not stream"))
    }

    fn end_line(&mut self, _: bool, _: &mut Vec<StreamItem<C>>) -> Result<(), RequestError> {
        Err(RequestError::new("this command set does not stream"))
    }
}
