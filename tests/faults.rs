//! Faults as data: each kind does what it says, in every mode, and is over when it is healed.
//!
//! Each test runs in each mode, on its own, with real processes in a sandbox. At the end stands which tests are about
//! which kind of fault and which trigger: a kind without a test does not compile, or fails.
#![cfg(target_os = "linux")]

use std::time::Duration;

use modes::in_each_mode;
use nodetree::faults::{Fault, FaultKind, FaultPlan, Trigger};
use nodetree::{Builder, CommandSet, Dictionary, Mode, NodeTree, Search, Sum, TopologyKind};
use sandbox::sandboxed;

#[path = "common/modes.rs"]
mod modes;
#[path = "common/sandbox.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod sandbox;

in_each_mode! {
    a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed,
    one_direction_may_be_cut_alone,
    links_that_lose_repeat_delay_and_disorder_change_nothing_but_time,
    streams_get_over_bad_links_whole,
    a_link_that_is_only_late_changes_nothing_but_time,
    a_node_is_killed_at_an_envelope_before_it_takes_effect_after_it_and_after_the_answer,
    what_a_node_has_answered_is_not_lost_with_it_where_its_link_repeats,
    a_node_that_is_paused_at_an_envelope_goes_on_with_it,
    a_pause_at_an_envelope_is_over_when_it_is_healed,
    a_node_that_is_stopped_again_takes_nothing_of_what_has_waited,
    an_envelope_is_waited_for_in_the_next_life_of_a_node_that_is_not_there,
    faults_are_set_off_by_time_and_by_the_number_of_commands,
    a_node_is_paused_and_resumed_by_faults,
    a_frame_that_is_damaged_ends_the_link_and_the_node_below,
    of_all_links_one_frame_is_damaged,
    a_slow_node_is_not_dead,
    a_clock_that_is_ahead_changes_nothing,
    faults_meet_nodes_that_are_born_later,
    what_is_no_fault_is_an_error_and_arms_nothing,
}

/// With real processes on a busy machine nothing is known soon.
fn patience(mode: Mode) -> Duration {
    Duration::from_millis(if mode == Mode::Process { 2_000 } else { 400 })
}

fn builder<C: CommandSet>(mode: Mode) -> Builder<C> {
    let builder = NodeTree::builder().mode(mode).node_program(env!("CARGO_BIN_EXE_nodetree"));
    builder.seed(7).reply_timeout(patience(mode))
}

fn fault(text: &str) -> Fault {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn says<C: CommandSet>(tree: &NodeTree<C>, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        let reply = tree.line(line).expect("an answer");
        let is_pid = *expected == "Ok: PID" && reply.starts_with("Ok: ");
        assert!(is_pid || reply == *expected, "{line}: {reply:?}, expected {expected:?}");
    }
}

/// Asks until this is the answer: nobody tells when a node is heard again, or when a death is known.
#[track_caller]
fn comes_to(tree: &NodeTree<Dictionary>, line: &str, expected: &str) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let reply = tree.line(line).expect("an answer");
        if reply == expected {
            return;
        }
        assert!(std::time::Instant::now() < end, "{line}: {reply:?}, never {expected:?}");
    }
}

/// A chain 1, 2, 3.
fn chain(mode: Mode) -> NodeTree<Dictionary> {
    let tree = builder(mode).start().expect("a system");
    says(&tree, &[("create 1", "Ok: PID"), ("create 2 1", "Ok: PID"), ("create 3 2", "Ok: PID")]);
    tree
}

fn a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed(mode: Mode) {
    let tree = chain(mode);
    let cut = tree.inject(fault("Cut(links: Above(2))")).expect("it is armed");
    says(
        &tree,
        &[
            ("exec 2 x 5", "Error:2: Node is unavailable"),
            ("ping 3", "Ok: 0"),
            ("exec 1 x 1", "Ok:1"),
            ("pingall", "Ok: 2;3"),
            ("faults", "Ok: 1 cut the link above 2"),
        ],
    );
    drop(cut);
    comes_to(&tree, "ping 2", "Ok: 1");
    says(&tree, &[("exec 3 x 2", "Ok:3"), ("exec 3 x", "Ok:3: 2"), ("pingall", "Ok: -1"), ("faults", "Ok:")]);
    // At most one effect: that of the exec that was sent, or none.
    let x = tree.line("exec 2 x").expect("an answer");
    assert!(["Ok:2: 5", "Ok:2: 'x' not found"].contains(&x.as_str()), "{mode}: {x}");
    assert_eq!(tree.line("heal 1").unwrap(), "Error: Not found");
}

