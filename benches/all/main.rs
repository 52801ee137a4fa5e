//! What the process mode costs, each figure beside a raw baseline in the same run.
//!
//! The baselines are processes with nothing in them but blocking sockets: this program starts itself as such (`raw`).
//! Rounds of ours and of the baseline take turns; each figure is the median of its rounds.

#[path = "process/exec.rs"]
mod exec;
#[path = "process/life.rs"]
mod life;
#[path = "process/program.rs"]
mod program;
#[path = "process/raw.rs"]
mod raw;
#[path = "process/stream.rs"]
mod stream;
#[allow(dead_code, reason = "each benchmark uses its part of it")]
mod table;

use table::Outcome;

fn main() -> Outcome<()> {
    if raw::play_role()? {
        return Ok(());
    }
    let minimal = raw::Minimal::compile()?;
    table::print(|print| {
        if is_wanted("latency") {
            exec::latency(1, print)?;
            exec::latency(8, print)?;
        }
        if is_wanted("pipelined") {
            exec::pipelined(1, print)?;
            exec::pipelined(15, print)?;
        }
        if is_wanted("create") {
            life::create(&minimal, print)?;
        }
        if is_wanted("death") {
            life::death(&minimal, print)?;
        }
        if is_wanted("idle") {
            life::idle(&minimal, print)?;
        }
        if is_wanted("sum") {
            stream::sum(print)?;
        }
        Ok(())
    })
}

/// The name of one benchmark may be given, to run no other.
fn is_wanted(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|wanted| name.contains(&wanted))
}

/// Takes a line of the table.
type Print<'a> = &'a mut dyn FnMut(table::Row) -> std::io::Result<()>;
