//! Shards: ranges of the missing rows of a row-wise action, which jobs on a cluster compute.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::protocol::WorkerEvent;
use callsheet_worker::table::{RowKey, part_files};
use serde::{Deserialize, Serialize};

use super::assemble::lay_out;
use super::computed::ComputedRows;
use super::part::all_rows;
use super::required::RequiredRows;
use super::rowwise::{Rowwise, spooled};
use crate::run::action::Action;
use crate::run::context::Run;
use crate::run::executor::Update;
use crate::store::{Claim, LatestResult, LockName, Segment};

/// Longest time between two commits of rows: a job that is killed loses no more.
const COMMIT_EVERY: f64 = 60.0;

/// Growth of the parts of a sample, from one row.
const GROWTH: usize = 4;

/// Rows of one shard, in the order of their key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::run) struct Shard {
    keys: Vec<RowKey>,
    inputs: Vec<Digest>,
    places: Vec<(u32, u64)>,
    /// Segments whose rows are computed again.
    outdated: Vec<Digest>,
    /// Duration of rows, if it is known.
    rate: Option<Rate>,
    /// Seconds after which a sample ends, although rows are left; `None` for a shard that is computed to its end.
    pub sample: Option<f64>,
}

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
    fn of(first: (usize, f64), second: (usize, f64)) -> Self {
        let (few, many) = if first.0 <= second.0 { (first, second) } else { (second, first) };
        if few.0 == many.0 {
            return Self { start: 0.0, row: many.1 / many.0.max(1) as f64 };
        }
        let row = ((many.1 - few.1) / (many.0 - few.0) as f64).max(0.0);
        Self { start: (many.1 - row * many.0 as f64).max(0.0), row }
    }
}

/// Part of a shard that was computed and committed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::run) struct ShardPart {
    /// Rows at the beginning of the shard that are in the store now.
    pub done: usize,
    /// Rows that the worker computed.
    pub computed: u64,
    /// Segments with these rows.
    pub segments: Vec<Digest>,
    /// Peak memory of the worker in bytes.
    pub peak_memory: u64,
    /// Duration of rows, as measured so far.
    pub rate: Option<Rate>,
}

impl Shard {
    /// Number of its rows.
    pub(in crate::run) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Shard {
    /// Digests of everything that its rows depend on, in its order.
    pub(in crate::run) fn inputs(&self) -> &[Digest] {
        &self.inputs
    }
}

/// Rows that an action needs, and those that jobs must compute.
pub(in crate::run) struct RowPlan {
    wanted: RequiredRows,
    outdated: BTreeSet<Digest>,
    /// Positions of the missing rows in the order of their key.
    pub missing: Vec<usize>,
    /// Warning about rows of which the store has several outputs.
    pub warning: Option<WorkerEvent>,
    /// The pool belongs to this run until the table is assembled.
    _claim: Claim,
}

/// Result of planning a row-wise action.
pub(in crate::run) enum Planned {
    /// Another run has computed the result meanwhile.
    Taken(Arc<LatestResult>),
    /// This other run computes rows of the pool.
    Leased(String),
    Rows(Box<RowPlan>),
}

impl RowPlan {
    /// Number of rows of the table.
    pub(in crate::run) fn rows(&self) -> usize {
        self.wanted.keys.len()
    }

    /// Digest of everything that a row depends on.
    pub(in crate::run) fn input(&self, row: usize) -> &Digest {
        &self.wanted.inputs[row]
    }

    /// Cuts rows into pieces of about `job_seconds` each. Without a rate, the pieces are `samples` samples of some seconds,
    /// and each has an equal share of the rows.
    pub(in crate::run) fn pieces(
        &self,
        rows: &[usize],
        rate: Option<Rate>,
        job_seconds: f64,
        samples: usize,
    ) -> Vec<Piece> {
        let size = match rate {
            Some(rate) => even(rows.len(), rate.rows(job_seconds)),
            None => rows.len().div_ceil(samples.max(1)).max(1),
        };
        let sample = rate.is_none().then(|| (job_seconds / 2.0).min(COMMIT_EVERY / 2.0));
        let piece = |rows: &[usize]| Piece { rows: rows.to_vec(), at: None, rate, sample, done: 0 };
        rows.chunks(size).map(piece).collect()
    }

