//! Prints replies and notices, as they come, each whole.

use std::io::{self, BufWriter, Write};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, select};
use nodetree::{Answer, CommandSet, Notice, Reply};

use super::output::Output;

/// How much is written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// How many replies are printed before the printer looks for anything else.
const REPLIES_IN_A_ROW: usize = 1024;

const PROMPT: &[u8] = b"> ";

/// What the session has printed.
pub enum Print<C: CommandSet> {
    /// An answer that it waited for.
    Answer(Answer<C>),
    /// The answer to a `wait`. The session submits nothing before it is told that this was printed, so that no later
    /// reply can be printed before it.
    Waited(Answer<C>, Sender<()>),
    /// A notice that it took.
    Notice(Notice),
    /// Whether a person is asked for a command.
    Prompt(bool),
}

/// The prompt of a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// Nobody is asked.
    None,
    /// To be shown when there is nothing else to print.
    Wanted,
    /// It stands at the end of what was printed.
    Shown,
}

/// From where comes what is printed.
pub struct Printer<C: CommandSet> {
    replies: Receiver<Reply<C>>,
    notices: Receiver<Notice>,
    prints: Receiver<Print<C>>,
    out: BufWriter<Output>,
    prompt: Prompt,
}

/// The next thing to print.
enum Next<C: CommandSet> {
    Reply(Reply<C>),
    Notice(Notice),
    Print(Print<C>),
    /// The session has ended.
    End,
}

impl<C: CommandSet> Printer<C> {
    /// A printer on standard output.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new(replies: Receiver<Reply<C>>, notices: Receiver<Notice>, prints: Receiver<Print<C>>) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, Output::stdout()?);
        Ok(Self { replies, notices, prints, out, prompt: Prompt::None })
    }

    /// Prints until the session drops its end, and then what is left.
    ///
    /// # Errors
    /// When standard output fails; then [`discard`](Self::discard) what still comes.
    pub fn run(&mut self) -> io::Result<()> {
        loop {
            let next = match self.ready() {
                Some(next) => next,
                None => self.idle()?,
            };
            match next {
                Next::Reply(reply) => self.line(|out| reply.write_to(out))?,
                Next::Notice(notice) => self.notice(notice)?,
                Next::Print(print) => self.print(print)?,
                Next::End => return self.end(),
            }
            self.replies(REPLIES_IN_A_ROW)?;
        }
    }

    /// Takes what comes, so that nobody waits for room.
    pub fn discard(self) {
        // What was not written would be tried again when the buffer is dropped.
        let _ = self.out.into_parts();
        loop {
            select! {
                recv(self.replies) -> _ => {}
                recv(self.notices) -> _ => {}
                recv(self.prints) -> print => if print.is_err() { return },
            }
        }
    }

    /// What is there already.
    fn ready(&self) -> Option<Next<C>> {
        match self.prints.try_recv() {
            Ok(print) => return Some(Next::Print(print)),
            Err(TryRecvError::Disconnected) => return Some(Next::End),
            Err(TryRecvError::Empty) => {}
        }
        if let Ok(notice) = self.notices.try_recv() {
            return Some(Next::Notice(notice));
        }
        self.replies.try_recv().ok().map(Next::Reply)
    }

    /// Nothing is there: lets everything be seen, and waits.
    fn idle(&mut self) -> io::Result<Next<C>> {
        // Often the next reply is almost there, and a write for each would cost more than all the rest.
        thread::yield_now();
        if let Some(next) = self.ready() {
            return Ok(next);
        }
        if self.prompt == Prompt::Wanted {
            self.out.write_all(PROMPT)?;
            self.prompt = Prompt::Shown;
        }
        self.out.flush()?;
        Ok(select! {
            recv(self.prints) -> print => print.map_or(Next::End, Next::Print),
            recv(self.notices) -> notice => notice.map_or(Next::End, Next::Notice),
            recv(self.replies) -> reply => reply.map_or(Next::End, Next::Reply),
        })
    }

    /// Prints replies that are there, not more than `most`.
    fn replies(&mut self, most: usize) -> io::Result<()> {
        for _ in 0..most {
            let Ok(reply) = self.replies.try_recv() else { return Ok(()) };
            self.line(|out| reply.write_to(out))?;
        }
        Ok(())
    }

    /// What was answered before a notice, or before a wait, is printed before it.
    fn earlier_replies(&mut self) -> io::Result<()> {
        self.replies(self.replies.len())
    }

    fn notice(&mut self, notice: Notice) -> io::Result<()> {
        self.earlier_replies()?;
        self.line(|out| write!(out, "{notice}"))
    }

    fn print(&mut self, print: Print<C>) -> io::Result<()> {
        self.earlier_replies()?;
        match print {
            Print::Answer(answer) => self.line(|out| answer.write_to(out))?,
            Print::Waited(answer, printed) => {
                self.line(|out| answer.write_to(out))?;
                let _ = printed.send(());
            }
            Print::Notice(notice) => self.line(|out| write!(out, "{notice}"))?,
            Print::Prompt(wanted) => self.prompt = if wanted { Prompt::Wanted } else { Prompt::None },
        }
        Ok(())
    }

    fn line(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if self.prompt == Prompt::Shown {
            // Every line is at least as long as the prompt that it overwrites.
            self.out.write_all(b"\r")?;
            self.prompt = Prompt::Wanted;
        }
        write(&mut self.out)?;
        self.out.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        self.earlier_replies()?;
        while let Ok(notice) = self.notices.try_recv() {
            self.line(|out| write!(out, "{notice}"))?;
        }
        if self.prompt == Prompt::Shown {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }
}
