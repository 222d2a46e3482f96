//! Statistics of a table's columns.

use miette::{IntoDiagnostic, Result};
use polars::prelude::*;
use serde::Serialize;

use crate::frame::{collect, column, number};
use crate::table::is_image;

/// Number of bars of a histogram.
const BINS: i64 = 16;

/// Largest number of distinct values of a text column for which the values are listed.
const LISTED: u32 = 6;

/// Statistics of a column.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Statistics {
    /// Name of the column.
    pub column: String,
    /// Type of the column.
    #[serde(rename = "type")]
    pub kind: String,
    /// Number of rows without a value; `None` if the column was not read.
    pub nulls: Option<u64>,
    /// Number of values that are NaN or infinite, in floats and vectors of floats.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_finite: u64,
    /// Number of distinct values, in text and booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Smallest value, in text, booleans and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Largest value, in text, booleans and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Minimum, maximum, mean, standard deviation, and 5, 50 and 95 % quantiles of the finite numbers.
    #[serde(flatten)]
    pub moments: Option<Moments>,
    /// Number of finite numbers in each of 16 bins of equal width between minimum and maximum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<u64>,
    /// Values of text with their numbers of rows, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub most: Vec<(String, u64)>,
    /// Compressed size in the files, in bytes.
    pub bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Moments and quantiles of numbers.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Moments {
    /// Minimum.
    pub min: f64,
    /// Maximum.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// 5 % quantile.
    pub q05: f64,
    /// Median.
    pub q50: f64,
    /// 95 % quantile.
    pub q95: f64,
}

/// Reads a column of `frame`, and returns its statistics.
///
/// # Errors
/// Returns an error if the column cannot be read.
pub(crate) fn of(frame: &LazyFrame, name: &str, kind: &DataType) -> Result<Statistics> {
    let mut statistics =
        Statistics { column: name.to_owned(), kind: type_name(kind), ..Statistics::default() };
    let alone = frame.clone().select([column(name)]);
    let values = match kind {
        DataType::Array(inner, _) | DataType::List(inner) if inner.is_primitive_numeric() => {
            let nulls = collect(alone.clone().select([column(name).null_count().cast(DataType::UInt64)]))?;
            statistics.nulls = number(&nulls, 0).map(|nulls| nulls as u64);
            let options = ExplodeOptions { empty_as_null: false, keep_nulls: false };
            alone.explode(by_name([name], true, false), options)
        }
        _ => alone,
    };
    let value = || column(name);
    if numeric(kind) {
        let found = moments(&values, name)?;
        statistics.nulls = statistics.nulls.or(found.nulls);
        statistics.not_finite = found.not_finite;
        if let Some(Moments { min, max, .. }) = found.of {
            let finite = values.select([finite(name).alias(name)]);
            statistics.histogram = histogram(finite, name, min, max)?;
        }
        statistics.moments = found.of;
        return Ok(statistics);
    }
    if matches!(kind, DataType::String | DataType::Boolean) {
        let row = collect(values.clone().select([
            value().null_count().cast(DataType::Float64).alias("nulls"),
            value().n_unique().cast(DataType::Float64).alias("distinct"),
        ]))?;
        statistics.nulls = number(&row, 0).map(|nulls| nulls as u64);
        statistics.distinct = number(&row, 1).map(|distinct| distinct as u64);
        (statistics.first, statistics.last) = ends(values.clone(), value().cast(DataType::String))?;
        if statistics.distinct.is_some_and(|distinct| distinct <= u64::from(LISTED)) {
            statistics.most = most(values, name)?;
        }
        return Ok(statistics);
    }
    if kind.is_temporal() {
        (statistics.first, statistics.last) = ends(values.clone(), value())?;
    }
    let nulls = collect(values.select([value().null_count().cast(DataType::Float64)]))?;
    statistics.nulls = number(&nulls, 0).map(|nulls| nulls as u64);
    Ok(statistics)
}

/// Finite numbers of a column.
pub(crate) fn finite(name: &str) -> Expr {
    let floats = column(name).cast(DataType::Float64);
    floats.clone().filter(floats.is_finite())
}

/// Summary of a column of numbers.
pub(crate) struct Summed {
    /// Moments of the finite numbers; `None` if no number is finite.
    pub of: Option<Moments>,
    nulls: Option<u64>,
    not_finite: u64,
}

/// Summarizes a column of numbers in one pass.
///
/// # Errors
/// Returns an error if the column cannot be read.
pub(crate) fn moments(frame: &LazyFrame, name: &str) -> Result<Summed> {
    let finite = || finite(name);
    let strange = column(name).cast(DataType::Float64).is_finite().not();
    let quantile = |at: f64| finite().quantile(lit(at), QuantileMethod::Nearest);
    let row = collect(frame.clone().select([
        column(name).null_count().cast(DataType::Float64).alias("nulls"),
        strange.sum().cast(DataType::Float64).alias("not_finite"),
        finite().min().alias("min"),
        finite().max().alias("max"),
        finite().mean().alias("mean"),
        finite().std(1).alias("deviation"),
        quantile(0.05).alias("q05"),
        quantile(0.5).alias("q50"),
        quantile(0.95).alias("q95"),
    ]))?;
    let at = |n: usize| number(&row, n);
    let of = match (at(2), at(3), at(4)) {
        (Some(min), Some(max), Some(mean)) => {
            let [deviation, q05, q50, q95] = [5, 6, 7, 8].map(|n| at(n).unwrap_or_default());
            Some(Moments { min, max, mean, deviation, q05, q50, q95 })
        }
        _ => None,
    };
    Ok(Summed { of, nulls: at(0).map(|nulls| nulls as u64), not_finite: at(1).unwrap_or_default() as u64 })
}

