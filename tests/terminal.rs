//! The program at a terminal: what is on the screen is looked at.
#![cfg(target_os = "linux")]

#[path = "terminal/pty.rs"]
mod pty;

use std::path::Path;
use std::time::Instant;

use pty::Terminal;
use rustix::process::Signal;
use tempfile::TempDir;

const MODE: [&str; 2] = ["--mode", "threads"];
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

/// A terminal whose program is ready, and the folder of what it keeps.
fn started(args: &[&str]) -> (Terminal, TempDir) {
    let state = tempfile::tempdir().unwrap();
    (ready(args, state.path(), false), state)
}

fn ready(args: &[&str], state: &Path, no_color: bool) -> Terminal {
    let terminal = Terminal::start(&[&MODE[..], args].concat(), state, no_color);
    is_typed(&terminal, ">");
    terminal
}

/// Waits until this stands on the line that is typed.
fn is_typed(terminal: &Terminal, line: &str) {
    terminal.until(line, |seen| (seen.cursor_line().trim_end() == line).then_some(()));
}

#[test]
fn two_lines_say_what_runs_and_how_to_get_help() {
    let (mut terminal, _state) = started(&["--topology", "bst", "--reply-timeout", "7s"]);
    let lines = terminal.seen().lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for word in ["threads mode", "bst topology", "dictionary commands", "reply timeout 7s"] {
        assert!(lines[0].contains(word), "{lines:?}");
    }
    assert!(lines[1].contains("help exec"), "{lines:?}");
    terminal.keys("help exec\r");
    terminal.until_line("exec 10 MyVar 5");
    terminal.keys("exit\r");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn what_is_typed_stays_whole_while_something_is_printed_above() {
    let (mut terminal, _state) = started(&[]);
    terminal.keys("create 1\rheartbit 100\rkill 1\rexec 1 abc");
    terminal.until_line("Heartbit: node 1 is unavailable now");
    is_typed(&terminal, "> exec 1 abc [value]");
    terminal.keys("def");
    is_typed(&terminal, "> exec 1 abcdef [value]");
    terminal.keys("\r");
    terminal.until_line("Error:1: Node is unavailable");
    terminal.until_line("> exec 1 abcdef");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn the_history_is_kept_between_runs() {
    let state = tempfile::tempdir().unwrap();
    let mut first = ready(&[], state.path(), false);
    first.keys("create 77\r");
    first.until_line("Ok: 1000");
    first.keys(CTRL_D);
    assert_eq!(first.end(), Some(0));
    let mut second = ready(&[], state.path(), false);
    second.keys(UP);
    second.until("the line of the first run", |seen| seen.cursor_line().starts_with("> create 77").then_some(()));
    second.keys(CTRL_C);
    is_typed(&second, ">");
    second.keys(CTRL_D);
    assert_eq!(second.end(), Some(0));
}

#[test]
fn a_history_that_cannot_be_written_is_no_error() {
    let mut terminal = ready(&[], Path::new("/proc/nowhere"), false);
    terminal.keys("create 1\r");
    terminal.until_line("Ok: 1000");
    terminal.keys("quit\r");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn commands_ids_and_words_of_the_command_set_are_completed() {
    let (mut terminal, _state) = started(&["--commands", "timer"]);
    terminal.keys("create 12345\r");
    terminal.until_line("Ok: 1000");
    for (typed, completed) in [("rem\t", "> remove id"), (" 12\t", "> remove 12345")] {
        terminal.keys(typed);
        is_typed(&terminal, completed);
    }
    terminal.keys(CTRL_C);
    is_typed(&terminal, ">");
    terminal.keys("exec 123\t sto\t");
    is_typed(&terminal, "> exec 12345 stop");
    terminal.keys("\r");
    terminal.until_line("Ok:12345");
}

#[test]
fn ctrl_c_clears_the_line_and_a_signal_from_outside_ends() {
    let (mut terminal, _state) = started(&[]);
    terminal.keys("fly");
    terminal.until("the line", |seen| seen.cursor_line().starts_with("> fly").then_some(()));
    terminal.keys(CTRL_C);
    is_typed(&terminal, ">");
    terminal.keys("create 1\r");
    terminal.until_line("Ok: 1000");
    assert!(!terminal.seen().lines().iter().any(|line| line.contains("Unknown")));
    terminal.signal(Signal::INT);
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn errors_are_red_unless_colours_are_not_wanted() {
    let state = tempfile::tempdir().unwrap();
    let cases: [(&[&str], bool, vt100::Color); 4] = [
        (&[], false, vt100::Color::Idx(1)),
        (&[], true, vt100::Color::Default),
        (&["--color", "never"], false, vt100::Color::Default),
        (&["--color", "always"], true, vt100::Color::Idx(1)),
    ];
    for (args, no_color, expected) in cases {
        let mut terminal = ready(args, state.path(), no_color);
        terminal.keys("exec 5 x\r");
        terminal.until_line("Error:5: Not found");
        assert_eq!(terminal.seen().color_of("Error:5"), Some(expected), "{args:?} {no_color}");
        terminal.keys(CTRL_D);
        assert_eq!(terminal.end(), Some(0));
    }
}

#[test]
fn the_drawing_marks_what_is_down() {
    let (mut terminal, _state) = started(&[]);
    terminal.keys("create 1\rcreate 2 1\rkill 2\rtree\r");
    terminal.until_line("    └── 2 (-) down");
    let seen = terminal.seen();
    let row = seen.parser.screen().rows(0, pty::COLUMNS).position(|line| line.ends_with("2 (-) down")).unwrap();
    assert_eq!(seen.parser.screen().cell(row as u16, 8).unwrap().fgcolor(), vt100::Color::Idx(1));
    assert_eq!(seen.parser.screen().cell(row as u16 - 1, 4).unwrap().fgcolor(), vt100::Color::Default);
}

#[test]
fn a_reply_out_of_order_says_what_it_answers() {
    let (mut terminal, _state) = started(&["--reply-timeout", "60s"]);
    // The pause might overtake the second node.
    terminal.keys("create 1\rcreate 2\rwait\rpause 1\r");
    terminal.until("the pause", |seen| (seen.lines().iter().filter(|line| *line == "Ok").count() == 2).then_some(()));
    terminal.keys("exec 1 x\rexec 2 y 5\r");
    terminal.until_line("Ok:2  \u{2190} exec 2 y 5");
    terminal.keys("resume 1\r");
    terminal.until_line("Ok:1: 'x' not found  \u{2190} exec 1 x");
    terminal.keys("exec 1 z\r");
    terminal.until_line("Ok:1: 'z' not found");
}

#[test]
fn a_search_asks_for_its_text_and_its_pattern() {
    let (mut terminal, _state) = started(&["--commands", "search"]);
    terminal.keys("create 1\r");
    terminal.until_line("Ok: 1000");
    terminal.keys("exec 1\r");
    is_typed(&terminal, "text>");
    terminal.keys("abracadabra\r");
    is_typed(&terminal, "pattern>");
    terminal.keys("abra\r");
    terminal.until_line("Ok:1: 0;7");
    is_typed(&terminal, ">");
}

#[test]
fn the_time_of_a_reply_stands_beside_it() {
    let (mut terminal, _state) = started(&["--timing"]);
    terminal.keys("create 1\r");
    let is_timed = |line: &String| line.starts_with("Ok: 1000  ") && line.trim_end().ends_with(" ms");
    terminal.until("a time", |seen| seen.lines().iter().any(is_timed).then_some(()));
}

/// Prints the times between a key press and its sight while replies flow.
#[test]
fn keys_are_seen_and_nothing_is_lost_while_replies_flow() {
    // The editor counts rows with 16 bits.
    const PASTED: usize = 50_000;
    const REPLIES: usize = 2 * PASTED;
    let (mut terminal, _state) = started(&[]);
    terminal.keys("create 1\r");
    terminal.until_line("Ok: 1000");
    // Pasted, so that all of it is one line of the editor.
    let pasted = format!("\x1b[200~{}\x1b[201~\r", "exec 1 x\n".repeat(PASTED));
    terminal.keys(pasted.repeat(2));
    terminal.until("replies", |seen| (count(&seen.bytes) > PASTED).then_some(()));
    let (begun, mut typed, mut times) = (Instant::now(), String::new(), Vec::new());
    while count(&terminal.seen().bytes) < REPLIES {
        if typed.len() < 80 {
            let pressed = Instant::now();
            typed.push('z');
            terminal.keys("z");
            let expected = format!("> {typed}");
            terminal.until("the key", |seen| (seen.cursor_line().trim_end() == expected).then_some(()));
            times.push(pressed.elapsed());
        } else {
            terminal.until("all replies", |seen| (count(&seen.bytes) == REPLIES).then_some(()));
        }
    }
    times.sort_unstable();
    let (middle, longest) = (times.get(times.len() / 2), times.last());
    println!("{} keys in {:?}: median {middle:?}, longest {longest:?}", times.len(), begun.elapsed());
    is_typed(&terminal, &format!("> {typed}"));
    terminal.keys(CTRL_C);
    is_typed(&terminal, ">");
    terminal.keys(CTRL_D);
    assert_eq!(count(&terminal.seen().bytes), REPLIES);
    assert_eq!(terminal.end(), Some(0));
}

/// The editor counts rows with 16 bits: what is longer is not read, and that is said.
#[test]
fn a_paste_of_too_many_rows_is_not_the_end() {
    let (mut terminal, _state) = started(&[]);
    terminal.keys("create 1\r");
    terminal.until_line("Ok: 1000");
    terminal.keys(format!("\x1b[200~{}\x1b[201~\r", "exec 1 x\n".repeat(70_000)));
    terminal
        .until("that it was not read", |seen| seen.lines().iter().any(|it| it.contains("too many rows")).then_some(()));
    terminal.keys("all\r");
    terminal.until_line("Ok: 1");
    terminal.keys(CTRL_D);
    assert_eq!(terminal.end(), Some(0));
}

/// How many replies to the pasted execs came.
fn count(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, b"Ok:1: 'x' not found").count()
}
