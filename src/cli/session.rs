//! From the bytes of the input to submitted commands.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, select};
use nodetree::command_sets::RequestError;
use nodetree::commands::{Event, Scanner};
use nodetree::modes::ExecStream;
use nodetree::{Command, CommandSet, NodeTree, Ticket};

use super::input::{Chunk, Input};
use super::overseer::Stop;
use super::printer::Print;
use super::program::Failure;
use super::terminal::{Asked, Ledger};

/// Whether the input goes on.
type Flow = Result<ControlFlow<()>, Failure>;

const GO_ON: Flow = Ok(ControlFlow::Continue(()));

/// Reads commands and submits them.
pub struct Session<'t, C: CommandSet> {
    tree: &'t NodeTree<C>,
    stop: &'t Stop,
    input: Input,
    prints: Sender<Print<C>>,
    scanner: Scanner<C>,
    /// The exec whose request is being read.
    stream: Option<ExecStream<'t, C>>,
    /// Where somebody wants to know what was asked.
    ledger: Option<&'t Ledger>,
    is_virtual: bool,
    is_prompted: bool,
}

impl<'t, C: CommandSet> Session<'t, C> {
    /// A session that has read nothing; it reads standard input, unless there are lines of an editor.
    ///
    /// # Errors
    /// When standard input cannot be read on a thread of its own.
    pub fn start(
        tree: &'t NodeTree<C>,
        stop: &'t Stop,
        prints: Sender<Print<C>>,
        (lines, ledger): (Option<Input>, Option<&'t Ledger>),
    ) -> io::Result<Self> {
        let is_prompted = lines.is_none() && io::stdin().is_terminal() && io::stdout().is_terminal();
        Ok(Self {
            tree,
            stop,
            input: lines.map_or_else(Input::start, Ok)?,
            prints,
            scanner: Scanner::default(),
            stream: None,
            ledger,
            is_virtual: tree.is_virtual(),
            is_prompted,
        })
    }

    /// Submits what is read, up to `exit`, the end of the input or an alarm; then waits until all is answered.
    ///
    /// # Errors
    /// When the input cannot be read, or the system fails.
    pub fn run(mut self) -> Result<(), Failure> {
        let read = self.read();
        self.drop_stream()?;
        read?;
        if self.stop.has_given_up() {
            // Something may have been submitted behind the overseer's own.
            self.tree.give_up()?;
        }
        Ok(self.tree.settle()?)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut used = Chunk::default();
        while let Some(chunk) = self.next_chunk(used)? {
            if chunk.is_empty() {
                return self.finish();
            }
            if self.scan(&chunk)?.is_break() {
                return Ok(());
            }
            used = chunk;
        }
        Ok(())
    }

    /// The next piece of the input, empty at its end; nothing after an alarm.
    fn next_chunk(&self, used: Chunk) -> Result<Option<Chunk>, Failure> {
        self.prompt(self.scanner.is_at_start());
        let chunk = select! {
            recv(self.input.ask(used)) -> chunk => chunk.ok().transpose().map_err(Failure::Input)?,
            recv(self.stop.woken()) -> _ => None,
        };
        // A person has ended the line on which the prompt stands.
        if chunk.as_ref().is_some_and(|chunk| !chunk.is_empty()) {
            self.prompt(false);
        }
        Ok(chunk)
    }

    fn prompt(&self, wanted: bool) {
        if self.is_prompted {
            self.print(Print::Prompt(wanted));
        }
    }

    fn scan(&mut self, mut chunk: &[u8]) -> Flow {
        while let Some(event) = self.scanner.next(&mut chunk) {
            if self.take(event)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(stream) = &mut self.stream {
            // The next piece of the input may come much later.
            stream.flush();
        }
        GO_ON
    }

    fn finish(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.scanner.finish() {
            if self.take(event)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event<C>) -> Flow {
        if self.stop.is_stopped() {
            return Ok(ControlFlow::Break(()));
        }
        match event {
            Event::Command(Command::Exit) => return Ok(ControlFlow::Break(())),
            Event::Command(command) => self.submit(command)?,
            Event::Wrong(error) => {
                self.asks(|now| Asked::other(error.to_string(), now));
                self.submitted(self.tree.submit_wrong(error)?)?;
            }
            Event::Begin { id } => {
                self.asks(|now| Asked::other(format!("exec {id} …"), now));
                self.stream = Some(self.tree.begin_exec(id)?);
            }
            Event::Item(item) => {
                if let Some(stream) = &mut self.stream {
                    stream.send(item)?;
                }
            }
            Event::End(end) => self.end_stream(end)?,
        }
        GO_ON
    }

    fn asks(&self, asked: impl FnOnce(Duration) -> Asked) {
        if let Some(ledger) = self.ledger {
            ledger.asks(asked(self.tree.now()));
        }
    }

    fn told(&self) {
        if let Some(ledger) = self.ledger {
            ledger.told(self.tree.now());
        }
    }

    fn submit(&mut self, command: Command<C>) -> Result<(), Failure> {
        self.asks(|now| Asked::command(&command, now));
        if matches!(command, Command::Wait { .. }) && !self.is_virtual {
            return self.wait(command);
        }
        self.submitted(self.tree.submit(command)?)
    }

    /// The next line is not read before the answer has been printed.
    fn wait(&self, command: Command<C>) -> Result<(), Failure> {
        tracing::debug!(%command, "nothing more is read before this is over");
        let answer = self.tree.call(command)?;
        self.told();
        let (tell, printed) = bounded(1);
        self.print(Print::Waited(answer, tell));
        // A printer whose output fails drops its end.
        let _ = printed.recv();
        Ok(())
    }

    /// In virtual time a line is submitted when all earlier ones are answered, and what is printed has one order: what
    /// was said unasked, then the reply. Otherwise the printer takes the replies itself.
    fn submitted(&self, ticket: Ticket) -> Result<(), Failure> {
        if !self.is_virtual {
            if let Some(ledger) = self.ledger {
                ledger.submitted(ticket);
            }
            return Ok(());
        }
        let reply = self.tree.wait(ticket)?;
        self.told();
        self.tree.notices().try_iter().for_each(|notice| self.print(Print::Notice(notice)));
        self.print(Print::Answer(reply.answer));
        Ok(())
    }

    fn end_stream(&mut self, end: Result<(), RequestError>) -> Result<(), Failure> {
        match self.stream.take() {
            Some(stream) => self.submitted(stream.finish(end)?),
            None => Ok(()),
        }
    }

    /// A request that is not complete when an alarm comes is a wrong one.
    fn drop_stream(&mut self) -> Result<(), Failure> {
        self.end_stream(Err(RequestError::new("the input ended before the request")))
    }

    fn print(&self, print: Print<C>) {
        // The printer lives as long as the session.
        let _ = self.prints.send(print);
    }
}
