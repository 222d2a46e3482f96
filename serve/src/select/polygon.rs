//! Conditions on two columns: the points of the rows are inside of a polygon.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::tables::{Values, floats};

/// Largest number of corners.
const MOST: usize = 100;

/// Polygon in the plane of two columns.
#[derive(Debug, PartialEq)]
pub(crate) struct Polygon {
    corners: Vec<(f64, f64)>,
}

impl Polygon {
    /// Reads the corners, e.g. `0 0 1 0 1 1`: x and y of each.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let numbers = text.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
        let numbers = numbers.ok().filter(|numbers| {
            numbers.len().is_multiple_of(2)
                && (6..=2 * MOST).contains(&numbers.len())
                && numbers.iter().all(|number| number.is_finite())
        });
        let numbers = numbers.ok_or_else(|| {
            let message = format!("`{text}` is not a polygon");
            let help = "write x and y of at least three corners, e.g. a&b:\"0 0 1 0 1 1\"";
            Error::user_error(Code::InvalidValue, message, help)
        })?;
        Ok(Self { corners: numbers.chunks_exact(2).map(|point| (point[0], point[1])).collect() })
    }

    /// Returns true for each point inside. A point without a value is never inside.
    pub(super) fn test(&self, x: &Values, y: &Values) -> Result<Vec<bool>> {
        let (Values::Numbers(x), Values::Numbers(y)) = (x, y) else {
            let message = "a polygon selects points, and one of its columns has no numbers";
            return Err(Error::user_error(Code::InvalidValue, message, "name two columns of numbers"));
        };
        let least =
            |part: fn(&(f64, f64)) -> f64| self.corners.iter().map(part).fold(f64::INFINITY, f64::min);
        let most =
            |part: fn(&(f64, f64)) -> f64| self.corners.iter().map(part).fold(f64::NEG_INFINITY, f64::max);
        let (left, right, bottom, top) = (least(|p| p.0), most(|p| p.0), least(|p| p.1), most(|p| p.1));
        let inside = |(x, y): (Option<f64>, Option<f64>)| match (x, y) {
            (Some(x), Some(y)) => {
                (left..=right).contains(&x) && (bottom..=top).contains(&y) && self.contains(x, y)
            }
            _ => false,
        };
        Ok(floats(x).iter().zip(&floats(y)).map(inside).collect())
    }

    /// Counts the edges to the right of the point; their number is odd inside.
    fn contains(&self, x: f64, y: f64) -> bool {
        let edges = self.corners.iter().zip(self.corners.iter().cycle().skip(1));
        let crosses = |((x1, y1), (x2, y2)): (&(f64, f64), &(f64, f64))| {
            (*y1 > y) != (*y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
        };
        edges.filter(|edge| crosses(*edge)).count() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};

    use super::*;

    fn values(column: impl arrow::array::Array + 'static) -> Values {
        Values::of(&(Arc::new(column) as ArrayRef)).expect("values")
    }

    #[test]
    fn points_inside_of_a_polygon_are_selected() {
        // A square without its upper right quarter.
        let polygon = Polygon::parse("0 0 4 0 4 2 2 2 2 4 0 4").expect("a polygon");
        let x = values(Float64Array::from(vec![
            Some(1.0),
            Some(3.0),
            Some(3.0),
            Some(1.0),
            None,
            Some(f64::NAN),
            Some(5.0),
        ]));
        let y = values(Int32Array::from(vec![1, 1, 3, 3, 1, 1, 1]));
        assert_eq!(polygon.test(&x, &y).expect("tested"), [true, true, false, true, false, false, false]);
        assert!(polygon.test(&x, &values(StringArray::from(vec!["a"; 7]))).is_err());
    }

    #[test]
    fn other_texts_are_not_polygons() {
        let many = "1 2 ".repeat(MOST + 1);
        for text in ["", "1 2 3 4", "1 2 3 4 5", "1 2 3 4 5 x", "1 2 3 4 5 inf", &many] {
            assert!(Polygon::parse(text).is_err(), "{text}");
        }
    }
}
