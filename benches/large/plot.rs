//! The plot: one panel for each operation, both axes logarithmic. What is linear in the size of the tree is a level
//! line, a step with the square of it rises with the grid's diagonal, and what does not depend on it falls.

use std::ops::Range;

use nodetree::Mode;
use nodetree::testing::shapes::Shape;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::measure::OPERATIONS;
use super::{Figure, MODES, Outcome};

const COLUMNS: usize = 3;
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 1364;
const HEAD: u32 = 94;

/// Colours that are told apart also by those who do not see all of them (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

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
            draw_panel(panel, operation, &shown)?;
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

fn draw_panel(panel: &Panel, operation: &str, figures: &[&Figure]) -> Outcome<()> {
    let (name, unit) = operation.split_once(", ").unwrap_or((operation, ""));
    let sizes = range(figures.iter().map(|figure| figure.size as f64));
    let values = range(figures.iter().map(|figure| figure.value.max(0.01)));
    let mut chart = ChartBuilder::on(panel)
        .caption(format!("{name} ({unit})"), ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(58)
        .build_cartesian_2d((sizes.start * 0.9..sizes.end * 1.1).log_scale(), decades(values).log_scale())?;
    chart
        .configure_mesh()
        .x_label_formatter(&|size| short(*size))
        .y_label_formatter(&|value| short(*value))
        .x_labels(3)
        .y_labels(6)
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (shape, mode) in MODES.into_iter().flat_map(|mode| Shape::ALL.map(|shape| (shape, mode))) {
        let of_line = figures.iter().filter(|figure| figure.shape == shape && figure.mode == mode);
        let points: Vec<(f64, f64)> = of_line.map(|figure| (figure.size as f64, figure.value.max(0.01))).collect();
        let style = colour(shape).stroke_width(2);
        match mode {
            Mode::Simulated => chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style))?,
            _ => chart.draw_series(LineSeries::new(points.clone(), style))?,
        };
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 2, colour(shape).filled())))?;
    }
    Ok(())
}

fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    values.fold(f64::MAX..f64::MIN_POSITIVE, |range, value| range.start.min(value)..range.end.max(value))
}

/// From one power of ten to another.
fn decades(values: Range<f64>) -> Range<f64> {
    10_f64.powf(values.start.log10().floor())..10_f64.powf(values.end.log10().floor() + 1.0)
}

/// `30 k` for 30 000.
fn short(value: f64) -> String {
    match value {
        value if value >= 999_999.0 => format!("{} M", value / 1e6),
        value if value >= 1_000.0 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}
