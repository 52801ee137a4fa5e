//! A second, small checker: it looks at nothing but the input and the standard output of a program.
//!
//! It shares no code with the oracle, so that one misreading is not made twice.

use std::collections::BTreeMap;

use super::oracle::Commands;

/// Checks that every line of the output is in the grammar, that there are as many replies as commands, and that the
/// replies to the execs of one node can be those to its execs, in that order.
///
/// # Errors
///
/// What is wrong, in words.
///
/// # Examples
///
/// ```
/// use nodetree::testing::{oracle::Commands, raw::check_raw};
///
/// check_raw("exec 1 2 3 4\n", "Error:1: Not found\n", Commands::Sum).unwrap();
/// assert!(check_raw("exec 1 2 3 4\n", "Ok:1: 8\n", Commands::Sum).is_err());
/// ```
pub fn check_raw(input: &str, output: &str, commands: Commands) -> Result<(), String> {
    let asked = read_input(input, commands);
    let replies = read_output(output)?;
    if asked.total != replies.total {
        return Err(format!("{} commands, {} replies", asked.total, replies.total));
    }
    if asked.trees != replies.trees || replies.helps > asked.helps {
        return Err(format!("asked for {} drawings, {} came; help: {}", asked.trees, replies.trees, replies.helps));
    }
    for (id, came) in &replies.execs {
        let execs = asked.execs.get(id).map_or(&[][..], Vec::as_slice);
        if execs.len() != came.len() {
            return Err(format!("{} execs of {id}, {} replies", execs.len(), came.len()));
        }
        if let Some((exec, reply)) = execs.iter().zip(came).find(|(exec, reply)| !can_be(exec, *id, reply, commands)) {
            return Err(format!("{exec:?} of node {id} cannot be answered {reply:?}"));
        }
    }
    match asked.execs.keys().find(|id| !replies.execs.contains_key(id)) {
        Some(id) => Err(format!("no reply to the execs of {id}")),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Asked {
    total: usize,
    trees: usize,
    helps: usize,
    /// The words behind the id, then the further lines of the exec; by id.
    execs: BTreeMap<i64, Vec<Vec<String>>>,
}

#[derive(Default)]
struct Replies {
    total: usize,
    trees: usize,
    helps: usize,
    execs: BTreeMap<i64, Vec<String>>,
}

fn read_input(input: &str, commands: Commands) -> Asked {
    let mut asked = Asked::default();
    let mut lines = input.lines();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split([' ', '\t', '\r']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            ["exit" | "quit"] => break,
            ["tree"] => asked.trees += 1,
            ["help"] | ["help", _] => asked.helps += 1,
            ["exec", rest @ ..] => {
                let more = if commands == Commands::Search { 2 } else { 0 };
                let further: Vec<&str> = lines.by_ref().take(more).collect();
                asked.exec(rest, &further);
            }
            _ => {}
        }
        asked.total += 1;
    }
    asked
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) && word.parse::<i64>().is_ok()
}

impl Asked {
    fn exec(&mut self, words: &[&str], further: &[&str]) {
        if let Some((id, request)) = words.split_first().filter(|(id, _)| is_number(id)) {
            let parts = request.iter().chain(further).map(|part| (*part).to_owned()).collect();
            self.execs.entry(id.parse().unwrap_or_default()).or_default().push(parts);
        }
    }
}

fn read_output(output: &str) -> Result<Replies, String> {
    if !output.is_empty() && !output.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let mut replies = Replies::default();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("Heartbit:") {
            check_notice(line)?;
            continue;
        }
        replies.total += 1;
        if line == "-1" {
            replies.trees += 1;
            while lines.next_if(|line| is_drawn(line)).is_some() {}
        } else if !is_single(line) {
            replies.helps += 1;
            if !lines.by_ref().any(str::is_empty) {
                return Err(format!("neither a reply nor a notice: {line:?}"));
            }
        } else if let Some(id) = exec_id(line) {
            replies.execs.entry(id).or_default().push(line.to_owned());
        }
    }
    Ok(replies)
}

fn check_notice(line: &str) -> Result<(), String> {
    let id = line
        .strip_prefix("Heartbit: node ")
        .and_then(|rest| rest.strip_suffix(" is unavailable now").or_else(|| rest.strip_suffix(" is available again")));
    if id.is_some_and(is_number) { Ok(()) } else { Err(format!("no such notice: {line:?}")) }
}

fn is_drawn(line: &str) -> bool {
    ["├── ", "└── ", "│   ", "    "].iter().any(|start| line.starts_with(start))
}

fn is_single(line: &str) -> bool {
    let is_plain = line == "Ok" || line == "Ok:" || is_list(line) || (line.starts_with("Error: ") && line.len() > 7);
    is_plain || exec_id(line).is_some()
}

/// `Ok: ` and numbers, joined by blanks or semicolons.
fn is_list(line: &str) -> bool {
    line.strip_prefix("Ok: ").is_some_and(|list| list.split([' ', ';']).all(is_number))
}

/// The id in `Ok:id`, `Ok:id: result` and `Error:id: what`.
fn exec_id(line: &str) -> Option<i64> {
    let is_error = line.starts_with("Error:");
    let rest = line.strip_prefix("Ok:").or_else(|| line.strip_prefix("Error:"))?;
    let (id, result) = rest.split_once(": ").map_or((rest, None), |(id, result)| (id, Some(result)));
    let is_well_formed = is_number(id) && result != Some("") && (result.is_some() || !is_error);
    if is_well_formed { id.parse().ok() } else { None }
}

