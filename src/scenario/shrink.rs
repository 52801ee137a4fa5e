//! The smallest scenario that still fails in the same way.

use std::time::Duration;

use super::runner::{RunError, is_command};
use super::script::Step;
use super::{Expect, Scenario, Typing};
use crate::faults::{Chance, Direction, Fault, FaultKind, Spread, Trigger};
use crate::modes::Span;

/// What came of the search for a smaller scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest that was found.
    pub scenario: Scenario,
    /// How many were tried.
    pub tries: u64,
    /// Whether nothing smaller was left to be tried.
    pub is_smallest: bool,
}

impl RunError {
    /// Whether both are the same thing gone wrong: the same promise broken, or the same reply instead of the same other.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Violation(one), Self::Violation(other)) => one.invariant == other.invariant,
            (Self::Stuck(_), Self::Stuck(_)) => true,
            (Self::Unexpected { expected, came, .. }, Self::Unexpected { expected: wanted, came: got, .. }) => {
                (expected, came) == (wanted, got)
            }
            _ => false,
        }
    }
}

/// Makes a scenario smaller as long as it fails: commands and faults are taken away, many at once, then single ones; then
/// what is left is made plainer. `fails` says nothing when there is no more time.
///
/// ```
/// use nodetree::scenario::{Scenario, shrink};
/// let scenario: Scenario = r#"(script: "create 1\ncreate 2 1\nping 2\nfly\nping 1\n", faults: [(what: Pause(2))])"#.parse()?;
/// let shrunk = shrink(&scenario, |smaller| Some(smaller.script.iter().any(|step| step.text == "fly")));
/// assert_eq!((shrunk.scenario.script.len(), shrunk.scenario.faults.0.len()), (1, 0));
/// assert!(shrunk.is_smallest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn shrink(scenario: &Scenario, fails: impl FnMut(&Scenario) -> Option<bool>) -> Shrunk {
    let mut search = Search { smallest: scenario.clone(), tries: 0, fails };
    let is_smallest = search.run().is_some();
    Shrunk { scenario: search.smallest, tries: search.tries, is_smallest }
}

struct Search<F> {
    smallest: Scenario,
    tries: u64,
    fails: F,
}

impl<F: FnMut(&Scenario) -> Option<bool>> Search<F> {
    /// Until nothing helps any more; nothing when the time is over.
    fn run(&mut self) -> Option<()> {
        loop {
            let before = self.smallest.clone();
            self.without_some(|scenario| scenario.faults.0.len(), without_faults)?;
            self.without_some(|scenario| commands(scenario).len(), without_commands)?;
            self.plainer()?;
            if self.smallest == before {
                return Some(());
            }
        }
    }

    fn is_accepted(&mut self, smaller: Scenario) -> Option<bool> {
        self.tries += 1;
        let fails = (self.fails)(&smaller)?;
        if fails {
            self.smallest = smaller;
        }
        Some(fails)
    }

    /// Takes away half of them, a quarter, and so on.
    fn without_some(
        &mut self,
        count: impl Fn(&Scenario) -> usize,
        without: impl Fn(&Scenario, usize, usize) -> Scenario,
    ) -> Option<()> {
        let mut length = count(&self.smallest);
        while length > 0 {
            let mut at = 0;
            while at < count(&self.smallest) {
                let smaller = without(&self.smallest, at, at + length);
                if !self.is_accepted(smaller)? {
                    at += length;
                }
            }
            length /= 2;
        }
        Some(())
    }

    /// Each thing plainer, for as long as that works.
    fn plainer(&mut self) -> Option<()> {
        let mut at = 0;
        loop {
            let Some(smaller) = plainer(&self.smallest).into_iter().nth(at) else { return Some(()) };
            if !self.is_accepted(smaller)? {
                at += 1;
            }
        }
    }
}

