//! The plot: one panel for each operation, both axes logarithmic. What is linear in the size of the tree is a level
//! line, a step with the square of it rises with the grid's diagonal, and what does not depend on it falls.

use nodetree::Mode;
use nodetree::testing::shapes::Shape;
use plotters::prelude::*;

use super::chart::{COLOURS, Curve, Names, Panel, draw_panel};
use super::measure::OPERATIONS;
use super::{Figure, MODES, Outcome};

const COLUMNS: usize = 3;
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 1364;
const HEAD: u32 = 94;

pub(super) fn draw(figures: &[Figure]) -> Outcome<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, panels) = root.split_vertically(HEAD);
        legend(&head)?;
        let panels = panels.split_evenly((OPERATIONS.len().div_ceil(COLUMNS), COLUMNS));
        for (panel, operation) in panels.iter().zip(OPERATIONS) {
            let shown: Vec<&Figure> = figures.iter().filter(|figure| figure.operation == operation).collect();
            draw_operation(panel, operation, &shown)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn legend(head: &Panel) -> Outcome<()> {
    head.draw_text(
        "Cost against the number of nodes: level is linear, falling does not depend on the size",
        &("sans-serif", 20).into_text_style(head),
        (20, 10),
    )?;
    let style = ("sans-serif", 15).into_text_style(head);
    for (mode, top) in MODES.into_iter().zip([52, 76]) {
        for (shape, left) in Shape::ALL.into_iter().zip((20..).step_by(190)) {
            for dash in dashes(vec![(left, top), (left + 34, top)], mode) {
                head.draw(&PathElement::new(dash, colour(shape).stroke_width(3)))?;
            }
            head.draw_text(&format!("{shape}, {mode}"), &style, (left + 40, top - 8))?;
        }
    }
    Ok(())
}

/// The simulated mode is dashed.
fn dashes(points: Vec<(i32, i32)>, mode: Mode) -> Vec<Vec<(i32, i32)>> {
    let [(from, y), (to, _)] = points[..] else { return vec![points] };
    match mode {
        Mode::Simulated => (from..to).step_by(9).map(|x| vec![(x, y), ((x + 5).min(to), y)]).collect(),
        _ => vec![points],
    }
}

fn colour(shape: Shape) -> RGBColor {
    let at = Shape::ALL.iter().position(|other| *other == shape).unwrap_or(0);
    COLOURS[at]
}

fn draw_operation(panel: &Panel, operation: &str, figures: &[&Figure]) -> Outcome<()> {
    let (name, unit) = operation.split_once(", ").unwrap_or((operation, ""));
    let lines = MODES.into_iter().flat_map(|mode| Shape::ALL.map(|shape| (shape, mode)));
    let curve = |(shape, mode)| {
        let of_line = figures.iter().filter(|figure| figure.shape == shape && figure.mode == mode);
        let points = of_line.map(|figure| (figure.size as f64, figure.value.max(0.01))).collect();
        Curve { name: String::new(), points, colour: colour(shape), is_dashed: mode == Mode::Simulated }
    };
    let names = Names { caption: &format!("{name} ({unit})"), across: "", legend: None };
    draw_panel(panel, &names, &lines.map(curve).collect::<Vec<_>>())
}
