//! What was asked and is not answered yet, and which nodes there are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodetree::{Answer, Command, CommandSet, NodeId, Ticket};

/// How much of a command is shown beside its reply.
const SHOWN_CHARS: usize = 60;

/// A command that was submitted.
pub struct Asked {
    text: String,
    change: Change,
    at: Duration,
}

/// What becomes of the nodes when it is answered well.
#[derive(Clone, Copy)]
enum Change {
    None,
    Adds(NodeId),
    Removes(NodeId),
}

impl Asked {
    /// A command, and the time on the clock of the system.
    pub fn command<C: CommandSet>(command: &Command<C>, at: Duration) -> Self {
        let change = match command {
            Command::Create { id, .. } => Change::Adds(*id),
            Command::Remove { id } => Change::Removes(*id),
            _ => Change::None,
        };
        Self { text: command.to_string().chars().take(SHOWN_CHARS).collect(), change, at }
    }

    /// Something that is shown like this.
    pub fn other(text: String, at: Duration) -> Self {
        Self { text, change: Change::None, at }
    }
}

/// What is to be said of a reply besides itself.
pub struct Beside {
    /// The command, when its reply does not come in the order of the commands.
    pub asked: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Shared by the session, which asks, the teller, which hears the answers, and the editor, which wants the nodes.
#[derive(Default)]
pub struct Ledger(Mutex<Page>);

#[derive(Default)]
struct Page {
    /// Being submitted; its number is not known.
    next: Option<Asked>,
    asked: BTreeMap<Ticket, Asked>,
    /// Answered to the session itself, in order.
    told: VecDeque<(Asked, Duration)>,
    /// The highest number that was answered.
    latest: Ticket,
    nodes: BTreeSet<NodeId>,
}

impl Ledger {
    /// This is going to be submitted.
    pub fn asks(&self, asked: Asked) {
        self.page().next = Some(asked);
    }

    /// It has got this number. Its reply may have come already.
    pub fn submitted(&self, ticket: Ticket) {
        let mut page = self.page();
        if let Some(asked) = page.next.take() {
            page.asked.insert(ticket, asked);
        }
    }

    /// What was asked last is answered, to whoever asked.
    pub fn told(&self, now: Duration) {
        let mut page = self.page();
        if let Some(asked) = page.next.take() {
            let took = now.saturating_sub(asked.at);
            page.told.push_back((asked, took));
        }
    }

    /// What is to be said of this reply.
    pub fn answered<C: CommandSet>(&self, ticket: Ticket, answer: &Answer<C>, now: Duration) -> Option<Beside> {
        let mut page = self.page();
        let asked = page.asked.remove(&ticket).or_else(|| page.next.take())?;
        page.change(asked.change, answer);
        let is_first = page.asked.first_key_value().is_none_or(|(first, _)| *first > ticket);
        let in_order = is_first && page.latest < ticket;
        page.latest = page.latest.max(ticket);
        Some(Beside { asked: (!in_order).then_some(asked.text), took: now.saturating_sub(asked.at) })
    }

    /// What is to be said of the next answer that the session was told.
    pub fn next_told<C: CommandSet>(&self, answer: &Answer<C>) -> Option<Beside> {
        let mut page = self.page();
        let (asked, took) = page.told.pop_front()?;
        page.change(asked.change, answer);
        Some(Beside { asked: None, took })
    }

    /// The nodes there are, as far as replies have said; those that begin like this, not more than so many.
    pub fn nodes_like(&self, start: &str, most: usize) -> Vec<String> {
        let page = self.page();
        page.nodes.iter().map(ToString::to_string).filter(|id| id.starts_with(start)).take(most).collect()
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn change<C: CommandSet>(&mut self, change: Change, answer: &Answer<C>) {
        let _ = match (change, answer) {
            (Change::Adds(id), Answer::Created { .. }) => self.nodes.insert(id),
            (Change::Removes(id), Answer::Done) => self.nodes.remove(&id),
            _ => false,
        };
    }
}
