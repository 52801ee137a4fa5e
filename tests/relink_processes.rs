//! A change of a tree of processes is hit by a kill, or by a stop, of each node that has a part in it, at each of its
//! steps: the tree is the old one or the new one, whoever is not below the fault keeps what he holds, and everybody is
//! answered once.
//!
//! The steps are the messages that the node gets, each before it has taken effect, after it has and before anything of
//! it has left the process, and when all of it has left. `tests/relink.rs` does the same in simulated mode, at more
//! moments and with more seeds. Here the processes do themselves harm: see `src/modes/process/fail_point.rs`.
#![cfg(target_os = "linux")]

#[path = "common/sandbox.rs"]
mod sandbox;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sandbox::sandboxed;

struct Case {
    name: &'static str,
    topology: &'static str,
    /// In the order in which they are created, each with what is typed for its parent; one has no part in the change.
    nodes: &'static [(i64, &'static str)],
    change: &'static str,
    /// Those that have a part in it.
    participants: &'static [i64],
}

const CASES: [Case; 6] = [
    Case {
        name: "the middle of a list",
        topology: "list",
        nodes: &[(1, ""), (2, "1"), (3, "2"), (4, "3"), (9, "")],
        change: "remove 2",
        participants: &[1, 2, 3],
    },
    Case {
        name: "before a live follower",
        topology: "list",
        nodes: &[(1, ""), (2, "1"), (3, "2"), (9, "")],
        change: "create 5 1",
        participants: &[1, 2, 5],
    },
    Case {
        name: "an inner node of a tree",
        topology: "tree",
        nodes: &[(1, ""), (2, "1"), (3, "2"), (4, "2"), (5, "3"), (9, "1")],
        change: "remove 2",
        participants: &[1, 2, 3, 4],
    },
    Case {
        name: "a search tree's node with one child",
        topology: "bst",
        nodes: &[(50, ""), (20, ""), (10, ""), (5, ""), (70, "")],
        change: "remove 20",
        participants: &[50, 20, 10],
    },
    Case {
        name: "a search tree's node with two children and a deep successor",
        topology: "bst",
        nodes: &[(90, ""), (50, ""), (20, ""), (80, ""), (60, ""), (65, ""), (95, "")],
        change: "remove 50",
        participants: &[90, 50, 20, 80, 60, 65],
    },
    Case {
        name: "a balanced tree's node, replaced from elsewhere",
        topology: "balanced",
        nodes: &[(1, ""), (2, ""), (3, ""), (4, ""), (5, ""), (6, ""), (7, "")],
        change: "remove 2",
        participants: &[1, 2, 3, 4, 6, 7],
    },
];

/// What a node may get during a change; the number says how often.
const STEPS: [(&str, usize); 7] =
    [("Ask", 1), ("Link", 2), ("Switch", 1), ("Drain", 1), ("Marker", 1), ("Unlink", 1), ("Stop", 1)];

const MOMENTS: [&str; 3] = ["before", "after", "sent"];

/// How many systems run at the same time; those with a stopped node wait most of the time.
const AT_ONCE: usize = 6;
const STOPPED_AT_ONCE: usize = 16;

/// Where a node does itself harm.
#[derive(Clone, Debug)]
struct Fault {
    node: i64,
    kind: &'static str,
    number: usize,
    when: &'static str,
    action: &'static str,
}

/// The lines of the drawing without pids, and who is drawn as down.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Drawing {
    shape: Vec<String>,
    down: BTreeSet<i64>,
}

/// What one system said.
struct Said {
    change: String,
    /// The answers to what was under way during the change.
    meanwhile: Vec<String>,
    /// The answer to the `kill` or `resume` of the faulty node.
    afterwards: String,
    pingall: String,
    loads: Vec<String>,
    drawing: Drawing,
}

impl Drawing {
    fn read(lines: &[&str]) -> Self {
        let (mut shape, mut down) = (Vec::new(), BTreeSet::new());
        for line in &lines[1..] {
            let node = line.split(" (").next().unwrap_or_default();
            if line.ends_with(" down") {
                down.extend(id_in(node));
            }
            shape.push(if id_in(node).is_some() { node } else { line }.to_owned());
        }
        Self { shape, down }
    }

    fn ids(&self) -> BTreeSet<i64> {
        self.shape.iter().filter_map(|line| id_in(line)).collect()
    }

