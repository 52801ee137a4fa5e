//! A change of the tree is hit by a kill, or by a pause, of each node at each moment: nothing is stuck, nothing is done
//! twice, the tree is the old one or the new one, and whoever is not below the fault does not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use nodetree::command_sets::{CommandSet, Progress, Request, RequestError, Turn};
use nodetree::{Mode, NodeTree, Ticket, TopologyKind, WaitError};

/// Each node counts; an exec says by how much, and is answered with the sum.
#[derive(Default)]
struct Counter {
    sum: u64,
    asked: u64,
}

impl CommandSet for Counter {
    type Head = u64;
    type Part = ();
    type Output = u64;
    const NAME: &'static str = "counter";
    const USAGE: &'static str = "exec id n";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        Ok(Request { head: text.trim().parse().map_err(RequestError::new)?, parts: Vec::new() })
    }
    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", request.head)
    }
    fn begin(&mut self, head: u64, _: &mut Turn<u64>) -> Result<(), RequestError> {
        self.asked = head;
        Ok(())
    }
    fn finish(&mut self, turn: &mut Turn<u64>) -> Result<Progress, RequestError> {
        self.sum += std::mem::take(&mut self.asked);
        turn.outputs.push(self.sum);
        Ok(Progress::Done)
    }
}

struct Case {
    name: &'static str,
    topology: TopologyKind,
    creates: &'static [&'static str],
    change: &'static str,
    /// The node that the change removes or creates.
    subject: i64,
}

/// In each there is a node that has nothing to do with it.
const CASES: [Case; 8] = [
    Case {
        name: "the middle of a list",
        topology: TopologyKind::List,
        creates: &["create 1", "create 2 1", "create 3 2", "create 4 3", "create 9"],
        change: "remove 2",
        subject: 2,
    },
    Case {
        name: "the first of a list",
        topology: TopologyKind::List,
        creates: &["create 1", "create 2 1", "create 3 2", "create 9"],
        change: "remove 1",
        subject: 1,
    },
    Case {
        name: "before a live follower",
        topology: TopologyKind::List,
        creates: &["create 1", "create 2 1", "create 3 2", "create 9"],
        change: "create 5 1",
        subject: 5,
    },
    Case {
        name: "an inner node of a tree",
        topology: TopologyKind::Tree,
        creates: &["create 1", "create 2 1", "create 3 2", "create 4 2", "create 5 3", "create 9 1"],
        change: "remove 2",
        subject: 2,
    },
    Case {
        name: "a search tree's node with one child",
        topology: TopologyKind::Bst,
        creates: &["create 50", "create 20", "create 10", "create 5", "create 15", "create 70"],
        change: "remove 20",
        subject: 20,
    },
    Case {
        name: "a search tree's node with two children, a deep successor and something below that",
        topology: TopologyKind::Bst,
        creates: &[
            "create 90",
            "create 50",
            "create 20",
            "create 80",
            "create 70",
            "create 60",
            "create 65",
            "create 85",
            "create 95",
        ],
        change: "remove 50",
        subject: 50,
    },
    Case {
        name: "a search tree's root, whose successor is its child",
        topology: TopologyKind::Bst,
        creates: &["create 50", "create 20", "create 80", "create 85"],
        change: "remove 50",
        subject: 50,
    },
    Case {
        name: "a balanced tree's node, replaced from elsewhere",
        topology: TopologyKind::Balanced,
        creates: &["create 1", "create 2", "create 3", "create 4", "create 5", "create 6", "create 7", "create 8"],
        change: "remove 3",
        subject: 3,
    },
];

const SEEDS: u64 = 3;
const MOMENTS: u64 = 24;
const REPLY_TIMEOUT: Duration = Duration::from_millis(200);

/// Every line but the first of a drawing: what is drawn before the node, and the node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Drawing {
    nodes: Vec<(String, i64)>,
    down: BTreeSet<i64>,
}

impl Drawing {
    fn read(text: &str) -> Self {
        let (mut nodes, mut down) = (Vec::new(), BTreeSet::new());
        for line in text.lines().skip(1).filter(|line| !line.ends_with("(none)")) {
            let start = line.find(|c: char| c.is_ascii_digit()).expect("a node has a number");
            let id = line[start..].split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
            nodes.push((line[..start].to_owned(), id));
            if line.ends_with(" down") {
                down.insert(id);
            }
        }
        Self { nodes, down }
    }