    /// Returns the shard of a piece, as it travels to a node.
    pub(in crate::run) fn shard(&self, piece: &Piece) -> Shard {
        let rows = &piece.rows;
        Shard {
            keys: rows.iter().map(|row| self.wanted.keys[*row].clone()).collect(),
            inputs: rows.iter().map(|row| self.wanted.inputs[*row]).collect(),
            places: rows.iter().map(|row| self.wanted.places[*row]).collect(),
            outdated: self.outdated.iter().copied().collect(),
            rate: piece.rate,
            sample: piece.sample,
        }
    }

    /// Returns what the assembly of the table needs, after jobs have computed these parts.
    pub(in crate::run) fn computed(
        &self,
        parts: &[ShardPart],
        rate: Option<Rate>,
        seconds: f64,
    ) -> ComputedRows {
        let returned: BTreeSet<Digest> =
            parts.iter().flat_map(|part| part.segments.iter().copied()).collect();
        ComputedRows {
            rows: parts.iter().map(|part| part.computed).sum(),
            seconds,
            row_seconds: rate.map(|rate| rate.row),
            peak_memory: parts.iter().map(|part| part.peak_memory).max().unwrap_or_default(),
            outdated: self.outdated.difference(&returned).copied().collect(),
        }
    }
}

/// Missing rows of one shard.
#[derive(Clone, Debug)]
pub(in crate::run) struct Piece {
    /// Their positions in the order of their key.
    rows: Vec<usize>,
    /// Their positions in the shard, if it has other rows, too.
    at: Option<Vec<usize>>,
    rate: Option<Rate>,
    sample: Option<f64>,
    /// Number of rows at the beginning of the shard that are in the store now.
    pub done: usize,
}

impl Piece {
    /// Rows of a shard of an earlier run, each with its position in the shard. `sample` is that of the shard.
    pub(in crate::run) fn adopted(rows: Vec<(usize, usize)>, sample: Option<f64>) -> Self {
        let (at, rows) = rows.into_iter().unzip();
        Self { rows, at: Some(at), rate: None, sample, done: 0 }
    }

    /// Rows that are not in the store yet.
    pub(in crate::run) fn left(&self) -> Vec<usize> {
        let position = |number: usize| self.at.as_ref().map_or(number, |at| at[number]);
        let rows = self.rows.iter().enumerate();
        rows.filter(|(number, _)| position(*number) >= self.done).map(|(_, row)| *row).collect()
    }

    /// Returns true if it may end although rows are left.
    pub(in crate::run) fn is_sample(&self) -> bool {
        self.sample.is_some()
    }

    /// Expected duration in seconds.
    pub(in crate::run) fn seconds(&self) -> Option<f64> {
        self.sample.or_else(|| Some(self.rate?.seconds(self.rows.len())))
    }
}

/// Size of shards of about `most` rows that are all about equal.
fn even(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most.max(1)).max(1)).max(1)
}

