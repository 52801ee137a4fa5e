//! Histories in which a kill overlaps with a change of the tree: right ones, and next to them wrong ones.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::forest::{Forest, Span};
use super::tests::{config, history};
use super::*;
use Invariant::*;

/// 60 is moved away from below 70 by `remove 50`, and `kill 70` strikes meanwhile.
const SUCCESSOR: &str = "create 50 = Ok: 1000 / create 30 = Ok: 1001 / create 70 = Ok: 1002 / create 60 = Ok: 1003 / create 80 = Ok: 1004 / ";
const KILLED_30: &str =
    "kill 30 = Ok / > exec 50 x / > remove 50 / > kill 70 / < 9 Ok / < 7 Ok:50: 'x' not found / < 8 Ok / ";
const KILLED: &str = "> exec 50 x / > remove 50 / > kill 70 / < 8 Ok / < 6 Ok:50: 'x' not found / < 7 Ok / ";
const STRUCK: &str = "> remove 50 / ! kill 70 / < 6 Ok / +200 / ";
/// 3 hangs from 2, and something tells late that 2 has died.
const LATE: &str = "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / ";

const RIGHT: &[(&str, &[&str])] = &[
    ("bst dictionary", &[SUCCESSOR, KILLED_30, "exec 60 x = Error:60: Node is unavailable / ping 60 = Ok: 0"]),
    ("bst dictionary", &[SUCCESSOR, KILLED_30, "exec 60 x = Ok:60: 'x' not found / ping 60 = Ok: 1"]),
    (
        "bst dictionary",
        &[SUCCESSOR, KILLED, "ping 60 = Ok: 0 / exec 30 x = Error:30: Node is unavailable / create 60 = Ok: 1005"],
    ),
    ("bst dictionary", &[SUCCESSOR, KILLED, "ping 30 = Ok: 1 / exec 60 x 5 = Ok:60 / kill 60 = Ok / ping 30 = Ok: 0"]),
    ("bst dictionary", &[SUCCESSOR, KILLED, "pingall = Ok: 30;60;70;80 / kill 60 = Error: Node is unavailable"]),
    ("bst dictionary", &[SUCCESSOR, KILLED, "pingall = Ok: 70;80 / create 40 = Ok: 1005"]),
    (
        "bst dictionary",
        &[
            SUCCESSOR,
            KILLED,
            "tree = -1\\n└── 60 (1003)\\n    ├── 30 (1001)\\n    └── 70 (-) down\\n        ├── (none)\\n        └── 80 (-) down",
        ],
    ),
    (
        "bst dictionary",
        &[
            SUCCESSOR,
            KILLED,
            "tree = -1\\n└── 60 (-) down\\n    ├── 30 (-) down\\n    └── 70 (-) down\\n        ├── (none)\\n        └── 80 (-) down",
        ],
    ),
    ("bst dictionary", &[SUCCESSOR, KILLED, "create 40 = Error: Parent is unavailable"]),
    (
        "bst dictionary",
        &[
            SUCCESSOR,
            "> remove 50 / > kill 70 / > resume 60 / < 7 Ok / < 8 Error: Node is unavailable / < 6 Ok / ping 60 = Ok: 0",
        ],
    ),
    ("bst dictionary", &[SUCCESSOR, "> remove 50 / > kill 70 / > ping 60 / < 7 Ok / < 6 Ok / < 8 Ok: 0"]),
    ("bst dictionary", &[SUCCESSOR, STRUCK, "exec 60 x = Error:60: Node is unavailable / ping 30 = Ok: 0"]),
    ("bst dictionary", &[SUCCESSOR, STRUCK, "ping 60 = Ok: 1 / ping 30 = Ok: 1 / ping 70 = Ok: 0"]),
    ("bst dictionary", &[SUCCESSOR, "! kill 70 / remove 50 = Ok / ping 60 = Ok: 1 / +50 / ping 60 = Ok: 0"]),
    (
        "bst dictionary",
        &[
            SUCCESSOR,
            "heartbit 100 = Ok / +1000 / ",
            "> remove 50 / > kill 70 / < 8 Ok / < 7 Ok / +450 / ? Heartbit: node 60 is unavailable now / ? Heartbit: node 70 is unavailable now / ? Heartbit: node 80 is unavailable now / ? Heartbit: node 30 is unavailable now / +500 / ping 60 = Ok: 0",
        ],
    ),
    (
        "bst dictionary",
        &[
            SUCCESSOR,
            "heartbit 100 = Ok / +1000 / ",
            "> remove 50 / > kill 70 / < 8 Ok / < 7 Ok / +450 / ? Heartbit: node 70 is unavailable now / ? Heartbit: node 80 is unavailable now / +900 / ping 60 = Ok: 1",
        ],
    ),
    // The children of a node that is removed and killed: each one was moved or was not.
    (
        "tree dictionary",
        &[LATE, "create 4 2 = Ok: 1003 / > remove 2 / > kill 2 / < 6 Ok / < 5 Ok / ping 3 = Ok: 0 / ping 4 = Ok: 1"],
    ),
    ("list dictionary", &[LATE, "> remove 2 / ! kill 2 / < 4 Ok / +200 / ping 3 = Ok: 0 / ping 1 = Ok: 1"]),
    (
        "balanced dictionary",
        &[
            "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / create 7 = Ok: 1003 / create 6 = Ok: 1004 / > remove 5 / > kill 1 / < 7 Ok / < 6 Ok / ping 7 = Ok: 0 / tree",
            " = -1\\n└── 9 (1000)\\n    ├── 1 (-) down\\n    │   └── 7 (-) down\\n    └── 6 (1004)",
        ],
    ),
    // A node is moved on while it is in doubt.
    (
        "tree dictionary",
        &[
            LATE,
            "create 4 3 = Ok: 1003 / > remove 2 / > kill 2 / < 6 Ok / < 5 Ok / > remove 3 / < 7 Ok / ping 4 = Ok: 1",
        ],
    ),
    // What a command tells of a death is not known to a kill that overtook that command.
    (
        "tree dictionary",
        &[
            LATE,
            "! kill 2 / > pingall / > create 2 1 / > kill 3 / < 6 Ok / < 4 Ok: 2;3 / < 5 Ok: 1005 / ping 3 = Ok: 0",
        ],
    ),
    (
        "tree dictionary",
        &[
            LATE,
            "! kill 2 / > pingall / > create 2 1 / > kill 3 / < 6 Error: Node is unavailable / < 4 Ok: 2;3 / < 5 Ok: 1005",
        ],
    ),
    (
        "tree dictionary",
        &[
            LATE,
            "! kill 2 / > pingall / > create 2 1 / > pause 3 / > resume 3 / < 6 Ok / < 7 Ok / < 4 Ok: 2;3 / < 5 Ok: 1005 / create 3 2 = Ok: 1006 / kill 3 = Ok",
        ],
    ),
    // A kill waits for the creation of its own node; what is for a node below does not.
    (
        "tree dictionary",
        &[
            LATE,
            "> pingall / > create 1 / > kill 1 / > resume 2 / > kill 3 / < 7 Ok / < 8 Ok / < 4 Ok: -1 / < 5 Error: Already exists / < 6 Ok / pingall = Ok: 1;2;3",
        ],
    ),
    // Of two blows either may be the one that a reply tells of.
    (
        "tree dictionary",
        &[LATE, "! kill 1 / ! kill 2 / +10 / ping 3 = Ok: 0 / +10 / ping 1 = Ok: 1 / +100 / ping 1 = Ok: 0"],
    ),
];