    /// The node and all below it, as they are drawn.
    fn at_or_below(&self, id: i64) -> BTreeSet<i64> {
        let level = |line: &String| line.chars().take_while(|character| !character.is_ascii_digit()).count();
        let Some(at) = self.shape.iter().position(|line| id_in(line) == Some(id)) else { return BTreeSet::new() };
        let below = self.shape[at + 1..].iter().take_while(|line| level(line) > level(&self.shape[at]));
        below.chain([&self.shape[at]]).filter_map(|line| id_in(line)).collect()
    }
}

fn id_in(node: &str) -> Option<i64> {
    node.rsplit(' ').next()?.parse().ok()
}

impl Case {
    /// Everything that is typed, in six parts, and how many lines come of each but the last.
    fn script(&self, fault: Option<&Fault>) -> Vec<(String, usize)> {
        let each = |line: &dyn Fn(i64) -> String| -> (String, usize) {
            (self.nodes.iter().map(|(id, _)| line(*id)).collect::<Vec<_>>().join("\n"), self.nodes.len())
        };
        let creates = self.nodes.iter().map(|(id, parent)| format!("create {id} {parent}")).collect::<Vec<_>>();
        let (execs, count) = each(&|id| format!("exec {id} w {id}\nexec {id} v"));
        let harm = fault.map_or("all".to_owned(), |fault| match fault.action {
            "kill" => format!("kill {}", fault.node),
            _ => format!("resume {}", fault.node),
        });
        let (loads, loaded) = each(&|id| format!("exec {id} v"));
        vec![
            (creates.join("\n"), self.nodes.len()),
            each(&|id| format!("exec {id} v {id}")),
            (format!("{}\n{execs}", self.change), 1 + 2 * count),
            (harm, 1),
            (format!("pingall\n{loads}"), 1 + loaded),
            ("tree".to_owned(), 0),
        ]
    }

    fn run(&self, fault: Option<&Fault>) -> Said {
        let mut program = Command::new(env!("CARGO_BIN_EXE_nodetree"));
        program.args(["--mode", "process", "--topology", self.topology, "--reply-timeout"]);
        // Whoever was stopped lets it pass; a death is known without it.
        program.arg(if fault.is_some_and(|fault| fault.action == "stop") { "2s" } else { "60s" });
        if let Some(Fault { node, kind, number, when, action }) = fault {
            program.env("NODETREE_FAIL_POINTS", format!("{node} {kind} {number} {when} {action}"));
        }
        let mut program =
            program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let script = self.script(fault);
        let typed = script.iter().map(|(lines, _)| lines.as_str()).collect::<Vec<_>>().join("\nwait\n");
        program.stdin.take().expect("a pipe").write_all(format!("{typed}\n").as_bytes()).expect("it reads");
        let mut all = String::new();
        program.stdout.take().expect("a pipe").read_to_string(&mut all).expect("it writes");
        assert!(program.wait().expect("it ends").success());
        self.read(&script, &all)
    }

    fn read(&self, script: &[(String, usize)], all: &str) -> Said {
        let mut lines = all.lines();
        let mut parts = script.iter().map(|(_, count)| {
            let part: Vec<&str> = lines.by_ref().take(*count).collect();
            let waited = if *count == 0 { Some("Ok") } else { lines.next() };
            assert!(part.len() == *count && waited == Some("Ok"), "not one reply for each command:\n{all}");
            part
        });
        let [_, _, meanwhile, afterwards, loads, _] = [(); 6].map(|()| parts.next().expect("six parts"));
        drop(parts);
        let is_exec = |line: &&str| {
            line.starts_with("Ok:") && !line.starts_with("Ok: ")
                || line.starts_with("Error:") && !line.starts_with("Error: ")
        };
        let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let (execs, change): (Vec<_>, Vec<_>) = meanwhile.into_iter().partition(is_exec);
        let (loads, pingall): (Vec<_>, Vec<_>) = loads.into_iter().partition(is_exec);
        assert!(change.len() == 1 && pingall.len() == 1, "{all}");
        Said {
            change: change[0].to_owned(),
            meanwhile: owned(execs),
            afterwards: afterwards[0].to_owned(),
            pingall: pingall[0].to_owned(),
            loads: owned(loads),
            drawing: Drawing::read(&lines.collect::<Vec<_>>()),
        }
    }

