//! Runs a script or a scenario on a system and has the oracle judge what happened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::faults::Teller;
use super::oracle::{Commands, Event, Happened, OracleConfig, PidRule, Summary, Topology, Violation, judge};
use super::outside::Outside;
use super::script::Script;
use super::{Scenario, Typing, expected};
use crate::command_sets::{CommandSet, CommandSetKind, Dictionary, Search, Sum, Timer};
use crate::error::{StartError, SubmitError};
use crate::modes::{Builder, MAX_CAPACITY, Mode, NodeTree, Span, Stuck, SystemConfig};
use crate::random::Random;
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
    /// How many processes are kept ready, in process mode.
    pub spare_processes: usize,
}

impl Setup {
    /// A simulated system with this seed and the default reply timeout.
    pub fn simulated(seed: u64) -> Self {
        let (reply_timeout, slack) = (Duration::from_secs(5), Duration::from_millis(2));
        Self { mode: Mode::Simulated, seed, reply_timeout, slack, node_program: None, spare_processes: 0 }
    }

    /// A system on threads; its times depend on how busy the machine is, so the slack is wide.
    pub fn threads() -> Self {
        let (reply_timeout, slack) = (Duration::from_millis(500), Duration::from_secs(5));
        Self { mode: Mode::Threads, seed: 0, reply_timeout, slack, node_program: None, spare_processes: 0 }
    }

    /// What a configuration asks for, with the slack that its mode needs.
    pub fn of(config: &SystemConfig) -> Self {
        let mode = match config.mode {
            Mode::Simulated => Self::simulated(config.seed),
            mode => Self { mode, ..Self::threads() },
        };
        let (seed, spare_processes) = (config.seed, config.spare_processes);
        Self { seed, reply_timeout: config.reply_timeout.0, spare_processes, ..mode }
    }

    fn oracle(&self, topology: Topology, commands: Commands) -> OracleConfig {
        OracleConfig {
            topology,
            commands,
            reply_timeout_ms: self.reply_timeout.as_millis() as u64,
            slack_ms: self.slack.as_millis() as u64,
            pid_rule: if self.mode == Mode::Process { PidRule::NotShared } else { PidRule::NeverTwice },
        }
    }

    /// A script as a scenario.
    pub fn scenario(&self, script: &Script) -> Scenario {
        let system = SystemConfig {
            topology: kind(script.topology),
            commands: set(script.commands),
            mode: self.mode,
            seed: self.seed,
            reply_timeout: Span(self.reply_timeout),
            spare_processes: self.spare_processes,
            ..SystemConfig::default()
        };
        let typing = if script.one_write { Typing::AtOnce } else { Typing::Slowly };
        Scenario { script: script.steps.clone(), typing, ..Scenario::new(system) }
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
    /// A reply is not the one that the scenario expects.
    #[error("reply {number} is not as expected\n  expected: {expected}\n  came:     {came}")]
    Unexpected {
        /// Which one, from 1.
        number: usize,
        /// What the scenario says.
        expected: String,
        /// What came.
        came: String,
    },
    /// The system could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A command was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Scenario {
    /// Runs it and judges what happened. Nodes that are processes run this program itself, which then calls
    /// [`serve_if_node`](crate::modes::process::serve_if_node); [`Setup::of`] is for other programs.
    ///
    /// # Errors
    /// The first promise that was broken, or why it could not be run.
    pub fn run(&self) -> Result<Summary, RunError> {
        let setup = Setup::of(&self.system);
        judge_scenario(&setup, self, &record_scenario(&setup, self)?)
    }
}

/// Runs a script and judges what happened.
///
/// # Errors
/// The first promise that was broken, or why the script could not be run.
///
/// ```
/// use nodetree::scenario::runner::{Setup, run};
/// let script = "# topology: tree\n# commands: dictionary\ncreate 1\nexec 1 x 5\nexec 1 x\n".parse()?;
/// let summary = run(&Setup::simulated(7), &script)?;
/// assert_eq!(summary.judged_exactly, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run(setup: &Setup, script: &Script) -> Result<Summary, RunError> {
    let (history, _) = record(setup, script)?;
    judged(setup, script, &history)
}

