//! Values of a column of numbers or texts.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::{SortOptions, cast, sort_to_indices};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;
use callsheet_figures::label::number as rounded;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use serde::Serialize;

/// Largest number of different texts that are listed.
const CATEGORIES: usize = 1000;

/// Largest number of characters of a text that is shown.
const LONGEST: usize = 200;

/// Position of a missing value among the categories.
pub(crate) const MISSING: u16 = u16::MAX;

/// Values of a column.
pub(crate) enum Values {
    /// Numbers of any type.
    Numbers(ArrayRef),
    /// Texts among which few are different: the position of each in the sorted list of names, or [`MISSING`].
    Categories { codes: Vec<u16>, names: Vec<String> },
    /// Other texts.
    Texts(StringArray),
}

/// Value of a cell as it is shown. A missing value is `null` in JSON.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Missing,
    /// Text, or a number whose text is exact.
    Text(String),
    /// Rounded number, and the exact one.
    Number(String, String),
}

impl Values {
    /// Converts a column. Texts that are not numbers have the text that `callsheet show` prints; times are in UTC.
    ///
    /// # Errors
    /// Returns an error if values of this type have no text.
    pub(crate) fn of(column: &ArrayRef) -> Result<Self> {
        if column.data_type().is_numeric() {
            return Ok(Self::Numbers(column.clone()));
        }
        let texts = texts(column)?;
        Ok(categories(&texts).unwrap_or(Self::Texts(texts)))
    }

    /// Returns the texts of the values.
    pub(crate) fn texts(&self) -> StringArray {
        match self {
            Self::Texts(texts) => texts.clone(),
            Self::Numbers(numbers) => {
                let texts = cast(numbers, &DataType::Utf8).expect("every number has a text");
                texts.as_string::<i32>().clone()
            }
            Self::Categories { codes, names } => {
                codes.iter().map(|code| names.get(usize::from(*code)).map(String::as_str)).collect()
            }
        }
    }

    /// Size in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.get_array_memory_size(),
            Self::Categories { codes, .. } => codes.len() * size_of::<u16>(),
            Self::Texts(texts) => texts.get_array_memory_size(),
        }
    }

    /// Returns the value of a row as it is shown.
    pub(crate) fn cell(&self, row: usize) -> Cell {
        match self {
            Self::Numbers(numbers) if numbers.is_null(row) => Cell::Missing,
            Self::Numbers(numbers) => number(numbers, row),
            Self::Categories { codes, names } => {
                names.get(usize::from(codes[row])).map_or(Cell::Missing, |name| Cell::Text(shortened(name)))
            }
            Self::Texts(texts) if texts.is_null(row) => Cell::Missing,
            Self::Texts(texts) => Cell::Text(shortened(texts.value(row))),
        }
    }

    /// Returns the whole text of a value; `None` if it is missing.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Numbers(numbers) if numbers.is_null(row) => None,
            Self::Numbers(numbers) => array_value_to_string(numbers, row).ok(),
            Self::Categories { codes, names } => names.get(usize::from(codes[row])).cloned(),
            Self::Texts(texts) => texts.is_valid(row).then(|| texts.value(row).to_owned()),
        }
    }

    /// Returns the positions of the rows in the order of their values. Rows without a value are last.
    pub(crate) fn order(&self, descending: bool) -> Vec<u32> {
        let options = Some(SortOptions { descending, nulls_first: false });
        let sorted = |values: &dyn Array| {
            let order = sort_to_indices(values, options, None).expect("numbers and texts have an order");
            order.values().to_vec()
        };
        match self {
            Self::Numbers(numbers) => sorted(numbers),
            Self::Texts(texts) => sorted(texts),
            Self::Categories { codes, .. } => {
                let mut order: Vec<u32> = (0..codes.len() as u32).collect();
                let code = |row: &u32| codes[*row as usize];
                let rank = |row: &u32| match code(row) {
                    MISSING => MISSING,
                    code if descending => MISSING - 1 - code,
                    code => code,
                };
                order.sort_by_key(rank);
                order
            }
        }
    }
}

