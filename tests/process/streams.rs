//! Requests and results that are larger than anybody's memory, and lines that lie about their size.

use std::fs;
use std::time::Instant;

use rustix::process::{Pid, Signal};

use crate::harness::{bytes, nodes_of, pid_in, strike, until};
use crate::program::{Program, command};
use crate::sandbox::sandboxed;

const MIB: u64 = 1 << 20;

/// What no process may ever hold more than.
const BOUND_MIB: u64 = 64;

fn ask(program: &mut Program, line: &str) -> String {
    program.write(format!("{line}\n"));
    program.line().expect("every line is answered")
}

/// A chain of so many nodes; their pids, from above.
fn chain(commands: &str, depth: i64) -> (Program, Vec<Pid>) {
    let mut program = Program::start(command(&["--mode", "process", "--commands", commands]));
    let create = |id: i64| {
        pid_in(&ask(&mut program, &if id == 1 { "create 1".into() } else { format!("create {id} {}", id - 1) }))
    };
    let pids = (1..=depth).map(create).collect();
    (program, pids)
}

#[track_caller]
fn nobody_held_much(program: &Program) -> u64 {
    let peak = |pid: Pid| bytes(pid, "VmHWM").unwrap_or(0) / MIB;
    let most = nodes_of(program.pid()).into_iter().chain([program.pid()]).map(peak).max().unwrap_or(0);
    assert!(most <= BOUND_MIB, "{most} MiB");
    most
}

/// How many numbers a stream has, the most that there may be: about 700 MB of text.
const NUMBERS: u64 = 100_000_000;

const PIECE: u64 = 100_000;

/// 100 000 numbers, and their sum.
fn piece() -> (String, i64) {
    let numbers = (0..PIECE as i64).map(|at| (at * 7919) % 1_000_000 - 300_000);
    (numbers.clone().map(|number| format!(" {number}")).collect(), numbers.sum())
}

/// F59. About 15 s: 700 MB through one process, then through six.
#[test]
fn a_sum_of_any_length_goes_through_processes_and_stays_in_none() {
    sandboxed!({
        let (text, sum) = piece();
        for depth in [1, 6] {
            let (mut program, _) = chain("sum", depth);
            let begun = Instant::now();
            program.write(format!("exec {depth} {}", NUMBERS));
            for _ in 0..NUMBERS / PIECE {
                program.write(&text);
            }
            program.write("\n");
            let expected = i128::from(sum) * i128::from(NUMBERS / PIECE);
            assert_eq!(program.line(), Some(format!("Ok:{depth}: {expected}")));
            let most = nobody_held_much(&program);
            eprintln!("{NUMBERS} numbers at depth {depth}: {:?}, at most {most} MiB", begun.elapsed());
            assert_eq!(ask(&mut program, &format!("exec {depth} 2 1 1")), format!("Ok:{depth}: 2"));
            assert_eq!(program.end().code, Some(0));
        }
    });
}

/// A death in the middle of it is one error; the line is read to its end, and the next one is a command.
#[test]
fn a_stream_whose_node_dies_is_one_error() {
    sandboxed!({
        let (text, _) = piece();
        for victim in [3, 6] {
            let (mut program, pids) = chain("sum", 6);
            let pieces = 40;
            program.write(format!("exec 6 {}", pieces * PIECE));
            for nth in 0..pieces {
                if nth == pieces / 2 {
                    strike(pids[victim - 1], Signal::KILL);
                }
                program.write(&text);
            }
            program.write("\nexec 2 2 1 1\nping 6\nexec 6 1 1\n");
            let mut lines: Vec<String> = (0..4).map(|_| program.line().expect("a reply")).collect();
            lines.sort_unstable();
            let unavailable = "Error:6: Node is unavailable";
            assert_eq!(lines, [unavailable, unavailable, "Ok: 0", "Ok:2: 2"]);
            nobody_held_much(&program);
            let ended = program.end();
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
        }
    });
}

