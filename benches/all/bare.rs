//! Bare actix actors on one arbiter: a number comes in through a crossbeam channel (one wake-up stands for any number of
//! them), goes down hop by hop, comes up hop by hop and leaves through a bounded crossbeam channel. The actor at the top
//! stands for the control node, those below it for the nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, System};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::table::Outcome;

/// How many numbers may be on their way.
pub const CAPACITY: usize = 1 << 16;

/// A number on its way down.
#[derive(Message)]
#[rtype(result = "()")]
struct Down(u64);

/// A number on its way up.
#[derive(Message)]
#[rtype(result = "()")]
struct Up(u64);

/// There are numbers in the channel.
#[derive(Message)]
#[rtype(result = "()")]
struct Submitted;

/// How a number comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As the reply of a node does, hop by hop.
    DownAndUp,
    /// From the last actor straight into the channel.
    Down,
}

/// The channels at the ends.
#[derive(Clone)]
struct Outside {
    queue: Receiver<u64>,
    awake: Arc<AtomicBool>,
    replies: Sender<u64>,
}

/// One actor of the bare chain.
struct Link {
    above: Option<Addr<Link>>,
    below: Option<Addr<Link>>,
    /// At the top, and at an end that replies straight.
    outside: Option<Outside>,
}

impl Link {
    /// Starts an actor with `depth` others below it; gives back the first.
    fn start(outside: &Outside, depth: usize, way: Way) -> Option<Addr<Self>> {
        let contexts: Vec<Context<Self>> = (0..=depth).map(|_| Context::new()).collect();
        let all: Vec<Addr<Self>> = contexts.iter().map(AsyncContext::address).collect();
        for (at, context) in contexts.into_iter().enumerate() {
            let is_straight_end = at == depth && way == Way::Down;
            let above = at.checked_sub(1).filter(|_| !is_straight_end).map(|above| all[above].clone());
            let outside = (at == 0 || is_straight_end).then(|| outside.clone());
            context.run(Self { above, below: all.get(at + 1).cloned(), outside });
        }
        all.into_iter().next()
    }
}

impl Actor for Link {
    type Context = Context<Self>;
}

impl Handler<Submitted> for Link {
    type Result = ();

    fn handle(&mut self, _: Submitted, _: &mut Self::Context) {
        if let (Some(Outside { queue, awake, .. }), Some(below)) = (&self.outside, &self.below) {
            awake.store(false, Ordering::SeqCst);
            queue.try_iter().for_each(|number| below.do_send(Down(number)));
        }
    }
}

impl Handler<Down> for Link {
    type Result = ();

    fn handle(&mut self, Down(number): Down, context: &mut Self::Context) {
        match &self.below {
            Some(below) => below.do_send(Down(number)),
            None => self.handle(Up(number), context),
        }
    }
}

impl Handler<Up> for Link {
    type Result = ();

    fn handle(&mut self, Up(number): Up, _: &mut Self::Context) {
        match (&self.above, &self.outside) {
            (Some(above), _) => above.do_send(Up(number)),
            (None, Some(outside)) => drop(outside.replies.try_send(number)),
            (None, None) => {}
        }
    }
}

/// The bare chain on its arbiter.
pub struct Bare {
    submissions: Sender<u64>,
    awake: Arc<AtomicBool>,
    top: Option<Addr<Link>>,
    replies: Receiver<u64>,
    system: System,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    pub fn start(depth: usize, way: Way) -> Outcome<Self> {
        let ((submissions, queue), (replies_in, replies)) = (bounded(CAPACITY), bounded(2 * CAPACITY + 1));
        let (awake, (ready, is_ready)) = (Arc::new(AtomicBool::new(false)), bounded(1));
        let outside = Outside { queue, awake: Arc::clone(&awake), replies: replies_in };
        let thread = thread::spawn(move || {
            let runner = System::new();
            runner.block_on(async { drop(ready.send((Link::start(&outside, depth, way), System::current()))) });
            drop(runner.run());
        });
        let (top, system) = is_ready.recv()?;
        Ok(Self { submissions, awake, top, replies, system, thread: Some(thread) })
    }

    pub fn exchange(&self) -> Outcome<()> {
        self.submit()?;
        self.receive()
    }

    pub fn submit(&self) -> Outcome<()> {
        // As many as there is room for at the other end; whoever does not read them stops the source.
        while self.replies.len() >= CAPACITY {
            thread::yield_now();
        }
        self.submissions.send(7)?;
        if let Some(top) = self.top.as_ref().filter(|_| !self.awake.swap(true, Ordering::SeqCst)) {
            top.do_send(Submitted);
        }
        Ok(())
    }

    pub fn receive(&self) -> Outcome<()> {
        assert_eq!(self.replies.recv()?, 7);
        Ok(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.top.take();
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
