//! A shard on a node: its rows are computed and committed in parts.

use std::time::{Duration, Instant};

use callsheet_worker::error::Result;

use super::assemble::lay_out;
use super::rate::{Rate, even};
use super::required::RequiredRows;
use super::rowwise::{Rowwise, spooled};
use super::shard::{Shard, ShardPart};
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::executor::Update;
use crate::store::Segment;

/// Growth of the parts of a sample, from one row.
const GROWTH: usize = 4;

impl Action<'_> {
    /// Computes the rows of a shard that the store lacks, and commits them in parts, so that little is lost if the job is
    /// killed. Calls `report` after each part. Returns false if the job was stopped.
    ///
    /// # Errors
    /// Returns an error if the worker fails, returns wrong rows, or the store cannot be written.
    pub(in crate::run) fn perform_shard(
        &self,
        run: &Run,
        shard: &Shard,
        say: &mut impl FnMut(Update),
        mut report: impl FnMut(ShardPart) -> Result<()>,
    ) -> Result<bool> {
        let place = run.sandbox()?;
        let rows = self.stage.decl.rows.as_ref().expect("a row-wise stage");
        let pool = self.key.pool().expect("the key of a row-wise stage has its rows");
        self.check_unchanged(run.store)?;
        let staging = run.store.staging()?;
        let spool = place.staging.path().join("rows");
        let output = &self.stage.decl.outputs[&rows.output];
        let request = self.request(&self.key.digest(), place.staging.path(), place.staging.path());
        let rowwise = Rowwise {
            action: self,
            rows,
            pool,
            table: self.inputs[&rows.input].paths[0].clone(),
            wanted: RequiredRows {
                keys: shard.keys.clone(),
                inputs: shard.inputs.clone(),
                places: shard.places.clone(),
            },
            request: spooled(request, rows, output, &spool),
            spool,
            outdated: shard.outdated.iter().copied().collect(),
        };
        // An earlier attempt at this shard may have committed some of its rows.
        let missing = lay_out(&rowwise.wanted, &rowwise.segments(run.store)?).missing();
        let (clock, mut parts, mut at) = (Instant::now(), Parts::new(shard), 0);
        if !missing.is_empty() {
            say(Update::Started { progress: (shard.len() - missing.len()) as u64 });
        }
        while at < missing.len() && !parts.is_over(missing.len() - at, clock.elapsed()) {
            let next = parts.next(missing.len() - at, clock.elapsed());
            let part = &missing[at..at + next];
            let began = Instant::now();
            let done =
                self.attempts(place, say, |say| rowwise.compute(run, place, part, staging.path(), say))?;
            let Some((returned, peak_memory)) = done.filter(|_| !place.supervisor.stopping()) else {
                return Ok(false);
            };
            run.store.sync(returned.iter().map(Segment::object).collect::<Vec<_>>().iter())?;
            at += next;
            parts.took(next, began.elapsed());
            report(ShardPart {
                done: missing.get(at).copied().unwrap_or(shard.len()),
                computed: next as u64,
                segments: returned.iter().map(|segment| segment.bytes).collect(),
                peak_memory,
                rate: parts.rate,
            })?;
        }
        if missing.is_empty() {
            let (segments, peak_memory) = (Vec::new(), 0);
            report(ShardPart { done: shard.len(), computed: 0, segments, peak_memory, rate: None })?;
        }
        Ok(true)
    }
}

/// Sizes of the parts in which a shard is computed.
pub(in crate::run) struct Parts {
    rate: Option<Rate>,
    sample: Option<f64>,
    size: usize,
    last: Option<(usize, f64)>,
    /// Seconds of the shortest part.
    shortest: f64,
    /// True once parts of two sizes were measured.
    is_known: bool,
}

impl Parts {
    pub(in crate::run) fn new(shard: &Shard) -> Self {
        Self {
            rate: shard.rate,
            sample: shard.sample,
            size: 1,
            last: None,
            shortest: f64::INFINITY,
            is_known: false,
        }
    }

    /// Returns true if a sample has no time for another row. It computes the rows that are left if this takes less time than
    /// the start of another job's worker.
    pub(in crate::run) fn is_over(&self, left: usize, elapsed: Duration) -> bool {
        // Parts of two sizes separate the time of a row from that of the worker's start.
        let Some(rate) = self.rate.filter(|_| self.is_known) else { return false };
        let is_up = self.sample.is_some_and(|limit| elapsed.as_secs_f64() + rate.seconds(1) >= limit);
        is_up && !rate.is_little(left)
    }

    /// Number of rows of the next part. Parts of a sample grow, so that the time of a row is known after its last ones.
    pub(in crate::run) fn next(&self, left: usize, elapsed: Duration) -> usize {
        let most = self.rate.map_or(1, |rate| rate.rows_of_part());
        match self.sample {
            Some(limit) => {
                let seconds = (limit - elapsed.as_secs_f64()).max(0.0);
                let fit = match self.rate {
                    Some(rate) if self.is_known && rate.is_little(left) => left.min(most),
                    Some(rate) if self.is_known => rate.fit(seconds).min(most),
                    // A second size of parts is necessary, also if the first row took long.
                    Some(_) if seconds == 0.0 => 2,
                    _ => self.size,
                };
                self.size.min(fit).max(1).min(left)
            }
            // The last parts are not smaller than the others.
            None => even(left, most).min(left),
        }
    }

