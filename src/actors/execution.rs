//! What a computing node executes: its end of the session, the request that is under way, and its command set.

use bytes::Bytes;

use super::message::{MESSAGE_BYTES, Nanos, ReplyPiece, RequestKind, RequestPiece, SEGMENT_BYTES};
use super::session::{Packet, Session, SessionConfig};
use crate::command_sets::{Executor, Progress, RequestError};

/// A node works on at most this many bytes of requests before it looks at its other mail.
const BYTES_IN_A_TURN: usize = SEGMENT_BYTES;

/// ... and on at most this many segments.
const SEGMENTS_IN_A_TURN: usize = 64;

/// A node does not compute further results while this much waits to be sent.
const RESULT_BYTES_WAITING: usize = 512 * 1024;

/// A request that takes long, with the state of its node, on its way to a pool of threads.
#[cfg_attr(feature = "testing", derive(Clone))]
pub struct LongJob {
    executor: Box<dyn Executor>,
    /// How long it takes in virtual time.
    pub virtual_ns: Nanos,
    /// By how much the clock of its node is ahead.
    ahead: Nanos,
}

/// A long request that has been computed, with the state of its node.
pub struct LongResult {
    executor: Box<dyn Executor>,
    outputs: Vec<Vec<u8>>,
    result: Result<Progress, RequestError>,
}

impl LongJob {
    pub(super) fn with_clock_ahead(self, ahead: Nanos) -> Self {
        Self { ahead, ..self }
    }

    /// Computes it.
    pub fn run(mut self, now: Nanos) -> LongResult {
        let mut outputs = Vec::new();
        let result = self.executor.finish(now + self.ahead, &mut outputs);
        LongResult { executor: self.executor, outputs, result }
    }
}

impl std::fmt::Debug for LongJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LongJob").field("virtual_ns", &self.virtual_ns).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for LongResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LongResult").field("result", &self.result).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// No request is under way.
    Idle,
    /// Its parts are coming.
    Receiving,
    /// It was refused; what still comes of it is dropped.
    Dropping,
    /// All has come: it is to be finished.
    Finishing,
    /// It is being computed elsewhere.
    Away,
}

/// What a node executes. Most nodes of a large tree are never asked: they have their command set, and no more.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Execution {
    /// The command set, until the first request comes.
    unasked: Option<Box<dyn Executor>>,
    requests: Option<Box<Requests>>,
}

impl Execution {
    pub(super) fn new(executor: Box<dyn Executor>) -> Self {
        Self { unasked: Some(executor), requests: None }
    }

    pub(super) fn receive(&mut self, now: Nanos, packet: Packet<RequestPiece>) {
        let Self { unasked, requests } = self;
        let requests = requests.get_or_insert_with(|| Box::new(Requests::new(unasked.take())));
        requests.session.receive(now, packet);
    }

    pub(super) fn transmit(&mut self, now: Nanos) -> Option<Packet<ReplyPiece>> {
        self.requests.as_mut()?.session.transmit(now)
    }

    /// When it wants a turn; `now` when there is work left.
    pub(super) fn deadline(&self, now: Nanos) -> Option<Nanos> {
        self.requests.as_ref()?.deadline(now)
    }

    /// Works for about a millisecond at the most.
    pub(super) fn turn(&mut self, now: Nanos) -> Option<LongJob> {
        self.requests.as_mut()?.turn(now)
    }

    /// A long request has been computed.
    pub(super) fn long_done(&mut self, done: LongResult) {
        if let Some(requests) = &mut self.requests {
            requests.long_done(done);
        }
    }
}

/// The requests to a node: its end of the session, and the one that is under way.
#[cfg_attr(feature = "testing", derive(Clone))]
struct Requests {
    session: Session<ReplyPiece, RequestPiece>,
    /// None while a long request is computed elsewhere.
    executor: Option<Box<dyn Executor>>,
    stage: Stage,
    exec: u64,
    fragments: Vec<u8>,
}

impl Requests {
    fn new(executor: Option<Box<dyn Executor>>) -> Self {
        let config = SessionConfig { eager_ack: true, ..SessionConfig::default() };
        Self { session: Session::new(config), executor, stage: Stage::Idle, exec: 0, fragments: Vec::new() }
    }

    fn deadline(&self, now: Nanos) -> Option<Nanos> {
        let can_work = match self.stage {
            Stage::Away => false,
            Stage::Finishing => self.has_room(),
            Stage::Idle | Stage::Receiving | Stage::Dropping => self.session.has_delivery() && self.has_room(),
        };
        can_work.then_some(now)
    }

    fn has_room(&self) -> bool {
        self.session.queued_bytes() + self.session.unacked_bytes() < RESULT_BYTES_WAITING
    }

    fn turn(&mut self, now: Nanos) -> Option<LongJob> {
        let mut bytes = 0;
        for _ in 0..SEGMENTS_IN_A_TURN {
            if bytes >= BYTES_IN_A_TURN || !self.has_room() {
                return None;
            }
            match self.stage {
                Stage::Away => return None,
                Stage::Finishing => {
                    if let Some(job) = self.finish(now) {
                        return Some(job);
                    }
                    if self.stage == Stage::Finishing {
                        return None;
                    }
                }
                Stage::Idle | Stage::Receiving | Stage::Dropping => {
                    let delivered = self.session.take()?;
                    if delivered.skipped {
                        self.abandon();
                    }
                    bytes += delivered.payload.bytes.len();
                    self.piece(now, delivered.payload);
                }
            }
        }
        None
    }

