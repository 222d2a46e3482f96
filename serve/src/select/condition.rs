//! Conditions on the values of a column.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

/// Condition on the values of one column.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    pub column: String,
    /// Text after the colon: a value, a range `10..20` with both ends, or a text with `*` at its ends for any characters.
    test: String,
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some((column, test)) if !column.is_empty() && !test.is_empty() => {
                Ok(Self { column: column.trim().to_owned(), test: test.trim().to_owned() })
            }
            _ => Err(malformed(format!("`{text}` is not a condition"))),
        }
    }

    /// Returns true for each value that satisfies the condition. A missing value never does.
    pub(super) fn test(&self, column: &ArrayRef) -> Result<Vec<bool>> {
        if column.data_type().is_numeric() {
            let (least, most) = self.range()?;
            let values = converted(column, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            return Ok(values
                .iter()
                .map(|value| value.is_some_and(|value| value >= least && value <= most))
                .collect());
        }
        let values = converted(column, &DataType::Utf8)?;
        Ok(values
            .as_string::<i32>()
            .iter()
            .map(|value| value.is_some_and(|value| self.matches(value)))
            .collect())
    }

    /// Ends of the range; a single number is both.
    fn range(&self) -> Result<(f64, f64)> {
        let number = |text: &str, open: f64| match text.trim() {
            "" => Ok(open),
            text => text.parse::<f64>().map_err(|_| {
                malformed(format!("column `{}` has numbers, and `{text}` is not one", self.column))
            }),
        };
        match self.test.split_once("..") {
            Some((least, most)) => Ok((number(least, f64::NEG_INFINITY)?, number(most, f64::INFINITY)?)),
            None => number(&self.test, 0.0).map(|value| (value, value)),
        }
    }

    fn matches(&self, value: &str) -> bool {
        let (start, rest) = match self.test.strip_prefix('*') {
            Some(rest) => (false, rest),
            None => (true, self.test.as_str()),
        };
        match (start, rest.strip_suffix('*')) {
            (true, None) => value == rest,
            (true, Some(text)) => value.starts_with(text),
            (false, None) => value.ends_with(rest),
            (false, Some(text)) => value.contains(text),
        }
    }
}

fn converted(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    cast(column, kind).map_err(|error| {
        let message = format!("the values of the column cannot be compared: {error}");
        Error::user_error(Code::Unsupported, message, "use a column of numbers or texts")
    })
}

fn malformed(message: String) -> Error {
    let help = "write conditions as COLUMN:VALUE, COLUMN:10..20, COLUMN:..20 or COLUMN:TEXT*, with commas between them";
    Error::user_error(Code::InvalidValue, message, help)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array, StringArray};

    use super::*;

    fn fits(condition: &str, column: ArrayRef) -> Vec<bool> {
        Condition::parse(condition).and_then(|condition| condition.test(&column)).expect("a condition")
    }

    #[test]
    fn numbers_are_in_a_range_with_its_ends() {
        let values =
            || Arc::new(Float64Array::from(vec![Some(1.0), Some(2.5), None, Some(f64::NAN), Some(4.0)]));
        assert_eq!(fits("a:2.5..4", values()), [false, true, false, false, true]);
        assert_eq!(fits("a:..2.5", values()), [true, true, false, false, false]);
        assert_eq!(fits("a:2.6..", values()), [false, false, false, false, true]);
        assert_eq!(fits("a: 3", Arc::new(Int32Array::from(vec![3, -3]))), [true, false]);
        assert_eq!(fits("a:-5..-1", Arc::new(Int32Array::from(vec![3, -3]))), [false, true]);
    }

    #[test]
    fn texts_are_equal_or_begin_end_or_contain() {
        let values = || Arc::new(StringArray::from(vec![Some("train"), Some("val"), None, Some("train:b")]));
        assert_eq!(fits("split:train", values()), [true, false, false, false]);
        assert_eq!(fits("split:train*", values()), [true, false, false, true]);
        assert_eq!(fits("split:*l", values()), [false, true, false, false]);
        assert_eq!(fits("split:*ai*", values()), [true, false, false, true]);
        assert_eq!(fits("split:train:b", values()), [false, false, false, true]);
    }

    #[test]
    fn malformed_conditions_are_refused() {
        for text in ["", "a", "a:", ":3", "a;3"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        let column: ArrayRef = Arc::new(Int32Array::from(vec![3]));
        for text in ["a:x", "a:1..x", "a:1-2"] {
            let error =
                Condition::parse(text).and_then(|condition| condition.test(&column)).expect_err("refused");
            assert!(error.to_string().contains("is not one"), "{error}");
        }
    }
}
