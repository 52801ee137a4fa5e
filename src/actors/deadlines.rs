//! When the control node looks at what. When it has stood still itself, nobody is called silent for that.

use std::collections::BTreeSet;

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::Nanos;

/// A deadline that is looked at later than by this part of the reply timeout shows that the control node stood still.
const PART: Nanos = 4;

/// What is not judged yet, because the control node has stood still.
#[derive(Clone, Default, Hash)]
pub(super) struct Stall {
    /// Everything that is due before is judged then; 0 when nothing is to be forgiven.
    until: Nanos,
    postponed: BTreeSet<(Nanos, Due)>,
}

impl ControlNode {
    /// Asks for `what` to be looked at when `at` has come.
    pub(super) fn due(&mut self, at: Nanos, what: Due) {
        self.deadlines.insert((at, what));
    }

    /// What was to be looked at then is settled.
    pub(super) fn not_due(&mut self, at: Nanos, what: Due) {
        if !self.deadlines.remove(&(at, what)) {
            self.not_postponed(at, what);
        }
    }

    pub(super) fn run_deadlines(&mut self) {
        while let Some(&(at, what)) = self.deadlines.first()
            && at <= self.now
        {
            self.deadlines.pop_first();
            if !self.is_forgiven(at, what) {
                self.run_deadline(at, what);
            }
        }
    }

    fn run_deadline(&mut self, at: Nanos, what: Due) {
        match what {
            Due::Wait => {}
            Due::Create(op) => self.creation_overdue(op, at),
            Due::Relink(op) => self.relink_overdue(op, at),
            Due::Ping(op) => self.ping_overdue(op),
            Due::Wave(op) => self.wave_overdue(op),
            Due::Silence(id) => self.check_silence(id),
            Due::LastReplies(key) => self.last_replies_are_over(key),
            Due::Watch => self.look_around(),
            Due::Fault(number) => self.set_off(number),
            Due::Judgement => self.judge(),
        }
    }

    pub(super) fn ask_to_be_woken(&mut self) {
        if let Some(&(at, _)) = self.deadlines.first()
            && at < self.wake_at
        {
            self.wake_at = at;
            self.effects.push(ControlEffect::WakeAt(at));
        }
    }

    /// Whether what is due is not to be judged now: whoever was waited for has the reply timeout once more, since what he
    /// has sent may not have been read, and since he may have stood still, too, with the whole machine.
    fn is_forgiven(&mut self, at: Nanos, what: Due) -> bool {
        if !matches!(what, Due::Create(_) | Due::Relink(_) | Due::Ping(_) | Due::Wave(_) | Due::Silence(_)) {
            return false;
        }
        let timeout = self.config.reply_timeout_ns;
        if self.stall.until == 0 {
            if self.now - at <= timeout / PART {
                return false;
            }
            tracing::warn!(late_ms = (self.now - at) / 1_000_000, "the control node has stood still");
            self.forgive();
        }
        self.stall.postponed.insert((at, what));
        true
    }

    fn forgive(&mut self) {
        self.stall.until = self.now.saturating_add(self.config.reply_timeout_ns);
        self.due(self.stall.until, Due::Judgement);
    }

    /// What was postponed is judged; but not if we have stood still again.
    fn judge(&mut self) {
        if self.now - self.stall.until > self.config.reply_timeout_ns / PART {
            return self.forgive();
        }
        self.stall.until = 0;
        for (at, what) in std::mem::take(&mut self.stall.postponed) {
            self.run_deadline(at, what);
        }
    }

