//! Processes that wait to become nodes: who takes them, and what becomes of those that are struck before.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nodetree::{CommandSet, Dictionary, Mode, NodeTree, TopologyKind};
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::harness::{PATIENCE, check, create, is_gone, nodes_of, say, strike, until};
use crate::sandbox::sandboxed;

const NODETREE: &str = env!("CARGO_BIN_EXE_nodetree");

pub fn tree_with<C: CommandSet>(spares: usize, topology: TopologyKind) -> NodeTree<C> {
    let builder = NodeTree::<C>::builder().mode(Mode::Process).node_program(NODETREE);
    builder.topology(topology).reply_timeout(PATIENCE).spare_processes(spares).start().expect("a process system starts")
}

fn tree(spares: usize) -> NodeTree<Dictionary> {
    tree_with(spares, TopologyKind::Tree)
}

/// Those that stand by, once there are so many.
#[track_caller]
fn stand_by(tree: &NodeTree<Dictionary>, number: usize) -> Vec<Pid> {
    until("so many stand by", || tree.spare_processes().len() == number);
    tree.spare_processes().into_iter().map(|pid| Pid::from_raw(pid as i32).expect("a pid")).collect()
}

/// The name that `ps` shows, and the words that the process was called with.
fn shown(pid: Pid) -> (String, String) {
    let file = |name| fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_pid())).expect("it runs");
    (file("comm").trim_end().to_owned(), file("cmdline").replace('\0', " ").trim_end().to_owned())
}

fn called(pid: Pid) -> String {
    let words = shown(pid).1;
    words.split_once(' ').map(|(_, words)| words.to_owned()).unwrap_or_default()
}

#[test]
fn a_create_takes_the_process_that_waits_and_another_one_is_started() {
    sandboxed!({
        let tree = tree(1);
        let spare = stand_by(&tree, 1)[0];
        assert_eq!((shown(spare).0.as_str(), called(spare).as_str()), ("spare node", "__node - dictionary"));
        assert_eq!(create(&tree, "create 7"), spare);
        check(&tree, &[("exec 7 x 5", "Ok:7"), ("exec 7 x", "Ok:7: 5")]);
        assert_eq!((shown(spare).0.as_str(), called(spare).as_str()), ("node 7", "__node - dictionary"));
        let next = stand_by(&tree, 1)[0];
        assert_ne!(next, spare);
        assert_eq!(create(&tree, "create 8 7"), next);
        // Their pids are those of the processes that serve.
        strike(spare, Signal::KILL);
        until("it is known", || say(&tree, "ping 7") == "Ok: 0");
        check(&tree, &[("ping 8", "Ok: 0")]);
        until("both are reaped", || is_gone(spare) && is_gone(next));
    });
}

#[test]
fn a_create_that_finds_none_starts_its_own() {
    sandboxed!({
        let tree = tree(2);
        let spares = stand_by(&tree, 2);
        let lines: Vec<String> =
            (1..=8).map(|id| format!("create {id} {}", if id == 1 { -1 } else { id / 2 })).collect();
        let tickets = tree.submit_lines(lines.iter().map(String::as_str)).unwrap();
        let replies = tickets.into_iter().map(|ticket| tree.wait(ticket).unwrap().answer.to_string());
        let pids: Vec<Pid> = replies.map(|reply| crate::harness::pid_in(&reply)).collect();
        assert!(spares.iter().all(|spare| pids.contains(spare)), "{spares:?}, {pids:?}");
        check(&tree, &[("pingall", "Ok: -1")]);
        let all: std::collections::BTreeSet<i32> = pids.iter().map(|pid| pid.as_raw_pid()).collect();
        assert_eq!(all.len(), 8, "each has a process of its own");
        assert!(stand_by(&tree, 2).iter().all(|spare| !pids.contains(spare)));
    });
}

#[test]
fn a_system_without_spare_processes_starts_none() {
    sandboxed!({
        let tree = tree(0);
        let pid = create(&tree, "create 1");
        assert_eq!((shown(pid).0.as_str(), called(pid).as_str()), ("node 1", "__node 1 dictionary"));
        assert_eq!((nodes_of(getpid()), tree.spare_processes()), (vec![pid], vec![]));
    });
}

#[test]
fn a_spare_process_that_has_ended_is_not_handed_out() {
    sandboxed!({
        let tree = tree(2);
        let spares = stand_by(&tree, 2);
        strike(spares[0], Signal::KILL);
        assert_eq!(stand_by(&tree, 1), spares[1..]);
        until("it is reaped", || is_gone(spares[0]));
        assert_eq!(create(&tree, "create 1"), spares[1]);
        // The next create, and not the end, has others started.
        let others = stand_by(&tree, 2);
        assert!(others.iter().all(|other| !spares.contains(other)));
        check(&tree, &[("exec 1 x 5", "Ok:1"), ("pingall", "Ok: -1")]);
    });
}

