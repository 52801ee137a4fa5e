//! Scenarios made by chance: a system, what is typed, and what goes wrong, shrunk together.
//!
//! Up to three faults, mostly; some are healed by a line of the script, all of them at its end. Ids come from four hot
//! ones, so that most faults hit somebody.

use proptest::collection::vec;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::script::{Script, Step, fault_free_script, group, hot_id};
use crate::CommandSetKind;
use crate::faults::{Chance, Direction, EnvelopeKind, Fault, FaultKind, FaultPlan, Links, Moment, Spread, Trigger};
use crate::modes::{Mode, Span, SystemConfig};
use crate::scenario::runner::{commands, topology};
use crate::scenario::{Scenario, Typing};
use crate::topology::TopologyKind;
use std::time::Duration;

/// Four ids in a chain, or below one, before the rest is typed.
const BEGINNINGS: [&[&str]; 4] = [
    &["create 5", "create 3 5", "create 8 3", "create 10 8"],
    &["create 5", "create 3 5", "create 8 5", "create 10 3"],
    &["create 8", "create 5 8", "create 10 8", "create 3 5"],
    &[],
];

const MOST_GROUPS: usize = 26;

/// Scenarios for every topology and command set, simulated.
///
/// ```
/// use nodetree::testing::scenario::scenario;
/// use proptest::{strategy::{Strategy, ValueTree}, test_runner::TestRunner};
/// let tree = scenario().new_tree(&mut TestRunner::deterministic())?;
/// assert!(tree.current().check().is_ok());
/// # Ok::<(), proptest::test_runner::Reason>(())
/// ```
pub fn scenario() -> impl Strategy<Value = Scenario> {
    systems().prop_flat_map(|(topology, commands)| scenario_of(topology, commands))
}

/// Scenarios for one kind of system, simulated.
pub fn scenario_of(topology: TopologyKind, set: CommandSetKind) -> impl Strategy<Value = Scenario> {
    let typed = prop_oneof![
        24 => group(commands(set)),
        2 => fault().prop_map(|fault| vec![typed(&fault)]),
        2 => (1_u64..5).prop_map(|number| vec![Step::from(format!("heal {number}"))]),
        1 => Just(vec![Step::from("faults")]),
        1 => bad_fault().prop_map(|line| vec![line]),
    ];
    let plan = prop_oneof![
        1 => Just(Vec::new()),
        8 => vec(fault(), 1..4),
    ];
    let typing = select(vec![Typing::Slowly, Typing::AtOnce, Typing::Drawn]);
    (select(BEGINNINGS.to_vec()), vec(typed, 1..MOST_GROUPS), plan, typing, any::<u64>()).prop_map(
        move |(beginning, groups, plan, typing, seed)| {
            let script = beginning.iter().map(|line| Step::from(*line)).chain(groups.into_iter().flatten()).collect();
            let system = system(topology, set, seed);
            judgeable(Scenario { script, typing, faults: FaultPlan(plan), ..Scenario::new(system) })
        },
    )
}

/// Leaves out what nobody could judge: what is typed to stop a node, or to have it go on, where a fault stops it too. Which
/// came first is not seen from outside.
fn judgeable(mut scenario: Scenario) -> Scenario {
    let typed = scenario.script.iter().filter_map(|step| step.text.strip_prefix("fault ")?.parse().ok());
    let faults: Vec<Fault> = scenario.faults.0.iter().cloned().chain(typed).collect();
    let paused = |fault: &Fault| if let FaultKind::Pause(node) = fault.what { Some(node) } else { None };
    let paused: BTreeSet<_> = faults.iter().filter_map(paused).collect();
    let is_both = |line: &str| {
        let id = line.strip_prefix("pause ").or_else(|| line.strip_prefix("resume "));
        id.and_then(|id| id.trim().parse().ok()).is_some_and(|id| paused.contains(&id))
    };
    scenario.script.retain(|step| !is_both(&step.text));
    scenario
}

/// Pairs of a scenario without faults, and a [plan](lossy_plan) under which it gets the same replies.
pub fn lossy_pair() -> impl Strategy<Value = (Scenario, FaultPlan)> {
    let scenario = (systems(), any::<u64>()).prop_flat_map(|((kind, set), seed)| {
        fault_free_script(topology(kind), commands(set)).prop_map(move |script| {
            let Script { steps, one_write, .. } = script;
            let typing = if one_write { Typing::AtOnce } else { Typing::Slowly };
            let steady = steps.into_iter().filter(|step| !is_of_time(&step.text)).collect();
            Scenario { script: steady, typing, ..Scenario::new(system(kind, set, seed)) }
        })
    });
    (scenario, lossy_plan())
}

/// Plans that change nothing but time: on every link three of ten frames are lost, come twice, late, or out of order;
/// one of these, several, or all.
pub fn lossy_plan() -> impl Strategy<Value = FaultPlan> {
    let all = vec![loss(30), twice(30), overtaken(30), late(30)];
    let some = proptest::sample::subsequence(all, 1..=4);
    some.prop_map(|kinds| FaultPlan(kinds.into_iter().map(Fault::now).collect()))
}

/// Its reply says how much time has passed.
fn is_of_time(line: &str) -> bool {
    line.contains("time") || line.contains("heartb")
}