const WRONG: &[(Invariant, &str, &[&str])] = &[
    (Dead, "bst dictionary", &[SUCCESSOR, KILLED_30, "exec 60 x = Error:60: Node is unavailable / ping 60 = Ok: 1"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, KILLED_30, "exec 60 x = Ok:60: 'x' not found / ping 60 = Ok: 0"]),
    (Dead, "bst dictionary", &[SUCCESSOR, KILLED, "ping 80 = Ok: 1"]),
    (Dead, "bst dictionary", &[SUCCESSOR, KILLED, "ping 60 = Ok: 0 / ping 30 = Ok: 1"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, KILLED, "ping 30 = Ok: 1 / ping 60 = Ok: 0"]),
    (Dead, "bst dictionary", &[SUCCESSOR, KILLED, "pingall = Ok: 30;60;70;80 / ping 60 = Ok: 1"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, KILLED, "pingall = Ok: 70;80 / ping 60 = Ok: 0"]),
    (PingAll, "bst dictionary", &[SUCCESSOR, KILLED, "pingall = Ok: 60;70"]),
    (
        BlastRadius,
        "bst dictionary",
        &[
            SUCCESSOR,
            KILLED,
            "tree = -1\\n└── 60 (1003)\\n    ├── 30 (1001)\\n    └── 70 (-) down\\n        ├── (none)\\n        └── 80 (-) down / ping 60 = Ok: 0",
        ],
    ),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, "> remove 50 / < 6 Ok / > kill 70 / < 7 Ok / ping 60 = Ok: 0"]),
    (Dead, "bst dictionary", &[SUCCESSOR, "> remove 50 / < 6 Ok / > kill 60 / < 7 Ok / ping 70 = Ok: 1"]),
    (Dead, "bst dictionary", &[SUCCESSOR, "> remove 50 / > kill 60 / < 7 Ok / < 6 Ok / ping 30 = Ok: 1"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, "> remove 50 / > kill 80 / < 7 Ok / < 6 Ok / ping 60 = Ok: 0"]),
    (Dead, "bst dictionary", &[SUCCESSOR, STRUCK, "ping 70 = Ok: 1"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, STRUCK, "ping 60 = Ok: 1 / ping 60 = Ok: 0"]),
    (BlastRadius, "bst dictionary", &[SUCCESSOR, "> remove 50 / < 6 Ok / ! kill 70 / +200 / ping 60 = Ok: 0"]),
    (
        FalseNotice,
        "bst dictionary",
        &[
            SUCCESSOR,
            "heartbit 100 = Ok / +1000 / ",
            "remove 50 = Ok / kill 70 = Ok / +450 / ? Heartbit: node 60 is unavailable now",
        ],
    ),
    (
        Detection,
        "bst dictionary",
        &[
            SUCCESSOR,
            "heartbit 100 = Ok / +1000 / ",
            "> remove 50 / > kill 70 / < 8 Ok / < 7 Ok / +900 / ping 60 = Ok: 1",
        ],
    ),
    (
        Dead,
        "tree dictionary",
        &[LATE, "create 4 2 = Ok: 1003 / > remove 2 / > kill 2 / < 6 Ok / < 5 Ok / ping 3 = Ok: 0 / ping 3 = Ok: 1"],
    ),
    (BlastRadius, "tree dictionary", &[LATE, "> remove 2 / > kill 2 / < 5 Ok / < 4 Ok / ping 1 = Ok: 0"]),
    (BlastRadius, "tree dictionary", &[LATE, "> remove 2 / > kill 2 / < 5 Error: Not found / < 4 Ok / ping 3 = Ok: 0"]),
    (
        Dead,
        "tree dictionary",
        &[LATE, "! kill 2 / > pingall / > create 2 1 / < 4 Ok: 2;3 / < 5 Ok: 1005 / kill 3 = Ok"],
    ),
    (
        Dead,
        "tree dictionary",
        &[LATE, "! kill 2 / > pingall / > create 2 1 / +102 / > kill 3 / < 6 Ok / < 4 Ok: 2;3 / < 5 Ok: 1005"],
    ),
    (
        Dead,
        "tree dictionary",
        &[
            LATE,
            "! kill 2 / > pingall / > create 2 1 / > kill 3 / < 6 Ok / < 4 Ok: 2;3 / < 5 Ok: 1005 / ping 3 = Ok: 1",
        ],
    ),
    (
        Dead,
        "tree dictionary",
        &[
            LATE,
            "! kill 2 / > pingall / > create 2 1 / > kill 3 / > kill 3 / < 6 Ok / < 7 Ok / < 4 Ok: 2;3 / < 5 Ok: 1005",
        ],
    ),
    (
        Dead,
        "tree dictionary",
        &[
            LATE,
            "> pingall / > create 1 / > kill 1 / < 4 Ok: -1 / < 5 Error: Already exists / > resume 2 / < 7 Ok / < 6 Ok",
        ],
    ),
    (Dead, "tree dictionary", &[LATE, "> kill 1 / > resume 2 / < 5 Ok / < 4 Ok"]),
    (
        Dead,
        "tree dictionary",
        &[
            LATE,
            "> pingall / > create 1 / > kill 1 / > resume 2 / > ping 2 / < 7 Ok / < 4 Ok: -1 / < 5 Error: Already exists / < 6 Ok / < 8 Ok: 1",
        ],
    ),
    (Dead, "tree dictionary", &[LATE, "! kill 1 / ! kill 2 / +10 / ping 3 = Ok: 0 / +10 / ping 3 = Ok: 1"]),
    (
        Dead,
        "tree dictionary",
        &[
            LATE,
            "> exec 3 x 1 / > exec 3 x 2 / > kill 3 / > kill 2 / < 4 Error:3: Node is unavailable / < 5 Ok:3 / < 6 Ok / < 7 Ok",
        ],
    ),
];

