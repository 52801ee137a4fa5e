//! Words and numbers as they are typed, and words as they are echoed in an error.

use std::fmt::{self, Display};

/// The most characters of a word that an error repeats.
pub const ECHO_CHARS: usize = 64;

/// Whether the byte stands between words: a space or a tab.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The text without spaces and tabs at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The words of a text: what stands between spaces and tabs.
///
/// ```
/// use nodetree::command_sets::words::words;
/// assert!(words(" exec\t 10  x ").eq(["exec", "10", "x"]));
/// ```
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// The first word of a text, and what is behind it without blanks at both ends.
///
/// ```
/// use nodetree::command_sets::words::split_word;
/// assert_eq!(split_word(" exec 10  x "), ("exec", "10  x"));
/// assert_eq!(split_word("all"), ("all", ""));
/// ```
pub fn split_word(text: &str) -> (&str, &str) {
    let text = trim(text);
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, trim(rest))
}

/// Reads a number: an optional `-` and digits, leading zeros allowed, within `i64`.
///
/// ```
/// use nodetree::command_sets::words::number;
/// assert_eq!(number("-007"), Some(-7));
/// assert_eq!(number("+7"), None);
/// assert_eq!(number("9223372036854775808"), None);
/// ```
pub fn number(word: &str) -> Option<i64> {
    // The standard parser differs in one point only: it takes a `+`.
    if word.starts_with('+') { None } else { word.parse().ok() }
}

/// A number that is read byte by byte, so that no word has to be kept however long it is.
///
/// ```
/// use nodetree::command_sets::words::Number;
/// let mut number = Number::default();
/// assert!(number.push(b'-') && number.push(b'0') && number.push(b'7'));
/// assert_eq!(number.value(), Some(-7));
/// assert!(!number.push(b'x'));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    digits: bool,
    magnitude: u64,
}

impl Number {
    /// Takes the next byte; `false` when no number within `i64` begins like this.
    pub fn push(&mut self, byte: u8) -> bool {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let sign = byte == b'-' && self.is_empty();
            self.negative |= sign;
            return sign;
        }
        self.digits = true;
        let longer = self.magnitude.checked_mul(10).and_then(|tens| tens.checked_add(digit.into()));
        longer.map(|magnitude| self.magnitude = magnitude).is_some() && self.value().is_some()
    }

    /// Whether nothing was read so far.
    pub fn is_empty(&self) -> bool {
        !self.digits && !self.negative
    }

    /// The number, when what was read is one.
    pub fn value(&self) -> Option<i64> {
        match (self.digits, self.negative) {
            (false, _) => None,
            (true, false) => i64::try_from(self.magnitude).ok(),
            (true, true) => 0i64.checked_sub_unsigned(self.magnitude),
        }
    }
}

/// A word as an error repeats it: cut to [`ECHO_CHARS`] characters, then everything outside ASCII 33-126 escaped.
///
/// ```
/// use nodetree::command_sets::words::Echo;
/// assert_eq!(Echo("né\n").to_string(), "n\\u{e9}\\u{a}");
/// assert_eq!(Echo(&"x".repeat(100)).to_string(), "x".repeat(64));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a>(pub &'a str);

impl Display for Echo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(ECHO_CHARS) {
            if c.is_ascii_graphic() { write!(f, "{c}")? } else { write!(f, "{}", c.escape_unicode())? }
        }
        Ok(())
    }
}