fn systems() -> impl Strategy<Value = (TopologyKind, CommandSetKind)> {
    (select(TopologyKind::ALL.to_vec()), select(CommandSetKind::ALL.to_vec()))
}

fn system(topology: TopologyKind, commands: CommandSetKind, seed: u64) -> SystemConfig {
    SystemConfig { topology, commands, mode: Mode::Simulated, seed, ..SystemConfig::default() }
}

fn typed(fault: &Fault) -> Step {
    let text =
        if fault.when == Trigger::Now { ron::to_string(&fault.what).unwrap_or_default() } else { fault.to_ron() };
    Step::from(format!("fault {text}"))
}

fn bad_fault() -> impl Strategy<Value = Step> {
    let lines = vec![
        "fault",
        "fault Kil(5)",
        "fault Kill(x)",
        "fault Drop(links: All, chance: 1.5)",
        "fault (when: Envelope(kind: Ping), what: Cut(links: All))",
        "heal",
        "heal x",
        "heal -1",
        "heal 0",
        "heal 99",
        "heal 1 2",
        "faults 1",
        "help fault",
    ];
    select(lines).prop_map(Step::from)
}

/// A fault of any kind, with any trigger; most of them hit somebody.
pub fn fault() -> impl Strategy<Value = Fault> {
    let of_node = prop_oneof![3 => hot_id().prop_map(FaultKind::Kill), 2 => hot_id().prop_map(FaultKind::Pause)];
    let at_an_envelope = (of_node, select(EnvelopeKind::ALL.to_vec()), 1_u64..4, moment())
        .prop_map(|(what, kind, nth, moment)| Fault { when: Trigger::Envelope { kind, nth, moment }, what });
    prop_oneof![
        1 => at_an_envelope,
        4 => (when(), kind()).prop_map(|(when, what)| Fault { when, what }),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    select(vec![Moment::Before, Moment::Applied, Moment::Answered])
}

fn when() -> impl Strategy<Value = Trigger> {
    prop_oneof![
        2 => Just(Trigger::Now),
        3 => (0_u64..30).prop_map(Trigger::After),
        2 => (0_u64..8000).prop_map(|ms| Trigger::At(span(ms))),
        1 => (0_u64..5).prop_map(|ms| Trigger::At(span(ms))),
    ]
}

fn span(ms: u64) -> Span {
    Span(Duration::from_millis(ms))
}

fn links() -> impl Strategy<Value = Links> {
    prop_oneof![4 => hot_id().prop_map(Links::Above), 1 => Just(Links::All)]
}

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![Direction::Both, Direction::Both, Direction::Down, Direction::Up])
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![4 => 1_u32..=30, 1 => 31_u32..=100].prop_map(Chance::percent)
}

fn delay() -> impl Strategy<Value = Spread> {
    prop_oneof![
        (0_u64..40).prop_map(|ms| Spread::Exactly(span(ms))),
        (0_u64..20, 0_u64..20).prop_map(|(ms, more)| Spread::Between(span(ms), span(ms + more))),
        (0_u64..5).prop_map(|ms| Spread::Exponential(span(ms))),
        (0_u64..3000).prop_map(|ms| Spread::Exactly(span(ms))),
    ]
}

fn kind() -> impl Strategy<Value = FaultKind> {
    let on = || (links(), direction());
    prop_oneof![
        3 => hot_id().prop_map(FaultKind::Kill),
        3 => hot_id().prop_map(FaultKind::Pause),
        5 => on().prop_map(|(links, direction)| FaultKind::Cut { links, direction }),
        2 => (on(), chance()).prop_map(|((links, direction), chance)| FaultKind::Drop { links, direction, chance }),
        2 => (on(), chance(), delay())
            .prop_map(|((links, direction), chance, by)| FaultKind::Delay { links, direction, chance, by }),
        1 => (on(), chance()).prop_map(|((links, direction), chance)| FaultKind::Duplicate { links, direction, chance }),
        1 => (on(), chance()).prop_map(|((links, direction), chance)| FaultKind::Reorder { links, direction, chance }),
        2 => on().prop_map(|(links, direction)| FaultKind::Corrupt { links, direction }),
        1 => (hot_id(), prop_oneof![0_u64..2, 0_u64..40]).prop_map(|(node, ms)| FaultKind::Slow { node, by: span(ms) }),
        1 => (hot_id(), 0_u64..5_000_000).prop_map(|(node, ms)| FaultKind::Skew { node, ahead: span(ms) }),
    ]
}

fn all_links() -> (Links, Direction) {
    (Links::All, Direction::Both)
}

fn loss(percent: u32) -> FaultKind {
    let (links, direction) = all_links();
    FaultKind::Drop { links, direction, chance: Chance::percent(percent) }
}

fn twice(percent: u32) -> FaultKind {
    let (links, direction) = all_links();
    FaultKind::Duplicate { links, direction, chance: Chance::percent(percent) }
}

fn overtaken(percent: u32) -> FaultKind {
    let (links, direction) = all_links();
    FaultKind::Reorder { links, direction, chance: Chance::percent(percent) }
}

fn late(percent: u32) -> FaultKind {
    let ((links, direction), by) = (all_links(), Spread::Between(span(0), span(5)));
    FaultKind::Delay { links, direction, chance: Chance::percent(percent), by }
}
