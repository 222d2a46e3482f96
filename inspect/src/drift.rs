//! Drift of a column's values between two tables.
//!
//! The population stability index (PSI) is the sum over bins of `(b - a) ln(b / a)`, where a and b are the
//! shares of the rows in each bin. By convention, less than 0.1 is a small drift, and more than 0.25 a large
//! one. The bins of numbers are the deciles of A, and one bin below the smallest number of A. The bins of
//! text are its values. Nulls and numbers that are not finite have bins of their own.

use std::collections::BTreeMap;

use miette::{IntoDiagnostic, Result};
use polars::prelude::*;
use serde::Serialize;

use crate::frame::{collect, column, number};
use crate::statistics::{Moments, finite, moments, numeric};

/// Largest number of distinct values of text with a distribution. Text with more values identifies rows.
const MOST_VALUES: u64 = 100;

/// Share of an empty bin. With a share of 0, the index would be infinite.
const NONE: f64 = 1e-4;

/// Drift of a column.
#[derive(Debug, Serialize)]
pub(crate) struct Drift {
    /// Name of the column.
    pub column: String,
    /// Population stability index.
    pub psi: f64,
    /// Moments in A, if the column contains numbers.
    pub a: Option<Moments>,
    /// Moments in B, if the column contains numbers.
    pub b: Option<Moments>,
}

/// Compares a column of two tables. Returns `None` if the column has no distribution: keys, vectors,
/// pictures.
///
/// # Errors
/// Returns an error if the column cannot be read.
pub(crate) fn drift(frames: [&LazyFrame; 2], name: &str, kind: &DataType) -> Result<Option<Drift>> {
    let vector = matches!(kind, DataType::Array(..) | DataType::List(_));
    let drift = |psi, a, b| Some(Drift { column: name.to_owned(), psi, a, b });
    if numeric(kind) && !vector {
        let [a, b] = [moments(frames[0], name)?.of, moments(frames[1], name)?.of];
        let bin = number_bin(name, a.as_ref().map(|a| a.min), &deciles(frames[0], name)?);
        let shares = [counted(frames[0], bin.clone())?, counted(frames[1], bin)?];
        return Ok(drift(psi(&shares[0], &shares[1]), a, b));
    }
    if !matches!(kind, DataType::String | DataType::Boolean) {
        return Ok(None);
    }
    let text = || column(name).cast(DataType::String);
    let few = |frame: &LazyFrame| -> Result<bool> {
        let distinct = collect(frame.clone().select([text().n_unique().cast(DataType::Float64)]))?;
        Ok(number(&distinct, 0).is_some_and(|distinct| distinct as u64 <= MOST_VALUES))
    };
    let few = (few(frames[0])?, few(frames[1])?);
    let bin = match few {
        (true, true) => text(),
        (false, false) => text().is_not_null().cast(DataType::String),
        // If only one table has few values, all other values share one bin.
        (first, _) => {
            let known = counted(frames[usize::from(!first)], text())?;
            let known = Series::new("known".into(), known.into_keys().collect::<Vec<_>>());
            let there = text().is_in(lit(known).implode(true), true);
            when(there.or(text().is_null())).then(text()).otherwise(lit("other values"))
        }
    };
    let shares = [counted(frames[0], bin.clone())?, counted(frames[1], bin)?];
    let told = shares.iter().any(|shares| shares.len() > 1) || shares[0].keys().ne(shares[1].keys());
    Ok(if few == (false, false) && !told { None } else { drift(psi(&shares[0], &shares[1]), None, None) })
}

fn deciles(frame: &LazyFrame, name: &str) -> Result<Vec<f64>> {
    let at = |n: usize| {
        let quantile = finite(name).quantile(lit(n as f64 / 10.0), QuantileMethod::Nearest);
        quantile.alias(format!("q{n}").as_str())
    };
    let row = collect(frame.clone().select((1..10).map(at).collect::<Vec<_>>()))?;
    let mut edges: Vec<f64> = (0..9).filter_map(|n| number(&row, n)).collect();
    edges.dedup();
    Ok(edges)
}

/// Bin of a number.
fn number_bin(name: &str, min: Option<f64>, edges: &[f64]) -> Expr {
    let value = || column(name).cast(DataType::Float64);
    let above = edges.iter().map(|edge| value().gt(lit(*edge)).cast(DataType::Int32));
    let bin = above.reduce(|sum, more| sum + more).unwrap_or_else(|| lit(0)).cast(DataType::String);
    let below = value().lt(lit(min.unwrap_or(f64::NEG_INFINITY)));
    when(value().is_null())
        .then(lit(NULL).cast(DataType::String))
        .when(value().is_finite().not())
        .then(lit("not finite"))
        .when(below)
        .then(lit("below"))
        .otherwise(bin)
}

