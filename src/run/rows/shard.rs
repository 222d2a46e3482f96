//! Shards: ranges of the missing rows of a row-wise action, which jobs on a cluster compute.

use callsheet_worker::digest::Digest;
use callsheet_worker::table::RowKey;
use serde::{Deserialize, Serialize};

use super::rate::Rate;

/// Rows of one shard, in the order of their key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::run) struct Shard {
    pub(super) keys: Vec<RowKey>,
    pub(super) inputs: Vec<Digest>,
    pub(super) places: Vec<(u32, u64)>,
    /// Segments whose rows are computed again.
    pub(super) outdated: Vec<Digest>,
    /// Duration of rows, if it is known.
    pub(super) rate: Option<Rate>,
    /// Seconds after which a sample ends, although rows are left; `None` for a shard that is computed to its end.
    pub sample: Option<f64>,
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

    /// Digests of everything that its rows depend on, in its order.
    pub(in crate::run) fn inputs(&self) -> &[Digest] {
        &self.inputs
    }
}

/// Missing rows of one shard.
#[derive(Clone, Debug)]
pub(in crate::run) struct Piece {
    /// Their positions in the order of their key.
    pub(super) rows: Vec<usize>,
    /// Their positions in the shard, if it has other rows, too.
    pub(super) at: Option<Vec<usize>>,
    pub(super) rate: Option<Rate>,
    pub(super) sample: Option<f64>,
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

    /// Returns true if an earlier run submitted its shard.
    pub(in crate::run) fn is_adopted(&self) -> bool {
        self.at.is_some()
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
