//! Nodes that do not run for a while, or hardly: slow is not dead, silent is not lost, and nothing is answered twice.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nodetree::{Dictionary, NodeTree, TopologyKind};
use rustix::process::{Pid, Signal};

use crate::harness::{PATIENCE, SHORT, check, create, is_stopped, say, strike, tree, tree_of, until};
use crate::sandbox::sandboxed;

fn notices(tree: &NodeTree<Dictionary>) -> Vec<String> {
    tree.notices().try_iter().map(|notice| notice.to_string()).collect()
}

fn now(id: i64) -> String {
    format!("Heartbit: node {id} is unavailable now")
}

fn again(id: i64) -> String {
    format!("Heartbit: node {id} is available again")
}

/// Stops a process for so long; how long it was at most.
fn stop_for(pid: Pid, time: Duration) -> Duration {
    let begun = Instant::now();
    strike(pid, Signal::STOP);
    thread::sleep(time);
    strike(pid, Signal::CONT);
    begun.elapsed()
}

/// F7, I12: less than T, 2T, and more than 5T. About 10 s, most of it asleep.
#[test]
fn a_stop_is_noticed_when_it_is_longer_than_four_periods_and_only_then() {
    sandboxed!({
        const PERIOD: Duration = Duration::from_millis(800);
        let tree = tree();
        create(&tree, "create 1");
        let pid = create(&tree, "create 2 1");
        create(&tree, "create 3 2");
        check(&tree, &[("heartbit 800", "Ok")]);
        for periods in [0.5, 2.0] {
            let stopped = stop_for(pid, PERIOD.mul_f64(periods));
            until("it answers", || say(&tree, "ping 3") == "Ok: 1");
            let came = notices(&tree);
            // On a machine that is so busy it may really have been too long.
            assert!(came.is_empty() || stopped > PERIOD * 3, "{came:?} after {stopped:?}");
        }
        let begun = Instant::now();
        strike(pid, Signal::STOP);
        let mut came = Vec::new();
        until("both are reported", || {
            came.extend(notices(&tree));
            came.len() >= 2
        });
        assert!(begun.elapsed() > PERIOD * 3, "{:?}", begun.elapsed());
        assert_eq!(came.iter().collect::<BTreeSet<_>>(), [&now(2), &now(3)].into());
        thread::sleep(PERIOD);
        assert!(notices(&tree).is_empty(), "once");
        strike(pid, Signal::CONT);
        let mut came = Vec::new();
        until("both are back", || {
            came.extend(notices(&tree));
            came.len() >= 2
        });
        assert_eq!(came.iter().collect::<BTreeSet<_>>(), [&again(2), &again(3)].into());
        thread::sleep(PERIOD);
        assert!(notices(&tree).is_empty(), "once");
    });
}

/// F7: what was answered for a stopped node is not answered again when it goes on, and has happened at most once.
#[test]
fn a_node_that_goes_on_answers_nothing_twice() {
    sandboxed!({
        for stop in [Duration::from_millis(200), Duration::from_millis(1200), Duration::from_millis(2600)] {
            let tree = tree_of::<Dictionary>(TopologyKind::Tree, SHORT);
            create(&tree, "create 1");
            let pid = create(&tree, "create 2 1");
            create(&tree, "create 3 2");
            strike(pid, Signal::STOP);
            let lines: Vec<String> =
                (0..200).map(|at| format!("exec {} name{at} {at}", if at % 2 == 0 { 2 } else { 3 })).collect();
            let tickets = tree.submit_lines(lines.iter().map(String::as_str)).unwrap();
            thread::sleep(stop);
            strike(pid, Signal::CONT);
            let replies: Vec<String> =
                tickets.iter().map(|&ticket| tree.wait(ticket).unwrap().answer.to_string()).collect();
            until("it answers", || say(&tree, "ping 3") == "Ok: 1");
            for (at, reply) in replies.iter().enumerate() {
                let id = if at % 2 == 0 { 2 } else { 3 };
                let holds = say(&tree, &format!("exec {id} name{at}"));
                let (done, not_done) = (format!("Ok:{id}: {at}"), format!("Ok:{id}: 'name{at}' not found"));
                if *reply == format!("Ok:{id}") {
                    assert_eq!(holds, done);
                } else {
                    assert_eq!(*reply, format!("Error:{id}: Node is unavailable"));
                    assert!(holds == done || holds == not_done, "{holds}");
                }
            }
            tree.settle().unwrap();
            assert_eq!(tree.replies().unwrap().try_iter().count(), 0, "nobody asked for more");
        }
    });
}

/// F10, I11: a node that has a tenth of the time is slow, not dead. About 6 s.
#[test]
fn a_slow_node_is_not_a_dead_one() {
    sandboxed!({
        const PERIOD: Duration = Duration::from_millis(400);
        let tree = tree();
        create(&tree, "create 1");
        let pid = create(&tree, "create 2 1");
        create(&tree, "create 3 2");
        check(&tree, &[("heartbit 400", "Ok")]);
        let mut longest = Duration::ZERO;
        thread::scope(|scope| {
            let slowed = scope.spawn(|| {
                let mut longest = Duration::ZERO;
                for _ in 0..12 {
                    longest = longest.max(stop_for(pid, PERIOD));
                    thread::sleep(PERIOD / 9);
                }
                longest
            });
            let mut at = 0;
            while !slowed.is_finished() {
                at += 1;
                check(&tree, &[("ping 3", "Ok: 1"), ("pingall", "Ok: -1")]);
                check(&tree, &[(&format!("exec 2 a {at}"), "Ok:2"), ("exec 2 a", &format!("Ok:2: {at}"))]);
            }
            assert!(at > 3, "it answers meanwhile");
            longest = slowed.join().unwrap();
        });
        let came = notices(&tree);
        assert!(came.is_empty() || longest > PERIOD * 3, "{came:?}; the longest stop was {longest:?}");
        until("it goes on", || !is_stopped(pid));
    });
}

struct Hogs(Vec<Child>);

impl Hogs {
    fn start(count: usize) -> Self {
        let hog = || {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().expect("a busy process")
        };
        Self((0..count).map(|_| hog()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// F11, I11, I27: all are starved, nobody is called dead for it. About 4 s of all cores.
#[test]
fn a_starved_machine_has_slow_nodes_and_no_dead_ones() {
    sandboxed!({
        let tree = tree();
        create(&tree, "create 1");
        for id in 2..=7 {
            create(&tree, &format!("create {id} {}", id / 2));
        }
        check(&tree, &[("heartbit 1000", "Ok"), ("pingall", "Ok: -1")]);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let hogs = Hogs::start(8 * cores);
        let (begun, mut longest, mut asked) = (Instant::now(), Duration::ZERO, 0);
        while begun.elapsed() < Duration::from_secs(3) {
            let sent = Instant::now();
            check(&tree, &[("ping 7", "Ok: 1"), ("pingall", "Ok: -1"), ("exec 6 a 1", "Ok:6")]);
            longest = longest.max(sent.elapsed());
            asked += 3;
        }
        drop(hogs);
        eprintln!("{asked} commands with {} busy processes; three took at most {longest:?}", 8 * cores);
        assert!(longest < PATIENCE);
        let came = notices(&tree);
        assert!(came.is_empty() || longest > Duration::from_secs(3), "{came:?}");
    });
}
