//! Conditions on the values of a column.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::polygon::Polygon;
use super::split::{Part, split, unquoted};
use crate::tables::{Values, floats};
use crate::view::View;

/// Condition on the values of one column, or of two.
#[derive(Debug, PartialEq)]
pub(crate) enum Condition {
    Of(OfColumn),
    /// The values of the columns x and y are a point inside of the polygon.
    Inside {
        x: String,
        y: String,
        polygon: Polygon,
    },
}

/// Condition on the values of one column: at least one of its alternatives.
#[derive(Debug, PartialEq)]
pub(crate) struct OfColumn {
    column: String,
    /// Texts after the colon: a value, a range `10..20` with both ends or `10..<20` without the upper one, or a text with
    /// `*` at its ends for any characters.
    alternatives: Vec<Part>,
}

/// Range of numbers.
struct Range {
    least: f64,
    most: f64,
    /// True if the upper end is outside of the range.
    open: bool,
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let malformed = || malformed(format!("`{text}` is not a condition"));
        let [column, test] = split(text, ':', 2)[..] else { return Err(malformed()) };
        if let [x, y] = split(column, '&', 2)[..] {
            let polygon = Polygon::parse(&unquoted(test).text)?;
            return Ok(Self::Inside { x: unquoted(x).text, y: unquoted(y).text, polygon });
        }
        let column = unquoted(column).text;
        let alternatives: Vec<Part> = split(test, '|', usize::MAX).into_iter().map(unquoted).collect();
        if column.is_empty()
            || alternatives
                .iter()
                .any(|part| part.text.is_empty() && !part.quoted && part.open == [false, false])
        {
            return Err(malformed());
        }
        Ok(Self::Of(OfColumn { column, alternatives }))
    }

    /// Returns true if this is a condition on one column with this name.
    pub(crate) fn is_on(&self, column: &str) -> bool {
        matches!(self, Self::Of(condition) if condition.column == column)
    }

    /// Returns true for each row that satisfies the condition. A row without a value never does.
    ///
    /// # Errors
    /// Returns an error if a column is unknown or cannot be read, or the condition does not suit its type.
    pub(super) fn test(&self, view: &View) -> Result<Vec<bool>> {
        match self {
            Self::Of(condition) => condition.test(&*view.values(&condition.column)?),
            Self::Inside { x, y, polygon } => polygon.test(&*view.values(x)?, &*view.values(y)?),
        }
    }
}

impl OfColumn {
    fn test(&self, values: &Values) -> Result<Vec<bool>> {
        let fits = |text: Option<&str>| {
            text.is_some_and(|text| self.alternatives.iter().any(|part| part.matches(text)))
        };
        Ok(match values {
            Values::Numbers(numbers) => self.test_numbers(numbers)?,
            Values::Texts(texts) => texts.iter().map(fits).collect(),
            Values::Categories { codes, names } => {
                let named: Vec<bool> = names.iter().map(|name| fits(Some(name))).collect();
                codes.iter().map(|code| named.get(usize::from(*code)).is_some_and(|fits| *fits)).collect()
            }
        })
    }

    fn test_numbers(&self, numbers: &ArrayRef) -> Result<Vec<bool>> {
        let ranges = self.alternatives.iter().map(|part| self.range(part, numbers.data_type()));
        let ranges = ranges.collect::<Result<Vec<Range>>>()?;
        let floats = floats(numbers);
        let fits = |value: f64| ranges.iter().any(|range| range.contains(value));
        if floats.null_count() == 0 {
            return Ok(floats.values().iter().map(|value| fits(*value)).collect());
        }
        Ok(floats.iter().map(|value| value.is_some_and(fits)).collect())
    }

    /// Ends of a range; a single number is both.
    fn range(&self, part: &Part, kind: &DataType) -> Result<Range> {
        let number = |text: &str, end: f64| match text.trim() {
            "" => Ok(end),
            text => text.parse::<f64>().map_err(|_| {
                malformed(format!("column `{}` has numbers, and `{text}` is not one", self.column))
            }),
        };
        // An end such as 0.1 means the number that the column has in its place.
        let stored = |value: f64| if *kind == DataType::Float32 { f64::from(value as f32) } else { value };
        let (least, most, open) = match part.text.split_once("..") {
            Some((least, most)) => match most.strip_prefix('<') {
                Some(most) => (least, most, true),
                None => (least, most, false),
            },
            None => (part.text.as_str(), part.text.as_str(), false),
        };
        let (least, most) = (number(least, f64::NEG_INFINITY)?, number(most, f64::INFINITY)?);
        Ok(Range { least: stored(least), most: stored(most), open })
    }
}