/// Where the commands of a script stand, each with the comments behind it.
fn commands(scenario: &Scenario) -> Vec<std::ops::Range<usize>> {
    let script = &scenario.script;
    let is_first = |at: &usize| *at == 0 || is_command(&script[*at].text) || script[*at].outside().is_some();
    let starts: Vec<usize> = (0..script.len()).filter(is_first).collect();
    let ends = starts.iter().skip(1).copied().chain([script.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

fn without_commands(scenario: &Scenario, from: usize, to: usize) -> Scenario {
    let (mut smaller, commands) = (scenario.clone(), commands(scenario));
    let to = to.min(commands.len());
    let gone = commands[from].start..commands[to - 1].end;
    if let Expect::Replies(replies) = &mut smaller.expect {
        // The replies of what goes go with it.
        let answered = |steps: &[Step]| steps.iter().filter(|step| is_command(&step.text)).count();
        let first = answered(&scenario.script[..gone.start]).min(replies.len());
        let last = (first + answered(&scenario.script[gone.clone()])).min(replies.len());
        replies.drain(first..last);
    }
    smaller.script.drain(gone);
    smaller
}

fn without_faults(scenario: &Scenario, from: usize, to: usize) -> Scenario {
    let mut smaller = scenario.clone();
    smaller.faults.0.drain(from..to.min(scenario.faults.0.len()));
    smaller
}

/// The same scenario with one thing plainer.
fn plainer(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    if scenario.typing != Typing::Slowly {
        all.push(Scenario { typing: Typing::Slowly, ..scenario.clone() });
    }
    for (at, fault) in scenario.faults.0.iter().enumerate() {
        for fault in plainer_faults(fault) {
            let mut smaller = scenario.clone();
            smaller.faults.0[at] = fault;
            all.push(smaller);
        }
    }
    for (at, step) in scenario.script.iter().enumerate() {
        if let Some(step) = shorter(step) {
            let mut smaller = scenario.clone();
            smaller.script[at] = step;
            all.push(smaller);
        }
    }
    all
}

fn plainer_faults(fault: &Fault) -> Vec<Fault> {
    let with = |when: Trigger| Fault { when, what: fault.what.clone() };
    let mut all = match fault.when {
        Trigger::Now => Vec::new(),
        Trigger::At(time) => [Some(with(Trigger::Now)), half(time).map(|time| with(Trigger::At(time)))].into(),
        Trigger::After(count) => {
            [Some(with(Trigger::Now)), (count > 1).then(|| with(Trigger::After(count / 2)))].into()
        }
        Trigger::Envelope { kind, nth, moment } => {
            let earlier = (nth > 1).then(|| with(Trigger::Envelope { kind, nth: nth / 2, moment }));
            [Some(with(Trigger::Now)), earlier].into()
        }
    };
    let what = plainer_kind(&fault.what).map(|what| Fault { when: fault.when.clone(), what });
    all.push(what);
    all.into_iter().flatten().collect()
}

/// Certain instead of likely, both ways instead of one, half as long.
fn plainer_kind(kind: &FaultKind) -> Option<FaultKind> {
    let mut plainer = kind.clone();
    let both = |direction: &mut Direction| *direction = Direction::Both;
    match &mut plainer {
        FaultKind::Kill(_) | FaultKind::Pause(_) | FaultKind::Resume(_) => {}
        FaultKind::Cut { direction, .. } | FaultKind::Corrupt { direction, .. } => both(direction),
        FaultKind::Drop { direction, .. } | FaultKind::Reorder { direction, .. } => both(direction),
        FaultKind::Duplicate { direction, chance, .. } => {
            both(direction);
            *chance = Chance::ALWAYS;
        }
        FaultKind::Delay { direction, chance, by, .. } => {
            both(direction);
            *chance = Chance::ALWAYS;
            let (Spread::Exactly(time) | Spread::Between(_, time) | Spread::Exponential(time)) = *by;
            *by = Spread::Exactly(half(time).unwrap_or(time));
        }
        FaultKind::Slow { by: time, .. } | FaultKind::Skew { ahead: time, .. } => {
            *time = half(*time).unwrap_or(*time);
        }
    }
    (plainer != *kind).then_some(plainer)
}

fn half(Span(time): Span) -> Option<Span> {
    let ms = time.as_millis() as u64;
    (ms > 1).then(|| Span(Duration::from_millis(ms / 2)))
}

/// A shorter wait.
fn shorter(step: &Step) -> Option<Step> {
    let ms: u64 = step.text.strip_prefix("wait ")?.trim().parse().ok()?;
    (ms > 1).then(|| Step { text: format!("wait {}", ms / 2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(text: &str) -> Scenario {
        text.parse().expect("a scenario")
    }

    fn fails_like(first: &Scenario) -> impl FnMut(&Scenario) -> Option<bool> {
        let wrong = first.run().expect_err("it fails");
        move |smaller| Some(smaller.run().is_err_and(|error| error.is_like(&wrong)))
    }

    #[test]
    fn a_wrong_expectation_is_left_with_what_it_needs() {
        let long = scenario(
            r#"(
                script: "
                    create 1
                    create 2 1
                    create 3 2
                    exec 2 x 5
                    #= Ok:2
                    pingall
                    exec 3 y 6
                    wait 700
                    exec 2 x
                    #= Ok:2: 6
                    tree
                ",
                typing: AtOnce,
                faults: [
                    (what: Drop(links: All, chance: 0.3)),
                    (when: At("2s"), what: Pause(3)),
                ],
            )"#,
        );
        let shrunk = shrink(&long, fails_like(&long));
        let lines: Vec<&str> = shrunk.scenario.script.iter().map(|step| step.text.as_str()).collect();
        let expected = ["create 1", "create 2 1", "exec 2 x 5", "exec 2 x", "#= Ok:2: 6"];
        assert!(lines.iter().filter(|line| **line != "#= Ok:2").eq(&expected), "{lines:?}");
        assert!(shrunk.scenario.faults.0.is_empty() && shrunk.is_smallest && shrunk.tries < 100, "{shrunk:?}");
    }

    #[test]
    fn what_a_fault_needs_stays_and_is_made_plainer() {
        let long = scenario(
            r#"(
                system: (reply_timeout: "300ms"),
                script: "create 1\ncreate 2\nexec 1 x 1\nping 1\n#= Ok: 1\nping 2\n#= Ok: 1\n",
                faults: [(what: Slow(node: 1, by: "3ms")), (when: After(3), what: Cut(links: Above(2), direction: Down))],
            )"#,
        );
        let shrunk = shrink(&long, fails_like(&long));
        assert_eq!(shrunk.scenario.faults.to_ron().lines().count(), 3, "{}", shrunk.scenario);
        assert!(shrunk.scenario.faults.0[0].what.node().is_none());
        assert!(shrunk.scenario.script.len() <= 3, "{}", shrunk.scenario);
    }

    #[test]
    fn the_replies_of_what_goes_go_with_it() {
        let list = scenario(
            "(script: \"create 1\\nping 1\\nping 2\\n\", expect: Replies([\"Ok: PID\", \"Ok: 1\", \"Ok: 1\"]))",
        );
        let shrunk = shrink(&list, fails_like(&list)).scenario;
        assert_eq!(shrunk.expect, Expect::Replies(vec!["Ok: 1".to_owned()]));
        assert_eq!(shrunk.script, [Step::from("ping 2")]);
    }

    #[test]
    fn without_time_it_stays_as_it_is() {
        let list = scenario("(script: \"create 1\\nping 1\\n\")");
        let shrunk = shrink(&list, |_| None);
        assert_eq!((shrunk.scenario, shrunk.is_smallest), (list, false));
    }
}
