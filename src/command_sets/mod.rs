//! WHAT `exec` does: the trait [`CommandSet`] and the four built-in sets, one file each.
//!
//! A command set is pure: it names no clock, no socket and no thread. Time comes in with each call
//! as a [`Turn`], and what it answers goes out through the same turn.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};

mod blocks;
mod chars;
mod derive;
mod digits;
mod executor;
mod numbers;
mod reader;
mod scan;

pub mod dictionary;
pub mod search;
pub mod sum;
pub mod timer;
pub mod words;

pub(crate) use derive::derive_for_any_set;

pub use dictionary::Dictionary;
pub use executor::{Executor, executor};
pub use reader::{NoStream, StreamItem, StreamedText, TextReader, read_whole};
pub use search::Search;
pub use sum::Sum;
pub use timer::Timer;

/// What travels: a value that can be sent to another process and compared in a test.
pub trait Wire: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + 'static> Wire for T {}

/// What is wrong with a request, as it is printed behind `Error:id: `.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{0}")]
pub struct RequestError(pub String);

impl RequestError {
    /// Makes the error from anything that can be printed.
    pub fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }

    /// A part or an end came without a beginning: whoever drives the command set is wrong, not the request.
    pub(crate) fn not_begun() -> Self {
        Self::new("no request has begun")
    }
}

/// A whole request: its head, and the parts that follow it.
///
/// ```
/// use nodetree::command_sets::{CommandSet, Dictionary, Sum, sum::Numbers};
/// assert_eq!(Dictionary::parse("x 5")?, Dictionary::save("x", 5));
/// assert_eq!(Sum::parse("3  1 2 03")?.parts, [Numbers::new(&[1, 2, 3])]);
/// assert!(Sum::parse("3 1 2").is_err());
/// # Ok::<(), nodetree::command_sets::RequestError>(())
/// ```
pub struct Request<C: CommandSet> {
    /// What is asked.
    pub head: C::Head,
    /// The data that comes behind the head; empty in most sets.
    pub parts: Vec<C::Part>,
}

impl<C: CommandSet> Request<C> {
    /// Puts together what a [`TextReader`] has handed out.
    ///
    /// # Errors
    /// When the head does not come first and once.
    pub fn from_items(items: impl IntoIterator<Item = StreamItem<C>>) -> Result<Self, RequestError> {
        let mut items = items.into_iter();
        let Some(StreamItem::Head(head)) = items.next() else { return Err(RequestError::new("the request is empty")) };
        let part = |item| match item {
            StreamItem::Part(part) => Ok(part),
            StreamItem::Head(_) => Err(RequestError::new("the request begins twice")),
        };
        Ok(Self { head, parts: items.map(part).collect::<Result<_, _>>()? })
    }
}

// By hand, because `derive` would ask the same of `C`, the state of a node.
impl<C: CommandSet> Clone for Request<C> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), parts: self.parts.clone() }
    }
}

impl<C: CommandSet> Debug for Request<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", &self.head).field("parts", &self.parts).finish()
    }
}

impl<C: CommandSet> PartialEq for Request<C> {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && self.parts == other.parts
    }
}

/// One call of a command set: the time, and the place for what it answers.
#[derive(Debug)]
pub struct Turn<Output> {
    /// Nanoseconds on the node's monotonic clock.
    pub now_ns: u64,
    /// The parts of the result, in order.
    pub outputs: Vec<Output>,
}

/// Whether a request has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// [`CommandSet::finish`] wants another turn.
    More,
    /// The result is complete.
    Done,
}