#[test]
fn a_spare_process_that_was_stopped_is_ended() {
    sandboxed!({
        let tree = tree(1);
        let spare = stand_by(&tree, 1)[0];
        strike(spare, Signal::STOP);
        until("it is ended and reaped", || is_gone(spare));
        stand_by(&tree, 0);
        assert_ne!(create(&tree, "create 1"), spare);
        check(&tree, &[("exec 1 x 5", "Ok:1")]);
    });
}

/// What is struck in the very moment of a create is handed out or not: either way the reply says what is.
#[test]
fn a_spare_process_that_is_killed_while_it_is_taken_is_a_start_that_fails_at_worst() {
    sandboxed!({
        let tree = tree(1);
        for _ in 0..30 {
            let spare = stand_by(&tree, 1)[0];
            strike(spare, Signal::KILL);
            let reply = say(&tree, "create 1");
            if reply.starts_with("Error: ") {
                assert_eq!(reply, "Error: the new node ended before it was linked");
                check(&tree, &[("ping 1", "Error: Not found"), ("pingall", "Ok: -1")]);
                continue;
            }
            assert_eq!((say(&tree, "ping 1"), say(&tree, "remove 1")), ("Ok: 1".to_owned(), "Ok".to_owned()));
        }
        until("nobody is left but who waits", || nodes_of(getpid()).len() == tree.spare_processes().len());
    });
}

/// A system whose nodes run a script, and what the script has written of its starts.
fn scripted(text: &str) -> (tempfile::TempDir, NodeTree<Dictionary>, impl Fn() -> usize + use<>) {
    let directory = tempfile::tempdir().unwrap();
    let (program, starts) = (directory.path().join("node"), directory.path().join("starts"));
    fs::write(&program, format!("#!/bin/sh\necho start >>{}\n{text}\n", starts.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let builder = NodeTree::builder().mode(Mode::Process).node_program(program).spare_processes(2);
    let count = move || fs::read_to_string(&starts).unwrap_or_default().lines().count();
    (directory, builder.start().unwrap(), count)
}

#[test]
fn a_program_that_is_no_node_is_not_started_again_and_again() {
    sandboxed!({
        let (_directory, tree, starts) = scripted("exit 3");
        until("two are started", || starts() == 2);
        for round in 1..=20 {
            let reply = say(&tree, "create 1");
            assert!(reply.contains("its program ended with exit code 3"), "{reply}");
            // For each create one for itself, and at most two that are missing.
            assert!(starts() <= 2 + 3 * round, "{} starts for {round} creates", starts());
        }
        assert_eq!(tree.spare_processes(), []);
    });
}

#[test]
fn a_spare_process_of_another_build_is_ended() {
    sandboxed!({
        let (_directory, tree, starts) = scripted(&format!("exec {NODETREE} __node \"$2\" sum"));
        until("both have been ended", || starts() == 2 && nodes_of(getpid()).is_empty());
        assert_eq!(tree.spare_processes(), []);
        assert!(say(&tree, "create 1").contains("wire 1 sum, this is nodetree"));
    });
}

#[test]
fn a_program_that_never_answers_is_ended_after_ten_seconds() {
    sandboxed!({
        let (_directory, tree, starts) = scripted("exec sleep 1000");
        until("both run", || starts() == 2);
        until("both have been ended", || nodes_of(getpid()).is_empty());
        assert_eq!(tree.spare_processes(), []);
    });
}

#[test]
fn a_node_that_was_a_spare_process_obeys_faults_that_were_planned_before() {
    sandboxed!({
        let builder = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(NODETREE);
        let plan = "[(when: Envelope(kind: Request, nth: 2, moment: Before), what: Kill(2))]";
        let tree = builder.faults(plan.parse().unwrap()).spare_processes(2).start().unwrap();
        let spares = stand_by(&tree, 2);
        assert!(spares.contains(&create(&tree, "create 1")) && spares.contains(&create(&tree, "create 2 1")));
        let expected = [("exec 2 x 1", "Ok:2"), ("exec 2 x", "Error:2: Node is unavailable"), ("ping 1", "Ok: 1")];
        check(&tree, &expected);
    });
}

#[test]
fn dropping_the_system_leaves_no_spare_process() {
    sandboxed!({
        let tree = tree(4);
        let spares = stand_by(&tree, 4);
        // One that is stopped at the last moment, and others that are being started.
        create(&tree, "create 1");
        let _ = kill_process(spares[3], Signal::STOP);
        drop(tree);
        assert_eq!(nodes_of(getpid()), []);
    });
}
