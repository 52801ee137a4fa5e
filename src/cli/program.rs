//! One run of the program: what is started, in which order it ends, and what can fail.

use std::io::{self, BufWriter, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never};
use nodetree::modes::Stuck;
use nodetree::{CommandSet, NodeTree, StartError, SubmitError, WaitError};

use super::args::{Look, Settings};
use super::output::Output;
use super::overseer::{Alarm, Stop, oversee, watch_signals};
use super::printer::{Print, Printer};
use super::session::Session;
use super::terminal::{Console, Ledger, Screen, Sink, Teller, restore};
use super::{USAGE_CODE, complain};

/// How many prints of the session may wait for the printer.
const PRINTS: usize = 1024;

/// Why the program ends otherwise than in order.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The system could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operating system refused a thread or a descriptor.
    #[error("{0}")]
    Refused(io::Error),
    /// Standard input cannot be read.
    #[error("standard input: {0}")]
    Input(io::Error),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
    /// The trace cannot be written.
    #[error("{}: {error}", path.display())]
    Trace {
        /// Its file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The system does not take a command.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The system does not answer a command.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The simulation cannot go on.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A thread of the program has panicked, which is a bug.
    #[error("a thread of the program has panicked")]
    Panicked,
}

impl Failure {
    /// Says it and gives the exit code.
    pub fn exit(&self) -> ExitCode {
        // Whoever closes the output of `nodetree | head` knows it.
        if !matches!(self, Self::Output(error) if error.kind() == ErrorKind::BrokenPipe) {
            complain(&self.to_string());
        }
        match self {
            Self::Start(StartError::Config(_) | StartError::Unsupported(_)) => ExitCode::from(USAGE_CODE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the program with one command set.
///
/// # Errors
/// The first thing that went wrong.
pub fn run<C: CommandSet>(settings: Settings) -> Result<(), Failure> {
    let (alarm, alarms) = bounded(2);
    watch_signals(alarm.clone()).map_err(Failure::Refused)?;
    let builder = NodeTree::<C>::builder().config(settings.config).trace(settings.trace.is_some());
    let builder = builder.node_env(super::log::VARIABLE, settings.log);
    let tree = builder.start()?;
    let trace_path = settings.trace.map(|(path, file)| {
        tree.write_trace_to(file);
        path
    });
    let talked = talk(&tree, settings.look, alarm, &alarms);
    restore();
    let traced = tree.end_trace().map_err(|error| Failure::Trace { path: trace_path.unwrap_or_default(), error });
    drop(tree);
    talked.and(traced)
}

/// Reads, prints and oversees until all is answered and printed.
fn talk<C: CommandSet>(
    tree: &NodeTree<C>,
    look: Look,
    alarm: Sender<Alarm>,
    alarms: &Receiver<Alarm>,
) -> Result<(), Failure> {
    let stop = Stop::new();
    let (prints, to_print) = bounded(PRINTS);
    let (working, done) = bounded(0);
    let ledger = Arc::new(Ledger::default());
    let console = Console::start::<C>(tree.config(), &ledger, look.paint()).map_err(Failure::Refused)?;
    let (lines, screen) = console.map_or((None, None), |console| (Some(console.input), Some(console.screen)));
    let clock = || tree.now();
    let outlet = outlet(tree, to_print, screen, look, (&ledger, &clock))?;
    let asked = matches!(outlet, Outlet::Told(_)).then_some(&*ledger);
    thread::scope(|scope| {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let overseer = named("overseer").spawn_scoped(scope, || oversee(tree, &stop, alarms, &done));
        let printer = named("printer").spawn_scoped(scope, move || print(outlet, &alarm));
        let read = match (&overseer, &printer) {
            (Ok(_), Ok(_)) => {
                Session::start(tree, &stop, prints, (lines, asked)).map_err(Failure::Refused).and_then(Session::run)
            }
            _ => {
                drop(prints);
                Ok(())
            }
        };
        // The session has dropped its end, so that the printer comes to its own.
        let printed = printer.map_err(Failure::Refused).and_then(join);
        drop(working);
        let overseen = overseer.map_err(Failure::Refused).and_then(join);
        // A failing output is the cause of what failed behind it.
        printed.and_then(|printed| printed.map_err(Failure::Output)).and(read).and(overseen)
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, Failure> {
    thread.join().map_err(|_| Failure::Panicked)
}

/// Who prints: for a program at the other end of a pipe, or for a person.
enum Outlet<'t, C: CommandSet> {
    Plain(Printer<C>),
    Told(Teller<'t, C>),
}

/// In virtual time the session takes replies and notices itself, and has them printed in their order.
fn outlet<'t, C: CommandSet>(
    tree: &NodeTree<C>,
    prints: Receiver<Print<C>>,
    screen: Option<Arc<Screen>>,
    look: Look,
    asked: (&'t Ledger, &'t (dyn Fn() -> Duration + Sync)),
) -> Result<Outlet<'t, C>, Failure> {
    let (replies, notices) = if tree.is_virtual() { (never(), never()) } else { (tree.replies()?, tree.notices()) };
    let paint = look.paint();
    let sink = match screen {
        Some(screen) => Sink::Screen(screen),
        None if look.timing || paint.0 => Sink::Plain(BufWriter::new(Output::stdout().map_err(Failure::Refused)?)),
        None => return Printer::new(replies, notices, prints).map(Outlet::Plain).map_err(Failure::Refused),
    };
    Ok(Outlet::Told(Teller::new((replies, notices, prints), asked, sink, (paint, look.timing))))
}

fn print<C: CommandSet>(outlet: Outlet<'_, C>, alarm: &Sender<Alarm>) -> io::Result<()> {
    let failed = || {
        let _ = alarm.try_send(Alarm::OutputFailed);
    };
    match outlet {
        Outlet::Plain(mut printer) => printer.run().inspect_err(|_| {
            failed();
            printer.discard();
        }),
        Outlet::Told(mut teller) => teller.run().inspect_err(|_| {
            failed();
            teller.discard();
        }),
    }
}
