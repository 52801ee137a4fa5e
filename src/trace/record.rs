//! Where events go while they happen.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Event, Passage, What, format, text_of};
use crate::actors::message::{Envelope, LinkId, Nanos};
use crate::topology::NodeId;

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 64 * 1024;

/// A place where events are kept; a trace that is off keeps nothing and costs a comparison.
///
/// It keeps them in memory until they are [taken](Self::take), or writes them as they come once it
/// [knows where](Self::write_to). A clone is the same place.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Mutex<Kept>>>);

#[derive(Default)]
struct Kept {
    /// The two ends of each link: a node that takes an envelope knows only the link.
    links: BTreeMap<u64, (NodeId, NodeId)>,
    place: Place,
}

enum Place {
    Memory(Vec<Event>),
    Out(BufWriter<Box<dyn Write + Send>>),
    /// It could not be written; what has come since is dropped.
    Failed(io::Error),
    Ended,
}

impl Default for Place {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Trace {
    /// A trace that is kept.
    pub fn on() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether events are kept.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn kept(&self) -> Option<MutexGuard<'_, Kept>> {
        self.0.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an event; `what` is only made when the trace is on.
    pub fn add(&self, at_ns: Nanos, what: impl FnOnce() -> What) {
        if let Some(mut kept) = self.kept() {
            kept.add(Event { at_ns, what: what() });
        }
    }

    /// A link was made. What travels over it from now on is told with who sends it and who takes it.
    pub fn linked(&self, at_ns: Nanos, LinkId(link): LinkId, upper: NodeId, lower: NodeId) {
        if let Some(mut kept) = self.kept() {
            kept.links.insert(link, (upper, lower));
            kept.add(Event { at_ns, what: What::Linked { link, upper, lower } });
        }
    }

    /// An envelope has come to a node.
    pub fn delivered(&self, at_ns: Nanos, to: NodeId, link: LinkId, envelope: &Envelope) {
        if let Some(mut kept) = self.kept() {
            let from = kept.other_end(link, to);
            let what = What::Delivered(passage(from, Some(to), link, envelope));
            kept.add(Event { at_ns, what });
        }
    }

    /// An envelope was sent; only where nobody sees it arrive.
    pub fn sent(&self, at_ns: Nanos, from: NodeId, link: LinkId, envelope: &Envelope) {
        if let Some(mut kept) = self.kept() {
            let to = kept.other_end(link, from);
            let what = What::Sent(passage(Some(from), to, link, envelope));
            kept.add(Event { at_ns, what });
        }
    }

    /// Takes the events that are in memory.
    pub fn take(&self) -> Vec<Event> {
        match self.kept().as_deref_mut() {
            Some(Kept { place: Place::Memory(events), .. }) => std::mem::take(events),
            _ => Vec::new(),
        }
    }

    /// From now on events are written there, what is in memory first. That something could not be written is told by
    /// [`end`](Self::end); what comes behind it is dropped. Does nothing when the trace is off.
    pub fn write_to(&self, out: impl Write + Send + 'static) {
        if let Some(mut kept) = self.kept() {
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, Box::new(out) as Box<dyn Write + Send>);
            let before = match &mut kept.place {
                Place::Memory(events) => std::mem::take(events),
                _ => Vec::new(),
            };
            kept.place = match format::write(&mut out, &before) {
                Ok(()) => Place::Out(out),
                Err(error) => Place::Failed(error),
            };
        }
    }

    /// Ends the writing: what comes from now on is dropped.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn end(&self) -> io::Result<()> {
        let place = self.kept().map(|mut kept| std::mem::replace(&mut kept.place, Place::Ended));
        match place {
            Some(Place::Out(mut out)) => out.flush(),
            Some(Place::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Kept {
    fn add(&mut self, event: Event) {
        match &mut self.place {
            Place::Memory(events) => events.push(event),
            Place::Out(out) => {
                if let Err(error) = format::write_event(out, &event) {
                    self.place = Place::Failed(error);
                }
            }
            Place::Failed(_) | Place::Ended => {}
        }
    }

    fn other_end(&self, LinkId(link): LinkId, one: NodeId) -> Option<NodeId> {
        let &(upper, lower) = self.links.get(&link)?;
        Some(if one == upper { lower } else { upper })
    }
}

fn passage(from: Option<NodeId>, to: Option<NodeId>, LinkId(link): LinkId, envelope: &Envelope) -> Passage {
    Passage { from, to, link, command: envelope.command(), envelope: text_of(envelope) }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Trace(on)" } else { "Trace(off)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, to be looked at from outside; fails behind so many bytes.
    #[derive(Clone)]
    struct Paper(Arc<Mutex<Vec<u8>>>, usize);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap();
            if written.len() + bytes.len() > self.1 {
                return Err(io::Error::other("the paper is full"));
            }
            written.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn paper(bytes: usize) -> Paper {
        Paper(Arc::default(), bytes)
    }

    fn stopped(node: NodeId) -> What {
        What::Stopped { node }
    }

    #[test]
    fn what_is_written_is_what_would_be_in_memory() {
        let (memory, file, paper) = (Trace::on(), Trace::on(), paper(usize::MAX));
        for trace in [&memory, &file] {
            trace.linked(1, LinkId(7), 5, 6);
            trace.delivered(
                2,
                6,
                LinkId(7),
                &Envelope::Ping { route: crate::topology::Route::Only, to: key(6), nonce: 3 },
            );
        }
        file.write_to(paper.clone());
        for trace in [&memory, &file] {
            trace.delivered(3, 5, LinkId(7), &Envelope::Pong { from: key(6), nonce: 3 });
            trace.sent(4, 5, LinkId(8), &Envelope::Greeting);
        }
        file.end().unwrap();
        let written = paper.0.lock().unwrap();
        let events = memory.take();
        assert_eq!(format::read(&written[..]).unwrap(), events);
        let ends = |event: &Event| match &event.what {
            What::Delivered(it) | What::Sent(it) => Some((it.from, it.to, it.command)),
            _ => None,
        };
        let known: Vec<_> = events.iter().filter_map(ends).collect();
        assert_eq!(known, [(Some(5), Some(6), Some(3)), (Some(6), Some(5), Some(3)), (Some(5), None, None)]);
    }

    fn key(id: NodeId) -> crate::actors::message::NodeKey {
        crate::actors::message::NodeKey { id, incarnation: 1 }
    }

    #[test]
    fn memory_is_bounded_while_events_are_written_and_a_failure_is_told_at_the_end() {
        let (trace, paper) = (Trace::on(), paper(3 * BUFFER_BYTES));
        trace.write_to(paper.clone());
        (0..10_000).for_each(|node| trace.add(0, || stopped(node)));
        assert_eq!(trace.take(), []);
        assert_eq!(trace.end().unwrap_err().to_string(), "the paper is full");
        assert!(paper.0.lock().unwrap().len() > BUFFER_BYTES, "what could be written was");
        trace.add(0, || stopped(1));
        assert_eq!((trace.take(), trace.end().is_ok()), (Vec::new(), true));
    }

    #[test]
    fn a_trace_that_is_off_makes_nothing() {
        let trace = Trace::default();
        trace.add(0, || unreachable!("nobody keeps it"));
        trace.write_to(paper(0));
        assert!(trace.end().is_ok());
    }
}
