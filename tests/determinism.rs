//! The same seed gives the same trace, byte for byte: again, and in another process. Another seed gives another one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, record};
use nodetree::testing::script::{Script, Step, script};
use nodetree::trace::{self, What};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const SEEDS: u64 = 50;

/// Where the other process writes its traces.
const FOR_ANOTHER: &str = "NODETREE_TRACES_FOR_ANOTHER_PROCESS";

/// What every run begins with: nodes below nodes, beats, a kill that is noticed, a node that comes again, a pause,
/// removals of an inner node and of the topmost one.
const BEGINNING: [&str; 25] = [
    "heartbit 100",
    "create 5",
    "create 3 5",
    "create 8 5",
    "create 1 3",
    "create 4 3",
    "create 9 8",
    "create 7 8",
    "EXEC 4",
    "EXEC 7",
    "remove 8",
    "EXEC 9",
    "kill 3",
    "pingall",
    "wait 700",
    "tree",
    "create 3 5",
    "EXEC 3",
    "pause 9",
    "ping 9",
    "wait 600",
    "resume 9",
    "remove 5",
    "all",
    "tree",
];

fn exec_of(commands: Commands) -> &'static str {
    match commands {
        Commands::Sum => " 3 1 2 3",
        Commands::Dictionary => " x 5",
        Commands::Timer => " start",
        Commands::Search => "\nabababa\naba",
    }
}

fn beginning(commands: Commands) -> impl Iterator<Item = Step> {
    let text = move |line: &str| match line.strip_prefix("EXEC ") {
        Some(id) => format!("exec {id}{}", exec_of(commands)),
        None => line.to_owned(),
    };
    BEGINNING.into_iter().map(move |line| Step { text: text(line) })
}

/// The script of a seed: every topology with every command set, typed and in one write, and a random end.
fn script_of(seed: u64) -> Script {
    let (topology, commands) = (Topology::ALL[seed as usize % 4], Commands::ALL[seed as usize / 4 % 4]);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed as u8; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let random = script(topology, commands).new_tree(&mut runner).expect("nothing is rejected").current();
    let steps = beginning(commands).chain(random.steps).collect();
    Script { topology, commands, steps, one_write: (seed / 16).is_multiple_of(2) }
}

fn events(seed: u64, script: &Script) -> Vec<trace::Event> {
    match record(&Setup::simulated(seed), script) {
        Ok((_, events)) => events,
        Err(error) => panic!("{error}\nseed {seed}\n{script}"),
    }
}

fn bytes(events: &[trace::Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    trace::write(&mut bytes, events).expect("a vector takes everything");
    bytes
}

fn trace_of(seed: u64) -> Vec<u8> {
    bytes(&events(seed, &script_of(seed)))
}

fn all_traces() -> Vec<u8> {
    (0..SEEDS).flat_map(trace_of).collect()
}

/// Fails with the first line that differs, which is shorter than two traces.
fn assert_same(first: &[u8], second: &[u8], what: &str) {
    if first != second {
        let (first, second) = (String::from_utf8_lossy(first), String::from_utf8_lossy(second));
        let different = first.lines().zip(second.lines()).enumerate().find(|(_, (one, other))| one != other);
        panic!("{what}: {} and {} bytes, first difference {different:#?}", first.len(), second.len());
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..SEEDS {
        assert_same(&trace_of(seed), &trace_of(seed), &format!("seed {seed}\n{}", script_of(seed)));
    }
}

#[test]
fn another_seed_gives_another_trace() {
    for topology in Topology::ALL {
        for one_write in [false, true] {
            let commands = Commands::Search;
            let script = Script { topology, commands, steps: beginning(commands).collect(), one_write };
            let different: BTreeSet<_> = (0..SEEDS).map(|seed| bytes(&events(seed, &script))).collect();
            assert_eq!(different.len() as u64, SEEDS, "{topology}, one write: {one_write}");
        }
    }
}

/// Two traces that are equal because nothing is in them would show nothing.
#[test]
fn everything_that_a_trace_can_tell_is_in_these() {
    let mut kinds = BTreeSet::new();
    for event in (0..SEEDS).flat_map(|seed| events(seed, &script_of(seed))) {
        kinds.insert(match event.what {
            What::Began(_) => "began",
            What::Submitted { .. } => "submitted",
            What::Handed { .. } => "handed",
            What::Answered { .. } => "answered",
            What::Noticed { .. } => "noticed",
            What::Started { .. } => "started",
            What::Ended { .. } => "ended",
            What::Stopped { .. } => "stopped",
            What::Continued { .. } => "continued",
            What::Fault { .. } => "fault",
            What::Healed { .. } => "healed",
            What::Linked { .. } => "linked",
            What::Sent(_) => "sent",
            What::Delivered(_) => "delivered",
        });
    }
    // Nothing is only sent: here everything is seen where it arrives.
    let expected = [
        "answered",
        "began",
        "continued",
        "delivered",
        "ended",
        "handed",
        "linked",
        "noticed",
        "started",
        "stopped",
        "submitted",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

/// Nodes that are being created when the beats are ordered are told in the order of their numbers.
#[test]
fn beats_ordered_while_nodes_are_created_are_the_same_each_time() {
    let creates = (1..=12).map(|id| format!("create {id}"));
    let lines = creates.chain(["heartbit 100", "wait 500"].map(str::to_owned));
    let steps: Vec<Step> = lines.map(|text| Step { text }).collect();
    let script = Script { topology: Topology::Tree, commands: Commands::Sum, steps, one_write: true };
    for seed in 0..SEEDS {
        assert_same(&bytes(&events(seed, &script)), &bytes(&events(seed, &script)), &format!("seed {seed}"));
    }
}

/// Addresses, the seeds of hash tables and the order of threads are others there.
#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    if let Some(path) = std::env::var_os(FOR_ANOTHER) {
        return std::fs::write(path, all_traces()).expect("the traces can be written");
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("traces");
    run_in_another_process("the_same_seed_gives_the_same_trace_in_another_process", &path);
    let theirs = std::fs::read(&path).expect("the other process has written its traces");
    assert_same(&all_traces(), &theirs, "here and there");
}

fn run_in_another_process(test: &str, path: &Path) {
    let program = std::env::current_exe().expect("a test knows its program");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(FOR_ANOTHER, path)
        .output()
        .expect("a test program can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
