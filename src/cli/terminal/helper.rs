//! What the editor asks while a line is typed: how it goes on, what can stand there, and how it looks.
//!
//! rustyline asks [`Highlighter::highlight_char`] before it draws the line because of a key, and
//! [`Highlighter::highlight_prompt`] whenever it draws it. A prompt that is drawn without the first question stands below
//! a text that was printed. The [`Screen`] is told of both.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use nodetree::CommandSet;
use nodetree::commands::{FORMS, Form, Verb};
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::ledger::Ledger;
use super::paint::Paint;
use super::screen::Screen;

/// How many words are offered at once.
const OFFERED: usize = 200;

/// How many words of execs are kept to be offered.
const WORDS: usize = 1000;

/// What the editor asks.
pub struct Prompter<C> {
    screen: Arc<Screen>,
    ledger: Arc<Ledger>,
    paint: Paint,
    /// Whether a command is typed, and not the text of a request.
    pub is_command: bool,
    words: BTreeSet<String>,
    set: PhantomData<fn() -> C>,
}

impl<C: CommandSet> Prompter<C> {
    /// For the first line.
    pub fn new(screen: Arc<Screen>, ledger: Arc<Ledger>, paint: Paint) -> Self {
        // Words that the form names: `start|stop|time`.
        let named = C::USAGE.split(' ').filter(|word| word.contains('|')).flat_map(|word| word.split('|'));
        let words = named.map(str::to_owned).collect();
        Self { screen, ledger, paint, is_command: true, words, set: PhantomData }
    }

    /// A name that was typed in an exec will be offered, if the form of exec has names.
    pub fn learn(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let is_exec = words.next() == Some("exec") && C::USAGE.contains("name");
        if let Some(name) = words.nth(1).filter(|_| is_exec && self.words.len() < WORDS) {
            self.words.insert(name.to_owned());
        }
    }

    fn candidates(&self, before: &[&str], start: &str) -> Vec<String> {
        let commands = || FORMS.iter().flat_map(|form| form.words).copied().filter(|word| word.starts_with(start));
        let Some(word) = before.first() else { return commands().map(str::to_owned).collect() };
        let verb = Form::find(word).map(|form| form.verb);
        match (verb, before.len()) {
            (Some(Verb::Help), 1) => commands().map(str::to_owned).collect(),
            (Some(Verb::Create), 2) => self.ledger.nodes_like(start, OFFERED),
            (Some(Verb::Exec | Verb::Ping | Verb::Remove | Verb::Kill | Verb::Pause | Verb::Resume), 1) => {
                self.ledger.nodes_like(start, OFFERED)
            }
            (Some(Verb::Exec), 2) => self.words.iter().filter(|word| word.starts_with(start)).cloned().collect(),
            _ => Vec::new(),
        }
    }
}

/// The form of a command as far as it is not typed yet.
pub struct Usage(String);

impl Hint for Usage {
    fn display(&self) -> &str {
        &self.0
    }

    /// It is read, not taken.
    fn completion(&self) -> Option<&str> {
        None
    }
}

/// What is still to come of `form` behind `line`.
fn rest_of_form(form: &str, line: &str) -> Option<String> {
    let typed = line.split_ascii_whitespace().count();
    let is_between = line.ends_with(' ');
    let rest: Vec<&str> = form.split(' ').skip(typed).collect();
    let rest = rest.join(" ");
    (!rest.is_empty()).then(|| if is_between { rest } else { format!(" {rest}") })
}

impl<C: CommandSet> Hinter for Prompter<C> {
    type Hint = Usage;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Usage> {
        let word = line.split_ascii_whitespace().next().filter(|_| self.is_command && at == line.len())?;
        if let Some(form) = Form::find(word) {
            return rest_of_form(form.usage::<C>(), line).map(Usage);
        }
        let mut likely = FORMS.iter().filter(|form| form.words.iter().any(|full| full.starts_with(word)));
        let form = likely.next().filter(|_| line.trim_start() == word)?;
        let full = form.usage::<C>().strip_prefix(word)?;
        likely.next().is_none().then(|| Usage(full.to_owned()))
    }
}

impl<C: CommandSet> Completer for Prompter<C> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..at];
        let start = typed.rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        let before: Vec<_> = typed[..start].split_ascii_whitespace().collect();
        let candidates = if self.is_command { self.candidates(&before, &typed[start..]) } else { Vec::new() };
        Ok((start, candidates))
    }
}

impl<C: CommandSet> Highlighter for Prompter<C> {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        self.screen.drawn();
        Cow::Borrowed(prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.paint.dim(hint)
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.screen.keyed(kind == CmdKind::ForcedRefresh);
        true
    }
}

impl<C: CommandSet> Validator for Prompter<C> {}
impl<C: CommandSet> Helper for Prompter<C> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_what_is_still_to_come() {
        let cases = [
            ("create", Some(" id [parent]")),
            ("create ", Some("id [parent]")),
            ("create 5", Some(" [parent]")),
            ("create 5 ", Some("[parent]")),
            ("create 5 6", None),
        ];
        for (line, expected) in cases {
            assert_eq!(rest_of_form("create id [parent]", line).as_deref(), expected, "{line:?}");
        }
    }
}
