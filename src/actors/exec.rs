//! `exec`: requests go down and results come up through the session of each node.

use std::collections::VecDeque;

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{COUNTED_BYTES, Envelope, MESSAGE_BYTES, Nanos, NodeKey, ReplyPiece, RequestPiece};
use super::outcome::{Collected, ExecOutcome, Outcome};
use super::registry::{Life, PendingExec, Work};
use super::session::{Packet, SessionConfig};
use crate::command_sets::RequestError;
use crate::commands::ExecError;
use crate::planted::{Bug, is_planted};
use crate::topology::NodeId;

/// So many bytes are handed to a session at a time; what is beyond waits with its source.
const HANDED_OVER: usize = 1024 * 1024;

/// A result longer than this is not kept in memory.
const RESULT_IN_MEMORY: usize = 1024 * 1024;

/// How often, per reply timeout, a node that executes is asked for a sign of life.
const PROBES_PER_TIMEOUT: Nanos = 4;

impl ControlNode {
    pub(super) fn exec(&mut self, op: u64, id: NodeId, first: RequestPiece, complete: bool) {
        let rest = self.early.remove(&op).unwrap_or_default();
        let complete = complete || rest.back().is_some_and(|piece| piece.last && !piece.more);
        if !complete {
            self.open.insert(op, id);
        }
        if self.registry.get(id).is_none() {
            self.answer(op, Outcome::Exec { id, result: Err(ExecError::NotFound) });
            self.drop_pieces(op, Some(&first), &rest);
            return;
        }
        if self.is_known_to_be_down(id) {
            self.drop_pieces(op, Some(&first), &rest);
            self.add_exec(id, PendingExec::answered(op, Err(ExecError::Unavailable)));
            self.emit(id);
            return;
        }
        self.add_exec(id, PendingExec::new(op, first, rest, complete));
        self.hand_over(id);
        self.transmit(id);
        self.watch_for_silence(id, self.config.reply_timeout_ns);
    }

    fn add_exec(&mut self, id: NodeId, exec: PendingExec) {
        self.registry.busy.insert(id);
        if let Some(work) = self.work(id) {
            work.execs.push_back(exec);
        }
    }

    /// What is under way for a node; made when there was nothing yet.
    pub(super) fn work(&mut self, id: NodeId) -> Option<&mut Work> {
        let entry = self.registry.get_mut(id)?;
        Some(entry.work.get_or_insert_with(|| Box::new(Work::new(SessionConfig::default()))))
    }

