//! Trees of 100 000 nodes do what small ones do, in the simulated and the threads mode.
//!
//! That nothing grows with the square of the size is shown by counting, not by clocks: by the envelopes that are
//! delivered, and by what a computing node is asked to do.

use std::thread;
use std::time::Duration;

use nodetree::testing::shapes::{Plan, Shape};
use nodetree::topology::{NodeId, Topology};
use nodetree::{Answer, Command, Dictionary, Mode, NodeTree, Notice};

type Tree = NodeTree<Dictionary>;

/// So many commands are submitted at once.
const AT_ONCE: usize = 1 << 13;

/// Far longer than anything here takes: no answer depends on how fast the machine is.
const PATIENCE: Duration = Duration::from_secs(600);

fn start(mode: Mode, plan: &Plan) -> Tree {
    let builder = Tree::builder().mode(mode).topology(plan.kind).capacity(2 * AT_ONCE).reply_timeout(PATIENCE);
    builder.codec_on_each_hop(false).start().expect("the configuration is right")
}

/// Submits everything, a part at a time, and hands each answer to `check`.
fn run(tree: &Tree, commands: impl IntoIterator<Item = Command<Dictionary>>, check: impl Fn(&Answer<Dictionary>)) {
    let mut commands = commands.into_iter().peekable();
    while commands.peek().is_some() {
        let tickets = tree.submit_all(commands.by_ref().take(AT_ONCE)).expect("a command");
        tree.settle().expect("everything is answered");
        for ticket in tickets {
            check(&tree.wait(ticket).expect("an answer").answer);
        }
    }
}

fn create(tree: &Tree, plan: &Plan) {
    run(tree, plan.creates(), |answer| assert!(matches!(answer, Answer::Created { .. }), "{answer}"));
}

fn ask(tree: &Tree, line: &str) -> String {
    tree.line(line).expect("an answer")
}

fn down(tree: &Tree) -> Vec<NodeId> {
    match tree.call(Command::PingAll).expect("an answer") {
        Answer::PingAll { down } => down,
        other => panic!("pingall was answered with {other}"),
    }
}

fn all(tree: &Tree) -> usize {
    match tree.call(Command::All).expect("an answer") {
        Answer::All { ids } => ids.len(),
        other => panic!("all was answered with {other}"),
    }
}

/// The topology that comes of a plan, as plain book-keeping.
fn book(plan: &Plan) -> Topology {
    let mut book = Topology::new(plan.kind);
    for command in plan.creates::<Dictionary>() {
        if let Command::Create { id, parent } = command {
            let place = book.place(id, parent).expect("parents come first");
            book.insert(id, &place);
        }
    }
    book
}

/// Everything that can be asked of a large tree and done to it.
fn lives(shape: Shape, mode: Mode, size: usize) {
    let plan = shape.plan(size, 3);
    let (tree, mut book) = (start(mode, &plan), book(&plan));
    create(&tree, &plan);
    let (deepest, depth) = plan.deepest();
    assert_eq!(book.depth(deepest), Some(depth));
    assert_eq!(ask(&tree, &format!("exec {deepest} x 5")), format!("Ok:{deepest}"));
    assert_eq!(ask(&tree, &format!("ping {deepest}")), "Ok: 1");
    assert_eq!((down(&tree), all(&tree)), (Vec::new(), size));
    let drawing = ask(&tree, "tree");
    assert_eq!(drawing.lines().filter(|line| !line.contains("(none)")).count(), size + 1);

    // Its descendants move, keep their data and stay reachable.
    assert_eq!(ask(&tree, &format!("remove {}", plan.first())), "Ok");
    book.remove(plan.first());
    assert_eq!(ask(&tree, &format!("exec {deepest} x")), format!("Ok:{deepest}: 5"));
    assert_eq!((down(&tree), all(&tree)), (Vec::new(), size - 1));

    let (half, _) = plan.half();
    let mut below = book.descendants(half);
    below.push(half);
    below.sort_unstable();
    assert_eq!(ask(&tree, &format!("kill {half}")), "Ok");
    assert_eq!(ask(&tree, &format!("ping {half}")), "Ok: 0");
    assert_eq!((down(&tree) == below, all(&tree)), (true, size - 1));
    let alive = book.ids().find(|id| below.binary_search(id).is_err()).expect("not everybody is below one node");
    assert_eq!(ask(&tree, &format!("exec {alive} y 1")), format!("Ok:{alive}"));
    assert!(ask(&tree, &format!("create {half}")).starts_with("Ok: "));
}

/// A debug build is slower; the shape of the tree is what matters.
const SIZE: usize = if cfg!(debug_assertions) { 30_000 } else { 100_000 };

#[test]
fn a_large_tree_does_what_a_small_one_does_simulated() {
    Shape::ALL.into_iter().for_each(|shape| lives(shape, Mode::Simulated, SIZE));
}

#[test]
fn a_large_tree_does_what_a_small_one_does_on_threads() {
    Shape::ALL.into_iter().for_each(|shape| lives(shape, Mode::Threads, SIZE));
}

#[test]
fn a_chain_of_100_000_nodes_is_dropped_on_a_small_stack() {
    for mode in [Mode::Simulated, Mode::Threads] {
        let small = thread::Builder::new().stack_size(256 * 1024);
        let dropped = small.spawn(move || {
            let plan = Shape::Chain.plan(100_000, 0);
            let tree = start(mode, &plan);
            create(&tree, &plan);
            drop(tree);
        });
        dropped.expect("a thread starts").join().expect("no stack overflows");
    }
}

