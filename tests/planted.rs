//! Bugs are planted, and found: by chance, in a bounded number of cases, with a small example that passes without them.
//!
//! A planted bug is there for the whole process, so these tests have a program of their own, and take turns.

#[cfg(target_os = "linux")]
#[path = "planted/processes.rs"]
mod processes;
#[path = "planted/rules.rs"]
mod rules;
#[cfg(target_os = "linux")]
#[path = "common/sandbox.rs"]
#[allow(dead_code, reason = "shared with tests of processes, which use all of it")]
mod sandbox;

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use arbitrary::Unstructured;
use nodetree::Dictionary;
use nodetree::TopologyKind;
use nodetree::faults::FaultPlan;
use nodetree::planted::{Bug, plant};
use nodetree::testing::fuzz::{Happening, check_happenings};
use nodetree::testing::journey::{Journey, over_a_lossy_way, over_replaced_ways};
use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, builder, run};
use nodetree::testing::script::{Script, Step, script};
use nodetree::topology::model::{Operation, check_operations};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use rules::{RuleStep, check_rules, rule_steps};

/// In so many cases a bug must be found.
const CASES: u32 = 2_000;

/// The guard of a planted bug keeps others from being planted, but an example is also run without it.
static TURN: Mutex<()> = Mutex::new(());

/// A bug, how it is looked for, and how small the example must become.
struct Hunt<'h, T> {
    bug: Bug,
    by: &'h str,
    steps: fn(&mut T) -> Steps<'_>,
    at_most: usize,
    /// How often a smaller example is looked for; then its steps are left out one by one.
    shrinks: u32,
    check: fn(&T) -> Result<(), String>,
}

/// The steps of an example, whatever they are.
enum Steps<'t> {
    /// And whether all of them are written at once.
    Lines(&'t mut Vec<Step>, &'t mut bool),
    Operations(&'t mut Vec<Operation>),
    Journey(&'t mut Journey),
    Happenings(&'t mut Vec<Happening>),
    Rules(&'t mut Vec<RuleStep>),
}

impl Steps<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Lines(steps, _) => steps.len(),
            Self::Operations(steps) => steps.len(),
            Self::Journey(journey) => journey.ops.len() + journey.fates.len(),
            Self::Happenings(steps) => steps.len(),
            Self::Rules(steps) => steps.len(),
        }
    }

    /// Types slowly what was written at once.
    fn slow_down(self) -> bool {
        match self {
            Self::Lines(_, at_once) => std::mem::take(at_once),
            _ => false,
        }
    }

    fn leave_out(self, at: usize) {
        match self {
            Self::Lines(steps, _) => drop(steps.remove(at)),
            Self::Operations(steps) => drop(steps.remove(at)),
            Self::Journey(Journey { ops, .. }) if at < ops.len() => drop(ops.remove(at)),
            Self::Journey(Journey { ops, fates, .. }) => drop(fates.remove(at - ops.len())),
            Self::Happenings(steps) => drop(steps.remove(at)),
            Self::Rules(steps) => drop(steps.remove(at)),
        }
    }
}

