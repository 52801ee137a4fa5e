//! What is logged to standard error, by the control node and by the processes of nodes.

use std::ffi::OsString;
use std::io::{self, Write};
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged; nodes are started with it.
pub const VARIABLE: &str = "NODETREE_LOG";

/// Begins to log. `NODETREE_LOG` says what; where it is not set, or is not understood, the number of `-v` does.
///
/// A process that is a node puts its id before each line.
pub fn start(verbosity: u8, args: &[OsString]) {
    let asked = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = asked.as_deref().map(Targets::from_str);
    let by_verbosity = || Targets::new().with_target("nodetree", level(verbosity)).with_default(LevelFilter::WARN);
    let wrong = filter.as_ref().and_then(|filter| filter.as_ref().err().map(ToString::to_string));
    let filter = filter.and_then(Result::ok).unwrap_or_else(by_verbosity);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Named(name(args)));
    // Somebody else logs already, which cannot be.
    let _ = tracing_subscriber::registry().with(layer).with(filter).try_init();
    if let Some(wrong) = wrong {
        tracing::warn!("{VARIABLE} is not understood: {wrong}");
    }
}

fn level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Nodes are started as `nodetree __node ID COMMANDS`.
fn name(args: &[OsString]) -> String {
    match args.get(1..3) {
        Some([what, id]) if what == "__node" => format!("node {}: ", id.display()),
        _ => "nodetree: ".to_owned(),
    }
}

/// Standard error, with a name before each line. An event comes in one piece and is written as one.
struct Named(String);

struct Line<'a>(&'a str);

impl<'a> MakeWriter<'a> for Named {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = [self.0.as_bytes(), bytes].concat();
        io::stderr().write_all(&line).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
