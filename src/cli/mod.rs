//! The terminal side of nodetree: arguments, reading, printing, signals and the end.
//!
//! Four threads, so that replies flow while the input is slow and the input is read while the output is:
//!
//! ```text
//! reader ──chunks──> session ──commands──> NodeTree ──replies, notices──> printer
//!                       └──────────prompts, answers that were waited for─────^
//! overseer: a signal or a failing output stops the session, and gives up what does not end by itself
//! ```
//!
//! Nothing here panics when an output is closed: `println!` and its relatives are absent on purpose.

mod args;
mod input;
mod log;
mod names;
mod output;
mod overseer;
mod printer;
mod program;
mod session;
mod terminal;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use nodetree::command_sets::{CommandSetKind, Dictionary, Search, Sum, Timer};

use args::{Parsed, Settings, Task};

/// Wrong arguments, or a wrong configuration.
const USAGE_CODE: u8 = 2;

/// Reads the command line, and begins to log.
pub fn begin(args: impl IntoIterator<Item = OsString>) -> Parsed {
    let args: Vec<_> = args.into_iter().collect();
    let parsed = Parsed::from_args(args.clone());
    log::start(parsed.verbosity(), &args);
    parsed
}

/// Runs the program.
pub fn main(parsed: Parsed) -> ExitCode {
    match parsed.task() {
        Ok(Task::Run(settings)) => run(*settings),
        Ok(Task::Print(text)) => args::print(&text),
        Err(early) => early.exit(),
    }
}

fn run(settings: Settings) -> ExitCode {
    let ended = match settings.config.commands {
        CommandSetKind::Sum => program::run::<Sum>(settings),
        CommandSetKind::Dictionary => program::run::<Dictionary>(settings),
        CommandSetKind::Timer => program::run::<Timer>(settings),
        CommandSetKind::Search => program::run::<Search>(settings),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

/// Says on standard error what went wrong. When that fails, there is nobody left to be told.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "nodetree: {what}");
}
