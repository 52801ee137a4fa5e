//! Commands at the edge: extreme ids, creates that meet each other, parents and nodes that are missing, dead, dying or
//! stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use nodetree::{Dictionary, Mode, NodeTree, TopologyKind};
use rustix::process::{Signal, getpid};

use crate::harness::{PATIENCE, SHORT, all_of, check, create, drawn, say, stat, strike, tree, tree_of, until};
use crate::sandbox::{self, sandboxed};

/// F54: every `i64` but -1 is an id, and is printed in its shortest form.
#[test]
fn every_number_is_an_id() {
    sandboxed!({
        let extreme = [i64::MIN, i64::MIN + 1, -2, 0, 1, i64::MAX - 1, i64::MAX];
        for topology in TopologyKind::ALL {
            let tree = tree_of::<Dictionary>(topology, PATIENCE);
            for (at, id) in extreme.iter().enumerate() {
                let parent = if at == 0 { -1 } else { extreme[at - 1] };
                create(&tree, &format!("create {id} {parent}"));
                check(&tree, &[(&format!("exec {id} a {id}"), &format!("Ok:{id}"))]);
            }
            check(
                &tree,
                &[
                    (
                        "all",
                        "Ok: -9223372036854775808 -9223372036854775807 -2 0 1 9223372036854775806 9223372036854775807",
                    ),
                    ("exec -0009223372036854775808 a", "Ok:-9223372036854775808: -9223372036854775808"),
                    ("ping -0", "Ok: 1"),
                    ("exec 00 a", "Ok:0: 0"),
                    ("ping +1", "Error: Usage: ping id"),
                    ("ping 9223372036854775808", "Error: Usage: ping id"),
                    ("create -9223372036854775809", "Error: Usage: create id [parent]"),
                    ("create -1", "Error: Already exists"),
                    ("create -1 -1", "Error: Already exists"),
                    ("create -01 0", "Error: Already exists"),
                    ("exec -1 a", "Error:-1: Not found"),
                    ("ping -1", "Error: Not found"),
                    ("kill -1", "Error: Not found"),
                    ("remove -1", "Error: Not found"),
                    ("pause -1", "Error: Not found"),
                    ("resume -1", "Error: Not found"),
                    ("pingall", "Ok: -1"),
                ],
            );
            if topology == TopologyKind::List || topology == TopologyKind::Tree {
                check(&tree, &[("create 5 5", "Error: Parent not found"), ("create 0 0", "Error: Already exists")]);
            }
            let mut drawn: Vec<i64> = drawn(&tree).iter().map(|node| node.id).collect();
            drawn.sort_unstable();
            assert_eq!(drawn, extreme, "{topology}");
            check(&tree, &[("remove 0", "Ok"), ("pingall", "Ok: -1"), ("exec -2 a", "Ok:-2: -2")]);
        }
    });
}

