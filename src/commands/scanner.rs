//! From the bytes of an input to commands, however the input is cut into pieces.

use std::collections::VecDeque;
use std::mem;

use crate::command_sets::words::{Number, is_blank};
use crate::command_sets::{CommandSet, RequestError, StreamItem, StreamedText, TextReader, derive_for_any_set};
use crate::topology::NodeId;

use super::command::{Command, CommandError, MAX_LINE_BYTES};
use super::parse::{parse_exec_line, parse_line};

/// How many bytes of a streamed text are read at most before the pieces are handed out.
const PIECE_BYTES: usize = 64 * 1024;

/// What a [`Scanner`] finds in an input. Blank lines and comments are not mentioned.
///
/// Each line that is a command, right or wrong, is one `Command`, one `Wrong`, or, where the command set streams, a
/// `Begin`, any number of `Item`s and an `End`. So every `Command`, `Wrong` and `Begin` wants one reply.
pub enum Event<C: CommandSet> {
    /// A command, whole.
    Command(Command<C>),
    /// A line that is no command.
    Wrong(CommandError),
    /// An exec begins whose request comes in pieces.
    Begin {
        /// The node that is asked.
        id: NodeId,
    },
    /// The next piece of the request.
    Item(StreamItem<C>),
    /// The request is complete, or wrong: then what came of it is to be forgotten.
    End(Result<(), RequestError>),
}

derive_for_any_set!(Event {
    Command { 0: command },
    Wrong { 0: error },
    Begin { id: id },
    Item { 0: item },
    End { 0: end },
});

/// Reads the lines of an input. What it finds does not depend on where the input is cut, and it holds no more than one
/// line of 64 KiB, or a window of a streamed one.
///
/// ```
/// use nodetree::command_sets::Dictionary;
/// use nodetree::commands::{Command, Event, Scanner};
/// let mut scanner = Scanner::<Dictionary>::default();
/// let mut input: &[u8] = b"# a comment\n\n ping 1 \r\nexit\nping 2\npi";
/// assert_eq!(scanner.next(&mut input), Some(Event::Command(Command::Ping { id: 1 })));
/// assert_eq!(scanner.next(&mut input), Some(Event::Command(Command::Exit)));
/// // Nothing behind a command was read before the next event was wanted.
/// assert_eq!(input, b"ping 2\npi");
/// assert_eq!(scanner.next(&mut input), Some(Event::Command(Command::Ping { id: 2 })));
/// assert_eq!(scanner.next(&mut input), None);
/// assert_eq!(scanner.next(&mut &b"ngall"[..]), None);
/// assert_eq!(scanner.finish(), Some(Event::Command(Command::PingAll)));
/// assert_eq!(scanner.finish(), None);
/// ```
pub struct Scanner<C: CommandSet> {
    state: State<C>,
    events: VecDeque<Event<C>>,
}

enum State<C: CommandSet> {
    /// In a line that is not streamed, or not yet known to be.
    Plain(Plain),
    /// In a line whose first character is `#`.
    Comment,
    /// Behind the word `exec` of a streamed line.
    Id(Id),
    /// In the text of a request.
    Text(Text<C>),
    /// In what is dropped: so many line ends are to come.
    Skip(u32),
}

/// A line so far.
#[derive(Default)]
struct Plain {
    /// Its bytes behind the blanks at its beginning, as far as they can still matter.
    bytes: Vec<u8>,
    /// Its length, blanks included.
    length: usize,
}

/// The id of a streamed exec so far.
#[derive(Default)]
struct Id {
    number: Number,
    /// A CR that may stand before a LF.
    cr: bool,
}

struct Text<C: CommandSet> {
    reader: Box<dyn TextReader<C>>,
    error: Option<RequestError>,
    /// How many lines are still to come, with the one that is being read.
    lines: u32,
    /// A CR that may stand before a LF.
    cr: bool,
    /// Something stands on this line.
    begun: bool,
}

impl<C: CommandSet> Default for Scanner<C> {
    fn default() -> Self {
        Self { state: State::start(), events: VecDeque::new() }
    }
}

