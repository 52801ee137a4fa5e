//! Random scripts on every topology and command set, judged by the oracle.

use std::path::PathBuf;
use std::sync::Mutex;

use nodetree::testing::many::{Many, named_script};
use nodetree::testing::oracle::{Action, Commands, Event, Happened, Summary, Topology};
use nodetree::testing::runner::{Setup, judged, record, run};
use nodetree::testing::script::{Script, fault_free_script, script, struck_script};
use nodetree::trace::{self, What};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// The same cases in every run, so that a failure is there again tomorrow. A long run draws new ones:
/// `NODETREE_CASES=100000 cargo test --release --test oracle simulated`.
fn cases(default: u32) -> Config {
    let asked = std::env::var("NODETREE_CASES").ok().and_then(|text| text.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2026) };
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    let cases = asked.unwrap_or(default);
    Config { cases, rng_seed, failure_persistence, max_shrink_iters: 1_500, ..Config::default() }
}

fn systems() -> impl Strategy<Value = (Topology, Commands)> {
    (select(Topology::ALL.to_vec()), select(Commands::ALL.to_vec()))
}

fn any_script() -> impl Strategy<Value = Script> {
    systems().prop_flat_map(
        |(topology, commands)| prop_oneof![3 => script(topology, commands), 1 => fault_free_script(topology, commands)],
    )
}

/// The same, and strikes from outside: what real processes can be tried with.
fn any_real_script() -> impl Strategy<Value = Script> {
    systems().prop_flat_map(|(topology, commands)| {
        prop_oneof![
            3 => struck_script(topology, commands),
            2 => script(topology, commands),
            1 => fault_free_script(topology, commands),
        ]
    })
}

fn replay(setup: &Setup, script: &Script) -> String {
    format!("seed {}, one_write {}, {setup:?}\n{script}", setup.seed, script.one_write)
}

proptest! {
    // Real time: reply timeouts are waited for.
    #![proptest_config(cases(30))]

    #[test]
    fn systems_on_threads_do_what_the_oracle_allows(script in any_script()) {
        let setup = Setup::threads();
        let run = run(&setup, &script);
        prop_assert!(run.is_ok(), "{}\n{}", run.unwrap_err(), replay(&setup, &script));
    }
}

proptest! {
    #![proptest_config(cases(1_200))]

    #[test]
    fn simulated_systems_do_what_the_oracle_allows(script in any_script(), seed in any::<u64>()) {
        let setup = Setup::simulated(seed);
        let run = run(&setup, &script);
        prop_assert!(run.is_ok(), "{}\n{}", run.unwrap_err(), replay(&setup, &script));
    }
}

/// What a number of runs rest on.
#[derive(Debug, Default)]
struct Sum {
    scripts: u64,
    exactly: u64,
    leniently: u64,
    not_judged: u64,
    strikes: usize,
    /// How long it took until a death by a signal from outside was known.
    known_us: Vec<u64>,
}

impl Sum {
    fn add(&mut self, Judged { summary, strikes, known_us }: Judged) {
        self.scripts += 1;
        self.exactly += summary.judged_exactly;
        self.leniently += summary.judged_leniently;
        self.not_judged += summary.not_judged;
        self.strikes += strikes;
        self.known_us.extend(known_us);
        self.known_us.sort_unstable();
    }
}

fn processes() -> Setup {
    Setup::process(env!("CARGO_BIN_EXE_nodetree"))
}

fn is_strike(event: &Event) -> bool {
    matches!(event.what, Happened::Outside { .. })
}

struct Judged {
    summary: Summary,
    /// How often a node was struck from outside.
    strikes: usize,
    known_us: Vec<u64>,
}

/// From each kill from outside to the next end of that node; none where it had ended already.
fn known_us(history: &[Event], trace: &[trace::Event]) -> Vec<u64> {
    let kills = history.iter().filter_map(|event| match event.what {
        Happened::Outside { action: Action::Kill, id } => Some((event.at_us, id)),
        _ => None,
    });
    let end_after = |(struck_us, id)| {
        let ends = trace.iter().filter(|event| matches!(event.what, What::Ended { node, .. } if node == id));
        ends.map(|event| event.at_ns / 1000).find(|at_us| *at_us >= struck_us).map(|at_us| at_us - struck_us)
    };
    kills.filter_map(end_after).collect()
}