impl Range {
    fn contains(&self, value: f64) -> bool {
        value >= self.least && if self.open { value < self.most } else { value <= self.most }
    }
}

impl Part {
    fn matches(&self, value: &str) -> bool {
        match self.open {
            [false, false] => value == self.text,
            [false, true] => value.starts_with(&self.text),
            [true, false] => value.ends_with(&self.text),
            [true, true] => value.contains(&self.text),
        }
    }
}

fn malformed(message: String) -> Error {
    let help = "write conditions as COLUMN:VALUE, COLUMN:10..20, COLUMN:..20 or COLUMN:TEXT*, with commas between them; \
                A|B is A or B, and a text in double quotes is taken literally";
    Error::user_error(Code::InvalidValue, message, help)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Float64Array, Int32Array, StringArray};

    use super::*;

    fn test(condition: &str, values: &Values) -> Result<Vec<bool>> {
        match Condition::parse(condition)? {
            Condition::Of(condition) => condition.test(values),
            Condition::Inside { .. } => panic!("{condition} is on one column"),
        }
    }

    fn fits(condition: &str, column: ArrayRef) -> Vec<bool> {
        let values = Values::of(&column).expect("values");
        test(condition, &values).expect("a condition")
    }

    #[test]
    fn numbers_are_in_a_range_with_its_ends() {
        let values =
            || Arc::new(Float64Array::from(vec![Some(1.0), Some(2.5), None, Some(f64::NAN), Some(4.0)]));
        assert_eq!(fits("a:2.5..4", values()), [false, true, false, false, true]);
        assert_eq!(fits("a:2.5..<4", values()), [false, true, false, false, false]);
        assert_eq!(fits("a:..2.5", values()), [true, true, false, false, false]);
        assert_eq!(fits("a:2.6..", values()), [false, false, false, false, true]);
        assert_eq!(fits("a:1|4..", values()), [true, false, false, false, true]);
        assert_eq!(fits("a: 3", Arc::new(Int32Array::from(vec![3, -3]))), [true, false]);
        assert_eq!(fits("a:-5..-1", Arc::new(Int32Array::from(vec![3, -3]))), [false, true]);
        let single = || Arc::new(Float32Array::from(vec![0.1, 0.2]));
        assert_eq!(fits("a:0.1", single()), [true, false]);
        assert_eq!(fits("a:..<0.2", single()), [true, false]);
    }

    #[test]
    fn texts_are_equal_or_begin_end_or_contain() {
        let values = || Arc::new(StringArray::from(vec![Some("train"), Some("val"), None, Some("train:b")]));
        assert_eq!(fits("split:train", values()), [true, false, false, false]);
        assert_eq!(fits("split:train|val", values()), [true, true, false, false]);
        assert_eq!(fits("split:train*", values()), [true, false, false, true]);
        assert_eq!(fits("split:*l", values()), [false, true, false, false]);
        assert_eq!(fits("split:*ai*", values()), [true, false, false, true]);
        assert_eq!(fits("split:train:b", values()), [false, false, false, true]);
        assert_eq!(fits("split:*\"n:\"*", values()), [false, false, false, true]);
        assert_eq!(fits("split:*", values()), [true, true, false, true], "any text");
        let special = || Arc::new(StringArray::from(vec!["a, b|c", "*", "", "a"]));
        assert_eq!(fits("\"x:y\":\"a, b|c\"|\"*\"", special()), [true, true, false, false]);
        assert_eq!(fits("x:\"\"", special()), [false, false, true, false]);
    }

    #[test]
    fn many_different_texts_are_compared_one_by_one() {
        let texts: Vec<String> = (0..2000).map(|n| format!("t{n}")).collect();
        let found = fits("a:t1*", Arc::new(StringArray::from(texts)));
        assert_eq!(found.iter().filter(|fits| **fits).count(), 1111);
    }

    #[test]
    fn malformed_conditions_are_refused() {
        for text in ["", "a", "a:", ":3", "a;3", "a:1|", "\"a:3", "a&b:1 2", "a&b:"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        let column: ArrayRef = Arc::new(Int32Array::from(vec![3]));
        let values = Values::of(&column).expect("values");
        for text in ["a:x", "a:1..x", "a:1-2", "a:1|x"] {
            let error = test(text, &values).expect_err("refused");
            assert!(error.to_string().contains("is not one"), "{error}");
        }
    }
}
