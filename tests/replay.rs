//! A trace is run again: what was recorded comes out, and what was changed is found.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nodetree::modes::{Recording, ReplayError, Replayed};
use nodetree::scenario::{Scenario, Typing};
use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, record, record_scenario};
use nodetree::testing::script::script;
use nodetree::trace::{self, Event};
use nodetree::{CommandSet, Dictionary, Mode, NodeTree, Search, Sum, Timer};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

fn again<C: CommandSet>(events: &[Event]) -> Replayed {
    let mut saved = Vec::new();
    trace::write(&mut saved, events).expect("a vector takes everything");
    Recording::open(&saved[..]).expect("a trace").replay::<C>(NodeTree::builder()).expect("it can be run again")
}

fn again_with(commands: Commands, events: &[Event]) -> Replayed {
    match commands {
        Commands::Sum => again::<Sum>(events),
        Commands::Dictionary => again::<Dictionary>(events),
        Commands::Timer => again::<Timer>(events),
        Commands::Search => again::<Search>(events),
    }
}

/// Typed one by one and in one write, right lines and wrong ones, kills and pauses.
#[test]
fn every_simulated_run_is_the_same_again() {
    let mut runner = TestRunner::deterministic();
    for seed in 0..160 {
        let (topology, commands) = (Topology::ALL[seed as usize % 4], Commands::ALL[seed as usize / 4 % 4]);
        let script = script(topology, commands).new_tree(&mut runner).expect("nothing is rejected").current();
        let (_, events) = record(&Setup::simulated(seed), &script).expect("it runs");
        let replayed = again_with(commands, &events);
        assert_eq!(replayed, Replayed::Same { events: events.len() as u64 }, "seed {seed}: {replayed}\n{script}");
    }
}

/// With faults of every kind, and typed at moments drawn from the seed.
#[test]
fn every_scenario_that_is_shown_is_the_same_again() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scenarios");
    for entry in fs::read_dir(folder).expect("there are scenarios") {
        let path = entry.expect("an entry").path();
        let scenario = Scenario::from_file(&path).expect("a scenario");
        for (seed, typing) in (0..24).zip([Typing::Slowly, Typing::AtOnce, Typing::Drawn].into_iter().cycle()) {
            let scenario = Scenario { typing, ..scenario.clone().with_seed(seed) };
            let recorded = record_scenario(&Setup::of(&scenario.system), &scenario).expect("it runs");
            let replayed = again_with(nodetree::scenario::runner::commands(scenario.system.commands), &recorded.trace);
            let same = Replayed::Same { events: recorded.trace.len() as u64 };
            assert_eq!(replayed, same, "{}, seed {seed}, {typing}: {replayed}", path.display());
        }
    }
}

/// A library may let time pass, wait for one of several commands, and arm faults.
#[test]
fn whatever_stops_the_clock_stops_it_again() {
    let plan = "[(what: Drop(links: All, chance: 0.3)), (when: At(\"40ms\"), what: Pause(2))]".parse().expect("a plan");
    let builder = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).seed(5).trace(true).faults(plan);
    let tree = builder.reply_timeout(Duration::from_millis(300)).start().expect("a system");
    let lines = ["create 1", "create 2 1", "exec 2 x 5", "ping 2", "heartbit 20", "fly", "exec 1 !"];
    let tickets = tree.submit_lines(lines).expect("they are taken");
    tree.wait(tickets[1]).expect("a reply");
    tree.submit_line("exec 1 y 1").expect("it is taken");
    tree.advance(Duration::from_millis(50)).expect("time passes");
    tree.advance(Duration::from_micros(70)).expect("time passes");
    let guard = tree.inject("Cut(links: Above(1))".parse().expect("a fault")).expect("it is armed");
    tree.line("ping 1").expect("a reply");
    drop(guard);
    tree.settle().expect("all is answered");
    tree.advance(Duration::from_millis(100)).expect("time passes");
    let events = tree.trace();
    assert_eq!(again::<Dictionary>(&events), Replayed::Same { events: events.len() as u64 });
}

#[test]
fn a_request_of_any_length_is_submitted_again() {
    let tree = NodeTree::<Search>::builder().mode(Mode::Simulated).trace(true).start().expect("a system");
    tree.line("create 1").expect("a reply");
    let reply = tree.line(&format!("exec 1\n{}\na", "ab".repeat(200_000))).expect("a reply");
    assert!(reply.starts_with("Ok:1: 0;2;4"));
    let events = tree.trace();
    assert_eq!(again::<Search>(&events), Replayed::Same { events: events.len() as u64 });
}

fn nodetree(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().expect("the program starts");
    program.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    program.wait_with_output().expect("it ends")
}

