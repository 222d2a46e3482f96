//! Assembly of a table from the segments of a pool.
//!
//! Segments whose rows are all required are reused unchanged, so that a table that grew by a few rows shares
//! the other rows with its previous version. If only a part of a segment is required, these rows are copied.
//! A table of a few megabytes is written as one file. In larger tables, small segments are merged when there are many of
//! similar size. Each row is therefore rewritten once
//! whenever the table has grown eightfold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::table::{
    self, FOOTER_PREFIX, Rows, TableWriter, batch_bytes, field_names, gather, rows_at_once, rows_within,
    schema,
};

use super::index::Index;
use super::part::{CHECKS, PART_BYTES};
use super::required::RequiredRows;
use crate::store::{RowDigests, Segment, Store};

/// Number of segments of similar size that are merged.
const MANY: usize = 8;

/// Segments of fewer bytes are merged with others. A worker's own file of wide rows is larger even if
/// encoding halves it, so a new table of wide rows is not written a second time.
const SMALL: u64 = (PART_BYTES / 4) as u64;

/// Tables of up to this many bytes are one file, which every program opens. It is written again when rows change.
const ONE_FILE: u64 = 8 << 20;

/// Place of a row: the segment, and the position in it.
type Place = (usize, usize);

/// Layout of a table: segments that are reused, and rows that are written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Segments that are reused unchanged.
    pub kept: Vec<usize>,
    /// Rows to write, as positions among the required rows in the order of their key; each list goes to
    /// separate files.
    pub written: Vec<Vec<usize>>,
    /// Place of each required row; `None` if no segment has it.
    pub places: Vec<Option<Place>>,
    /// Required rows of which segments have different outputs.
    pub diverged: Vec<usize>,
}

impl Layout {
    /// Returns the positions of required rows that no segment has.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.places.len()).filter(|row| self.places[*row].is_none()).collect()
    }

    /// Returns the output digests of all rows that segments have, in the order of their key.
    pub(super) fn outputs(&self, segments: &[Segment]) -> Vec<Digest> {
        let places = self.places.iter().flatten();
        places.map(|(segment, at)| segments[*segment].rows[*at].output).collect()
    }
}

/// Returns the layout of a table with the required rows.
pub(super) fn lay_out(wanted: &RequiredRows, segments: &[Segment]) -> Layout {
    let by_input = Index::new(&wanted.inputs);
    // For each segment, the required rows that it has, with their positions in it.
    let has: Vec<Vec<(usize, usize)>> = segments
        .iter()
        .map(|s| {
            s.rows.iter().enumerate().filter_map(|(at, row)| Some((by_input.find(&row.input)?, at))).collect()
        })
        .collect();
    let (has, diverged) = agreed(has, segments, wanted.inputs.len());
    let mut layout = Layout { places: vec![None; wanted.inputs.len()], diverged, ..Layout::default() };
    let mut by_worth: Vec<usize> = (0..segments.len()).collect();
    let part = |s: usize| has[s].len() < segments[s].rows.len();
    by_worth.sort_by_key(|s| (part(*s), std::cmp::Reverse(has[*s].len()), segments[*s].bytes));
    let mut loose = Vec::new();
    for segment in by_worth {
        let free = |(row, _): &&(usize, usize)| layout.places[*row].is_none();
        let rows: Vec<(usize, usize)> = has[segment].iter().filter(free).copied().collect();
        let whole = rows.len() == segments[segment].rows.len();
        if whole && !rows.is_empty() {
            layout.kept.push(segment);
        } else {
            loose.extend(rows.iter().map(|(row, _)| *row));
        }
        rows.into_iter().for_each(|(row, at)| layout.places[row] = Some((segment, at)));
    }
    if layout.kept.len() + usize::from(!loose.is_empty()) > 1 && size(&layout, segments) <= ONE_FILE {
        layout.kept.clear();
        layout.written = vec![(0..layout.places.len()).filter(|row| layout.places[*row].is_some()).collect()];
    } else {
        merge_small(&mut layout, loose, &has, segments);
    }
    layout
}

