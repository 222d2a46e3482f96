//! Curves as a picture: a panel for each thing that was measured, a line for each stage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use callsheet_figures::label::number;
use callsheet_figures::style::{COLOURS, FONT, register_fonts};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

use super::{Curve, Curves};

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (560, 320);
/// Panels side by side.
const COLUMNS: usize = 2;
const TITLE: i32 = 16;
const LABEL: i32 = 12;

/// A curve and what it is called.
pub struct Series {
    /// Told in the legend.
    pub name: String,
    /// Values by step.
    pub curve: Curve,
}

/// One panel.
pub struct Chart {
    /// Name of the metric.
    pub title: String,
    /// Of each stage.
    pub series: Vec<Series>,
}

impl Chart {
    /// Writes `charts` to a picture: PNG or SVG, as its name says.
    ///
    /// # Errors
    /// When the name says neither, or the file cannot be written.
    pub fn write(charts: &[Self], path: &Path) -> Result<()> {
        let (shape, size) = shape(charts, COLUMNS);
        let shown = path.display();
        let failed = |error: String| Error::refused(Code::Io, format!("cannot draw {shown}: {error}"), "");
        register_fonts();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("svg") => fs::write(path, Self::svg(charts, COLUMNS)?).doing("cannot write", path),
            Some("png") => {
                let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
                let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
                draw(charts, area, shape).map_err(|error| failed(error.to_string()))?;
                let picture = RgbImage::from_raw(size.0, size.1, pixels).expect("three bytes a pixel");
                picture.save_with_format(path, ImageFormat::Png).map_err(|error| failed(error.to_string()))
            }
            _ => Err(Error::refused(
                Code::InvalidValue,
                format!("{shown} is not a valid name of a picture"),
                "end it with .png or .svg",
            )),
        }
    }

    /// `charts` as SVG, `columns` side by side.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(charts: &[Self], columns: usize) -> Result<String> {
        let (shape, size) = shape(charts, columns);
        register_fonts();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(charts, area, shape)
            .map_err(|error| Error::refused(Code::Internal, format!("cannot draw curves: {error}"), ""))?;
        Ok(text)
    }

    /// The range of steps, and that of values with room above and below.
    pub fn ranges(&self) -> (std::ops::Range<f64>, std::ops::Range<f64>) {
        let points = || self.series.iter().flat_map(|series| drawable(&series.curve));
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (first, last) = range(&mut points().map(|(step, _)| step));
        let (low, high) = range(&mut points().map(|(_, value)| value));
        if first > last {
            return (0.0..1.0, 0.0..1.0);
        }
        let room = if high > low { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.5 };
        (first..if last > first { last } else { first + 1.0 }, low - room..high + room)
    }
}

/// A panel for each metric, with a curve for each stage of each of these runs.
pub fn charts(found: &[(String, Curves)]) -> Vec<Chart> {
    let mut charts: BTreeMap<&String, Vec<Series>> = BTreeMap::new();
    for (run, stages) in found {
        for (stage, curves) in stages {
            let name = if found.len() > 1 { format!("{run} {stage}") } else { stage.clone() };
            for (metric, curve) in curves {
                let series = Series { name: name.clone(), curve: curve.clone() };
                charts.entry(metric).or_default().push(series);
            }
        }
    }
    charts.into_iter().map(|(title, series)| Chart { title: title.clone(), series }).collect()
}

/// Steps and values that can be drawn: numbers that a single float holds.
pub fn drawable(curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
    let sane = |value: &f64| value.abs() < 1e30;
    curve.iter().filter(move |(_, value)| sane(value)).map(|(step, value)| (*step as f64, *value))
}

/// Rows and columns of panels, and the picture's size in pixels.
fn shape(charts: &[Chart], columns: usize) -> ((usize, usize), (u32, u32)) {
    let columns = charts.len().min(columns);
    let rows = charts.len().div_ceil(columns.max(1));
    ((rows, columns), (PANEL.0 * columns as u32, PANEL.1 * rows as u32))
}

type Area<B> = DrawingArea<B, Shift>;
type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw<B: DrawingBackend>(charts: &[Chart], area: Area<B>, shape: (usize, usize)) -> Drawn<B> {
    area.fill(&WHITE)?;
    for (chart, panel) in charts.iter().zip(area.split_evenly(shape)) {
        draw_one(chart, &panel)?;
    }
    area.present()
}

fn draw_one<B: DrawingBackend>(chart: &Chart, panel: &Area<B>) -> Drawn<B> {
    let (steps, values) = chart.ranges();
    let mut context = ChartBuilder::on(panel)
        .caption(&chart.title, (FONT, TITLE))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(steps, values)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|step| format!("{step}"))
        .y_label_formatter(&|value| number(*value))
        .label_style((FONT, LABEL))
        .draw()?;
    for (series, colour) in chart.series.iter().zip(COLOURS.into_iter().cycle()) {
        let points: Vec<(f64, f64)> = drawable(&series.curve).collect();
        if let [point] = points[..] {
            context.draw_series([Circle::new(point, 3, colour.filled())])?;
        }
        let line = context.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        line.label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    context
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, LABEL))
        .position(SeriesLabelPosition::UpperRight)
        .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> Chart {
        let curve = (0..).zip(values.iter().copied()).collect();
        Chart { title: "error/a".into(), series: vec![Series { name: "train <1>".into(), curve }] }
    }

    #[test]
    fn what_is_no_number_is_left_out_and_one_value_is_enough() {
        assert_eq!(chart(&[f64::NAN, 2.0, f64::INFINITY, -1.7e308]).ranges(), (1.0..2.0, 1.0..3.0));
        assert_eq!(chart(&[]).ranges(), (0.0..1.0, 0.0..1.0));
    }

    #[test]
    fn pictures_are_what_their_names_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let charts = [chart(&[1.0, 3.0, 2.0]), chart(&[]), chart(&[5.0])];
        let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.png"));
        Chart::write(&charts, &svg).expect("drawn");
        let text = fs::read_to_string(svg).expect("text");
        assert!(text.contains("error/a") && text.contains("train &lt;1&gt;"), "{text}");
        Chart::write(&charts, &png).expect("drawn");
        let picture = image::open(png).expect("a picture").to_rgb8();
        assert_eq!(picture.dimensions(), (1120, 640));
        let drawn =
            |colour: RGBColor| picture.pixels().filter(|p| p.0 == [colour.0, colour.1, colour.2]).count();
        assert!(drawn(COLOURS[0]) > 200, "a line is drawn");
        let error = Chart::write(&charts, Path::new("curves.pdf")).expect_err("refused").to_string();
        assert_eq!(error, "curves.pdf is not a valid name of a picture");
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 1234.5, 0.00001, -2.5, 0.25].map(number);
        assert_eq!(shown, ["0", "1234", "1.0e-5", "-2.50", "0.2500"]);
    }
}
