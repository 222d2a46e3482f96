//! Missing rows of a row-wise action, and how they are cut into shards.

use std::collections::BTreeSet;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::protocol::WorkerEvent;
#[cfg(test)]
use callsheet_worker::table::RowKey;
use callsheet_worker::table::part_files;

use super::assemble::lay_out;
use super::computed::ComputedRows;
use super::part::all_rows;
use super::rate::{COMMIT_EVERY, Rate, even};
use super::required::RequiredRows;
use super::rowwise::Rowwise;
use super::shard::{Piece, Shard, ShardPart};
use crate::run::action::Action;
use crate::run::context::Run;
use crate::store::{Claim, LatestResult, LockName, Segment};

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
    /// A plan of rows that are in no table. Their keys are their positions.
    #[cfg(test)]
    pub(in crate::run) fn simulated(inputs: Vec<Digest>, missing: Vec<usize>, claim: Claim) -> Self {
        let keys = (0..inputs.len()).map(|row| RowKey::Number(row as i64)).collect();
        let places = (0..inputs.len()).map(|row| (0, row as u64)).collect();
        let wanted = RequiredRows { keys, inputs, places };
        Self { wanted, outdated: BTreeSet::new(), missing, warning: None, _claim: claim }
    }

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
}
