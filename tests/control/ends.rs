//! `kill -9` of the control node, whatever its nodes are doing.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, getpid, kill_process, setpriority_process};

use crate::harness::{Program, command};
use crate::place::{Place, nodes, pid_in, running, until};
use crate::sandbox::sandboxed;

/// Kills it, and looks that nothing is left.
#[track_caller]
fn is_killed(program: Program, place: &Place) {
    program.signal(Signal::KILL);
    let ended = program.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (None, ""));
    place.is_left_clean();
}

/// Covers F20: while nodes are being created, at different moments.
#[test]
fn nothing_outlives_a_control_node_that_creates() {
    sandboxed!({
        for replies in [0, 1, 5, 20, 40] {
            let place = Place::new();
            let mut program = Program::start(place.program(&[]));
            program.write(
                (1..=60).map(|id| format!("create {id} {}\n", if id == 1 { -1 } else { id / 2 })).collect::<String>(),
            );
            (0..replies).for_each(|_| drop(program.line()));
            if replies == 0 {
                until("the first node is being started", || !nodes().is_empty());
            }
            is_killed(program, &place);
        }
    });
}

/// Covers F20: with nodes that are stopped, by command and from outside.
#[test]
fn no_stopped_node_outlives_the_control_node() {
    sandboxed!({
        let place = Place::new();
        let creates = ["create 1", "create 2 1", "create 3 2", "create 4 3", "create 5"];
        let (mut program, pids) = place.with_nodes(&[], &creates);
        program.write("pause 2\n");
        assert_eq!(program.line().as_deref(), Some("Ok"));
        kill_process(pids[3], Signal::STOP).unwrap();
        program.write("exec 4 x\nping 4\n");
        is_killed(program, &place);
    });
}

/// Covers F20: with processes that wait to become nodes, one of them stopped, and with others that are being started.
#[test]
fn no_spare_process_outlives_the_control_node() {
    sandboxed!({
        for creates in [0, 1, 4] {
            let place = Place::new();
            let mut program = Program::start(place.program(&["-v", "--spare", "3"]));
            let stands_by = |program: &mut Program| pid_behind(&program.error_line("a spare process stands by"));
            let spares = [(); 3].map(|()| stands_by(&mut program));
            assert_eq!(nodes().len(), 3);
            program.write((1..=creates).map(|id| format!("create {id}\n")).collect::<String>());
            if creates > 0 {
                assert!(spares.contains(&pid_in(&program.line().expect("a reply"))));
            }
            let _ = kill_process(spares[2], Signal::STOP);
            program.signal(Signal::KILL);
            assert_eq!(program.end().code, None);
            place.is_left_clean();
        }
    });
}

/// The pid at the end of a line of the log.
fn pid_behind(line: &str) -> Pid {
    let pid = line.rsplit_once("pid=").and_then(|(_, pid)| pid.parse().ok()).and_then(Pid::from_raw);
    pid.unwrap_or_else(|| panic!("{line:?} names no pid"))
}

/// Covers F20: with nodes that get no time, because others want all of it.
#[test]
fn no_starved_node_outlives_the_control_node() {
    sandboxed!({
        let place = Place::new();
        let (program, pids) = place.with_nodes(&[], &["create 1", "create 2 1", "create 3"]);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let hog = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let mut hogs: Vec<_> = (0..2 * cores).map(|_| hog()).collect();
        pids.iter().for_each(|&pid| setpriority_process(Some(pid), 19).unwrap());
        is_killed(program, &place);
        for hog in &mut hogs {
            hog.kill().unwrap();
            hog.wait().unwrap();
        }
    });
}

/// Covers F20: in the middle of re-links, at different moments.
#[test]
fn nothing_outlives_a_control_node_that_re_links() {
    sandboxed!({
        for replies in [0, 1, 2, 7, 20] {
            let place = Place::new();
            let creates = ["create 1", "create 2 1", "create 3 2", "create 4 3"];
            let (mut program, _) = place.with_nodes(&["--topology", "list"], &creates);
            program.write("remove 2\ncreate 2 1\nexec 4 x 1\n".repeat(20));
            (0..replies).for_each(|_| drop(program.line()));
            is_killed(program, &place);
        }
    });
}

