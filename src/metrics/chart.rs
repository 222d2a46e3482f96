//! Curves as an image: a panel for each metric, a line for each stage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use callsheet_figures::label::number;
use callsheet_figures::style::{COLOURS, FONT, register_fonts};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use image::{ImageError, ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

use super::{Curve, Curves};

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (560, 320);
/// Number of panels in a row.
const COLUMNS: usize = 2;
const TITLE: i32 = 16;
const LABEL: i32 = 12;

/// A curve and its name.
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Values by step.
    pub curve: Curve,
}

/// One panel.
pub struct Chart {
    /// Name of the metric.
    pub title: String,
    /// Curves of the stages.
    pub series: Vec<Series>,
}

impl Chart {
    /// Writes `charts` to an image, PNG or SVG according to the extension of `path`.
    ///
    /// # Errors
    /// Returns an error if the extension is another one, or the file cannot be written.
    pub fn write(charts: &[Self], path: &Path) -> Result<()> {
        let (shape, size) = shape(charts, COLUMNS);
        let shown = path.display();
        let failed = |error: String| Error::user_error(Code::Io, format!("cannot draw {shown}: {error}"), "");
        register_fonts();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("svg") => fs::write(path, Self::svg(charts, COLUMNS)?).io_context("cannot write", path),
            Some("png") => {
                let mut pixels = vec![0; (size.0 * size.1 * 3) as usize];
                let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
                draw(charts, area, shape).map_err(|error| failed(error.to_string()))?;
                let picture = RgbImage::from_raw(size.0, size.1, pixels).expect("three bytes per pixel");
                picture.save_with_format(path, ImageFormat::Png).map_err(|error| match error {
                    ImageError::IoError(cause) => {
                        Error::Io { doing: "cannot write", path: path.to_owned(), cause }
                    }
                    error => failed(error.to_string()),
                })
            }
            _ => Err(Error::user_error(
                Code::InvalidValue,
                format!("`{shown}` does not end in .png or .svg"),
                "use one of these extensions for the image",
            )),
        }
    }

    /// Returns `charts` as SVG with `columns` panels in a row.
    ///
    /// # Errors
    /// Returns an error if the charts cannot be drawn.
    pub fn svg(charts: &[Self], columns: usize) -> Result<String> {
        let (shape, size) = shape(charts, columns);
        register_fonts();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(charts, area, shape)
            .map_err(|error| Error::user_error(Code::Internal, format!("cannot draw curves: {error}"), ""))?;
        Ok(text)
    }

    /// Returns the range of steps, and the range of values with a margin above and below.
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

/// Returns a panel for each metric, with a curve for each stage of each run in `found`.
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

/// Returns the steps and values that can be drawn: numbers that fit a 32-bit float.
pub fn drawable(curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
    let sane = |value: &f64| value.abs() < 1e30;
    curve.iter().filter(move |(_, value)| sane(value)).map(|(step, value)| (*step as f64, *value))
}

/// Returns the numbers of rows and columns of panels, and the width and height of the image in pixels.
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
    fn ranges_leave_out_unusable_values_and_are_never_empty() {
        assert_eq!(chart(&[f64::NAN, 2.0, f64::INFINITY, -1.7e308]).ranges(), (1.0..2.0, 1.0..3.0));
        assert_eq!(chart(&[]).ranges(), (0.0..1.0, 0.0..1.0));
    }

    #[test]
    fn charts_are_written_in_the_format_of_their_file_name() {
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
        assert_eq!(error, "`curves.pdf` does not end in .png or .svg");
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 1234.5, 0.00001, -2.5, 0.25].map(number);
        assert_eq!(shown, ["0", "1234", "1.0e-5", "-2.50", "0.2500"]);
    }
}
