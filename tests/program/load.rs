//! Much input, long lines, and outputs that nobody reads.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::thread;

use nodetree::testing::oracle::Commands;
use nodetree::testing::raw::check_raw;

use crate::harness::{MODES, Program, command, run};

const MIB: u64 = 1024 * 1024;

/// Types a piece again and again, and closes nothing.
fn write_often(program: &mut Program, piece: &[u8], times: usize) {
    (0..times).for_each(|_| program.write(piece));
}

#[test]
fn a_line_of_200_mb_is_one_error_and_no_memory() {
    for mode in MODES {
        let mut program = Program::start(command(&["--mode", mode]));
        write_often(&mut program, &vec![b'x'; 1 << 20], 200);
        program.write("\nping 1\n");
        assert_eq!(program.line().as_deref(), Some("Error: Line too long"));
        assert_eq!(program.line().as_deref(), Some("Error: Not found"));
        assert!(program.peak_bytes() < 64 * MIB, "{mode}: {} MiB", program.peak_bytes() / MIB);
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn twenty_million_numbers_are_one_sum_and_no_memory() {
    const TIMES: usize = 200;
    let piece = " 7".repeat(100_000);
    for mode in MODES {
        let mut program = Program::start(command(&["--mode", mode, "--commands", "sum"]));
        program.write(format!("create 1\nexec 1 {}", TIMES * 100_000));
        write_often(&mut program, piece.as_bytes(), TIMES);
        program.write("\nexec 1 2 1 1\n");
        assert!(program.line().is_some_and(|line| line.starts_with("Ok: ")));
        assert_eq!(program.line(), Some(format!("Ok:1: {}", TIMES * 700_000)));
        assert_eq!(program.line().as_deref(), Some("Ok:1: 2"));
        assert!(program.peak_bytes() < 64 * MIB, "{mode}: {} MiB", program.peak_bytes() / MIB);
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn a_wrong_streamed_line_is_read_to_its_end() {
    for mode in MODES {
        let input = format!("create 1\nexec 1 5 1 2 x {}\nexec 1 1 3\n", "9 ".repeat(1_000_000));
        let ended = run(&["--mode", mode, "--commands", "sum"], input);
        assert!(ended.lines()[1].starts_with("Error:1: "), "{ended:?}");
        assert_eq!(ended.lines()[2..], ["Ok:1: 3"]);
    }
}

#[test]
fn every_one_of_100_000_commands_is_answered_once() {
    for mode in MODES {
        let commands = if mode == "simulated" { 20_000 } else { 100_000 };
        let mut input: String =
            (1..=8).map(|id| format!("create {id} {}\n", if id == 1 { -1 } else { id / 2 })).collect();
        for nth in 0..commands {
            let id = nth % 9 + 1;
            let _ = if nth % 3 == 0 { writeln!(input, "exec {id} x {nth}") } else { writeln!(input, "exec {id} x") };
        }
        let ended = run(&["--mode", mode], &input);
        assert_eq!((ended.code, ended.lines().len()), (Some(0), commands + 8));
        check_raw(&input, &ended.stdout, Commands::Dictionary).unwrap();
    }
}

#[test]
fn a_small_capacity_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small.ron");
    fs::write(&path, "(capacity: 2)").unwrap();
    let input = format!("create 1\n{}", "exec 1 x\nfly\n".repeat(1000));
    let ended = run(&["--config", path.to_str().unwrap()], &input);
    assert_eq!((ended.code, ended.lines().len()), (Some(0), 2001), "{}", ended.stderr);
    check_raw(&input, &ended.stdout, Commands::Dictionary).unwrap();
}

/// A reader like `head -1`: it takes a line and goes. The input never ends by itself.
#[test]
fn a_closed_output_ends_the_program_in_order() {
    for mode in MODES {
        let mut child = command(&["--mode", mode]).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let typing = thread::spawn(move || {
            let lines = "exec 1 x\n".repeat(1000);
            while input.write_all(lines.as_bytes()).is_ok() {}
        });
        let mut first = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert_eq!(first, "Error:1: Not found\n");
        typing.join().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""), "{mode}");
    }
}
