//! Traces as text: the table and the diagram of a saved one, what a filter lets through, and what is wrong with a file.
//!
//! What is expected stands in `tests/traces`. When it is to change, `NODETREE_BLESS=1 cargo test --test trace` writes
//! what comes now; look at it before it is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use nodetree::actors::message::RequestKind;
use nodetree::faults::FaultPlan;
use nodetree::modes::Span;
use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, record};
use nodetree::testing::script::script;
use nodetree::trace::{self, Event, Filter, Passage, Reader, Run, VERSION, What};
use nodetree::{Dictionary, Mode, NodeId, NodeTree, TopologyKind};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "traces", name].iter().collect()
}

/// Every kind of event but `Sent`: `tests/traces/everything.ron`.
fn everything() -> Vec<Event> {
    trace::read(&fs::read(path("everything.ron")).unwrap()[..]).unwrap()
}

fn table(events: &[Event], mut filter: Filter) -> String {
    let mut text = Vec::new();
    trace::table(&mut text, events.iter().cloned(), &mut filter).expect("a vector takes everything");
    String::from_utf8(text).expect("text")
}

fn diagram(events: &[Event], filter: &Filter, width: usize) -> String {
    let mut text = Vec::new();
    trace::diagram(&mut text, events, filter, width).expect("a vector takes everything");
    String::from_utf8(text).expect("text")
}

#[track_caller]
fn check(name: &str, came: &str) {
    if std::env::var_os("NODETREE_BLESS").is_some() {
        fs::write(path(name), came).unwrap();
    }
    let expected = fs::read_to_string(path(name)).unwrap();
    if came != expected {
        let different = came.lines().zip(expected.lines()).enumerate().find(|(_, (one, other))| one != other);
        panic!("{name}: {} and {} bytes, first difference {different:#?}", came.len(), expected.len());
    }
}

#[test]
fn a_table_is_as_written() {
    check("everything.table.txt", &table(&everything(), Filter::default()));
}

#[test]
fn a_diagram_is_as_written() {
    check("everything.diagram.txt", &diagram(&everything(), &Filter::default(), 100));
}

#[test]
fn a_node_or_a_command_alone_is_as_written() {
    check("node.diagram.txt", &diagram(&everything(), &Filter::new([3], []), 100));
    check("command.diagram.txt", &diagram(&everything(), &Filter::new([], [5, 8, 13]), 100));
    check("both.table.txt", &table(&everything(), Filter::new([1], [5])));
}

#[test]
fn a_diagram_that_is_too_narrow_for_its_lanes_lets_them_share_the_last() {
    let shown = diagram(&everything(), &Filter::new([10, -1], []), 60);
    check("narrow.diagram.txt", &shown);
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert!(shown.ends_with("… is shared by 3 nodes: 1 2 3\n"), "{shown}");
}

/// The whole way of an exec, and nothing else.
#[test]
fn a_command_is_followed_from_node_to_node() {
    let tree = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).trace(true).start().unwrap();
    for line in ["create 1", "create 2 1", "create 3", "exec 3 x 1", "exec 2 x 5", "pingall"] {
        tree.line(line).unwrap();
    }
    let shown = table(&tree.trace(), Filter::new([], [5]));
    let places = shown.lines().skip(1).map(|line| line[14..28].trim_end());
    assert_eq!(places.collect::<Vec<_>>(), ["-1", "-1 -> 1", "1 -> 2", "2 -> 1", "1 -> -1", "-1"], "{shown}");
}

