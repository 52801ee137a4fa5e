//! Histories that break the specification: the oracle must accuse, and of the right thing.

use super::tests::{config, history};
use super::*;
use Invariant::*;

const REPLIES: &[(Invariant, &str, &str)] = &[
    (OneReply, "tree sum", "ping 7 = Error: Not found / < 1 Error: Not found"),
    (OneReply, "tree sum", "> ping 7"),
    (OneReply, "tree sum", "> # x / < 1 Ok"),
    (OneReply, "tree sum", "> exit / < 1 Ok"),
    (OneReply, "tree sum", "> exit / > ping 1 / < 2 Error: Not found"),
    (Text, "tree sum", "ping 7 = Ok: 0"),
    (Text, "tree sum", "fly 1 = Error: Unknown command: fly 1"),
    (Text, "tree sum", "fly 1 = Error: unknown command: fly"),
    (Text, "tree sum", "ping abc = Error: Not found"),
    (Text, "tree sum", "heartbeat 9 = Error: Usage: heartbeat ms"),
    (Text, "tree sum", "heartbit 9 = Ok"),
    (Text, "tree sum", "exec = Error: Usage: exec id"),
    (Text, "tree sum", "help = help"),
    (Text, "tree sum", "all = Ok: 1"),
    (Text, "tree sum", "pingall = Ok:"),
    (Text, "tree sum", "create 5 9 = Error: Parent is unavailable"),
    (OneCreate, "tree sum", "create -1 = Ok: 1000"),
    (OneCreate, "tree sum", "create 1 = Ok: 1000 / create 1 = Ok: 1001"),
    (Text, "tree sum", "create 1 = Ok: 1000 / create 1 99 = Error: Parent not found"),
    (Text, "tree sum", "create 1 = Ok: 1000 / exec 1 2 1 = Error:1: Not found"),
    (Text, "tree dictionary", "exec 9 bad-name = Error:9: bad name"),
    (Text, "tree dictionary", "create 1 = Ok: 1000 / kill 1 = Ok / exec 1 bad-name = Error:1: bad name"),
    (Text, "tree dictionary", "create 1 = Ok: 1000 / exec 1 x = Error:1: "),
    (Register, "tree sum", "create 1 = Ok: 1000 / exec 1 3 1 2 3 = Ok:1: 7"),
    (Register, "tree sum", "create 1 = Ok: 1000 / exec 1 2 9223372036854775807 1 = Ok:1: -9223372036854775808"),
    (Register, "tree sum", "create 1 = Ok: 1000 / exec 1 2 1 = Ok:1: 1"),
    (Register, "tree search", "create 1 = Ok: 1000 / exec 1\\naaaa\\naa = Ok:1: 0;2"),
    (Register, "tree dictionary", "create 1 = Ok: 1000 / exec 1 x 5 = Ok:1 / exec 1 x 6 = Ok:1 / exec 1 x = Ok:1: 5"),
    (Register, "tree dictionary", "create 1 = Ok: 1000 / create 2 = Ok: 1001 / exec 1 x 5 = Ok:1 / exec 2 x = Ok:2: 5"),
    (
        Register,
        "tree dictionary",
        "create 1 = Ok: 1000 / exec 1 x 5 = Ok:1 / kill 1 = Ok / create 1 = Ok: 1001 / exec 1 x = Ok:1: 5",
    ),
    (
        Register,
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / exec 2 x 5 = Ok:2 / remove 1 = Ok / exec 2 x = Ok:2: 'x' not found",
    ),
    (Register, "tree timer", "create 1 = Ok: 1000 / exec 1 start = Ok:1 / +70 / exec 1 time = Ok:1: 71"),
    (
        Register,
        "tree timer",
        "create 1 = Ok: 1000 / exec 1 start = Ok:1 / +70 / exec 1 stop = Ok:1 / +70 / exec 1 time = Ok:1: 140",
    ),
    (
        Register,
        "tree timer",
        "create 1 = Ok: 1000 / exec 1 start = Ok:1 / +70 / > exec 1 stop / +70 / < 3 Ok:1 / exec 1 time = Ok:1: 80 / exec 1 time = Ok:1: 81",
    ),
    (Wait, "tree sum", "> wait 100 / +99 / < 1 Ok"),
    (Wait, "tree sum", "> wait 100 / +102 / < 1 Ok"),
    (Wait, "tree sum", "> create 1 / > wait / < 2 Ok / < 1 Ok: 1000"),
    (Wait, "tree sum", "> wait 10 / > ping 1 / < 2 Error: Not found / +10 / < 1 Ok"),
    (ExecOrder, "tree dictionary", "create 1 = Ok: 1000 / > exec 1 x 5 / > exec 1 x / < 3 Ok:1: 5 / < 2 Ok:1"),
    (Pid, "tree sum", "create 1 = Ok: 999"),
    (Pid, "tree sum", "create 1 = Ok: 1000 / create 2 = Ok: 1000"),
    (Pid, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / create 1 = Ok: 1000"),
    (Pid, "tree sum", "create 1 = Ok: 01000"),
];

const SHAPES: &[(Invariant, &str, &str)] = &[
    (Text, "tree sum", "create 2 = Ok: 1000 / create 1 = Ok: 1001 / all = Ok: 2 1"),
    (Text, "tree sum", "create 2 = Ok: 1000 / kill 2 = Ok / all = Ok:"),
    (Forest, "tree sum", "create 1 = Ok: 1000 / tree = -1\\n└── 1 (1001)"),
    (Forest, "tree sum", "create 1 = Ok: 1000 / tree = -1\\n├── 1 (1000)"),
    (Forest, "tree sum", "create 1 = Ok: 1000 / tree = -1\\n└── 1 (-) down"),
    (Forest, "tree sum", "create 1 = Ok: 1000 / tree = -1"),
    (Forest, "tree sum", "create 1 = Ok: 1000 / tree = -1\\n└── 1 (1000)\\n"),
    (
        Forest,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 1 = Ok / tree = -1\\n└── 1 (-) down\\n    └── 2 (1001)",
    ),
    (
        Forest,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / remove 2 = Ok / tree = -1\\n├── 1 (1000)\\n└── 3 (1002)",
    ),
    (
        Forest,
        "list sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 1 = Ok: 1002 / tree = -1\\n└── 1 (1000)\\n    ├── 2 (1001)\\n    └── 3 (1002)",
    ),
    (Forest, "bst sum", "create 8 = Ok: 1000 / create 11 = Ok: 1001 / tree = -1\\n└── 8 (1000)\\n    └── 11 (1001)"),
    (
        Forest,
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / create 11 = Ok: 1002 / remove 8 = Ok / tree = -1\\n└── 3 (1001)\\n    ├── (none)\\n    └── 11 (1002)",
    ),
    (
        Forest,
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / tree = -1\\n└── 9 (1000)\\n    └── 1 (1001)\\n        └── 5 (1002)",
    ),
    (
        Forest,
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / remove 9 = Ok / tree = -1\\n└── 1 (1001)\\n    └── 5 (1002)",
    ),
    (
        BlastRadius,
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / kill 1 = Ok / create 5 = Ok: 1002 / kill 5 = Ok / remove 9 = Error: node 1 is unavailable",
    ),
    (
        OneCreate,
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / kill 3 = Ok / create 1 = Error: Parent is unavailable / create 11 = Ok: 1002 / create 8 = Ok: 1003",
    ),
];

const FAULTS: &[(Invariant, &str, &str)] = &[
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / ping 1 = Ok: 1"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / exec 1 1 1 = Ok:1: 1"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 1 = Ok / ping 2 = Ok: 1"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / kill 1 = Ok"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / pause 1 = Ok"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / remove 1 = Ok"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / create 2 1 = Ok: 1001"),
    (
        Dead,
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / create 11 = Ok: 1002 / kill 11 = Ok / remove 8 = Ok",
    ),
    (Dead, "tree sum", "create 1 = Ok: 1000 / ! kill 1 / +102 / ping 1 = Ok: 1"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / > kill 1 / > exec 1 1 1 / < 3 Ok:1: 1 / < 2 Ok"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / ! kill 1 / ping 1 = Ok: 0 / +1 / ping 1 = Ok: 1"),
    (
        Dead,
        "tree sum",
        "create 1 = Ok: 1000 / > exec 1 1 1 / > exec 1 1 2 / > kill 1 / < 2 Error:1: Node is unavailable / < 3 Ok:1: 2 / < 4 Ok",
    ),
    (BlastRadius, "tree sum", "create 1 = Ok: 1000 / ping 1 = Ok: 0"),
    (
        BlastRadius,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 2 = Ok / exec 1 1 1 = Error:1: Node is unavailable",
    ),
    (BlastRadius, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / resume 1 = Ok / +5000 / ping 1 = Ok: 0"),
    (BlastRadius, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / remove 1 = Error: node 2 is unavailable"),
    (BlastRadius, "tree sum", "create 1 = Ok: 1000 / kill 1 = Error: Node is unavailable"),
    (BlastRadius, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Error: Parent is unavailable"),
    (PingAll, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 1 = Ok / pingall = Ok: 1"),
    (PingAll, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 2 = Ok / pingall = Ok: 1;2"),
    (PingAll, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / pingall = Ok: -1"),
    (Text, "tree sum", "create 1 = Ok: 1000 / create 2 = Ok: 1001 / kill 1 = Ok / kill 2 = Ok / pingall = Ok: 2;1"),
    (PingAll, "tree sum", "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / pause 1 = Ok / > pingall / +5000 / < 4 Ok: 1"),
    (Promptness, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / pingall = Ok: 1"),
    (Promptness, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +4000 / < 3 Ok: 0"),
    (Promptness, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5002 / < 3 Ok: 0"),
    (Promptness, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / exec 1 1 1 = Error:1: Node is unavailable"),
    (
        Promptness,
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 1 1 / +6000 / < 3 Error:1: Node is unavailable",
    ),
    (
        Promptness,
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5000 / < 3 Ok: 0 / +10 / > exec 1 1 1 / +5000 / < 4 Error:1: Node is unavailable",
    ),
    (Promptness, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / > ping 1 / +2 / < 3 Ok: 0"),
    (
        Promptness,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 = Ok: 1001 / pause 1 = Ok / > create 3 1 / > ping 2 / +5002 / < 4 Error: Parent is unavailable / < 5 Ok: 1",
    ),
    (OneCreate, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / create 1 = Ok: 1001 / +1 / ping 1 = Ok: 1"),
    (Dead, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5000 / < 3 Ok: 1"),
    (
        Register,
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 x 5 / +5000 / < 3 Error:1: Node is unavailable / resume 1 = Ok / exec 1 x = Ok:1: 'x' not found / exec 1 x = Ok:1: 5",
    ),
    (
        Register,
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 x 5 / +5000 / < 3 Error:1: Node is unavailable / resume 1 = Ok / exec 1 x 6 = Ok:1 / exec 1 x = Ok:1: 5",
    ),
    (
        BlastRadius,
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 1 1 / +5000 / < 3 Error:1: Node is unavailable / resume 1 = Ok / exec 1 1 1 = Error:1: Node is unavailable",
    ),
    (Forest, "tree sum", "create 1 = Ok: 1000 / pause 1 = Ok / tree = -1\\n└── 1 (-) down"),
    (
        Forest,
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5000 / < 3 Ok: 0 / +10 / tree = -1\\n└── 1 (1000)",
    ),
];

const NOTICES: &[(Invariant, &str, &str)] = &[
    (Text, "tree sum", "? Heartbit: node 1 is down"),
    (Detection, "tree sum", "? Heartbit: node 1 is unavailable now"),
    (Detection, "tree sum", "create 1 = Ok: 1000 / kill 1 = Ok / +500 / ? Heartbit: node 1 is unavailable now"),
    (FalseNotice, "tree sum", "create 1 = Ok: 1000 / heartbit 100 = Ok / +450 / ? Heartbit: node 1 is unavailable now"),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +298 / ? Heartbit: node 1 is unavailable now",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / ping 1 = Ok: 1 / kill 1 = Ok / +399 / ? Heartbit: node 1 is unavailable now",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +503 / ? Heartbit: node 1 is unavailable now",
    ),
    (Detection, "tree sum", "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +900 / ping 1 = Ok: 0"),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / heartbit 100 = Ok / +1000 / pause 1 = Ok / +500 / ? Heartbit: node 1 is unavailable now / +100 / all = Ok: 1 2",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now / ? Heartbit: node 1 is unavailable now",
    ),
    (Detection, "tree sum", "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / ? Heartbit: node 1 is available again"),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now / +10 / ? Heartbit: node 1 is available again",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / pause 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now / resume 1 = Ok / +900 / ping 1 = Ok: 1",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / remove 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / heartbit 0 = Ok / +450 / ? Heartbit: node 1 is unavailable now",
    ),
    (
        FalseNotice,
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / heartbit 100 = Ok / +1000 / kill 2 = Ok / +450 / ? Heartbit: node 2 is unavailable now / ? Heartbit: node 1 is unavailable now",
    ),
    (
        Detection,
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / heartbit 100 = Ok / +399 / ? Heartbit: node 1 is unavailable now",
    ),
];

fn check(rows: &[(Invariant, &str, &str)]) {
    for (invariant, system, text) in rows {
        let judged = judge(&config(system), &history(text));
        let found = judged.as_ref().err().map(|violation| violation.invariant);
        assert_eq!(
            found,
            Some(*invariant),
            "{system}: {text}\n{}",
            judged.map_or_else(|it| it.to_string(), |it| format!("{it:?}"))
        );
    }
}

#[test]
fn the_table_is_long_enough() {
    assert!(REPLIES.len() + SHAPES.len() + FAULTS.len() + NOTICES.len() >= 60);
}

#[test]
fn replies() {
    check(REPLIES);
}

#[test]
fn shapes() {
    check(SHAPES);
}

#[test]
fn faults() {
    check(FAULTS);
}

#[test]
fn notices() {
    check(NOTICES);
}
