//! Histories that follow the specification: the oracle must not accuse.

use super::tests::{config, history};
use super::*;

const REPLIES: &[(&str, &str)] = &[
    ("tree sum", ""),
    ("tree sum", "ping 7 = Error: Not found"),
    ("tree sum", "pingall = Ok: -1 / all = Ok: / tree = -1"),
    ("tree sum", "> # x / > exit / > ping 1"),
    ("tree sum", "fly 1 = Error: Unknown command: fly / p\u{ef}ng 1 = Error: Unknown command: p\\u{ef}ng"),
    (
        "tree sum",
        "ping abc = Error: Usage: ping id / ping +1 = Error: Usage: ping id / create = Error: Usage: create id [parent]",
    ),
    ("tree sum", "exec = Error: Usage: exec id n k1 ... kn / exec x 1 = Error: Usage: exec id n k1 ... kn"),
    ("tree timer", "exec = Error: Usage: exec id start|stop|time"),
    ("tree search", "exec\\na\\nb = Error: Usage: exec id / exec 1\\na\\nb = Error:1: Not found"),
    ("tree sum", "heartbit -5 = Error: Usage: heartbit ms / heartbeat 9 = Error: Usage: heartbit ms / heartbit 0 = Ok"),
    ("tree sum", "wait x = Error: Usage: wait [ms] / quit 1 = Error: Usage: quit / exit now = Error: Usage: exit"),
    (
        "tree sum",
        "help = help\\nping id\\n / help fly = Error: Unknown command: fly / help a b = Error: Usage: help [command]",
    ),
    (
        "tree sum",
        "create -1 = Error: Already exists / create -1 99 = Error: Already exists / create 5 5 = Error: Parent not found",
    ),
    ("tree sum", "create 1 = Ok: 1000 / create 1 99 = Error: Already exists / create 1 1 = Error: Already exists"),
    ("tree sum", "exec -1 1 1 = Error:-1: Not found / kill -1 = Error: Not found / pause -1 = Error: Not found"),
    ("tree sum", "create 007 -1 = Ok: 1000 / ping -0 = Error: Not found / ping 7 = Ok: 1 / all = Ok: 7"),
    (
        "tree sum",
        "create 1 = Ok: 1000 / exec 1 3 1 2 3 = Ok:1: 6 / exec 1 2 9223372036854775807 1 = Ok:1: 9223372036854775808",
    ),
    ("tree sum", "create 1 = Ok: 1000 / exec 1 2 1 = Error:1: wrong count / exec 1 = Error:1: no count"),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / exec 1 x = Ok:1: 'x' not found / exec 1 x 007 = Ok:1 / exec 1 x = Ok:1: 7",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / exec 1 bad-name 5 = Error:1: bad name / exec 9 bad-name = Error:9: Not found",
    ),
    (
        "tree search",
        "create 1 = Ok: 1000 / exec 1\\naaaa\\naa = Ok:1: 0;1;2 / exec 1\\nab\\nabc = Ok:1: -1 / exec 1\\n\\na = Error:1: empty",
    ),
    ("tree timer", "create 1 = Ok: 1000 / exec 1 time = Ok:1: 0 / exec 1 stop = Ok:1 / +50 / exec 1 time = Ok:1: 0"),
    (
        "tree timer",
        "create 1 = Ok: 1000 / exec 1 start = Ok:1 / wait 0 = Ok / +70 / exec 1 time = Ok:1: 70 / exec 1 stop = Ok:1 / +9 / exec 1 time = Ok:1: 70",
    ),
    ("tree timer", "create 1 = Ok: 1000 / > exec 1 start / +10 / < 2 Ok:1 / +20 / > exec 1 time / +5 / < 3 Ok:1: 27"),
    ("tree sum", "> wait 100 / +100 / < 1 Ok / > wait 10 / > ping 1 / +10 / < 2 Ok / < 3 Error: Not found"),
    ("tree sum", "> create 1 / > wait / +3 / < 1 Ok: 1000 / < 2 Ok"),
];

