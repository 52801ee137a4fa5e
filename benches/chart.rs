//! Panels with curves, for the benchmarks that draw what they have measured. Both axes are logarithmic.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours that are told apart also by those who do not see all of them (Okabe and Ito).
pub const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

pub type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of a panel.
pub struct Curve {
    /// Stands in the legend of the panel, if there is one.
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub colour: RGBColor,
    pub is_dashed: bool,
}

/// What a panel is called, and what its axes are.
pub struct Names<'a> {
    pub caption: &'a str,
    /// What goes to the right; nothing is said of it when it is empty.
    pub across: &'a str,
    /// Where the curves are named inside, if they are.
    pub legend: Option<SeriesLabelPosition>,
}

/// The smallest value that is drawn.
const LEAST: f64 = 1e-9;

pub fn draw_panel(panel: &Panel, names: &Names, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (across, up) = (range(points().map(|point| point.0)), range(points().map(|point| point.1.max(LEAST))));
    let mut chart = ChartBuilder::on(panel)
        .caption(names.caption, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(if names.across.is_empty() { 28 } else { 42 })
        .y_label_area_size(58)
        .build_cartesian_2d((across.start * 0.9..across.end * 1.1).log_scale(), decades(up).log_scale())?;
    chart
        .configure_mesh()
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .x_labels(3)
        .y_labels(6)
        .x_desc(names.across)
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    for Curve { name, points, colour, is_dashed } in curves {
        let style = colour.stroke_width(2);
        let points: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (x, y.max(LEAST))).collect();
        let line = if *is_dashed {
            chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style))?
        } else {
            chart.draw_series(LineSeries::new(points.clone(), style))?
        };
        if names.legend.is_some() {
            let (style, width) = (*colour, if *is_dashed { 9 } else { 18 });
            line.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + width, y)], style.stroke_width(3)));
        }
        if points.len() < 20 {
            chart.draw_series(points.into_iter().map(|point| Circle::new(point, 2, colour.filled())))?;
        }
    }
    if let Some(place) = &names.legend {
        let mut labels = chart.configure_series_labels();
        labels.position(place.clone()).background_style(WHITE.mix(0.8));
        labels.label_font(("sans-serif", 13)).draw()?;
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