/// A system whose nodes' program is a script that runs first and then becomes a node.
fn tree_behind(directory: &tempfile::TempDir, script: &str) -> NodeTree<Dictionary> {
    let path = directory.path().join("node");
    let node = env!("CARGO_BIN_EXE_nodetree");
    fs::write(&path, format!("#!/bin/sh\n{script}\nexec {node} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    NodeTree::builder().mode(Mode::Process).node_program(path).start().expect("a process system starts")
}

/// F55, I22: two creates of one id at once, while the first is slow, and while it fails.
#[test]
fn of_two_creates_of_one_id_one_succeeds() {
    sandboxed!({
        let directory = tempfile::tempdir().unwrap();
        let slow = tree_behind(&directory, "sleep 0.2");
        for _ in 0..3 {
            let replies = all_of(&slow, &["create 1", "create 1", "create 1", "exec 1 a 1", "ping 1"]);
            assert!(replies[0].starts_with("Ok: "), "{replies:?}");
            assert_eq!(replies[1..], ["Error: Already exists", "Error: Already exists", "Ok:1", "Ok: 1"]);
            check(&slow, &[("kill 1", "Ok"), ("create 1 x", "Error: Usage: create id [parent]")]);
            let again = all_of(&slow, &["create 1", "create 1", "exec 1 a", "kill 1"]);
            assert!(again[0].starts_with("Ok: "), "{again:?}");
            assert_eq!(again[1], "Error: Already exists");
            assert!(again[2] == "Ok:1: 'a' not found" || again[2] == "Error:1: Node is unavailable", "{again:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        let failing = tree_behind(&directory, &format!("mkdir {} 2>/dev/null && exit 7", mark.display()));
        let replies = all_of(&failing, &["create 1", "create 1", "create 1", "create 2 1"]);
        assert!(replies[0].contains("exit code 7"), "{replies:?}");
        assert!(replies[1].starts_with("Ok: "), "{replies:?}");
        assert_eq!(replies[2], "Error: Already exists");
        assert!(replies[3].starts_with("Ok: "), "{replies:?}");
    });
}

/// F56: no node remains of a create that fails.
#[test]
fn a_create_below_a_parent_that_cannot_take_it_fails_and_leaves_no_process() {
    sandboxed!({
        let tree = tree_of::<Dictionary>(TopologyKind::Tree, SHORT);
        for line in ["create 1", "create 2 1", "create 5"] {
            create(&tree, line);
        }
        let pid = create(&tree, "create 6 5");
        check(
            &tree,
            &[
                ("create 9 77", "Error: Parent not found"),
                ("kill 1", "Ok"),
                ("create 9 1", "Error: Parent is unavailable"),
                ("create 9 2", "Error: Parent is unavailable"),
                ("create 2 1", "Error: Parent is unavailable"),
            ],
        );
        strike(pid, Signal::STOP);
        let begun = Instant::now();
        check(&tree, &[("create 9 6", "Error: Parent is unavailable")]);
        assert!(begun.elapsed() >= SHORT, "it was asked");
        check(&tree, &[("create 9 6", "Error: Parent is unavailable"), ("create 6 5", "Error: Already exists")]);
        check(&tree, &[("all", "Ok: 1 2 5 6"), ("ping 9", "Error: Not found")]);
        if sandbox::is_inside() {
            until("only 5 and 6 are there", || sandbox::others().len() == 2);
        }
        strike(pid, Signal::CONT);
        until("it answers", || say(&tree, "ping 6") == "Ok: 1");
        create(&tree, "create 9 6");
        check(&tree, &[("exec 9 a 1", "Ok:9")]);
    });
}

/// F56: the parent dies while the child is being made. Either it was made, and died, or it was not.
#[test]
fn a_create_below_a_dying_parent_has_one_of_two_outcomes() {
    sandboxed!({
        let tree = tree();
        let mut outcomes = [0, 0];
        for round in 0..60 {
            let pid = create(&tree, "create 1");
            let created = tree.submit_lines(["create 2 1"]).unwrap()[0];
            thread::sleep(Duration::from_micros(150 * round));
            strike(pid, Signal::KILL);
            let reply = tree.wait(created).unwrap().answer.to_string();
            until("the death is known", || say(&tree, "ping 1") == "Ok: 0");
            if reply.starts_with("Ok: ") {
                outcomes[0] += 1;
                check(
                    &tree,
                    &[("ping 2", "Ok: 0"), ("pingall", "Ok: 1;2"), ("remove 2", "Error: Node is unavailable")],
                );
            } else {
                outcomes[1] += 1;
                assert_eq!(reply, "Error: Parent is unavailable");
                let again = say(&tree, "ping 2");
                assert!(again == "Error: Not found" || again == "Ok: 0", "{again}");
            }
            if sandbox::is_inside() {
                until("nobody is left", || sandbox::others().is_empty());
            }
        }
        eprintln!("made and died: {}, not made: {}", outcomes[0], outcomes[1]);
        assert!(stat(getpid()).is_some());
    });
}

/// F57: one reply each, the right text, and no later than the reply timeout.
#[test]
fn an_exec_that_cannot_be_done_says_why() {
    sandboxed!({
        let tree = tree_of::<Dictionary>(TopologyKind::Tree, SHORT);
        for line in ["create 1", "create 2 1", "create 3 2", "create 4"] {
            create(&tree, line);
        }
        let pid = create(&tree, "create 5 4");
        create(&tree, "create 6 5");
        check(&tree, &[("kill 2", "Ok")]);
        strike(pid, Signal::STOP);
        let begun = Instant::now();
        let replies = all_of(
            &tree,
            &["exec 77 a", "exec 2 a", "exec 3 a", "exec 5 a", "exec 6 a 1", "exec 3", "exec 77", "exec 4 !"],
        );
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(
            replies[..7],
            [
                "Error:77: Not found",
                "Error:2: Node is unavailable",
                "Error:3: Node is unavailable",
                "Error:5: Node is unavailable",
                "Error:6: Node is unavailable",
                "Error:3: Node is unavailable",
                "Error:77: Not found"
            ]
        );
        assert!(replies[7].starts_with("Error:4: "), "{replies:?}");
        // It is known by now.
        let begun = Instant::now();
        check(&tree, &[("exec 5 a", "Error:5: Node is unavailable"), ("exec 6 a", "Error:6: Node is unavailable")]);
        eprintln!("a node that is known to be silent is refused after {:?}", begun.elapsed());
        assert_eq!(tree.replies().unwrap().try_iter().count(), 0);
    });
}