    /// From above downwards.
    fn ids(&self) -> impl Iterator<Item = i64> {
        self.nodes.iter().map(|(_, id)| *id)
    }

    fn contains(&self, id: i64) -> bool {
        self.ids().any(|node| node == id)
    }

    /// The node and all below it.
    fn from(&self, id: i64) -> BTreeSet<i64> {
        let depth = |line: &str| line.chars().count();
        let mut rest = self.nodes.iter().skip_while(|(_, node)| *node != id);
        let Some((top, _)) = rest.next() else { return BTreeSet::new() };
        let below = rest.take_while(|(line, _)| depth(line) > depth(top)).map(|(_, node)| *node);
        std::iter::once(id).chain(below).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Pause,
}

/// One run: the fault comes `after` the change was submitted.
struct Run<'c> {
    case: &'c Case,
    tree: NodeTree<Counter>,
    before: Drawing,
    execs: Vec<(i64, Ticket)>,
    replies: BTreeMap<Ticket, String>,
    others: Vec<Ticket>,
}

impl<'c> Run<'c> {
    fn new(case: &'c Case, seed: u64) -> Self {
        let builder = NodeTree::<Counter>::builder().mode(Mode::Simulated).seed(seed).topology(case.topology);
        let tree = builder.reply_timeout(REPLY_TIMEOUT).start().expect("a simulated system starts");
        for line in case.creates {
            assert!(tree.line(line).expect("an answer").starts_with("Ok: "));
        }
        let before = Drawing::read(&tree.line("tree").expect("an answer"));
        Self { case, tree, before, execs: Vec::new(), replies: BTreeMap::new(), others: Vec::new() }
    }