impl<C: CommandSet> Scanner<C> {
    /// The next event, and takes the bytes that it needs from the front of `input`; `None` when it needs more input.
    /// At most one line is taken before an event that it causes is handed out.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Event<C>> {
        while self.events.is_empty() && !input.is_empty() {
            self.advance(input);
        }
        self.events.pop_front()
    }

    /// The next event at the end of the input: the last line counts also without a line end. To be called until it
    /// says `None`.
    pub fn finish(&mut self) -> Option<Event<C>> {
        if self.events.is_empty() {
            self.end_input();
        }
        self.events.pop_front()
    }

    /// Whether the input stands between two commands, so that a new one may be asked for: neither a line nor a
    /// request is under way.
    pub fn is_at_start(&self) -> bool {
        self.events.is_empty() && matches!(&self.state, State::Plain(line) if line.length == 0)
    }

    /// Takes bytes up to a line end, or a piece of a line.
    fn advance(&mut self, input: &mut &[u8]) {
        match &mut self.state {
            State::Plain(_) => self.plain(input),
            State::Comment => {
                if take_line(input).1 {
                    self.state = State::start();
                }
            }
            State::Id(_) => self.id(input),
            State::Text(_) => self.text(input),
            State::Skip(lines) => {
                *lines -= u32::from(take_line(input).1);
                if *lines == 0 {
                    self.state = State::start();
                }
            }
        }
    }

    fn plain(&mut self, input: &mut &[u8]) {
        let State::Plain(line) = &mut self.state else { return };
        if line.bytes.is_empty() {
            let blanks = input.iter().take_while(|byte| is_blank(**byte)).count();
            line.length = line.length.saturating_add(blanks);
            *input = &input[blanks..];
        }
        if line.bytes.is_empty() && input.first() == Some(&b'#') {
            self.state = State::Comment;
        } else if C::TEXT == StreamedText::Line && line.bytes.len() < 5 {
            self.first_word(input);
        } else if line.take(input) {
            self.end_plain(true);
        }
    }

    /// The beginning of a line that may turn out to be streamed, byte by byte.
    fn first_word(&mut self, input: &mut &[u8]) {
        let State::Plain(line) = &mut self.state else { return };
        let Some((first, _)) = input.split_first() else { return };
        if is_blank(*first) && line.bytes == b"exec" {
            self.state = State::Id(Id::default());
        } else if *first == b'\n' || line.bytes.len() == 4 {
            // Here it is decided: the line ends, or its first word is longer, or it is another one.
            if line.take(input) {
                self.end_plain(true);
            }
        } else {
            line.take(&mut take(input, 1));
        }
    }

    fn end_plain(&mut self, lf: bool) {
        let State::Plain(line) = mem::replace(&mut self.state, State::start()) else { return };
        let bytes = if lf { line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes) } else { &line.bytes };
        // The text behind it is taken whatever is wrong with the line itself.
        let lines = match C::TEXT {
            StreamedText::Lines(lines) if is_exec(bytes) => Some(lines),
            _ => None,
        };
        match (line.text(bytes), lines) {
            (Ok(""), _) => {}
            (Ok(text), None) => self.events.push_back(parse_line(text).map_or_else(Event::Wrong, Event::Command)),
            (Ok(text), Some(lines)) => match parse_exec_line::<C>(text) {
                Ok((id, nothing_more)) => self.begin(id, nothing_more.err(), lines),
                Err(error) => self.wrong_exec(error, lines),
            },
            (Err(error), lines) => self.wrong_exec(error, lines.unwrap_or(0)),
        }
    }

    fn begin(&mut self, id: NodeId, error: Option<RequestError>, lines: u32) {
        self.events.push_back(Event::Begin { id });
        let text = Text { reader: C::reader(), error, lines, cr: false, begun: false };
        if lines == 0 { self.end_text(text.error) } else { self.state = State::Text(text) }
    }

    fn wrong_exec(&mut self, error: CommandError, lines_to_skip: u32) {
        self.events.push_back(Event::Wrong(error));
        self.state = if lines_to_skip == 0 { State::start() } else { State::Skip(lines_to_skip) };
    }

    fn id(&mut self, input: &mut &[u8]) {
        let State::Id(id) = &mut self.state else { return };
        while let Some((byte, rest)) = input.split_first() {
            match id.push(*byte) {
                IdStep::More => *input = rest,
                IdStep::End => return self.end_id(),
                IdStep::Malformed => return self.wrong_exec(CommandError::Usage { form: C::USAGE }, 1),
            }
        }
    }

    fn end_id(&mut self) {
        let State::Id(id) = &self.state else { return };
        match id.number.value() {
            Some(id) => self.begin(id, None, 1),
            None => self.wrong_exec(CommandError::Usage { form: C::USAGE }, 1),
        }
    }

    fn text(&mut self, input: &mut &[u8]) {
        let State::Text(text) = &mut self.state else { return };
        let (line, lf) = take_line(input);
        let mut items = Vec::new();
        text.feed(line, lf, &mut items);
        if lf {
            text.end_line(&mut items);
        }
        let ended = (text.lines == 0).then(|| text.error.take());
        self.events.extend(items.into_iter().map(Event::Item));
        if let Some(error) = ended {
            self.end_text(error);
        }
    }

    fn end_text(&mut self, error: Option<RequestError>) {
        self.events.push_back(Event::End(error.map_or(Ok(()), Err)));
        self.state = State::start();
    }

    fn end_input(&mut self) {
        match &mut self.state {
            State::Plain(_) => self.end_plain(false),
            State::Id(Id { cr: true, .. }) => self.wrong_exec(CommandError::Usage { form: C::USAGE }, 0),
            State::Id(_) => self.end_id(),
            State::Text(text) => {
                let mut items = Vec::new();
                let whole = text.lines == 1 && (text.begun || C::TEXT == StreamedText::Line);
                text.end_input(whole, &mut items);
                let error = text.error.take();
                self.events.extend(items.into_iter().map(Event::Item));
                self.end_text(error);
            }
            State::Comment | State::Skip(_) => self.state = State::start(),
        }
    }
}

