//! A program whose nodes are the program itself, with a command set of its own: one call at the start of `main`. The
//! command set can do what a node must survive in others: compute for long, take memory without end, and crash.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

#[cfg(target_os = "linux")]
#[path = "common/sandbox.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod sandbox;

use std::fmt;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use nodetree::command_sets::{Progress, Request, RequestError, Turn};
use nodetree::modes::process::serve_if_node;
use nodetree::{CommandSet, Mode, NodeTree};

const PATIENCE: Duration = Duration::from_secs(60);

/// `add` answers the sum of what was added, so that what was done is seen. The others do harm.
#[derive(Default)]
struct Mischief {
    sum: u64,
    asked: (String, u64),
}

impl CommandSet for Mischief {
    type Head = (String, u64);
    type Part = ();
    type Output = u64;
    const NAME: &'static str = "mischief";
    const USAGE: &'static str = "exec id add|spin|eat|panic|abort|overflow|slow-panic n";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let (word, number) = text.split_once(' ').ok_or_else(|| RequestError::new("two words"))?;
        let number = number.parse().map_err(RequestError::new)?;
        Ok(Request { head: (word.to_owned(), number), parts: Vec::new() })
    }
    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", request.head.0, request.head.1)
    }
    fn begin(&mut self, head: Self::Head, _: &mut Turn<u64>) -> Result<(), RequestError> {
        self.asked = head;
        Ok(())
    }
    fn finish(&mut self, turn: &mut Turn<u64>) -> Result<Progress, RequestError> {
        let (word, number) = std::mem::take(&mut self.asked);
        match word.as_str() {
            "add" => self.sum += number,
            "spin" => spin(Duration::from_millis(number)),
            "eat" => eat(number),
            "panic" | "slow-panic" => panic!("as it was asked to"),
            "abort" => std::process::abort(),
            "overflow" => drop(overflow(number)),
            _ => return Err(RequestError::new("no such mischief")),
        }
        turn.outputs.push(self.sum);
        Ok(Progress::Done)
    }
    fn long_ns(&self) -> Option<u64> {
        let is_long = ["spin", "slow-panic"].contains(&self.asked.0.as_str());
        is_long.then(|| Duration::from_millis(self.asked.1).as_nanos() as u64)
    }
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        spin_loop();
    }
}

/// Takes so many MiB, one after the other.
fn eat(mebibytes: u64) {
    let all: Vec<Vec<u8>> = (0..mebibytes).map(|_| vec![1; 1 << 20]).collect();
    black_box(all);
}

/// Goes on until there is no stack left.
fn overflow(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    if black_box(true) { overflow(depth + 1) + room[0] } else { room[1] }
}

fn tree() -> NodeTree<Mischief> {
    NodeTree::builder().mode(Mode::Process).reply_timeout(PATIENCE).start().expect("a process system starts")
}

#[track_caller]
fn check(tree: &NodeTree<Mischief>, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(tree.line(line).unwrap(), *reply, "to {line}");
    }
}

