//! What the kernel decides about processes: who is starved, what is refused, whose end is reported.
#![cfg(target_os = "linux")]

#[path = "common/sandbox.rs"]
mod sandbox;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nodetree::{Dictionary, Mode, NodeTree, Notice};
use sandbox::sandboxed;

/// Longer than anything here takes on a busy machine; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn tree() -> NodeTree<Dictionary> {
    let builder = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(env!("CARGO_BIN_EXE_nodetree"));
    builder.reply_timeout(PATIENCE).start().expect("a process system starts")
}

#[track_caller]
fn check(tree: &NodeTree<Dictionary>, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(tree.line(line).unwrap(), *reply, "to {line}");
    }
}

/// F11: a process that runs, or wants to, is not called silent at four periods but near five. One that sleeps is, and so
/// is one that was ended.
#[test]
fn a_starved_process_is_given_until_five_periods() {
    sandboxed!("NODETREE_FAIL_POINTS" = "2 Beat 1 after spin", {
        const PERIOD: Duration = Duration::from_millis(1_000);
        let tree = tree();
        for line in ["create 1", "create 2", "create 3 2", "create 4"] {
            assert!(tree.line(line).unwrap().starts_with("Ok: "));
        }
        let begun = Instant::now();
        check(&tree, &[("heartbit 1000", "Ok"), ("kill 4", "Ok")]);
        let mut notices = Vec::new();
        while notices.len() < 3 {
            let notice = tree.next_notice(PATIENCE).unwrap().expect("three nodes are to be reported");
            notices.push((notice, begun.elapsed()));
        }
        let of = |id| notices.iter().find(|(notice, _)| *notice == Notice::Unavailable { id }).map(|(_, at)| *at);
        assert!(of(4).unwrap() >= 4 * PERIOD, "{notices:?}");
        for id in [2, 3] {
            assert!(of(id).unwrap() >= PERIOD * 18 / 4, "{notices:?}");
        }
        check(&tree, &[("ping 1", "Ok: 1")]);
    });
}

/// Whoever starts the program may ignore SIGCHLD; the program sees the ends of its nodes all the same.
#[test]
fn ends_are_seen_where_sigchld_was_ignored() {
    sandboxed!({
        let line = format!("trap '' CHLD; exec {} --mode process", env!("CARGO_BIN_EXE_nodetree"));
        let mut program = Command::new("sh");
        program.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = program.spawn().unwrap();
        program.stdin.take().unwrap().write_all(b"create 1\nkill 1\nwait\nping 1\n").unwrap();
        let ended = program.wait_with_output().unwrap();
        let lines = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(lines.lines().skip(1).collect::<Vec<_>>(), ["Ok", "Ok", "Ok: 0"]);
    });
}
