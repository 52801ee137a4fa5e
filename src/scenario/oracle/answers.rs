//! Whether a reply is one of those that the rules allow, and what the oracle learns from it.

use super::command::Command;
use super::content::Content;
use super::judge::{Judge, View};
use super::log::Record;
use super::violation::{Invariant, Violation};
use super::{PidRule, drawing};

/// A reply that is allowed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Want {
    /// This text.
    Exact(String),
    /// This, and words of its own.
    Begins(&'static str),
    /// `Ok: ` and a pid.
    Pid,
    /// What the request makes of what the node holds.
    Content,
    /// Several lines, the last one empty; or, for this word, that it is no command.
    Help(Option<String>),
}

/// What has happened if it was that reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    Nothing,
    Create,
    Remove(i64),
    Kill(i64),
    Exec,
    /// The exec was sent, and may have taken effect or still do.
    Perhaps,
}

/// A reply and what it means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) want: Want,
    pub(super) effect: Effect,
}

impl Answer {
    pub(super) fn exact(text: impl Into<String>, effect: Effect) -> Self {
        Self { want: Want::Exact(text.into()), effect }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::exact(text, Effect::Nothing)
    }
}

impl Judge<'_> {
    pub(super) fn fits(&self, answer: &Answer, record: &Record) -> bool {
        let text = record.reply_text();
        match &answer.want {
            Want::Exact(exact) => text == exact,
            Want::Begins(begin) => text.starts_with(begin),
            Want::Pid => text.strip_prefix("Ok: ").is_some_and(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())),
            Want::Content => self.new_content(record).is_ok(),
            Want::Help(topic) => is_help(text, topic.as_deref()),
        }
    }

    fn new_content(&self, record: &Record) -> Result<Content, String> {
        let Command::Exec { id, request } = &record.command else { return Err(String::new()) };
        let content = self.contents.get(id).cloned().unwrap_or_else(Content::new);
        content.answered(*id, request, record.span(), record.reply_text())
    }

    fn describe(&self, answer: &Answer, record: &Record) -> String {
        match &answer.want {
            Want::Exact(text) => text.clone(),
            Want::Begins(text) => format!("{text}..."),
            Want::Pid => "Ok: <pid>".to_owned(),
            Want::Content => self.new_content(record).err().unwrap_or_default(),
            Want::Help(_) => "several lines, the last one empty".to_owned(),
        }
    }

    /// The accusation: the reply is none of those allowed.
    pub(super) fn wrong(&self, record: &Record, allowed: &[Answer]) -> Violation {
        let texts: Vec<String> = allowed.iter().map(|answer| self.describe(answer, record)).collect();
        let allowed_text =
            if texts.is_empty() { "unavailable, at the reply timeout".to_owned() } else { texts.join(" or ") };
        record.violation(self.blame(record, allowed), allowed_text)
    }

    fn blame(&self, record: &Record, allowed: &[Answer]) -> Invariant {
        let only_refusals = allowed.iter().all(|answer| matches!(&answer.want, Want::Exact(text) if is_refusal(text)));
        let is_create = matches!(record.command, Command::Create { .. });
        let may_be_well = allowed.iter().any(|answer| match &answer.want {
            Want::Exact(text) => text.starts_with("Ok") && !is_refusal(text),
            Want::Pid | Want::Content => true,
            Want::Help(_) | Want::Begins(_) => false,
        });
        let wants_content = allowed.iter().any(|answer| answer.want == Want::Content);
        match is_refusal(record.reply_text()) {
            true if allowed.is_empty() => Invariant::Promptness,
            true if may_be_well => Invariant::BlastRadius,
            false if only_refusals && record.is_ok() => Invariant::Dead,
            false if is_create && record.is_ok() => Invariant::OneCreate,
            false if wants_content && record.is_ok() => Invariant::Register,
            _ => Invariant::Text,
        }
    }

    pub(super) fn new_pid(&mut self, record: &Record) -> Result<u64, Violation> {
        let pid: u64 = record.reply_text().strip_prefix("Ok: ").and_then(|pid| pid.parse().ok()).unwrap_or(0);
        let lives =
            |pid| self.forest.nodes.values().any(|node| node.died.or(node.doubted).is_none() && node.pid == pid);
        let is_allowed = match self.config.pid_rule {
            PidRule::NeverTwice => pid >= 1000 && !self.pids.contains(&pid),
            PidRule::NotShared => pid > 0 && !lives(pid),
        };
        if !is_allowed || record.reply_text() != format!("Ok: {pid}") {
            return Err(record.violation(Invariant::Pid, "a pid that no other node has or had"));
        }
        self.pids.insert(pid);
        Ok(pid)
    }

    pub(super) fn executed(&mut self, record: &Record) -> Result<(), Violation> {
        let Command::Exec { id, .. } = record.command else { return Ok(()) };
        let content = self.new_content(record).map_err(|allowed| record.violation(Invariant::Register, allowed))?;
        self.contents.insert(id, content);
        self.summary.results += 1;
        Ok(())
    }

    pub(super) fn perhaps_executed(&mut self, record: &Record) {
        if let Command::Exec { id, request } = &record.command
            && let Some(content) = self.contents.get_mut(id)
        {
            content.perhaps(request, record.read_us);
        }
        if let Some(id) = record.command.node() {
            self.notice_silence(record, id);
        }
    }

    /// `pingall`: what must be down, what may be, and what it says.
    pub(super) fn pingall(&mut self, record: &Record, views: &[View]) -> Result<(), Violation> {
        let ids = || self.forest.nodes.keys().copied();
        let dead_in = |id: i64| views.iter().filter(|view| view.forest.is_dead(id)).count();
        let must: Vec<i64> =
            ids().filter(|&id| dead_in(id) == views.len() || self.must_be_silent(&self.forest, record, id)).collect();
        let may: Vec<i64> =
            ids().filter(|&id| dead_in(id) > 0 || self.may_leave_unanswered(&self.forest, record, id)).collect();
        let allowed = format!("every one of {must:?} and no other than {may:?}, ascending");
        let Some(down) = drawing::down_ids(record.reply_text()) else {
            return Err(record.violation(Invariant::Text, allowed));
        };
        if !must.iter().all(|id| down.contains(id)) {
            return Err(record.violation(Invariant::PingAll, allowed));
        }
        if let Some(id) = down.iter().find(|id| !may.contains(id)) {
            let is_early = must.contains(id);
            let invariant = if is_early { Invariant::Promptness } else { Invariant::PingAll };
            return Err(record.violation(invariant, allowed));
        }
        // Nodes further down had less than the reply timeout.
        for &id in &down {
            if self.forest.path(id).len() == 1 {
                self.notice_silence(record, id);
            }
        }
        let is_dead = |id: &i64| !self.may_leave_unanswered(&self.forest, record, *id);
        let dead: Vec<i64> = down.iter().copied().filter(is_dead).collect();
        self.settle_seen(record, views, &down, &dead);
        self.summary.pingalls += 1;
        self.count(1 + may.iter().filter(|id| !must.contains(id)).count());
        Ok(())
    }

    /// `faults`: which faults there are.
    pub(super) fn list_faults(&mut self, record: &Record) -> Result<(), Violation> {
        let checked = self.faults.check_list(self.log, record);
        let is_exact = checked.map_err(|allowed| record.violation(Invariant::Text, allowed))?;
        self.count(if is_exact { 1 } else { 2 });
        Ok(())
    }

    /// `tree`: the shape exactly, the marks as far as they are known.
    pub(super) fn tree(&mut self, record: &Record, views: &[View]) -> Result<(), Violation> {
        let must = |id: i64| views.iter().all(|view| view.forest.is_dead(id)) || self.is_known_silent(record, id);
        let may = |id: i64| {
            views.iter().any(|view| view.forest.is_dead(id)) || self.may_be_known_silent(&self.forest, record, id)
        };
        let lines = drawing::lines(&self.forest, must, may);
        let is_exact = lines.iter().all(|line| line.allowed.len() == 1);
        drawing::compare(&lines, record.reply_text())
            .map_err(|allowed| record.violation(Invariant::Forest, allowed))?;
        let down = drawing::drawn_down(record.reply_text());
        let is_dead = |id: &i64| !self.may_be_known_silent(&self.forest, record, *id);
        let dead: Vec<i64> = down.iter().copied().filter(is_dead).collect();
        self.settle_seen(record, views, &down, &dead);
        self.summary.drawings += 1;
        self.count(if is_exact { 1 } else { 2 });
        Ok(())
    }
}

/// Whether the reply says that somebody is down.
pub(super) fn is_refusal(text: &str) -> bool {
    text == "Ok: 0" || text.ends_with("is unavailable")
}

fn is_help(text: &str, topic: Option<&str>) -> bool {
    let unknown = topic.map(|word| format!("Error: Unknown command: {}", super::command::echoed(word)));
    let lines: Vec<&str> = text.split('\n').collect();
    let is_text =
        lines.len() > 1 && lines.last() == Some(&"") && lines[..lines.len() - 1].iter().all(|it| !it.is_empty());
    is_text || unknown.is_some_and(|unknown| text == unknown)
}
