//! The log: what a program and its nodes say on standard error besides errors.

use std::fmt;
use std::io;

use nodetree::modes::process::{is_node, node_id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The environment variable that names a level. The program sets it for its nodes.
pub const VARIABLE: &str = "NODETREE_LOG";

/// What is logged: `-v` or `-vv`, else what the environment says, else warnings and errors.
///
/// # Errors
/// What is wrong with the variable. Where `-v` is given, nobody reads it.
pub fn level(verbose: u8) -> Result<LevelFilter, String> {
    match verbose {
        0 => of_environment(),
        1 => Ok(LevelFilter::INFO),
        _ => Ok(LevelFilter::DEBUG),
    }
}

fn of_environment() -> Result<LevelFilter, String> {
    let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(LevelFilter::WARN);
    };
    let all = ["off", "error", "warn", "info", "debug", "trace"];
    let known = value.to_str().filter(|name| all.contains(name)).and_then(|name| name.parse().ok());
    known.ok_or_else(|| format!("{VARIABLE}: expected one of {}, found {value:?}", all.join(", ")))
}

/// Logs from now on.
pub fn start(level: LevelFilter) {
    let who = (!is_node()).then(|| "control node".to_owned()).or_else(name_of_node);
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(false);
    // A standard error that is closed is nobody's to be told.
    let log = log.log_internal_errors(false).event_format(Line { who }).finish();
    // There is one already only where this is called twice.
    let _ = tracing::subscriber::set_global_default(log);
}

/// Logs from now on if this process is a node. The program has seen to it that the variable is right.
pub fn start_in_node() {
    if is_node() {
        start(of_environment().unwrap_or(LevelFilter::WARN));
    }
}

fn name_of_node() -> Option<String> {
    node_id().map(|id| format!("node {id}"))
}

/// `2026-11-25T14:12:58.123456Z  INFO node 5: what happened field=value`
struct Line {
    /// Nothing in a process that was started before it was known which node it would be.
    who: Option<String>,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut to)?;
        let who = self.who.clone().or_else(name_of_node);
        let who = who.as_deref().unwrap_or("spare process");
        write!(to, " {:>5} {who}: ", event.metadata().level())?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
