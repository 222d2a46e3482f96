//! Ingest of the rows that a worker returned: checks and sorts them, and keeps them in the store as segments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result, list};
use callsheet_worker::table::{
    FOOTER_PREFIX, JsonOptions, RowKey, TableWriter, batch_bytes, check_columns, declared_schema, footer,
    part_files, read_batches, read_json, row_count, row_digests, rows_at_once,
};
use parquet::errors::ParquetError;

use super::missing::PendingRows;
use super::part::PART_BYTES;
use super::required::keys;
use crate::checks::check_rows;
use crate::declare::{OutputDecl, RowsDecl, TableFormat};
use crate::store::{RowDigests, Segment, Store};

/// Remedy in errors about returned rows.
const ONE_EACH: &str =
    "correct the stage: it must return exactly one row for each input row, with the key of that row";

/// Checks and keeps the rows that a worker returned.
pub(super) struct RowIngest<'a> {
    /// Store that keeps the segments.
    pub store: &'a Store,
    /// Pool of the interchangeable rows.
    pub pool: Digest,
    /// Declaration of the rows.
    pub rows: &'a RowsDecl,
    /// Declaration of the output.
    pub output: &'a OutputDecl,
    /// Rows that the worker had to compute.
    pub asked: &'a PendingRows,
    /// Name-value pairs for the footers of segments.
    pub footer: &'a BTreeMap<String, String>,
    /// Folder on the store's file system for files that are being written.
    pub staging: &'a Path,
}

impl RowIngest<'_> {
    /// Keeps the rows in `path`, which is a file or a folder of files. If the worker was ended early (`whole`
    /// is false), its files may be cut off, so incomplete files and lines are skipped.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written. If `whole` is true, also returns an error if a row is
    /// unknown, duplicate or missing, if a column is not as declared, or if a check fails.
    pub(super) fn keep(&self, path: &Path, whole: bool) -> Result<Vec<Segment>> {
        let mut seen = BTreeSet::new();
        let mut segments = Vec::new();
        let kept = self.keep_files(path, whole, &mut seen, &mut segments);
        // If a worker returned something wrong, its other rows may be wrong, too: they are not added to the pool. Their
        // objects stay until gc removes them, because a published table may be equal to one of them.
        kept?;
        segments.iter().try_for_each(|segment| self.store.add_to_pool(&self.pool, segment))?;
        Ok(segments)
    }

    fn keep_files(
        &self,
        path: &Path,
        whole: bool,
        seen: &mut BTreeSet<usize>,
        segments: &mut Vec<Segment>,
    ) -> Result<()> {
        for file in self.files(path, whole)? {
            match self.keep_file(&file, whole, seen, segments) {
                Err(error) if whole => return Err(error),
                _ => {}
            }
        }
        if whole && seen.len() < self.asked.keys.len() {
            let (all, asked) = (self.asked.keys.len(), self.asked.keys.iter().enumerate());
            let lost = asked.filter(|(row, _)| !seen.contains(row)).map(|(_, key)| key.to_string());
            return Err(Error::user_error(
                Code::WorkerOutput,
                format!("the worker returned {} of {all} rows; missing: {}", seen.len(), list(lost)),
                ONE_EACH,
            ));
        }
        Ok(())
    }

    fn files(&self, path: &Path, whole: bool) -> Result<Vec<PathBuf>> {
        match part_files(path) {
            Ok(files) if path.exists() => Ok(files),
            _ if !whole => Ok(Vec::new()),
            _ => Err(Error::user_error(
                Code::WorkerOutput,
                format!("the worker did not write its output `{}`", self.rows.output),
                format!("write a file, or a folder of Parquet files, to {}", path.display()),
            )),
        }
    }

    fn keep_file(
        &self,
        path: &Path,
        whole: bool,
        seen: &mut BTreeSet<usize>,
        segments: &mut Vec<Segment>,
    ) -> Result<()> {
        let mut sorter = Sorter { of: self, pending: Vec::new(), bytes: 0, segments };
        if self.output.format == TableFormat::Json {
            let schema = declared_schema(&self.output.columns);
            read_json(path, &schema, JsonOptions { whole, texts: false }, |batch| {
                sorter.take(batch, path, seen)
            })?;
        } else {
            check_columns(path, &self.output.columns)?;
            if let Some(segment) = self.adopt(path, seen)? {
                sorter.segments.push(segment);
                return Ok(());
            }
            read_batches(path, &[], rows_at_once(&[path])?, |batch| sorter.take(batch, path, seen))?;
        }
        sorter.end_segment(path)
    }

    /// Keeps a file unchanged if it already has the form of a segment: written for this action, sorted, and
    /// not too large. Returns `None` otherwise.
    fn adopt(&self, path: &Path, seen: &mut BTreeSet<usize>) -> Result<Option<Segment>> {
        let written = footer(path)?;
        let own = |name: &str| self.footer.get(&format!("{FOOTER_PREFIX}{name}"));
        let same = |name| own(name).is_some() && written.get(&format!("{FOOTER_PREFIX}{name}")) == own(name);
        let size = fs::metadata(path).io_context("cannot read", path)?.len();
        if !same("action_key") || !same("key") || !same("checks") || size > PART_BYTES as u64 {
            return Ok(None);
        }
        let mut digests = Vec::with_capacity(row_count(path)? as usize);
        let mut found = Vec::new();
        read_batches(path, &[], rows_at_once(&[path])?, |batch| -> Result<()> {
            found.extend(self.find(&batch, path)?);
            digests.extend(row_digests(&batch).map_err(ParquetError::from).io_context("cannot read", path)?);
            Ok(())
        })?;
        if found.is_empty() || !found.is_sorted_by(|a, b| a < b) {
            return Ok(None);
        }
        self.once(&found, seen)?;
        let inputs = found.iter().map(|row| self.asked.inputs[*row]);
        let rows = inputs.zip(digests).map(|(input, output)| RowDigests { input, output }).collect();
        Ok(Some(self.store.place_segment(path, rows)?))
    }

    /// Returns the positions of returned rows among the requested rows, and checks their values. Columns must
    /// be as the stage declares them.
    fn find(&self, batch: &RecordBatch, path: &Path) -> Result<Vec<usize>> {
        let keys = keys(batch.column_by_name(&self.rows.key), &self.rows.key, path.display())?;
        check_rows(batch, &self.output.checks, Some(&self.rows.key), 0, path)?;
        let place = |key: Option<RowKey>| {
            let Some(key) = key else {
                let message = format!("the worker returned a row whose `{}` is null", self.rows.key);
                return Err(Error::user_error(Code::WorkerOutput, message, ONE_EACH));
            };
            self.asked.keys.binary_search(&key).map_err(|_| {
                Error::user_error(
                    Code::WorkerOutput,
                    format!("the worker returned the row `{key}`, which is not one of its input rows"),
                    ONE_EACH,
                )
            })
        };
        keys.into_iter().map(place).collect()
    }

    fn once(&self, found: &[usize], seen: &mut BTreeSet<usize>) -> Result<()> {
        let again = found.iter().filter(|row| !seen.insert(**row));
        let twice: Vec<&RowKey> = again.map(|row| &self.asked.keys[*row]).collect();
        if twice.is_empty() {
            return Ok(());
        }
        let message = format!("the worker returned more than one row for these keys: {}", list(twice));
        Err(Error::user_error(Code::WorkerOutput, message, ONE_EACH))
    }
}

