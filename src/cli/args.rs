//! What stands on the command line, and the configuration that comes of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nodetree::commands::Variant;
use nodetree::modes::Span;
use nodetree::{CommandSetKind, ConfigError, Mode, SystemConfig, TopologyKind};

use super::output::Output;
use super::trace::ShowTrace;
use super::{USAGE_CODE, complain};

const EXAMPLES: &str = "\
Examples:
  nodetree                                   type commands, `help` lists them
  printf 'create 1\\nexec 1 x 5\\nexec 1 x\\n' | nodetree
  nodetree --topology bst --commands sum < commands.txt
  nodetree --variant 25                      topology and commands of variant 25 (2023)
  nodetree --variant 2020:45                 the same of 2020
  nodetree --mode simulated --seed 7 --trace trace.ron < commands.txt
  nodetree trace trace.ron --diagram         show what happened
  nodetree --config nodetree.ron --reply-timeout 500ms

A configuration file holds any of these fields; what stands on the command line wins:
  (topology: bst, commands: sum, mode: simulated, seed: 7, reply_timeout: \"1s\", capacity: 65536)

Exit codes: 0 at the end of the input, after exit and after a first signal; 1 when the output fails;
2 for wrong arguments or a wrong configuration; 130 after a second signal.";

/// A control node and a tree of computing nodes: reads commands from standard input and prints replies.
#[derive(Parser)]
#[command(name = "nodetree", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// On what nodes run: simulated (virtual time), threads or process [default: threads]
    #[arg(long)]
    mode: Option<Mode>,
    /// How nodes are joined: list, tree, bst or balanced [default: tree]
    #[arg(long)]
    topology: Option<TopologyKind>,
    /// What exec does: sum, dictionary, timer or search [default: dictionary]
    #[arg(long)]
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
    /// Where to write what happens, one RON line each; `nodetree trace` shows it
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// What the program can do besides.
#[derive(Subcommand)]
enum Other {
    /// Shows a trace that was written with --trace
    Trace(ShowTrace),
}

/// What the program is to do.
pub struct Settings {
    /// The system.
    pub config: SystemConfig,
    /// Where the trace goes.
    pub trace: Option<(PathBuf, File)>,
}

/// Why the program ends before it has begun.
pub enum Early {
    /// Wrong arguments, or help was asked for.
    Clap(clap::Error),
    /// No system was asked for, but a trace.
    Show(ShowTrace),
    /// The configuration is wrong.
    Config(ConfigError),
    /// The trace cannot be written.
    Trace(PathBuf, io::Error),
}

impl Settings {
    /// Reads the command line, and the file that it names.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Result<Self, Early> {
        let args = Args::try_parse_from(args).map_err(Early::Clap)?;
        if let Some(Other::Trace(show)) = args.other {
            return Err(Early::Show(show));
        }
        let config = args.config().map_err(Early::Config)?;
        let create = |path: PathBuf| match File::create(&path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(Early::Trace(path, error)),
        };
        Ok(Self { config, trace: args.trace.map(create).transpose()? })
    }
}

impl Args {
    /// The file, and over it what stands on the command line.
    fn config(&self) -> Result<SystemConfig, ConfigError> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(SystemConfig::default()), SystemConfig::from_file)?;
        if let Some(variant) = self.variant {
            config.topology = topology_of(variant);
            config.commands = variant.commands;
        }
        config.mode = self.mode.unwrap_or(config.mode);
        config.topology = self.topology.unwrap_or(config.topology);
        config.commands = self.commands.unwrap_or(config.commands);
        config.seed = self.seed.unwrap_or(config.seed);
        config.reply_timeout = self.reply_timeout.unwrap_or(config.reply_timeout);
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
            Self::Clap(error) if !error.use_stderr() => return print_help(&error),
            Self::Clap(error) => drop(write!(io::stderr(), "{}", error.render())),
            Self::Show(show) => return show.run(),
            Self::Config(error) => complain(&error.to_string()),
            Self::Trace(path, error) => complain(&format!("{}: {error}", path.display())),
        }
        ExitCode::from(USAGE_CODE)
    }
}

fn print_help(help: &clap::Error) -> ExitCode {
    let print = || Output::stdout()?.write_all(help.render().to_string().as_bytes());
    match print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<SystemConfig, String> {
        let all = std::iter::once("nodetree").chain(args.iter().copied());
        let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
        args.config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_what_clap_takes() {
        use clap::CommandFactory;
        Args::command().debug_assert();
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
    fn a_reply_timeout_out_of_range_is_refused() {
        assert!(config(&["--reply-timeout", "0ms"]).unwrap_err().contains("from 1ms to 86400s"));
        assert!(config(&["--reply-timeout", "5"]).unwrap_err().contains("500ms or 5s"));
    }
}