/// F59: whatever the line says of its length, memory is taken for what has come.
#[test]
fn a_count_that_lies_is_an_error_and_takes_no_memory() {
    sandboxed!({
        let (mut program, _) = chain("sum", 2);
        let many = " 5".repeat(100_000);
        for request in [
            "1000000000000000000 1 2 3",
            "9223372036854775807",
            "9223372036854775808 1",
            "99999999999999999999999999 1",
            "100000001 1",
            "100000000 1 2 3",
            "-1 1",
            "-9223372036854775808 1",
            "0",
            "0 1",
            "2 1",
            "2 1 2 3",
            "1",
            "x 1",
            "1 x",
            "1 9223372036854775808",
            "1 1e8",
            "3 1 2 NaN",
            &format!("3{many}"),
            &format!("100000000{many}"),
            &format!("100000{many} x"),
        ] {
            let short = &request[..request.len().min(40)];
            let reply = ask(&mut program, &format!("exec 2 {request}"));
            assert!(reply.starts_with("Error:2: ") && reply.len() < 200, "{short}: {reply}");
            assert_eq!(ask(&mut program, "exec 2 1 7"), "Ok:2: 7", "after {short}");
        }
        let (least, most) = (i64::MIN, i64::MAX);
        assert_eq!(ask(&mut program, &format!("exec 2 3 {most} {most} {most}")), "Ok:2: 27670116110564327421");
        assert_eq!(ask(&mut program, &format!("exec 2 2 {least} {least}")), "Ok:2: -18446744073709551616");
        assert_eq!(ask(&mut program, &format!("exec 2 100000{many}")), "Ok:2: 500000");
        let most = nobody_held_much(&program);
        eprintln!("lies: at most {most} MiB");
        assert_eq!(program.end().code, Some(0));
    });
}

/// F59: lines of 200 MB that are one word, no numbers, or for nobody.
#[test]
fn a_huge_line_is_one_error_and_takes_no_memory() {
    sandboxed!({
        let megabyte = |text: &str| text.repeat((1 << 20) / text.len());
        for (commands, start, text, expected) in [
            ("dictionary", "exec 1 ", megabyte("x"), "Error: Line too long"),
            ("dictionary", "ping ", megabyte("7"), "Error: Line too long"),
            ("sum", "exec 1 1 ", megabyte("9"), "Error:1: "),
            ("sum", "exec 1 100000000 ", megabyte("8 x "), "Error:1: "),
            ("sum", "exec 77 100000000 ", megabyte("8 8 "), "Error:77: Not found"),
            ("sum", "ping 1", megabyte(" "), "Error: Line too long"),
        ] {
            let (mut program, _) = chain(commands, 1);
            program.write(start);
            (0..200).for_each(|_| program.write(&text));
            program.write("\nping 1\n");
            let mut lines = [program.line().expect("a reply"), program.line().expect("a reply")];
            lines.sort_unstable_by_key(|line| line == "Ok: 1");
            assert!(lines[0].starts_with(expected) && lines[0].len() < 300, "{start}: {lines:?}");
            assert_eq!(lines[1], "Ok: 1");
            nobody_held_much(&program);
            assert_eq!(program.end().code, Some(0));
        }
    });
}

/// A file that has no name any more and is open in the control node: there the result is collected.
fn collects(program: &Program) -> bool {
    let folder = format!("/proc/{}/fd", program.pid().as_raw_pid());
    let descriptors = fs::read_dir(folder).expect("the program runs").flatten();
    let mut targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.any(|target| target.to_string_lossy().ends_with("(deleted)"))
}

/// A result of more than 1 MiB is collected before it is printed: when its node dies meanwhile, only the error is.
#[test]
fn a_long_result_whose_node_dies_is_only_an_error() {
    sandboxed!({
        const CHARACTERS: usize = 16_000_000;
        let directory = tempfile::tempdir().unwrap();
        let mut program = Program::start({
            let mut command = command(&["--mode", "process", "--commands", "search"]);
            command.env("TMPDIR", directory.path());
            command
        });
        let text = "a".repeat(CHARACTERS);
        let mut pids = [pid_in(&ask(&mut program, "create 1")), pid_in(&ask(&mut program, "create 2 1"))];
        // First the one that computes it, then one on its way.
        for victim in [1, 0] {
            program.write(format!("exec 2\n{text}\na\n"));
            until("the result is being collected", || collects(&program));
            strike(pids[victim], Signal::KILL);
            assert_eq!(program.line().as_deref(), Some("Error:2: Node is unavailable"));
            until("the file is closed", || !collects(&program));
            if victim == 0 {
                pids[0] = pid_in(&ask(&mut program, "create 1"));
            }
            pids[1] = pid_in(&ask(&mut program, "create 2 1"));
            assert_eq!(ask(&mut program, "exec 2\nabab\nab"), "Ok:2: 0;2");
        }
        let control = bytes(program.pid(), "VmHWM").unwrap();
        assert!(control <= BOUND_MIB * MIB, "{} MiB", control / MIB);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no file is left");
        assert_eq!(program.end().code, Some(0));
    });
}