    /// A piece of a request whose exec was submitted before.
    pub(super) fn on_piece(&mut self, op: u64, piece: RequestPiece) {
        let Some(&id) = self.open.get(&op) else {
            self.early.entry(op).or_default().push_back(piece);
            return;
        };
        let complete = piece.last && !piece.more;
        if complete {
            self.open.remove(&op);
        }
        let exec = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()).and_then(|work| work.exec(op));
        match exec.filter(|exec| exec.answer.is_none()) {
            Some(exec) => {
                exec.complete |= complete;
                exec.rest.push_back(piece);
                self.hand_over(id);
                self.transmit(id);
                self.watch_for_silence(id, self.config.reply_timeout_ns);
            }
            None => self.drop_pieces(op, Some(&piece), &VecDeque::new()),
        }
    }

    /// Pieces that nobody wants any more have been taken, too.
    fn drop_pieces(&mut self, op: u64, first: Option<&RequestPiece>, rest: &VecDeque<RequestPiece>) {
        let bytes = first.map_or(0, counted) + rest.iter().map(counted).sum::<usize>();
        if bytes > 0 {
            self.effects.push(ControlEffect::Taken(op, bytes));
        }
    }

    /// Hands pieces to the session, in the order of the commands, as far as it has room.
    fn hand_over(&mut self, id: NodeId) {
        let now = self.now;
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        while let Some(exec) = work.execs.get_mut(work.handed_over) {
            while work.session.queued_bytes() < HANDED_OVER {
                let Some(piece) = exec.first.take().or_else(|| exec.rest.pop_front()) else { break };
                if counted(&piece) > 0 {
                    self.effects.push(ControlEffect::Taken(exec.op, counted(&piece)));
                }
                let bytes = piece.bytes.len();
                work.session.push(now, piece, bytes);
            }
            let all = exec.first.is_none() && exec.rest.is_empty() && (exec.complete || exec.answer.is_some());
            if !all {
                return;
            }
            work.handed_over += 1;
        }
    }

    /// Sends what the session of a node has to send.
    pub(super) fn transmit(&mut self, id: NodeId) {
        let now = self.now;
        let Some(entry) = self.registry.get_mut(id).filter(|entry| entry.life == Life::Up) else { return };
        let to = entry.key;
        let Some(work) = entry.work.as_mut() else { return };
        let Some(mut packet) = work.session.transmit(now) else { return };
        let Some((link, route)) = self.way_to(id) else { return };
        loop {
            self.effects.push(ControlEffect::Send(link, Envelope::Request { route: route.clone(), to, packet }));
            let work = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut());
            let Some(work) = work else { return };
            match work.session.transmit(now) {
                Some(next) => packet = next,
                None => return,
            }
        }
    }

    pub(super) fn on_reply(&mut self, from: NodeKey, packet: Packet<ReplyPiece>) {
        self.heard_through_the_tree(from);
        let now = self.now;
        let Some(work) = self.registry.of(from).and_then(|entry| entry.work.as_mut()) else { return };
        work.probed_at = None;
        work.session.receive(now, packet);
        while let Some(work) = self.registry.of(from).and_then(|entry| entry.work.as_mut())
            && let Some(delivered) = work.session.take()
        {
            self.on_reply_piece(from.id, delivered.payload);
        }
        if is_planted(Bug::AckTakenForDone) {
            self.take_ack_for_done(from.id);
        }
        self.hand_over(from.id);
        self.transmit(from.id);
        self.emit(from.id);
    }

    /// What the planted bug does.
    fn take_ack_for_done(&mut self, id: NodeId) {
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        if work.session.is_idle() {
            for exec in work.execs.iter_mut().take(work.handed_over) {
                exec.answer.get_or_insert_with(|| Ok(std::mem::take(&mut exec.reply)));
            }
        }
    }

    fn on_reply_piece(&mut self, id: NodeId, piece: ReplyPiece) {
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        // Given up, and answered already: this answer is not wanted any more.
        let Some(exec) = work.exec(piece.exec).filter(|exec| exec.answer.is_none()) else { return };
        if piece.message {
            exec.reply.add(&piece.bytes, piece.more);
        }
        if piece.last && piece.error {
            let text = String::from_utf8_lossy(exec.reply.last_message()).into_owned();
            exec.answer = Some(Err(ExecError::Request(RequestError::new(text))));
        } else if piece.last {
            exec.answer = Some(Ok(std::mem::take(&mut exec.reply)));
        } else if exec.reply.bytes.len() > RESULT_IN_MEMORY + MESSAGE_BYTES
            || (exec.reply.bytes.len() > RESULT_IN_MEMORY && exec.reply.is_whole())
        {
            let bytes = std::mem::take(&mut exec.reply.bytes);
            exec.reply.spooled += bytes.len() as u64;
            self.effects.push(ControlEffect::Spool(piece.exec, bytes));
        }
    }

    /// Answers what can be answered, in the order of the commands.
    pub(super) fn emit(&mut self, id: NodeId) {
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        let mut answered = Vec::new();
        while let Some(exec) = work.execs.pop_front_if(|exec| exec.answer.is_some()) {
            work.handed_over = work.handed_over.saturating_sub(1);
            answered.push(exec);
        }
        if answered.is_empty() {
            return;
        }
        if work.execs.is_empty() {
            self.registry.busy.remove(&id);
        }
        for exec in answered {
            self.drop_pieces(exec.op, exec.first.as_ref(), &exec.rest);
            if let Some(result) = exec.answer {
                self.answer(exec.op, Outcome::Exec { id, result });
            }
        }
        self.hand_over(id);
        self.work_done(id);
    }

    /// Everything under way for a node fails, and what comes of it later is not wanted.
    pub(super) fn fail_execs(&mut self, id: NodeId) {
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        for exec in work.execs.iter_mut().filter(|exec| exec.answer.is_none()) {
            exec.answer = Some(Err(ExecError::Unavailable));
            exec.reply = Collected::default();
        }
        work.session.give_up_below(work.session.next_seq());
        self.emit(id);
    }

    /// The way has changed: what was lost on it is sent again, by both ends.
    pub(super) fn repeat(&mut self, id: NodeId) {
        if let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) {
            work.session.resend();
            work.session.probe();
            self.transmit(id);
        }
    }

    pub(super) fn watch_for_silence(&mut self, id: NodeId, after: Nanos) {
        let at = self.now.saturating_add(after);
        if let Some(work) = self.work(id)
            && !work.watched
        {
            work.watched = true;
            self.due(at, Due::Silence(id));
        }
    }

    /// No acknowledgement for the reply timeout is silence; an exec that goes on has no limit while its node answers.
    pub(super) fn check_silence(&mut self, id: NodeId) {
        let (now, timeout) = (self.now, self.config.reply_timeout_ns);
        let Some(work) = self.registry.get_mut(id).and_then(|entry| entry.work.as_mut()) else { return };
        work.watched = false;
        if work.execs.is_empty() {
            return;
        }
        // What only waits for credit says nothing about its node.
        let unacked = work.session.oldest_unacked_since().filter(|_| work.session.unacked() > 0);
        match unacked.into_iter().chain(work.probed_at).min() {
            Some(since) if now >= since.saturating_add(timeout) => {
                self.mark_silent(id);
                self.fail_execs(id);
            }
            Some(since) => self.watch_for_silence(id, since + timeout - now),
            None => {
                work.probed_at = Some(now);
                work.session.probe();
                self.transmit(id);
                self.watch_for_silence(id, timeout / PROBES_PER_TIMEOUT);
            }
        }
    }
}

/// How many bytes of a piece its source has counted as on their way.
pub(super) fn counted(piece: &RequestPiece) -> usize {
    if piece.bytes.len() > COUNTED_BYTES { piece.bytes.len() } else { 0 }
}

impl PendingExec {
    fn new(op: u64, first: RequestPiece, rest: VecDeque<RequestPiece>, complete: bool) -> Self {
        Self { op, first: Some(first), rest, complete, reply: Collected::default(), answer: None }
    }

    fn answered(op: u64, answer: ExecOutcome) -> Self {
        let reply = Collected::default();
        Self { op, first: None, rest: VecDeque::new(), complete: true, reply, answer: Some(answer) }
    }
}