/// Those of the transcripts, as a system in virtual time may hold them.
const TRANSCRIPTS: &[(&str, &str)] = &[
    (
        "tree dictionary",
        "> create 1 / > create 2 1 / > exec 2 x 5 / > exec 2 x / > create 2 1 / > wait / > kill 1 / > create 1 / > exec 2 x / > wait / > pingall / > create 2 1 / > exec 2 x / > pause 1 / > resume 1 / > ping 1 / > wait / < 1 Ok: 1000 / < 2 Ok: 1001 / < 3 Ok:2 / < 5 Error: Already exists / < 4 Ok:2: 5 / < 6 Ok / < 9 Error:2: Node is unavailable / < 7 Ok / < 8 Ok: 1002 / < 10 Ok / < 14 Ok / < 15 Ok / < 11 Ok: 2 / < 16 Ok: 1 / < 12 Ok: 1003 / < 13 Ok:2: 'x' not found / < 17 Ok",
    ),
    (
        "tree dictionary",
        "create 7 = Ok: 1000 / create 10 7 = Ok: 1001 / create 15 10 = Ok: 1002 / create 20 = Ok: 1003 / heartbit 500 = Ok / ! stop 10 / +2500 / ? Heartbit: node 10 is unavailable now / ? Heartbit: node 15 is unavailable now / ping 20 = Ok: 1 / ping 7 = Ok: 1 / > pingall / +5000 / < 8 Ok: 10;15 / exec 15 a 1 = Error:15: Node is unavailable / ! continue 10 / ? Heartbit: node 10 is available again / ? Heartbit: node 15 is available again / exec 10 a 1 = Ok:10 / pingall = Ok: -1",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / create 4 2 = Ok: 1003 / create 5 4 = Ok: 1004 / exec 5 kok = Ok:5: 'kok' not found / exec 5 kok 8 = Ok:5 / heartbit 500 = Ok / ! kill 4 / +2400 / ? Heartbit: node 4 is unavailable now / ? Heartbit: node 5 is unavailable now / > wait 3000 / +3000 / < 9 Ok / ping 3 = Ok: 1 / ping 5 = Ok: 0 / exec 5 kok = Error:5: Node is unavailable / heartbit 0 = Ok",
    ),
    (
        "bst timer",
        "create 12 = Ok: 1000 / create 66 = Ok: 1001 / create 88 = Ok: 1002 / create 90 = Ok: 1003 / all = Ok: 12 66 88 90 / exec 12 start = Ok:12 / heartbit 500 = Ok / remove 66 = Ok / all = Ok: 12 88 90 / ping 66 = Error: Not found / > wait 600 / +600 / < 11 Ok / exec 12 stop = Ok:12 / > wait 300 / +300 / < 13 Ok / exec 12 time = Ok:12: 600 / remove 12 = Ok / all = Ok: 88 90 / exec 12 time = Error:12: Not found / > exit",
    ),
];

const SHAPES: &[(&str, &str)] = &[
    (
        "list sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 1 = Ok: 1002 / tree = -1\\n└── 1 (1000)\\n    └── 3 (1002)\\n        └── 2 (1001)",
    ),
    (
        "list sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 9 = Ok: 1002 / remove 1 = Ok / tree = -1\\n├── 2 (1001)\\n└── 9 (1002)",
    ),
    (
        "list sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / kill 2 = Ok / create 2 -1 = Ok: 1003 / tree = -1\\n├── 1 (1000)\\n│   └── 3 (-) down\\n└── 2 (1003)",
    ),
    (
        "list sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 2 = Ok / create 3 1 = Ok: 1002 / tree = -1\\n└── 1 (1000)\\n    └── 3 (1002)\\n        └── 2 (-) down",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / remove 2 = Ok / tree = -1\\n└── 1 (1000)\\n    └── 3 (1002)",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 1 = Ok / pingall = Ok: 1;2 / create 1 = Ok: 1002 / pingall = Ok: 2 / create 2 = Ok: 1003 / tree = -1\\n└── 1 (1002)\\n    └── 2 (1003)",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / kill 2 = Ok / create 2 -1 = Ok: 1002 / tree = -1\\n├── 1 (1000)\\n└── 2 (1002)",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / create 3 2 = Ok: 1002 / kill 2 = Ok / remove 1 = Ok / pingall = Ok: 2;3 / remove 2 = Error: Node is unavailable",
    ),
    (
        "bst sum",
        "create 8 77 = Ok: 1000 / create 11 = Ok: 1001 / create 9 = Ok: 1002 / create 13 = Ok: 1003 / tree = -1\\n└── 8 (1000)\\n    ├── (none)\\n    └── 11 (1001)\\n        ├── 9 (1002)\\n        └── 13 (1003)",
    ),
    (
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / create 11 = Ok: 1002 / create 9 = Ok: 1003 / create 10 = Ok: 1004 / remove 8 = Ok / tree = -1\\n└── 9 (1003)\\n    ├── 3 (1001)\\n    └── 11 (1002)\\n        └── 10 (1004)",
    ),
    (
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / create 11 = Ok: 1002 / create 13 = Ok: 1003 / remove 8 = Ok / tree = -1\\n└── 11 (1002)\\n    ├── 3 (1001)\\n    └── 13 (1003)",
    ),
    ("bst sum", "create 8 = Ok: 1000 / create 3 = Ok: 1001 / remove 8 = Ok / all = Ok: 3 / ping 3 = Ok: 1"),
    (
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / kill 3 = Ok / create 1 = Error: Parent is unavailable / create 3 5 = Ok: 1002",
    ),
    (
        "bst sum",
        "create 8 = Ok: 1000 / create 3 = Ok: 1001 / create 11 = Ok: 1002 / kill 11 = Ok / remove 8 = Error: node 11 is unavailable",
    ),
    ("bst sum", "create 8 = Ok: 1000 / create 11 = Ok: 1001 / kill 11 = Ok / remove 8 = Ok / pingall = Ok: 11"),
    (
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / create 7 = Ok: 1003 / tree = -1\\n└── 9 (1000)\\n    ├── 1 (1001)\\n    │   └── 7 (1003)\\n    └── 5 (1002)",
    ),
    (
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / remove 9 = Ok / tree = -1\\n└── 5 (1002)\\n    └── 1 (1001)",
    ),
    ("balanced sum", "create 9 = Ok: 1000 / create 1 = Ok: 1001 / remove 1 = Ok / remove 9 = Ok / tree = -1"),
    (
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / create 5 = Ok: 1002 / kill 5 = Ok / remove 9 = Error: node 5 is unavailable / remove 1 = Ok / tree = -1\\n└── 9 (1000)\\n    └── 5 (-) down",
    ),
    (
        "balanced sum",
        "create 9 = Ok: 1000 / create 1 = Ok: 1001 / kill 1 = Ok / create 5 = Ok: 1002 / create 7 = Error: Parent is unavailable",
    ),
];