impl<T: Debug + Clone> Hunt<'_, T> {
    /// Plants the bug, looks for it, and shows an example that fails because of it and of nothing else.
    fn is_successful_with(&self, values: impl Strategy<Value = T>) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (cases, found_after) = (Cell::new(0), Cell::new(None));
        let result = runner(self.shrinks).run(&values, |value| {
            cases.set(cases.get() + 1);
            self.shows(&value).map_or(Ok(()), |what| {
                found_after.set(found_after.get().or(Some(cases.get())));
                Err(TestCaseError::fail(what))
            })
        });
        let Self { bug, by, at_most, .. } = self;
        let Err(TestError::Fail(_, example)) = result else { panic!("{bug:?} is not found by {by}: {result:?}") };
        let mut example = self.smallest(example);
        let what = self.shows(&example).unwrap_or_else(|| panic!("{example:?} does not show {bug:?} again"));
        let (steps, after) = ((self.steps)(&mut example).count(), found_after.get().unwrap_or_default());
        println!("{bug:?}, by {by}: found after {after} cases, shrunk to {steps} steps\n  {what}\n  {example:?}");
        assert!(steps <= *at_most, "{steps} steps show {bug:?}, {at_most} would do: {example:?}");
    }

    /// What goes wrong with the bug, and does not without it.
    fn shows(&self, example: &T) -> Option<String> {
        let planted = plant(self.bug);
        let what = (self.check)(example).err();
        drop(planted);
        match what.as_ref().and_then(|_| (self.check)(example).err()) {
            Some(what) => {
                println!("not because of {:?}, and to be looked at: {what}\n  {example:?}", self.bug);
                None
            }
            None => what,
        }
    }

    /// Leaves out one step after the other, and then two at a time, as long as it still fails; proptest gives up before
    /// that. (A step less can mean other delays for all behind it, so that one alone shows nothing.)
    fn smallest(&self, mut example: T) -> T {
        while let Some(smaller) = self.smaller(&example) {
            example = smaller;
        }
        example
    }

    fn smaller(&self, example: &T) -> Option<T> {
        let mut slower = example.clone();
        if (self.steps)(&mut slower).slow_down() && self.shows(&slower).is_some() {
            return Some(slower);
        }
        let count = (self.steps)(&mut example.clone()).count();
        let one = (0..count).map(|only| vec![only]);
        let two = (0..count).flat_map(|first| (first + 1..count).map(move |second| vec![second, first]));
        let mut smaller = one.chain(two).map(|places| {
            let mut smaller = example.clone();
            places.into_iter().for_each(|place| (self.steps)(&mut smaller).leave_out(place));
            smaller
        });
        smaller.find(|smaller| self.shows(smaller).is_some())
    }
}

/// The same cases in every run of the tests.
fn runner(max_shrink_iters: u32) -> TestRunner {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

fn judged((seed, script): &(u64, Script)) -> Result<(), String> {
    run(&Setup::simulated(*seed), script).map(drop).map_err(|error| error.to_string())
}

fn lines((_, script): &mut (u64, Script)) -> Steps<'_> {
    Steps::Lines(&mut script.steps, &mut script.one_write)
}

fn operations_of(operations: &mut Vec<Operation>) -> Steps<'_> {
    Steps::Operations(operations)
}

fn journey_of(journey: &mut Journey) -> Steps<'_> {
    Steps::Journey(journey)
}

fn happenings_of(happenings: &mut Vec<Happening>) -> Steps<'_> {
    Steps::Happenings(happenings)
}

fn by_the_oracle(bug: Bug, at_most: usize) -> Hunt<'static, (u64, Script)> {
    Hunt { bug, by: "the oracle", steps: lines, at_most, shrinks: 400, check: judged }
}

fn by_the_model<const KIND: usize>(bug: Bug, at_most: usize) -> Hunt<'static, Vec<Operation>> {
    let check = |operations: &Vec<Operation>| check_operations(KINDS[KIND], operations);
    Hunt { bug, by: "the model of the topology", steps: operations_of, at_most, shrinks: 4_000, check }
}

fn by_a_journey(bug: Bug, at_most: usize) -> Hunt<'static, Journey> {
    Hunt { bug, by: "a journey between two ends", steps: journey_of, at_most, shrinks: 20_000, check: Journey::check }
}

const KINDS: [TopologyKind; 2] = [TopologyKind::Bst, TopologyKind::Balanced];
const BST: usize = 0;
const BALANCED: usize = 1;

/// What everybody may type, on any system.
fn any_script() -> impl Strategy<Value = (u64, Script)> {
    let any_system = (select(Topology::ALL.to_vec()), select(Commands::ALL.to_vec()));
    (any::<u64>(), any_system.prop_flat_map(|(topology, commands)| script(topology, commands)))
}

/// Creates and removals of a few ids, and drawings.
fn growing_and_shrinking(topology: Topology) -> impl Strategy<Value = (u64, Script)> {
    let line = prop_oneof![
        8 => (0_i64..12).prop_map(|id| format!("create {id}")),
        3 => (0_i64..12).prop_map(|id| format!("remove {id}")),
        3 => Just("tree".to_owned()),
    ];
    let steps = vec(line.prop_map(|text| Step { text }), 1..30);
    let commands = Commands::Dictionary;
    (any::<u64>(), steps.prop_map(move |steps| Script { topology, commands, steps, one_write: false }))
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        3 => (0_i64..12).prop_map(|id| Operation::Create { id, parent: None }),
        1 => (0_i64..12).prop_map(|id| Operation::Remove { id }),
    ];
    vec(operation, 1..30)
}

