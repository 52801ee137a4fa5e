//! How a system is put together.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::bounded;

use super::engine::{Engine, Parts, Shared};
use super::sink::{Calls, ReplySink};
use super::{Mode, NodeTree, Span, SystemConfig, nanos, process, simulated, threads};
use crate::actors::ControlConfig;
use crate::command_sets::{CommandSet, executor};
use crate::error::{ConfigError, StartError};
use crate::faults::FaultPlan;
use crate::trace::{Run, Trace, What};

/// How many notices wait for a reader; beyond that the latest of each node is kept.
const NOTICES: usize = 1 << 16;

/// How many bytes of requests, short ones not counted, may be on their way to the control node.
const STREAMED_BYTES: usize = 4 * 1024 * 1024;

/// Builds a [`NodeTree`].
#[derive(Clone, Debug)]
pub struct Builder<C> {
    pub(super) config: SystemConfig,
    pub(super) faults: FaultPlan,
    pub(super) trace: bool,
    pub(super) codec: bool,
    pub(super) node_program: Option<PathBuf>,
    pub(super) node_env: Vec<(OsString, OsString)>,
    pub(super) set: PhantomData<fn() -> C>,
}

impl<C: CommandSet> Builder<C> {
    /// Takes everything from a configuration.
    pub fn config(mut self, config: SystemConfig) -> Self {
        self.config = config;
        self
    }

    /// How nodes are placed.
    pub fn topology(mut self, topology: crate::topology::TopologyKind) -> Self {
        self.config.topology = topology;
        self
    }

    /// On what it runs.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.config.mode = mode;
        self
    }

    /// From what the simulated mode draws its delays.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// How long an answer is waited for, from 1 ms to a day.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.config.reply_timeout = Span(timeout);
        self
    }

    /// How many commands may be in flight or unread before a submit waits.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.config.capacity = capacity;
        self
    }

    /// How many processes are kept ready to become nodes in process mode, at most 1024; the other modes take no notice. A
    /// `create` that finds one is answered several times as soon.
    ///
    /// ```
    /// use nodetree::{Dictionary, NodeTree};
    /// let tree = NodeTree::<Dictionary>::builder().spare_processes(2).start()?;
    /// assert_eq!(tree.config().spare_processes, 2);
    /// assert!(tree.spare_processes().is_empty(), "its nodes are actors");
    /// # Ok::<(), nodetree::StartError>(())
    /// ```
    pub fn spare_processes(mut self, number: usize) -> Self {
        self.config.spare_processes = number;
        self
    }

    /// What goes wrong by plan, from the start on. Chance is drawn from the seed of the system.
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = plan;
        self
    }

    /// Keeps what happens, for [`NodeTree::trace`].
    pub fn trace(mut self, on: bool) -> Self {
        self.trace = on;
        self
    }

    /// Whether in simulated mode everything that travels is encoded and decoded on each hop, as it would be between
    /// processes; on by default in debug builds.
    pub fn codec_on_each_hop(mut self, on: bool) -> Self {
        self.codec = on;
        self
    }

    /// What nodes run in process mode, instead of this program itself: one that calls
    /// [`process::serve_if_node`] first.
    pub fn node_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.node_program = Some(program.into());
        self
    }

    /// What nodes find in their environment in process mode, besides what this program does; may be called more than
    /// once.
    pub fn node_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.node_env.push((name.into(), value.into()));
        self
    }

    /// Starts the system.
    ///
    /// # Errors
    /// When the configuration is wrong, or the operating system refuses what the mode needs.
    pub fn start(self) -> Result<NodeTree<C>, StartError> {
        self.config.check()?;
        self.faults.check().map_err(|wrong| ConfigError::Range(wrong.to_string()))?;
        start(self)
    }
}

fn start<C: CommandSet>(builder: Builder<C>) -> Result<NodeTree<C>, StartError> {
    let config = builder.config;
    let shared = Arc::new(Shared::new(config.capacity, STREAMED_BYTES));
    let (replies_in, replies) = bounded(config.capacity + 1);
    let (notices_in, notices) = bounded(NOTICES);
    let (submissions, queue) = bounded(config.capacity + 1);
    let (calls, trace) = (Calls::default(), if builder.trace { Trace::on() } else { Trace::default() });
    let sink = ReplySink {
        kept: Vec::new(),
        replies: replies_in,
        notices: notices_in,
        calls: Arc::clone(&calls),
        shared: Arc::clone(&shared),
        trace: trace.clone(),
        spools: HashMap::new(),
        late: BTreeMap::new(),
    };
    trace.add(0, || What::Began(run::<C>(&config, builder.codec, &builder.faults)));
    let parts = Parts {
        config: ControlConfig {
            topology: config.topology,
            reply_timeout_ns: nanos(config.reply_timeout.0),
            asks_kernel: config.mode == Mode::Process,
            faults: builder.faults.0,
        },
        make_executor: Box::new(executor::<C>),
        sink: Box::new(sink),
        submissions: queue,
        awake: Arc::default(),
        seed: config.seed,
        trace: trace.clone(),
        shared: Arc::clone(&shared),
    };
    let engine: Box<dyn Engine> = match config.mode {
        Mode::Simulated => {
            let settings = simulated::Settings { seed: config.seed, codec: builder.codec };
            Box::new(simulated::Simulated::start(settings, parts)?)
        }
        Mode::Threads => Box::new(threads::start(parts)?),
        Mode::Process => {
            let spares = config.spare_processes;
            Box::new(process::start(builder.node_program, builder.node_env, C::NAME, spares, parts)?)
        }
    };
    Ok(NodeTree {
        config,
        engine,
        shared,
        submissions,
        replies,
        notices,
        calls,
        kept: Mutex::default(),
        next: AtomicU64::new(1),
        in_order: Mutex::default(),
        free_running: AtomicBool::new(false),
        trace,
    })
}

fn run<C: CommandSet>(config: &SystemConfig, codec: bool, faults: &FaultPlan) -> Run {
    Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        topology: config.topology,
        commands: C::NAME.to_owned(),
        mode: config.mode.to_string(),
        seed: config.seed,
        reply_timeout: config.reply_timeout,
        capacity: config.capacity,
        codec,
        faults: faults.clone(),
    }
}
