//! Expected durations of rows.

use serde::{Deserialize, Serialize};

/// Longest time between two commits of rows in seconds: a job that is killed loses no more.
pub(super) const COMMIT_EVERY: f64 = 60.0;

/// Expected duration of a worker, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(in crate::run) struct Rate {
    /// Seconds of a worker without rows.
    pub start: f64,
    /// Seconds of each row.
    pub row: f64,
}

impl Rate {
    /// Expected seconds of a worker with this number of rows.
    pub(in crate::run) fn seconds(&self, rows: usize) -> f64 {
        self.start + self.row * rows as f64
    }

    /// Largest number of rows that a worker computes in these seconds; at least one.
    pub(in crate::run) fn rows(&self, seconds: f64) -> usize {
        let rows = (seconds - self.start).max(0.0) / self.row.max(1e-9);
        (rows as usize).max(1)
    }

    /// Rate of two workers, given by their rows and seconds.
    pub(super) fn of(first: (usize, f64), second: (usize, f64)) -> Self {
        let (few, many) = if first.0 <= second.0 { (first, second) } else { (second, first) };
        if few.0 == many.0 {
            return Self { start: 0.0, row: many.1 / many.0.max(1) as f64 };
        }
        let row = ((many.1 - few.1) / (many.0 - few.0) as f64).max(0.0);
        Self { start: (many.1 - row * many.0 as f64).max(0.0), row }
    }
}

/// Size of shards of about `most` rows that are all about equal.
pub(super) fn even(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most.max(1)).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_give_the_time_of_a_row_and_of_the_start_of_a_worker() {
        let rate = Rate::of((1, 1.1), (11, 2.1));
        assert!((rate.row - 0.1).abs() < 1e-9 && (rate.start - 1.0).abs() < 1e-9, "{rate:?}");
        assert_eq!((rate.rows(11.0), rate.rows(0.5)), (100, 1));
        assert_eq!(Rate::of((4, 2.0), (16, 1.0)).row, 0.0, "noise");
    }

    #[test]
    fn shards_are_about_equal() {
        assert_eq!([even(100, 30), even(100, 100), even(3, 100), even(100, 0)], [25, 100, 3, 1]);
    }
}