impl<C: CommandSet> State<C> {
    fn start() -> Self {
        Self::Plain(Plain::default())
    }
}

impl Plain {
    /// Takes bytes up to the line end; says whether it came. No more is kept than one line may have.
    fn take(&mut self, input: &mut &[u8]) -> bool {
        let (bytes, lf) = take_line(input);
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length = self.length.saturating_add(bytes.len());
        lf
    }

    /// The line as text, when it may be one; empty for a blank line, however long.
    fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, CommandError> {
        if bytes.is_empty() {
            return Ok("");
        }
        if self.length > MAX_LINE_BYTES {
            return Err(CommandError::LineTooLong);
        }
        std::str::from_utf8(bytes).map_err(|_| CommandError::NotUtf8)
    }
}

enum IdStep {
    /// The byte is taken.
    More,
    /// The byte is the first behind the id, and not taken.
    End,
    Malformed,
}

impl Id {
    /// Byte by byte: the id may have any number of zeros before it, and blanks before those.
    fn push(&mut self, byte: u8) -> IdStep {
        match byte {
            b'\n' => IdStep::End,
            _ if self.cr => IdStep::Malformed,
            b'\r' => {
                self.cr = true;
                IdStep::More
            }
            _ if is_blank(byte) && self.number.is_empty() => IdStep::More,
            _ if is_blank(byte) => IdStep::End,
            _ if self.number.push(byte) => IdStep::More,
            _ => IdStep::Malformed,
        }
    }
}

impl<C: CommandSet> Text<C> {
    fn feed(&mut self, bytes: &[u8], lf: bool, items: &mut Vec<StreamItem<C>>) {
        if mem::take(&mut self.cr) && !(lf && bytes.is_empty()) {
            self.read(b"\r", items);
        }
        self.begun |= !bytes.is_empty();
        let rest = bytes.strip_suffix(b"\r");
        self.cr = rest.is_some() && !lf;
        self.read(rest.unwrap_or(bytes), items);
    }

    fn end_line(&mut self, items: &mut Vec<StreamItem<C>>) {
        self.lines -= 1;
        self.begun = false;
        if self.error.is_none() {
            self.error = self.reader.end_line(self.lines == 0, items).err();
        }
    }

    fn end_input(&mut self, whole: bool, items: &mut Vec<StreamItem<C>>) {
        if mem::take(&mut self.cr) {
            self.read(b"\r", items);
        }
        if whole {
            self.end_line(items);
        } else if self.error.is_none() {
            self.error = Some(RequestError::new("the input ended before the request"));
        }
    }

    fn read(&mut self, bytes: &[u8], items: &mut Vec<StreamItem<C>>) {
        if self.error.is_none() && !bytes.is_empty() {
            self.error = self.reader.feed(bytes, items).err();
        }
    }
}

/// Takes up to [`PIECE_BYTES`] of the line from the input; says whether the line end was taken, too.
fn take_line<'a>(input: &mut &'a [u8]) -> (&'a [u8], bool) {
    let window = &input[..input.len().min(PIECE_BYTES)];
    match memchr::memchr(b'\n', window) {
        Some(length) => (&take(input, length + 1)[..length], true),
        None => (take(input, window.len()), false),
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(length);
    *input = rest;
    taken
}

fn is_exec(line: &[u8]) -> bool {
    let word = line.split(|byte| is_blank(*byte)).next().unwrap_or_default();
    word == b"exec"
}