    /// The rest of the request under way was given up: it never comes.
    fn abandon(&mut self) {
        if self.stage == Stage::Receiving
            && let Some(executor) = &mut self.executor
        {
            executor.cancel();
        }
        self.stage = Stage::Idle;
        self.fragments = Vec::new();
    }

    fn piece(&mut self, now: Nanos, piece: RequestPiece) {
        if piece.exec != self.exec || self.stage == Stage::Idle {
            self.abandon();
            self.exec = piece.exec;
            self.stage = Stage::Receiving;
        }
        if self.stage == Stage::Dropping {
            if piece.last && !piece.more {
                self.stage = Stage::Idle;
            }
            return;
        }
        if piece.more || !self.fragments.is_empty() {
            if self.fragments.len() + piece.bytes.len() > MESSAGE_BYTES {
                self.refuse(now, &RequestError::new("a part of the request is too long"), piece.last);
                return;
            }
            self.fragments.extend_from_slice(&piece.bytes);
            if !piece.more {
                let whole = std::mem::take(&mut self.fragments);
                self.message(now, piece.kind, &whole, piece.last);
            }
        } else {
            self.message(now, piece.kind, &piece.bytes, piece.last);
        }
    }

    fn message(&mut self, now: Nanos, kind: RequestKind, bytes: &[u8], last: bool) {
        let Some(executor) = &mut self.executor else { return };
        let mut outputs = Vec::new();
        let result = match kind {
            RequestKind::Head => executor.begin(now, bytes, &mut outputs),
            RequestKind::Part => executor.part(now, bytes, &mut outputs),
            RequestKind::Finish => Ok(()),
            RequestKind::Invalid => {
                executor.cancel();
                Err(RequestError::new(String::from_utf8_lossy(bytes)))
            }
        };
        self.send_outputs(now, outputs);
        match result {
            Err(error) => self.refuse(now, &error, last),
            Ok(()) if last => self.stage = Stage::Finishing,
            Ok(()) => {}
        }
    }

    fn finish(&mut self, now: Nanos) -> Option<LongJob> {
        let executor = self.executor.as_mut()?;
        if let Some(virtual_ns) = executor.long_ns() {
            self.stage = Stage::Away;
            return self.executor.take().map(|executor| LongJob { executor, virtual_ns, ahead: 0 });
        }
        let mut outputs = Vec::new();
        let result = executor.finish(now, &mut outputs);
        self.finished(now, outputs, result);
        None
    }

    fn long_done(&mut self, done: LongResult) {
        self.executor = Some(done.executor);
        self.stage = Stage::Finishing;
        self.finished(0, done.outputs, done.result);
    }

    fn finished(&mut self, now: Nanos, mut outputs: Vec<Vec<u8>>, result: Result<Progress, RequestError>) {
        match result {
            Ok(Progress::More) => self.send_outputs(now, outputs),
            Ok(Progress::Done) => {
                self.stage = Stage::Idle;
                let end = outputs.pop();
                self.send_outputs(now, outputs);
                match end {
                    Some(message) => self.send(now, message, false, true),
                    None => self.push(now, ReplyPiece::end(self.exec)),
                }
            }
            Err(error) => self.refuse(now, &error, true),
        }
    }

    fn refuse(&mut self, now: Nanos, error: &RequestError, last: bool) {
        self.stage = if last { Stage::Idle } else { Stage::Dropping };
        self.fragments = Vec::new();
        self.send(now, error.to_string().into_bytes(), true, true);
    }

    fn send_outputs(&mut self, now: Nanos, outputs: Vec<Vec<u8>>) {
        for message in outputs {
            self.send(now, message, false, false);
        }
    }

    fn send(&mut self, now: Nanos, message: Vec<u8>, error: bool, last: bool) {
        let mut rest = Bytes::from(message);
        loop {
            let bytes = rest.split_to(rest.len().min(SEGMENT_BYTES));
            let more = !rest.is_empty();
            let piece = ReplyPiece { exec: self.exec, error, more, last: last && !more, bytes, message: true };
            self.push(now, piece);
            if !more {
                return;
            }
        }
    }

    fn push(&mut self, now: Nanos, piece: ReplyPiece) {
        let bytes = piece.bytes.len();
        self.session.push(now, piece, bytes);
    }
}

#[cfg(feature = "testing")]
impl std::hash::Hash for Execution {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let Self { unasked, requests } = self;
        unasked.as_ref().map(|it| it.state()).hash(state);
        requests.is_some().hash(state);
        if let Some(requests) = requests {
            let Requests { session, executor, stage, exec, fragments } = &**requests;
            (session, executor.as_ref().map(|it| it.state()), stage, exec, fragments).hash(state);
        }
    }
}

#[cfg(feature = "testing")]
impl Execution {
    /// Whether a request has begun and not ended, or something is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.as_ref().is_some_and(|it| it.stage != Stage::Idle || it.session.buffered() > 0)
    }

    pub(super) fn state(&self) -> Vec<u8> {
        let executor = self.unasked.as_ref().or_else(|| self.requests.as_ref()?.executor.as_ref());
        executor.map(|executor| executor.state()).unwrap_or_default()
    }
}

impl ReplyPiece {
    /// The end of a result without a message.
    fn end(exec: u64) -> Self {
        Self { exec, error: false, more: false, last: true, bytes: Bytes::new(), message: false }
    }
}