fn judge_processes(script: &Script) -> Result<Judged, String> {
    let setup = processes();
    let (history, events) = record(&setup, script).map_err(|error| error.to_string())?;
    let told = |error| format!("{error}\n{}", history.iter().map(|event| format!("{event:?}\n")).collect::<String>());
    let summary = judged(&setup, script, &history).map_err(told)?;
    let strikes = history.iter().filter(|event| is_strike(event)).count();
    Ok(Judged { summary, strikes, known_us: known_us(&history, &events) })
}

/// Real processes, real signals, some of them from outside, several systems at once. More of them, and others:
/// `NODETREE_CASES=2000 cargo test --test oracle processes`.
#[test]
fn systems_of_processes_do_what_the_oracle_allows() {
    let many = Many {
        at_once: 12,
        cases: 216,
        seed: 2026,
        replay: "cargo test --test oracle a_script_of_a_file",
        folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    let sum = Mutex::new(Sum::default());
    let checked = many.check(any_real_script, |script| {
        let judged = judge_processes(script)?;
        sum.lock().map_err(|error| error.to_string())?.add(judged);
        Ok(())
    });
    let sum = sum.into_inner().expect("nobody panics with it");
    let known = |share: usize| sum.known_us.get(sum.known_us.len() * share / 100);
    println!("deaths from outside known after {:?} us (median), {:?} us (p95)", known(50), known(95));
    println!(
        "{} scripts, {} replies exactly, {} leniently, {} strikes",
        sum.scripts, sum.exactly, sum.leniently, sum.strikes
    );
    if let Err(error) = checked {
        panic!("{error}\n{sum:?}");
    }
    // An oracle that was told nothing, or looked away, would show nothing.
    assert!(sum.exactly > 5 * (sum.leniently + sum.not_judged) / 2 && sum.strikes as u64 > sum.scripts / 2, "{sum:?}");
}

/// All that can be done from outside.
const STRUCK: &str = "\
# topology: tree
# commands: dictionary
# one-write: false
create 5\ncreate 3 5\ncreate 8 3\ncreate 10 5\nexec 8 x 1
#! kill 3
ping 3\nping 8\nexec 8 x\nping 10\ncreate 3 5\nexec 3 x
#! stop 10
ping 10\nexec 10 x\npingall
#! continue 10
wait 700\nping 10\nexec 10 x 2\nexec 10 x\ntree\n";

/// The one that `NODETREE_SCRIPT` names; else the one with strikes.
#[test]
fn a_script_of_a_file_does_what_the_oracle_allows() {
    let script = named_script().expect("a script").unwrap_or_else(|| STRUCK.parse().expect("a script"));
    match judge_processes(&script) {
        Ok(Judged { summary, strikes, known_us }) => {
            let wanted = script.steps.iter().filter(|step| step.outside().is_some()).count();
            assert!(summary.judged_exactly > 0 && strikes <= wanted, "{summary:?}");
            if script.to_string() == STRUCK {
                assert_eq!((strikes, known_us.len(), summary.not_judged), (3, 1, 0), "{summary:?}");
                assert!(summary.judged_exactly >= 10, "{summary:?}");
            }
        }
        Err(error) => panic!("{error}\n{script}"),
    }
}

/// An oracle that is not told of them takes the blows for a fault of the system.
#[test]
fn strikes_are_judged_only_because_they_are_told() {
    let script: Script = STRUCK.parse().expect("a script");
    let (mut history, _) = record(&processes(), &script).expect("the script can be run");
    let summary = judged(&processes(), &script, &history);
    history.retain(|event| !is_strike(event));
    assert!(summary.is_ok() && judged(&processes(), &script, &history).is_err(), "{summary:?}\n{history:#?}");
}