/// Collects rows until they fill a segment.
struct Sorter<'a> {
    of: &'a RowIngest<'a>,
    pending: Vec<(RecordBatch, Vec<usize>)>,
    bytes: usize,
    segments: &'a mut Vec<Segment>,
}

impl Sorter<'_> {
    fn take(&mut self, batch: RecordBatch, path: &Path, seen: &mut BTreeSet<usize>) -> Result<()> {
        let found = self.of.find(&batch, path)?;
        self.of.once(&found, seen)?;
        self.bytes += batch_bytes(&batch);
        self.pending.push((batch, found));
        if self.bytes >= PART_BYTES { self.end_segment(path) } else { Ok(()) }
    }

    fn end_segment(&mut self, path: &Path) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.bytes = 0;
        let Some((first, _)) = pending.first() else { return Ok(()) };
        let of = self.of;
        let mut order: Vec<(usize, u32)> =
            pending.iter().flat_map(|(_, found)| found).copied().zip(0..).collect();
        order.sort_unstable();
        let positions = UInt32Array::from_iter_values(order.iter().map(|(_, at)| *at));
        let batches = pending.iter().map(|(batch, _)| batch);
        let whole =
            concat_batches(&first.schema(), batches).and_then(|whole| take_record_batch(&whole, &positions));
        let sorted =
            whole.and_then(|sorted| with_plain_key(sorted, &of.rows.key)).map_err(ParquetError::from);
        let sorted = sorted.io_context("cannot read", path)?;
        let digests = row_digests(&sorted).map_err(ParquetError::from).io_context("cannot read", path)?;
        let to = of.staging.join("segment.parquet");
        let mut writer = TableWriter::create(&to, sorted.schema().as_ref().clone(), of.footer)?;
        writer.write(&sorted)?;
        writer.finish()?;
        let inputs = order.iter().map(|(row, _)| of.asked.inputs[*row]);
        let rows = inputs.zip(digests).map(|(input, output)| RowDigests { input, output }).collect();
        self.segments.push(of.store.place_segment(&to, rows)?);
        Ok(())
    }
}

/// Converts the key of rows to a column without nulls: texts of any encoding to plain text, integers to their own type.
fn with_plain_key(rows: RecordBatch, key: &str) -> Result<RecordBatch, ArrowError> {
    let at = rows.schema().index_of(key)?;
    let kind = rows.column(at).data_type().clone();
    let kind = if kind.is_integer() { kind } else { DataType::Utf8 };
    let plain = cast(rows.column(at), &kind)?;
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    columns[at] = plain;
    let mut fields: Vec<Arc<Field>> = rows.schema().fields().to_vec();
    fields[at] = Arc::new(Field::new(key, kind, false));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
