//! Histories as text, for the tables of right and wrong ones.
//!
//! | part | meaning |
//! |---|---|
//! | `+100` | 100 ms pass |
//! | `create 1 = Ok: 1000` | typed, and answered at once |
//! | `> ping 1` | typed; the first command has number 1 |
//! | `< 3 Ok: 1` | the reply to command 3 |
//! | `? Heartbit: …` | a notice |
//! | `! kill 4` | from outside |
//! | `! cut 4`, `! hinder 4`, `! slow 4`, `! mend 4` | fault 1 begins, or is over |
//! | `! armed text` | fault 1 is armed |
//! | `...` | the history breaks off here, it does not end |
//!
//! Parts are separated by ` / `; `\n` in a part is a LF.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::script::{Script, script};

pub(super) fn config(system: &str) -> OracleConfig {
    let (topology, commands) = system.split_once(' ').expect("a topology and a command set");
    OracleConfig {
        topology: topology.parse().expect("a topology"),
        commands: commands.parse().expect("a command set"),
        reply_timeout_ms: 5000,
        slack_ms: 1,
        pid_rule: PidRule::NeverTwice,
    }
}

pub(super) fn history(text: &str) -> Vec<Event> {
    let mut history = Vec::new();
    let (mut at_us, mut typed) = (0, 0);
    for part in text.split(" / ").map(|part| part.trim().replace("\\n", "\n")) {
        if part == "..." {
            return history;
        }
        match part.strip_prefix('+') {
            None if part.is_empty() => {}
            Some(ms) => at_us += ms.parse::<u64>().expect("milliseconds") * 1000,
            None => history.extend(happened(&part, &mut typed).into_iter().map(|what| Event { at_us, what })),
        }
    }
    history.push(Event { at_us, what: Happened::Ended });
    history
}

fn happened(part: &str, typed: &mut u64) -> Vec<Happened> {
    let (mark, rest) = part.split_at_checked(2).unwrap_or((part, ""));
    match mark {
        "< " => {
            let (number, text) = rest.split_once(' ').expect("a number and a text");
            vec![Happened::Replied { command: number.parse().expect("a number"), text: text.to_owned() }]
        }
        "? " => vec![Happened::Notice { text: rest.to_owned() }],
        "! " => vec![outside(rest)],
        _ => {
            *typed += 1;
            let (line, reply) =
                part.strip_prefix("> ").map_or_else(|| part.split_once(" = ").expect("a reply"), |it| (it, ""));
            let typed_line = Happened::Submitted { command: *typed, text: line.to_owned() };
            let reply = Happened::Replied { command: *typed, text: reply.to_owned() };
            if mark == "> " { vec![typed_line] } else { vec![typed_line, reply] }
        }
    }
}

fn outside(text: &str) -> Happened {
    let (word, id) = text.split_once(' ').expect("an action and an id");
    let action = match word {
        "kill" => Action::Kill,
        "stop" => Action::Stop,
        "continue" => Action::Continue,
        _ => return Happened::Fault(fault(word, id)),
    };
    Happened::Outside { action, id: id.parse().expect("an id") }
}

/// The fault with number 1.
fn fault(word: &str, rest: &str) -> Told {
    let link = || Some(rest.parse().expect("an id"));
    let begun = |trouble| Told::Begun { number: 1, trouble: Some(trouble) };
    match word {
        "armed" => Told::Armed { number: 1, text: rest.to_owned(), ends_itself: false },
        "cut" => begun(Trouble::Cut(link())),
        "hinder" => begun(Trouble::Hinder(link())),
        "slow" => begun(Trouble::Slow(rest.parse().expect("an id"))),
        _ => Told::Over { number: 1 },
    }
}

#[test]
fn a_violation_reads_well() {
    let violation = judge(&config("tree sum"), &history("+3 / ping 7 = Ok: 1")).expect_err("a violation");
    assert_eq!(
        violation.to_string(),
        "I2 broken at 3.000 ms by command 1, \"ping 7\"\n  allowed: Error: Not found\n  came:    \"Ok: 1\""
    );
}

