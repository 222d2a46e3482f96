//! Histograms of the columns of a table: of all rows, and of the selected ones.

mod bins;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use callsheet_worker::error::Result;
use serde::Serialize;

use crate::select::{Selection, quoted};
use crate::tables::{MISSING, Values, floats};
use crate::view::View;
use bins::Bins;

/// Largest number of categories that have a bar of their own.
const BARS: usize = 12;

/// Bar of a row without one.
const NO_BAR: u8 = u8::MAX;

/// Histogram of a column.
#[derive(Serialize)]
pub(crate) struct Histogram {
    /// Name of the column.
    pub name: String,
    /// The name as it is written in conditions.
    term: String,
    bars: Bars,
    /// Number of all rows without a value, and of selected ones.
    missing: [u32; 2],
}

/// Bars of a histogram. `all` counts all rows of each bar, and `selected` those that satisfy the conditions on the other
/// columns.
#[derive(Serialize)]
#[serde(rename_all = "lowercase", tag = "of")]
enum Bars {
    /// Ranges between neighbouring ends. The outer ranges have no outer end.
    Numbers { ends: Vec<String>, all: Vec<u32>, selected: Vec<u32> },
    /// The most frequent texts, and as they are written in conditions; `others` is the number of other texts.
    Categories { names: Vec<String>, terms: Vec<String>, all: Vec<u32>, selected: Vec<u32>, others: usize },
    /// Too many different texts for bars.
    Texts,
    /// No numbers.
    Empty,
    /// The reason why the column has no bars.
    Failed { why: String },
}

/// Returns the histograms of all columns of numbers and texts.
///
/// # Errors
/// Returns an error if a condition of the selection cannot be tested.
pub(crate) fn histograms(table: &View, selection: &Selection) -> Result<Vec<Histogram>> {
    let fits = selection.fits(table, |_| true)?;
    let histogram = |name: &str| {
        let has_condition = selection.conditions.iter().any(|condition| condition.is_on(name));
        let others = has_condition.then(|| selection.fits(table, |condition| !condition.is_on(name)));
        let others = others.transpose()?;
        let selected = others.as_ref().unwrap_or(&fits);
        let (bars, missing) = match table.values(name) {
            Ok(values) => bars(&values, selected),
            Err(error) => (Bars::Failed { why: error.to_string() }, [0, 0]),
        };
        Ok(Histogram { name: name.to_owned(), term: quoted(name), bars, missing })
    };
    table.readable().map(histogram).collect()
}

fn bars(values: &Values, selected: &[bool]) -> (Bars, [u32; 2]) {
    match values {
        Values::Numbers(numbers) => of_numbers(numbers, selected),
        // Bars of texts that are nearly all different say nothing.
        Values::Categories { codes, names } if names.len() > BARS && 2 * names.len() > codes.len() => {
            (Bars::Texts, missing(codes.iter().map(|code| *code == MISSING), selected))
        }
        Values::Categories { codes, names } => of_categories(codes, names, selected),
        Values::Texts(texts) => {
            (Bars::Texts, missing((0..texts.len()).map(|row| texts.is_null(row)), selected))
        }
    }
}

fn of_numbers(numbers: &ArrayRef, selected: &[bool]) -> (Bars, [u32; 2]) {
    let values = floats(numbers);
    let Some((bins, ends)) = bins(numbers, &values) else {
        return (Bars::Empty, of_rows(values.len(), selected));
    };
    let mut counts = vec![[0; 2]; bins.len()];
    let mut missing = of_rows(values.len(), selected);
    for row in present(&values) {
        count(&mut counts[bins.of(values.value(row))], selected[row]);
        missing[0] -= 1;
        missing[1] -= u32::from(selected[row]);
    }
    let (all, selected) = counts.into_iter().map(|[all, selected]| (all, selected)).unzip();
    (Bars::Numbers { ends, all, selected }, missing)
}

