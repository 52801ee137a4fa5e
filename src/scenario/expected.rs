//! Replies that a scenario states: all of them as a list, or single ones in its script.

use super::runner::{Recorded, RunError, is_command};
use super::{Expect, Scenario};

/// How a step begins that states the reply to the command before it: `#= Ok:5: 7`. Of a reply of several lines each
/// stands in a step of its own. To everybody else it is a comment.
pub(crate) const REPLY: &str = "#=";

/// What stands for the number of any process.
const ANY_PID: &str = "Ok: PID";

/// The first reply that is not as expected.
pub(super) fn compare(scenario: &Scenario, recorded: &Recorded) -> Result<(), RunError> {
    let replies = recorded.replies();
    if let Expect::Replies(expected) = &scenario.expect {
        let all = (0..expected.len().max(replies.len())).map(|at| (at, expected.get(at).cloned()));
        check(all, &replies)?;
    }
    check(stated(scenario).into_iter().map(|(at, text)| (at, Some(text))), &replies)
}

fn check(expected: impl Iterator<Item = (usize, Option<String>)>, replies: &[&str]) -> Result<(), RunError> {
    for (at, expected) in expected {
        let came = replies.get(at).copied();
        let fits = match (&expected, came) {
            (Some(expected), Some(reply)) => expected == reply || expected == ANY_PID && is_pid(reply),
            _ => false,
        };
        if !fits {
            let none = || "no reply".to_owned();
            let (expected, came) = (expected.unwrap_or_else(none), came.map_or_else(none, str::to_owned));
            return Err(RunError::Unexpected { number: at + 1, expected, came });
        }
    }
    Ok(())
}

fn is_pid(reply: &str) -> bool {
    reply.strip_prefix("Ok: ").is_some_and(|pid| pid.parse::<u64>().is_ok())
}

/// What the script states: which command from 0, and its reply.
fn stated(scenario: &Scenario) -> Vec<(usize, String)> {
    let (mut stated, mut commands): (Vec<(usize, String)>, _) = (Vec::new(), 0_usize);
    for step in &scenario.script {
        let Some(text) = step.reply() else {
            commands += usize::from(is_command(&step.text));
            continue;
        };
        let at = commands.saturating_sub(1);
        match stated.last_mut() {
            Some((last, reply)) if *last == at => *reply += &format!("\n{text}"),
            _ => stated.push((at, text.to_owned())),
        }
    }
    stated
}

impl super::script::Step {
    /// The reply, or a line of it, that it states for the command before it.
    ///
    /// ```
    /// use nodetree::scenario::script::Step;
    /// assert_eq!(Step::from("#= Ok:5: 7").reply(), Some("Ok:5: 7"));
    /// assert_eq!(Step::from("ping 5").reply(), None);
    /// ```
    pub fn reply(&self) -> Option<&str> {
        let text = self.text.strip_prefix(REPLY)?;
        if text.is_empty() { Some(text) } else { text.strip_prefix(' ') }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<(), String> {
        let scenario: Scenario = format!("(script: {script:?})").parse().expect("a scenario");
        scenario.run().map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_script_states_the_replies_that_it_wants() {
        let drawing = "#= -1\n#= └── 1 (1000)\n#=     └── 2 (1001)";
        let right = format!("create 1\n#= Ok: PID\ncreate 2 1\n\ntree\n{drawing}\nexec 1 x\n#= Ok:1: 'x' not found");
        assert_eq!(run(&right), Ok(()));
        let wrong = run("create 1\nexec 1 x 5\nexec 1 x\n#= Ok:1: 6").expect_err("it is 5");
        assert_eq!(wrong, "reply 3 is not as expected\n  expected: Ok:1: 6\n  came:     Ok:1: 5");
        assert!(run("ping 1\n#= Ok: PID").expect_err("it is not found").contains("Error: Not found"));
    }
}
