//! The end by a signal.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{MODES, Program, command};

/// Starts the program, types, and reads so many lines.
fn after(args: &[&str], typed: &str, lines: usize) -> Program {
    let mut program = Program::start(command(args));
    program.write(typed);
    (0..lines).for_each(|_| drop(program.line().expect("a reply")));
    program
}

/// Does this to node 1 and types. The notice of node 1, 400 ms later, says that all of it was read.
fn after_notice(what: &str, typed: &str) -> Program {
    let typed = format!("create 1\nheartbit 100\n{what} 1\n{typed}");
    let mut program = after(&["--reply-timeout", "60s"], &typed, 3);
    assert_eq!(program.line().as_deref(), Some("Heartbit: node 1 is unavailable now"));
    program
}

#[test]
fn a_signal_ends_an_idle_program_in_order() {
    for mode in MODES {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut program = after(&["--mode", mode], "create 1\n", 1);
            program.signal(signal);
            // The input stays open: the output ends all the same.
            assert_eq!(program.line(), None);
            assert_eq!(program.end().code, Some(0));
        }
    }
}

#[test]
fn a_wait_is_interrupted_at_once_and_the_next_line_is_not_read() {
    let mut program = after_notice("kill", "wait 86400000\nping 1\n");
    let begun = Instant::now();
    program.signal(Signal::TERM);
    assert_eq!(program.line().as_deref(), Some("Error: Interrupted"));
    assert!(begun.elapsed() < Duration::from_secs(4));
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn what_is_unanswered_after_5_s_is_answered() {
    let program = after_notice("pause", "exec 1 x\nping 1\n");
    let begun = Instant::now();
    program.signal(Signal::INT);
    let ended = program.end();
    assert!(begun.elapsed() >= Duration::from_millis(4900), "{:?}", begun.elapsed());
    let mut lines = ended.lines();
    lines.sort_unstable();
    assert_eq!((ended.code, lines), (Some(0), vec!["Error:1: Node is unavailable", "Ok: 0"]));
}

#[test]
fn a_second_signal_ends_at_once() {
    for second in [Signal::INT, Signal::TERM] {
        let mut program = after_notice("pause", "exec 1 x\nwait 86400000\n");
        program.signal(Signal::INT);
        assert_eq!(program.line().as_deref(), Some("Error: Interrupted"));
        let begun = Instant::now();
        program.signal(second);
        assert_eq!(program.end().code, Some(130));
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}

/// Whether the exec was read before the signal came is a matter of chance; if so, it is answered.
#[test]
fn a_signal_in_the_middle_of_a_request_ends_it() {
    for mode in MODES {
        let mut program = after(&["--mode", mode, "--commands", "sum"], "create 1\nexec 1 5 1 2 3", 1);
        program.signal(Signal::TERM);
        let line = program.line();
        assert!(line.as_ref().is_none_or(|line| line.starts_with("Error:1: ")), "{line:?}");
        assert_eq!(program.end().code, Some(0));
    }
}