const RACES: &[(&str, &str)] = &[
    (
        "tree dictionary",
        "> create 1 / > create 2 1 / > exec 2 x 5 / > exec 2 x / > create 2 1 / < 1 Ok: 1000 / < 2 Ok: 1001 / < 3 Ok:2 / < 5 Error: Already exists / < 4 Ok:2: 5",
    ),
    (
        "tree dictionary",
        "> create 1 / > create 2 1 / > kill 1 / < 1 Ok: 1000 / < 3 Ok / < 2 Error: Parent is unavailable / create 3 2 = Error: Parent not found",
    ),
    (
        "tree dictionary",
        "> create 1 / > create 2 1 / > kill 1 / < 1 Ok: 1000 / < 2 Ok: 1001 / < 3 Ok / pingall = Ok: 1;2",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / > exec 1 x 1 / > exec 1 x 2 / > kill 1 / < 2 Ok:1 / < 3 Error:1: Node is unavailable / < 4 Ok",
    ),
    ("tree dictionary", "create 1 = Ok: 1000 / > ping 1 / > pingall / > kill 1 / < 4 Ok / < 2 Ok: 0 / < 3 Ok: -1"),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / > kill 2 / > kill 1 / < 4 Ok / < 3 Error: Node is unavailable",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / > kill 1 / > create 1 / > exec 1 x / < 2 Ok / < 3 Ok: 1001 / < 4 Ok:1: 'x' not found",
    ),
    ("tree dictionary", "create 1 = Ok: 1000 / > remove 1 / > kill 1 / < 2 Ok / < 3 Error: Not found"),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / > remove 1 / > kill 1 / < 3 Ok / < 2 Error: Node is unavailable / ping 1 = Ok: 0",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / ! kill 1 / ping 1 = Ok: 1 / +50 / exec 1 x = Error:1: Node is unavailable / +60 / ping 1 = Ok: 0",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / ! kill 1 / +90 / create 1 = Ok: 1001 / exec 1 x = Ok:1: 'x' not found / +90 / ping 1 = Ok: 1",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / ! kill 1 / +200 / pingall = Ok: 1;2 / kill 2 = Error: Node is unavailable",
    ),
    ("tree dictionary", "create 1 = Ok: 1000 / > exec 1 x 5 / ..."),
    ("tree dictionary", "create 1 = Ok: 1000 / > create 2 1 / > ping 2 / < 3 Ok: 1 / ..."),
];