/// What random scripts show, and how many lines are enough for it.
const SHOWN_BY_SCRIPTS: [(Bug, usize); 20] = [
    (Bug::PingallWithoutDescendants, 5),
    (Bug::ReplyTwice, 2),
    (Bug::SubtreeNotMarkedDown, 5),
    (Bug::NoticeTooEarly, 6),
    (Bug::ReturnNotNoticed, 8),
    (Bug::RelinkLosesChild, 4),
    (Bug::FirstInFirstOutBroken, 5),
    (Bug::AckTakenForDone, 2),
    (Bug::WaveDeadlineNotShrunk, 5),
    (Bug::RequestOnTheControlPlane, 4),
    (Bug::PendingBelowTheDead, 6),
    (Bug::SilenceForEver, 5),
    (Bug::RetiredLinkUsed, 7),
    (Bug::OldParentKept, 4),
    (Bug::PlaceNotChanged, 6),
    (Bug::DuplicateCreate, 3),
    (Bug::ResumeForgotten, 4),
    (Bug::BarrierIgnored, 2),
    (Bug::ParkedForgotten, 2),
    (Bug::SessionOutlivesItsNode, 5),
];

#[test]
fn what_random_scripts_show() {
    for (bug, at_most) in SHOWN_BY_SCRIPTS {
        by_the_oracle(bug, at_most).is_successful_with(any_script());
    }
}

#[test]
fn a_search_tree_that_takes_the_wrong_successor() {
    by_the_oracle(Bug::SearchTreeDelete, 7).is_successful_with(growing_and_shrinking(Topology::Bst));
    by_the_model::<BST>(Bug::SearchTreeDelete, 6).is_successful_with(operations());
}

#[test]
fn a_balanced_tree_that_is_out_of_balance() {
    by_the_oracle(Bug::BalancedOffByTwo, 6).is_successful_with(growing_and_shrinking(Topology::Balanced));
    by_the_model::<BALANCED>(Bug::BalancedOffByTwo, 5).is_successful_with(operations());
}

/// What only a way that loses, or is replaced, shows, and how many operations and fates are enough for it. Simulated
/// links do neither, so it is looked for between two ends of a session.
const SHOWN_BY_JOURNEYS: [(Bug, usize); 5] = [
    (Bug::AtMostOnceMissing, 2),
    (Bug::AnswersKept, 1),
    (Bug::GapBlocksForEver, 3),
    (Bug::CreditNeverReturned, 1),
    (Bug::TimerNotSetAgain, 6),
];

/// Few fates, in turn: an example with many does not shrink well.
fn journeys() -> impl Strategy<Value = Journey> {
    let with_few_fates = |mut journey: Journey| {
        journey.fates.truncate(3);
        journey
    };
    prop_oneof![over_a_lossy_way().prop_map(with_few_fates), over_replaced_ways()]
}

#[test]
fn what_hostile_ways_show() {
    for (bug, at_most) in SHOWN_BY_JOURNEYS {
        by_a_journey(bug, at_most).is_successful_with(journeys());
    }
}

/// What a fuzzer's bytes make.
fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = vec(any::<u8>(), 64).prop_filter_map("too few bytes", |bytes| Unstructured::new(&bytes).arbitrary().ok());
    vec(one, 1..40)
}

/// Nobody sends such a thing by himself: an earlier life's requests end with their links.
#[test]
fn what_is_meant_for_an_earlier_life() {
    let hunt = Hunt {
        bug: Bug::StaleIncarnationAccepted,
        by: "whatever happens to a node",
        steps: happenings_of,
        at_most: 1,
        shrinks: 4_000,
        check: |happenings| check_happenings(happenings),
    };
    hunt.is_successful_with(happenings());
}

/// A script and what goes wrong meanwhile.
#[derive(Clone, Debug)]
struct Disturbed {
    seed: u64,
    script: Script,
    plan: &'static str,
}