/// Smallest and largest value, as text.
fn ends(values: LazyFrame, value: Expr) -> Result<(Option<String>, Option<String>)> {
    let as_text = |end: Expr, name: &str| end.cast(DataType::String).alias(name);
    let ends = [as_text(value.clone().min(), "first"), as_text(value.max(), "last")];
    let ends = collect(values.select(ends))?;
    Ok((text(&ends, 0, 0), text(&ends, 1, 0)))
}

/// Returns true if a column contains numbers, or vectors of numbers.
pub(crate) fn numeric(kind: &DataType) -> bool {
    match kind {
        DataType::Array(inner, _) | DataType::List(inner) => inner.is_primitive_numeric(),
        _ => kind.is_primitive_numeric(),
    }
}

fn histogram(values: LazyFrame, name: &str, min: f64, max: f64) -> Result<Vec<u64>> {
    // The difference between maximum and minimum may overflow, or be too small for a normal number.
    let width = max / BINS as f64 - min / BINS as f64;
    let bin = match width.is_normal() {
        true => (column(name) / lit(width) - lit(min / width)).floor().cast(DataType::Int64),
        false => column(name).gt(lit(min)).cast(DataType::Int64) * lit(BINS - 1),
    };
    let last = lit(BINS - 1);
    let bin = when(bin.clone().gt(last.clone())).then(last).otherwise(bin);
    let counted =
        collect(values.group_by([bin.alias("bin")]).agg([len().cast(DataType::Float64).alias("count")]))?;
    let mut bars = vec![0; BINS as usize];
    let bins = counted.column("bin").into_diagnostic()?.i64().into_diagnostic()?.clone();
    let counts = counted.column("count").into_diagnostic()?.f64().into_diagnostic()?.clone();
    for (bin, count) in bins.iter().zip(counts.iter()) {
        if let (Some(bin), Some(count)) = (bin, count)
            && let Some(bar) = usize::try_from(bin).ok().and_then(|bin| bars.get_mut(bin))
        {
            *bar += count as u64;
        }
    }
    Ok(bars)
}

fn most(values: LazyFrame, name: &str) -> Result<Vec<(String, u64)>> {
    let value = column(name).cast(DataType::String).alias("value");
    let counted = values.group_by([value]).agg([len().cast(DataType::Float64).alias("count")]);
    let order = SortMultipleOptions::default().with_order_descending_multi([true, false]);
    let counted = collect(counted.sort(["count", "value"], order))?;
    let row = |at: usize| {
        let count = counted.columns()[1].get(at).ok()?.extract::<f64>()?;
        Some((text(&counted, 0, at).unwrap_or_else(|| "null".into()), count as u64))
    };
    Ok((0..counted.height()).filter_map(row).collect())
}

fn text(rows: &DataFrame, column: usize, at: usize) -> Option<String> {
    match rows.columns().get(column)?.get(at).ok()? {
        AnyValue::String(text) => Some(text.to_owned()),
        AnyValue::StringOwned(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Name of a type in stage.toml.
pub(crate) fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::String => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Boolean => "bool".into(),
        DataType::Float32 => "float32".into(),
        DataType::Float64 => "float64".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::Array(inner, length) => format!("{}[{length}]", type_name(inner)),
        DataType::List(inner) => format!("list<{}>", type_name(inner)),
        image if is_image(image) => "image".into(),
        other => other.to_string(),
    }
}

/// Histogram as a line of text.
pub(crate) fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let level = |count: u64| match count {
        0 => ' ',
        _ => ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][((count * 8).div_ceil(most) - 1).min(7) as usize],
    };
    counts.iter().map(|count| level(*count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::short;

    #[test]
    fn statistics_of_numbers_leave_out_nulls_and_non_finite_values() {
        let rows = df!("x" => [Some(1.0), Some(2.0), None, Some(f64::NAN), Some(9.0)]).expect("rows");
        let found = of(&rows.lazy(), "x", &DataType::Float64).expect("statistics");
        assert_eq!((found.nulls, found.not_finite), (Some(1), 1));
        let moments = found.moments.expect("numbers");
        assert_eq!((moments.min, moments.max), (1.0, 9.0));
        assert!((moments.mean - 4.0).abs() < 1e-12 && (moments.deviation - 19f64.sqrt()).abs() < 1e-12);
        assert_eq!(moments.q50, 2.0);
        assert_eq!((found.histogram[0], found.histogram[2], found.histogram[15]), (1, 1, 1));
    }

    #[test]
    fn every_number_is_in_a_bar_of_the_histogram_even_at_extreme_ranges() {
        for numbers in [vec![-1.7e308, 0.0, 1.7e308], vec![0.0, 5e-324], vec![7.0, 7.0], vec![-1.0, 0.1, 3.3]]
        {
            let count = numbers.len() as u64;
            let found = of(&df!("x" => numbers).expect("rows").lazy(), "x", &DataType::Float64);
            assert_eq!(found.expect("statistics").histogram.iter().sum::<u64>(), count);
        }
    }

    #[test]
    fn a_column_of_few_texts_lists_them() {
        let rows = df!("t" => ["b", "a", "b"]).expect("rows");
        let found = of(&rows.lazy(), "t", &DataType::String).expect("statistics");
        assert_eq!(found.distinct, Some(2));
        assert_eq!(found.most, [("b".to_owned(), 2), ("a".to_owned(), 1)]);
    }

    #[test]
    fn numbers_and_bars_are_short() {
        assert_eq!([3.0, 0.25, 1e-7, 123456789.5].map(short), ["3", "0.25", "1.000e-7", "1.235e8"]);
        assert_eq!(bars(&[0, 1, 8, 4]), " ▁█▄");
    }
}
