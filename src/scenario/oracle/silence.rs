//! Who may be silent, and who must be.

use super::command::Command;
use super::forest::Forest;
use super::judge::Judge;
use super::log::Record;
use super::pauses::Pause;

/// A reply timeout that is this much short is still one: the harness and the system round differently.
const ROUNDING_US: u64 = 1000;

impl Judge<'_> {
    /// The node is stopped, or below a stopped one, the whole time that the command is under way.
    pub(super) fn must_be_silent(&self, forest: &Forest, record: &Record, id: i64) -> bool {
        forest.path(id).iter().any(|&above| self.pauses.must(above, record.window()))
    }

    /// The same for nodes that are stopped. Who changes the tree asks nodes over links of their own, and may get by
    /// without those that are cut.
    pub(super) fn must_be_stopped(&self, forest: &Forest, record: &Record, id: i64) -> bool {
        forest.path(id).iter().any(|&above| self.must_be_stopped_itself(record, above))
    }

    /// The same for the node itself.
    pub(super) fn must_be_stopped_itself(&self, record: &Record, id: i64) -> bool {
        self.pauses.must_be_stopped(id, record.window())
    }

    /// The node can have let a whole reply timeout pass since the command was read.
    pub(super) fn may_be_silent_when_asked(&self, forest: &Forest, record: &Record, id: i64) -> bool {
        let slack_us = self.config.slack_us();
        self.has_timed_out(record.read_us, record.replied_us())
            && self.pauses_on(forest, id).any(|(_, pause)| pause.may_be_silent_when_asked(record.window(), slack_us))
    }

    /// The node, or one above it, can have been stopped while it was asked. (`pingall` takes at most the reply
    /// timeout; how much less it gives to each node is not said, but an answer at once was not asked for.)
    pub(super) fn may_leave_unanswered(&self, forest: &Forest, record: &Record, id: i64) -> bool {
        record.replied_us() > record.read_us
            && forest.path(id).iter().any(|&above| self.pauses.may(above, record.window()))
    }

    /// The node can have let a reply timeout pass, asked by this command or by an earlier one.
    pub(super) fn may_be_known_silent(&self, forest: &Forest, record: &Record, id: i64) -> bool {
        let slack_us = self.config.slack_us();
        self.pauses_on(forest, id).any(|(above, pause)| {
            pause.may_be_known_silent(record.window(), slack_us)
                && self.has_timed_out(self.first_asked_us(above, pause, record), record.replied_us())
        })
    }

    fn has_timed_out(&self, asked_us: u64, now_us: u64) -> bool {
        now_us.saturating_add(ROUNDING_US) >= asked_us.saturating_add(self.config.reply_timeout_us())
    }

    fn pauses_on<'f>(&'f self, forest: &Forest, id: i64) -> impl Iterator<Item = (i64, &'f Pause)> {
        let path = forest.path(id).into_iter();
        path.flat_map(|above| self.pauses.of(above).map(move |pause| (above, pause)))
    }

    /// When something was first asked of the node that the pause can have kept from being answered.
    fn first_asked_us(&self, id: i64, pause: &Pause, record: &Record) -> u64 {
        let asks = |other: &&Record| {
            let was_open = other.replied_us() >= pause.earliest_us() && other.read_us <= record.replied_us();
            was_open && is_question(&other.command) && self.asked.get(other.position).is_none_or(|it| it.contains(&id))
        };
        self.log
            .records
            .iter()
            .filter(asks)
            .map(|other| other.read_us)
            .min()
            .unwrap_or(record.read_us)
            .min(record.read_us)
    }

    /// Remembers that the node itself, and nothing above it, let a reply timeout pass.
    pub(super) fn notice_silence(&mut self, record: &Record, id: i64) {
        let window = record.window();
        let above_is_well = self.forest.path(id).iter().skip(1).all(|&above| !self.pauses.may(above, window));
        let timed_out = self.has_timed_out(record.read_us, record.replied_us());
        if timed_out && above_is_well && self.forest.is_alive(id) && self.pauses.must(id, window) {
            self.known_silent.insert(id, record.replied_us());
        }
    }

    /// The node, or one above it, is surely known to be silent from before the command to its reply.
    pub(super) fn is_known_silent(&self, record: &Record, id: i64) -> bool {
        self.forest.path(id).iter().any(|above| {
            self.known_silent.get(above).is_some_and(|&since_us| {
                since_us < record.read_us && self.pauses.is_stopped_by_clock(*above, since_us, record.replied_us())
            })
        })
    }
}

fn is_question(command: &Command) -> bool {
    use Command::{Create, Exec, Ping, PingAll, Remove};
    matches!(command, Create { .. } | Exec { .. } | Ping(_) | PingAll | Remove(_))
}
