//! Far more commands than anybody answers or reads: the source waits, memory does not grow, and everything is answered
//! in the end.

use std::io::{Read, Write};
use std::process::{Child, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nodetree::TopologyKind;
use nodetree::testing::oracle::Commands;
use nodetree::testing::raw::check_raw;
use rustix::process::{Pid, Signal};

use crate::harness::{PATIENCE, bytes, check, create, median, nodes_of, say, strike, tree_of, until};
use crate::program::command;
use crate::sandbox::sandboxed;

const MIB: u64 = 1 << 20;

/// A program into which somebody writes, and whose output nobody reads for now.
struct Mute {
    child: Child,
    stdout: ChildStdout,
    written: Arc<AtomicUsize>,
    writer: JoinHandle<()>,
}

impl Mute {
    fn start(args: &[&str], input: String) -> Self {
        let mut command = command(args);
        let mut child = command.stderr(std::process::Stdio::inherit()).spawn().expect("the program starts");
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        let writer = thread::spawn(move || {
            for piece in input.as_bytes().chunks(4096) {
                stdin.write_all(piece).expect("the program reads");
                count.fetch_add(piece.len(), Ordering::AcqRel);
            }
        });
        Self { child, stdout, written, writer }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until nothing has been taken from the writer for so long; how much it took.
    fn until_it_reads_no_more(&self, quiet: Duration) -> usize {
        let (mut before, mut since) = (0, Instant::now());
        until("it reads no more", || {
            let now = self.written.load(Ordering::Acquire);
            if now != before {
                (before, since) = (now, Instant::now());
            }
            now > 0 && since.elapsed() > quiet
        });
        before
    }

    /// Reads everything, and waits for the end.
    fn read_on(mut self) -> String {
        let mut output = String::new();
        self.stdout.read_to_string(&mut output).expect("what is printed is text");
        self.writer.join().expect("everything is read");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        output
    }
}

/// No process has ever held more than the bound; the peaks of the control node and of the greatest node, in MiB.
fn peaks_below(program: Pid, control_mib: u64, node_mib: u64) -> (u64, u64) {
    let peak = |pid: Pid| bytes(pid, "VmHWM").unwrap_or(0) / MIB;
    let (control, nodes) = (peak(program), nodes_of(program));
    assert!(!nodes.is_empty());
    let node = nodes.into_iter().map(peak).max().unwrap_or(0);
    assert!(control <= control_mib && node <= node_mib, "the control node held {control} MiB, a node {node} MiB");
    (control, node)
}

/// Seven nodes, which beat, then a mix of everything for them; 6 and 7 are killed and come back.
fn mix(commands: usize) -> String {
    let creates = (2..=7).map(|id| format!("create {id} {}\n", id / 2));
    let mut input: String = std::iter::once("create 1\n".to_owned()).chain(creates).collect();
    input.push_str("heartbit 2000\n");
    for nth in 0..commands - 8 {
        let id = nth * 7 / 3 % 8 + 1;
        let line = match nth % 1000 {
            0 if nth % 2000 == 0 => format!("kill {}", 6 + nth / 2000 % 2),
            0 => format!("create {} 3", 6 + nth / 2000 % 2),
            1 => "pingall".to_owned(),
            2 => format!("fly {id}"),
            _ if nth % 4 == 0 => format!("ping {id}"),
            _ if nth % 4 == 1 => format!("exec {id} name{} {nth}", nth % 100),
            _ => format!("exec {id} name{}", nth % 100),
        };
        input.push_str(&line);
        input.push('\n');
    }
    input
}

/// F58, I1, I14. About 20 s.
#[test]
fn a_flood_that_nobody_reads_waits_and_is_answered_at_last() {
    sandboxed!({
        const COMMANDS: usize = 1_000_000;
        let input = mix(COMMANDS);
        let program = Mute::start(&["--mode", "process"], input.clone());
        let taken = program.until_it_reads_no_more(Duration::from_secs(2));
        assert!(taken < input.len(), "all of it was read, although nobody takes the replies");
        let peaks = peaks_below(program.pid(), 128, 64);
        eprintln!("it took {taken} of {} bytes; peaks in MiB: {peaks:?}", input.len());
        let pid = program.pid();
        let watch = thread::spawn(move || {
            let mut most = 0;
            while let Some(peak) = bytes(pid, "VmHWM") {
                most = most.max(peak);
                thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let output = program.read_on();
        let most = watch.join().unwrap();
        assert!(most <= 128 * MIB, "{} MiB while it was read", most / MIB);
        let (notices, replies): (Vec<&str>, Vec<&str>) =
            output.lines().partition(|line| line.starts_with("Heartbit: "));
        assert_eq!(replies.len(), COMMANDS);
        let are_theirs = notices.iter().all(|notice| notice.contains("node 6 ") || notice.contains("node 7 "));
        assert!(are_theirs, "beats come through the flood: {notices:?}");
        check_raw(&input, &output, Commands::Dictionary).unwrap();
    });
}

/// F36, F58: below the capacity of the system nobody waits at all.
#[test]
fn a_flood_for_a_stopped_node_is_not_felt_beside_it() {
    sandboxed!({
        const FLOOD: usize = 60_000;
        let tree = tree_of::<nodetree::Dictionary>(TopologyKind::Tree, PATIENCE);
        let parent = create(&tree, "create 1");
        let stopped = create(&tree, "create 2 1");
        let pids =
            [parent, stopped, create(&tree, "create 3 2"), create(&tree, "create 4 1"), create(&tree, "create 5")];
        let rounds = || -> Vec<Duration> {
            let round = |at: usize| {
                let begun = Instant::now();
                for id in [1, 4, 5] {
                    check(
                        &tree,
                        &[(&format!("exec {id} a {at}"), &format!("Ok:{id}")), (&format!("ping {id}"), "Ok: 1")],
                    );
                }
                begun.elapsed()
            };
            (0..50).map(round).collect()
        };
        let before = median(rounds());
        strike(stopped, Signal::STOP);
        let lines: Vec<String> = (0..FLOOD).map(|at| format!("exec {} name{} {at}", 2 + at % 2, at % 500)).collect();
        let tickets = tree.submit_lines(lines.iter().map(String::as_str)).unwrap();
        let meanwhile = median(rounds());
        eprintln!("six commands beside it took {before:?} before and {meanwhile:?} meanwhile (medians)");
        assert!(meanwhile <= before + Duration::from_millis(50), "{meanwhile:?}, before {before:?}");
        for pid in pids {
            let peak = bytes(pid, "VmHWM").unwrap();
            assert!(peak <= 64 * MIB, "{pid:?} held {} MiB", peak / MIB);
        }
        strike(stopped, Signal::CONT);
        for (at, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(tree.wait(ticket).unwrap().answer.to_string(), format!("Ok:{}", 2 + at % 2));
        }
        check(&tree, &[("exec 2 name498", &format!("Ok:2: {}", FLOOD - 2)), ("pingall", "Ok: -1")]);
        assert!(say(&tree, "tree").contains("3 ("));
    });
}

/// F36, F58: beyond the capacity the input is not read; what nobody can answer is an error after the reply timeout.
#[test]
fn a_flood_for_a_stopped_node_makes_the_source_wait() {
    sandboxed!({
        const FLOOD: usize = 100_000;
        let mut input = "create 1\ncreate 2 1\ncreate 3 2\ncreate 4 1\nwait\npause 2\n".to_owned();
        input.extend((0..FLOOD).map(|at| format!("exec {} name{} {at}\n", 2 + at % 2, at % 500)));
        input.push_str("exec 1 a 1\nexec 4 a 4\nping 4\n");
        let program = Mute::start(&["--mode", "process", "--reply-timeout", "6s"], input.clone());
        let taken = program.until_it_reads_no_more(Duration::from_millis(1500));
        assert!(taken < input.len() * 9 / 10, "{taken} of {} bytes were read", input.len());
        let peaks = peaks_below(program.pid(), 128, 64);
        eprintln!("it took {taken} of {} bytes; peaks in MiB: {peaks:?}", input.len());
        let output = program.read_on();
        check_raw(&input, &output, Commands::Dictionary).unwrap();
        let count = |text: &str| output.lines().filter(|line| *line == text).count();
        assert_eq!(count("Error:2: Node is unavailable") + count("Error:3: Node is unavailable"), FLOOD);
        assert_eq!((count("Ok:1"), count("Ok:4"), count("Ok: 1")), (1, 1, 1));
    });
}