/// Rows with a number.
fn present(values: &Float64Array) -> impl Iterator<Item = usize> {
    (0..values.len()).filter(|row| values.is_valid(*row) && !values.value(*row).is_nan())
}

/// Returns the bins of a column of numbers, and the texts of their ends; `None` if it has no finite number.
fn bins(numbers: &ArrayRef, values: &Float64Array) -> Option<(Bins, Vec<String>)> {
    let finite = present(values).map(|row| values.value(row)).filter(|value| value.is_finite());
    let (least, most) = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
    (least <= most).then(|| {
        let bins = Bins::new(least, most, numbers.data_type().is_integer());
        let ends = bins.texts();
        let is_single = *numbers.data_type() == DataType::Float32;
        (if is_single { bins.rounded_to_single() } else { bins }, ends)
    })
}

/// Returns the bar of each row in the histogram of a column, or [`NO_BAR`].
pub(crate) fn bar_of_each_row(column: &Values) -> Vec<u8> {
    match column {
        Values::Numbers(numbers) => {
            let values = floats(numbers);
            let mut bars = vec![NO_BAR; values.len()];
            if let Some((bins, _)) = bins(numbers, &values) {
                present(&values).for_each(|row| bars[row] = bins.of(values.value(row)) as u8);
            }
            bars
        }
        Values::Categories { codes, names } => {
            let mut counts = vec![0; names.len()];
            let known = codes.iter().filter(|code| **code != MISSING);
            known.for_each(|code| counts[usize::from(*code)] += 1);
            let order = most_frequent(names.len(), |name| counts[name]);
            let mut bars = vec![NO_BAR; names.len()];
            order.iter().zip(0..).for_each(|(name, bar)| bars[*name] = bar);
            codes.iter().map(|code| bars.get(usize::from(*code)).copied().unwrap_or(NO_BAR)).collect()
        }
        Values::Texts(texts) => vec![NO_BAR; texts.len()],
    }
}

/// Returns the names that have bars, in the order of the bars, by the number of rows of each name.
fn most_frequent(names: usize, rows: impl Fn(usize) -> u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..names).collect();
    if names > BARS {
        order.sort_by_key(|name| std::cmp::Reverse(rows(*name)));
    }
    order.truncate(BARS);
    order
}

fn of_categories(codes: &[u16], names: &[String], selected: &[bool]) -> (Bars, [u32; 2]) {
    let mut counts = vec![[0; 2]; names.len()];
    let mut missing = [0; 2];
    for (code, selected) in codes.iter().zip(selected) {
        let counted = if *code == MISSING { &mut missing } else { &mut counts[usize::from(*code)] };
        count(counted, *selected);
    }
    let order = most_frequent(names.len(), |name| counts[name][0]);
    let shown = || order.iter().copied();
    let bars = Bars::Categories {
        names: shown().map(|name| names[name].clone()).collect(),
        terms: shown().map(|name| quoted(&names[name])).collect(),
        all: shown().map(|name| counts[name][0]).collect(),
        selected: shown().map(|name| counts[name][1]).collect(),
        others: names.len().saturating_sub(BARS),
    };
    (bars, missing)
}

fn missing(is_missing: impl Iterator<Item = bool>, selected: &[bool]) -> [u32; 2] {
    let mut counts = [0; 2];
    is_missing
        .zip(selected)
        .filter(|(is_missing, _)| *is_missing)
        .for_each(|(_, selected)| count(&mut counts, *selected));
    counts
}

/// Counts a row among all rows, and among the selected ones if it is selected.
fn count(counts: &mut [u32; 2], selected: bool) {
    counts[0] += 1;
    counts[1] += u32::from(selected);
}

/// Counts of all rows.
fn of_rows(rows: usize, selected: &[bool]) -> [u32; 2] {
    [rows as u32, selected.iter().map(|selected| u32::from(*selected)).sum()]
}
