//! kill -9 from outside: who is hit, who is not, and when it is known.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nodetree::{Dictionary, NodeTree, TopologyKind};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{
    Chance, Drawn, PATIENCE, all_of, check, create, down, drawn, entries, is_gone, is_stopped, median, say, stat,
    strike, tree, tree_of, until, with_below,
};
use crate::sandbox::{self, sandboxed};

const IDS: [i64; 14] = [50, 25, 75, 10, 30, 60, 90, 5, 15, 27, 40, 55, 65, 99];

/// In a list three chains; in a tree three roots, the first with two levels below it.
fn parent(topology: TopologyKind, at: usize) -> i64 {
    match (topology, at) {
        (_, 0..=2) => -1,
        (TopologyKind::List, _) => IDS[at - 3],
        _ => IDS[(at - 3) / 2],
    }
}

fn plant(topology: TopologyKind) -> NodeTree<Dictionary> {
    let tree = tree_of(topology, PATIENCE);
    for (at, id) in IDS.iter().enumerate() {
        create(&tree, &format!("create {id} {}", parent(topology, at)));
    }
    fill(&tree, &IDS.into());
    tree
}

fn fill(tree: &NodeTree<Dictionary>, ids: &BTreeSet<i64>) {
    for id in ids {
        check(tree, &[(&format!("exec {id} mine {id}"), &format!("Ok:{id}"))]);
    }
}

fn pids_of(nodes: &[Drawn], ids: &BTreeSet<i64>) -> Vec<Pid> {
    nodes.iter().filter(|node| ids.contains(&node.id)).map(|node| node.pid.expect("it is up")).collect()
}

/// Kills nodes from outside. What is below them is gone, all others answer and hold what they held.
fn kill_and_look(tree: &NodeTree<Dictionary>, victims: &[i64]) -> BTreeSet<i64> {
    let nodes = drawn(tree);
    let dead = with_below(&nodes, victims);
    for pid in pids_of(&nodes, &victims.iter().copied().collect()) {
        // Whoever stands below another victim may have ended already.
        let _ = kill_process(pid, Signal::KILL);
    }
    let pids = pids_of(&nodes, &dead);
    until("everybody below is reaped", || pids.iter().all(|&pid| is_gone(pid)));
    until("the deaths are known", || say(tree, "pingall") == down(&dead));
    for Drawn { id, .. } in &nodes {
        let (ping, exec) = (say(tree, &format!("ping {id}")), say(tree, &format!("exec {id} mine")));
        let expected = if dead.contains(id) {
            ("Ok: 0".to_owned(), format!("Error:{id}: Node is unavailable"))
        } else {
            ("Ok: 1".to_owned(), format!("Ok:{id}: {id}"))
        };
        assert_eq!((ping, exec), expected, "node {id} after the death of {victims:?}");
    }
    dead
}

fn create_again(tree: &NodeTree<Dictionary>, dead: &BTreeSet<i64>) {
    for node in drawn(tree).iter().filter(|node| dead.contains(&node.id)) {
        create(tree, &format!("create {} {}", node.id, node.parent));
        let id = node.id;
        check(tree, &[(&format!("exec {id} mine"), &format!("Ok:{id}: 'mine' not found"))]);
    }
    fill(tree, dead);
    check(tree, &[("pingall", "Ok: -1")]);
}

/// F1: a leaf, an inner node, several at once. F2: a root.
#[test]
fn who_is_not_below_a_killed_node_answers_as_before() {
    sandboxed!({
        let mut chance = Chance::new(2026);
        for topology in TopologyKind::ALL {
            let tree = plant(topology);
            let nodes = drawn(&tree);
            let is_parent = |id: i64| nodes.iter().any(|node| node.parent == id);
            let leaf = nodes.iter().find(|node| !is_parent(node.id)).expect("a leaf").id;
            let inner = nodes.iter().find(|node| node.parent != -1 && is_parent(node.id)).expect("an inner node").id;
            let root = nodes.iter().find(|node| node.parent == -1 && is_parent(node.id)).expect("a root").id;
            let some: Vec<i64> = (0..4).map(|_| chance.pick(&IDS)).collect::<BTreeSet<_>>().into_iter().collect();
            for victims in [vec![leaf], vec![inner], vec![root], some] {
                let dead = kill_and_look(&tree, &victims);
                create_again(&tree, &dead);
            }
        }
    });
}

/// F1, I10, I12: the specification promises 100 ms for a death from outside, and that siblings answer no slower.
#[test]
fn a_death_from_outside_is_known_soon_and_siblings_do_not_feel_it() {
    sandboxed!({
        let tree = tree();
        let ping = |id: i64| {
            let begun = Instant::now();
            (say(&tree, &format!("ping {id}")), begun.elapsed())
        };
        let (mut quiet, mut known, mut meanwhile) = (Vec::new(), Vec::new(), Vec::new());
        create(&tree, "create 1");
        create(&tree, "create 3 1");
        for _ in 0..60 {
            let pid = create(&tree, "create 2 1");
            create(&tree, "create 4 2");
            quiet.push(ping(3).1);
            strike(pid, Signal::KILL);
            let killed = Instant::now();
            loop {
                let (reply, took) = ping(3);
                assert_eq!(reply, "Ok: 1");
                meanwhile.push(took);
                if ping(4).0 == "Ok: 0" {
                    break known.push(killed.elapsed());
                }
            }
        }
        let (quiet, known, meanwhile) = (median(quiet), median(known), median(meanwhile));
        eprintln!("known after {known:?}; a sibling's ping {quiet:?}, meanwhile {meanwhile:?} (medians)");
        assert!(known <= Duration::from_millis(100), "{known:?}");
        assert!(meanwhile <= quiet + Duration::from_millis(50), "{meanwhile:?}, before {quiet:?}");
    });
}

