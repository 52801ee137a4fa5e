//! `dictionary`: each node keeps numbers under names.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::words::{Echo, number, words};
use super::{CommandSet, Progress, Request, RequestError, Turn};

/// The numbers of one node, by name.
///
/// ```
/// use nodetree::command_sets::{CommandSet, Dictionary, Turn, dictionary::Found};
/// let mut node = Dictionary::default();
/// let mut turn = Turn { now_ns: 0, outputs: Vec::new() };
/// for text in ["x", "x 5", "x"] {
///     node.begin(Dictionary::parse(text)?.head, &mut turn)?;
///     node.finish(&mut turn)?;
/// }
/// assert_eq!(turn.outputs, [Found::Nothing("x".into()), Found::Saved, Found::Value(5)]);
/// # Ok::<(), nodetree::command_sets::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dictionary {
    values: BTreeMap<String, i64>,
    asked: Option<Entry>,
}

/// What is asked of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name, `[A-Za-z0-9]+`.
    pub name: String,
    /// The number to save; nothing when one is to be loaded.
    pub value: Option<i64>,
}

/// What a dictionary answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// The number is saved; printed as nothing.
    Saved,
    /// The number under that name.
    Value(i64),
    /// There is no number under this name.
    Nothing(String),
}

impl Dictionary {
    /// Asks to save a number.
    pub fn save(name: impl Into<String>, value: i64) -> Request<Self> {
        Request { head: Entry { name: name.into(), value: Some(value) }, parts: Vec::new() }
    }

    /// Asks for a number.
    pub fn load(name: impl Into<String>) -> Request<Self> {
        Request { head: Entry { name: name.into(), value: None }, parts: Vec::new() }
    }
}

impl CommandSet for Dictionary {
    type Head = Entry;
    type Part = ();
    type Output = Found;

    const NAME: &'static str = "dictionary";
    const USAGE: &'static str = "exec id name [value]";
    const EXAMPLE: &'static str =
        "create 10\nexec 10 MyVar 5\n# Ok:10\nexec 10 MyVar\n# Ok:10: 5\nexec 10 Other\n# Ok:10: 'Other' not found";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let mut words = words(text);
        let (name, value) = (words.next(), words.next());
        let name = name.filter(|_| words.next().is_none()).ok_or_else(|| RequestError::new("expected name [value]"))?;
        check_name(name)?;
        let value = value.map(parse_value).transpose()?;
        Ok(Request { head: Entry { name: name.to_owned(), value }, parts: Vec::new() })
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&request.head.name)?;
        request.head.value.map_or(Ok(()), |value| write!(f, " {value}"))
    }

    fn begin(&mut self, head: Entry, _: &mut Turn<Found>) -> Result<(), RequestError> {
        check_name(&head.name)?;
        self.asked = Some(head);
        Ok(())
    }

    fn part(&mut self, (): (), _: &mut Turn<Found>) -> Result<(), RequestError> {
        self.asked = None;
        Err(RequestError::new("unexpected data"))
    }

    fn finish(&mut self, turn: &mut Turn<Found>) -> Result<Progress, RequestError> {
        let Entry { name, value } = self.asked.take().ok_or_else(RequestError::not_begun)?;
        turn.outputs.push(match value {
            Some(value) => {
                self.values.insert(name, value);
                Found::Saved
            }
            None => self.values.get(&name).map_or(Found::Nothing(name), |value| Found::Value(*value)),
        });
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {
        self.asked = None;
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Saved => Ok(()),
            Self::Value(value) => write!(f, "{value}"),
            Self::Nothing(name) => write!(f, "'{name}' not found"),
        }
    }
}

fn check_name(name: &str) -> Result<(), RequestError> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(RequestError::new(format_args!("name must be letters and digits, not {}", Echo(name))))
}

fn parse_value(word: &str) -> Result<i64, RequestError> {
    number(word).ok_or_else(|| {
        let (from, to, word) = (i64::MIN, i64::MAX, Echo(word));
        RequestError::new(format_args!("value must be an integer from {from} to {to}, not {word}"))
    })
}