/// Nothing that goes wrong with links or clocks changes anything but time.
fn nothing_but_time(disturbed: &Disturbed) -> Result<(), String> {
    let Disturbed { seed, script, plan } = disturbed;
    let (calm, stormy) = (replies(*seed, script, "[]")?, replies(*seed, script, plan)?);
    match calm.iter().zip(&stormy).position(|(calm, stormy)| calm != stormy) {
        Some(at) => Err(format!("{:?} is answered {:?} instead of {:?}", script.steps[at].text, stormy[at], calm[at])),
        None => Ok(()),
    }
}

/// The reply to each line; each is typed when the one before has been answered.
fn replies(seed: u64, script: &Script, plan: &str) -> Result<Vec<String>, String> {
    let setup = Setup::simulated(seed);
    let plan: FaultPlan = plan.parse().map_err(|wrong| format!("{wrong}"))?;
    let tree =
        builder::<Dictionary>(&setup, script.topology).faults(plan).start().map_err(|error| error.to_string())?;
    let reply = |step: &Step| tree.line(&step.text).map_err(|error| error.to_string());
    script.steps.iter().map(reply).collect()
}

fn disturbed_lines(disturbed: &mut Disturbed) -> Steps<'_> {
    Steps::Lines(&mut disturbed.script.steps, &mut disturbed.script.one_write)
}

fn disturbed_by(plan: &'static str) -> impl Strategy<Value = Disturbed> {
    let line = prop_oneof![
        4 => (0_i64..6, -1_i64..6).prop_map(|(id, parent)| format!("create {id} {parent}")),
        4 => (0_i64..6, 0..9).prop_map(|(id, value)| format!("exec {id} x {value}")),
        4 => (0_i64..6).prop_map(|id| format!("exec {id} x")),
        2 => (0_i64..6).prop_map(|id| format!("ping {id}")),
        2 => (0_i64..6).prop_map(|id| format!("remove {id}")),
        2 => Just("pingall".to_owned()),
    ];
    let steps = vec(line.prop_map(|text| Step { text }), 1..30);
    (any::<u64>(), select(Topology::ALL.to_vec()), steps).prop_map(move |(seed, topology, steps)| {
        let script = Script { topology, commands: Commands::Dictionary, steps, one_write: false };
        Disturbed { seed, script, plan }
    })
}

fn by_what_is_disturbed(bug: Bug, at_most: usize) -> Hunt<'static, Disturbed> {
    Hunt {
        bug,
        by: "what goes wrong with links and clocks",
        steps: disturbed_lines,
        at_most,
        shrinks: 400,
        check: nothing_but_time,
    }
}

#[test]
fn a_deadline_on_the_wall_clock() {
    let skew = "[(what: Skew(node: 2, ahead: \"10s\")), (what: Skew(node: 3, ahead: \"1s\"))]";
    by_what_is_disturbed(Bug::DeadlineOnTheWallClock, 3).is_successful_with(disturbed_by(skew));
}

/// What is wrong with the end of a link that repeats, and how many lines are enough for it.
#[test]
fn what_links_that_lose_show() {
    for (bug, at_most) in [(Bug::RepeatBypassed, 1), (Bug::RepeatBegunAnew, 8)] {
        let loss = "[(what: Drop(links: All, chance: 0.3))]";
        by_what_is_disturbed(bug, at_most).is_successful_with(disturbed_by(loss));
    }
}

/// What is wrong with the rules of links, and how many steps are enough for it.
#[test]
fn what_becomes_of_frames() {
    let bugs =
        [(Bug::DirectionIgnored, 2), (Bug::HealedFaultStays, 3), (Bug::ChanceShared, 4), (Bug::DamagedForEver, 4)];
    for (bug, at_most) in bugs {
        let hunt = Hunt {
            bug,
            by: "what rules promise",
            steps: |steps: &mut Vec<RuleStep>| Steps::Rules(steps),
            at_most,
            shrinks: 4_000,
            check: |steps| check_rules(steps),
        };
        hunt.is_successful_with(rule_steps());
    }
}

/// No bug is left out.
#[test]
fn every_bug_is_looked_for() {
    let text =
        concat!(include_str!("planted.rs"), include_str!("planted/processes.rs"), include_str!("explored_bugs.rs"));
    for bug in Bug::ALL {
        assert!(text.contains(&format!("Bug::{bug:?}")), "{bug:?}");
    }
}
