//! Prints replies and notices where a person reads them, or where the time of each is wanted.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};
use nodetree::commands::ExecError;
use nodetree::{Answer, CommandSet, Notice, Reply};

use super::ledger::{Beside, Ledger};
use super::paint::Paint;
use super::screen::Screen;
use crate::cli::output::Output;
use crate::cli::printer::Print;

/// How much is shown at once: little enough that a key is not waited for.
const BATCH_BYTES: usize = 16 * 1024;

/// Where it is printed.
pub enum Sink {
    /// At a terminal with an editor.
    Screen(Arc<Screen>),
    /// Elsewhere.
    Plain(BufWriter<Output>),
}

/// Prints replies and notices.
pub struct Teller<'t, C: CommandSet> {
    replies: Receiver<Reply<C>>,
    notices: Receiver<Notice>,
    prints: Receiver<Print<C>>,
    ledger: &'t Ledger,
    clock: &'t (dyn Fn() -> Duration + Sync),
    sink: Sink,
    paint: Paint,
    timing: bool,
    /// What is to be shown next.
    batch: Vec<u8>,
}

enum Next<C: CommandSet> {
    Reply(Reply<C>),
    Notice(Notice),
    Print(Print<C>),
    End,
}

impl<'t, C: CommandSet> Teller<'t, C> {
    /// A teller with the channels of a printer.
    pub fn new(
        (replies, notices, prints): (Receiver<Reply<C>>, Receiver<Notice>, Receiver<Print<C>>),
        (ledger, clock): (&'t Ledger, &'t (dyn Fn() -> Duration + Sync)),
        sink: Sink,
        (paint, timing): (Paint, bool),
    ) -> Self {
        Self { replies, notices, prints, ledger, clock, sink, paint, timing, batch: Vec::new() }
    }

    /// Prints until the session drops its end, and then what is left.
    ///
    /// # Errors
    /// When the output fails; then [`discard`](Self::discard) what still comes.
    pub fn run(&mut self) -> io::Result<()> {
        loop {
            let next = select! {
                recv(self.prints) -> print => print.map_or(Next::End, Next::Print),
                recv(self.notices) -> notice => notice.map_or(Next::End, Next::Notice),
                recv(self.replies) -> reply => reply.map_or(Next::End, Next::Reply),
            };
            match next {
                Next::Reply(reply) => self.reply(&reply)?,
                Next::Notice(notice) => self.notice(notice)?,
                Next::Print(print) => self.print(print)?,
                Next::End => return self.end(),
            }
            self.earlier_replies()?;
            self.show()?;
        }
    }

    /// Takes what comes, so that nobody waits for room.
    pub fn discard(self) {
        loop {
            select! {
                recv(self.replies) -> _ => {}
                recv(self.notices) -> _ => {}
                recv(self.prints) -> print => if print.is_err() { return },
            }
        }
    }

    /// What was answered before is printed before.
    fn earlier_replies(&mut self) -> io::Result<()> {
        for _ in 0..self.replies.len() {
            let Ok(reply) = self.replies.try_recv() else { break };
            self.reply(&reply)?;
        }
        Ok(())
    }

    fn reply(&mut self, reply: &Reply<C>) -> io::Result<()> {
        let beside = self.ledger.answered(reply.ticket, &reply.answer, (self.clock)());
        self.answer(&reply.answer, beside)
    }

    fn print(&mut self, print: Print<C>) -> io::Result<()> {
        self.earlier_replies()?;
        match print {
            Print::Answer(answer) => {
                let beside = self.ledger.next_told(&answer);
                self.answer(&answer, beside)
            }
            Print::Waited(answer, printed) => {
                let beside = self.ledger.next_told(&answer);
                self.answer(&answer, beside)?;
                self.show()?;
                let _ = printed.send(());
                Ok(())
            }
            Print::Notice(notice) => self.notice(notice),
            Print::Prompt(_) => Ok(()),
        }
    }

    fn notice(&mut self, notice: Notice) -> io::Result<()> {
        self.earlier_replies()?;
        let text = notice.to_string();
        let painted = match notice {
            Notice::Unavailable { .. } => self.paint.red(&text),
            Notice::Available { .. } => self.paint.green(&text),
        };
        writeln!(self.batch, "{painted}")?;
        self.show_if_full()
    }

    fn answer(&mut self, answer: &Answer<C>, beside: Option<Beside>) -> io::Result<()> {
        let beside = self.beside(beside);
        match answer {
            // What is said beside several lines stands behind the first.
            Answer::Tree { .. } | Answer::Help { .. } => self.several_lines(&answer.to_string(), &beside)?,
            _ if is_bad(answer) => writeln!(self.batch, "{}{beside}", self.paint.red(&answer.to_string()))?,
            _ => {
                answer.write_to(&mut self.batch)?;
                writeln!(self.batch, "{beside}")?;
            }
        }
        self.show_if_full()
    }

    fn several_lines(&mut self, text: &str, beside: &str) -> io::Result<()> {
        for (nth, line) in text.split('\n').enumerate() {
            writeln!(self.batch, "{}{}", self.paint.drawn(line), if nth == 0 { beside } else { "" })?;
        }
        Ok(())
    }

    /// The command of a reply that is out of order, at a terminal only; and how long it took.
    fn beside(&self, beside: Option<Beside>) -> String {
        let Some(Beside { asked, took }) = beside else { return String::new() };
        let milliseconds = took.as_secs_f64() * 1000.0;
        match &self.sink {
            Sink::Plain(_) if self.timing => format!("\t{milliseconds:.3} ms"),
            Sink::Plain(_) => String::new(),
            Sink::Screen(_) => {
                let mut text = asked.map_or_else(String::new, |asked| format!("  \u{2190} {asked}"));
                if self.timing {
                    text += &format!("  {milliseconds:.3} ms");
                }
                if text.is_empty() { text } else { self.paint.dim(&text.replace('\n', " ")).into_owned() }
            }
        }
    }

    fn show_if_full(&mut self) -> io::Result<()> {
        if self.batch.len() < BATCH_BYTES { Ok(()) } else { self.show() }
    }

    fn show(&mut self) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        match &mut self.sink {
            Sink::Screen(screen) => screen.show(String::from_utf8_lossy(&batch).into_owned()),
            Sink::Plain(out) => out.write_all(&batch).and_then(|()| out.flush()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.earlier_replies()?;
        while let Ok(notice) = self.notices.try_recv() {
            self.notice(notice)?;
        }
        self.show()?;
        match &self.sink {
            Sink::Screen(screen) => screen.finish(),
            Sink::Plain(_) => Ok(()),
        }
    }
}

/// An error, or a node that is down.
fn is_bad<C: CommandSet>(answer: &Answer<C>) -> bool {
    match answer {
        Answer::Exec { outcome: Err(ExecError::NotFound | ExecError::Unavailable | ExecError::Request(_)), .. } => true,
        Answer::Ping { available } => !available,
        Answer::PingAll { down } => !down.is_empty(),
        Answer::Refused(_) => true,
        _ => false,
    }
}