const SILENCE: &[(&str, &str)] = &[
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5000 / < 3 Ok: 0 / > ping 1 / +5000 / < 4 Ok: 0 / exec 1 x = Error:1: Node is unavailable",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 x 5 / +5000 / < 3 Error:1: Node is unavailable / resume 1 = Ok / exec 1 x = Ok:1: 5 / exec 1 x = Ok:1: 5",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 x 5 / +5000 / < 3 Error:1: Node is unavailable / resume 1 = Ok / exec 1 x = Ok:1: 'x' not found",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > exec 1 x 5 / +100 / resume 1 = Ok / < 3 Ok:1 / exec 1 x = Ok:1: 5",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / pause 1 = Ok / resume 1 = Ok / resume 1 = Ok / ping 1 = Ok: 1",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > create 2 1 / +5000 / < 3 Error: Parent is unavailable / create 1 = Error: Already exists",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 = Ok: 1001 / pause 1 = Ok / > pingall / ping 2 = Ok: 1 / +5000 / < 4 Ok: 1",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / > ping 1 / +5000 / < 3 Ok: 0 / tree = -1\\n└── 1 (-) down",
    ),
    ("tree dictionary", "create 1 = Ok: 1000 / pause 1 = Ok / tree = -1\\n└── 1 (1000)"),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / pause 1 = Ok / kill 1 = Ok / ping 1 = Ok: 0 / create 1 = Ok: 1001 / ping 1 = Ok: 1",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / pause 2 = Ok / > remove 1 / +5000 / < 4 Error: node 2 is unavailable / > remove 2 / +5000 / < 5 Error: Node is unavailable",
    ),
    (
        "list dictionary",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / pause 2 = Ok / > create 3 1 / +5000 / < 4 Error: node 2 is unavailable",
    ),
    (
        "tree dictionary",
        "create 1 = Ok: 1000 / ! stop 1 / > ping 1 / +5000 / < 2 Ok: 0 / ! continue 1 / exec 1 x = Error:1: Node is unavailable / ping 1 = Ok: 1",
    ),
];

const NOTICES: &[(&str, &str)] = &[
    (
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +400 / ? Heartbit: node 1 is unavailable now / +200 / pingall = Ok: 1",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / create 2 1 = Ok: 1001 / heartbit 100 = Ok / +1000 / pause 1 = Ok / +450 / ? Heartbit: node 2 is unavailable now / ? Heartbit: node 1 is unavailable now / +100 / resume 1 = Ok / ? Heartbit: node 1 is available again / ? Heartbit: node 2 is available again / +900 / ping 1 = Ok: 1",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now / create 1 = Ok: 1001 / ? Heartbit: node 1 is available again",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / pause 1 = Ok / +350 / resume 1 = Ok / +900 / ping 1 = Ok: 1",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / pause 1 = Ok / heartbit 100 = Ok / +500 / ? Heartbit: node 1 is unavailable now / heartbit 100 = Ok / +500 / ? Heartbit: node 1 is unavailable now",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / kill 1 = Ok / +300 / heartbit 0 = Ok / +900 / ping 1 = Ok: 0",
    ),
    (
        "tree sum",
        "heartbit 100 = Ok / create 1 = Ok: 1000 / pause 1 = Ok / +450 / ? Heartbit: node 1 is unavailable now / kill 1 = Ok / +900 / ping 1 = Ok: 0",
    ),
    (
        "tree sum",
        "create 1 = Ok: 1000 / heartbit 100 = Ok / +1000 / ! kill 1 / +500 / ? Heartbit: node 1 is unavailable now / +600 / ping 1 = Ok: 0",
    ),
];

fn check(rows: &[(&str, &str)]) {
    for (system, text) in rows {
        let judged = judge(&config(system), &history(text));
        assert!(judged.is_ok(), "{system}: {text}\n{}", judged.map_or_else(|it| it.to_string(), |_| String::new()));
    }
}

#[test]
fn the_table_is_long_enough() {
    assert!(REPLIES.len() + SHAPES.len() + RACES.len() + SILENCE.len() + NOTICES.len() >= 60);
}

#[test]
fn replies() {
    check(REPLIES);
}

#[test]
fn transcripts() {
    check(TRANSCRIPTS);
}

#[test]
fn shapes() {
    check(SHAPES);
}

#[test]
fn races() {
    check(RACES);
}

#[test]
fn silence() {
    check(SILENCE);
}

#[test]
fn notices() {
    check(NOTICES);
}
