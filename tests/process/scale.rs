//! A thousand nodes, long chains, thousands of lives, and several control nodes on one machine.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::harness::{bytes, entries, is_gone, nodes_of, pid_in, until};
use crate::program::{Ended, Program, command};
use crate::sandbox::{self, sandboxed};

const MIB: u64 = 1 << 20;

fn start(topology: &str) -> Program {
    Program::start(command(&["--mode", "process", "--topology", topology, "--reply-timeout", "60s"]))
}

fn ask(program: &mut Program, line: &str) -> String {
    program.write(format!("{line}\n"));
    program.line().expect("every line is answered")
}

#[track_caller]
fn says(program: &mut Program, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(ask(program, line), *reply, "to {line}");
    }
}

/// Types all lines in one go; the replies, in the order in which they come.
fn ask_all(program: &mut Program, lines: &[String]) -> Vec<String> {
    program.write(lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    lines.iter().map(|_| program.line().expect("a reply")).collect()
}

fn create_all(program: &mut Program, lines: &[String]) {
    let begun = Instant::now();
    let replies = ask_all(program, lines);
    let wrong: Vec<_> = replies.iter().filter(|reply| !reply.starts_with("Ok: ")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    eprintln!("{} nodes were created in {:?}", lines.len(), begun.elapsed());
}

/// Ends the program; no node runs a second later (here: three, on a busy machine).
fn end_of(program: Program) {
    let nodes = nodes_of(program.pid());
    let Ended { code, stdout, stderr } = program.end();
    let ended = Instant::now();
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    until("all nodes are gone", || nodes.iter().all(|&pid| is_gone(pid)));
    eprintln!("{} nodes were gone {:?} after the end", nodes.len(), ended.elapsed());
    assert!(ended.elapsed() < Duration::from_secs(3));
    assert!(!sandbox::is_inside() || sandbox::others().is_empty());
}

fn joined(ids: impl Iterator<Item = i64>) -> String {
    format!("Ok: {}", ids.map(|id| id.to_string()).collect::<Vec<_>>().join(";"))
}

/// F60: a binary tree. About 10 s.
#[test]
fn a_thousand_nodes_in_a_tree() {
    sandboxed!({
        let mut program = start("tree");
        let lines: Vec<String> =
            (1..=1000).map(|id| format!("create {id} {}", if id == 1 { -1 } else { id / 2 })).collect();
        let before = entries(program.pid(), "fd");
        create_all(&mut program, &lines);
        let begun = Instant::now();
        says(&mut program, &[("pingall", "Ok: -1")]);
        eprintln!("pingall of 1 000: {:?}", begun.elapsed());
        says(&mut program, &[("exec 1000 a 5", "Ok:1000"), ("exec 1000 a", "Ok:1000: 5"), ("ping 777", "Ok: 1")]);
        // One descriptor for each, one more at the top, one for their process group, one that wakes the timers.
        let descriptors = entries(program.pid(), "fd") - before;
        assert!(descriptors <= 1000 + 9, "{descriptors} descriptors");
        let memory = bytes(program.pid(), "VmHWM").unwrap();
        assert!(memory <= 128 * MIB, "{} MiB", memory / MIB);
        // Half of the tree goes with 2: 2 4 5 8 … 11 16 … 23 and so on.
        let below: BTreeSet<i64> =
            (0..10).flat_map(|level| (2 << level)..(3 << level)).filter(|&id| id <= 1000).collect();
        says(&mut program, &[("kill 2", "Ok"), ("pingall", &joined(below.iter().copied()))]);
        says(&mut program, &[("exec 1000 a", "Ok:1000: 5"), ("exec 600 a", "Error:600: Node is unavailable")][..1]);
        until("they are gone", || nodes_of(program.pid()).len() == 1000 - below.len());
        end_of(program);
    });
}

/// F60: one long chain.
#[test]
fn a_chain_of_300_nodes() {
    sandboxed!({
        let mut program = start("list");
        let lines: Vec<String> =
            (1..=300).map(|id| format!("create {id} {}", if id == 1 { -1 } else { id - 1 })).collect();
        create_all(&mut program, &lines);
        says(&mut program, &[("pingall", "Ok: -1"), ("exec 300 a 7", "Ok:300"), ("exec 300 a", "Ok:300: 7")]);
        says(&mut program, &[("remove 150", "Ok"), ("exec 300 a", "Ok:300: 7"), ("kill 200", "Ok")]);
        says(&mut program, &[("pingall", &joined(200..=300)), ("ping 199", "Ok: 1"), ("ping 300", "Ok: 0")]);
        end_of(program);
    });
}

/// F60: sorted inserts make a search tree a chain.
#[test]
fn a_search_tree_of_sorted_inserts() {
    sandboxed!({
        let mut program = start("bst");
        let lines: Vec<String> = (1..=250).map(|id| format!("create {id}")).collect();
        create_all(&mut program, &lines);
        says(&mut program, &[("pingall", "Ok: -1"), ("exec 250 a 7", "Ok:250"), ("remove 100", "Ok")]);
        says(&mut program, &[("exec 250 a", "Ok:250: 7"), ("kill 125", "Ok"), ("pingall", &joined(125..=250))]);
        end_of(program);
    });
}

/// What a process holds.
#[derive(Debug, PartialEq, Eq)]
struct Census {
    descriptors: usize,
    threads: usize,
}

fn census(pid: Pid) -> Census {
    Census { descriptors: entries(pid, "fd"), threads: entries(pid, "task") }
}

/// F61, I13, I15: 2 000 lives leave no trace. About 10 s.
#[test]
fn a_census_is_the_same_after_2000_lives() {
    sandboxed!({
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(&["--mode", "process"]);
        command.env("TMPDIR", directory.path());
        let mut program = Program::start(command);
        let root = pid_in(&ask(&mut program, "create 1"));
        let leaf = pid_in(&ask(&mut program, "create 2 1"));
        let control = program.pid();
        let mut lives = |from: i64, to: i64| {
            for first in (from..to).step_by(20) {
                // The same id again and again, and ids that are never used again.
                let pair = |at: i64| match at % 2 {
                    0 => ["create 3 1".to_owned(), "kill 3".to_owned()],
                    _ => [format!("create {} 2", 1000 + at), format!("remove {}", 1000 + at)],
                };
                let lines: Vec<String> = (first..first + 20).flat_map(pair).collect();
                let replies = ask_all(&mut program, &lines);
                assert!(replies.iter().all(|reply| reply.starts_with("Ok")), "{replies:?}");
            }
            let alone = || nodes_of(control).len() == 2;
            until("only two are left", alone);
        };
        lives(0, 200);
        let all = [control, root, leaf];
        let (before, memory) = (all.map(census), all.map(|pid| bytes(pid, "VmRSS").unwrap()));
        lives(200, 2200);
        // What is closed is so a moment after the end is known.
        until("the census is the same", || all.map(census) == before);
        let grown = all
            .map(|pid| bytes(pid, "VmRSS").unwrap())
            .into_iter()
            .zip(memory)
            .map(|(after, before)| after.saturating_sub(before));
        let grown: Vec<u64> = grown.map(|bytes| bytes / 1024).collect();
        eprintln!("{before:?}; grown by {grown:?} KiB in 2 000 lives");
        assert!(grown.iter().all(|&kib| kib < 8 * 1024), "{grown:?} KiB");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no file is left");
        says(&mut program, &[("all", "Ok: 1 2 3"), ("pingall", "Ok: 3")]);
        end_of(program);
    });
}

/// Several control nodes use the same ids and know nothing of each other, whatever happens to one.
#[test]
fn control_nodes_on_one_machine_share_nothing() {
    sandboxed!({
        let mut programs: Vec<Program> = (0..4).map(|_| start("tree")).collect();
        for (nth, program) in programs.iter_mut().enumerate() {
            for line in ["create 1", "create 2 1", "create 3 2"] {
                pid_in(&ask(program, line));
            }
            says(program, &[(&format!("exec 3 mine {nth}"), "Ok:3")]);
        }
        let mut seen = BTreeSet::new();
        for program in &programs {
            for pid in nodes_of(program.pid()) {
                assert!(seen.insert(pid.as_raw_pid()), "a node has one control node");
            }
        }
        assert_eq!(seen.len(), 12);
        let orphans = nodes_of(programs[0].pid());
        programs[0].signal(Signal::KILL);
        says(&mut programs[1], &[("kill 2", "Ok"), ("pingall", "Ok: 2;3")]);
        says(&mut programs[2], &[("pause 2", "Ok")]);
        until("those of the killed one are gone", || orphans.iter().all(|&pid| is_gone_or_zombie(pid)));
        says(&mut programs[3], &[("exec 3 mine", "Ok:3: 3"), ("pingall", "Ok: -1")]);
        says(&mut programs[2], &[("resume 2", "Ok"), ("exec 3 mine", "Ok:3: 2"), ("pingall", "Ok: -1")]);
        says(&mut programs[1], &[("ping 1", "Ok: 1"), ("pingall", "Ok: 2;3")]);
        for program in programs.drain(1..) {
            assert_eq!(program.end().code, Some(0));
        }
    });
}

/// An orphan in a sandbox is reaped when the test ends.
fn is_gone_or_zombie(pid: Pid) -> bool {
    crate::harness::stat(pid).is_none_or(|stat| stat[0] == "Z")
}