fn create(tree: &NodeTree<Mischief>, line: &str) -> i32 {
    let reply = tree.line(line).unwrap();
    reply.strip_prefix("Ok: ").and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("to {line}: {reply}"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// 2 stands between 1 and 3, 4 beside it.
fn four(tree: &NodeTree<Mischief>) -> i32 {
    create(tree, "create 1");
    let pid = create(tree, "create 2 1");
    create(tree, "create 3 2");
    create(tree, "create 4 1");
    pid
}

/// The program that runs is the one that its nodes run.
#[cfg(target_os = "linux")]
fn the_program_serves_as_its_own_nodes() {
    sandbox::sandboxed!({
        let tree = tree();
        let pid = four(&tree);
        check(&tree, &[("exec 3 add 5", "Ok:3: 5"), ("exec 3 add 6", "Ok:3: 11"), ("exec 2 add 1", "Ok:2: 1")]);
        let of = |pid: String| fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        assert_eq!(of(pid.to_string()), of("self".to_owned()));
    });
}

/// Also where they were started before it was known which nodes they would be.
#[cfg(target_os = "linux")]
fn the_program_waits_to_become_its_own_nodes() {
    sandbox::sandboxed!({
        let builder = NodeTree::<Mischief>::builder().mode(Mode::Process).reply_timeout(PATIENCE);
        let tree = builder.spare_processes(1).start().expect("a process system starts");
        for (create_it, add, sum) in
            [("create 1", "exec 1 add 5", "Ok:1: 5"), ("create 2 1", "exec 2 add 6", "Ok:2: 6")]
        {
            until("one stands by", || tree.spare_processes().len() == 1);
            let spare = tree.spare_processes()[0];
            assert_eq!(create(&tree, create_it).unsigned_abs(), spare);
            check(&tree, &[(add, sum)]);
        }
    });
}

/// F9: a node that computes for long is busy, not down; it forwards and can be killed.
#[cfg(target_os = "linux")]
fn a_node_that_computes_for_long_answers_ping_and_can_be_killed() {
    sandbox::sandboxed!({
        let tree = tree();
        let pid = four(&tree);
        check(&tree, &[("heartbit 200", "Ok")]);
        let long = tree.submit_lines(["exec 2 spin 600000", "exec 2 add 1"]).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1500) {
            check(&tree, &[("ping 2", "Ok: 1"), ("exec 3 add 0", "Ok:3: 0"), ("pingall", "Ok: -1")]);
        }
        assert_eq!(tree.notices().try_iter().count(), 0);
        check(&tree, &[("kill 2", "Ok"), ("ping 3", "Ok: 0"), ("exec 4 add 1", "Ok:4: 1")]);
        for ticket in long {
            assert_eq!(tree.wait(ticket).unwrap().answer.to_string(), "Error:2: Node is unavailable");
        }
        until("it is reaped", || !fs::exists(format!("/proc/{pid}")).unwrap());
        create(&tree, "create 2 1");
        check(&tree, &[("exec 2 spin 300", "Ok:2: 0"), ("exec 2 add 2", "Ok:2: 2")]);
    });
}

/// F12: an allocation that the kernel refuses is the death of that node and of nobody else. The nodes are likelier to
/// be chosen, when the kernel looks for memory, than the control node.
#[cfg(target_os = "linux")]
fn a_node_that_takes_too_much_memory_dies_alone() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    sandbox::sandboxed!({
        let tree = tree();
        let pid = four(&tree);
        check(&tree, &[("exec 3 add 3", "Ok:3: 3"), ("exec 4 add 4", "Ok:4: 4"), ("exec 2 eat 10", "Ok:2: 0")]);
        let limit = Some(600 << 20);
        prlimit(Pid::from_raw(pid), Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
        check(&tree, &[("exec 2 eat 4096", "Error:2: Node is unavailable")]);
        until("it is reaped", || !fs::exists(format!("/proc/{pid}")).unwrap());
        check(&tree, &[("ping 3", "Ok: 0"), ("exec 4 add 0", "Ok:4: 4"), ("exec 1 add 0", "Ok:1: 0")]);
        let pid = create(&tree, "create 2 1");
        check(&tree, &[("exec 2 eat 50", "Ok:2: 0"), ("pingall", "Ok: 3")]);
        let score = |pid: &str| fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse::<i32>();
        let (own, of_node) = (score("self").unwrap(), score(&pid.to_string()).unwrap());
        assert!(of_node > own || own == 1000, "{of_node}, the control node's is {own}");
    });
}

/// F19: a panic, also on the pool of threads, an abort, a stack that is full.
#[cfg(target_os = "linux")]
fn a_command_set_that_crashes_takes_its_node_and_nobody_else() {
    sandbox::sandboxed!({
        let tree = tree();
        let mut pid = four(&tree);
        check(&tree, &[("exec 4 add 4", "Ok:4: 4"), ("exec 2 fly 1", "Error:2: no such mischief")]);
        for crash in ["panic 0", "slow-panic 1", "abort 0", "overflow 0"] {
            let lines = ["exec 2 add 1", &format!("exec 2 {crash}"), "exec 2 add 1", "exec 3 add 1", "exec 4 add 0"];
            let tickets = tree.submit_lines(lines).unwrap();
            let replies: Vec<String> =
                tickets.into_iter().map(|ticket| tree.wait(ticket).unwrap().answer.to_string()).collect();
            let unavailable = "Error:2: Node is unavailable";
            assert_eq!([&replies[1], &replies[2]], [unavailable, unavailable], "{crash}");
            // A reply that has not left its process when that crashes is lost with it.
            assert!(replies[0] == "Ok:2: 1" || replies[0] == unavailable, "{crash}: {replies:?}");
            assert!(["Ok:3: 1", "Error:3: Node is unavailable"].contains(&replies[3].as_str()), "{crash}: {replies:?}");
            assert_eq!(replies[4], "Ok:4: 4", "{crash}");
            until("it is reaped", || !fs::exists(format!("/proc/{pid}")).unwrap());
            check(&tree, &[("pingall", "Ok: 2;3"), ("ping 1", "Ok: 1")]);
            pid = create(&tree, "create 2 1");
            create(&tree, "create 3 2");
            check(&tree, &[("exec 2 add 0", "Ok:2: 0"), ("pingall", "Ok: -1")]);
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    serve_if_node::<Mischief>();
    macro_rules! trials {
        ($($test:ident),* $(,)?) => {
            vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
        };
    }
    let trials = trials![
        the_program_serves_as_its_own_nodes,
        the_program_waits_to_become_its_own_nodes,
        a_node_that_computes_for_long_answers_ping_and_can_be_killed,
        a_node_that_takes_too_much_memory_dies_alone,
        a_command_set_that_crashes_takes_its_node_and_nobody_else,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
