//! What stands on the command line, and the configuration that comes of it.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use nodetree::commands::Variant;
use nodetree::modes::Span;
use nodetree::{CommandSetKind, ConfigError, Mode, SystemConfig, TopologyKind};

use super::replay::ReplayTrace;
use super::simulate::Simulate;
use super::trace::ShowTrace;
use super::{USAGE_CODE, complain, generate, log};

const EXAMPLES: &str = "\
Examples:
  nodetree                                   type commands, `help` lists them
  printf 'create 1\\nexec 1 x 5\\nexec 1 x\\n' | nodetree
  nodetree --topology bst --commands sum < commands.txt
  nodetree --variant 25                      topology and commands of variant 25 (2023)
  nodetree --variant 2020:45                 the same of 2020
  nodetree --mode simulated --seed 7 --trace trace.ron < commands.txt
  nodetree trace trace.ron --diagram         show what happened
  nodetree simulate scenario.ron --seeds 0..200   run what it says, and judge it
  nodetree replay trace.ron                  run it again: is it the same?
  nodetree --config nodetree.ron --reply-timeout 500ms
  nodetree config --variant 25 > nodetree.ron
  nodetree --spare 2                         two processes wait to become nodes: create is quicker
  nodetree -v --mode process                 says on standard error which nodes start and end
  nodetree completions bash > ~/.local/share/bash-completion/completions/nodetree
  nodetree man > nodetree.1                  for man ./nodetree.1

A configuration file holds any of these fields; what stands on the command line wins:
  (topology: bst, commands: sum, mode: simulated, seed: 7, reply_timeout: \"1s\", capacity: 65536,
   spare_processes: 2)
`nodetree config` prints them all as they are with the same arguments, in a form that --config reads.

Environment:
  NODETREE_LOG  what is logged to standard error: off, error, warn, info, debug or trace [default: warn];
                -v and -vv win over it. Lines of a node hold its id.
  NO_COLOR      when it is not empty: no colours, unless --color always
  XDG_STATE_HOME  nodetree/history in it keeps what was typed at a terminal [default: ~/.local/state]

Exit codes: 0 at the end of the input, after exit and after a first signal; 1 when the output fails;
2 for wrong arguments or a wrong configuration; 130 after a second signal.";

/// A control node and a tree of computing nodes: reads commands from standard input and prints replies.
#[derive(Parser)]
#[command(name = "nodetree", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    system: SystemArgs,
    /// Where to write what happens, one RON line each; `nodetree trace` shows it
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Shows behind each reply how long it took on the mode's clock: a tab and milliseconds, as in `Ok: 1<TAB>0.412 ms`
    #[arg(long)]
    timing: bool,
    /// When replies have colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
}

/// When replies have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// At a terminal that has them, unless NO_COLOR is set
    Auto,
    /// Also through a pipe
    Always,
    /// Never
    Never,
}

/// How replies look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When they have colours.
    pub color: ColorWhen,
    /// Whether each says how long it took.
    pub timing: bool,
}

/// What makes a configuration.
#[derive(clap::Args)]
struct SystemArgs {
    /// On what nodes run: a process each, actors on threads, or simulated in virtual time [default: process]
    #[arg(long, value_parser = one_of(Mode::ALL))]
    mode: Option<Mode>,
    /// How nodes are joined [default: tree]
    #[arg(long, value_parser = one_of(TopologyKind::ALL))]
    topology: Option<TopologyKind>,
    /// What exec does [default: dictionary]
    #[arg(long, value_parser = one_of(COMMAND_SETS))]
    commands: Option<CommandSetKind>,
    /// Topology and commands of a variant of the assignment: N, or 2020:N, with N from 1 to 48
    #[arg(long, value_name = "VARIANT", conflicts_with_all = ["topology", "commands"])]
    variant: Option<Variant>,
    /// Configuration, a RON file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// From what the simulated mode draws its delays [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// How long an answer is waited for, like 500ms or 5s [default: 5s]
    #[arg(long, value_name = "TIME")]
    reply_timeout: Option<Span>,
    /// How many processes are kept ready to become nodes, in mode process only [default: 0]
    #[arg(long, value_name = "N")]
    spare: Option<usize>,
    /// Log to standard error: -v which nodes start and end and why, -vv control messages too
    #[arg(long, short, action = clap::ArgAction::Count)]
    verbose: u8,
}

const COMMAND_SETS: [CommandSetKind; 4] =
    [CommandSetKind::Sum, CommandSetKind::Dictionary, CommandSetKind::Timer, CommandSetKind::Search];

/// Takes one of these by its name, and offers their names to completions and to who mistypes one.
pub fn one_of<T, const N: usize>(all: [T; N]) -> impl TypedValueParser<Value = T>
where
    T: ToString + FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.map(|it| it.to_string())).try_map(|name| name.parse::<T>())
}

/// What the program can do besides.
#[derive(Subcommand)]
enum Other {
    /// Shows a trace that was written with --trace
    Trace(ShowTrace),
    /// Runs a scenario with one seed or with many, and says whether what happens is right
    Simulate(Simulate),
    /// Runs what was written with --trace again, and says where it differs
    Replay(ReplayTrace),
    /// Prints the configuration that these arguments make, as a file for --config
    Config(SystemArgs),
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page
    Man,
}

/// What the program is to do.
pub struct Settings {
    /// The system.
    pub config: SystemConfig,
    /// Where the trace goes.
    pub trace: Option<(PathBuf, File)>,
    /// What the nodes are to log.
    pub log: String,
    /// How replies look.
    pub look: Look,
}