    /// What was postponed is settled.
    fn not_postponed(&mut self, at: Nanos, what: Due) {
        self.stall.postponed.remove(&(at, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::control_io::{ControlConfig, ControlInput, Order};
    use crate::actors::message::{ControlUp, Envelope, LinkId, MILLISECOND, NodeKey};
    use crate::actors::outcome::Outcome;
    use crate::topology::TopologyKind;

    const TIMEOUT: Nanos = 1_000 * MILLISECOND;
    const PERIOD: Nanos = 100 * MILLISECOND;

    /// A control node with one node below it, that says nothing unasked.
    struct System {
        control: ControlNode,
        key: NodeKey,
        link: LinkId,
        notices: usize,
        answers: Vec<Outcome>,
    }

    impl System {
        fn new() -> Self {
            let config = ControlConfig {
                topology: TopologyKind::Tree,
                reply_timeout_ns: TIMEOUT,
                asks_kernel: false,
                faults: Vec::new(),
            };
            let control = ControlNode::new(config);
            let (key, link) = (NodeKey::CONTROL, LinkId(0));
            let mut system = Self { control, key, link, notices: 0, answers: Vec::new() };
            system.take(0, ControlInput::Submit(1, Order::Create { id: 5, parent: None }));
            system.take(0, ControlInput::Started(system.key, 1000));
            system.take(0, ControlInput::Envelope(system.link, Envelope::Greeting));
            system.pong(0, 1);
            assert!(matches!(system.answers[..], [Outcome::Created { .. }]), "{:?}", system.answers);
            system
        }

        fn take(&mut self, now: Nanos, input: ControlInput) {
            self.control.handle(now, input);
            let mut effects = Vec::new();
            self.control.take_effects(&mut effects);
            for effect in effects {
                match effect {
                    ControlEffect::Start(spec) => self.key = spec.key,
                    ControlEffect::Connect { link, .. } => self.link = link,
                    ControlEffect::Answer(_, outcome) => self.answers.push(outcome),
                    ControlEffect::Notice(_) => self.notices += 1,
                    _ => {}
                }
            }
        }

        fn pong(&mut self, now: Nanos, nonce: u64) {
            let pong = Envelope::Pong { from: self.key, nonce };
            self.take(now, ControlInput::Envelope(self.link, pong));
        }

        /// The answer to the last ping, if there is one.
        fn ping_answered(&self) -> Option<bool> {
            match self.answers.last() {
                Some(Outcome::Ping { result: Ok(answers), .. }) => Some(*answers),
                _ => None,
            }
        }
    }

    #[test]
    fn who_does_not_answer_in_time_is_silent() {
        let mut system = System::new();
        system.take(0, ControlInput::Submit(2, Order::Ping(5)));
        system.take(TIMEOUT, ControlInput::Wake);
        assert_eq!(system.ping_answered(), Some(false));
    }

    #[test]
    fn after_a_stall_of_the_control_node_whoever_was_waited_for_has_the_time_once_more() {
        for answers in [true, false] {
            let mut system = System::new();
            system.take(0, ControlInput::Submit(2, Order::Ping(5)));
            system.take(10 * TIMEOUT, ControlInput::Wake);
            assert_eq!(system.ping_answered(), None);
            if answers {
                system.pong(10 * TIMEOUT + MILLISECOND, 2);
                assert_eq!(system.ping_answered(), Some(true));
            }
            system.take(11 * TIMEOUT, ControlInput::Wake);
            assert_eq!(system.ping_answered(), Some(answers));
            assert_eq!(system.answers.len(), 2, "one answer each");
            // It is over: who is silent now is so in time.
            system.take(12 * TIMEOUT, ControlInput::Submit(3, Order::Ping(5)));
            system.take(13 * TIMEOUT, ControlInput::Wake);
            assert_eq!((system.answers.len(), system.ping_answered()), (3, Some(false)));
        }
    }

    #[test]
    fn a_stall_in_the_time_that_is_forgiven_is_forgiven_too() {
        let mut system = System::new();
        system.take(0, ControlInput::Submit(2, Order::Ping(5)));
        for stall in 1..=3 {
            system.take(stall * 10 * TIMEOUT, ControlInput::Wake);
            assert_eq!(system.ping_answered(), None, "stall {stall}");
        }
        system.take(31 * TIMEOUT, ControlInput::Wake);
        assert_eq!(system.ping_answered(), Some(false));
    }

    #[test]
    fn a_machine_that_stood_still_for_ten_periods_has_no_quiet_nodes() {
        let mut system = System::new();
        system.take(0, ControlInput::Submit(2, Order::Heartbit(PERIOD)));
        let beat = |system: &mut System, now| {
            system.take(now, ControlInput::FromNode(system.key, ControlUp::Beat));
            system.take(now, ControlInput::Wake);
        };
        (1..=8).for_each(|period| beat(&mut system, period * PERIOD));
        system.take(18 * PERIOD, ControlInput::Wake);
        system.take(18 * PERIOD + PERIOD / 2, ControlInput::Wake);
        (19..=30).for_each(|period| beat(&mut system, period * PERIOD));
        assert_eq!(system.notices, 0);
        // It can be quiet, too.
        (0..20).for_each(|quarter| system.take(30 * PERIOD + quarter * PERIOD / 4, ControlInput::Wake));
        assert_eq!(system.notices, 1);
    }

    #[test]
    fn a_period_that_is_changed_leaves_no_timer_behind() {
        let mut system = System::new();
        for op in 0..10_000 {
            system.take(op, ControlInput::Submit(2 + op, Order::Heartbit(86_400_000 * MILLISECOND)));
        }
        assert_eq!(system.control.deadlines.len(), 1);
        system.take(10_000, ControlInput::Submit(20_000, Order::Heartbit(0)));
        assert_eq!(system.control.deadlines.len(), 0);
    }
}
