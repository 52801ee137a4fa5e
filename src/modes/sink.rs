//! Between the control node and whoever reads replies: puts the types of the command set on what is answered.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

use super::engine::Shared;
use crate::actors::message::Nanos;
use crate::actors::{Collected, Outcome, Sink};
use crate::command_sets::{CommandSet, RequestError};
use crate::commands::{Answer, EncodedResult, ExecError, ExecResult, Notice, Reply, Spool, Ticket};
use crate::planted::{Bug, is_planted};
use crate::topology::NodeId;
use crate::trace::{Trace, What, text_of};

/// Commands whose reply goes to whoever waits for it, and not to the receiver of all replies.
pub(super) type Calls<C> = Arc<Mutex<HashMap<u64, Sender<Reply<C>>>>>;

pub(super) struct ReplySink<C: CommandSet> {
    pub(super) replies: Sender<Reply<C>>,
    /// What is handed out together, so that whoever takes it is woken once and not for each; and which node was asked.
    pub(super) kept: Vec<(Reply<C>, Option<NodeId>)>,
    pub(super) notices: Sender<Notice>,
    pub(super) calls: Calls<C>,
    pub(super) shared: Arc<Shared>,
    pub(super) trace: Trace,
    pub(super) spools: HashMap<u64, io::Result<File>>,
    /// Notices that found no room: the latest of each node.
    pub(super) late: BTreeMap<NodeId, Notice>,
}

struct FileSpool(File);

impl Spool for FileSpool {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.0, buffer, offset)
    }
}

impl<C: CommandSet> ReplySink<C> {
    fn typed(&mut self, op: u64, outcome: Outcome) -> Answer<C> {
        match outcome {
            Outcome::Created { pid } => Answer::Created { pid },
            Outcome::Exec { id, result } => {
                let file = self.spools.remove(&op);
                let outcome = result.and_then(|collected| self.result(collected, file));
                Answer::Exec { id, outcome }
            }
            Outcome::Ping { result: Ok(available), .. } => Answer::Ping { available },
            Outcome::Ping { result: Err(refusal), .. } => Answer::Refused(refusal),
            Outcome::PingAll(down) => Answer::PingAll { down },
            Outcome::Done => Answer::Done,
            Outcome::All(ids) => Answer::All { ids },
            Outcome::Tree(drawing) => Answer::Tree { drawing },
            Outcome::Armed(number) => Answer::Armed { number },
            Outcome::Faults(faults) => Answer::Faults { faults },
            Outcome::Help(text) => Answer::Help { text },
            Outcome::Refused(refusal) => Answer::Refused(refusal),
        }
    }

    fn result(&self, collected: Collected, file: Option<io::Result<File>>) -> Result<ExecResult<C>, ExecError> {
        let failed = |error: io::Error| {
            ExecError::Request(RequestError::new(format_args!("the result could not be kept: {error}")))
        };
        let Some(file) = file else { return Ok(EncodedResult::from_messages(collected.bytes).into()) };
        let mut file = file.map_err(failed)?;
        file.write_all(&collected.bytes).map_err(failed)?;
        let length = collected.spooled + collected.bytes.len() as u64;
        Ok(EncodedResult::spooled(Arc::new(FileSpool(file)), length).into())
    }

    fn give(&self, reply: Reply<C>) {
        let op = reply.ticket.0;
        let call = self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&op);
        // There is room: a place was reserved when the command was submitted. Nobody may be listening any more.
        let _ = match call {
            Some(call) => call.try_send(reply).map_err(drop),
            None => self.replies.try_send(reply).map_err(drop),
        };
    }
}

impl<C: CommandSet> Sink for ReplySink<C> {
    fn answer(&mut self, now: Nanos, op: u64, outcome: Outcome) {
        let asked = outcome.asked();
        let reply = Reply { ticket: Ticket(op), answer: self.typed(op, outcome) };
        self.trace.add(now, || What::Answered { command: op, text: text_of(&reply.answer) });
        self.kept.push((reply, asked));
    }

    fn hand_out(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        for (reply, asked) in kept.drain(..) {
            let op = reply.ticket.0;
            if matches!(reply.answer, Answer::Ping { .. }) && is_planted(Bug::ReplyTwice) {
                self.give(reply.clone());
            }
            self.give(reply);
            let shared = &self.shared;
            shared.answered.fetch_add(1, Ordering::Release);
            let _ = shared.watched.compare_exchange(op, 0, Ordering::AcqRel, Ordering::Relaxed);
            let was_full = shared.in_flight.fetch_sub(1, Ordering::AcqRel) + 1 >= shared.capacity;
            if asked.is_some_and(|id| shared.credits.give_back(id)) || was_full {
                shared.notify();
            }
        }
        self.kept = kept;
    }

    fn notice(&mut self, now: Nanos, notice: Notice) {
        self.trace.add(now, || What::Noticed { node: notice.id(), text: notice.to_string() });
        self.shared.noticed.fetch_add(1, Ordering::Release);
        self.late.insert(notice.id(), notice);
    }

    fn hand_out_notices(&mut self) {
        if !self.late.is_empty() {
            self.hand_out();
        }
        while let Some((&id, &notice)) = self.late.first_key_value() {
            if self.notices.try_send(notice).is_err() {
                return;
            }
            self.late.remove(&id);
        }
    }

    fn taken(&mut self, _: u64, bytes: usize) {
        let _ = self
            .shared
            .streamed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |streamed| Some(streamed.saturating_sub(bytes)));
        self.shared.notify();
    }

    fn spool(&mut self, op: u64, bytes: Vec<u8>) {
        let file = self.spools.entry(op).or_insert_with(tempfile::tempfile);
        if let Ok(open) = file
            && let Err(error) = open.write_all(&bytes)
        {
            *file = Err(error);
        }
    }
}