/// Share of the rows with each text.
fn counted(frame: &LazyFrame, value: Expr) -> Result<BTreeMap<String, f64>> {
    let values = frame.clone().select([value.alias("value")]);
    let counted = values.group_by([col("value")]).agg([len().cast(DataType::Float64).alias("rows")]);
    let counted = collect(counted)?;
    let values = counted.column("value").into_diagnostic()?.str().into_diagnostic()?.clone();
    let rows = counted.column("rows").into_diagnostic()?.f64().into_diagnostic()?.clone();
    let pairs = values.iter().zip(rows.iter());
    let counts: BTreeMap<String, f64> =
        pairs.map(|(value, rows)| (value.unwrap_or("null").to_owned(), rows.unwrap_or_default())).collect();
    let all: f64 = counts.values().sum();
    Ok(counts.into_iter().map(|(value, rows)| (value, rows / all.max(1.0))).collect())
}

/// Population stability index of two sets of shares.
fn psi(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> f64 {
    let share = |of: &BTreeMap<String, f64>, bin: &String| of.get(bin).copied().unwrap_or_default().max(NONE);
    let bins: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    bins.into_iter().map(|bin| (share(b, bin) - share(a, bin)) * (share(b, bin) / share(a, bin)).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_columns_have_no_drift_and_shifted_ones_that_of_the_formula() {
        let numbers = |shift: f64| {
            df!("x" => (0..1000).map(|n| f64::from(n) + shift).collect::<Vec<_>>()).expect("rows").lazy()
        };
        let (here, there) = (numbers(0.0), numbers(101.0));
        let psi = |a, b| drift([a, b], "x", &DataType::Float64).expect("read").expect("numbers").psi;
        assert_eq!(psi(&here, &here), 0.0);
        // A tenth of the rows moves from the lowest bin, which ends at 100, to the highest bin. The share of
        // the lowest bin becomes 0, that of the highest a fifth.
        let wanted = (NONE - 0.101) * (NONE / 0.101).ln() + 0.101 * (0.201f64 / 0.1).ln();
        assert!((psi(&here, &there) - wanted).abs() < 1e-3, "{} {wanted}", psi(&here, &there));
    }

    #[test]
    fn texts_are_compared_by_their_values_and_keys_are_not() {
        let texts = |texts: Vec<String>| df!("t" => texts).expect("rows").lazy();
        let even = texts(["a", "b", "a", "b"].map(str::to_owned).to_vec());
        let odd = texts(["a", "a", "a", "b"].map(str::to_owned).to_vec());
        let found = drift([&even, &odd], "t", &DataType::String).expect("read").expect("few values");
        assert!((found.psi - (0.25 * 1.5f64.ln() - 0.25 * 0.5f64.ln())).abs() < 1e-12);
        let keys = texts((0..1000).map(|n| n.to_string()).collect());
        assert!(drift([&keys, &keys], "t", &DataType::String).expect("read").is_none());
    }

    #[test]
    fn nulls_nan_and_changed_constants_count_as_drift() {
        let numbers = |numbers: Vec<Option<f64>>| df!("x" => numbers).expect("rows").lazy();
        let psi = |a: &LazyFrame, b: &LazyFrame| {
            drift([a, b], "x", &DataType::Float64).expect("read").expect("numbers").psi
        };
        let five = numbers(vec![Some(5.0); 8]);
        assert_eq!(psi(&five, &five), 0.0);
        for other in [Some(4.0), Some(6.0), None, Some(f64::NAN)] {
            assert!(psi(&five, &numbers(vec![other; 8])) > 1.0, "{other:?}");
        }
        let half = numbers([vec![Some(5.0); 4], vec![None; 4]].concat());
        assert!(psi(&five, &half) > 1.0);
        let few = df!("x" => vec!["a", "b", "a", "b"]).expect("rows").lazy();
        let many = df!("x" => (0..500).map(|n| n.to_string()).collect::<Vec<_>>()).expect("rows").lazy();
        let found = drift([&few, &many], "x", &DataType::String).expect("read").expect("few values once");
        assert!(found.psi > 1.0, "{}", found.psi);
    }
}
