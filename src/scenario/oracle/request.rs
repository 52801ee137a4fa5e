//! Section 4 of the specification: what stands behind the id of an exec.

use super::Commands;
use super::command::number;

/// What an exec asks its node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    Save {
        name: String,
        value: i64,
    },
    Load {
        name: String,
    },
    Start,
    Stop,
    Time,
    /// The result follows from the request alone (sum, search).
    Result(String),
    /// Wrong: answered `Error:id: ` and some words.
    Wrong,
}

const LARGEST_COUNT: i64 = 100_000_000;

/// Reads the request: the words behind the id, and for `search` the lines behind the first of `text`.
pub(super) fn read(text: &str, words: &[&str], set: Commands) -> Request {
    match set {
        Commands::Sum => sum(words),
        Commands::Dictionary => dictionary(words),
        Commands::Timer => timer(words),
        Commands::Search => search(text, words),
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn sum(words: &[&str]) -> Request {
    let numbers: Option<Vec<i64>> = words.iter().map(|word| number(word)).collect();
    match numbers.as_deref() {
        Some([n @ 1..=LARGEST_COUNT, addends @ ..]) if usize::try_from(*n) == Ok(addends.len()) => {
            Request::Result(addends.iter().map(|&k| i128::from(k)).sum::<i128>().to_string())
        }
        _ => Request::Wrong,
    }
}

fn dictionary(words: &[&str]) -> Request {
    match words {
        [name] if is_name(name) => Request::Load { name: (*name).to_owned() },
        [name, value] if is_name(name) => match number(value) {
            Some(value) => Request::Save { name: (*name).to_owned(), value },
            None => Request::Wrong,
        },
        _ => Request::Wrong,
    }
}

fn timer(words: &[&str]) -> Request {
    match words {
        ["start"] => Request::Start,
        ["stop"] => Request::Stop,
        ["time"] => Request::Time,
        _ => Request::Wrong,
    }
}

fn search(text: &str, words: &[&str]) -> Request {
    let lines: Vec<&str> = text.split('\n').skip(1).map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    match lines.as_slice() {
        [text, pattern] if words.is_empty() && is_name(text) && is_name(pattern) => {
            Request::Result(positions(text.as_bytes(), pattern.as_bytes()))
        }
        _ => Request::Wrong,
    }
}

fn positions(text: &[u8], pattern: &[u8]) -> String {
    let found = text.windows(pattern.len()).enumerate().filter(|(_, window)| *window == pattern);
    let places: Vec<String> = found.map(|(place, _)| place.to_string()).collect();
    if places.is_empty() { "-1".to_owned() } else { places.join(";") }
}
