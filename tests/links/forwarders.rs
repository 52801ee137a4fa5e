//! A rogue between two of ours, that passes on what it gets in its own way.

use nodetree::TopologyKind;

use crate::harness::{PATIENCE, check, create, rogue, system};
use crate::sandbox::sandboxed;

/// The requests of one script.
const REQUESTS: i64 = 300;

/// Everything that goes to 2 and comes from it passes the rogue.
fn dialogue_through(detail: usize) {
    let tree = system(TopologyKind::List, PATIENCE);
    let id = rogue(19, detail);
    create(&tree, "create 1");
    create(&tree, &format!("create {id} 1"));
    create(&tree, &format!("create 2 {id}"));
    let lines = (0..REQUESTS).flat_map(|number| {
        [format!("exec 2 name{} {number}", number % 7), format!("exec 2 name{}", number % 7), "ping 2".to_owned()]
    });
    let lines: Vec<String> = lines.collect();
    let tickets = tree.submit_lines(lines.iter().map(String::as_str)).unwrap();
    let expected = (0..REQUESTS).flat_map(|number| ["Ok:2".to_owned(), format!("Ok:2: {number}"), "Ok: 1".to_owned()]);
    for ((ticket, line), expected) in tickets.into_iter().zip(&lines).zip(expected) {
        assert_eq!(tree.wait(ticket).unwrap().answer.to_string(), expected, "to {line}");
    }
    // Each was answered once, and what was repeated has had no effect.
    assert!(tree.replies().unwrap().try_recv().is_err());
    for name in 0..7 {
        let last = (0..REQUESTS).rfind(|number| number % 7 == name).unwrap();
        check(&tree, &[(&format!("exec 2 name{name}"), &format!("Ok:2: {last}"))]);
    }
    check(&tree, &[("ping 1", "Ok: 1"), ("pingall", "Ok: -1")]);
}

/// Covers F31: one byte at a time.
#[test]
fn frames_may_come_byte_by_byte() {
    sandboxed!({ dialogue_through(0) });
}

/// Covers F31: any pieces, and several frames in one.
#[test]
fn frames_may_be_cut_anywhere() {
    sandboxed!({ dialogue_through(1) });
}

/// Covers F32: everything twice.
#[test]
fn what_comes_twice_takes_effect_once() {
    sandboxed!({ dialogue_through(2) });
}

/// Covers F32: neighbours change places.
#[test]
fn what_comes_out_of_order_takes_effect_in_order() {
    sandboxed!({ dialogue_through(3) });
}

/// Covers F32: what was sent long ago comes again and again.
#[test]
fn what_is_replayed_takes_no_effect() {
    sandboxed!({ dialogue_through(4) });
}