/// What the nodes of a system do when they are asked to `exec`.
///
/// The value that implements it is the state of one node. A request comes as one
/// [`begin`](CommandSet::begin), any number of [`part`](CommandSet::part)s and then
/// [`finish`](CommandSet::finish), which is called until it says [`Progress::Done`]. Each call should
/// return within about a millisecond, so that the node answers `ping` and forwards meanwhile.
/// An `Err` ends the request with `Error:id: …` and must leave the state as it was before the request.
/// Requests of one node never overlap. A panic is the death of the node.
///
/// A set of one's own, in which a node keeps the greatest number that it was told:
///
/// ```
/// use std::fmt;
/// use nodetree::command_sets::{CommandSet, Progress, Request, RequestError, Turn};
///
/// #[derive(Default)]
/// struct Greatest {
///     told: Option<u32>,
///     so_far: u32,
/// }
///
/// impl CommandSet for Greatest {
///     type Head = u32;
///     type Part = ();
///     type Output = u32;
///     const NAME: &'static str = "greatest";
///     const USAGE: &'static str = "exec id number";
///
///     fn parse(text: &str) -> Result<Request<Self>, RequestError> {
///         Ok(Request { head: text.parse().map_err(RequestError::new)?, parts: Vec::new() })
///     }
///     fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "{}", request.head)
///     }
///     fn begin(&mut self, head: u32, _: &mut Turn<u32>) -> Result<(), RequestError> {
///         self.told = Some(head);
///         Ok(())
///     }
///     fn finish(&mut self, turn: &mut Turn<u32>) -> Result<Progress, RequestError> {
///         self.so_far = self.so_far.max(self.told.take().unwrap_or(0));
///         turn.outputs.push(self.so_far);
///         Ok(Progress::Done)
///     }
///     fn cancel(&mut self) {
///         self.told = None;
///     }
/// }
///
/// let (mut node, mut turn) = (Greatest::default(), Turn { now_ns: 0, outputs: Vec::new() });
/// for text in ["5", "3"] {
///     node.begin(Greatest::parse(text)?.head, &mut turn)?;
///     node.finish(&mut turn)?;
/// }
/// assert_eq!(turn.outputs, [5, 5]);
/// # Ok::<(), RequestError>(())
/// ```
pub trait CommandSet: Default + Send + 'static {
    /// The head of a request.
    type Head: Wire;
    /// What may follow the head, at most about 48 KiB when encoded; `()` where nothing does.
    type Part: Wire;
    /// One part of a result, at most about 48 KiB when encoded; its `Display` is what is printed.
    type Output: Wire + Display;

    /// The name of the set, as in `--commands`.
    const NAME: &'static str;
    /// The form of its exec command, as in `Error: Usage: exec id name [value]`.
    const USAGE: &'static str;
    /// Lines that can be typed one after the other in a new system and show what exec does, replies as comments; for
    /// `help exec`. None of them is empty.
    const EXAMPLE: &'static str = "";
    /// What is printed between two parts of a result.
    const SEPARATOR: &'static str = "";
    /// How the program reads the text of a request.
    const TEXT: StreamedText = StreamedText::Words;

    /// Reads the text behind `exec id`, blanks at both ends cut off (with [`StreamedText::Lines`]: the
    /// lines that follow, separated by `\n`).
    ///
    /// # Errors
    /// What is wrong with the request.
    fn parse(text: &str) -> Result<Request<Self>, RequestError>;

    /// Prints what [`parse`](CommandSet::parse) reads.
    ///
    /// # Errors
    /// When the formatter fails.
    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// A reader that takes the text in pieces; only for sets whose [`TEXT`](CommandSet::TEXT) is streamed.
    fn reader() -> Box<dyn TextReader<Self>> {
        Box::new(NoStream)
    }

    /// A request begins.
    ///
    /// # Errors
    /// What is wrong with the request; it ends here.
    fn begin(&mut self, head: Self::Head, turn: &mut Turn<Self::Output>) -> Result<(), RequestError>;

    /// The next part of the request has come.
    ///
    /// # Errors
    /// What is wrong with the request; it ends here, parts that still come are dropped.
    fn part(&mut self, part: Self::Part, turn: &mut Turn<Self::Output>) -> Result<(), RequestError> {
        let (_, _) = (part, turn);
        Err(RequestError::new("unexpected data"))
    }

    /// Everything has come: answer. Called again, in later turns, while it returns [`Progress::More`].
    ///
    /// # Errors
    /// What is wrong with the request.
    fn finish(&mut self, turn: &mut Turn<Self::Output>) -> Result<Progress, RequestError>;

    /// The request that has begun is given up before its end: forget it.
    fn cancel(&mut self) {}

    /// When the request that has begun takes long (more than about a millisecond in one call of
    /// `finish`): how long, in nanoseconds of virtual time in the simulated mode. `finish` then runs on
    /// a pool of threads in the other modes, while the node goes on answering `ping`.
    fn long_ns(&self) -> Option<u64> {
        None
    }
}

/// The built-in command sets by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandSetKind {
    /// [`Sum`], number 1.
    Sum,
    /// [`Dictionary`], number 2.
    #[default]
    Dictionary,
    /// [`Timer`], number 3.
    Timer,
    /// [`Search`], number 4.
    Search,
}

impl CommandSetKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Dictionary, Self::Timer, Self::Search];

    /// The number of the set in the assignment, from 1 to 4.
    ///
    /// ```
    /// use nodetree::command_sets::CommandSetKind;
    /// assert_eq!(CommandSetKind::Dictionary.number(), 2);
    /// assert_eq!(CommandSetKind::from_number(4), Some(CommandSetKind::Search));
    /// assert_eq!("timer".parse(), Ok(CommandSetKind::Timer));
    /// ```
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The set with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl Display for CommandSetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => Sum::NAME,
            Self::Dictionary => Dictionary::NAME,
            Self::Timer => Timer::NAME,
            Self::Search => Search::NAME,
        })
    }
}

impl FromStr for CommandSetKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| format!("expected sum, dictionary, timer or search, found {text:?}"))
    }
}
