//! Between whoever prints and the editor that owns the terminal.
//!
//! A text goes to the editor through the external printer of rustyline, one at a time: the next is handed over when the
//! one before it is on the screen. So nobody ever waits inside the printer, the order is kept also while the editor is
//! between two lines, and at the end it is known what has not been shown. Where the editor stands is known from the
//! calls that it makes (see [`helper`](super::helper)).

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustyline::ExternalPrinter;

use super::super::output::Output;
use super::modes;

/// The terminal.
pub struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    phase: Phase,
    printer: Box<dyn ExternalPrinter + Send>,
    /// Handed to the editor, and not on the screen yet.
    handed: Option<String>,
    /// The editor is going to draw its line because of a key.
    keyed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The editor is between two lines, or about to be.
    Between,
    /// A line is being typed.
    Typing,
    /// There is no editor any more.
    Ended,
}

impl Screen {
    /// The editor that has made this printer is about to begin.
    pub fn new(printer: impl ExternalPrinter + Send + 'static) -> Self {
        let state = State { phase: Phase::Between, printer: Box::new(printer), handed: None, keyed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Shows whole lines above the line that is typed. Waits until the text before is shown.
    ///
    /// # Errors
    /// When the terminal fails.
    pub fn show(&self, lines: String) -> io::Result<()> {
        let mut state = self.wait(|state| state.phase == Phase::Typing && state.handed.is_none());
        if state.phase == Phase::Ended {
            let earlier = state.handed.take().unwrap_or_default();
            return Output::stdout()?.write_all((earlier + &lines).as_bytes());
        }
        state.handed = Some(lines.clone());
        state.printer.print(lines).map_err(io::Error::other)
    }

    /// Waits until everything is shown, and takes the terminal from the editor.
    ///
    /// # Errors
    /// When the terminal fails.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.wait(|state| state.handed.is_none());
        let is_typing = state.phase == Phase::Typing;
        state.phase = Phase::Ended;
        let earlier = state.handed.take().unwrap_or_default();
        modes::restore();
        // What comes next does not stand on the line that was typed.
        let end = if is_typing { "\n" } else { "" };
        Output::stdout()?.write_all((earlier + end).as_bytes())
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| state.phase != Phase::Ended && !until(state);
        self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The editor is going to draw its line because of a key, or because it begins.
    pub fn keyed(&self, is_last: bool) {
        let mut state = self.state();
        state.keyed = true;
        match (state.phase, is_last) {
            (Phase::Between, false) => {
                state.phase = Phase::Typing;
                self.changed.notify_all();
            }
            (Phase::Typing, true) => state.phase = Phase::Between,
            _ => {}
        }
    }

    /// The editor draws its line: because of a key, or because a text was shown above it.
    pub fn drawn(&self) {
        let mut state = self.state();
        if !std::mem::take(&mut state.keyed) {
            state.handed = None;
            self.changed.notify_all();
        }
    }

    /// The line is about to end.
    pub fn ends_line(&self) {
        let mut state = self.state();
        if state.phase == Phase::Typing {
            state.phase = Phase::Between;
        }
    }

    /// There is no editor any more.
    pub fn ended(&self) {
        self.state().phase = Phase::Ended;
        self.changed.notify_all();
    }
}
