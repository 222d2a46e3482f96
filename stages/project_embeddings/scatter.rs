//! Scatter plots of points, coloured by group.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow};
use callsheet_figures::style::{COLOURS, FONT, register_fonts};
use image::RgbImage;
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

/// Side of the square with the points, and width of the legend next to it, in pixels.
const SIDE: i32 = 420;
const LEGEND: i32 = 170;
const MARGIN: i32 = 12;
const LINE: i32 = 18;
/// Margin around the points, as a share of the square.
const FREE: f64 = 0.04;
const TITLE: i32 = 16;
const LABEL: i32 = 13;
const RADIUS: i32 = 2;
/// Colour of points without a named group.
const OTHERS: RGBColor = RGBColor(205, 205, 205);
/// Largest number of named groups: each colour is used for circles and for triangles.
const NAMED: usize = 2 * COLOURS.len();

/// One square of points.
pub(super) struct Panel<'a> {
    /// Title of the plot.
    pub title: String,
    /// Places of the points.
    pub points: &'a [[f64; 2]],
    /// Group of each point; empty for none.
    pub groups: &'a [String],
}

/// Draws panels in rows, with a title and a note above.
///
/// # Errors
/// Returns an error if drawing fails.
pub(super) fn draw(title: &str, note: &str, rows: &[Vec<Panel>]) -> Result<RgbImage> {
    register_fonts();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (header, panel) = (MARGIN + 2 * LINE, (MARGIN + SIDE + LEGEND, MARGIN + LINE + SIDE));
    let width = (panel.0 * columns as i32 + MARGIN) as u32;
    let height = (header + panel.1 * rows.len() as i32 + MARGIN) as u32;
    let mut pixels = vec![0; (width * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    let drawn = || -> Drawn {
        area.fill(&WHITE)?;
        area.draw(&Text::new(title, (MARGIN, MARGIN), (FONT, TITLE).into_font()))?;
        area.draw(&Text::new(note, (MARGIN, MARGIN + LINE), (FONT, LABEL).into_font()))?;
        for (y, row) in (0..).zip(rows) {
            for (x, one) in (0..).zip(row) {
                square(&area, (MARGIN + x * panel.0, header + MARGIN + y * panel.1), one)?;
            }
        }
        area.present()
    };
    drawn().map_err(|error| anyhow!("cannot draw the scatter plot: {error}"))?;
    drop(area);
    RgbImage::from_raw(width, height, pixels).context("three bytes per pixel")
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

fn square(area: &Area, (left, top): (i32, i32), panel: &Panel) -> Drawn {
    area.draw(&Text::new(panel.title.as_str(), (left, top), (FONT, LABEL).into_font()))?;
    let top = top + LINE;
    area.draw(&Rectangle::new([(left, top), (left + SIDE, top + SIDE)], BLACK.mix(0.25)))?;
    let named = named(panel.groups);
    let place = places(panel.points);
    let at = |point: &[f64; 2]| {
        let [x, y] = place(point);
        (left + x, top + SIDE - y)
    };
    let points = || panel.points.iter().zip(panel.groups);
    for (point, _) in points().filter(|(_, group)| !named.contains_key(group.as_str())) {
        mark(area, at(point), None)?;
    }
    for (point, group) in points() {
        if let Some(number) = named.get(group.as_str()) {
            mark(area, at(point), Some(*number))?;
        }
    }
    let left = left + SIDE + MARGIN;
    let others = named.len() < points().map(|(_, group)| group).collect::<BTreeSet<_>>().len();
    let mut legend: Vec<(&str, Option<usize>)> = named.iter().map(|(name, n)| (*name, Some(*n))).collect();
    legend.sort_by_key(|(_, number)| *number);
    legend.extend(others.then_some(("others", None)));
    for (line, (name, number)) in (0..).zip(legend) {
        mark(area, (left, top + LINE / 2 + line * LINE), number)?;
        area.draw(&Text::new(name, (left + MARGIN, top + 6 + line * LINE), (FONT, LABEL).into_font()))?;
    }
    Ok(())
}

/// Draws a point of group `number`, or of none.
fn mark(area: &Area, at: (i32, i32), number: Option<usize>) -> Drawn {
    let colour = number.map_or(OTHERS, |number| COLOURS[number % COLOURS.len()]).filled();
    match number {
        Some(number) if number >= COLOURS.len() => area.draw(&TriangleMarker::new(at, 2 * RADIUS, colour)),
        _ => area.draw(&Circle::new(at, RADIUS, colour)),
    }
}

/// Numbers the named groups in the order of their names, which are compared as numbers if they are numbers.
/// If there are too many groups, the largest are named.
fn named(groups: &[String]) -> BTreeMap<&str, usize> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    groups.iter().filter(|group| !group.is_empty()).for_each(|group| *sizes.entry(group).or_default() += 1);
    let mut names: Vec<(&str, usize)> = sizes.into_iter().collect();
    names.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    names.truncate(NAMED);
    names.sort_by_key(|(name, _)| (name.parse::<i64>().ok(), *name));
    names.into_iter().enumerate().map(|(number, (name, _))| (name, number)).collect()
}

/// Returns a function from points to pixels, counted from the lower left corner. Both axes have one scale.
fn places(points: &[[f64; 2]]) -> impl Fn(&[f64; 2]) -> [i32; 2] {
    let ends = [0, 1].map(|axis| {
        let values = points.iter().map(|point| point[axis]);
        values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    });
    let span = ends.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
    let span = if span > 0.0 { span } else { 1.0 };
    let scale = f64::from(SIDE) * (1.0 - 2.0 * FREE) / span;
    move |point| {
        std::array::from_fn(|axis| {
            let (low, high) = ends[axis];
            let middle = low + (high - low) / 2.0;
            (f64::from(SIDE) / 2.0 + (point[axis] - middle) * scale).round() as i32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_axes_have_one_unit_and_points_stay_inside() {
        let place = places(&[[0.0, 5.0], [100.0, 15.0]]);
        let [low, high] = [place(&[0.0, 5.0]), place(&[100.0, 15.0])];
        assert_eq!((low[0], high[0]), (17, 403));
        assert_eq!(high[1] - low[1], 38);
        assert_eq!(places(&[[2.0, 2.0]])(&[2.0, 2.0]), [SIDE / 2; 2]);
    }

    #[test]
    fn clusters_are_in_the_order_of_their_numbers_and_of_many_the_largest_are_named() {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let few = groups(&["10", "9", "", "9"]);
        assert_eq!(named(&few), BTreeMap::from([("9", 0), ("10", 1)]));
        let mut many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        many.extend(groups(&["39", "39", "38"]));
        let found = named(&many);
        assert!(found.len() == NAMED && found["39"] == NAMED - 1 && found["38"] == NAMED - 2, "{found:?}");
    }

    #[test]
    fn groups_have_colours_and_points_without_a_group_are_grey() {
        let points = [[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]];
        let groups = ["fog".to_owned(), "clear".to_owned(), String::new()];
        let panel = || Panel { title: "PCA".into(), points: &points, groups: &groups };
        let picture = draw("Style codes", "synthetic", &[vec![panel(), panel()]]).expect("drawn");
        assert_eq!(picture.dimensions(), (2 * 602 + 12, 48 + 450 + 12));
        let drawn = |colour: RGBColor| {
            picture.pixels().filter(|pixel| pixel.0 == [colour.0, colour.1, colour.2]).count()
        };
        // Each of two panels has a mark for the point and one in the legend.
        assert!([COLOURS[0], COLOURS[1], OTHERS].map(drawn).iter().all(|count| *count >= 4 * 9));
        assert_eq!(drawn(COLOURS[2]), 0);
    }
}
