//! Ranges of seconds.

use std::iter::Sum;
use std::ops::Add;

use serde::Serialize;

/// Range of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Span {
    /// Fewest seconds.
    pub least: f64,
    /// Most seconds.
    pub most: f64,
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { least: self.least + other.least, most: self.most + other.most }
    }
}

impl Sum for Span {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::default(), Self::add)
    }
}
