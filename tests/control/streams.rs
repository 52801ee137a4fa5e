//! What stands at the ends of the control node: an input that is odd or at its end, an output that is closed, full or slow.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nodetree::testing::oracle::Commands;
use nodetree::testing::raw::check_raw;
use rustix::process::{Signal, kill_process};

use crate::harness::{Program, run};
use crate::place::{Place, pid_in, until};
use crate::sandbox::sandboxed;

const MIB: u64 = 1024 * 1024;

/// Covers F23: everything that was accepted before the end of the input gets one reply.
#[test]
fn the_end_of_the_input_with_ten_thousand_commands_in_flight() {
    sandboxed!({
        let place = Place::new();
        let creates = (1..=8).map(|id| format!("create {id} {}\n", if id == 1 { -1 } else { id / 2 }));
        let commands = (0..10_000).map(|nth| match nth % 4 {
            0 => format!("exec {} x {nth}\n", nth % 9 + 1),
            1 | 2 => format!("exec {} x\n", nth % 9 + 1),
            _ => format!("ping {}\n", nth % 9 + 1),
        });
        let input: String = creates.chain(commands).collect();
        let mut program = Program::start(place.program(&[]));
        program.write_behind(input.clone().into_bytes());
        let ended = program.end();
        assert_eq!((ended.code, ended.lines().len(), ended.stderr.as_str()), (Some(0), 10_008, ""));
        check_raw(&input, &ended.stdout, Commands::Dictionary).unwrap();
        place.is_left_clean();
    });
}

/// Covers F24: whoever reads takes one line and goes.
#[test]
fn a_closed_output_ends_it_in_order() {
    sandboxed!({
        let place = Place::new();
        let mut child = place.program(&[]).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let typing = thread::spawn(move || {
            let _ = input.write_all(b"create 1\ncreate 2 1\n");
            let lines = "exec 2 x\n".repeat(1000);
            while input.write_all(lines.as_bytes()).is_ok() {}
        });
        let mut first = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        pid_in(first.trim_end());
        typing.join().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""));
        place.is_left_clean();
    });
}

/// Covers F24: no room where it prints to.
#[test]
fn a_full_output_ends_it_in_order_and_says_so() {
    sandboxed!({
        let place = Place::new();
        let mut command = place.program(&[]);
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        let mut program = Program::start(command);
        program.write("create 1\ncreate 2 1\nexec 2 x\n");
        let ended = program.end();
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.starts_with("nodetree: standard output: No space left"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        place.is_left_clean();
    });
}

/// Covers F24: nobody reads. The input is not read any more, the memory stays, the nodes are looked after; and when
/// somebody reads, nothing is missing.
#[test]
fn a_blocked_output_holds_the_input_and_nothing_else() {
    sandboxed!({
        const LINES: usize = 1_000_000;
        let place = Place::new();
        let mut child = place.program(&["--reply-timeout", "60s"]).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"create 1\nwait\ncreate 2\n").unwrap();
        let mut reply = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let [_first, waited, second] = [reply(), reply(), reply()];
        let node = (waited == "Ok").then(|| pid_in(&second)).expect("the second node is another one");
        static TYPED: AtomicUsize = AtomicUsize::new(0);
        let typing = thread::spawn(move || {
            for _ in 0..LINES / 1000 {
                input.write_all("exec 1 x\n".repeat(1000).as_bytes()).unwrap();
                TYPED.fetch_add(1000, Ordering::Relaxed);
            }
        });
        let mut typed = usize::MAX;
        until("nothing is read any more", || {
            let before = std::mem::replace(&mut typed, TYPED.load(Ordering::Relaxed));
            thread::sleep(Duration::from_secs(1));
            typed > 0 && typed == before
        });
        assert!(typed < LINES, "the input must wait");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak = peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
        assert!(peak < 96 * MIB, "{} MiB", peak / MIB);
        // A node that dies is reaped, whoever reads.
        kill_process(node, Signal::KILL).unwrap();
        until("it is reaped", || !fs::exists(format!("/proc/{}", node.as_raw_pid())).unwrap());
        for _ in 0..LINES {
            assert_eq!(reply(), "Ok:1: 'x' not found");
        }
        typing.join().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        place.is_left_clean();
    });
}

/// Covers F25: each odd line is one error, or nothing, and what follows is read.
#[test]
fn odd_input_is_one_error_for_each_line() {
    sandboxed!({
        let long = [&b"x".repeat(8 << 20)[..], b"\nping 1"].concat();
        let cases: [(&[u8], &[&str]); 9] = [
            (b"ping 1", &["Error: Not found"]),
            (b"", &[]),
            (b"\n\r\n \t \n   \r\n", &[]),
            (b"# only a comment", &[]),
            (b"ping 1\r\npingall\r\n", &["Error: Not found", "Ok: -1"]),
            (
                b"ping 1\0\n\0\0\nping 1\n",
                &["Error: Usage: ping id", "Error: Unknown command: \\u{0}\\u{0}", "Error: Not found"],
            ),
            (b"\xff\xfe\nping \xc3\nping 1\n", &["Error: Not UTF-8", "Error: Not UTF-8", "Error: Not found"]),
            (&long, &["Error: Line too long", "Error: Not found"]),
            (
                b"create 1 2 3\nexec\ncreate -1\nexec 99999999999999999999 x\nping 1",
                &[
                    "Error: Usage: create id [parent]",
                    "Error: Usage: exec id name [value]",
                    "Error: Already exists",
                    "Error: Usage: exec id name [value]",
                    "Error: Not found",
                ],
            ),
        ];
        for (input, expected) in cases {
            let shown = String::from_utf8_lossy(&input[..input.len().min(60)]).into_owned();
            let ended = run(&["--mode", "process"], input);
            let mut lines = ended.lines();
            let mut expected = expected.to_vec();
            // Commands of different nodes are answered in any order.
            lines.sort_unstable();
            expected.sort_unstable();
            assert_eq!((ended.code, lines, ended.stderr.as_str()), (Some(0), expected, ""), "{shown:?}");
        }
    });
}