/// Whether that can be the reply to that request. An error always can.
fn can_be(request: &[String], id: i64, reply: &str, commands: Commands) -> bool {
    if reply.starts_with("Error:") {
        return true;
    }
    let result = reply.strip_prefix(&format!("Ok:{id}: "));
    let words: Vec<&str> = request.iter().map(String::as_str).collect();
    match (commands, words.as_slice()) {
        (Commands::Sum, [_, addends @ ..]) => {
            let sum: i128 = addends.iter().filter_map(|word| word.parse::<i128>().ok()).sum();
            result == Some(sum.to_string().as_str())
        }
        (Commands::Dictionary, [name]) => {
            result.is_some_and(|result| is_number(result) || result == format!("'{name}' not found"))
        }
        (Commands::Dictionary, [_, _]) | (Commands::Timer, ["start" | "stop"]) => result.is_none(),
        (Commands::Timer, ["time"]) => result.is_some_and(|ms| is_number(ms) && !ms.starts_with('-')),
        (Commands::Search, [text, pattern]) => result == Some(found(text, pattern).as_str()),
        _ => false,
    }
}

fn found(text: &str, pattern: &str) -> String {
    let starts = (0..text.len()).filter(|&at| text.get(at..).is_some_and(|rest| rest.starts_with(pattern)));
    let places: Vec<String> = starts.map(|at| at.to_string()).collect();
    if places.is_empty() { "-1".to_owned() } else { places.join(";") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: [(Commands, &str, &str); 14] = [
        (Commands::Sum, "", ""),
        (Commands::Sum, "exec 1 1 1\nexit\nping 1\n", "Ok:1: 1\n"),
        (Commands::Sum, "exec 1 2 -5 9223372036854775807", "Ok:1: 9223372036854775802\n"),
        (Commands::Sum, "# x\n\n  \t\r\nping 1\r\n", "Error: Not found\n"),
        (Commands::Dictionary, "exec 1 x 5\nexec 2 x\nexec 1 x\n", "Ok:2: 'x' not found\nOk:1\nOk:1: 5\n"),
        (Commands::Dictionary, "exec 1\n", "Error:1: a name is missing\n"),
        (Commands::Dictionary, "create 1\nall\npingall\n", "Ok: 1000\nOk: 1\nOk: -1\n"),
        (Commands::Dictionary, "all\n", "Ok:\n"),
        (Commands::Dictionary, "tree\nping 1\n", "-1\n└── 1 (1000)\n    └── 2 (-) down\nOk: 1\n"),
        (Commands::Dictionary, "help\nping 1\n", "Commands:\nping id\n\nOk: 1\n"),
        (Commands::Dictionary, "help fly\n", "Error: Unknown command: fly\n"),
        (Commands::Timer, "exec 1 start\nheartbit 10\n", "Ok\nHeartbit: node -7 is unavailable now\nOk:1\n"),
        (Commands::Timer, "exec 1 time\nexec x\n", "Error: Usage: exec id start|stop|time\nOk:1: 0\n"),
        (Commands::Search, "exec 1\naaaa\naa\nexec 1\nb\nexit\n", "Ok:1: 0;1;2\nOk:1: -1\n"),
    ];

    const WRONG: [(Commands, &str, &str); 18] = [
        (Commands::Sum, "ping 1\n", ""),
        (Commands::Sum, "ping 1\n", "Ok: 1\nOk: 1\n"),
        (Commands::Sum, "ping 1\n", "Ok: 1"),
        (Commands::Sum, "ping 1\n", "ok: 1\n"),
        (Commands::Sum, "exit\nping 1\n", "Ok: 1\n"),
        (Commands::Sum, "exec 1 2 1 1\n", "Ok:1: 3\n"),
        (Commands::Sum, "exec 1 1 1\n", "Ok:2: 1\n"),
        (Commands::Sum, "exec 1 1 1\n", "Ok:1\n"),
        (Commands::Dictionary, "exec 1 x 5\nexec 1 x\n", "Ok:1: 5\nOk:1\n"),
        (Commands::Dictionary, "exec 1 x\n", "Ok:1: 'y' not found\n"),
        (Commands::Dictionary, "exec 1 x\nexec 2 x\n", "Ok:1: 5\nOk:1: 5\n"),
        (Commands::Dictionary, "exec 1 x\n", "Ok:1: \n"),
        (Commands::Dictionary, "tree\n", "Ok\n"),
        (Commands::Dictionary, "ping 1\n", "-1\n└── 1 (1000)\n"),
        (Commands::Dictionary, "ping 1\n", "Commands:\n\n"),
        (Commands::Dictionary, "heartbit 10\n", "Ok\nHeartbit: node x is unavailable now\n"),
        (Commands::Timer, "exec 1 time\n", "Ok:1: -5\n"),
        (Commands::Search, "exec 1\naaaa\naa\n", "Ok:1: 0;2\n"),
    ];

    #[test]
    fn right_output_is_accepted() {
        for (commands, input, output) in RIGHT {
            assert_eq!(check_raw(input, output, commands), Ok(()), "{input:?} {output:?}");
        }
    }

    #[test]
    fn wrong_output_is_not() {
        for (commands, input, output) in WRONG {
            assert!(check_raw(input, output, commands).is_err(), "{input:?} {output:?}");
        }
    }
}