#[test]
fn right_ones() {
    for (system, parts) in RIGHT {
        let text = parts.concat();
        let judged = judge(&config(system), &history(&text));
        assert!(judged.is_ok(), "{system}: {text}\n{}", judged.map_or_else(|it| it.to_string(), |_| String::new()));
        assert_eq!(judged.map(|it| it.not_judged), Ok(0), "{system}: {text}");
    }
}

#[test]
fn wrong_ones() {
    for (invariant, system, parts) in WRONG {
        let text = parts.concat();
        let judged = judge(&config(system), &history(&text));
        let found = judged.as_ref().err().map(|it| it.invariant);
        assert_eq!(found, Some(*invariant), "{system}: {text}\n{judged:?}");
    }
}

/// What is in doubt is judged leniently once, and exactly from then on; all the rest is judged exactly all the time.
#[test]
fn only_what_is_in_doubt_is_judged_leniently() {
    let after = "ping 70 = Ok: 0 / ping 80 = Ok: 0 / ping 60 = Ok: 1 / ping 60 = Ok: 1 / ping 30 = Ok: 1 / all = Ok: 30 60 70 80";
    let judged = judge(&config("bst dictionary"), &history(&[SUCCESSOR, KILLED, after].concat()));
    assert_eq!(judged.map(|it| (it.judged_leniently, it.not_judged, it.judged_exactly)), Ok((3, 0, 11)));
}