/// Required rows that each segment has, without those of which another segment has a smaller digest of the output: two
/// runs may compute a row at the same time, and every later run must choose the same one. Also returns these rows.
fn agreed(
    mut has: Vec<Vec<(usize, usize)>>,
    segments: &[Segment],
    rows: usize,
) -> (Vec<Vec<(usize, usize)>>, Vec<usize>) {
    let mut seen = vec![false; rows];
    let mut all = has.iter().flatten().map(|(row, _)| *row);
    if all.all(|row| !std::mem::replace(&mut seen[row], true)) {
        return (has, Vec::new());
    }
    let mut least: Vec<Option<Digest>> = vec![None; rows];
    let mut diverged = BTreeSet::new();
    for (segment, row, at) in
        has.iter().enumerate().flat_map(|(s, has)| has.iter().map(move |(row, at)| (s, *row, *at)))
    {
        let output = segments[segment].rows[at].output;
        let known = *least[row].get_or_insert(output);
        if known != output {
            diverged.insert(row);
            least[row] = Some(known.min(output));
        }
    }
    if !diverged.is_empty() {
        for (segment, has) in has.iter_mut().enumerate() {
            has.retain(|(row, at)| least[*row] == Some(segments[segment].rows[*at].output));
        }
    }
    (has, diverged.into_iter().collect())
}

/// Bytes of a table, estimated from the sizes of the segments that have its rows.
fn size(layout: &Layout, segments: &[Segment]) -> u64 {
    let mut rows: BTreeMap<usize, u64> = BTreeMap::new();
    layout.places.iter().flatten().for_each(|(segment, _)| *rows.entry(*segment).or_default() += 1);
    let share = |(segment, rows): (usize, u64)| {
        let Segment { size, rows: all, .. } = &segments[segment];
        *size * rows / all.len().max(1) as u64
    };
    rows.into_iter().map(share).sum()
}

/// Merges rows to write with small segments, so that there are never many segments of similar size.
fn merge_small(layout: &mut Layout, loose: Vec<usize>, has: &[Vec<(usize, usize)>], segments: &[Segment]) {
    let size = |rows: usize| rows.max(1).ilog(MANY);
    let mut groups: BTreeMap<u32, Vec<Vec<usize>>> = BTreeMap::new();
    let mut small = BTreeSet::new();
    for segment in layout.kept.iter().filter(|s| segments[**s].size < SMALL) {
        small.insert(*segment);
        let rows: Vec<usize> = has[*segment].iter().map(|(row, _)| *row).collect();
        groups.entry(size(rows.len())).or_default().push(rows);
    }
    if !loose.is_empty() {
        groups.entry(size(loose.len())).or_default().push(loose);
    }
    while let Some((&of, _)) = groups.iter().find(|(_, groups)| groups.len() >= MANY) {
        let merged: Vec<usize> = groups.remove(&of).unwrap_or_default().concat();
        groups.entry(size(merged.len())).or_default().push(merged);
    }
    let taken: BTreeMap<usize, usize> =
        small.iter().filter_map(|segment| Some((has[*segment].first()?.0, *segment))).collect();
    for mut rows in groups.into_values().flatten() {
        let alone = taken.get(&rows[0]).is_some_and(|segment| has[*segment].len() == rows.len());
        if !alone {
            rows.sort_unstable();
            let rewritten: BTreeSet<usize> =
                rows.iter().filter_map(|row| Some(layout.places[*row]?.0)).collect();
            layout.kept.retain(|segment| !rewritten.contains(segment) || !small.contains(segment));
            layout.written.push(rows);
        }
    }
}

/// Writes the rows that a layout lists. Returns the segments of the table: those reused, and those written.
///
/// # Errors
/// Returns an error if a segment cannot be read, or the store cannot be written.
pub(super) fn assemble(
    store: &Store,
    pool: &Digest,
    layout: &Layout,
    segments: &[Segment],
    footer: &BTreeMap<String, String>,
    staging: &Path,
) -> Result<(Vec<Segment>, Vec<Segment>)> {
    let mut fresh = Vec::new();
    for rows in &layout.written {
        let mut chosen: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for row in rows {
            let Some((segment, at)) = layout.places[*row] else { continue };
            chosen.entry(segment).or_default().push(at as u64);
        }
        let from: Vec<usize> = chosen.keys().copied().collect();
        let paths: Vec<PathBuf> =
            from.iter().map(|s| PathBuf::from(store.materialize(&segments[*s].object()))).collect();
        let files: Vec<Rows> = paths
            .iter()
            .zip(chosen.into_values())
            .map(|(path, rows)| Rows { path, chosen: Some(rows) })
            .collect();
        let places: Vec<Place> = rows.iter().filter_map(|row| layout.places[*row]).collect();
        let file = |segment: &usize| from.binary_search(segment).unwrap_or_default() as u32;
        let order: Vec<u32> = places.iter().map(|(segment, _)| file(segment)).collect();
        let digests: Vec<RowDigests> =
            places.iter().map(|(segment, at)| segments[*segment].rows[*at]).collect();
        let footer = &footer_of(footer, &paths)?;
        let mut parts =
            Parts { store, pool, footer, staging, digests: &digests, open: None, fresh: &mut fresh };
        let batch = rows_at_once(&paths)?;
        gather(&files, &[], &order, batch, |batch| parts.write(&batch))?;
        parts.end()?;
    }
    let kept = layout.kept.iter().map(|segment| segments[*segment].clone());
    Ok((kept.collect(), fresh))
}