/// What each mode can tell of one dialogue. In process mode a node tells nothing by itself.
#[test]
fn every_mode_writes_a_trace_while_it_runs() {
    for mode in [Mode::Simulated, Mode::Threads, Mode::Process] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.ron");
        let builder = NodeTree::<Dictionary>::builder().mode(mode).node_program(env!("CARGO_BIN_EXE_nodetree"));
        let tree = builder.trace(true).start().unwrap();
        tree.line("create 1").unwrap();
        tree.write_trace_to(fs::File::create(&file).unwrap());
        for line in ["create 2 1", "exec 2 x 5", "pause 2", "resume 2", "pingall", "remove 1", "kill 2", "ping 2"] {
            tree.line(line).unwrap();
        }
        assert_eq!(tree.trace(), [], "{mode}: nothing is kept that is written");
        tree.end_trace().unwrap();
        let events = trace::read(&fs::read(&file).unwrap()[..]).unwrap();
        let shown = table(&events, Filter::default());
        let parts = ["command 1: create 1", "command 3: exec 2 x 5", "answer 3: Ok:2", "answer 9: Ok: 0"];
        let marks = ["started: life", "stopped", "continued", "link ", "ended: life 1", "ended: life 2"];
        for part in parts.into_iter().chain(marks) {
            assert!(shown.contains(part), "{mode}: {part}\n{shown}");
        }
        let asked =
            if mode == Mode::Process { "-1 -> 1       sent: 3: request to 2" } else { "1 -> 2        3: request to 2" };
        assert!(shown.contains(asked) && shown.contains("1 -> -1       3: reply of 2"), "{mode}:\n{shown}");
    }
}

fn show(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nodetree")).arg("trace").args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_program_shows_what_the_library_does() {
    let file = path("everything.ron");
    let file = file.to_str().unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&[], "everything.table.txt"),
        (&["--table"], "everything.table.txt"),
        (&["--diagram", "--width", "100"], "everything.diagram.txt"),
        (&["-d", "-w100", "--node", "3"], "node.diagram.txt"),
        (&["--diagram", "--width", "100", "--command", "5", "--command", "8", "-c", "13"], "command.diagram.txt"),
        (&["-dw", "60", "--node", "-1", "-n", "10"], "narrow.diagram.txt"),
    ];
    for (args, expected) in cases {
        let shown = show(&[&[file], args].concat());
        assert_eq!(shown.status.code(), Some(0), "{args:?}: {shown:?}");
        assert_eq!(text(&shown.stdout), fs::read_to_string(path(expected)).unwrap(), "{args:?}");
    }
}

#[test]
fn a_file_that_is_no_trace_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("nodetree trace 1\n(at_ns:5)\n", 2, "line 1: this is a trace of version 1, only version 3 can be read"),
        ("", 2, "line 1: this is no trace: it does not begin with \"nodetree trace 3\""),
        ("create 1\n", 2, "line 1: this is no trace"),
        ("nodetree trace x\n", 2, "line 1: this is no trace"),
        ("nodetree trace 3", 2, "line 1: it is not complete"),
        ("nodetree trace 3\n(at_ns:5,what:Stopped(node:7))\n(at_ns:6,what:Flies(node:7))\n", 1, "line 3: column 15: "),
        ("nodetree trace 3\n(at_ns:5,what:Stopped(node:7))\n\n", 1, "line 3: column 1: "),
        ("nodetree trace 3\n(at_ns:5,what:Stopped(node:7)) and more\n", 1, "line 2: column 31: "),
        ("nodetree trace 3\n(at_ns:5,what:Stopped(node:7))\n(at_ns:6,what:Stop", 1, "line 3: it is not complete"),
    ];
    for (content, code, said) in cases {
        let file = folder.path().join("trace.ron");
        fs::write(&file, content).unwrap();
        for form in ["--table", "--diagram"] {
            let shown = show(&[file.to_str().unwrap(), form]);
            let errors = text(&shown.stderr);
            assert_eq!(shown.status.code(), Some(code), "{content:?}: {errors}");
            assert!(errors.contains(file.to_str().unwrap()) && errors.contains(said), "{content:?}: {errors}");
            let whole = fs::read_to_string(&file).unwrap().contains("Stopped(node:7))\n");
            assert_eq!(text(&shown.stdout).contains("stopped"), whole, "what stands before it is shown");
        }
    }
    let missing = show(&["/nowhere/trace.ron"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/nowhere/trace.ron: No such file"), "{missing:?}");
}

/// The system runs to its end all the same.
#[test]
fn a_trace_that_cannot_be_written_is_told_at_the_end() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
    let ended = command.args(["--mode", "simulated", "--trace", "/dev/full"]).output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(1), String::new()));
    assert!(text(&ended.stderr).starts_with("nodetree: /dev/full: No space left"), "{ended:?}");
}