/// Has the oracle judge what was recorded of a script.
///
/// # Errors
/// The first promise that was broken.
pub fn judged(setup: &Setup, script: &Script, history: &[Event]) -> Result<Summary, RunError> {
    Ok(judge(&setup.oracle(script.topology, script.commands), history).map_err(Box::new)?)
}

/// Runs a script; what happened as the oracle wants it, and as the system's own trace.
///
/// # Errors
/// Why the script could not be run.
pub fn record(setup: &Setup, script: &Script) -> Result<(Vec<Event>, Vec<trace::Event>), RunError> {
    let Recorded { history, trace } = record_scenario(setup, &setup.scenario(script))?;
    Ok((history, trace))
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// As the oracle wants it.
    pub history: Vec<Event>,
    /// The system's own trace.
    pub trace: Vec<trace::Event>,
}

impl Recorded {
    /// The replies in the order of what was typed.
    pub fn replies(&self) -> Vec<&str> {
        let replies = self.history.iter().filter_map(|event| match &event.what {
            Happened::Replied { command, text } => Some((*command, text.as_str())),
            _ => None,
        });
        replies.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// Runs a scenario. The setup says on what; of the scenario's system only the topology and the command set count.
///
/// # Errors
/// Why it could not be run.
pub fn record_scenario(setup: &Setup, scenario: &Scenario) -> Result<Recorded, RunError> {
    match scenario.system.commands {
        CommandSetKind::Sum => record_with::<Sum>(setup, scenario),
        CommandSetKind::Dictionary => record_with::<Dictionary>(setup, scenario),
        CommandSetKind::Timer => record_with::<Timer>(setup, scenario),
        CommandSetKind::Search => record_with::<Search>(setup, scenario),
    }
}

/// Has the oracle judge what was recorded of a scenario, and compares the replies with those that it expects.
///
/// # Errors
/// The first promise that was broken.
pub fn judge_scenario(setup: &Setup, scenario: &Scenario, recorded: &Recorded) -> Result<Summary, RunError> {
    let config = setup.oracle(topology(scenario.system.topology), commands(scenario.system.commands));
    let summary = judge(&config, &recorded.history).map_err(Box::new)?;
    expected::compare(scenario, recorded).map(|()| summary)
}

/// A builder for what a script wants.
pub fn builder<C: CommandSet>(setup: &Setup, topology: Topology) -> Builder<C> {
    builder_of(setup, kind(topology))
}

fn builder_of<C: CommandSet>(setup: &Setup, topology: TopologyKind) -> Builder<C> {
    let builder = NodeTree::builder();
    let builder = match &setup.node_program {
        Some(program) => builder.node_program(program.clone()),
        None => builder,
    };
    builder
        .mode(setup.mode)
        .seed(setup.seed)
        .reply_timeout(setup.reply_timeout)
        .topology(topology)
        .spare_processes(setup.spare_processes)
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

/// The oracle's name of a topology.
pub fn topology(kind: TopologyKind) -> Topology {
    match kind {
        TopologyKind::List => Topology::List,
        TopologyKind::Tree => Topology::Tree,
        TopologyKind::Bst => Topology::Bst,
        TopologyKind::Balanced => Topology::Balanced,
    }
}

/// The oracle has names of its own for the command sets.
pub fn set(commands: Commands) -> CommandSetKind {
    match commands {
        Commands::Sum => CommandSetKind::Sum,
        Commands::Dictionary => CommandSetKind::Dictionary,
        Commands::Timer => CommandSetKind::Timer,
        Commands::Search => CommandSetKind::Search,
    }
}

/// The oracle's name of a command set.
pub fn commands(kind: CommandSetKind) -> Commands {
    match kind {
        CommandSetKind::Sum => Commands::Sum,
        CommandSetKind::Dictionary => Commands::Dictionary,
        CommandSetKind::Timer => Commands::Timer,
        CommandSetKind::Search => Commands::Search,
    }
}

fn record_with<C: CommandSet>(setup: &Setup, scenario: &Scenario) -> Result<Recorded, RunError> {
    let builder = builder_of::<C>(setup, scenario.system.topology).faults(scenario.faults.clone());
    // Nobody waits for room, also if all ask the same node; more of it would have to be made for each run.
    let room = (2 * (scenario.script.len() + 1)).min(MAX_CAPACITY);
    let tree = builder.capacity(room).start()?;
    let mut outside = Outside::new(&tree, setup.mode == Mode::Process);
    type_all(&tree, setup.seed, scenario, &mut outside)?;
    let mut replies: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for reply in tree.replies()?.try_iter() {
        replies.entry(reply.ticket.0).or_default().push(reply.answer.to_string());
    }
    let (strikes, trace) = outside.end();
    let lines = scenario.script.iter().map(|step| step.text.as_str()).filter(|line| is_command(line));
    let teller = Teller::new(scenario, setup.reply_timeout);
    let history = history(lines, strikes, teller, &trace, &replies, tree.now().as_micros() as u64);
    Ok(Recorded { history, trace })
}

/// Types a script. What is done from outside is done behind the lines before it, whether or not they are answered.
fn type_all<C: CommandSet>(
    tree: &NodeTree<C>,
    seed: u64,
    scenario: &Scenario,
    outside: &mut Outside<'_, C>,
) -> Result<(), RunError> {
    let (mut together, mut random) = (Vec::new(), Random(seed ^ TYPIST));
    for step in &scenario.script {
        match (step.outside(), scenario.typing) {
            (Some((action, id)), _) if outside.is_possible() => {
                tree.submit_lines(together.drain(..))?;
                outside.strike(action, id);
            }
            _ if !is_command(&step.text) => {}
            (_, Typing::AtOnce) => together.push(step.text.as_str()),
            (_, Typing::Slowly) => {
                tree.submit_lines([step.text.as_str()])?;
                tree.settle()?;
            }
            (_, Typing::Drawn) => {
                tree.submit_lines([step.text.as_str()])?;
                tree.advance(pause(&mut random))?;
            }
        }
    }
    tree.submit_lines(together)?;
    Ok(tree.settle()?)
}

/// What the typist draws is not what the links draw.
const TYPIST: u64 = 0x7479_7069_7374;

/// Mostly no longer than an envelope takes over some links, now and then much longer.
fn pause(random: &mut Random) -> Duration {
    let longest_us = [10, 100, 1_000, 100_000][random.between((0, 3)) as usize];
    Duration::from_micros(random.between((0, longest_us)))
}

pub(super) fn is_command(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && line != "exit" && line != "quit"
}

/// When each event happened, in microseconds. The control node's thread looks at the clock once for all answers of a
/// turn, and again for a fault that stands before them: a fault is no later than the answers behind it.
fn stamps(events: &[trace::Event]) -> Vec<u64> {
    let mut next_answer = u64::MAX;
    let stamp = |event: &trace::Event| {
        let at_us = event.at_ns / 1000;
        match event.what {
            What::Answered { .. } => next_answer = at_us,
            What::Fault { .. } | What::Healed { .. } => return at_us.min(next_answer),
            _ => {}
        }
        at_us
    };
    let mut stamps: Vec<u64> = events.iter().rev().map(stamp).collect();
    stamps.reverse();
    stamps
}

fn history<'l>(
    mut submitted: impl Iterator<Item = &'l str>,
    strikes: Vec<Event>,
    mut teller: Teller,
    events: &[trace::Event],
    replies: &BTreeMap<u64, Vec<String>>,
    end_us: u64,
) -> Vec<Event> {
    let mut history = strikes;
    history.extend(teller.plan().into_iter().map(|what| Event { at_us: 0, what }));
    for (event, at_us) in events.iter().zip(stamps(events)) {
        match &event.what {
            What::Submitted { command, .. } => {
                let text = submitted.next().unwrap_or_default().to_owned();
                let armed = teller.typed(&text).map(|what| Event { at_us, what });
                history.push(Event { at_us, what: Happened::Submitted { command: *command, text } });
                history.extend(armed);
            }
            What::Answered { command, .. } => {
                let texts = replies.get(command).into_iter().flatten().cloned();
                let replied = |text| Event { at_us, what: Happened::Replied { command: *command, text } };
                history.extend(texts.map(replied));
            }
            What::Noticed { text, .. } => history.push(Event { at_us, what: Happened::Notice { text: text.clone() } }),
            what => history.extend(teller.happened(at_us, what)),
        }
    }
    history.extend(teller.finish());
    // Stamps are taken by several threads, and may be kept in another order.
    history.sort_by_key(|event| event.at_us);
    history.push(Event { at_us: end_us, what: Happened::Ended });
    history
}
