//! What stands on the command line, and what is to be done by it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use nodetree::commands::Variant;
use nodetree::modes::Span;
use nodetree::{CommandSetKind, ConfigError, Mode, SystemConfig, TopologyKind};

use super::names::names;
use super::output::Output;
use super::{USAGE_CODE, complain};

const EXAMPLES: &str = "\
Examples:
  nodetree                                   type commands, `help` lists them
  printf 'create 1\\nexec 1 x 5\\nexec 1 x\\n' | nodetree
  nodetree --topology bst --commands sum < commands.txt
  nodetree --variant 25                      topology and commands of variant 25 (2023)
  nodetree --variant 2020:45                 the same of 2020
  nodetree --mode simulated --seed 7 --trace trace.ron < commands.txt
  nodetree --config nodetree.ron --reply-timeout 500ms
  nodetree config --variant 25 > nodetree.ron
  source <(nodetree completions bash)
  nodetree man | man -l -

A configuration file holds any of these fields; what stands on the command line wins:
  (topology: bst, commands: sum, mode: simulated, seed: 7, reply_timeout: \"1s\", capacity: 65536)

Environment:
  NODETREE_LOG    what is logged to standard error, like debug or nodetree::modes=trace; it wins over -v
  NO_COLOR        when it is not empty: no colours, unless --color always
  XDG_STATE_HOME  nodetree/history in it keeps what was typed at a terminal [default: ~/.local/state]

Exit codes: 0 at the end of the input, after exit and after a first signal; 1 when the output fails;
2 for wrong arguments or a wrong configuration; 130 after a second signal.";

/// A control node and a tree of computing nodes: reads commands from standard input and prints replies.
#[derive(Parser)]
#[command(name = "nodetree", version, after_help = EXAMPLES)]
struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    options: Options,
}

/// What is done instead of reading commands.
#[derive(Subcommand)]
enum Instead {
    /// Prints the configuration that the other arguments give, as a file for --config
    Config,
    /// Prints what a shell needs to complete the arguments of nodetree
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page
    Man,
}

#[derive(clap::Args)]
struct Options {
    /// On what nodes run: simulated (virtual time), threads or process [default: threads]
    #[arg(long, global = true, value_parser = names(&Mode::ALL))]
    mode: Option<Mode>,
    /// How nodes are joined: list, tree, bst or balanced [default: tree]
    #[arg(long, global = true, value_parser = names(&TopologyKind::ALL))]
    topology: Option<TopologyKind>,
    /// What exec does: sum, dictionary, timer or search [default: dictionary]
    #[arg(long, global = true, value_parser = names(&CommandSetKind::ALL))]
    commands: Option<CommandSetKind>,
    /// Topology and commands of a variant of the assignment: N, or 2020:N, with N from 1 to 48
    #[arg(long, global = true, value_name = "VARIANT", conflicts_with_all = ["topology", "commands"])]
    variant: Option<Variant>,
    /// Configuration, a RON file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// From what the simulated mode draws its delays [default: 0]
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// How long an answer is waited for, like 500ms or 5s [default: 5s]
    #[arg(long, global = true, value_name = "TIME")]
    reply_timeout: Option<Span>,
    /// Where to write what happened, one RON line each, at the end; it is kept in memory until then
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Shows behind each reply how long it took on the mode's clock: a tab and milliseconds, as in `Ok: 1<TAB>0.412 ms`
    #[arg(long)]
    timing: bool,
    /// When replies have colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
    /// Logs what is done to standard error, more with -vv [default: only warnings and errors]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
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

/// What the program is to do.
pub enum Task {
    /// Read commands.
    Run(Box<Settings>),
    /// Print a text.
    Print(Vec<u8>),
}

/// How commands are read and carried out.
pub struct Settings {
    /// The system.
    pub config: SystemConfig,
    /// Where the trace goes.
    pub trace: Option<(PathBuf, File)>,
    /// How replies look.
    pub look: Look,
}

/// Why the program ends before it has begun.
pub enum Early {
    /// Wrong arguments, or help was asked for.
    Clap(clap::Error),
    /// The configuration is wrong.
    Config(ConfigError),
    /// The trace cannot be written.
    Trace(PathBuf, io::Error),
}

/// The command line, read but for the files that it names.
pub struct Parsed(Result<Args, clap::Error>);

impl Parsed {
    /// Reads the command line.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> Self {
        Self(Args::try_parse_from(args))
    }

    /// How often `-v` stands there.
    pub fn verbosity(&self) -> u8 {
        self.0.as_ref().map_or(0, |args| args.options.verbose)
    }

    /// Reads the file that is named, and opens the one for the trace.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn task(self) -> Result<Task, Early> {
        let Args { instead, options } = self.0.map_err(Early::Clap)?;
        match instead {
            None => options.settings().map(Box::new).map(Task::Run),
            Some(Instead::Config) => Ok(Task::Print(options.config().map_err(Early::Config)?.to_ron().into_bytes())),
            Some(Instead::Completions { shell }) => Ok(Task::Print(completions(shell))),
            Some(Instead::Man) => Ok(Task::Print(manual())),
        }
    }
}

impl Options {
    fn settings(self) -> Result<Settings, Early> {
        let config = self.config().map_err(Early::Config)?;
        let create = |path: PathBuf| match File::create(&path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(Early::Trace(path, error)),
        };
        let look = Look { color: self.color, timing: self.timing };
        Ok(Settings { config, trace: self.trace.map(create).transpose()?, look })
    }

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

fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "nodetree", &mut text);
    text
}

fn manual() -> Vec<u8> {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(Args::command()).render(&mut text);
    text
}

impl Early {
    /// Says it and gives the exit code.
    pub fn exit(self) -> ExitCode {
        match self {
            Self::Clap(error) if !error.use_stderr() => return print(error.render().to_string().as_bytes()),
            Self::Clap(error) => drop(write!(io::stderr(), "{}", error.render())),
            Self::Config(error) => complain(&error.to_string()),
            Self::Trace(path, error) => complain(&format!("{}: {error}", path.display())),
        }
        ExitCode::from(USAGE_CODE)
    }
}

/// Prints a text and gives the exit code.
pub fn print(text: &[u8]) -> ExitCode {
    match Output::stdout().and_then(|mut out| out.write_all(text)) {
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
        args.options.config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_what_clap_takes() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_variant_is_a_topology_and_a_command_set() {
        let config = config(&["--variant", "25"]).unwrap();
        assert_eq!((config.topology, config.commands), (TopologyKind::Tree, CommandSetKind::Dictionary));
    }

    #[test]
    fn options_stand_before_and_behind_a_subcommand() {
        for args in [["--topology", "bst", "config"], ["config", "--topology", "bst"]] {
            assert_eq!(config(&args).unwrap().topology, TopologyKind::Bst);
        }
        assert!(
            config(&["config", "--variant", "25", "--topology", "bst"]).unwrap_err().contains("cannot be used with")
        );
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

    #[test]
    fn a_name_that_is_almost_right_is_shown() {
        assert!(config(&["--mode", "thread"]).unwrap_err().contains("did you mean threads?"));
        assert!(config(&["--topology", "balancd"]).unwrap_err().contains("did you mean balanced?"));
        assert!(!config(&["--commands", "zzz"]).unwrap_err().contains("did you mean"));
    }
}