#[test]
fn wrong_arguments_are_exit_code_2() {
    for args in [&["x", "--table", "--diagram"][..], &[], &["x", "--width", "20"], &["x", "--node", "y"]] {
        let refused = show(args);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{args:?}: {refused:?}");
    }
}

/// A line without an end does not fill the memory.
#[test]
fn a_line_that_is_too_long_is_an_error() {
    let input = [b"nodetree trace 3\n", &vec![b' '; 1 << 20][..]].concat();
    let error = Reader::new(&input[..]).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2: it is too long for an event");
}

/// A text of any length is cut where it is kept; the request is in the trace as it was handed in, and no result is.
#[test]
fn a_long_text_is_cut() {
    let tree = NodeTree::<nodetree::Search>::builder().mode(Mode::Simulated).trace(true).start().unwrap();
    tree.line("create 1").unwrap();
    tree.line(&format!("exec 1\n{}\na", "a".repeat(60_000))).unwrap();
    let mut saved = Vec::new();
    let events = tree.trace();
    trace::write(&mut saved, &events).unwrap();
    assert!((120_000..140_000).contains(&saved.len()), "{} bytes", saved.len());
    assert_eq!(trace::read(&saved[..]).unwrap(), events);
    assert!(table(&events, Filter::default()).contains("answer 2: Ok:1: 0;1;2;3;"));
}

fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![6 => -1_i64..6, 1 => any::<i64>(), 1 => Just(i64::MIN)]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z ]{0,30}", 1 => any::<String>(), 1 => Just("\"\\\n\r\u{1b}[2J\u{202e}".to_owned())]
}

fn passage() -> impl Strategy<Value = Passage> {
    (option::of(node()), option::of(node()), any::<u64>(), option::of(0_u64..9), words())
        .prop_map(|(from, to, link, command, envelope)| Passage { from, to, link, command, envelope })
}

fn kind() -> impl Strategy<Value = RequestKind> {
    use RequestKind::{Finish, Head, Invalid, Part};
    prop::sample::select(vec![Head, Part, Finish, Invalid])
}

