//! Bugs are planted, and found: by chance, in a bounded number of cases, with a small example that passes without them.
//!
//! A planted bug is there for the whole process, so these tests have a program of their own, and take turns.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use nodetree::TopologyKind;
use nodetree::actors::session::{Session, SessionConfig};
use nodetree::planted::{Bug, plant};
use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, run};
use nodetree::testing::script::{Script, Step, script};
use nodetree::topology::model::{Operation, check_operations};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

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
    check: fn(&T) -> Result<(), String>,
}

/// The steps of an example, whatever they are.
enum Steps<'t> {
    Lines(&'t mut Vec<Step>),
    Operations(&'t mut Vec<Operation>),
    Fates(&'t mut Vec<bool>),
}

impl Steps<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Lines(steps) => steps.len(),
            Self::Operations(steps) => steps.len(),
            Self::Fates(steps) => steps.len(),
        }
    }

    fn leave_out(self, at: usize) {
        match self {
            Self::Lines(steps) => drop(steps.remove(at)),
            Self::Operations(steps) => drop(steps.remove(at)),
            Self::Fates(steps) => drop(steps.remove(at)),
        }
    }
}

impl<T: Debug + Clone> Hunt<'_, T> {
    /// Plants the bug, looks for it, and shows an example that fails because of it and of nothing else.
    fn is_successful_with(&self, values: impl Strategy<Value = T>) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (cases, found_after) = (Cell::new(0), Cell::new(None));
        let result = runner().run(&values, |value| {
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

    /// Leaves out one step after the other as long as it still fails; proptest gives up before that.
    fn smallest(&self, mut example: T) -> T {
        let mut at = 0;
        while at < (self.steps)(&mut example).count() {
            let mut smaller = example.clone();
            (self.steps)(&mut smaller).leave_out(at);
            match self.shows(&smaller) {
                Some(_) => (example, at) = (smaller, 0),
                None => at += 1,
            }
        }
        example
    }
}

/// The same cases in every run of the tests.
fn runner() -> TestRunner {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

fn judged((seed, script): &(u64, Script)) -> Result<(), String> {
    run(&Setup::simulated(*seed), script).map(drop).map_err(|error| error.to_string())
}

fn lines((_, script): &mut (u64, Script)) -> Steps<'_> {
    Steps::Lines(&mut script.steps)
}

fn operations_of(operations: &mut Vec<Operation>) -> Steps<'_> {
    Steps::Operations(operations)
}

fn fates_of(fates: &mut Vec<bool>) -> Steps<'_> {
    Steps::Fates(fates)
}

fn by_the_oracle(bug: Bug, at_most: usize) -> Hunt<'static, (u64, Script)> {
    Hunt { bug, by: "the oracle", steps: lines, at_most, check: judged }
}

fn by_the_model<const KIND: usize>(bug: Bug, at_most: usize) -> Hunt<'static, Vec<Operation>> {
    let check = |operations: &Vec<Operation>| check_operations(KINDS[KIND], operations);
    Hunt { bug, by: "the model of the topology", steps: operations_of, at_most, check }
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

#[test]
fn pingall_without_descendants() {
    by_the_oracle(Bug::PingallWithoutDescendants, 5).is_successful_with(any_script());
}

#[test]
fn a_reply_that_comes_twice() {
    by_the_oracle(Bug::ReplyTwice, 2).is_successful_with(any_script());
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

/// Pushes a payload at one end for each step, over a way that brings it once or twice; what is taken at the other end
/// must be what was pushed, in order and at most once.
fn over_a_way_that_repeats(fates: &[bool]) -> Result<(), String> {
    let config = SessionConfig { resend_after_ns: Some(200_000_000), ..SessionConfig::default() };
    let (mut control, mut node) = (Session::<usize, ()>::new(config), Session::<(), usize>::new(config));
    let mut taken = Vec::new();
    for (number, &twice) in fates.iter().enumerate() {
        let now = number as u64;
        control.push(now, number, 1);
        while let Some(packet) = control.transmit(now) {
            for _ in 0..=usize::from(twice) {
                node.receive(now, packet.clone());
                taken.extend(std::iter::from_fn(|| node.take()).map(|delivered| delivered.payload));
            }
        }
        while let Some(packet) = node.transmit(now) {
            control.receive(now, packet);
        }
    }
    let expected: Vec<usize> = (0..fates.len()).collect();
    if taken == expected { Ok(()) } else { Err(format!("pushed {expected:?}, taken {taken:?}")) }
}

/// Simulated links repeat nothing, so the bug is looked for between two ends of a session.
#[test]
fn a_segment_that_is_delivered_twice() {
    let bug = Bug::AtMostOnceMissing;
    let hunt = Hunt {
        bug,
        by: "a way that repeats",
        steps: fates_of,
        at_most: 1,
        check: |fates| over_a_way_that_repeats(fates),
    };
    hunt.is_successful_with(vec(any::<bool>(), 0..20));
}

/// No bug is left out.
#[test]
fn every_bug_is_looked_for() {
    let text = concat!(include_str!("planted.rs"), include_str!("explored_bugs.rs"));
    for bug in Bug::ALL {
        assert!(text.contains(&format!("Bug::{bug:?}")), "{bug:?}");
    }
}
