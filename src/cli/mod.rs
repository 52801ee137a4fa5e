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
mod generate;
mod input;
mod log;
mod output;
mod overseer;
mod printer;
mod program;
mod replay;
mod session;
mod simulate;
mod terminal;
mod trace;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use nodetree::command_sets::{CommandSetKind, Dictionary, Search, Sum, Timer};

use args::Settings;
pub use log::start_in_node;

/// Wrong arguments, or a wrong configuration.
const USAGE_CODE: u8 = 2;

/// Runs the program.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Settings::from_args(args) {
        Ok(settings) => run(settings),
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