fn what() -> impl Strategy<Value = What> {
    let command = 0_u64..9;
    prop_oneof![
        (command.clone(), option::of(node()), words()).prop_map(|(command, node, text)| What::Submitted {
            command,
            node,
            text
        }),
        (command.clone(), kind(), any::<[bool; 2]>(), words())
            .prop_map(|(command, kind, [more, last], bytes)| { What::Handed { command, kind, more, last, bytes } }),
        (words(), words(), any::<u64>(), any::<bool>()).prop_map(|(version, commands, seed, codec)| {
            let (topology, reply_timeout) = (TopologyKind::Bst, Span(Duration::from_millis(seed % 9)));
            let faults: FaultPlan = "[(when: After(3), what: Kill(5))]".parse().unwrap();
            let mode = version.clone();
            What::Began(Run { version, topology, commands, mode, seed, reply_timeout, capacity: 7, codec, faults })
        }),
        (any::<u64>(), option::of(node()), words()).prop_map(|(number, node, text)| What::Fault { number, node, text }),
        any::<u64>().prop_map(|number| What::Healed { number }),
        (command, words()).prop_map(|(command, text)| What::Answered { command, text }),
        (node(), words()).prop_map(|(node, text)| What::Noticed { node, text }),
        (node(), any::<u64>(), any::<u64>()).prop_map(|(node, incarnation, pid)| What::Started {
            node,
            incarnation,
            pid
        }),
        (node(), any::<u64>()).prop_map(|(node, incarnation)| What::Ended { node, incarnation }),
        node().prop_map(|node| What::Stopped { node }),
        node().prop_map(|node| What::Continued { node }),
        (any::<u64>(), node(), node()).prop_map(|(link, upper, lower)| What::Linked { link, upper, lower }),
        passage().prop_map(What::Sent),
        passage().prop_map(What::Delivered),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    vec((any::<u64>(), what()).prop_map(|(at_ns, what)| Event { at_ns, what }), 0..60)
}

fn filter() -> impl Strategy<Value = Filter> {
    (vec(node(), 0..3), vec(0_u64..9, 0..3)).prop_map(|(nodes, commands)| Filter::new(nodes, commands))
}

proptest! {
    #[test]
    fn what_is_saved_is_loaded_as_it_was(events in events()) {
        let mut saved = Vec::new();
        trace::write(&mut saved, &events).unwrap();
        prop_assert_eq!(saved.iter().filter(|byte| **byte == b'\n').count(), events.len() + 1, "one line each");
        prop_assert_eq!(trace::read(&saved[..]).unwrap(), events);
    }

    /// Whatever is in the trace and whatever is asked: one line for each chosen event, none of them wider than asked,
    /// and nothing that moves the cursor of a terminal.
    #[test]
    fn whatever_is_shown_is_lines(events in events(), filter in filter(), width in trace::MIN_WIDTH..200) {
        let mut chooses = filter.clone();
        let chosen = events.iter().filter(|event| chooses.chooses(event)).count();
        let rows = table(&events, filter.clone());
        prop_assert_eq!(rows.lines().count(), chosen + 1);
        let drawn = diagram(&events, &filter, width);
        let with_time = |line: &&str| !line.starts_with('…') && !line.trim_start().starts_with("ms ");
        prop_assert_eq!(drawn.lines().filter(with_time).count(), chosen);
        let is_shown = |text: &str| text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}'));
        prop_assert!(is_shown(&rows) && is_shown(&drawn));
    }

    /// Damage anywhere is an error with the number of its line, or still a trace; never a panic.
    #[test]
    fn damage_is_an_error_with_its_line(events in events(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut saved = Vec::new();
        trace::write(&mut saved, &events).unwrap();
        let at = at.index(saved.len());
        let line = saved[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        saved[at] = byte;
        if let Err(error) = trace::read(&saved[..]) {
            let number: usize = error.to_string()["line ".len()..].split(':').next().unwrap().parse().unwrap();
            // A new end of line inside a line lets its second half be wrong.
            prop_assert!((line..=line + 1).contains(&number), "{}, damaged in line {}", error, line);
        }
    }
}

/// Real traces, drawn narrow and wide, of every node and of none.
#[test]
fn traces_of_random_scripts_are_shown() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    for seed in 0..20 {
        let topology = Topology::ALL[seed as usize % 4];
        let script = script(topology, Commands::Dictionary).new_tree(&mut runner).unwrap().current();
        let (_, events) = record(&Setup::simulated(seed), &script).unwrap();
        let nodes: BTreeSet<NodeId> = events.iter().filter_map(started).collect();
        for node in nodes {
            let shown = diagram(&events, &Filter::new([node], []), 80);
            assert!(shown.contains('┬'), "seed {seed}, node {node}:\n{shown}");
        }
        assert_eq!(table(&events, Filter::default()).lines().count(), events.len() + 1, "seed {seed}");
    }
}

fn started(event: &Event) -> Option<NodeId> {
    if let What::Started { node, .. } = event.what { Some(node) } else { None }
}

#[test]
fn the_version_stands_in_the_documentation() {
    let text =
        fs::read_to_string([env!("CARGO_MANIFEST_DIR"), "docs", "trace.md"].iter().collect::<PathBuf>()).unwrap();
    assert!(text.contains(&format!("nodetree trace {VERSION}\n")));
    let kinds =
        "Began Submitted Handed Answered Noticed Started Ended Stopped Continued Fault Healed Linked Sent Delivered";
    let kinds: Vec<&str> = kinds.split(' ').collect();
    let examples: Vec<&str> = text.lines().filter(|line| line.starts_with("(at_ns:")).collect();
    for (kind, line) in kinds.iter().zip(&examples) {
        assert!(line.contains(kind), "{line}");
    }
    let saved = format!("nodetree trace {VERSION}\n{}\n", examples.join("\n"));
    assert_eq!(trace::read(saved.as_bytes()).unwrap().len(), kinds.len());
}
