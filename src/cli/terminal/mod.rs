//! The program at a terminal: a line editor on a thread of its own, and replies above the line that is typed.
//!
//! ```text
//! editor ──lines──> session ──commands──> NodeTree ──replies, notices──> teller
//!    ^                 └────────what was asked, in the ledger──────────────^ │
//!    └──────────────────────texts, through the screen────────────────────────┘
//! ```
//!
//! Nothing that reads or prints commands for a pipe comes by here, but for `--timing` and `--color always`.

mod editor;
mod helper;
mod ledger;
mod modes;
mod paint;
mod screen;
mod teller;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use nodetree::{CommandSet, SystemConfig};

use super::args::{ColorWhen, Look};
use super::input::Input;
use super::output::Output;

pub use ledger::{Asked, Ledger};
pub use modes::restore;
pub use paint::Paint;
pub use screen::Screen;
pub use teller::{Sink, Teller};

/// A terminal with an editor on it.
pub struct Console {
    /// The lines that are typed.
    pub input: Input,
    /// Where replies are shown.
    pub screen: Arc<Screen>,
}

impl Console {
    /// Starts the editor, when standard input and standard output are a terminal that can move its cursor.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn start<C: CommandSet>(config: &SystemConfig, ledger: &Arc<Ledger>, paint: Paint) -> io::Result<Option<Self>> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(None);
        }
        greet::<C>(config, paint)?;
        let started = editor::start::<C>(Arc::clone(ledger), paint)?;
        Ok(started.map(|(input, screen)| Self { input, screen }))
    }
}

/// Which system runs, and how to get help.
fn greet<C: CommandSet>(config: &SystemConfig, paint: Paint) -> io::Result<()> {
    let SystemConfig { topology, mode, reply_timeout, .. } = config;
    let version = env!("CARGO_PKG_VERSION");
    let what = format!(
        "nodetree {version}: {mode} mode, {topology} topology, {} commands, reply timeout {reply_timeout}",
        C::NAME
    );
    let help = "help lists what can be typed, help exec shows what exec does; Ctrl-D ends";
    Output::stdout()?.write_all(format!("{}\n{}\n", paint.dim(&what), paint.dim(help)).as_bytes())
}

impl Look {
    /// With which colours replies are printed.
    pub fn paint(self) -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Paint(match self.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => io::stdout().is_terminal() && !is_dumb && !is_set("NO_COLOR"),
        })
    }
}