/// F18: each command gets its one reply, and only one of two kills or removals happens.
#[test]
fn what_is_killed_or_removed_twice_is_so_once() {
    sandboxed!({
        let tree = tree();
        for _ in 0..20 {
            create(&tree, "create 1");
            create(&tree, "create 2 1");
            assert_eq!(all_of(&tree, &["kill 1", "kill 1", "kill 2"]), ["Ok", UNAVAILABLE, UNAVAILABLE]);
            create(&tree, "create 1");
            create(&tree, "create 2 1");
            assert_eq!(all_of(&tree, &["remove 2", "remove 2"]), ["Ok", "Error: Not found"]);
            assert_eq!(all_of(&tree, &["remove 1", "remove 1"]), ["Ok", "Error: Not found"]);
        }
    });
}

const UNAVAILABLE: &str = "Error: Node is unavailable";

/// F18: the kernel and a command kill the same node; whoever comes second finds it dead.
#[test]
fn a_kill_of_a_dying_node_has_one_reply() {
    sandboxed!({
        let tree = tree();
        let mut replies = BTreeSet::new();
        for round in 0..40 {
            let pid = create(&tree, "create 1");
            create(&tree, "create 2 1");
            strike(pid, Signal::KILL);
            // The death is somewhere between the kernel and the control node.
            thread::sleep(Duration::from_micros(100 * round));
            let came = all_of(&tree, &["kill 1", "kill 2", "remove 2", "ping 1"]);
            assert!(["Ok", UNAVAILABLE].contains(&came[0].as_str()), "{came:?}");
            assert_eq!(came[1..], [UNAVAILABLE, UNAVAILABLE, "Ok: 0"]);
            replies.insert(came[0].clone());
        }
        eprintln!("kill of a dying node was answered {replies:?}");
    });
}

/// F16: a process that has got the pid of a dead node is none of ours. Needs a pid namespace and the right to say which
/// pid is next.
#[test]
fn a_stranger_with_the_pid_of_a_dead_node_gets_no_signal() {
    sandboxed!({
        const NEXT: &str = "/proc/sys/kernel/ns_last_pid";
        if !sandbox::is_inside() || fs::OpenOptions::new().write(true).open(NEXT).is_err() {
            return sandbox::skip("F16", "pids cannot be chosen here");
        }
        let tree = tree();
        create(&tree, "create 1");
        let pid = create(&tree, "create 2 1");
        create(&tree, "create 3 2");
        strike(pid, Signal::STOP);
        check(&tree, &[("pause 2", "Ok")]);
        strike(pid, Signal::KILL);
        until("it is reaped", || is_gone(pid));
        let mut stranger = stranger_as(pid, NEXT);
        for (line, reply) in [("kill 2", UNAVAILABLE), ("pause 2", UNAVAILABLE), ("remove 2", UNAVAILABLE)] {
            check(&tree, &[(line, reply), ("ping 2", "Ok: 0"), ("kill 3", UNAVAILABLE)]);
        }
        assert_ne!(create(&tree, "create 2"), pid);
        check(&tree, &[("resume 2", "Ok"), ("kill 2", "Ok"), ("kill 1", "Ok")]);
        drop(tree);
        assert_eq!(stranger.try_wait().unwrap(), None, "it runs");
        assert!(!is_stopped(pid));
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    });
}

fn stranger_as(pid: Pid, next: &str) -> std::process::Child {
    for _ in 0..100 {
        let before = (pid.as_raw_pid() - 1).to_string();
        fs::OpenOptions::new().write(true).open(next).unwrap().write_all(before.as_bytes()).unwrap();
        let mut command = Command::new("sleep");
        let mut child = command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        if Pid::from_child(&child) == pid {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("nobody got the pid {pid:?}");
}

/// F17: 1 000 ends, which the kernel may tell in one signal. About 10 s.
#[test]
fn a_thousand_nodes_that_die_at_once_are_all_reaped() {
    sandboxed!({
        let tree = tree();
        create(&tree, "create 0");
        let lines: Vec<String> =
            (1..=1000).map(|id| format!("create {id} {}", if id % 2 == 0 { 0 } else { -1 })).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(all_of(&tree, &lines).iter().all(|reply| reply.starts_with("Ok: ")));
        let own = rustix::process::getpid();
        let before = entries(own, "fd");
        let pids: Vec<Pid> = drawn(&tree).iter().filter(|node| node.id != 0).filter_map(|node| node.pid).collect();
        assert_eq!(pids.len(), 1000);
        let begun = Instant::now();
        pids.iter().for_each(|&pid| strike(pid, Signal::KILL));
        let killed = begun.elapsed();
        until("all are reaped", || pids.iter().all(|&pid| is_gone(pid)));
        let reaped = begun.elapsed() - killed;
        eprintln!("1 000 kills took {killed:?}, all were reaped {reaped:?} later");
        assert!(reaped < Duration::from_secs(3), "a zombie is to be at most 1 s old: {reaped:?}");
        until("all are known to be dead", || say(&tree, "pingall") == down(&(1..=1000).collect()));
        check(&tree, &[("ping 0", "Ok: 1"), ("exec 0 a 1", "Ok:0"), ("ping 777", "Ok: 0")]);
        until("all descriptors are closed", || entries(own, "fd") + 1000 <= before);
        assert!(stat(own).is_some());
    });
}
