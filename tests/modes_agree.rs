//! The same script gives the same replies in every mode, where the replies are determined: pids and times aside, and
//! the replies of different nodes in any order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use nodetree::Mode;
use nodetree::testing::many::{Many, named_script};
use nodetree::testing::oracle::{Commands, Happened, Topology};
use nodetree::testing::runner::{Setup, record};
use nodetree::testing::script::{Script, Step, fault_free_script, script};
use proptest::prelude::*;
use proptest::sample::select;

/// A silent node is waited for, and a node that is well must not be taken for one on a busy machine.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// Nothing depends on how long a script waits, so it waits a little.
const LONGEST_WAIT_MS: u64 = 5;

/// How often a script with pauses may wait for a reply timeout, about.
const MOST_PAUSES: usize = 2;

fn word(step: &Step) -> &str {
    step.text.split(['\n', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or("")
}

fn with_short_waits(mut script: Script) -> Script {
    for step in script.steps.iter_mut().filter(|step| word(step) == "wait") {
        if let Some(ms) = step.text.strip_prefix("wait ").and_then(|ms| ms.parse::<u64>().ok()) {
            step.text = format!("wait {}", ms.min(LONGEST_WAIT_MS));
        }
    }
    script
}

/// Nobody is silent here: a node is killed when everything before has been answered.
fn with_kills(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    script(topology, commands).prop_map(|mut script| {
        script.steps.retain(|step| !matches!(word(step), "pause" | "resume"));
        Script { one_write: false, ..script }
    })
}

/// An exec that is answered `Node is unavailable` may take effect later, or not: so only where execs leave nothing
/// behind. And whether beats or a question are first to find a node silent is a matter of time: so no beats.
fn with_pauses(topology: Topology) -> impl Strategy<Value = Script> {
    let stateless = select(vec![Commands::Sum, Commands::Search]);
    stateless.prop_flat_map(move |commands| script(topology, commands)).prop_map(|mut script| {
        let mut pauses = 0;
        script.steps.retain(|step| match word(step) {
            "heartbit" | "heartbeat" => false,
            "pause" => {
                pauses += 1;
                pauses <= MOST_PAUSES
            }
            _ => true,
        });
        script.steps.truncate(24);
        Script { one_write: false, ..script }
    })
}

fn determined() -> impl Strategy<Value = Script> {
    let systems = (select(Topology::ALL.to_vec()), select(Commands::ALL.to_vec()));
    let scripts = systems.prop_flat_map(|(topology, commands)| {
        prop_oneof![
            3 => fault_free_script(topology, commands),
            3 => with_kills(topology, commands),
            1 => with_pauses(topology),
        ]
    });
    scripts.prop_map(with_short_waits)
}

/// What came, in the order in which it must come: of each node's execs in theirs, of everything else by command.
#[derive(Debug, PartialEq)]
struct Replies {
    execs: BTreeMap<String, Vec<(u64, String)>>,
    others: BTreeMap<u64, String>,
}

/// The reply without what differs from mode to mode: pids, and what a clock shows.
fn plain(typed: &str, reply: &str) -> String {
    let words: Vec<&str> = typed.split_whitespace().collect();
    match words[..] {
        ["create", ..] if reply.starts_with("Ok: ") => "Ok: <pid>".to_owned(),
        ["exec", id, "time"] if reply.starts_with("Ok:") => format!("Ok:{id}: <ms>"),
        ["tree"] => reply.lines().map(without_pid).collect::<Vec<_>>().join("\n"),
        _ => reply.to_owned(),
    }
}

fn without_pid(line: &str) -> String {
    match line.split_once(" (") {
        Some((node, rest)) if !rest.starts_with("-)") => {
            format!("{node} (<pid>){}", rest.split_once(')').map_or("", |(_, behind)| behind))
        }
        _ => line.to_owned(),
    }
}

fn replies(setup: &Setup, script: &Script) -> Result<Replies, String> {
    let (history, _) = record(setup, script).map_err(|error| format!("{}: {error}", setup.mode))?;
    let (mut typed, mut replies) = (BTreeMap::new(), Replies { execs: BTreeMap::new(), others: BTreeMap::new() });
    for event in history {
        match event.what {
            Happened::Submitted { command, text } => drop(typed.insert(command, text)),
            Happened::Replied { command, text } => {
                let line = typed.get(&command).map_or("", String::as_str);
                let plain = plain(line, &text);
                match line.split_whitespace().collect::<Vec<_>>()[..] {
                    ["exec", id, ..] => replies.execs.entry(id.to_owned()).or_default().push((command, plain)),
                    _ => drop(replies.others.insert(command, plain)),
                }
            }
            _ => {}
        }
    }
    Ok(replies)
}

fn setups() -> [Setup; 3] {
    let real = |setup: Setup| Setup { reply_timeout: REPLY_TIMEOUT, ..setup };
    let processes = Setup::process(env!("CARGO_BIN_EXE_nodetree"));
    [real(Setup::simulated(2026)), real(Setup::threads()), real(processes)]
}

fn agree(script: &Script) -> Result<usize, String> {
    let [simulated, others @ ..] = setups();
    let expected = replies(&simulated, script)?;
    for setup in &others {
        let came = replies(setup, script)?;
        if came != expected {
            return Err(format!("{}\n{}", difference(&expected, &came, setup.mode), script));
        }
    }
    Ok(expected.others.len() + expected.execs.values().map(Vec::len).sum::<usize>())
}

/// The first of each kind; all of them would be two pages.
fn difference(expected: &Replies, came: &Replies, mode: Mode) -> String {
    let other = expected.others.iter().find(|(command, reply)| came.others.get(command) != Some(reply));
    let other = other.map(|(command, reply)| (command, reply, came.others.get(command)));
    let exec = expected.execs.iter().find(|(node, replies)| came.execs.get(*node) != Some(replies));
    let exec = exec.map(|(node, replies)| (node, replies, came.execs.get(node)));
    format!("simulated and {mode} differ, first what was simulated: command {other:#?}, execs of node {exec:#?}")
}

/// Several systems at once, since most of it is waiting. More of them, and others:
/// `NODETREE_CASES=1000 cargo test --test modes_agree`.
#[test]
fn the_same_script_gives_the_same_replies_in_every_mode() {
    let many = Many {
        at_once: 8,
        cases: 160,
        seed: 3_141,
        replay: "cargo test --test modes_agree a_script_of_a_file",
        folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    if let Err(error) = many.check(determined, |script| agree(script).map(drop)) {
        panic!("{error}");
    }
}

/// The one that `NODETREE_SCRIPT` names; else one with everything in it.
#[test]
fn a_script_of_a_file_gives_the_same_replies_in_every_mode() {
    const ALL: &str = "\
# topology: tree\n# commands: sum\n# one-write: false
create 5\ncreate 3 5\ncreate 8 5\ncreate 9 8\nexec 9 2 1 2\nfly 1\ncreate 3\nping 3\nkill 3\ntree\npingall
exec 3 1 1\ncreate 3 5\npause 8\nping 9\ntree\nexec 9 1 1\ncreate 10 9\nresume 8\nexec 9 1 7\nremove 8\nall\ntree\n";
    let script = named_script().expect("a script").unwrap_or_else(|| ALL.parse().expect("a script"));
    match agree(&script) {
        Ok(compared) => assert_eq!(compared, script.steps.iter().filter(|step| !step.text.starts_with('#')).count()),
        Err(error) => panic!("{error}"),
    }
}

/// A comparison that leaves out too much would see no difference.
#[test]
fn only_pids_and_times_are_left_out() {
    let same = [
        ("create 5", "Error: Already exists", "Error: Already exists"),
        ("create 5 3", "Ok: 1000", "Ok: <pid>"),
        ("exec 5 time", "Ok:5: 12", "Ok:5: <ms>"),
        ("exec 5 time", "Error:5: Node is unavailable", "Error:5: Node is unavailable"),
        ("exec 5 x", "Ok:5: 12", "Ok:5: 12"),
        ("tree", "-1\n└── 5 (1000)\n    └── 3 (-) down", "-1\n└── 5 (<pid>)\n    └── 3 (-) down"),
        ("tree", "-1\n└── 5 (77) depth 65", "-1\n└── 5 (<pid>) depth 65"),
        ("pingall", "Ok: 5;7", "Ok: 5;7"),
    ];
    for (typed, reply, expected) in same {
        assert_eq!(plain(typed, reply), expected, "{typed}");
    }
}
