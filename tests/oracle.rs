//! Random scripts on every topology and command set, judged by the oracle.

use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, run};
use nodetree::testing::script::{Script, fault_free_script, script};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence};

/// Cases of each property; `NODETREE_CASES=100000 cargo test --release --test oracle` for a long run.
fn cases(default: u32) -> Config {
    let cases = std::env::var("NODETREE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    Config { cases, failure_persistence, max_shrink_iters: 1_500, ..Config::default() }
}

fn any_script() -> impl Strategy<Value = Script> {
    (select(Topology::ALL.to_vec()), select(Commands::ALL.to_vec())).prop_flat_map(
        |(topology, commands)| prop_oneof![3 => script(topology, commands), 1 => fault_free_script(topology, commands)],
    )
}

fn judged(setup: &Setup, script: &Script) -> Result<(), TestCaseError> {
    let replay = format!("seed {}, one_write {}, {setup:?}\n{script}", setup.seed, script.one_write);
    match run(setup, script) {
        Ok(_) => Ok(()),
        Err(error) => Err(TestCaseError::fail(format!("{error}\n{replay}"))),
    }
}

proptest! {
    // Real time: reply timeouts are waited for.
    #![proptest_config(cases(30))]

    #[test]
    fn systems_on_threads_do_what_the_oracle_allows(script in any_script()) {
        judged(&Setup::threads(), &script)?;
    }

    #[test]
    fn systems_of_processes_do_what_the_oracle_allows(script in any_script()) {
        judged(&Setup::process(env!("CARGO_BIN_EXE_nodetree")), &script)?;
    }
}

proptest! {
    #![proptest_config(cases(1_200))]

    #[test]
    fn simulated_systems_do_what_the_oracle_allows(script in any_script(), seed in any::<u64>()) {
        judged(&Setup::simulated(seed), &script)?;
    }
}
