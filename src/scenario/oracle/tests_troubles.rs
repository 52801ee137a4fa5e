//! Histories with faults that last: what the oracle must not accuse, and what it must.

use super::tests::{config, history};
use super::*;

const RIGHT: &[(&str, &str)] = &[
    (
        "tree sum",
        "create 4 = Ok: 1000 / create 5 4 = Ok: 1001 / ! cut 5 / +10 / > ping 5 / ping 4 = Ok: 1 / +5000 / < 3 Ok: 0 / ! mend 5 / +6000 / ping 5 = Ok: 1",
    ),
    (
        "tree sum",
        "create 5 = Ok: 1000 / heartbit 100 = Ok / ! cut 5 / +10 / > exec 5 1 7 / +5000 / < 3 Error:5: Node is unavailable / +9000",
    ),
    (
        "tree sum",
        "create 4 = Ok: 1000 / ! cut 5 / +10 / > create 5 4 / +5000 / < 2 Error: the new node does not answer / all = Ok: 4",
    ),
    ("tree sum", "create 5 = Ok: 1000 / ! hinder 5 / +10 / ping 5 = Ok: 1 / > ping 5 / +5000 / < 3 Ok: 0"),
    ("tree sum", "create 5 = Ok: 1000 / heartbit 100 = Ok / ! slow 5 / +1000 / ? Heartbit: node 5 is unavailable now"),
    (
        "tree sum",
        "! armed cut the link above 5 / create 5 = Ok: 1000 / faults = Ok: 1 cut the link above 5 / heal 1 = Ok / faults = Ok: / heal 1 = Error: Not found",
    ),
    (
        "tree sum",
        "fault = Error: Usage: fault what / fault Kil(5) = Error: Wrong fault: so / heal x = Error: Usage: heal number / heal 7 = Error: Not found",
    ),
];

const WRONG: &[(Invariant, &str, &str)] = &[
    (
        Invariant::BlastRadius,
        "tree sum",
        "create 4 = Ok: 1000 / create 5 = Ok: 1001 / ! cut 5 / +10 / > ping 4 / +5000 / < 3 Ok: 0",
    ),
    (Invariant::Dead, "tree sum", "create 5 = Ok: 1000 / ! cut 5 / +10 / ping 5 = Ok: 1"),
    (
        Invariant::Promptness,
        "tree sum",
        "create 5 = Ok: 1000 / ! cut 5 / +10 / > exec 5 1 7 / +6000 / < 2 Error:5: Node is unavailable",
    ),
    (
        Invariant::BlastRadius,
        "tree sum",
        "create 5 = Ok: 1000 / ! cut 5 / +10 / ! mend 5 / +9000 / > ping 5 / +5000 / < 2 Ok: 0",
    ),
    (
        Invariant::FalseNotice,
        "tree sum",
        "create 5 = Ok: 1000 / heartbit 100 = Ok / ! cut 5 / +1000 / ? Heartbit: node 5 is unavailable now",
    ),
    (Invariant::Text, "tree sum", "! armed cut the link above 5 / faults = Ok:"),
    (Invariant::Text, "tree sum", "! armed cut the link above 5 / heal 1 = Error: Not found"),
    (Invariant::Text, "tree sum", "! armed cut the link above 5 / heal 1 = Ok / heal 1 = Ok"),
    (Invariant::Text, "tree sum", "! armed cut the link above 5 / fault Kill(5) = Ok: 1"),
];

#[test]
fn what_faults_that_last_may_do_is_right() {
    for (system, text) in RIGHT {
        let judged = judge(&config(system), &history(text));
        assert!(judged.is_ok(), "{text}: {judged:?}");
    }
}

#[test]
fn what_they_may_not_is_wrong() {
    for (invariant, system, text) in WRONG {
        let judged = judge(&config(system), &history(text)).map_err(|violation| violation.invariant);
        assert_eq!(judged, Err(*invariant), "{text}");
    }
}