fn recorded(folder: &Path, args: &[&str], input: &str) -> String {
    let path = folder.join("trace.ron");
    let ran = nodetree(&[args, &["--trace", path.to_str().expect("a path")]].concat(), input);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    fs::read_to_string(path).expect("it was written")
}

/// The exit code, and what is said.
fn replayed(folder: &Path, trace: &str) -> (Option<i32>, String) {
    let path: PathBuf = folder.join("again.ron");
    fs::write(&path, trace).expect("it can be written");
    let ended = nodetree(&["replay", path.to_str().expect("a path")], "");
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).expect("text"))
}

const SCRIPT: &str = "create 1\ncreate 2 1\nexec 2 x 5\nfly\nexec 1 bad-name\nexec 2 x\nwait\npingall\nwait\nremove 1\nwait\nkill 2\nexec 2 x\n";

#[test]
fn the_program_runs_its_own_traces_again_in_every_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("simulated", "dictionary", SCRIPT, "the same: "),
        ("simulated", "sum", "create 1\nexec 1 3 1 2 3\nexec 1 3 1 2\nexec 1\nexec 2 1 1\nexec x 1\n", "the same: "),
        ("simulated", "search", "create 1\nexec 1\nabab\nab\nexec 1\n\na\nexec x\na\na\nexec 1\nab", "the same: "),
        ("simulated", "timer", "create 1\nexec 1 start\nwait 50\nexec 1 time\n", "the same: "),
        ("threads", "timer", "create 1\nexec 1 start\nexec 1 time\n", "the same replies to 3 commands"),
        ("threads", "dictionary", SCRIPT, "the same replies to 13 commands"),
        ("process", "dictionary", SCRIPT, "the same replies to 13 commands"),
    ];
    for (mode, commands, input, expected) in cases {
        let trace = recorded(folder.path(), &["--mode", mode, "--commands", commands, "--seed", "3"], input);
        let (code, said) = replayed(folder.path(), &trace);
        assert!(code == Some(0) && said.starts_with(expected), "{mode} {commands}: {code:?} {said}\n{trace}");
    }
}

#[test]
fn what_was_changed_is_found_in_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = recorded(folder.path(), &["--mode", "simulated", "--seed", "3"], SCRIPT);
    let line_of = |part: &str| trace.lines().position(|line| line.contains(part)).expect("it is there") + 1;
    let answer = line_of("text:\"Ok:2: 5\"");
    let changes = [
        (trace.replace("Ok:2: 5", "Ok:2: 6"), answer, "Ok:2: 6"),
        (trace.replace("exec 2 x 5", "exec 2 x 6"), answer, "Ok:2: 5"),
        // Another command takes its way at another time.
        (trace.replacen("text:\"pingall\"", "text:\"all\"", 1), line_of("text:\"pingall\"") + 1, "happened: "),
        // Another seed is another run.
        (trace.replace("seed:3", "seed:4"), line_of("Linked"), "recorded: "),
        (trace.lines().map(|line| format!("{line}\n")).take(answer - 1).collect(), answer, "recorded: nothing"),
    ];
    for (changed, line, part) in changes {
        let (code, said) = replayed(folder.path(), &changed);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with(&format!("it differs in line {line}\n")) && said.contains(part), "{line}: {said}");
    }
}

#[test]
fn other_replies_are_found_in_real_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = recorded(folder.path(), &["--mode", "threads"], SCRIPT);
    let (code, said) = replayed(folder.path(), &trace.replace("Ok:2: 5", "Ok:2: 6"));
    assert!(code == Some(1) && said.contains("Ok:2: 6") && said.contains("Ok:2: 5"), "{said}");
    // The number of a process is another one each time, what a dictionary holds is not.
    let (code, said) = replayed(folder.path(), &trace.replace("text:\"Ok: 100", "text:\"Ok: 4100"));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_cannot_be_run_again_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = recorded(folder.path(), &["--mode", "simulated"], "create 1\nping 1\n");
    let without_beginning = trace.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| format!("{line}\n"));
    let cases = [
        (String::new(), 2, "line 1: this is no trace"),
        (without_beginning.collect(), 2, "line 2: the trace does not begin where its system does"),
        (trace.replace("\"dictionary\"", "\"greatest\""), 2, "line 2: \"greatest\" is no built-in command set"),
        (trace.replace("\"simulated\"", "\"dreamt\""), 2, "line 2: expected simulated, threads or process"),
        (trace.replace("ping 1", "ping …"), 2, "the command is not whole"),
        (trace[..trace.len() - 3].to_owned(), 1, "it is not complete; what stands before is the same"),
    ];
    for (changed, expected, part) in cases {
        let (code, said) = replayed(folder.path(), &changed);
        assert!(code == Some(expected) && said.contains(part), "{part}: {code:?} {said}");
    }
    let missing = Recording::open(&b"create 1\n"[..]);
    assert!(matches!(missing, Err(ReplayError::NoTrace(_))));
}