    /// How many links a node is given before the change: to its parent, and to each child.
    fn links_before(&self, node: i64, old: &Drawing) -> usize {
        let level = |line: &String| line.chars().take_while(|character| !character.is_ascii_digit()).count();
        let Some(at) = old.shape.iter().position(|line| id_in(line) == Some(node)) else { return 0 };
        let own = level(&old.shape[at]);
        let below = old.shape[at + 1..].iter().take_while(|line| level(line) > own);
        1 + below.filter(|line| level(line) == own + 4 && id_in(line).is_some()).count()
    }

    fn faults(&self, action: &'static str, old: &Drawing) -> Vec<Fault> {
        let mut faults = Vec::new();
        for &node in self.participants {
            for (kind, times) in STEPS {
                let earlier = if kind == "Link" { self.links_before(node, old) } else { 0 };
                for number in 1..=times {
                    for when in MOMENTS {
                        faults.push(Fault { node, kind, number: earlier + number, when, action });
                    }
                }
            }
        }
        faults
    }

    /// Judges what a system said in which `fault` was to come; whether it has come.
    fn judge(&self, fault: &Fault, said: &Said, old: &Drawing, new: &Drawing) -> Result<bool, String> {
        let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        let drawing = &said.drawing;
        let done = said.change.starts_with("Ok");
        let expected = if done { new } else { old };
        ensure(
            drawing.shape == expected.shape,
            "the tree is neither the old one nor the new one, or not what was said",
        )?;
        let is_dead = fault.action == "kill";
        let down = if is_dead { drawing.at_or_below(fault.node) } else { BTreeSet::new() };
        ensure(drawing.down == down, "somebody else is down, or who was hit is not")?;
        let named = down.iter().map(i64::to_string).collect::<Vec<_>>().join(";");
        let named = if down.is_empty() { "-1".to_owned() } else { named };
        ensure(said.pingall == format!("Ok: {named}"), "pingall says something else")?;
        for (id, _) in self.nodes {
            let load = if !drawing.ids().contains(id) {
                format!("Error:{id}: Not found")
            } else if down.contains(id) {
                format!("Error:{id}: Node is unavailable")
            } else {
                format!("Ok:{id}: {id}")
            };
            ensure(said.loads.contains(&load), &format!("after it: {load} was expected"))?;
            let prefix = format!(":{id}");
            let answers = said.meanwhile.iter().filter(|line| {
                line.split_once(':').is_some_and(|(_, rest)| format!(":{rest}").split(": ").next() == Some(&prefix))
            });
            ensure(answers.count() == 2, &format!("not two answers of {id} during the change"))?;
        }
        // A node that has not done itself harm is killed by hand, and resumed without need.
        Ok(said.afterwards != "Ok" || !is_dead)
    }
}

/// Tries all faults of one kind in one case, several at once; how many have come.
fn try_all(case: &Case, action: &'static str, at_once: usize, every: usize) -> usize {
    let old = {
        let unchanged = Case { change: "ping 9", ..*case };
        unchanged.run(None).drawing
    };
    let new = case.run(None).drawing;
    assert_ne!(old.shape, new.shape, "{}: nothing has changed", case.name);
    let faults: Vec<Fault> = case.faults(action, &old).into_iter().step_by(every).collect();
    let (next, come) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = case.run(Some(fault));
                    match case.judge(fault, &said, &old, &new) {
                        Ok(has_come) => drop(come.fetch_add(usize::from(has_come), Ordering::Relaxed)),
                        Err(what) => panic!(
                            "{}, {fault:?}: {what}\n{}\n{:?}\n{:?}\n{}\n{}\n{:?}",
                            case.name,
                            said.change,
                            said.meanwhile,
                            said.loads,
                            said.afterwards,
                            said.pingall,
                            said.drawing
                        ),
                    }
                }
            });
        }
    });
    come.into_inner()
}

#[test]
fn a_kill_at_each_step_leaves_the_old_tree_or_the_new_one() {
    sandboxed!({
        for case in &CASES {
            let come = try_all(case, "kill", AT_ONCE, 1);
            println!("{}: {come} deaths", case.name);
            assert!(come >= 10, "{}: only {come} of the deaths have come", case.name);
        }
    });
}

#[test]
fn a_stop_at_each_step_leaves_the_old_tree_or_the_new_one() {
    sandboxed!({
        for case in &CASES {
            try_all(case, "stop", STOPPED_AT_ONCE, 3);
        }
    });
}