    fn line(&self, line: &str) -> String {
        self.tree.line(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Submits a line to be answered later.
    fn submit(&mut self, line: &str) -> Ticket {
        let ticket = self.tree.submit_line(line).expect("there is room");
        self.others.push(ticket);
        ticket
    }

    /// An exec to every node that was there before.
    fn submit_execs(&mut self) {
        for id in self.before.ids().collect::<Vec<_>>() {
            let ticket = self.tree.submit_line(&format!("exec {id} 1")).expect("there is room");
            self.execs.push((id, ticket));
        }
    }

    fn submit_change(&mut self) -> Ticket {
        self.submit_execs();
        let change = self.submit(self.case.change);
        self.submit_execs();
        change
    }

    /// Everything is answered, and nothing twice.
    fn settle(&mut self) {
        self.tree.settle().unwrap_or_else(|stuck| panic!("{stuck}"));
        let tickets: Vec<Ticket> = self.others.drain(..).chain(self.execs.iter().map(|(_, ticket)| *ticket)).collect();
        for ticket in tickets {
            if !self.replies.contains_key(&ticket) {
                let reply = self.tree.wait(ticket).expect("every command is answered").to_string();
                self.replies.insert(ticket, reply);
                assert_eq!(self.tree.wait(ticket).err(), Some(WaitError::Unknown), "no command is answered twice");
            }
        }
    }

    fn drawing(&self) -> Drawing {
        Drawing::read(&self.line("tree"))
    }

    fn pingall(&self) -> BTreeSet<i64> {
        let answer = self.line("pingall");
        let list = answer.strip_prefix("Ok: ").expect("pingall is answered");
        if list == "-1" { BTreeSet::new() } else { list.split(';').map(|id| id.parse().expect("an id")).collect() }
    }

    fn check_pings(&self, drawing: &Drawing, unavailable: &BTreeSet<i64>) {
        assert_eq!(self.pingall(), *unavailable, "pingall");
        for id in drawing.ids() {
            let expected = if unavailable.contains(&id) { "Ok: 0" } else { "Ok: 1" };
            assert_eq!(self.line(&format!("ping {id}")), expected, "ping {id}");
        }
    }

    /// What a node answered is what it counted: nothing was done twice, nothing that was done is lost. Whoever was not
    /// `hit` answered everything.
    fn check_counts(&self, id: i64, hit: bool) {
        let answers = self.execs.iter().filter(|(node, _)| *node == id).map(|(_, ticket)| &self.replies[ticket]);
        let (mut last, mut perhaps) = (0, 0);
        for answer in answers {
            if hit && *answer == format!("Error:{id}: Node is unavailable") {
                perhaps += 1;
                continue;
            }
            let number = answer.strip_prefix(&format!("Ok:{id}: ")).and_then(|number| number.parse::<u64>().ok());
            let number = number.unwrap_or_else(|| panic!("an exec of {id}, which was not hit: {answer}"));
            assert!(number > last && number <= last + 1 + perhaps, "{id} answered {number} after {last}");
            perhaps -= number - last - 1;
            last = number;
        }
        let read = self.line(&format!("exec {id} 0"));
        let number = read.strip_prefix(&format!("Ok:{id}: ")).and_then(|number| number.parse::<u64>().ok());
        let number = number.unwrap_or_else(|| panic!("{id} must answer: {read}"));
        assert!((last..=last + perhaps).contains(&number), "{id} has {number} after {last}, {perhaps} unanswered");
    }

    /// The victim, who was below it, and who is now below one of those: a node that is below the victim when it dies
    /// dies with it, and may have taken the place of the removed node, or be about to.
    fn reach(&self, victim: i64, after: &Drawing) -> BTreeSet<i64> {
        let old = self.before.from(victim);
        let new: BTreeSet<i64> = old.iter().chain([&victim]).flat_map(|id| after.from(*id)).collect();
        old.into_iter().chain(new).collect()
    }

    fn change_is_as_answered(&self, change: Ticket, after: &Drawing) -> Drawing {
        let (now, answer) = (self.drawing(), &self.replies[&change]);
        let is_done = answer == "Ok" || answer.starts_with("Ok: ");
        assert!(is_done || answer.starts_with("Error: "), "{answer}");
        let expected = if is_done { after } else { &self.before };
        assert_eq!(now.nodes, expected.nodes, "{} was answered {answer}", self.case.change);
        now
    }

    /// What is dead is created again, from above downwards; then everybody answers.
    fn mend(&self, drawing: &Drawing) {
        for id in drawing.ids().filter(|id| drawing.down.contains(id)) {
            let answer = self.line(&format!("create {id}"));
            assert!(answer.starts_with("Ok: "), "create {id}: {answer}");
            assert_eq!(self.line(&format!("exec {id} 3")), format!("Ok:{id}: 3"), "a new life begins empty");
        }
        let mended = self.drawing();
        assert_eq!(mended.nodes, drawing.nodes, "created again where it was");
        assert_eq!(mended.down, BTreeSet::new());
        self.check_pings(&mended, &BTreeSet::new());
    }
}

/// How long the change takes with nobody in its way, and the tree afterwards.
fn undisturbed(case: &Case, seed: u64) -> (Duration, Drawing) {
    let mut run = Run::new(case, seed);
    let start = run.tree.now();
    let change = run.submit_change();
    run.settle();
    let duration = run.tree.now() - start;
    assert!(run.replies[&change].starts_with("Ok"), "{}: {}", case.change, run.replies[&change]);
    let after = run.drawing();
    assert_ne!(after.nodes, run.before.nodes);
    run.check_pings(&after, &BTreeSet::new());
    run.before.ids().filter(|id| after.contains(*id)).for_each(|id| run.check_counts(id, false));
    (duration, after)
}

fn killed(run: &mut Run, victim: i64, change: Ticket, after: &Drawing) {
    let kill = run.submit(&format!("kill {victim}"));
    run.submit_execs();
    run.settle();
    let now = run.change_is_as_answered(change, after);
    let is_killed = run.replies[&kill] == "Ok";
    let below = run.reach(victim, after);
    assert!(is_killed || now.down.is_empty(), "{:?} died, the kill was refused", now.down);
    assert!(now.down.is_subset(&below), "{:?} died of a kill of {victim}", now.down);
    if is_killed {
        assert!(now.from(victim).is_subset(&now.down), "{victim} was killed, {:?} are down", now.down);
    }
    run.check_pings(&now, &now.down);
    for id in run.before.ids().filter(|id| now.contains(*id) && !now.down.contains(id)) {
        run.check_counts(id, false);
    }
    run.mend(&now);
}

fn paused(run: &mut Run, victim: i64, change: Ticket, after: &Drawing) {
    let pause = run.submit(&format!("pause {victim}"));
    run.submit_execs();
    run.settle();
    let now = run.change_is_as_answered(change, after);
    let silent = if run.replies[&pause] == "Ok" { now.from(victim) } else { BTreeSet::new() };
    // Who was below a stopped node that was then removed is taken for silent until he answers a ping.
    let before = run.before.from(victim);
    assert!(
        now.down.iter().all(|id| silent.contains(id) || before.contains(id)),
        "{:?} down, not {silent:?}",
        now.down
    );
    run.check_pings(&now, &silent);
    if !silent.is_empty() {
        assert_eq!(run.line(&format!("resume {victim}")), "Ok");
    }
    // What was sent to a stopped node may be done late; that is over when the node answers.
    run.tree.advance(2 * REPLY_TIMEOUT).expect("time passes");
    let below = run.reach(victim, after);
    let healed = run.drawing();
    assert_eq!(healed.nodes, now.nodes);
    run.check_pings(&healed, &BTreeSet::new());
    for id in run.before.ids().filter(|id| healed.contains(*id)) {
        run.check_counts(id, below.contains(&id));
    }
}

/// Every case, every node, every moment; fails with all that went wrong, shortest description first.
fn hit_everybody_everywhere(fault: Fault) {
    let (mut runs, mut failures) = (0_u64, Vec::new());
    for case in &CASES {
        for seed in 0..SEEDS {
            let (duration, after) = undisturbed(case, seed);
            let victims: BTreeSet<i64> = Run::new(case, seed).before.ids().chain([case.subject]).collect();
            for (victim, moment) in victims.iter().flat_map(|victim| (0..MOMENTS).map(move |at| (*victim, at))) {
                let wait = duration * 12 / 10 * (moment * SEEDS + seed) as u32 / (MOMENTS * SEEDS) as u32;
                let after = &after;
                let one = move || {
                    let mut run = Run::new(case, seed);
                    let change = run.submit_change();
                    run.tree.advance(wait).expect("time passes");
                    match fault {
                        Fault::Kill => killed(&mut run, victim, change, after),
                        Fault::Pause => paused(&mut run, victim, change, after),
                    }
                };
                runs += 1;
                if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(one)) {
                    let words = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
                    failures.push(format!(
                        "{}: {fault:?} of {victim} {wait:?} after {}, seed {seed}\n  {:?}\n  {}",
                        case.name,
                        case.change,
                        case.creates,
                        words.replace('\n', "\n  "),
                    ));
                }
            }
        }
    }
    let some = failures.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {runs} runs failed\n{some}", failures.len());
    assert!(runs > 1_000, "{runs} runs");
}

/// Calls `check` with the system and the two replies after a fault at each moment of a change.
fn at_each_moment(case: &Case, fault: &str, check: impl Fn(&Run, &Drawing, [&str; 2])) {
    for seed in 0..SEEDS {
        let (duration, _) = undisturbed(case, seed);
        for moment in 0..4 * MOMENTS as u32 {
            let mut run = Run::new(case, seed);
            let change = run.submit_change();
            run.tree.advance(duration * moment / (4 * MOMENTS as u32)).expect("time passes");
            let fault = run.submit(fault);
            run.settle();
            let (now, replies) = (run.drawing(), [&run.replies[&change], &run.replies[&fault]].map(String::as_str));
            check(&run, &now, replies);
        }
    }
}

/// 70 is below 50, and 60 below 70; when 50 is removed, 60 takes its place. Killed before, 70 takes 60 and 65 with it;
/// killed afterwards, 65. It must not take 20, which is below 70 in neither tree.
#[test]
fn a_kill_during_a_removal_spares_whoever_is_below_the_victim_in_neither_tree() {
    at_each_moment(&CASES[5], "kill 70", |run, now, replies| {
        assert!(!now.down.contains(&20), "{:?} are down at {:?}, {replies:?}", now.down, run.tree.now());
    });
}

/// When the stopped node is gone, nobody is below a stopped node.
#[test]
fn a_stopped_node_that_is_removed_leaves_nobody_unavailable() {
    at_each_moment(&CASES[0], "pause 2", |run, now, replies| {
        for id in now.ids().filter(|_| !now.contains(2)) {
            let reply = run.line(&format!("exec {id} 0"));
            assert!(reply.starts_with("Ok:"), "exec {id} 0: {reply} at {:?}, {replies:?}", run.tree.now());
        }
    });
}

#[test]
fn a_kill_of_anybody_at_any_moment() {
    hit_everybody_everywhere(Fault::Kill);
}

#[test]
fn a_pause_of_anybody_at_any_moment() {
    hit_everybody_everywhere(Fault::Pause);
}
