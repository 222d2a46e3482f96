//! How far the values of a column moved between two tables.
//!
//! The population stability index is the sum over bins of `(b - a) ln(b / a)`, with the shares a and b
//! of the rows in each bin: under 0.1 is said to be little, over 0.25 much. Bins of numbers are the
//! deciles of A; of text, its values.

use std::collections::BTreeMap;

use miette::{IntoDiagnostic, Result};
use polars::prelude::*;
use serde::Serialize;

use crate::output::collect;
use crate::statistics::{Moments, number, numeric, of};

/// Text with more different values tells its rows apart, and has no distribution.
const MOST_VALUES: u64 = 100;

/// Share that stands for none: a bin that is empty on one side would be infinitely far.
const NONE: f64 = 1e-4;

/// How far a column moved.
#[derive(Debug, Serialize)]
pub struct Drift {
    /// Its name.
    pub column: String,
    /// Population stability index.
    pub psi: f64,
    /// Of numbers, in A.
    pub a: Option<Moments>,
    /// Of numbers, in B.
    pub b: Option<Moments>,
}

/// Compares a column; none if it has no distribution: keys, vectors, pictures, or no rows.
///
/// # Errors
/// When it cannot be read.
pub fn drift(frames: [&LazyFrame; 2], name: &str, kind: &DataType) -> Result<Option<Drift>> {
    let vector = matches!(kind, DataType::Array(..) | DataType::List(_));
    if numeric(kind) && !vector {
        let moments = [of(frames[0], name, kind)?.moments, of(frames[1], name, kind)?.moments];
        let [Some(a), Some(b)] = moments else { return Ok(None) };
        let edges = deciles(frames[0], name)?;
        let shares = [binned(frames[0], name, &edges)?, binned(frames[1], name, &edges)?];
        let psi = psi(&shares[0], &shares[1]);
        return Ok(Some(Drift { column: name.to_owned(), psi, a: Some(a), b: Some(b) }));
    }
    if !matches!(kind, DataType::String | DataType::Boolean) {
        return Ok(None);
    }
    for frame in frames {
        let distinct = collect(frame.clone().select([col(name).n_unique().cast(DataType::Float64)]))?;
        if number(&distinct, 0).is_none_or(|distinct| distinct as u64 > MOST_VALUES) {
            return Ok(None);
        }
    }
    let counts = [
        counted(frames[0], col(name).cast(DataType::String))?,
        counted(frames[1], col(name).cast(DataType::String))?,
    ];
    let psi = psi(&counts[0], &counts[1]);
    Ok(Some(Drift { column: name.to_owned(), psi, a: None, b: None }))
}

fn finite(name: &str) -> Expr {
    let floats = col(name).cast(DataType::Float64);
    floats.clone().filter(floats.is_finite())
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

fn binned(frame: &LazyFrame, name: &str, edges: &[f64]) -> Result<BTreeMap<String, f64>> {
    let value = || col("value");
    let above = edges.iter().map(|edge| value().gt(lit(*edge)).cast(DataType::Int32));
    let bin = above.reduce(|sum, more| sum + more).unwrap_or_else(|| lit(0));
    counted(&frame.clone().select([finite(name).alias("value")]), bin.cast(DataType::String))
}

/// Shares of the rows by a text.
fn counted(frame: &LazyFrame, value: Expr) -> Result<BTreeMap<String, f64>> {
    let counted =
        frame.clone().group_by([value.alias("value")]).agg([len().cast(DataType::Float64).alias("rows")]);
    let counted = collect(counted)?;
    let values = counted.column("value").into_diagnostic()?.str().into_diagnostic()?.clone();
    let rows = counted.column("rows").into_diagnostic()?.f64().into_diagnostic()?.clone();
    let pairs = values.iter().zip(rows.iter());
    let counts: BTreeMap<String, f64> =
        pairs.map(|(value, rows)| (value.unwrap_or("null").to_owned(), rows.unwrap_or_default())).collect();
    let all: f64 = counts.values().sum();
    Ok(counts.into_iter().map(|(value, rows)| (value, rows / all.max(1.0))).collect())
}

/// The population stability index of two sets of shares.
fn psi(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> f64 {
    let share = |of: &BTreeMap<String, f64>, bin: &String| of.get(bin).copied().unwrap_or_default().max(NONE);
    let bins: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    bins.into_iter().map(|bin| (share(b, bin) - share(a, bin)) * (share(b, bin) / share(a, bin)).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_values_have_moved_nowhere_and_others_as_far_as_the_formula_says() {
        let numbers = |shift: f64| {
            df!("x" => (0..1000).map(|n| f64::from(n) + shift).collect::<Vec<_>>()).expect("rows").lazy()
        };
        let (here, there) = (numbers(0.0), numbers(101.0));
        let psi = |a, b| drift([a, b], "x", &DataType::Float64).expect("read").expect("numbers").psi;
        assert_eq!(psi(&here, &here), 0.0);
        // A tenth moves from the lowest bin, which ends with 100, to the highest: to none, and to a fifth.
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
}