impl Action<'_> {
    /// Looks up the rows of a row-wise action, and claims its pool. Does not wait for other runs.
    ///
    /// # Errors
    /// Returns an error if the input table or the store cannot be read.
    pub(in crate::run) fn plan_rows(&self, run: &Run) -> Result<Planned> {
        let rows = self.stage.decl.rows.as_ref().expect("a row-wise stage");
        let pool = self.key.pool().expect("the key of a row-wise stage has its rows");
        let mut holder = None;
        let claim = run.store.claim_work(&LockName::Rows(&pool), &run.id, |who| {
            holder = Some(who.to_owned());
            false
        })?;
        let Some(claim) = claim else { return Ok(Planned::Leased(holder.unwrap_or_default())) };
        if let Some(head) = run.store.hit(&self.key.digest(), &self.stage.decl)
            && !self.force
        {
            return Ok(Planned::Taken(head));
        }
        self.check_unchanged(run.store)?;
        let table = &self.inputs[&rows.input].paths[0];
        let wanted = RequiredRows::read(&all_rows(&part_files(table)?), rows, &self.files)?;
        let segments = run.store.segments(&pool)?;
        let outdated: BTreeSet<Digest> = match self.force {
            true => segments.iter().map(|segment| segment.bytes).collect(),
            false => BTreeSet::new(),
        };
        let used: Vec<Segment> =
            segments.into_iter().filter(|segment| !outdated.contains(&segment.bytes)).collect();
        let layout = lay_out(&wanted, &used);
        let missing = layout.missing();
        let place = run.sandbox()?;
        let request = self.request(&self.key.digest(), place.staging.path(), place.staging.path());
        let rowwise = Rowwise {
            action: self,
            rows,
            pool,
            table: table.clone(),
            wanted,
            request,
            spool: place.staging.path().to_owned(),
            outdated,
        };
        let warning = rowwise.diverged(&layout);
        let Rowwise { wanted, outdated, .. } = rowwise;
        Ok(Planned::Rows(Box::new(RowPlan { wanted, outdated, missing, warning, _claim: claim })))
    }

    /// Computes the rows of a shard that the store lacks, and commits them in parts, so that little is lost if the job is
    /// killed. Calls `tell` after each part. Returns false if the job was stopped.
    ///
    /// # Errors
    /// Returns an error if the worker fails, returns wrong rows, or the store cannot be written.
    pub(in crate::run) fn perform_shard(
        &self,
        run: &Run,
        shard: &Shard,
        say: &mut impl FnMut(Update),
        mut tell: impl FnMut(ShardPart) -> Result<()>,
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
        if at < missing.len() || !missing.is_empty() {
            say(Update::Started { resumes: missing.len() < shard.len() });
        }
        while at < missing.len() && !parts.is_over(clock.elapsed()) {
            let next = parts.next(missing.len() - at);
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
            tell(ShardPart {
                done: missing.get(at).copied().unwrap_or(shard.len()),
                computed: next as u64,
                segments: returned.iter().map(|segment| segment.bytes).collect(),
                peak_memory,
                rate: parts.rate,
            })?;
        }
        if missing.is_empty() {
            let (segments, peak_memory) = (Vec::new(), 0);
            tell(ShardPart { done: shard.len(), computed: 0, segments, peak_memory, rate: None })?;
        }
        Ok(true)
    }
}

/// Sizes of the parts in which a shard is computed.
struct Parts {
    rate: Option<Rate>,
    sample: Option<f64>,
    size: usize,
    last: Option<(usize, f64)>,
}

impl Parts {
    fn new(shard: &Shard) -> Self {
        Self { rate: shard.rate, sample: shard.sample, size: 1, last: None }
    }

    fn is_over(&self, elapsed: Duration) -> bool {
        self.sample.is_some_and(|limit| elapsed.as_secs_f64() >= limit)
    }

    /// Number of rows of the next part. Parts of a sample grow, so that the time of a row is known after its last ones.
    fn next(&self, left: usize) -> usize {
        let most = self.rate.map_or(1, |rate| rate.rows(COMMIT_EVERY));
        match self.sample {
            Some(limit) => {
                self.size.min(self.rate.map_or(1, |rate| rate.rows(limit))).min(most).max(1).min(left)
            }
            // The last parts are not smaller than the others.
            None => even(left, most).min(left),
        }
    }

    fn took(&mut self, rows: usize, time: Duration) {
        let this = (rows, time.as_secs_f64());
        self.rate = Some(match self.last {
            Some(last) if last.0 != rows => Rate::of(last, this),
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
    fn two_parts_give_the_time_of_a_row_and_of_the_start_of_a_worker() {
        let rate = Rate::of((1, 1.1), (11, 2.1));
        assert!((rate.row - 0.1).abs() < 1e-9 && (rate.start - 1.0).abs() < 1e-9, "{rate:?}");
        assert_eq!((rate.rows(11.0), rate.rows(0.5)), (100, 1));
        assert_eq!(Rate::of((4, 2.0), (16, 1.0)).row, 0.0, "noise");
    }

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
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let rows = parts.next(1000);
            sizes.push(rows);
            parts.took(rows, Duration::from_secs_f64(0.5 + 0.1 * rows as f64));
        }
        assert_eq!(sizes, [1, 4, 16, 64, 256]);
        let parts = Parts::new(&Shard { rate: Some(Rate { start: 1.0, row: 0.1 }), sample: None, ..empty });
        assert_eq!(parts.next(590), 590);
        assert_eq!(parts.next(600), 300, "two parts of half a minute");
    }

    #[test]
    fn shards_are_about_equal() {
        assert_eq!([even(100, 30), even(100, 100), even(3, 100), even(100, 0)], [25, 100, 3, 1]);
    }
}
