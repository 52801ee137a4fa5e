//! `nodetree replay`: runs what `--trace` has written again.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use nodetree::command_sets::{CommandSetKind, Dictionary, Search, Sum, Timer};
use nodetree::modes::{Recording, ReplayError, Replayed};
use nodetree::{CommandSet, NodeTree};

use super::{USAGE_CODE, complain, generate};

const EXAMPLES: &str = "\
Examples:
  nodetree --mode simulated --seed 7 --trace trace.ron < commands.txt
  nodetree replay trace.ron                  the same: 214 events

A trace of the simulated mode is compared event by event: the same program gives the same events at the same times.
Of the other modes the commands are submitted again, each when those before it are answered that were answered before
it, and only the replies are compared; what was done to processes from outside is not done again.

Exit codes: 0 the same; 1 it differs, and where, or a line is damaged behind what is the same;
2 for wrong arguments, or a file that is no trace, or that does not say enough to be run again.";

/// What is to be run again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayTrace {
    /// What `nodetree --trace FILE` has written
    file: PathBuf,
}

impl ReplayTrace {
    /// Runs it, says what came of it and gives the exit code.
    pub fn run(self) -> ExitCode {
        match self.replay() {
            Ok(replayed) => {
                let said = generate::print(format!("{replayed}\n").as_bytes());
                if matches!(replayed, Replayed::Differs { .. }) { ExitCode::FAILURE } else { said }
            }
            Err(error) => {
                complain(&format!("{}: {error}", self.file.display()));
                match error {
                    ReplayError::NoTrace(_) | ReplayError::Incomplete { .. } => ExitCode::from(USAGE_CODE),
                    _ => ExitCode::FAILURE,
                }
            }
        }
    }

    fn replay(&self) -> Result<Replayed, ReplayError> {
        let file = File::open(&self.file).map_err(ReplayError::NoTrace)?;
        let recording = Recording::open(BufReader::new(file))?;
        match recording.commands()? {
            CommandSetKind::Sum => again::<Sum>(recording),
            CommandSetKind::Dictionary => again::<Dictionary>(recording),
            CommandSetKind::Timer => again::<Timer>(recording),
            CommandSetKind::Search => again::<Search>(recording),
        }
    }
}

fn again<C: CommandSet>(recording: Recording<BufReader<File>>) -> Result<Replayed, ReplayError> {
    recording.replay(NodeTree::<C>::builder())
}
