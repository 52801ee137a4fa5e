//! Everything that nodetree is measured by, as one table: what was measured from where to where, our figure, that of a
//! baseline in the same run, how many times more ours costs, what is to be reached, and whether it was.
//!
//! `cargo bench --bench all` takes some minutes. `cargo bench --bench all -- --full` takes large trees and long requests
//! at their full size, and writes what it has measured to `benches/results`, with drawings. A word is a part: `-- sum`.
//!
//! Rounds of ours and of the baselines take turns; each figure is the median of its rounds, the first of which is not
//! counted. Everything runs on one core, then on all. The baselines that are processes with nothing in them are this
//! program in a role (`raw`); those that need crates of their own are another one, which it compiles (`benches/peers`).

mod bare;
#[path = "../chart.rs"]
mod chart;
mod curves;
mod exec;
mod frames;
mod large;
mod life;
mod many;
mod peers;
mod program;
mod raw;
mod results;
mod stream;
#[allow(dead_code, reason = "each benchmark uses its part of it")]
#[path = "../table.rs"]
mod table;
mod threads;

use peers::Peers;
use raw::Minimal;
use table::{Cores, Outcome, Print, Scale};

fn main() -> Outcome<()> {
    if raw::play_role()? {
        return Ok(());
    }
    let (minimal, peers) = (Minimal::compile()?, Peers::compile()?);
    let rows = table::print(|cores, print| {
        for (name, part) in PARTS.into_iter().filter(|(name, _)| is_wanted(name)) {
            part(&minimal, &peers, print).map_err(|error| format!("{name}: {error}"))?;
        }
        // What is heavy has its goals on one core, and is not measured twice.
        for (name, part) in HEAVY.into_iter().filter(|(name, _)| cores == Cores::One && is_wanted(name)) {
            part(&minimal, &peers, print).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    })?;
    if is_wanted("curves") {
        let curves = curves::measured(&peers)?;
        results::save_curves(&curves, Scale::asked() == Scale::Full)?;
    }
    // A table of a few parts does not take the place of one with all of them.
    if Scale::asked() == Scale::Full && are_all_wanted() {
        results::save_table(&rows)?;
    }
    Ok(())
}

type Part = fn(&Minimal, &Peers, Print<'_>) -> Outcome<()>;

const PARTS: [(&str, Part); 8] = [
    ("latency", |_, peers, print| {
        exec::latency(1, peers, print)?;
        exec::latency(8, peers, print)
    }),
    ("pipelined", |_, _, print| [1, 15, 255].into_iter().try_for_each(|nodes| exec::pipelined(nodes, print))),
    ("threads", |_, peers, print| {
        [1, 8].into_iter().try_for_each(|depth| threads::latency(depth, peers, print))?;
        [1, 8].into_iter().try_for_each(|depth| threads::pipelined(depth, print))?;
        threads::long_chain(peers, print)?;
        threads::simulated(print)?;
        threads::with_an_empty_plan(print)
    }),
    ("create", |minimal, _, print| life::create(minimal, print)),
    ("death", |minimal, _, print| life::death(minimal, print)),
    ("sum", |_, _, print| {
        stream::sum(print)?;
        stream::sum_of_file(print)
    }),
    ("search", |_, _, print| stream::search(print)),
    ("growth", |_, _, print| many::growth(print)),
];

const HEAVY: [(&str, Part); 4] = [
    ("idle", |minimal, _, print| life::idle(minimal, print)),
    ("beating", |_, _, print| many::beating(print)),
    ("many", |minimal, _, print| many::many(minimal, print)),
    ("million", |_, peers, print| large::million(peers, print)),
];

/// The names of parts may be given, to run no others.
fn is_wanted(name: &str) -> bool {
    are_all_wanted() || words().any(|wanted| name.contains(&wanted))
}

fn are_all_wanted() -> bool {
    words().next().is_none()
}

fn words() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-'))
}
