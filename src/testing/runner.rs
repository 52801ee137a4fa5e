//! Runs a script on a system and has the oracle judge what happened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::oracle::{Commands, Event, Happened, OracleConfig, PidRule, Summary, Topology, Violation, judge};
use super::outside::Outside;
use super::script::Script;
use crate::command_sets::{CommandSet, Dictionary, Search, Sum, Timer};
use crate::error::{StartError, SubmitError};
use crate::modes::{Builder, Mode, NodeTree, Stuck};
use crate::topology::TopologyKind;
use crate::trace::{self, What};

/// On what a script is run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The mode.
    pub mode: Mode,
    /// The seed of a simulated system.
    pub seed: u64,
    /// How long an answer is waited for.
    pub reply_timeout: Duration,
    /// How much later than the specification says a thing may come.
    pub slack: Duration,
    /// The program of the nodes, in process mode.
    pub node_program: Option<PathBuf>,
}

impl Setup {
    /// A simulated system with this seed and the default reply timeout.
    pub fn simulated(seed: u64) -> Self {
        let (reply_timeout, slack) = (Duration::from_secs(5), Duration::from_millis(2));
        Self { mode: Mode::Simulated, seed, reply_timeout, slack, node_program: None }
    }

    /// A system on threads; its times depend on how busy the machine is, so the slack is wide.
    pub fn threads() -> Self {
        let (reply_timeout, slack) = (Duration::from_millis(500), Duration::from_secs(5));
        Self { mode: Mode::Threads, seed: 0, reply_timeout, slack, node_program: None }
    }

    /// A system of processes whose nodes run this program.
    pub fn process(node_program: impl Into<PathBuf>) -> Self {
        Self { mode: Mode::Process, node_program: Some(node_program.into()), ..Self::threads() }
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system did what the specification does not allow.
    #[error("{0}")]
    Violation(#[from] Box<Violation>),
    /// A simulation cannot go on.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// The system could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A command was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Runs a script and judges what happened.
///
/// # Errors
/// The first promise that was broken, or why the script could not be run.
///
/// ```
/// use nodetree::testing::runner::{Setup, run};
/// let script = "# topology: tree\n# commands: dictionary\ncreate 1\nexec 1 x 5\nexec 1 x\n".parse()?;
/// let summary = run(&Setup::simulated(7), &script)?;
/// assert_eq!(summary.judged_exactly, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run(setup: &Setup, script: &Script) -> Result<Summary, RunError> {
    let (history, _) = record(setup, script)?;
    judged(setup, script, &history)
}

/// Has the oracle judge what was recorded.
///
/// # Errors
/// The first promise that was broken.
pub fn judged(setup: &Setup, script: &Script, history: &[Event]) -> Result<Summary, RunError> {
    let config = OracleConfig {
        topology: script.topology,
        commands: script.commands,
        reply_timeout_ms: setup.reply_timeout.as_millis() as u64,
        slack_ms: setup.slack.as_millis() as u64,
        pid_rule: if setup.mode == Mode::Process { PidRule::NotShared } else { PidRule::NeverTwice },
    };
    Ok(judge(&config, history).map_err(Box::new)?)
}

/// Runs a script; what happened as the oracle wants it, and as the system's own trace.
///
/// # Errors
/// Why the script could not be run.
pub fn record(setup: &Setup, script: &Script) -> Result<(Vec<Event>, Vec<trace::Event>), RunError> {
    match script.commands {
        Commands::Sum => record_with::<Sum>(setup, script),
        Commands::Dictionary => record_with::<Dictionary>(setup, script),
        Commands::Timer => record_with::<Timer>(setup, script),
        Commands::Search => record_with::<Search>(setup, script),
    }
}

/// A builder for what a script wants.
pub fn builder<C: CommandSet>(setup: &Setup, topology: Topology) -> Builder<C> {
    let builder = NodeTree::builder();
    let builder = match &setup.node_program {
        Some(program) => builder.node_program(program.clone()),
        None => builder,
    };
    builder
        .mode(setup.mode)
        .seed(setup.seed)
        .reply_timeout(setup.reply_timeout)
        .topology(kind(topology))
        .codec_on_each_hop(true)
        .trace(true)
}

/// The oracle has names of its own for the topologies.
pub fn kind(topology: Topology) -> TopologyKind {
    match topology {
        Topology::List => TopologyKind::List,
        Topology::Tree => TopologyKind::Tree,
        Topology::Bst => TopologyKind::Bst,
        Topology::Balanced => TopologyKind::Balanced,
    }
}

fn record_with<C: CommandSet>(setup: &Setup, script: &Script) -> Result<(Vec<Event>, Vec<trace::Event>), RunError> {
    let tree = builder::<C>(setup, script.topology).start()?;
    let mut outside = Outside::new(&tree, setup.mode == Mode::Process);
    type_all(&tree, script, &mut outside)?;
    let mut replies: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for reply in tree.replies()?.try_iter() {
        replies.entry(reply.ticket.0).or_default().push(reply.answer.to_string());
    }
    let (strikes, events) = outside.end();
    let lines = script.steps.iter().map(|step| step.text.as_str()).filter(|line| is_command(line));
    let history = history(lines, strikes, &events, &replies, tree.now().as_micros() as u64);
    Ok((history, events))
}

/// Types a script: all in one write, or each line when the one before has been answered. What is done from outside is
/// done behind the lines before it, whether or not they are answered.
fn type_all<C: CommandSet>(tree: &NodeTree<C>, script: &Script, outside: &mut Outside<'_, C>) -> Result<(), RunError> {
    let mut together = Vec::new();
    for step in &script.steps {
        match step.outside() {
            Some((action, id)) if outside.is_possible() => {
                tree.submit_lines(together.drain(..))?;
                outside.strike(action, id);
            }
            _ if !is_command(&step.text) => {}
            _ if script.one_write => together.push(step.text.as_str()),
            _ => {
                tree.submit_lines([step.text.as_str()])?;
                tree.settle()?;
            }
        }
    }
    tree.submit_lines(together)?;
    Ok(tree.settle()?)
}

fn is_command(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && line != "exit" && line != "quit"
}

fn history<'l>(
    mut submitted: impl Iterator<Item = &'l str>,
    strikes: Vec<Event>,
    events: &[trace::Event],
    replies: &BTreeMap<u64, Vec<String>>,
    end_us: u64,
) -> Vec<Event> {
    let mut history = strikes;
    for event in events {
        let at_us = event.at_ns / 1000;
        match &event.what {
            What::Submitted { command, .. } => {
                let text = submitted.next().unwrap_or_default().to_owned();
                history.push(Event { at_us, what: Happened::Submitted { command: *command, text } });
            }
            What::Answered { command, .. } => {
                let texts = replies.get(command).into_iter().flatten().cloned();
                let replied = |text| Event { at_us, what: Happened::Replied { command: *command, text } };
                history.extend(texts.map(replied));
            }
            What::Noticed { text, .. } => history.push(Event { at_us, what: Happened::Notice { text: text.clone() } }),
            _ => {}
        }
    }
    // Stamps are taken by several threads, and may be kept in another order.
    history.sort_by_key(|event| event.at_us);
    history.push(Event { at_us: end_us, what: Happened::Ended });
    history
}
