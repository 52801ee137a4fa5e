//! `nodetree trace`: shows what a run has written with `--trace`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use nodetree::NodeId;
use nodetree::trace::{self, Event, Filter, MIN_WIDTH, Reader};

use super::output::Output;
use super::{USAGE_CODE, complain};

/// Where the output is no terminal.
const WIDTH: usize = 120;

const EXAMPLES: &str = "\
Examples:
  nodetree --mode simulated --trace trace.ron < commands.txt
  nodetree trace trace.ron                   everything, one line each
  nodetree trace trace.ron --node 5          what happened at node 5
  nodetree trace trace.ron --command 3 -d    the way of the third command, as a diagram

In a table: milliseconds, where, what. `3: request to 5` is an envelope of command 3.
In a diagram: > a command, < its answer, ! a notice, ├──>│ an envelope, ├┄┄┤ a new link, ┬ start, ╳ end,
│ runs, ┊ is stopped, * at one node. Lane -1 is the control node.

Exit codes: 0; 1 when a line is damaged (what stands before it is shown) or the output fails;
2 for wrong arguments, a file that cannot be read, or one that is no trace of this version.";

/// What is to be shown, and how.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowTrace {
    /// What `nodetree --trace FILE` has written
    file: PathBuf,
    /// As a table, one line for each event (this is the default)
    #[arg(long, short, conflicts_with = "diagram")]
    table: bool,
    /// As a sequence diagram, with a lane for each node
    #[arg(long, short)]
    diagram: bool,
    /// Only what happened at this node; may be given more than once, -1 is the control node
    #[arg(long = "node", short, value_name = "ID", allow_negative_numbers = true)]
    nodes: Vec<NodeId>,
    /// Only what belongs to this command, counted from 1; may be given more than once
    #[arg(long = "command", short, value_name = "N")]
    commands: Vec<u64>,
    /// How many columns a diagram takes [default: those of the terminal, or 120]
    #[arg(long, short, value_name = "COLUMNS", value_parser = width)]
    width: Option<usize>,
}

fn width(text: &str) -> Result<usize, String> {
    let width = text.parse().map_err(|_| "expected a number of columns".to_owned())?;
    if width < MIN_WIDTH { Err(format!("a diagram takes at least {MIN_WIDTH} columns")) } else { Ok(width) }
}

/// Why nothing, or not all, is shown.
enum Failure {
    /// The file cannot be opened, or does not begin as a trace.
    File(io::Error),
    /// A line is not right, or cannot be read.
    Line(io::Error),
    Output(io::Error),
}

impl ShowTrace {
    /// Shows it and gives the exit code.
    pub fn run(self) -> ExitCode {
        let code = match self.show() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(Failure::File(error)) => self.complain_about(&self.file, &error, USAGE_CODE),
            Err(Failure::Line(error)) => self.complain_about(&self.file, &error, 1),
            Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => 1,
            Err(Failure::Output(error)) => self.complain_about(Path::new("standard output"), &error, 1),
        };
        ExitCode::from(code)
    }

    fn complain_about(&self, path: &Path, error: &io::Error, code: u8) -> u8 {
        complain(&format!("{}: {error}", path.display()));
        code
    }

    fn show(&self) -> Result<(), Failure> {
        let file = File::open(&self.file).map_err(Failure::File)?;
        let reader = Reader::new(BufReader::new(file)).map_err(Failure::File)?;
        let mut damage = Ok(());
        let events = reader.map_while(|event| event.map_err(|error| damage = Err(Failure::Line(error))).ok());
        let mut out = BufWriter::new(Output::stdout().map_err(Failure::Output)?);
        self.write(&mut out, events).and_then(|()| out.flush()).map_err(Failure::Output)?;
        damage
    }

    fn write(&self, out: &mut dyn Write, events: impl Iterator<Item = Event>) -> io::Result<()> {
        let mut filter = Filter::new(self.nodes.iter().copied(), self.commands.iter().copied());
        if self.diagram {
            let width = self.width.unwrap_or_else(terminal_width);
            return trace::diagram(out, &events.collect::<Vec<_>>(), &filter, width);
        }
        trace::table(out, events, &mut filter)
    }
}

fn terminal_width() -> usize {
    let output = io::stdout();
    let size = if output.is_terminal() { rustix::termios::tcgetwinsize(output).ok() } else { None };
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(WIDTH)
}