fn one_direction_may_be_cut_alone(mode: Mode) {
    for direction in ["Down", "Up"] {
        let tree = chain(mode);
        let cut = tree.inject(fault(&format!("Cut(links: Above(3), direction: {direction})"))).expect("it is armed");
        says(&tree, &[("ping 3", "Ok: 0"), ("ping 2", "Ok: 1")]);
        drop(cut);
        comes_to(&tree, "ping 3", "Ok: 1");
    }
}

const ALL_BAD: &str = "[
    (what: Drop(links: All, chance: 0.3)),
    (what: Duplicate(links: All, chance: 0.3)),
    (what: Delay(links: All, chance: 0.3, by: Between(\"1ms\", \"3ms\"))),
    (what: Reorder(links: All, chance: 0.3)),
]";

fn replies<C: CommandSet>(mode: Mode, topology: TopologyKind, plan: &FaultPlan, lines: &[&str]) -> Vec<String> {
    let builder = builder::<C>(mode).seed(3).topology(topology).faults(plan.clone());
    let tree = builder.reply_timeout(Duration::from_secs(60)).start().expect("a system");
    let tickets = tree.submit_lines(lines.iter().copied()).expect("they are taken");
    let replies = tickets.into_iter().map(|ticket| tree.wait(ticket).expect("a reply").to_string());
    lines.iter().zip(replies).map(|(line, reply)| without_pids(line, &reply)).collect()
}

/// Processes have other pids in every run.
fn without_pids(line: &str, reply: &str) -> String {
    match line.split(' ').next() {
        Some("create") if reply.starts_with("Ok: ") => "Ok: PID".to_owned(),
        Some("tree") => {
            let without = |line: &str| match line.split_once(" (") {
                Some((node, rest)) if !rest.starts_with('-') => format!("{node} (PID)"),
                _ => line.to_owned(),
            };
            reply.lines().map(without).collect::<Vec<_>>().join("\n")
        }
        _ => reply.to_owned(),
    }
}

fn links_that_lose_repeat_delay_and_disorder_change_nothing_but_time(mode: Mode) {
    let plan: FaultPlan = ALL_BAD.parse().expect("a plan");
    let lines: Vec<String> = (0..6)
        .map(|id| format!("create {id}"))
        .chain((0..40).map(|at| format!("exec {} x{} {at}", at % 6, at % 3)))
        .chain((0..18).map(|at| format!("exec {} x{}", at % 6, at % 3)))
        .chain(["pingall", "remove 3", "pingall", "tree", "exec 4 x1", "ping 5", "create 9", "all"].map(str::to_owned))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for topology in TopologyKind::ALL {
        let expected = replies::<Dictionary>(mode, topology, &FaultPlan::default(), &lines);
        let replies = replies::<Dictionary>(mode, topology, &plan, &lines);
        assert_eq!(replies, expected, "{mode} {topology}");
        assert_eq!(replies[..6], ["Ok: PID"; 6], "{mode} {topology}");
    }
}

fn streams_get_over_bad_links_whole(mode: Mode) {
    let plan: FaultPlan = ALL_BAD.parse().expect("a plan");
    let numbers = 100_000;
    let sum = format!("exec 3 {numbers}{}", " 7".repeat(numbers));
    let text = "ab".repeat(50_000);
    let search = format!("exec 3\n{text}\nba");
    let creates = ["create 1", "create 2 1", "create 3 2"];
    let tree = TopologyKind::Tree;
    let sums = replies::<Sum>(mode, tree, &plan, &[&creates[..], &[&sum]].concat());
    assert_eq!(sums[3], format!("Ok:3: {}", 7 * numbers));
    let found = replies::<Search>(mode, tree, &plan, &[&creates[..], &[&search]].concat());
    let without = replies::<Search>(mode, tree, &FaultPlan::default(), &[&creates[..], &[&search]].concat());
    assert!(found[3].starts_with("Ok:3: 1;3;5") && found[3] == without[3], "{mode}: {:.100}", found[3]);
}

fn a_node_is_killed_at_an_envelope_before_it_takes_effect_after_it_and_after_the_answer(mode: Mode) {
    for (moment, second) in
        [("Before", "Error:2: Node is unavailable"), ("Applied", "Error:2: Node is unavailable"), ("Answered", "Ok:2")]
    {
        let tree = chain(mode);
        let kill = format!("(when: Envelope(kind: Request, nth: 2, moment: {moment}), what: Kill(2))");
        let number = tree.inject(fault(&kill)).expect("it is armed").keep();
        assert_eq!(number, 1);
        says(&tree, &[("exec 2 x 1", "Ok:2"), ("exec 2 x 2", second), ("ping 1", "Ok: 1")]);
        // It is dead in the end, whichever was seen first.
        comes_to(&tree, "ping 2", "Ok: 0");
        says(&tree, &[("pingall", "Ok: 2;3"), ("faults", "Ok:")]);
    }
}

/// Whatever a link that repeats has carried before it ends is there before its end is noticed.
fn what_a_node_has_answered_is_not_lost_with_it_where_its_link_repeats(mode: Mode) {
    for _ in 0..10 {
        let tree = chain(mode);
        let _doubled = tree.inject(fault("(what: Duplicate(links: Above(2), chance: 1))")).expect("it begins");
        let kill = "(when: Envelope(kind: Request, nth: 2, moment: Answered), what: Kill(2))";
        let _kill = tree.inject(fault(kill)).expect("it is armed");
        says(&tree, &[("exec 2 x 1", "Ok:2"), ("exec 2 x 2", "Ok:2")]);
        comes_to(&tree, "ping 2", "Ok: 0");
    }
}

fn a_node_that_is_paused_at_an_envelope_goes_on_with_it(mode: Mode) {
    for moment in ["Before", "Applied"] {
        let tree = chain(mode);
        let pause = format!("(when: Envelope(kind: Request, moment: {moment}), what: Pause(3))");
        let guard = tree.inject(fault(&pause)).expect("it is armed");
        says(&tree, &[("exec 3 x 1", "Error:3: Node is unavailable"), ("ping 3", "Ok: 0"), ("ping 2", "Ok: 1")]);
        drop(guard);
        comes_to(&tree, "ping 3", "Ok: 1");
        let x = tree.line("exec 3 x").expect("an answer");
        assert!(["Ok:3: 1", "Ok:3: 'x' not found"].contains(&x.as_str()), "{mode} {moment}: {x}");
    }
}

fn faults_are_set_off_by_time_and_by_the_number_of_commands(mode: Mode) {
    let plan = "[(when: After(3), what: Kill(2)), (when: At(\"300ms\"), what: Kill(1))]".parse().expect("a plan");
    let tree: NodeTree<Dictionary> = builder(mode).faults(plan).start().expect("a system");
    says(
        &tree,
        &[
            ("faults", "Ok: 1 after 3 commands kill node 2; 2 at 300ms kill node 1"),
            ("create 1", "Ok: PID"),
            ("create 2 1", "Ok: PID"),
        ],
    );
    comes_to(&tree, "ping 2", "Ok: 0");
    tree.advance(Duration::from_millis(400)).expect("time passes");
    comes_to(&tree, "ping 1", "Ok: 0");
    says(&tree, &[("faults", "Ok:")]);
}

fn a_frame_that_is_damaged_ends_the_link_and_the_node_below(mode: Mode) {
    let tree = chain(mode);
    tree.inject(fault("Corrupt(links: Above(2), direction: Down)")).expect("it is armed").keep();
    says(&tree, &[("ping 2", "Ok: 0"), ("ping 1", "Ok: 1"), ("pingall", "Ok: 2;3"), ("faults", "Ok:")]);
    says(&tree, &[("create 2 1", "Ok: PID"), ("ping 2", "Ok: 1")]);
}

fn a_slow_node_is_not_dead(mode: Mode) {
    let tree = chain(mode);
    let slow = tree.inject(fault("Slow(node: 2, by: \"20ms\")")).expect("it is armed");
    let before = tree.now();
    says(&tree, &[("exec 2 x 1", "Ok:2"), ("ping 3", "Ok: 1"), ("pingall", "Ok: -1")]);
    assert!(tree.now() - before >= Duration::from_millis(60), "{mode}: {:?}", tree.now() - before);
    drop(slow);
    says(&tree, &[("exec 2 x", "Ok:2: 1")]);
}

fn a_clock_that_is_ahead_changes_nothing(mode: Mode) {
    let period = Duration::from_millis(if mode == Mode::Process { 500 } else { 20 });
    let plan = "[(what: Skew(node: 2, ahead: \"3600s\")), (what: Skew(node: 3, ahead: \"1s\"))]".parse();
    let tree: NodeTree<Dictionary> = builder(mode).faults(plan.expect("a plan")).start().expect("a system");
    says(&tree, &[("create 1", "Ok: PID"), ("create 2 1", "Ok: PID"), ("create 3 2", "Ok: PID")]);
    let (heartbit, wait) = (format!("heartbit {}", period.as_millis()), format!("wait {}", 8 * period.as_millis()));
    says(&tree, &[("pingall", "Ok: -1"), (&heartbit, "Ok"), (&wait, "Ok"), ("pause 3", "Ok")]);
    says(&tree, &[("pingall", "Ok: 3"), ("resume 3", "Ok"), ("exec 3 x 1", "Ok:3")]);
    for notice in tree.notices().try_iter() {
        assert_eq!(notice.id(), 3, "{mode}: {notice}");
    }
}

fn a_link_that_is_only_late_changes_nothing_but_time(mode: Mode) {
    let tree = chain(mode);
    let late = tree.inject(fault("Delay(links: Above(2), by: Exactly(\"30ms\"))")).expect("it is armed");
    let before = tree.now();
    says(&tree, &[("exec 2 x 1", "Ok:2"), ("exec 3 x 2", "Ok:3"), ("exec 3 x", "Ok:3: 2"), ("pingall", "Ok: -1")]);
    assert!(tree.now() - before >= Duration::from_millis(4 * 60), "{mode}: {:?}", tree.now() - before);
    // What is late keeps its order, whatever comes behind it.
    let tickets = tree.submit_lines((0..50).flat_map(|_| ["exec 3 y 1", "exec 3 y 2", "exec 3 y"])).expect("taken");
    for (at, ticket) in tickets.into_iter().enumerate() {
        let expected = ["Ok:3", "Ok:3", "Ok:3: 2"][at % 3];
        assert_eq!(tree.wait(ticket).expect("a reply").answer.to_string(), expected, "{mode}: {at}");
    }
    drop(late);
    says(&tree, &[("exec 3 x", "Ok:3: 2")]);
}

/// Whether it is healed before it strikes, while that is not known yet, or afterwards.
fn a_pause_at_an_envelope_is_over_when_it_is_healed(mode: Mode) {
    for seed in 0..if mode == Mode::Process { 4 } else { 40 } {
        let tree: NodeTree<Dictionary> = builder(mode).seed(seed).start().expect("a system");
        says(&tree, &[("create 1", "Ok: PID")]);
        tree.inject(fault("(when: Envelope(kind: Request), what: Pause(1))")).expect("it is armed").keep();
        let exec = tree.submit_line("exec 1 x 1").expect("it is taken");
        let heal = tree.submit_line("heal 1").expect("it is taken");
        assert_eq!(tree.wait(heal).expect("an answer").to_string(), "Ok", "{mode}, seed {seed}");
        tree.wait(exec).expect("an answer");
        comes_to(&tree, "ping 1", "Ok: 1");
    }
}

fn a_node_that_is_stopped_again_takes_nothing_of_what_has_waited(mode: Mode) {
    let tree = chain(mode);
    let paused = tree.inject(fault("(when: Envelope(kind: Request), what: Pause(3))")).expect("it is armed");
    says(&tree, &[("pause 3", "Ok")]);
    let tickets = tree.submit_lines(["exec 3 x 1", "exec 3 x 2"]).expect("they are taken");
    says(&tree, &[("ping 2", "Ok: 1"), ("resume 3", "Ok")]);
    for ticket in tickets {
        assert_eq!(tree.wait(ticket).expect("a reply").answer.to_string(), "Error:3: Node is unavailable", "{mode}");
    }
    drop(paused);
    comes_to(&tree, "ping 3", "Ok: 1");
    says(&tree, &[("exec 3 y 1", "Ok:3")]);
}

fn an_envelope_is_waited_for_in_the_next_life_of_a_node_that_is_not_there(mode: Mode) {
    let tree: NodeTree<Dictionary> = builder(mode).start().expect("a system");
    says(&tree, &[("create 1", "Ok: PID")]);
    let armed = fault("(when: Envelope(kind: Ping, nth: 3, moment: Answered), what: Kill(2))");
    tree.inject(armed).expect("it is armed").keep();
    // The first ping is that of the create.
    says(&tree, &[("create 2 1", "Ok: PID"), ("ping 2", "Ok: 1"), ("ping 2", "Ok: 1")]);
    comes_to(&tree, "ping 2", "Ok: 0");
    says(&tree, &[("faults", "Ok:"), ("create 2 1", "Ok: PID"), ("ping 2", "Ok: 1"), ("ping 2", "Ok: 1")]);
    says(&tree, &[("ping 2", "Ok: 1"), ("ping 2", "Ok: 1")]);
}

fn a_node_is_paused_and_resumed_by_faults(mode: Mode) {
    let tree = chain(mode);
    let paused = tree.inject(fault("Pause(2)")).expect("it is armed");
    comes_to(&tree, "ping 3", "Ok: 0");
    says(&tree, &[("faults", "Ok: 1 pause node 2"), ("ping 1", "Ok: 1")]);
    drop(paused);
    comes_to(&tree, "ping 3", "Ok: 1");
    tree.inject(fault("Pause(3)")).expect("it is armed").keep();
    comes_to(&tree, "ping 3", "Ok: 0");
    tree.inject(fault("Resume(3)")).expect("it is armed").keep();
    comes_to(&tree, "ping 3", "Ok: 1");
    says(&tree, &[("exec 3 x 1", "Ok:3"), ("pingall", "Ok: -1")]);
}

fn of_all_links_one_frame_is_damaged(mode: Mode) {
    for direction in ["Down", "Up"] {
        let tree = builder::<Dictionary>(mode).start().expect("a system");
        let creates = ["create 1", "create 2 1", "create 3"];
        creates.iter().for_each(|line| says(&tree, &[(line, "Ok: PID")]));
        let damage = format!("Corrupt(links: All, direction: {direction})");
        tree.inject(fault(&damage)).expect("it is armed").keep();
        says(&tree, &[("ping 3", "Ok: 0"), ("ping 2", "Ok: 1"), ("pingall", "Ok: 3"), ("faults", "Ok:")]);
    }
}

fn faults_meet_nodes_that_are_born_later(mode: Mode) {
    let tree = builder::<Dictionary>(mode).start().expect("a system");
    says(&tree, &[("create 1", "Ok: PID"), ("create 2 1", "Ok: PID")]);
    let slow = tree.inject(fault("Slow(node: 3, by: \"20ms\")")).expect("it is armed");
    let cut = tree.inject(fault("Cut(links: Above(4), direction: Up)")).expect("it is armed");
    says(&tree, &[("create 3 2", "Ok: PID")]);
    let before = tree.now();
    says(&tree, &[("ping 3", "Ok: 1"), ("exec 3 x 1", "Ok:3")]);
    assert!(tree.now() - before >= Duration::from_millis(40), "{mode}");
    let refused = tree.line("create 4 2").expect("an answer");
    assert!(refused.starts_with("Error:"), "its greeting does not get over the link: {refused}");
    drop((cut, slow));
    comes_to(&tree, "ping 2", "Ok: 1");
    says(&tree, &[("create 4 2", "Ok: PID"), ("pingall", "Ok: -1")]);
}

fn what_is_no_fault_is_an_error_and_arms_nothing(mode: Mode) {
    let tree = chain(mode);
    says(
        &tree,
        &[
            ("fault", "Error: Usage: fault what"),
            ("fault Kill(x)", "Error: Wrong fault: line 1, column 6: expected integer"),
            (
                "fault (when: Envelope(kind: Ping), what: Cut(links: All))",
                "Error: Wrong fault: only Kill and Pause are set off by an envelope",
            ),
            ("heal 1", "Error: Not found"),
            ("heal x", "Error: Usage: heal number"),
            ("faults", "Ok:"),
        ],
    );
}

/// One script with faults in it; what it says is determined.
const SCRIPT: &[&str] = &[
    "create 1",
    "create 2 1",
    "create 3 2",
    "create 4",
    "fault (when: After(2), what: Kill(4))",
    "ping 4",
    "ping 4",
    "wait 200",
    "ping 4",
    "fault Cut(links: Above(3))",
    "ping 3",
    "exec 2 x 1",
    "exec 3 x 1",
    "faults",
    "heal 2",
    "ping 3",
    "exec 3 y 2",
    "fault (when: Envelope(kind: Request, nth: 2, moment: Applied), what: Kill(3))",
    "exec 3 z 3",
    "exec 3 z 4",
    "wait 200",
    "pingall",
    "create 3 2",
    "exec 3 y",
    "fault Drop(links: All, chance: 0.2)",
    "exec 3 y 5",
    "exec 2 x",
    "remove 2",
    "tree",
    "fault Corrupt(links: Above(3), direction: Up)",
    "ping 3",
    "pingall",
    "faults",
    "heal 9",
    "fault Nothing",
];

#[test]
fn one_script_of_faults_gives_the_same_replies_in_every_mode() {
    sandboxed!({
        let of = |mode| {
            let tree = builder::<Dictionary>(mode).start().expect("a system");
            let said = SCRIPT.iter().map(|line| (*line, without_pids(line, &tree.line(line).expect("an answer"))));
            said.collect::<Vec<_>>()
        };
        let simulated = of(Mode::Simulated);
        for mode in [Mode::Threads, Mode::Process] {
            assert_eq!(of(mode), simulated, "{mode}");
        }
        let told = |line: &str| simulated.iter().find(|(said, _)| *said == line).map(|(_, reply)| reply.as_str());
        assert_eq!(told("exec 2 x"), Some("Ok:2: 1"));
        assert_eq!(told("exec 3 y 2"), Some("Ok:3"));
    });
}

/// For each variant the tests that are about it. What has no line does not compile.
macro_rules! tests_of {
    ($table:ident of $kind:ident: $($variant:ident => [$($test:ident),*],)*) => {
        const $table: &[(&str, &[&str])] = &[$((stringify!($variant), &[$(stringify!($test)),*])),*];

        const _: fn(&$kind) = |kind| match kind {
            $($kind::$variant { .. } => {})*
        };
    };
}

tests_of! {
    KINDS of FaultKind:
    Kill => [
        a_node_is_killed_at_an_envelope_before_it_takes_effect_after_it_and_after_the_answer,
        faults_are_set_off_by_time_and_by_the_number_of_commands
    ],
    Pause => [a_node_that_is_paused_at_an_envelope_goes_on_with_it, a_node_is_paused_and_resumed_by_faults],
    Resume => [a_node_is_paused_and_resumed_by_faults],
    Cut => [
        a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed,
        one_direction_may_be_cut_alone,
        faults_meet_nodes_that_are_born_later
    ],
    Drop => [
        links_that_lose_repeat_delay_and_disorder_change_nothing_but_time,
        streams_get_over_bad_links_whole
    ],
    Delay => [
        links_that_lose_repeat_delay_and_disorder_change_nothing_but_time,
        a_link_that_is_only_late_changes_nothing_but_time
    ],
    Duplicate => [
        links_that_lose_repeat_delay_and_disorder_change_nothing_but_time,
        streams_get_over_bad_links_whole
    ],
    Reorder => [
        links_that_lose_repeat_delay_and_disorder_change_nothing_but_time,
        streams_get_over_bad_links_whole
    ],
    Corrupt => [a_frame_that_is_damaged_ends_the_link_and_the_node_below, of_all_links_one_frame_is_damaged],
    Slow => [a_slow_node_is_not_dead, faults_meet_nodes_that_are_born_later],
    Skew => [a_clock_that_is_ahead_changes_nothing],
}

tests_of! {
    TRIGGERS of Trigger:
    Now => [a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed],
    At => [faults_are_set_off_by_time_and_by_the_number_of_commands],
    After => [faults_are_set_off_by_time_and_by_the_number_of_commands],
    Envelope => [
        a_node_is_killed_at_an_envelope_before_it_takes_effect_after_it_and_after_the_answer,
        an_envelope_is_waited_for_in_the_next_life_of_a_node_that_is_not_there
    ],
}

/// The text of a function of this file, and of the plan that more than one of them use.
fn text_of(function: &str) -> String {
    let file = include_str!("faults.rs");
    let start = file.find(&format!("\nfn {function}(")).unwrap_or_else(|| panic!("there is no {function}"));
    let end = file[start..].find("\n}\n").expect("it ends");
    let text = &file[start..start + end];
    if text.contains("ALL_BAD") { format!("{text}{ALL_BAD}") } else { text.to_owned() }
}

#[test]
fn every_kind_of_fault_and_every_trigger_has_a_test_in_every_mode() {
    // Each of them has its module of tests.
    assert_eq!(Mode::ALL.map(|mode| mode.to_string()), ["simulated", "threads", "process"]);
    for (what, tests) in KINDS.iter().chain(TRIGGERS) {
        assert!(!tests.is_empty(), "{what} has no test");
        for test in *tests {
            assert!(IN_EACH_MODE.contains(test), "{what}: {test} does not run in each mode");
            // What is set off at once is written without a trigger.
            assert!(*what == "Now" || text_of(test).contains(&format!("{what}(")), "{test} is not about {what}");
        }
    }
}
