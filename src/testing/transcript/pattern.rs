//! One expected line, with its placeholders.

use std::fmt;

/// A line in which `<pid>`, `<ms 900..>` and `<text>` stand for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
}

/// In virtual time a reading is this much above its least value, at most.
const VIRTUAL_MARGIN_MS: u64 = 100;

impl Pattern {
    /// Reads a line of a transcript.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether that line is one of those that are meant.
    pub fn fits(&self, line: &str, is_virtual_time: bool) -> bool {
        let Some((before, hole, after)) = self.hole() else { return self.text == line };
        let middle = line.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| fits_hole(hole, middle, is_virtual_time))
    }

    /// The text before the placeholder, the placeholder, the text after it.
    fn hole(&self) -> Option<(&str, &str, &str)> {
        let (before, rest) = self.text.split_once('<')?;
        let (hole, after) = rest.split_once('>')?;
        let is_known = hole == "pid" || hole == "text" || least_ms(hole).is_some();
        is_known.then_some((before, hole, after))
    }

    /// 0 for a line without a placeholder; the more it can stand for, the larger.
    pub(super) fn vagueness(&self) -> u8 {
        match self.hole() {
            None => 0,
            Some((_, "text", _)) => 2,
            Some(_) => 1,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

fn least_ms(hole: &str) -> Option<u64> {
    hole.strip_prefix("ms ")?.strip_suffix("..")?.parse().ok()
}

fn fits_hole(hole: &str, middle: &str, is_virtual_time: bool) -> bool {
    let number = middle.parse::<u64>().ok().filter(|number| number.to_string() == middle);
    match least_ms(hole) {
        Some(least) => number.is_some_and(|ms| ms >= least && (!is_virtual_time || ms < least + VIRTUAL_MARGIN_MS)),
        None if hole == "pid" => number.is_some_and(|pid| pid > 0),
        None => !middle.is_empty() && !middle.contains('\n'),
    }
}

/// The id in `Ok:id…` and `Error:id…`; none in a reply that is not one of an exec.
pub(super) fn node_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("Ok:").or_else(|| line.strip_prefix("Error:"))?;
    let id = rest.split(':').next().unwrap_or(rest);
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    is_id.then_some(id)
}
