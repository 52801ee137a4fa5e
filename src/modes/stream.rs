//! An exec whose request comes in pieces, so that nobody holds it whole.

use super::NodeTree;
use super::entry::{Entry, add_message, encoded};
use crate::actors::Order;
use crate::actors::message::{RequestKind, RequestPiece};
use crate::command_sets::{CommandSet, RequestError, StreamItem};
use crate::commands::Ticket;
use crate::error::SubmitError;
use crate::topology::NodeId;

/// So much may be queued before the control node is woken for it: with each piece for itself, two threads and the node
/// would take turns for every one of them.
const BYTES_PER_WAKE: usize = 256 * 1024;

/// What a piece counts at least, so that many small ones do not wait.
const LEAST_BYTES: usize = 16 * 1024;

/// An exec whose request is being handed in. It is submitted with its first piece; whoever drops it before
/// [`finish`](Self::finish) makes it a wrong request.
///
/// ```
/// use nodetree::command_sets::{StreamItem, Sum, sum};
/// use nodetree::{Mode, NodeTree};
/// let tree = NodeTree::<Sum>::builder().mode(Mode::Simulated).start()?;
/// tree.line("create 3")?;
/// let mut exec = tree.begin_exec(3)?;
/// exec.send(StreamItem::Head(sum::Count { count: 4 }))?;
/// exec.send(StreamItem::Part(sum::Numbers::new(&[1, 2])))?;
/// exec.send(StreamItem::Part(sum::Numbers::new(&[3, 4])))?;
/// let ticket = exec.finish(Ok(()))?;
/// assert_eq!(tree.wait(ticket)?.to_string(), "Ok:3: 10");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ExecStream<'a, C: CommandSet> {
    tree: &'a NodeTree<C>,
    id: NodeId,
    ticket: Option<Ticket>,
    ended: bool,
    /// How much was queued since the control node was woken.
    waiting: usize,
}

impl<'a, C: CommandSet> ExecStream<'a, C> {
    pub(super) fn new(tree: &'a NodeTree<C>, id: NodeId) -> Self {
        Self { tree, id, ticket: None, ended: false, waiting: 0 }
    }

    /// Hands in the next piece; waits while there is no room for it. The first goes at once, those that follow when
    /// 256 KiB have come together, at the end, or with [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the piece is too long, or the system has ended.
    pub fn send(&mut self, item: StreamItem<C>) -> Result<(), SubmitError> {
        let (kind, message) = match &item {
            StreamItem::Head(head) => (RequestKind::Head, encoded(head)?),
            StreamItem::Part(part) => (RequestKind::Part, encoded(part)?),
        };
        self.push(kind, message, false)
    }

    /// Lets go on what was handed in: for whoever does not know when the next piece comes.
    ///
    /// ```
    /// use nodetree::command_sets::{StreamItem, Sum, sum};
    /// use nodetree::{Mode, NodeTree};
    /// let tree = NodeTree::<Sum>::builder().mode(Mode::Threads).start()?;
    /// tree.line("create 3")?;
    /// let mut exec = tree.begin_exec(3)?;
    /// exec.send(StreamItem::Head(sum::Count { count: 2 }))?;
    /// exec.send(StreamItem::Part(sum::Numbers::new(&[1])))?;
    /// exec.flush();
    /// // … and much later:
    /// exec.send(StreamItem::Part(sum::Numbers::new(&[2])))?;
    /// assert_eq!(tree.wait(exec.finish(Ok(()))?)?.to_string(), "Ok:3: 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.waiting) > 0 {
            self.tree.engine.submitted();
        }
    }

    /// The request is complete, or was found to be wrong.
    ///
    /// # Errors
    /// When the system has ended.
    pub fn finish(mut self, end: Result<(), RequestError>) -> Result<Ticket, SubmitError> {
        self.end(end)?;
        self.tree.run_if_free_running()?;
        self.ticket.ok_or(SubmitError::Ended)
    }

    fn end(&mut self, end: Result<(), RequestError>) -> Result<(), SubmitError> {
        self.ended = true;
        let ended = match end {
            Ok(()) => self.push(RequestKind::Finish, Vec::new(), true),
            Err(RequestError(text)) => self.push(RequestKind::Invalid, text.into_bytes(), true),
        };
        self.flush();
        ended
    }

    fn push(&mut self, kind: RequestKind, message: Vec<u8>, last: bool) -> Result<(), SubmitError> {
        let mut pieces = Vec::new();
        add_message(kind, message, last, &mut pieces);
        for piece in pieces {
            self.push_piece(piece)?;
        }
        Ok(())
    }

    fn push_piece(&mut self, piece: RequestPiece) -> Result<(), SubmitError> {
        if let Some(Ticket(op)) = self.ticket {
            self.tree.tell_piece(op, &piece);
            let bytes = piece.bytes.len();
            self.tree.queue_piece(op, piece)?;
            self.waiting += bytes.max(LEAST_BYTES);
            if self.waiting >= BYTES_PER_WAKE {
                self.flush();
            }
            return Ok(());
        }
        let complete = piece.last && !piece.more;
        let order = Order::Exec { id: self.id, first: piece, complete };
        self.tree.wait_for_place(&order)?;
        let text = format!("exec {} …", self.id);
        let entry = Entry { order, rest: Vec::new(), text, is_told_in_pieces: true };
        self.ticket = Some(self.tree.enter(entry, None)?);
        Ok(())
    }
}

impl<C: CommandSet> Drop for ExecStream<'_, C> {
    fn drop(&mut self) {
        if !self.ended && self.ticket.is_some() {
            // Nothing can be done when the system has ended, and then nothing need be.
            let _ = self.end(Err(RequestError::new("the request was not completed")));
        }
    }
}
