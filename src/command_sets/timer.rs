//! `timer`: each node has a stopwatch.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::words::{Echo, words};
use super::{CommandSet, Progress, Request, RequestError, Turn};

const NS_PER_MS: u64 = 1_000_000;

/// The stopwatch of one node. It shows 0 before its first start.
///
/// ```
/// use nodetree::command_sets::{CommandSet, Timer, Turn, timer::Reading};
/// let mut node = Timer::default();
/// let mut turn = Turn { now_ns: 0, outputs: Vec::new() };
/// for (text, now_ns) in [("start", 5), ("stop", 2_999_999), ("time", 9_000_000)] {
///     turn.now_ns = now_ns;
///     node.begin(Timer::parse(text)?.head, &mut turn)?;
///     node.finish(&mut turn)?;
/// }
/// assert_eq!(turn.outputs, [Reading::Set, Reading::Set, Reading::Milliseconds(2)]);
/// # Ok::<(), nodetree::command_sets::RequestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    watch: Watch,
    asked: Option<Press>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    Running { since_ns: u64 },
    Stopped { elapsed_ns: u64 },
}

impl Default for Watch {
    fn default() -> Self {
        Self::Stopped { elapsed_ns: 0 }
    }
}

impl Watch {
    fn elapsed_ns(self, now_ns: u64) -> u64 {
        match self {
            Self::Running { since_ns } => now_ns.saturating_sub(since_ns),
            Self::Stopped { elapsed_ns } => elapsed_ns,
        }
    }
}

/// What is asked of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Press {
    /// Begin a new measurement from 0.
    Start,
    /// Freeze the measurement.
    Stop,
    /// Read it, without stopping it.
    Time,
}

impl Press {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Start, Self::Stop, Self::Time];
}

/// What a timer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// It is started or stopped; printed as nothing.
    Set,
    /// Full milliseconds of the measurement; what is left over is cut off, not rounded.
    Milliseconds(u64),
}

impl Timer {
    /// Asks to press a button.
    pub fn press(press: Press) -> Request<Self> {
        Request { head: press, parts: Vec::new() }
    }
}

impl CommandSet for Timer {
    type Head = Press;
    type Part = ();
    type Output = Reading;

    const NAME: &'static str = "timer";
    const USAGE: &'static str = "exec id start|stop|time";
    const EXAMPLE: &'static str = "create 10\nexec 10 start\n# Ok:10\nexec 10 stop\n# Ok:10\nexec 10 time\n# Ok:10: and the milliseconds between them";

    fn parse(text: &str) -> Result<Request<Self>, RequestError> {
        let mut words = words(text);
        let (Some(word), None) = (words.next(), words.next()) else {
            return Err(RequestError::new("expected start, stop or time"));
        };
        let press = Press::ALL.into_iter().find(|press| press.word() == word);
        press
            .map(Self::press)
            .ok_or_else(|| RequestError::new(format_args!("expected start, stop or time, not {}", Echo(word))))
    }

    fn print(request: &Request<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(request.head.word())
    }

    fn begin(&mut self, head: Press, _: &mut Turn<Reading>) -> Result<(), RequestError> {
        self.asked = Some(head);
        Ok(())
    }

    fn part(&mut self, (): (), _: &mut Turn<Reading>) -> Result<(), RequestError> {
        self.asked = None;
        Err(RequestError::new("unexpected data"))
    }

    fn finish(&mut self, turn: &mut Turn<Reading>) -> Result<Progress, RequestError> {
        let elapsed_ns = self.watch.elapsed_ns(turn.now_ns);
        turn.outputs.push(match self.asked.take().ok_or_else(RequestError::not_begun)? {
            Press::Start => self.set(Watch::Running { since_ns: turn.now_ns }),
            Press::Stop => self.set(Watch::Stopped { elapsed_ns }),
            Press::Time => Reading::Milliseconds(elapsed_ns / NS_PER_MS),
        });
        Ok(Progress::Done)
    }

    fn cancel(&mut self) {
        self.asked = None;
    }
}

impl Timer {
    fn set(&mut self, watch: Watch) -> Reading {
        self.watch = watch;
        Reading::Set
    }
}

impl Press {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Time => "time",
        }
    }
}

impl Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set => Ok(()),
            Self::Milliseconds(ms) => write!(f, "{ms}"),
        }
    }
}