/// Covers F20: with a request on its way in, and with a result that is kept in a file on its way out.
#[test]
fn nothing_outlives_a_control_node_in_the_middle_of_a_stream() {
    sandboxed!({
        let place = Place::new();
        let (mut program, _) = place.with_nodes(&["--commands", "sum"], &["create 1", "create 2 1"]);
        program.write("exec 2 100000000");
        program.write(" 7".repeat(500_000));
        is_killed(program, &place);

        let place = Place::new();
        let (mut program, pids) = place.with_nodes(&["--commands", "search"], &["create 1", "create 2 1"]);
        program.write(format!("exec 2\n{}\na\n", "a".repeat(2_000_000)));
        kill_process(pids[0], Signal::STOP).unwrap();
        is_killed(program, &place);
    });
}

/// Covers F20: while it waits for its last replies, having been asked to end.
#[test]
fn nothing_outlives_a_control_node_that_is_killed_while_it_drains() {
    sandboxed!({
        let place = Place::new();
        let (mut program, _) = place.with_nodes(&["--reply-timeout", "60s"], &["create 1", "create 2 1"]);
        program.write("pause 1\n");
        assert_eq!(program.line().as_deref(), Some("Ok"));
        program.write("exec 2 x\n");
        program.signal(Signal::TERM);
        is_killed(program, &place);
    });
}

/// A frame of the control link; see `docs/wire.md`.
fn hello(parent: i32) -> Vec<u8> {
    let number = |mut number: u64| {
        let mut bytes = Vec::new();
        while number > 127 {
            bytes.push(number as u8 & 127 | 128);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let build = format!("nodetree {} wire {} dictionary", env!("CARGO_PKG_VERSION"), nodetree::modes::wire::VERSION);
    // The clock, node 1 in its first life, links that cannot lose, no beats.
    let rest = [0, 2, 1, 0, 0];
    let message = [number(build.len() as u64), build.into_bytes(), number(parent as u64 * 2), rest.to_vec()].concat();
    [&(message.len() as u32 + 1).to_be_bytes()[..], &[1], &message].concat()
}

/// Covers F21: a node compares its parent with the one that the hello names, and ends although its control link stands.
#[test]
fn a_node_whose_parent_is_another_one_ends() {
    sandboxed!({
        const STOP: &[u8] = b"\0\0\0\x02\x01\x06";
        for (parent, code) in [(1 << 20, 2), (getpid().as_raw_pid(), 0)] {
            let (here, there) = UnixStream::pair().unwrap();
            let mut node = Command::new(env!("CARGO_BIN_EXE_nodetree"));
            node.args(["__node", "1", "dictionary"]).stdin(Stdio::from(OwnedFd::from(there)));
            let mut node = node.spawn().unwrap();
            let mut written = rustix::io::write(here.as_fd(), &[&hello(parent), STOP].concat());
            assert!(written.as_mut().is_ok_and(|length| *length > STOP.len()));
            assert_eq!(node.wait().unwrap().code(), Some(code));
        }
    });
}

/// Covers F21: the control node dies after it has started a node, and before that has asked to be told of its death.
#[test]
fn a_control_node_that_dies_before_its_node_can_know_leaves_nothing() {
    sandboxed!({
        if !Command::new("strace").args(["-f", "true"]).output().is_ok_and(|it| it.status.success()) {
            return eprintln!("SKIPPED: there is no strace here, or it may not trace");
        }
        let place = Place::new();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=prctl", "-e", "inject=prctl:delay_enter=700000"]);
        let plain = command(&["--mode", "process"]);
        strace.arg(plain.get_program()).args(plain.get_args());
        strace.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program::start(place.here(strace));
        program.write("create 1\n");
        until("a node is being started", || !nodes().is_empty());
        let control =
            |pid: &Pid| std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_pid())).unwrap_or_default();
        let control: Vec<Pid> =
            running("process").into_iter().filter(|pid| control(pid).starts_with("nodetree")).collect();
        assert_eq!(control.len(), 1, "{control:?}");
        kill_process(control[0], Signal::KILL).unwrap();
        // The node is still in the system call, for as long as it was told.
        until("no node runs", || nodes().is_empty());
        drop(program);
        place.is_left_clean();
    });
}
