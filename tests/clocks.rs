//! Time and clocks: periods of any length, changed at any time, many nodes that report at once, and a machine that
//! stands still. In every mode.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::{Duration, Instant};

use modes::in_each_mode;
use nodetree::{Dictionary, Mode, NodeTree};
use program::{Program, command};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::sandboxed;
use waiting::pid_in;

#[path = "common/modes.rs"]
mod modes;
#[path = "program/harness.rs"]
#[allow(dead_code, reason = "shared with tests/program, which uses all of it")]
mod program;
#[path = "common/sandbox.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod sandbox;
#[path = "common/waiting.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod waiting;

in_each_mode! {
    a_period_is_none_or_from_ten_milliseconds_to_a_day,
    a_period_that_is_changed_begins_anew,
    a_period_may_be_changed_ten_thousand_times,
    many_nodes_that_report_every_ten_milliseconds_disturb_nobody,
}

/// Long enough for processes on a busy machine.
fn period_ms(mode: Mode) -> u64 {
    if mode == Mode::Process { 500 } else { 100 }
}

/// A chain 1, 2, 3.
fn chain(mode: Mode) -> NodeTree<Dictionary> {
    let builder = NodeTree::builder().mode(mode).node_program(env!("CARGO_BIN_EXE_nodetree")).seed(5);
    let tree = builder.reply_timeout(Duration::from_secs(60)).start().expect("a system");
    for line in ["create 1", "create 2 1", "create 3 2"] {
        assert!(say(&tree, line).starts_with("Ok: "), "{line}");
    }
    tree
}

fn say(tree: &NodeTree<Dictionary>, line: &str) -> String {
    tree.line(line).expect("an answer")
}

#[track_caller]
fn check(tree: &NodeTree<Dictionary>, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(say(tree, line), *reply, "to {line}");
    }
}

/// The next notice; time passes until it comes.
fn notice(tree: &NodeTree<Dictionary>) -> String {
    let notice = tree.next_notice(Duration::from_secs(60)).expect("the system goes on");
    notice.expect("a notice").to_string()
}

fn notices(tree: &NodeTree<Dictionary>) -> Vec<String> {
    tree.notices().try_iter().map(|notice| notice.to_string()).collect()
}

/// F52: 0, negative, too short, the longest, longer, longer than any number, no number.
fn a_period_is_none_or_from_ten_milliseconds_to_a_day(mode: Mode) {
    let tree = chain(mode);
    for period in ["-1", "1", "9", "86400001", "9223372036854775807", "18446744073709551616", "1e3", "x", ""] {
        check(&tree, &[(&format!("heartbit {period}"), "Error: Usage: heartbit ms")]);
    }
    check(&tree, &[("heartbit 0", "Ok"), ("heartbit 86400000", "Ok"), ("pause 3", "Ok")]);
    let wait = format!("wait {}", 8 * period_ms(mode));
    check(&tree, &[(&wait, "Ok"), ("heartbit 0", "Ok"), ("heartbit 10", "Ok")]);
    // Only the last one counts, and the one who is paused is never heard of.
    let mut came = notice(&tree);
    while came != "Heartbit: node 3 is unavailable now" {
        came = notice(&tree);
    }
    check(&tree, &[("heartbit 0", "Ok"), ("resume 3", "Ok"), ("ping 3", "Ok: 1")]);
}

/// F52: changed while a node is being missed.
fn a_period_that_is_changed_begins_anew(mode: Mode) {
    let (tree, period) = (chain(mode), period_ms(mode));
    let heartbit = format!("heartbit {period}");
    check(&tree, &[(&heartbit, "Ok"), ("pause 3", "Ok"), (&format!("wait {}", 2 * period), "Ok")]);
    check(&tree, &[("heartbit 86400000", "Ok"), (&format!("wait {}", 8 * period), "Ok")]);
    assert_eq!(notices(&tree), [""; 0], "the old period is forgotten");
    let began = tree.now();
    check(&tree, &[(&heartbit, "Ok")]);
    assert_eq!(notice(&tree), "Heartbit: node 3 is unavailable now");
    assert!(tree.now() - began >= Duration::from_millis(4 * period), "all periods begin afresh");
    // A node that is down is reported once more, and once.
    check(&tree, &[(&heartbit, "Ok")]);
    assert_eq!(notice(&tree), "Heartbit: node 3 is unavailable now");
    check(&tree, &[(&format!("wait {}", 6 * period), "Ok"), ("resume 3", "Ok")]);
    assert_eq!(notice(&tree), "Heartbit: node 3 is available again");
    check(&tree, &[("heartbit 0", "Ok"), ("kill 3", "Ok"), (&format!("wait {}", 8 * period), "Ok")]);
    assert_eq!(notices(&tree), [""; 0], "it is switched off");
}

