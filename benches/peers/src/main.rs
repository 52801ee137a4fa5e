//! Others that do a part of what nodetree does, to be measured beside it.
//!
//! The first argument is what is measured. Each line of standard input is a number of times; the answer is a line with
//! the seconds that one took. All of it runs on one thread, as one arbiter does.

mod actors;
mod sockets;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mpsc"] => runtime.block_on(actors::channels()),
        ["ask"] => runtime.block_on(actors::ask()),
        ["chain", depth] => runtime.block_on(actors::chain(depth.parse()?)),
        ["bytes"] => runtime.block_on(actors::bytes()),
        ["dealer", path] => runtime.block_on(sockets::dealer(path)),
        ["router", path] => runtime.block_on(sockets::router(path)),
        _ => Err("what is to be measured?".into()),
    }
}

/// Answers the lines of standard input with what one exchange takes.
async fn measure(mut exchange: impl AsyncFnMut() -> Outcome<()>) -> Outcome<()> {
    for line in io::stdin().lock().lines() {
        let count: u32 = line?.parse()?;
        let start = Instant::now();
        for _ in 0..count {
            exchange().await?;
        }
        say(start.elapsed().as_secs_f64() / f64::from(count))?;
    }
    Ok(())
}

fn say(figure: f64) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{figure}")?;
    Ok(out.flush()?)
}
