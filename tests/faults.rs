//! Faults as data: each kind does what it says, in every mode, and is over when it is healed.

use std::time::Duration;

use nodetree::faults::{Fault, FaultPlan};
use nodetree::{Builder, CommandSet, Dictionary, Mode, NodeTree, Search, Sum, TopologyKind};

/// The modes that can be had without a program for the nodes.
const MODES: [Mode; 2] = [Mode::Simulated, Mode::Threads];

fn builder<C: CommandSet>(mode: Mode) -> Builder<C> {
    NodeTree::builder().mode(mode).seed(7).reply_timeout(Duration::from_millis(400))
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

/// A chain 1, 2, 3.
fn chain(mode: Mode) -> NodeTree<Dictionary> {
    let tree = builder(mode).start().expect("a system");
    says(&tree, &[("create 1", "Ok: PID"), ("create 2 1", "Ok: PID"), ("create 3 2", "Ok: PID")]);
    tree
}

#[test]
fn a_link_that_is_cut_is_silent_below_and_works_when_it_is_healed() {
    for mode in MODES {
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
        // Nobody tells when it is heard again.
        while tree.line("ping 2").expect("an answer") != "Ok: 1" {}
        says(&tree, &[("exec 3 x 2", "Ok:3"), ("exec 3 x", "Ok:3: 2"), ("pingall", "Ok: -1"), ("faults", "Ok:")]);
        // At most one effect: that of the exec that was sent, or none.
        let x = tree.line("exec 2 x").expect("an answer");
        assert!(["Ok:2: 5", "Ok:2: 'x' not found"].contains(&x.as_str()), "{mode}: {x}");
        assert_eq!(tree.line("heal 1").unwrap(), "Error: Not found");
    }
}

#[test]
fn one_direction_may_be_cut_alone() {
    for (mode, direction) in MODES.into_iter().flat_map(|mode| [(mode, "Down"), (mode, "Up")]) {
        let tree = chain(mode);
        let cut = tree.inject(fault(&format!("Cut(links: Above(3), direction: {direction})"))).expect("it is armed");
        says(&tree, &[("ping 3", "Ok: 0"), ("ping 2", "Ok: 1")]);
        drop(cut);
        while tree.line("ping 3").expect("an answer") != "Ok: 1" {}
    }
}

const ALL_BAD: &str = "[
    (what: Drop(links: All, chance: 0.3)),
    (what: Duplicate(links: All, chance: 0.3)),
    (what: Delay(links: All, chance: 0.3, by: Between(\"1ms\", \"3ms\"))),
    (what: Reorder(links: All, chance: 0.3)),
]";

fn replies<C: CommandSet>(mode: Mode, topology: TopologyKind, plan: &FaultPlan, lines: &[&str]) -> Vec<String> {
    let builder = NodeTree::<C>::builder().mode(mode).seed(3).topology(topology).faults(plan.clone());
    let tree = builder.reply_timeout(Duration::from_secs(60)).start().expect("a system");
    let tickets = tree.submit_lines(lines.iter().copied()).expect("they are taken");
    tickets.into_iter().map(|ticket| tree.wait(ticket).expect("a reply").to_string()).collect()
}

#[test]
fn links_that_lose_repeat_delay_and_disorder_change_nothing_but_time() {
    let plan: FaultPlan = ALL_BAD.parse().expect("a plan");
    let lines: Vec<String> = (0..6)
        .map(|id| format!("create {id}"))
        .chain((0..40).map(|at| format!("exec {} x{} {at}", at % 6, at % 3)))
        .chain((0..18).map(|at| format!("exec {} x{}", at % 6, at % 3)))
        .chain(["pingall", "remove 3", "pingall", "tree", "exec 4 x1", "ping 5", "create 9", "all"].map(str::to_owned))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for mode in MODES {
        for topology in TopologyKind::ALL {
            let expected = replies::<Dictionary>(mode, topology, &FaultPlan::default(), &lines);
            let replies = replies::<Dictionary>(mode, topology, &plan, &lines);
            assert_eq!(replies, expected, "{mode} {topology}");
        }
    }
}

#[test]
fn streams_get_over_bad_links_whole() {
    let plan: FaultPlan = ALL_BAD.parse().expect("a plan");
    let numbers = 100_000;
    let sum = format!("exec 3 {numbers}{}", " 7".repeat(numbers));
    let text = "ab".repeat(50_000);
    let search = format!("exec 3\n{text}\nba");
    let creates = ["create 1", "create 2 1", "create 3 2"];
    for mode in MODES {
        let tree = TopologyKind::Tree;
        let sums = replies::<Sum>(mode, tree, &plan, &[&creates[..], &[&sum]].concat());
        assert_eq!(sums[3], format!("Ok:3: {}", 7 * numbers));
        let found = replies::<Search>(mode, tree, &plan, &[&creates[..], &[&search]].concat());
        let without = replies::<Search>(mode, tree, &FaultPlan::default(), &[&creates[..], &[&search]].concat());
        assert!(found[3].starts_with("Ok:3: 1;3;5") && found[3] == without[3], "{mode}: {:.100}", found[3]);
    }
}

#[test]
fn a_node_is_killed_at_an_envelope_before_it_takes_effect_after_it_and_after_the_answer() {
    for mode in MODES {
        for (moment, second) in [
            ("Before", "Error:2: Node is unavailable"),
            ("Applied", "Error:2: Node is unavailable"),
            ("Answered", "Ok:2"),
        ] {
            let tree = chain(mode);
            let kill = format!("(when: Envelope(kind: Request, nth: 2, moment: {moment}), what: Kill(2))");
            let number = tree.inject(fault(&kill)).expect("it is armed").keep();
            assert_eq!(number, 1);
            says(&tree, &[("exec 2 x 1", "Ok:2"), ("exec 2 x 2", second), ("ping 1", "Ok: 1")]);
            // It is dead in the end, whichever was seen first.
            while tree.line("ping 2").expect("an answer") != "Ok: 0" {}
            says(&tree, &[("pingall", "Ok: 2;3"), ("faults", "Ok:")]);
        }
    }
}

#[test]
fn a_node_that_is_paused_at_an_envelope_goes_on_with_it() {
    for mode in MODES {
        for moment in ["Before", "Applied"] {
            let tree = chain(mode);
            let pause = format!("(when: Envelope(kind: Request, moment: {moment}), what: Pause(3))");
            let guard = tree.inject(fault(&pause)).expect("it is armed");
            says(&tree, &[("exec 3 x 1", "Error:3: Node is unavailable"), ("ping 3", "Ok: 0"), ("ping 2", "Ok: 1")]);
            drop(guard);
            while tree.line("ping 3").expect("an answer") != "Ok: 1" {}
            let x = tree.line("exec 3 x").expect("an answer");
            assert!(["Ok:3: 1", "Ok:3: 'x' not found"].contains(&x.as_str()), "{mode} {moment}: {x}");
        }
    }
}

#[test]
fn faults_are_set_off_by_time_and_by_the_number_of_commands() {
    for mode in MODES {
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
        while tree.line("ping 2").expect("an answer") != "Ok: 0" {}
        tree.advance(Duration::from_millis(400)).expect("time passes");
        while tree.line("ping 1").expect("an answer") != "Ok: 0" {}
        says(&tree, &[("faults", "Ok:")]);
    }
}

#[test]
fn a_frame_that_is_damaged_ends_the_link_and_the_node_below() {
    for mode in MODES {
        let tree = chain(mode);
        tree.inject(fault("Corrupt(links: Above(2), direction: Down)")).expect("it is armed").keep();
        says(&tree, &[("ping 2", "Ok: 0"), ("ping 1", "Ok: 1"), ("pingall", "Ok: 2;3"), ("faults", "Ok:")]);
        says(&tree, &[("create 2 1", "Ok: PID"), ("ping 2", "Ok: 1")]);
    }
}

#[test]
fn a_slow_node_is_not_dead() {
    for mode in MODES {
        let tree = chain(mode);
        let slow = tree.inject(fault("Slow(node: 2, by: \"20ms\")")).expect("it is armed");
        let before = tree.now();
        says(&tree, &[("exec 2 x 1", "Ok:2"), ("ping 3", "Ok: 1"), ("pingall", "Ok: -1")]);
        assert!(tree.now() - before >= Duration::from_millis(60), "{mode}: {:?}", tree.now() - before);
        drop(slow);
        says(&tree, &[("exec 2 x", "Ok:2: 1")]);
    }
}

#[test]
fn a_clock_that_is_ahead_changes_nothing() {
    for mode in MODES {
        let plan = "[(what: Skew(node: 2, ahead: \"3600s\")), (what: Skew(node: 3, ahead: \"1s\"))]".parse();
        let tree: NodeTree<Dictionary> = builder(mode).faults(plan.expect("a plan")).start().expect("a system");
        says(&tree, &[("create 1", "Ok: PID"), ("create 2 1", "Ok: PID"), ("create 3 2", "Ok: PID")]);
        says(&tree, &[("pingall", "Ok: -1"), ("heartbit 20", "Ok"), ("wait 300", "Ok"), ("pause 3", "Ok")]);
        says(&tree, &[("pingall", "Ok: 3"), ("resume 3", "Ok"), ("exec 3 x 1", "Ok:3")]);
        for notice in tree.notices().try_iter() {
            assert_eq!(notice.id(), 3, "{mode}: {notice}");
        }
    }
}

#[test]
fn what_is_no_fault_is_an_error_and_arms_nothing() {
    for mode in MODES {
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
}
