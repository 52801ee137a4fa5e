//! Many scripts or scenarios, several systems at once: in real time most of a script is waiting.

use std::path::PathBuf;
use std::thread;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use super::script::Script;
use crate::faults::FaultPlan;
use crate::scenario::Scenario;

/// The variable that names a file with a script, to be run alone.
pub const SCRIPT: &str = "NODETREE_SCRIPT";

/// The variable that says how many scripts are to be run; then they are drawn anew each time.
pub const CASES: &str = "NODETREE_CASES";

/// How long a failing script is made smaller, in real time.
const SHRINK_MS: u32 = 120_000;

/// What is tried, and can be written to a file.
pub trait Case: std::fmt::Debug {
    /// How the name of such a file ends.
    const ENDING: &'static str;
    /// What is written there.
    fn text(&self) -> String;
}

impl Case for Script {
    const ENDING: &'static str = "txt";

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Case for Scenario {
    const ENDING: &'static str = "ron";

    fn text(&self) -> String {
        self.to_ron()
    }
}

/// A scenario, and what it is compared with under other faults.
impl Case for (Scenario, FaultPlan) {
    const ENDING: &'static str = "ron";

    fn text(&self) -> String {
        Scenario { faults: self.1.clone(), ..self.0.clone() }.to_ron()
    }
}

/// How many scripts are tried, and how.
#[derive(Clone, Debug)]
pub struct Many {
    /// So many at once.
    pub at_once: u32,
    /// So many in all, at least; [`CASES`] wins.
    pub cases: u32,
    /// From what the scripts are drawn, unless [`CASES`] is set.
    pub seed: u64,
    /// The command that runs one script alone, behind `NODETREE_SCRIPT=FILE `.
    pub replay: &'static str,
    /// Where a script that fails is written.
    pub folder: PathBuf,
}

impl Many {
    /// Tries scripts until one fails, and makes that one as small as it can. Each thread draws from a seed of its own.
    ///
    /// # Errors
    /// What is wrong, with the smallest script and the one command that runs it again.
    pub fn check<S: Strategy<Value: Case>>(
        &self,
        scripts: impl Fn() -> S + Sync,
        test: impl Fn(&S::Value) -> Result<(), String> + Sync,
    ) -> Result<(), String> {
        let (scripts, test) = (&scripts, &test);
        thread::scope(|scope| {
            let runs: Vec<_> =
                (0..self.at_once).map(|number| scope.spawn(move || self.run(number, &scripts(), test))).collect();
            let ended =
                runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err("a thread has panicked".to_owned())));
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    fn config(&self, number: u32) -> Config {
        let asked: Option<u32> = std::env::var(CASES).ok().and_then(|text| text.parse().ok());
        let fixed = RngSeed::Fixed(self.seed + u64::from(number));
        Config {
            cases: asked.unwrap_or(self.cases).div_ceil(self.at_once),
            rng_seed: if asked.is_some() { RngSeed::Random } else { fixed },
            failure_persistence: None,
            max_shrink_time: SHRINK_MS,
            ..Config::default()
        }
    }

    fn run<S: Strategy<Value: Case>>(
        &self,
        number: u32,
        scripts: &S,
        test: &impl Fn(&S::Value) -> Result<(), String>,
    ) -> Result<(), String> {
        let judged = |script: S::Value| test(&script).map_err(TestCaseError::fail);
        match TestRunner::new(self.config(number)).run(scripts, judged) {
            Ok(()) => Ok(()),
            Err(TestError::Fail(why, script)) => Err(self.report(number, &why.to_string(), &script)),
            Err(TestError::Abort(why)) => Err(why.to_string()),
        }
    }

    fn report<C: Case>(&self, number: u32, why: &str, case: &C) -> String {
        let path = self.folder.join(format!("failed-{}-{number}.{}", self.seed, C::ENDING));
        let text = case.text();
        let replay = match std::fs::write(&path, &text) {
            Ok(()) => format!("{SCRIPT}={} {}", path.display(), self.replay),
            Err(error) => format!("{}: {error}", path.display()),
        };
        format!("{why}\nseed {} of thread {number}, run it again with:\n{replay}\n{text}", self.seed)
    }
}

/// The scenario that [`SCRIPT`] names.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn named_scenario() -> Result<Option<Scenario>, String> {
    let path = std::env::var_os(SCRIPT).map(PathBuf::from);
    path.map(|path| Scenario::from_file(&path).map_err(|error| error.to_string())).transpose()
}

/// The script that [`SCRIPT`] names.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn named_script() -> Result<Option<Script>, String> {
    let Some(path) = std::env::var_os(SCRIPT) else { return Ok(None) };
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map(Some).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::oracle::{Commands, Topology};
    use crate::testing::script::script;

    #[test]
    fn a_script_that_fails_is_made_small_and_can_be_run_again() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let folder = folder.path().to_owned();
        let many = Many { at_once: 2, cases: 128, seed: 7, replay: "cargo test --test it", folder: folder.clone() };
        let has_pingall = |script: &Script| script.steps.iter().any(|step| step.text == "pingall");
        let test = |script: &Script| if has_pingall(script) { Err("it asks everybody".to_owned()) } else { Ok(()) };
        let error = many.check(|| script(Topology::Tree, Commands::Sum), test).expect_err("some scripts ask");
        let path = folder.join("failed-7-0.txt");
        assert!(error.contains(&format!("{SCRIPT}={} cargo test --test it", path.display())), "{error}");
        let written: Script = std::fs::read_to_string(path).expect("it was written").parse().expect("a script");
        assert!(has_pingall(&written) && written.steps.len() == 1 && error.contains(&written.to_string()), "{error}");
    }

    #[test]
    fn what_never_fails_is_right() {
        let many = Many { at_once: 3, cases: 9, seed: 7, replay: "", folder: PathBuf::new() };
        let tried = std::sync::atomic::AtomicU32::new(0);
        let count = |_: &Script| {
            tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        assert_eq!(many.check(|| script(Topology::Tree, Commands::Sum), count), Ok(()));
        assert!(tried.into_inner() >= 9);
    }
}
