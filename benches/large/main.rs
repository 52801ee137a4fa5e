//! What each operation costs against the size of the tree: chains, stars, lists and balanced trees up to 100 000 nodes,
//! random trees and search trees up to 1 000 000, in the simulated and the threads mode.
//!
//! `cargo bench --bench large` prints the nanoseconds for each node of the tree, so that
//! a step that is not linear is seen to grow, and writes them with a plot to `benches/results`. An argument, as
//! `-- 100000`, is the largest size. Each tree is measured in a process of its own, in which
//! the memory that it takes can be told from that of others.

#[path = "../chart.rs"]
mod chart;
mod measure;
mod plot;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use nodetree::Mode;
use nodetree::testing::shapes::Shape;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The modes that are measured.
const MODES: [Mode; 2] = [Mode::Simulated, Mode::Threads];

/// Behind it stand the shape, the mode, the size and the number of rounds that this process is to measure.
const ONE_TREE: &str = "--one-tree";

const SIZES: [usize; 7] = [1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000];

/// Without the flag of `cargo bench` (`cargo test --benches`) everything runs once, for a moment.
const TINY: [usize; 2] = [10, 100];

/// So many nodes are made in all, where more than one round fits.
const NODES_IN_ALL: usize = 60_000;

/// One figure: an operation on one tree.
struct Figure {
    shape: Shape,
    mode: Mode,
    size: usize,
    operation: String,
    value: f64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, shape, mode, size, rounds] = &arguments[..]
        && flag == ONE_TREE
    {
        return measure::one_tree(shape_named(shape)?, mode.parse()?, size.parse()?, rounds.parse()?);
    }
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let most = arguments.iter().find_map(|argument| argument.parse().ok());
    let sizes = if measures { &SIZES[..] } else { &TINY };
    let sizes: Vec<usize> = sizes.iter().copied().filter(|&size| size <= most.unwrap_or(usize::MAX)).collect();
    let mut figures = Vec::new();
    for &size in &sizes {
        let fit = |(shape, _): &(Shape, Mode)| size <= most_nodes(*shape);
        for (shape, mode) in Shape::ALL.into_iter().flat_map(|shape| MODES.map(|mode| (shape, mode))).filter(fit) {
            figures.extend(run_one(shape, mode, size, measures)?);
        }
        if measures {
            save(&figures)?;
        }
    }
    io::stdout().lock().write_all(table(&figures, &sizes)?.as_bytes())?;
    Ok(())
}

/// How large trees of this shape become.
fn most_nodes(shape: Shape) -> usize {
    match shape {
        Shape::Random | Shape::SearchTree => 1_000_000,
        Shape::Chain | Shape::Star | Shape::List | Shape::Balanced => 100_000,
    }
}

fn save(figures: &[Figure]) -> Outcome<()> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
    std::fs::create_dir_all(&results)?;
    std::fs::write(results.join("large.csv"), csv(figures)?)?;
    std::fs::write(results.join("large.svg"), plot::draw(figures)?)?;
    Ok(())
}

fn shape_named(name: &str) -> Outcome<Shape> {
    Ok(Shape::ALL.into_iter().find(|shape| shape.to_string() == name).ok_or("no such shape")?)
}

/// Measures one tree in a process of its own.
fn run_one(shape: Shape, mode: Mode, size: usize, measures: bool) -> Outcome<Vec<Figure>> {
    let rounds = if measures { (NODES_IN_ALL / size).clamp(1, 5) } else { 1 };
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ONE_TREE).args([shape.to_string(), mode.to_string(), size.to_string(), rounds.to_string()]);
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{shape} of {size} nodes, {mode}: {}", output.status).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    let figure = |line: &str| -> Outcome<Figure> {
        let (operation, value) = line.rsplit_once(',').ok_or("a line is an operation and a figure")?;
        Ok(Figure { shape, mode, size, operation: operation.to_owned(), value: value.parse()? })
    };
    lines.lines().map(figure).collect()
}

/// One block for each operation, one line for each shape and mode, one column for each size.
fn table(figures: &[Figure], sizes: &[usize]) -> Outcome<String> {
    let mut text = String::new();
    for operation in measure::OPERATIONS {
        write!(text, "\n{operation:<30}")?;
        sizes.iter().try_for_each(|size| write!(text, "{size:>12}"))?;
        for (shape, mode) in Shape::ALL.into_iter().flat_map(|shape| MODES.map(|mode| (shape, mode))) {
            write!(text, "\n  {:<28}", format!("{shape}, {mode}"))?;
            for figure in figures.iter().filter(|it| (it.shape, it.mode, &*it.operation) == (shape, mode, operation)) {
                write!(text, "{:>12.1}", figure.value)?;
            }
        }
        text.push('\n');
    }
    Ok(text)
}

fn csv(figures: &[Figure]) -> Outcome<String> {
    let mut text = "shape,mode,size,operation,value\n".to_owned();
    for Figure { shape, mode, size, operation, value } in figures {
        writeln!(text, "{shape},{mode},{size},\"{operation}\",{value:.3}")?;
    }
    Ok(text)
}