/// How many envelopes are delivered for each node, from the first create to the last answer.
fn envelopes_each(shape: Shape, size: usize) -> f64 {
    let plan = shape.plan(size, 5);
    let tree = start(Mode::Simulated, &plan);
    create(&tree, &plan);
    assert_eq!(down(&tree), Vec::new());
    assert_eq!(ask(&tree, &format!("kill {}", plan.half().0)), "Ok");
    tree.delivered() as f64 / size as f64
}

/// A greeting, the wave and its answer, the end of a link: so many envelopes for each node, whatever the size is.
#[test]
fn the_envelopes_of_a_node_do_not_grow_with_the_tree() {
    for shape in Shape::ALL {
        let (small, large) = (envelopes_each(shape, 300), envelopes_each(shape, 10_000));
        assert!(large <= small * 1.1, "{shape}: {small} envelopes each of 300 nodes, {large} of 10 000");
    }
}

/// Commands that wait for each other, as many as may be in flight: what one of them costs may not grow with the others.
#[test]
fn commands_in_flight_do_not_slow_each_other_down() {
    let plan = Shape::Star.plan(AT_ONCE, 0);
    for mode in [Mode::Simulated, Mode::Threads] {
        let tree = start(mode, &plan);
        // Each `all` waits for the create before it, and the next create for it.
        let mixed = plan.creates().flat_map(|create| [create, Command::All]);
        run(&tree, mixed, |answer| assert!(matches!(answer, Answer::Created { .. } | Answer::All { .. }), "{answer}"));
        let ids = 1..=AT_ONCE as NodeId;
        // The removal waits for an exec of every child of the node, and for as many pings of that node itself.
        let execs = ids.clone().map(|id| Command::exec(id, Dictionary::save("x", id)));
        let removal = ids.clone().skip(2).map(|_| Command::Ping { id: 1 }).chain([Command::Remove { id: 1 }]);
        let tickets = tree.submit_all(execs.chain(removal)).expect("commands");
        tree.settle().expect("everything is answered");
        let last = tickets.last().copied().expect("there is a removal");
        for ticket in tickets {
            let answer = tree.wait(ticket).expect("an answer").answer.to_string();
            assert!(answer.starts_with("Ok"), "{answer}");
            assert!(ticket != last || answer == "Ok", "{answer}");
        }
        // Everybody is killed while busy, one by one.
        let strikes = ids.skip(1).flat_map(|id| [Command::exec(id, Dictionary::load("x")), Command::Kill { id }]);
        run(&tree, strikes, |answer| assert!(!answer.to_string().contains("Not found"), "{answer}"));
        assert_eq!(down(&tree).len(), AT_ONCE - 1);
    }
}

#[test]
fn a_large_tree_beats_and_who_is_above_all_speaks_for_all() {
    let plan = Shape::Chain.plan(SIZE / 3, 0);
    let tree = start(Mode::Simulated, &plan);
    create(&tree, &plan);
    assert_eq!(ask(&tree, "heartbit 1000"), "Ok");
    tree.advance(Duration::from_millis(4_500)).expect("time passes");
    assert_eq!(tree.notices().try_iter().count(), 0);
    assert_eq!(ask(&tree, "pause 1"), "Ok");
    // All below it are as quiet as it is, although they beat all the while.
    let count = |of: fn(&Notice) -> bool| {
        let mut counted = 0;
        while let Some(notice) = tree.next_notice(Duration::from_secs(6)).expect("time passes") {
            assert!(of(&notice), "{notice}");
            counted += 1;
            if counted == SIZE / 3 {
                break;
            }
        }
        counted
    };
    assert_eq!(count(|notice| matches!(notice, Notice::Unavailable { .. })), SIZE / 3);
    assert_eq!(ask(&tree, "resume 1"), "Ok");
    assert_eq!(count(|notice| matches!(notice, Notice::Available { .. })), SIZE / 3);
}

/// More notices than their channel holds: those that find no room are handed out when there is some.
#[test]
fn who_is_missed_is_reported_however_many_they_are() {
    const NODES: usize = 70_000;
    let plan = Shape::Star.plan(NODES, 0);
    let tree = start(Mode::Simulated, &plan);
    create(&tree, &plan);
    assert_eq!(ask(&tree, "heartbit 60000"), "Ok");
    assert_eq!((ask(&tree, "kill 1"), ask(&tree, "kill 2")), ("Ok".to_owned(), "Ok".to_owned()));
    tree.advance(Duration::from_secs(300)).expect("time passes");
    let mut reported: Vec<NodeId> = tree.notices().try_iter().map(|notice| notice.id()).collect();
    assert!(reported.len() < NODES, "the channel has room for all: the test is too small");
    tree.advance(Duration::from_secs(60)).expect("time passes");
    reported.extend(tree.notices().try_iter().map(|notice| notice.id()));
    reported.sort_unstable();
    assert!(reported.into_iter().eq(1..=NODES as NodeId));
}

/// A way that is too long for a frame is none between processes: in the simulated mode it works as any other.
#[test]
fn a_way_may_be_longer_than_a_frame() {
    let plan = Shape::Chain.plan(45_000, 0);
    let builder = Tree::builder().topology(plan.kind).capacity(2 * AT_ONCE).reply_timeout(PATIENCE);
    let tree = builder.mode(Mode::Simulated).codec_on_each_hop(true).start().expect("the configuration is right");
    create(&tree, &plan);
    assert_eq!(ask(&tree, "exec 45000 x 5"), "Ok:45000");
}