/// F52: one reply each, and the last one is the one that counts.
fn a_period_may_be_changed_ten_thousand_times(mode: Mode) {
    let (tree, period) = (chain(mode), period_ms(mode));
    check(&tree, &[("pause 3", "Ok")]);
    let lines: Vec<String> =
        (0..10_000).map(|at| format!("heartbit {}", if at % 3 == 0 { 0 } else { 10 + at })).collect();
    for lines in lines.chunks(500) {
        let tickets = tree.submit_lines(lines.iter().map(String::as_str)).expect("they are taken");
        for ticket in tickets {
            assert_eq!(tree.wait(ticket).expect("a reply").answer.to_string(), "Ok");
        }
    }
    let began = tree.now();
    check(&tree, &[(&format!("heartbit {period}"), "Ok")]);
    // What was said while shorter periods held is not to be found again.
    notices(&tree);
    let mut came = notice(&tree);
    while came != "Heartbit: node 3 is unavailable now" {
        came = notice(&tree);
    }
    assert!(tree.now() - began >= Duration::from_millis(4 * period));
    check(&tree, &[(&format!("wait {}", 8 * period), "Ok")]);
    assert_eq!(notices(&tree), [""; 0], "once");
    check(&tree, &[("resume 3", "Ok"), ("pingall", "Ok: -1")]);
}

/// F53: all in the same phase. In virtual time nobody is ever late; in real time the scheduler decides, and what must hold
/// is that all goes on, and that nothing is left of it.
fn many_nodes_that_report_every_ten_milliseconds_disturb_nobody(mode: Mode) {
    let nodes = match mode {
        Mode::Simulated => 1_000,
        Mode::Threads => 300,
        Mode::Process => 60,
    };
    let builder = NodeTree::builder().mode(mode).node_program(env!("CARGO_BIN_EXE_nodetree")).seed(5);
    let tree: NodeTree<Dictionary> = builder.reply_timeout(Duration::from_secs(60)).start().expect("a system");
    let lines: Vec<String> =
        (1..=nodes).map(|id| format!("create {id} {}", if id == 1 { -1 } else { id / 2 })).collect();
    for ticket in tree.submit_lines(lines.iter().map(String::as_str)).expect("they are taken") {
        assert!(tree.wait(ticket).expect("a reply").to_string().starts_with("Ok: "));
    }
    check(&tree, &[("heartbit 10", "Ok")]);
    for at in 0..50 {
        check(&tree, &[(&format!("exec {nodes} x {at}"), &format!("Ok:{nodes}")), ("wait 20", "Ok")]);
        check(&tree, &[(&format!("exec {nodes} x"), &format!("Ok:{nodes}: {at}"))]);
    }
    check(&tree, &[("pingall", "Ok: -1"), ("heartbit 0", "Ok")]);
    let came = notices(&tree);
    assert!(mode != Mode::Simulated || came.is_empty(), "{came:?}");
    check(&tree, &[("wait 300", "Ok"), ("pingall", "Ok: -1")]);
    assert_eq!(notices(&tree), [""; 0], "nothing is left of it");
}

/// How long the machine stands still: ten periods.
const PERIOD: Duration = Duration::from_millis(500);

fn stop_all(pids: &[Pid]) {
    pids.iter().for_each(|&pid| kill_process(pid, Signal::STOP).expect("it is there"));
    thread::sleep(PERIOD * 10);
    pids.iter().for_each(|&pid| kill_process(pid, Signal::CONT).expect("it is there"));
}

/// A program with four nodes that report.
fn program_that_reports(mode: &str) -> (Program, Vec<Pid>) {
    let mut program = Program::start(command(&["--mode", mode, "--reply-timeout", "2s"]));
    let mut create = |line: &str| {
        program.write(format!("{line}\n"));
        pid_in(&program.line().expect("a reply"))
    };
    let pids = ["create 1", "create 2 1", "create 3 2", "create 4"].map(&mut create).to_vec();
    program.write(format!("heartbit {}\n", PERIOD.as_millis()));
    assert_eq!(program.line().as_deref(), Some("Ok"));
    (program, pids)
}

/// From now on everybody answers, and nobody has been reported.
fn nobody_was_missed(mut program: Program) {
    // One after the other: their replies may overtake each other.
    for (command, expected) in [("wait 1500", "Ok"), ("pingall", "Ok: -1"), ("exec 3 x 1", "Ok:3")] {
        program.write(format!("{command}\n"));
        assert_eq!(program.line().as_deref(), Some(expected));
    }
    let ended = program.end();
    assert_eq!(ended.lines(), [""; 0]);
}

/// F51: everybody is stopped for ten periods, and goes on, the control node first. What was asked before is answered, for
/// everybody has the reply timeout once more: the control node's own stall is nobody's silence.
#[test]
fn a_machine_that_stands_still_loses_nobody() {
    sandboxed!({
        let (mut program, nodes) = program_that_reports("process");
        kill_process(nodes[2], Signal::STOP).expect("it is there");
        // The last one is answered, so the others are under way.
        program.write("ping 3\nexec 3 x 1\nping 1\n");
        assert_eq!(program.line().as_deref(), Some("Ok: 1"));
        let began = Instant::now();
        let all: Vec<Pid> = [program.pid()].into_iter().chain(nodes).collect();
        stop_all(&all);
        assert!(began.elapsed() > 2 * Duration::from_secs(2), "longer than the reply timeout");
        let mut replies = [program.line(), program.line()].map(Option::unwrap_or_default);
        replies.sort_unstable();
        assert_eq!(replies, ["Ok: 1", "Ok:3"]);
        nobody_was_missed(program);
    });
}

/// F51: with threads it is one process that stands still.
#[test]
fn a_program_of_threads_that_stands_still_loses_nobody() {
    sandboxed!({
        let (program, _) = program_that_reports("threads");
        let pid = program.pid();
        stop_all(&[pid]);
        nobody_was_missed(program);
    });
}