/// Footer of a file with rows of other files. It states the checks that the rows have passed only if all these files do.
fn footer_of(footer: &BTreeMap<String, String>, from: &[PathBuf]) -> Result<BTreeMap<String, String>> {
    let (mut own, name) = (footer.clone(), format!("{FOOTER_PREFIX}{CHECKS}"));
    for path in from {
        if table::footer(path)?.get(&name) != footer.get(&name) {
            own.remove(&name);
        }
    }
    Ok(own)
}

/// Writes rows to files of about [`PART_BYTES`] each.
struct Parts<'a> {
    store: &'a Store,
    pool: &'a Digest,
    footer: &'a BTreeMap<String, String>,
    staging: &'a Path,
    /// Digests of the rows that are not in a finished file yet.
    digests: &'a [RowDigests],
    open: Option<(TableWriter, usize, usize)>,
    fresh: &'a mut Vec<Segment>,
}

impl Parts<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let (writer, rows, bytes) = match &mut self.open {
                Some(open) => open,
                none => {
                    let path = self.staging.join("segment.parquet");
                    let schema: Schema = rest.schema().as_ref().clone();
                    none.insert((TableWriter::create(&path, schema, self.footer)?, 0, 0))
                }
            };
            let fit = rows_within(&rest, PART_BYTES - *bytes);
            let head = rest.slice(0, (fit + 1).min(rest.num_rows()));
            writer.write(&head)?;
            *rows += head.num_rows();
            *bytes += batch_bytes(&head);
            rest = rest.slice(head.num_rows(), rest.num_rows() - head.num_rows());
            if *bytes >= PART_BYTES {
                self.end()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some((writer, rows, _)) = self.open.take() else { return Ok(()) };
        writer.finish()?;
        let (done, rest) = self.digests.split_at(rows);
        self.digests = rest;
        let path = self.staging.join("segment.parquet");
        self.fresh.push(self.store.add_segment(self.pool, &path, done.to_vec())?);
        Ok(())
    }
}

/// Names and types of the columns of a segment.
pub(super) fn columns_of(store: &Store, segment: &Segment) -> Result<Vec<(String, String)>> {
    Ok(field_names(schema(&store.materialize(&segment.object()))?.fields()))
}

#[cfg(test)]
mod tests {
    use callsheet_worker::table::RowKey;

    use super::*;

    /// Segments of one row each.
    fn segments(count: usize, size: u64) -> (RequiredRows, Vec<Segment>) {
        let digest = |n: usize| Digest::from(blake3::hash(&n.to_le_bytes()));
        let row = |n| RowDigests { input: digest(n), output: digest(n) };
        let wanted = RequiredRows {
            keys: (0..count).map(|n| RowKey::Number(n as i64)).collect(),
            inputs: (0..count).map(digest).collect(),
            ..RequiredRows::default()
        };
        (wanted, (0..count).map(|n| Segment { bytes: digest(n), size, rows: vec![row(n)] }).collect())
    }

    #[test]
    fn large_files_are_taken_as_they_are_and_small_ones_are_merged() {
        let (wanted, whole) = segments(14, SMALL);
        let layout = lay_out(&wanted, &whole);
        assert_eq!((layout.kept.len(), layout.written.len()), (14, 0));
        let (wanted, small) = segments(14, SMALL - 1);
        let layout = lay_out(&wanted, &small);
        assert_eq!((layout.kept.len(), layout.written.concat().len()), (0, 14));
        let (wanted, few) = segments(3, ONE_FILE / 3);
        let layout = lay_out(&wanted, &few);
        assert_eq!(
            (layout.kept.len(), layout.written),
            (0, vec![vec![0, 1, 2]]),
            "a small table is one file"
        );
        let (wanted, few) = segments(3, ONE_FILE / 2);
        assert_eq!(lay_out(&wanted, &few).kept.len(), 3);
        let (wanted, one) = segments(1, 100);
        assert_eq!(lay_out(&wanted, &one).kept, [0], "a single segment is not written again");
    }
}
