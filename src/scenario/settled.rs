//! After the faults: whether everything settles.

use std::collections::BTreeSet;

use super::Scenario;
use super::runner::{Recorded, commands};
use super::script::Step;
use crate::scenario::oracle::Commands;
use crate::topology::NodeId;
use crate::trace::What;

/// Within so many reply timeouts and two seconds everything has settled.
const TIMEOUTS: u128 = 10;
const MORE_MS: u128 = 2000;

impl Scenario {
    /// The same with an end: everything is answered, all faults are healed and stopped nodes go on, and when there was
    /// time for it to settle, everybody is asked. [`check_settled`] looks at what they say.
    #[must_use]
    pub fn settled(mut self, nodes: &[NodeId]) -> Self {
        let lines = self.script.iter().filter(|step| step.text.trim_start().starts_with("fault"));
        let faults = self.faults.0.len() + lines.count();
        let wait_ms = self.system.reply_timeout.0.as_millis() * TIMEOUTS + MORE_MS;
        let request = request(commands(self.system.commands));
        let heals = (1..=faults).map(|number| format!("heal {number}"));
        let typed = self.script.iter().filter_map(|step| step.text.trim().strip_prefix("pause ")?.trim().parse().ok());
        let stopped: BTreeSet<NodeId> = nodes.iter().copied().chain(typed).collect();
        let resumes = stopped.iter().map(|id| format!("resume {id}")).collect::<Vec<_>>();
        let end = std::iter::once("wait".to_owned()).chain(heals).chain(resumes);
        let pings = nodes.iter().map(|id| format!("ping {id}"));
        let execs = nodes.iter().map(|id| format!("exec {id}{request}"));
        let asks = [format!("wait {wait_ms}"), "all".to_owned(), "pingall".to_owned()];
        let end = end.chain(asks).chain(pings).chain(execs).chain(["wait".to_owned(), "pingall".to_owned()]);
        self.script.extend(end.map(Step::from));
        self
    }
}

fn request(commands: Commands) -> &'static str {
    match commands {
        Commands::Sum => " 1 7",
        Commands::Dictionary => " x",
        Commands::Timer => " time",
        Commands::Search => "\na\na",
    }
}

/// Whether a [settled](Scenario::settled) scenario has settled: who is not dead answers.
///
/// # Errors
/// Who does not, or does and should not.
pub fn check_settled(nodes: &[NodeId], recorded: &Recorded) -> Result<(), String> {
    let replies = recorded.replies();
    let asked = 2 * nodes.len();
    let Some(tail) = replies.len().checked_sub(asked + 4).map(|at| &replies[at..]) else {
        return Err("the end was not typed".to_owned());
    };
    let live = live(recorded);
    let all: BTreeSet<NodeId> = ids(tail[0].strip_prefix("Ok:").unwrap_or("").split_whitespace());
    let dead: Vec<String> = all.iter().filter(|id| !live.contains(id)).map(ToString::to_string).collect();
    let down = if dead.is_empty() { "Ok: -1".to_owned() } else { format!("Ok: {}", dead.join(";")) };
    let (pings, execs) = (&tail[2..2 + nodes.len()], &tail[2 + nodes.len()..2 + asked]);
    for pingall in [tail[1], tail[asked + 3]] {
        if pingall != down {
            return Err(format!("all is healed, and pingall says {pingall:?}, not {down:?}"));
        }
    }
    for (id, (ping, exec)) in nodes.iter().zip(pings.iter().zip(execs)) {
        let is_well = all.contains(id) && live.contains(id);
        if is_well != (*ping == "Ok: 1") || is_well != exec.starts_with("Ok:") {
            return Err(format!("all is healed, and node {id} answers {ping:?} and {exec:?}"));
        }
    }
    Ok(())
}

fn ids<'t>(words: impl Iterator<Item = &'t str>) -> BTreeSet<NodeId> {
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Those whose processes have begun and not ended.
fn live(recorded: &Recorded) -> BTreeSet<NodeId> {
    let mut live = BTreeSet::new();
    for event in &recorded.trace {
        match event.what {
            What::Started { node, .. } => drop(live.insert(node)),
            What::Ended { node, .. } => drop(live.remove(&node)),
            _ => {}
        }
    }
    live
}
