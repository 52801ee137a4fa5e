//! A command set of one's own against a model of one's own, over scripts and faults made by chance: a planted bug is
//! found, and the smallest script that shows it is printed.

use std::collections::BTreeMap;
use std::fmt;

use nodetree::command_sets::{Progress, Request, RequestError, Turn};
use nodetree::faults::FaultPlan;
use nodetree::testing::scenario::lossy_plan;
use nodetree::{CommandSet, Mode, NodeTree};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// Each node keeps an account: `exec id 5` adds to it, `exec id -5` takes from it, but never more than there is.
#[derive(Default)]
struct Accounts {
    sum: i64,
    asked: i64,
}

impl CommandSet for Accounts {
    type Head = i64;
    type Part = ();
    type Output = i64;
    const NAME: &'static str = "accounts";
    const USAGE: &'static str = "exec id change";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let head = text.trim().parse().map_err(RequestError::new)?;
        Ok(Request { head, parts: Vec::new() })
    }
    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", request.head)
    }
    fn begin(&mut self, head: i64, _: &mut Turn<i64>) -> Result<(), RequestError> {
        self.asked = head;
        Ok(())
    }
    fn finish(&mut self, turn: &mut Turn<i64>) -> Result<Progress, RequestError> {
        // The planted bug: it should be `< 0`, an account may be empty.
        if self.sum + self.asked <= 0 {
            return Err(RequestError::new("there is not so much"));
        }
        self.sum += self.asked;
        turn.outputs.push(self.sum);
        Ok(Progress::Done)
    }
}

/// What is asked of which node.
type Script = Vec<(i64, i64)>;

/// The same on paper.
fn model(script: &Script) -> Vec<String> {
    let mut sums = BTreeMap::new();
    let mut answer = |&(id, change): &(i64, i64)| {
        let sum: &mut i64 = sums.entry(id).or_default();
        if *sum + change < 0 {
            return format!("Error:{id}: there is not so much");
        }
        *sum += change;
        format!("Ok:{id}: {sum}")
    };
    script.iter().map(&mut answer).collect()
}

/// A tree of three nodes whose links lose, repeat, delay and disorder what they carry: that must not be seen.
fn answers(script: &Script, seed: u64, faults: FaultPlan) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let tree = NodeTree::<Accounts>::builder().mode(Mode::Simulated).seed(seed).faults(faults).start()?;
    let creates = ["create 1", "create 2 1", "create 3 2"].map(str::to_owned);
    let execs = script.iter().map(|(id, change)| format!("exec {id} {change}"));
    let lines: Vec<String> = creates.into_iter().chain(execs).collect();
    let tickets = tree.submit_lines(lines.iter().map(String::as_str))?;
    tickets.into_iter().skip(3).map(|ticket| Ok(tree.wait(ticket)?.answer.to_string())).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scripts = proptest::collection::vec((1_i64..=3, -9_i64..=9), 0..30);
    let config = Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let found = TestRunner::new(config).run(&(scripts, any::<u64>(), lossy_plan()), |(script, seed, faults)| {
        let answers = answers(&script, seed, faults).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(answers, model(&script));
        Ok(())
    });
    let Err(TestError::Fail(why, (script, ..))) = found else { return Err("the bug was not found".into()) };
    println!("found, and made as small as it can be: {script:?}\n{why}");
    // An account may be empty, and one change of nothing shows that this one may not.
    assert_eq!(script, [(1, 0)]);
    Ok(())
}
