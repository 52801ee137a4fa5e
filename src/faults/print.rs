//! Faults as sentences.

use std::fmt::{self, Display, Formatter};

use super::plan::{Direction, Fault, FaultKind, FaultPlan, Links, Moment, Spread, Trigger};

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.when, self.what)
    }
}

/// One fault a line, numbered.
impl Display for FaultPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, fault)| writeln!(f, "{}. {fault}", at + 1))
    }
}

/// What stands before the fault; nothing for one that is set off at once.
impl Display for Trigger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => Ok(()),
            Self::At(time) => write!(f, "at {time} "),
            Self::After(1) => f.write_str("after 1 command "),
            Self::After(commands) => write!(f, "after {commands} commands "),
            Self::Envelope { kind, nth, moment } => write!(f, "{moment} its {}{} {} ", nth, ending(*nth), kind.name()),
        }
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::Applied => "after",
            Self::Answered => "after the answer to",
        })
    }
}

/// What makes 2 the 2nd.
fn ending(number: u64) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

impl Display for FaultKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sent = |(links, direction)| Sent(links, direction);
        let way = self.links().map(sent);
        match (self, way) {
            (Self::Kill(node), _) => write!(f, "kill node {node}"),
            (Self::Pause(node), _) => write!(f, "pause node {node}"),
            (Self::Resume(node), _) => write!(f, "resume node {node}"),
            (Self::Cut { .. }, Some(way)) => write!(f, "cut {way}"),
            (Self::Drop { chance, .. }, Some(way)) => write!(f, "drop {chance} of what is sent over {way}"),
            (Self::Delay { chance, by, .. }, Some(way)) => {
                write!(f, "delay {chance} of what is sent over {way} by {by}")
            }
            (Self::Duplicate { chance, .. }, Some(way)) => write!(f, "send {chance} twice over {way}"),
            (Self::Reorder { chance, .. }, Some(way)) => {
                write!(f, "let {chance} of what is sent over {way} be overtaken")
            }
            (Self::Corrupt { .. }, Some(way)) => write!(f, "damage the next frame over {way}"),
            (Self::Slow { node, by }, _) => write!(f, "make node {node} take {by} longer each time"),
            (Self::Skew { node, ahead }, _) => write!(f, "set the clock of node {node} ahead by {ahead}"),
            (_, None) => Ok(()),
        }
    }
}

struct Sent(Links, Direction);

impl Display for Sent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Links::All => f.write_str("every link")?,
            Links::Above(node) => write!(f, "the link above {node}")?,
        }
        f.write_str(match self.1 {
            Direction::Both => "",
            Direction::Down => ", downwards",
            Direction::Up => ", upwards",
        })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(by) => write!(f, "{by}"),
            Self::Between(shortest, longest) => write!(f, "{shortest} to {longest}"),
            Self::Exponential(mean) => write!(f, "{mean} on average"),
        }
    }
}