/// Why the program ends before it has begun.
pub enum Early {
    /// Wrong arguments, or help was asked for.
    Clap(clap::Error),
    /// No system was asked for, but a trace.
    Show(ShowTrace),
    /// A scenario is to be run.
    Simulate(Simulate),
    /// A trace is to be run again.
    Replay(ReplayTrace),
    /// No system was asked for, but its configuration.
    Print(SystemConfig),
    /// No system was asked for, but completions.
    Completions(Shell),
    /// No system was asked for, but the manual page.
    Man,
    /// An environment variable is wrong.
    Environment(String),
    /// The configuration is wrong.
    Config(ConfigError),
    /// The trace cannot be written.
    Trace(PathBuf, io::Error),
}

impl Settings {
    /// Reads the command line, and the file that it names. From then on there is a log.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Self, Early> {
        let args = Args::try_parse_from(args).map_err(Early::Clap)?;
        match args.other {
            Some(Other::Trace(show)) => return Err(Early::Show(show)),
            Some(Other::Simulate(simulate)) => return Err(Early::Simulate(simulate)),
            Some(Other::Replay(replay)) => return Err(Early::Replay(replay)),
            Some(Other::Completions { shell }) => return Err(Early::Completions(shell)),
            Some(Other::Man) => return Err(Early::Man),
            Some(Other::Config(system)) => return Err(Early::Print(system.start_log_and_read()?.0)),
            None => {}
        }
        let (config, log) = args.system.start_log_and_read()?;
        let create = |path: PathBuf| match File::create(&path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(Early::Trace(path, error)),
        };
        let look = Look { color: args.color, timing: args.timing };
        Ok(Self { config, trace: args.trace.map(create).transpose()?, log, look })
    }
}

impl SystemArgs {
    /// The configuration, and the level of the log.
    fn start_log_and_read(&self) -> Result<(SystemConfig, String), Early> {
        let level = log::level(self.verbose).map_err(Early::Environment)?;
        log::start(level);
        let config = self.config().map_err(Early::Config)?;
        if let Some(path) = &self.config {
            tracing::info!(path = %path.display(), "a configuration file was read");
        }
        tracing::info!(mode = %config.mode, topology = %config.topology, commands = %config.commands, "configured");
        Ok((config, level.to_string()))
    }

    /// The program's defaults, over them the file, and over it what stands on the command line.
    fn config(&self) -> Result<SystemConfig, ConfigError> {
        let base = SystemConfig { mode: Mode::Process, ..SystemConfig::default() };
        let mut config = match &self.config {
            Some(path) => base.with_file(path)?,
            None => base,
        };
        if let Some(variant) = self.variant {
            config.topology = topology_of(variant);
            config.commands = variant.commands;
        }
        config.mode = self.mode.unwrap_or(config.mode);
        config.topology = self.topology.unwrap_or(config.topology);
        config.commands = self.commands.unwrap_or(config.commands);
        config.seed = self.seed.unwrap_or(config.seed);
        config.reply_timeout = self.reply_timeout.unwrap_or(config.reply_timeout);
        config.spare_processes = self.spare.unwrap_or(config.spare_processes);
        config.check()?;
        Ok(config)
    }
}

fn topology_of(variant: Variant) -> TopologyKind {
    let numbered = TopologyKind::ALL.into_iter().find(|kind| kind.number() == variant.topology);
    numbered.expect("every variant has a topology")
}

impl Early {
    /// Says it and gives the exit code.
    pub fn exit(self) -> ExitCode {
        match self {
            Self::Clap(error) if !error.use_stderr() => return generate::print(error.render().to_string().as_bytes()),
            Self::Clap(error) => drop(write!(io::stderr(), "{}", error.render())),
            Self::Show(show) => return show.run(),
            Self::Simulate(simulate) => return simulate.run(),
            Self::Replay(replay) => return replay.run(),
            Self::Print(config) => return generate::print(config.to_ron().as_bytes()),
            Self::Completions(shell) => return generate::completions(Args::command(), shell),
            Self::Man => return generate::man(Args::command()),
            Self::Environment(what) => complain(&what),
            Self::Config(error) => complain(&error.to_string()),
            Self::Trace(path, error) => complain(&format!("{}: {error}", path.display())),
        }
        ExitCode::from(USAGE_CODE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<SystemConfig, String> {
        let all = std::iter::once("nodetree").chain(args.iter().copied());
        let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
        args.system.config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_what_clap_takes() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_programs_mode_is_process() {
        assert_eq!(config(&[]).unwrap().mode, Mode::Process);
        assert_eq!(config(&["--mode", "threads"]).unwrap().mode, Mode::Threads);
    }

    #[test]
    fn a_variant_is_a_topology_and_a_command_set() {
        let config = config(&["--variant", "25"]).unwrap();
        assert_eq!((config.topology, config.commands), (TopologyKind::Tree, CommandSetKind::Dictionary));
    }

    #[test]
    fn every_variant_has_a_topology() {
        let all = (1..=48).flat_map(|n| [Variant::of_2020(n), Variant::of_2023(n)]);
        let known = all.filter(|variant| TopologyKind::ALL.contains(&topology_of(variant.unwrap())));
        assert_eq!(known.count(), 96);
    }

    #[test]
    fn spare_processes_are_counted_and_not_too_many() {
        assert_eq!(config(&[]).unwrap().spare_processes, 0);
        assert_eq!(config(&["--spare", "2"]).unwrap().spare_processes, 2);
        assert!(config(&["--spare", "1025"]).unwrap_err().contains("at most 1024"));
    }

    #[test]
    fn a_reply_timeout_out_of_range_is_refused() {
        assert!(config(&["--reply-timeout", "0ms"]).unwrap_err().contains("from 1ms to 86400s"));
        assert!(config(&["--reply-timeout", "5"]).unwrap_err().contains("500ms or 5s"));
    }
}
