//! What is drawn: figures against depth, against the number of nodes, and how soon an end is noticed.

use std::fmt::Write as _;
use std::time::Duration;

use nodetree::Mode;
use plotters::prelude::*;
use rustix::process::Signal;

use crate::bare::{Bare, Way};
use crate::chart::{COLOURS, Curve, Names, draw_panel};
use crate::exec::{Chain, each, rates};
use crate::large;
use crate::life::detection;
use crate::many::memory_of_one;
use crate::peers::Peers;
use crate::raw::Raw;
use crate::table::{Outcome, Scale, in_turns, median};
use crate::threads::Ours;

/// The period of the heartbeats in which a stopped node is missed.
const PERIOD: Duration = Duration::from_millis(50);

/// One panel.
pub struct Figure {
    caption: &'static str,
    across: &'static str,
    /// Where there are no curves.
    legend: SeriesLabelPosition,
    curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// All panels, measured on all cores.
pub fn measured(peers: &Peers) -> Outcome<[Figure; 4]> {
    Ok([latency(peers)?, throughput()?, memory(peers)?, detected()?])
}

fn latency(peers: &Peers) -> Outcome<Figure> {
    let (rounds, count) = Scale::asked().pick((1, 10), (3, 200), (9, 1_000));
    let depths = Scale::asked().pick(&[1, 2][..], &[1, 2, 4, 8], &[1, 2, 4, 8, 16, 32]);
    let names = ["processes", "bare forwarders", "threads", "bare actors", "ractor"];
    let mut curves = names.map(|name| (name.to_owned(), Vec::new()));
    for &depth in depths {
        let (processes, mut raw) = (Chain::start(depth)?, Raw::chain(depth)?);
        let (threads, bare) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth, Way::DownAndUp)?);
        let mut ractor = peers.ractor_chain(depth)?;
        let figures = in_turns(
            rounds,
            [
                &mut || each(count, || processes.exchange()),
                &mut || each(count, || raw.exchange()),
                &mut || each(count, || threads.exchange()),
                &mut || each(count, || bare.exchange()),
                &mut || ractor.measure(count),
            ],
        )?;
        for ((_, points), figures) in curves.iter_mut().zip(&figures) {
            points.push((depth as f64, median(figures) * 1e6));
        }
    }
    let legend = SeriesLabelPosition::LowerRight;
    Ok(Figure { caption: "One exec (µs)", across: "depth", legend, curves: curves.into() })
}

fn throughput() -> Outcome<Figure> {
    let sizes = Scale::asked().pick(&[1, 3][..], &[1, 7, 31], &[1, 3, 7, 15, 31, 63, 127, 255]);
    let mut curves = ["program", "bare forwarders"].map(|name| (name.to_owned(), Vec::new()));
    for &nodes in sizes {
        for ((_, points), figures) in curves.iter_mut().zip(rates(nodes)?) {
            points.push((nodes as f64, median(&figures)));
        }
    }
    Ok(Figure {
        caption: "Execs spread over all nodes (a second)",
        across: "nodes, a binary tree",
        legend: SeriesLabelPosition::LowerLeft,
        curves: curves.into(),
    })
}

fn memory(peers: &Peers) -> Outcome<Figure> {
    let processes = Scale::asked().pick(&[3, 10][..], &[10, 100], &[10, 100, 1_000]);
    let actors = Scale::asked().pick(&[10, 100][..], &[1_000, 10_000], &[1_000, 10_000, 100_000, 1_000_000]);
    let mut ours = Vec::new();
    for &nodes in processes {
        ours.push((nodes as f64, memory_of_one(nodes)?));
    }
    let mut curves = vec![("processes".to_owned(), ours)];
    for mode in [Mode::Threads, Mode::Simulated] {
        let mut points = Vec::new();
        for &nodes in actors {
            points.push((nodes as f64, large::measured(mode, nodes)?.bytes));
        }
        curves.push((mode.to_string(), points));
    }
    let mut ractor = Vec::new();
    for &nodes in actors.iter().filter(|&&nodes| nodes <= 100_000) {
        ractor.push((nodes as f64, peers.ractor_bytes()?.measure(nodes)?));
    }
    curves.push(("ractor".to_owned(), ractor));
    let legend = SeriesLabelPosition::UpperRight;
    Ok(Figure { caption: "Memory of a node (bytes)", across: "nodes", legend, curves })
}

fn detected() -> Outcome<Figure> {
    let times = Scale::asked().pick(2, 30, 200);
    let mut curves = Vec::new();
    for (name, signal) in [("killed", Signal::KILL), ("stopped", Signal::STOP)] {
        let figures = detection(signal, PERIOD, times)?;
        let share = |at: usize| (at + 1) as f64 * 100.0 / figures.len() as f64;
        curves.push((name.to_owned(), figures.iter().enumerate().map(|(at, time)| (share(at), time * 1e3)).collect()));
    }
    let legend = SeriesLabelPosition::UpperLeft;
    let caption = "From the signal to the notice, heartbit 50 (ms)";
    Ok(Figure { caption, across: "per cent of the nodes", legend, curves })
}

/// As rows of a table.
pub fn csv(figures: &[Figure]) -> Outcome<String> {
    let mut text = "figure,curve,across,value\n".to_owned();
    for Figure { caption, curves, .. } in figures {
        for (name, points) in curves {
            points.iter().try_for_each(|(x, y)| writeln!(text, "\"{caption}\",{name},{x},{y:.3}"))?;
        }
    }
    Ok(text)
}

/// As a drawing.
pub fn draw(figures: &[Figure]) -> Outcome<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (1000, 760)).into_drawing_area();
        root.fill(&WHITE)?;
        for (panel, Figure { caption, across, legend, curves }) in root.split_evenly((2, 2)).iter().zip(figures) {
            let curves: Vec<Curve> = curves
                .iter()
                .zip(COLOURS)
                .map(|((name, points), colour)| Curve {
                    name: name.clone(),
                    points: points.clone(),
                    colour,
                    is_dashed: ["bare", "ractor"].iter().any(|other| name.starts_with(other)),
                })
                .collect();
            draw_panel(panel, &Names { caption, across, legend: Some(legend.clone()) }, &curves)?;
        }
        root.present()?;
    }
    Ok(svg)
}