/// Converts numbers of any type.
pub(crate) fn floats(numbers: &ArrayRef) -> Float64Array {
    let floats = cast(numbers, &DataType::Float64).expect("every numeric type becomes float64");
    floats.as_primitive::<Float64Type>().clone()
}

fn number(numbers: &ArrayRef, row: usize) -> Cell {
    let exact = array_value_to_string(numbers, row).unwrap_or_else(|error| error.to_string());
    match exact.parse::<f64>() {
        Ok(value) if numbers.data_type().is_floating() && rounded(value) != exact => {
            Cell::Number(rounded(value), exact)
        }
        _ => Cell::Text(exact),
    }
}

fn texts(column: &ArrayRef) -> Result<StringArray> {
    let in_utc = match column.data_type() {
        // Times with a zone are stored in UTC.
        DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, None)),
        _ => Ok(column.clone()),
    };
    let texts = in_utc.and_then(|column| cast(&column, &DataType::Utf8)).map_err(|error| {
        let message = format!("the values of the column have no text: {error}");
        Error::user_error(Code::Unsupported, message, "use a column of numbers or texts")
    })?;
    let texts = texts.as_string::<i32>();
    Ok(match column.data_type() {
        DataType::Timestamp(_, Some(_)) => {
            texts.iter().map(|time| Some(format!("{} UTC", time?.trim_end_matches('Z')))).collect()
        }
        _ => texts.clone(),
    })
}

fn categories(texts: &StringArray) -> Option<Values> {
    let mut different = HashSet::new();
    for text in texts.iter().flatten() {
        different.insert(text);
        if different.len() > CATEGORIES {
            return None;
        }
    }
    let mut names: Vec<&str> = different.into_iter().collect();
    names.sort_unstable();
    let at: HashMap<&str, u16> = names.iter().zip(0..).map(|(name, at)| (*name, at)).collect();
    let codes = texts.iter().map(|text| text.map_or(MISSING, |text| at[text])).collect();
    Some(Values::Categories { codes, names: names.into_iter().map(str::to_owned).collect() })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, Int64Array, TimestampMillisecondArray};

    use super::*;

    fn values(column: impl Array + 'static) -> Values {
        Values::of(&(Arc::new(column) as ArrayRef)).expect("values")
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn a_cell_has_the_text_of_its_value() {
        let numbers = values(Float64Array::from(vec![Some(1.0 / 3.0), None, Some(f64::NAN)]));
        assert_eq!(numbers.cell(0), Cell::Number("0.3333".into(), "0.3333333333333333".into()));
        assert_eq!((numbers.cell(1), numbers.cell(2)), (Cell::Missing, text("NaN")));
        assert_eq!(values(Int64Array::from(vec![i64::MAX])).cell(0), text("9223372036854775807"));
        let truths = values(BooleanArray::from(vec![Some(true), None]));
        assert_eq!((truths.cell(0), truths.cell(1)), (text("true"), Cell::Missing));
        let time = TimestampMillisecondArray::from(vec![0]).with_timezone("+02:00");
        assert_eq!(values(time).cell(0), text("1970-01-01T00:00:00 UTC"));
        let long = values(StringArray::from(vec!["ä".repeat(300)]));
        assert_eq!(long.cell(0), text(&format!("{}…", "ä".repeat(200))));
    }

    #[test]
    fn rows_without_a_value_are_last_in_every_order() {
        let few = || StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]);
        assert_eq!(values(few()).order(false), [2, 0, 3, 1]);
        assert_eq!(values(few()).order(true), [0, 3, 2, 1]);
        let many: Vec<Option<String>> = (0..2000).map(|n| (n != 7).then(|| format!("{n:04}"))).collect();
        let many = values(StringArray::from(many));
        assert!(matches!(many, Values::Texts(_)));
        assert_eq!(many.order(true)[..2], [1999, 1998]);
        assert_eq!(many.order(true).last(), Some(&7));
        let numbers = values(Int64Array::from(vec![Some(3), None, Some(-1)]));
        assert_eq!((numbers.order(false), numbers.order(true)), (vec![2, 0, 1], vec![0, 2, 1]));
    }
}