    /// Duration of rows, as measured so far.
    #[cfg(test)]
    pub(in crate::run) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Notes the duration of a part.
    pub(in crate::run) fn took(&mut self, rows: usize, time: Duration) {
        let this = (rows, time.as_secs_f64());
        self.shortest = self.shortest.min(this.1);
        self.rate = Some(match (self.last, self.rate) {
            (Some(last), _) if last.0 != rows => {
                self.is_known = true;
                Rate::of(last, this, self.shortest)
            }
            (_, Some(rate)) => rate.adapted(this),
            _ => Rate { start: 0.0, row: this.1 / rows.max(1) as f64 },
        });
        self.last = Some(this);
        self.size = self.size.max(rows).saturating_mul(GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_sample_grow_and_parts_of_a_shard_last_a_minute() {
        let empty = Shard {
            keys: Vec::new(),
            inputs: Vec::new(),
            places: Vec::new(),
            outdated: Vec::new(),
            rate: None,
            sample: Some(30.0),
        };
        let mut parts = Parts::new(&empty);
        let (mut sizes, mut elapsed) = (Vec::new(), Duration::ZERO);
        while !parts.is_over(1000, elapsed) {
            let rows = parts.next(1000, elapsed);
            sizes.push(rows);
            let time = Duration::from_secs_f64(0.5 + 0.1 * rows as f64);
            parts.took(rows, time);
            elapsed += time;
        }
        assert_eq!(sizes, [1, 4, 16, 64, 189], "the last part ends in time");
        let parts =
            Parts::new(&Shard { rate: Some(Rate { start: 1.0, row: 0.1 }), sample: None, ..empty.clone() });
        let now = Duration::ZERO;
        assert_eq!(parts.next(590, now), 590);
        assert_eq!(parts.next(600, now), 300, "two parts of half a minute");
        let mut parts = Parts::new(&Shard { rate: None, sample: Some(10.0), ..empty });
        parts.took(1, Duration::from_secs(5));
        parts.took(4, Duration::from_secs_f64(5.3));
        let late = Duration::from_secs_f64(10.3);
        assert_eq!((parts.is_over(2, late), parts.next(2, late)), (false, 2), "less time than another start");
        assert!(parts.is_over(200, late));
    }

    /// Largest number of rows of a part, its longest time, and the number of parts of a shard.
    fn performed(shard: &Shard, rows: usize, seconds: impl Fn(usize, usize) -> f64) -> (usize, f64, usize) {
        let (mut parts, mut left, mut elapsed, mut sizes, mut longest) =
            (Parts::new(shard), rows, Duration::ZERO, Vec::new(), 0f64);
        while left > 0 && !parts.is_over(left, elapsed) {
            let size = parts.next(left, elapsed);
            let time = seconds(sizes.len(), size);
            parts.took(size, Duration::from_secs_f64(time));
            (left, elapsed, longest) =
                (left - size, elapsed + Duration::from_secs_f64(time), longest.max(time));
            sizes.push(size);
        }
        (sizes.iter().copied().max().unwrap_or_default(), longest, sizes.len())
    }

    #[test]
    fn no_part_loses_much_more_than_a_minute_however_wrong_the_expected_duration_is() {
        let shard = |rate: Option<(f64, f64)>| Shard {
            keys: Vec::new(),
            inputs: Vec::new(),
            places: Vec::new(),
            outdated: Vec::new(),
            rate: rate.map(|(start, row)| Rate { start, row }),
            sample: rate.is_none().then_some(30.0),
        };
        // The second part is not slower than the first one.
        let noisy = performed(&shard(None), 25_000, |part, rows| {
            [2.6, 2.4].get(part).map_or(2.5 + 0.02 * rows as f64, |s| *s)
        });
        assert!(noisy.1 < 60.0, "{noisy:?}");
        let start_was_slow = performed(&shard(Some((25.0, 0.1))), 20_000, |_, rows| 2.0 + 0.05 * rows as f64);
        assert!(start_was_slow.1 < 100.0, "{start_was_slow:?}");
        let on_a_slow_node = |part: usize, rows: usize| if part == 0 { 60.0 } else { 30.0 + rows as f64 };
        let slow = performed(&shard(Some((30.0, 0.1))), 2_000, on_a_slow_node);
        assert!(slow.2 > 8, "later parts are smaller: {slow:?}");
        let slow_rows = performed(&shard(None), 1_000, |_, rows| 46.0 * rows as f64);
        assert_eq!(slow_rows.2, 2, "a sample ends: {slow_rows:?}");
        let slow_start = performed(&shard(None), 1_000, |_, rows| 100.0 + rows as f64);
        assert!(slow_start.2 <= 8, "rows that are left take less time than another start: {slow_start:?}");
    }
}