/// A removal, a kill meanwhile, and what was hit before it was moved away.
#[derive(Clone, Debug)]
struct Overlap {
    topology: Topology,
    ids: Vec<i64>,
    /// By node: which of those before it is its parent, in the topologies where one is typed.
    parents: Vec<usize>,
    removed: usize,
    killed: usize,
    is_from_outside: bool,
    hit: Vec<bool>,
    /// In this order all nodes are asked.
    order: Vec<i64>,
    flipped: usize,
}

fn overlap() -> impl Strategy<Value = Overlap> {
    let ids = Just((0..9).collect::<Vec<i64>>()).prop_shuffle();
    let numbers = || vec(any::<usize>(), 9);
    let chosen = (any::<usize>(), any::<usize>(), any::<bool>(), vec(any::<bool>(), 9), any::<usize>());
    (select(Topology::ALL.to_vec()), ids.clone(), numbers(), 2..9_usize, chosen, ids).prop_map(
        |(topology, mut ids, parents, count, (removed, killed, is_from_outside, hit, flipped), mut order)| {
            ids.truncate(count);
            order.retain(|id| ids.contains(id));
            let (removed, killed) = (removed % count, killed % count);
            Overlap { topology, ids, parents, removed, killed, is_from_outside, hit, order, flipped }
        },
    )
}

impl Overlap {
    /// The history up to the answers of the removal and the kill, and what is left.
    fn happened(&self) -> (String, Forest) {
        let (mut text, mut forest) = (String::new(), Forest::new(self.topology));
        for (at, &id) in self.ids.iter().enumerate() {
            let parent = if at == 0 { -1 } else { self.ids[self.parents[at] % at] };
            let born = Span { from_us: 0, to_us: 0 };
            forest.put(id, &forest.spot(id, Some(parent)), 1000 + at as u64, born);
            text.push_str(&format!("create {id} {parent} = Ok: {} / ", 1000 + at));
        }
        let (removed, killed, number) = (self.ids[self.removed], self.ids[self.killed], self.ids.len() + 1);
        text.push_str(&match self.is_from_outside {
            true => format!("> remove {removed} / ! kill {killed} / < {number} Ok / +200"),
            false => format!("> remove {removed} / > kill {killed} / < {} Ok / < {number} Ok", number + 1),
        });
        let (before, when) = (forest.clone(), Span { from_us: 0, to_us: 0 });
        forest = forest.without(removed);
        let moved = before.moved_out(&forest, killed);
        forest.kill(killed, when);
        let hit = moved.into_iter().zip(&self.hit).filter(|(_, is_hit)| **is_hit);
        hit.for_each(|(id, _)| forest.kill(id, when));
        (text, forest)
    }
}

proptest! {
    #[test]
    fn what_a_kill_hit_meanwhile_is_learned_from_the_replies(overlap in overlap()) {
        let (mut text, forest) = overlap.happened();
        let left: Vec<i64> = overlap.order.iter().copied().filter(|&id| forest.exists(id)).collect();
        for &id in &left {
            text.push_str(&format!(" / ping {id} = Ok: {}", u8::from(forest.is_alive(id))));
        }
        let config = OracleConfig { topology: overlap.topology, ..config("tree dictionary") };
        let judged = judge(&config, &history(&text));
        prop_assert_eq!(judged.map(|it| it.not_judged).map_err(|it| it.to_string()), Ok(0), "{}", text);
        let flipped = left[overlap.flipped % left.len()];
        let wrong = format!("{text} / +200 / ping {flipped} = Ok: {}", u8::from(!forest.is_alive(flipped)));
        prop_assert!(judge(&config, &history(&wrong)).is_err(), "{}", wrong);
    }
}