#[test]
fn a_summary_counts_what_was_compared() {
    let text = "create 1 = Ok: 1000 / exec 1 1 5 = Ok:1: 5 / pingall = Ok: -1 / tree = -1\\n└── 1 (1000)";
    let summary = judge(&config("tree sum"), &history(text)).expect("no violation");
    assert_eq!((summary.judged_exactly, summary.judged_leniently, summary.not_judged), (4, 0, 0));
    assert_eq!((summary.results, summary.pingalls, summary.drawings), (1, 1, 1));
}

#[test]
fn a_race_is_counted_as_lenient() {
    let text = "create 1 = Ok: 1000 / > exec 1 1 5 / > kill 1 / < 2 Ok:1: 5 / < 3 Ok";
    let summary = judge(&config("tree sum"), &history(text)).expect("no violation");
    assert_eq!((summary.judged_exactly, summary.judged_leniently), (2, 1));
}

#[test]
fn a_history_that_is_none_is_the_fault_of_the_harness() {
    let broken = |text| judge(&config("tree sum"), &history(text)).expect_err("a violation").invariant;
    let mut backwards = history("+5 / ping 7 = Error: Not found");
    backwards[1].at_us = 0;
    assert_eq!(judge(&config("tree sum"), &backwards).expect_err("a violation").invariant, Invariant::History);
    assert_eq!(broken("< 1 Ok"), Invariant::OneReply);
}

#[test]
fn real_time_allows_delays_and_pids_of_the_dead() {
    let real = OracleConfig { slack_ms: 500, pid_rule: PidRule::NotShared, ..config("tree dictionary") };
    let text = "create 1 = Ok: 7 / kill 1 = Ok / > create 1 / +90 / < 3 Ok: 7 / > wait 10 / +200 / < 4 Ok";
    assert_eq!(judge(&real, &history(text)).map(|summary| summary.judged_exactly), Ok(4));
}

/// Replies that a broken system might give.
fn some_reply() -> impl Strategy<Value = String> {
    let fixed = vec![
        "Ok",
        "Ok:",
        "Ok: 1",
        "Ok: 0",
        "Ok: -1",
        "Ok: 3;5",
        "Ok:5",
        "Ok:5: 7",
        "Ok:3: 'x' not found",
        "Error: Not found",
        "Error: Node is unavailable",
        "Error: Parent is unavailable",
        "Error: node 8 is unavailable",
        "Error: Already exists",
        "Error:5: Node is unavailable",
        "Error:3: Not found",
        "",
        "-1",
        "-1\n└── 5 (1000)",
        "\n",
        "Heartbit: \u{e9}",
    ];
    prop_oneof![3 => select(fixed).prop_map(str::to_owned), 2 => (1000_u64..9999).prop_map(|pid| format!("Ok: {pid}"))]
}

/// The script with such replies: in turn, or some of them late.
fn babble(script: &Script, replies: &[(String, u64, bool)]) -> Vec<Event> {
    let (mut history, mut late, mut at_us) = (Vec::new(), Vec::new(), 0);
    for (step, (number, (reply, wait_us, is_late))) in script.steps.iter().zip((1_u64..).zip(replies)) {
        let typed = Happened::Submitted { command: number, text: step.text.clone() };
        history.push(Event { at_us, what: typed });
        at_us += wait_us;
        let replied = Happened::Replied { command: number, text: reply.clone() };
        if *is_late { late.push(replied) } else { history.push(Event { at_us, what: replied }) }
    }
    history.extend(late.into_iter().map(|what| Event { at_us, what }));
    history
}

proptest! {
    #[test]
    fn no_output_makes_the_oracle_panic(
        script in select(Topology::ALL.to_vec()).prop_flat_map(|topology| script(topology, Commands::Dictionary)),
        replies in proptest::collection::vec((some_reply(), 0_u64..9_000_000, any::<bool>()), 60),
    ) {
        let config = OracleConfig { topology: script.topology, ..config("tree dictionary") };
        let _ = judge(&config, &babble(&script, &replies));
    }
}
