//! The line editor, on a thread of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, bounded};
use nodetree::command_sets::StreamedText;
use nodetree::{Command, CommandSet};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler,
    KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::helper::Prompter;
use super::ledger::Ledger;
use super::modes;
use super::paint::Paint;
use super::screen::Screen;
use crate::cli::complain;
use crate::cli::input::{Chunk, Input};

/// How many lines may be typed ahead. Then a line is not taken until an earlier one was read.
const LINES_AHEAD: usize = 64 * 1024;

/// The longest text that the history keeps; what is pasted may be longer.
const HISTORY_BYTES: usize = 4096;

/// How many lines the history keeps.
const HISTORY_LINES: usize = 1000;

const ENTER: KeyEvent = KeyEvent(KeyCode::Enter, Modifiers::NONE);

type Lines = Sender<io::Result<Chunk>>;

/// Starts the editor; nothing when the terminal has no cursor that can be moved.
///
/// The thread is never joined: a read of a terminal may last for ever, and the end of the program ends it.
///
/// # Errors
/// When the operating system refuses a thread, or the terminal its modes.
pub fn start<C: CommandSet>(ledger: Arc<Ledger>, paint: Paint) -> io::Result<Option<(Input, Arc<Screen>)>> {
    // Forced: its questions about colours say where it stands. They answer without colours where there are none.
    let config = Config::builder()
        .color_mode(ColorMode::Forced)
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .build();
    let Ok(mut editor) = Editor::<Prompter<C>, DefaultHistory>::with_config(config) else { return Ok(None) };
    let Ok(printer) = editor.create_external_printer() else { return Ok(None) };
    let screen = Arc::new(Screen::new(printer));
    let (lines, typed) = bounded(LINES_AHEAD);
    editor.set_helper(Some(Prompter::new(Arc::clone(&screen), ledger, paint)));
    for key in [ENTER, KeyEvent::ctrl('J'), KeyEvent::ctrl('C'), KeyEvent::ctrl('D'), KeyEvent::ctrl('Z')] {
        let ends = LineEnd { screen: Arc::clone(&screen), lines: lines.clone(), key };
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(ends)));
    }
    let history = History::load(&mut editor);
    modes::take_over()?;
    let ended = Ended(Arc::clone(&screen));
    let talk = Talk { editor, lines, history, to_come: 0 };
    thread::Builder::new().name("editor".to_owned()).spawn(move || {
        let _ended = ended;
        talk.run();
    })?;
    Ok(Some((Input::of_lines(typed), screen)))
}

/// Tells the screen, also when the editor panics.
struct Ended(Arc<Screen>);

impl Drop for Ended {
    fn drop(&mut self) {
        // What is typed while the program ends is a signal again.
        modes::restore();
        self.0.ended();
    }
}

/// A key that may end the line.
struct LineEnd {
    screen: Arc<Screen>,
    lines: Lines,
    key: KeyEvent,
}

impl ConditionalEventHandler for LineEnd {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let is_enter = self.key == ENTER || self.key == KeyEvent::ctrl('J');
        if is_enter && self.lines.is_full() {
            return Some(Cmd::Noop);
        }
        // In the middle of a line Ctrl-D deletes a character.
        if self.key != KeyEvent::ctrl('D') || context.line().is_empty() {
            self.screen.ends_line();
        }
        None
    }
}

/// The lines of earlier runs: `$XDG_STATE_HOME/nodetree/history`. That it cannot be read or written is no error.
struct History(Option<PathBuf>);

impl History {
    fn load<C: CommandSet>(editor: &mut Editor<Prompter<C>, DefaultHistory>) -> Self {
        let is_absolute = |path: &PathBuf| path.is_absolute();
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(is_absolute);
        let home = || std::env::var_os("HOME").map(PathBuf::from).filter(is_absolute);
        let Some(folder) = state.or_else(|| Some(home()?.join(".local/state"))) else { return Self(None) };
        let folder = folder.join("nodetree");
        let _ = std::fs::create_dir_all(&folder);
        let path = folder.join("history");
        editor.set_max_history_size(HISTORY_LINES).and_then(|()| editor.load_history(&path)).unwrap_or_default();
        Self(Some(path))
    }

    fn add<C: CommandSet>(&self, line: &str, editor: &mut Editor<Prompter<C>, DefaultHistory>) {
        let is_new = editor.add_history_entry(line).unwrap_or(false);
        if let Some(path) = self.0.as_ref().filter(|_| is_new) {
            let _ = editor.append_history(path);
        }
    }
}

/// What the thread holds.
struct Talk<C: CommandSet> {
    editor: Editor<Prompter<C>, DefaultHistory>,
    lines: Lines,
    history: History,
    /// How many lines of a request are still to come.
    to_come: u32,
}

impl<C: CommandSet> Talk<C> {
    fn run(mut self) {
        loop {
            let prompt = self.prompt();
            // The editor counts rows in 16 bits, and a paste may have more.
            let Ok(read) = catch_unwind(AssertUnwindSafe(|| self.editor.readline(prompt))) else {
                complain("what was pasted has too many rows for the line editor, and was not read: use a pipe");
                continue;
            };
            let sent = match read {
                Ok(text) => match self.take(&text) {
                    Next::Line => self.lines.send(Ok((text + "\n").into_bytes().into())),
                    Next::End => return drop(self.lines.send(Ok((text + "\n").into_bytes().into()))),
                },
                Err(ReadlineError::Interrupted) => Ok(()),
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    self.lines.send(Ok(b"\xff\n".to_vec().into()))
                }
                // The terminal is gone.
                Err(_) => return drop(self.lines.send(Ok(Chunk::default()))),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// What is to be typed next.
    fn prompt(&mut self) -> &'static str {
        let to_come = self.to_come;
        if let Some(helper) = self.editor.helper_mut() {
            helper.is_command = to_come == 0;
        }
        match to_come {
            0 => "> ",
            1 => "pattern> ",
            _ => "text> ",
        }
    }

    /// Looks at what was typed, which is several lines when it was pasted.
    fn take(&mut self, text: &str) -> Next {
        let mut is_command = false;
        let mut next = Next::Line;
        for line in text.split('\n') {
            if self.to_come > 0 {
                self.to_come -= 1;
                continue;
            }
            is_command |= !line.trim().is_empty();
            if let StreamedText::Lines(lines) = C::TEXT
                && line.split_ascii_whitespace().next() == Some("exec")
            {
                self.to_come = lines;
            } else if line.len() < 64 && line.parse::<Command<C>>().is_ok_and(|command| command == Command::Exit) {
                next = Next::End;
                break;
            }
            if let Some(helper) = self.editor.helper_mut() {
                helper.learn(line);
            }
        }
        if is_command && text.len() <= HISTORY_BYTES {
            self.history.add(text, &mut self.editor);
        }
        next
    }
}

enum Next {
    Line,
    End,
}
