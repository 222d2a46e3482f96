//! Expected durations of rows.

use std::collections::BTreeMap;

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
    pub(in crate::run) fn fit(&self, seconds: f64) -> usize {
        let rows = (seconds - self.start).max(0.0) / self.row.max(1e-9);
        (rows as usize).max(1)
    }

    /// Number of rows for a worker that should take about these seconds. It may take longer, so that the start is at most
    /// half of its time.
    pub(in crate::run) fn rows(&self, seconds: f64) -> usize {
        self.fit(seconds.max(2.0 * self.start))
    }

    /// Number of rows of a worker whose rows are committed together: without its start, they take at most a minute.
    pub(super) fn rows_of_part(&self) -> usize {
        let most = (COMMIT_EVERY / self.row.max(1e-9)) as usize;
        self.rows(COMMIT_EVERY).min(most).max(1)
    }

    /// Rate after a worker with `rows` has taken `seconds`. Its start and its rows are faster or slower in proportion, unless
    /// a worker was too slow whose time was mostly that of rows.
    pub(super) fn adapted(&self, (rows, seconds): (usize, f64)) -> Self {
        let (rows, expected) = (rows.max(1), self.seconds(rows.max(1)));
        if seconds > expected && 4.0 * self.row * rows as f64 > self.start {
            return Self { row: self.row + (seconds - expected) / rows as f64, ..*self };
        }
        let factor = seconds / expected.max(1e-9);
        Self { start: self.start * factor, row: self.row * factor }
    }

    /// Returns true if these rows take less time than another start of a worker.
    pub(super) fn is_little(&self, rows: usize) -> bool {
        self.row * rows as f64 <= self.start
    }

    /// Rate of two workers, given by their rows and seconds. The start of a worker takes at most `shortest` seconds; one that
    /// took longer was disturbed, for example because many workers of a node have started at one time.
    pub(super) fn of(first: (usize, f64), second: (usize, f64), shortest: f64) -> Self {
        let (few, many) = if first.0 <= second.0 { (first, second) } else { (second, first) };
        if few.0 == many.0 {
            return Self { start: 0.0, row: many.1 / many.0.max(1) as f64 };
        }
        let least = (many.1 - shortest).max(0.0) / many.0 as f64;
        let row = ((many.1 - few.1) / (many.0 - few.0) as f64).max(least);
        Self { start: (many.1 - row * many.0 as f64).max(0.0), row }
    }
}

/// Durations of rows as several workers have measured them; the median is not changed by a few that were disturbed.
#[derive(Debug)]
pub(in crate::run) struct Rates<K> {
    /// Duration in an earlier run.
    known: Option<Rate>,
    measured: BTreeMap<K, Rate>,
}

impl<K: Ord> Rates<K> {
    pub(in crate::run) fn new(known: Option<Rate>) -> Self {
        Self { known, measured: BTreeMap::new() }
    }

    /// Notes the latest measurement of a worker.
    pub(in crate::run) fn add(&mut self, worker: K, rate: Rate) {
        self.measured.insert(worker, rate);
    }

    /// Expected duration of rows, if it is known.
    pub(in crate::run) fn median(&self) -> Option<Rate> {
        let middle = |of: fn(&Rate) -> f64| {
            let mut values: Vec<f64> = self.measured.values().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let measured = middle(|rate| rate.start).zip(middle(|rate| rate.row));
        measured.map(|(start, row)| Rate { start, row }).or(self.known)
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
        let rate = Rate::of((1, 1.1), (11, 2.1), 1.1);
        assert!((rate.row - 0.1).abs() < 1e-9 && (rate.start - 1.0).abs() < 1e-9, "{rate:?}");
        assert_eq!((rate.fit(11.0), rate.fit(0.5)), (100, 1));
        assert_eq!((rate.rows(11.0), rate.rows(0.5)), (100, 10), "half of two seconds");
        assert_eq!((rate.is_little(10), rate.is_little(11)), (true, false));
        assert_eq!(Rate::of((4, 2.0), (16, 1.0), 1.0).row, 0.0, "noise");
        let disturbed = Rate::of((1, 3.0), (100, 11.5), 1.5);
        assert!((disturbed.row - 0.1).abs() < 1e-9 && (disturbed.start - 1.5).abs() < 1e-9, "{disturbed:?}");
    }

    #[test]
    fn a_few_disturbed_workers_do_not_change_the_expected_duration() {
        let mut rates = Rates::new(Some(Rate { start: 0.0, row: 9.0 }));
        assert_eq!(rates.median().map(|rate| rate.row), Some(9.0));
        for (worker, row) in [(1, 0.1), (2, 0.1), (3, 4.0), (4, 0.0), (5, 0.1)] {
            rates.add(worker, Rate { start: 1.0, row });
        }
        assert_eq!(rates.median(), Some(Rate { start: 1.0, row: 0.1 }));
    }

    #[test]
    fn shards_are_about_equal() {
        assert_eq!([even(100, 30), even(100, 100), even(3, 100), even(100, 0)], [25, 100, 3, 1]);
    }
}
