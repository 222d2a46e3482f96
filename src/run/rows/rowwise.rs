//! Performs a row-wise action.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow::datatypes::{Field, Schema};
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result, list};
use callsheet_worker::protocol::{Level, WorkRequest, WorkerEvent};
use callsheet_worker::table::{
    FOOTER_PREFIX, KEY, TableWriter, digest_of_rows, footer, parse_type, part_files,
};
use litemap::LiteMap;

use super::assemble::{Layout, assemble, columns_of, lay_out};
use super::index::Index;
use super::ingest::RowIngest;
use super::missing::{MISSING, PendingRows, write_missing};
use super::part::{CHECKS, all_rows};
use super::required::RequiredRows;
use crate::checks::{check_count, check_unique, check_values};
use crate::declare::{OutputDecl, RowsDecl};
use crate::run::action::{Action, ActionOutput, wait_unless_stopped};
use crate::run::context::Run;
use crate::run::executor::Update;
use crate::run::publish::table_of;
use crate::run::sandbox::RunSandbox;
use crate::store::{LockName, Object, Segment, Store};

/// A row-wise action, with its files and names.
pub(super) struct Rowwise<'a> {
    pub action: &'a Action<'a>,
    pub rows: &'a RowsDecl,
    pub pool: Digest,
    /// Path of the input table.
    pub table: PathBuf,
    pub wanted: RequiredRows,
    pub request: WorkRequest,
    /// Folder with the rows that the worker gets, and the rows that it returns.
    pub spool: PathBuf,
    /// Segments whose rows are computed again.
    pub outdated: BTreeSet<Digest>,
}

impl Action<'_> {
    /// Computes the rows that the store lacks, and assembles the table; `None` if the run was stopped.
    pub(in crate::run) fn perform_rows(
        &self,
        run: &Run,
        place: &RunSandbox,
        rows: &RowsDecl,
        request: WorkRequest,
        say: &mut impl FnMut(Update),
    ) -> Result<Option<ActionOutput>> {
        let pool = self.key.pool().expect("the key of a row-wise stage has its rows");
        let mut _claim = None;
        if self.computed_rows.is_none() {
            _claim =
                run.store.claim_work(&LockName::Rows(&pool), &run.id, wait_unless_stopped(place, say))?;
            if _claim.is_none() {
                return Ok(None);
            }
        }
        let mut rowwise = self.rowwise(run.store, rows, pool, request)?;
        let staging = run.store.staging()?;
        let mut computed = self.computed_rows.as_ref().map_or(0, |computed| computed.rows);
        let mut told = self.computed_rows.is_some();
        let done = self.attempts(place, say, |say| {
            let kept = rowwise.take(run.store, staging.path(), false)?;
            rowwise.renew(&kept);
            let layout = lay_out(&rowwise.wanted, &rowwise.segments(run.store)?);
            let missing = layout.missing();
            if !std::mem::replace(&mut told, true) {
                computed = missing.len() as u64;
                say(Update::Rows { missing: computed, of: rowwise.wanted.keys.len() as u64 });
                rowwise.diverged(&layout).into_iter().for_each(|event| say(Update::Worker(event)));
            }
            match &self.computed_rows {
                _ if missing.is_empty() => Ok((Vec::new(), 0)),
                Some(_) => Err(rowwise.disappeared(missing[0])),
                None => rowwise.compute(run, place, &missing, staging.path(), say),
            }
        })?;
        let Some((returned, peak_memory)) = done else { return Ok(None) };
        let peak_memory = self.computed_rows.as_ref().map_or(peak_memory, |computed| computed.peak_memory);
        rowwise.renew(&returned);
        say(Update::Released);
        let (object, fresh) = rowwise.publish(run.store, staging.path(), &returned)?;
        let _ = fs::remove_dir_all(&rowwise.spool);
        let outputs = LiteMap::from_iter([(rows.output.clone(), object)]);
        Ok(Some(ActionOutput { outputs, fresh, peak_memory, computed: Some(computed) }))
    }

    /// Returns the row-wise action, whose pool is claimed.
    fn rowwise<'a>(
        &'a self,
        store: &Store,
        rows: &'a RowsDecl,
        pool: Digest,
        request: WorkRequest,
    ) -> Result<Rowwise<'a>> {
        if self.force && self.computed_rows.is_none() {
            store.forget_rows(&pool)?;
        }
        // Rows in a shared store cannot be forgotten, so that a forced action looks away from them.
        let outdated = match &self.computed_rows {
            Some(computed) => computed.outdated.clone(),
            None if self.force => store.segments(&pool)?.into_iter().map(|segment| segment.bytes).collect(),
            None => BTreeSet::new(),
        };
        let table = self.inputs[&rows.input].paths[0].clone();
        let wanted = RequiredRows::read(&all_rows(&part_files(&table)?), rows, &self.files)?;
        let spool = store.spool(&pool)?;
        let request = spooled(request, rows, &self.stage.decl.outputs[&rows.output], &spool);
        Ok(Rowwise { action: self, rows, pool, table, wanted, request, spool, outdated })
    }
}

impl Rowwise<'_> {
    /// Lets a worker compute rows. Returns their segments, none if the run was stopped, and the worker's peak memory.
    pub(super) fn compute(
        &self,
        run: &Run,
        place: &RunSandbox,
        missing: &[usize],
        staging: &Path,
        say: &mut impl FnMut(Update),
    ) -> Result<(Vec<Segment>, u64)> {
        self.ask(missing)?;
        let folder = place.folder()?;
        let worked = self.action.work(run, place, &self.request, &folder, say);
        let unchanged = worked.and_then(|peak_memory| {
            if !place.supervisor.stopping() {
                self.action.check_unchanged(run.store)?;
            }
            Ok(peak_memory)
        });
        // Rows that were computed while a file changed may belong to either version: they are discarded.
        if unchanged.as_ref().is_err_and(|error| error.kind() == Code::InputChanged) {
            let _ = fs::remove_dir_all(&self.spool);
        }
        let peak_memory = self.action.keep_failed(run, place, &folder, unchanged)?;
        place.give(folder);
        if place.supervisor.stopping() {
            return Ok((Vec::new(), peak_memory));
        }
        Ok((self.take(run.store, staging, true)?, peak_memory))
    }

    fn disappeared(&self, row: usize) -> Error {
        let message =
            format!("row `{}` disappeared from the store during this action", self.wanted.keys[row]);
        Error::user_error(Code::NotComputed, message, "run again to recompute it")
    }

    /// Segments of the pool whose rows are not computed again.
    pub(super) fn segments(&self, store: &Store) -> Result<Vec<Segment>> {
        let segments = store.segments(&self.pool)?.into_iter();
        Ok(segments.filter(|segment| !self.outdated.contains(&segment.bytes)).collect())
    }

    /// Uses segments that a worker has returned, even if equal ones were there before.
    fn renew(&mut self, returned: &[Segment]) {
        returned.iter().for_each(|segment| _ = self.outdated.remove(&segment.bytes));
    }

    /// Warning that runs computed different outputs for the same rows.
    pub(super) fn diverged(&self, layout: &Layout) -> Option<WorkerEvent> {
        let keys = list(layout.diverged.iter().map(|row| &self.wanted.keys[*row]));
        let message = format!(
            "the stage is not deterministic: two runs computed different outputs for the same input rows, of which the \
             output with the smaller digest is used: {keys}"
        );
        (!layout.diverged.is_empty()).then_some(WorkerEvent::Log { level: Level::Warning, message })
    }

    fn output(&self) -> &Path {
        &self.request.outputs[&self.rows.output]
    }

    /// Keeps the rows that a worker returned. If the worker was ended early, its valid rows are kept, because
    /// the next worker would compute identical rows.
    pub(super) fn take(&self, store: &Store, staging: &Path, whole: bool) -> Result<Vec<Segment>> {
        let Some(asked) = PendingRows::read(&self.spool) else { return Ok(Vec::new()) };
        if asked.watch != Some(self.action.watch.digest()) {
            fs::remove_dir_all(&self.spool).io_context("cannot remove", &self.spool)?;
            return Ok(Vec::new());
        }
        let returned = RowIngest {
            store,
            pool: self.pool,
            rows: self.rows,
            output: &self.action.stage.decl.outputs[&self.rows.output],
            asked: &asked,
            footer: &self.request.footer,
            staging,
        };
        let kept = returned.keep(self.output(), whole);
        fs::remove_dir_all(&self.spool).io_context("cannot remove", &self.spool)?;
        kept
    }

    /// Writes the missing rows for the worker.
    fn ask(&self, missing: &[usize]) -> Result<()> {
        let out = self.output().parent().unwrap_or(&self.spool);
        // The folder that contains the spool exists: if its file system is gone, no folder of this machine may replace it.
        for folder in [&self.spool, out] {
            match fs::create_dir(folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made.io_context("cannot create", folder)?,
            }
        }
        let watch = self.action.watch.digest();
        write_missing(&self.table, self.rows, &self.wanted, missing, &watch, &self.spool)
    }

    /// Publishes the table. Returns its object, and the objects of its new segments.
    fn publish(&self, store: &Store, staging: &Path, returned: &[Segment]) -> Result<(Object, Vec<Object>)> {
        let segments = self.segments(store)?;
        let layout = lay_out(&self.wanted, &segments);
        if let Some(row) = layout.missing().first() {
            return Err(self.disappeared(*row));
        }
        let footer = &self.request.footer;
        let (mut parts, written) = assemble(store, &self.pool, &layout, &segments, footer, staging)?;
        parts.extend(written.iter().cloned());
        let (parts, outputs) = self.in_order(&layout, parts, &segments);
        let parts = if parts.is_empty() { vec![self.empty(store, staging, &segments)?] } else { parts };
        self.check_whole(store, &parts)?;
        store.share_segments(&self.pool, &parts)?;
        let content = digest_of_rows(&columns_of(store, &parts[0])?, outputs.iter());
        let object = store.publish_parts(&parts, content)?;
        for segment in returned.iter().filter(|segment| !parts.contains(segment)) {
            store.remove_segment(&self.pool, segment)?;
        }
        let fresh = returned.iter().chain(&written).filter(|segment| parts.contains(segment));
        Ok((object, fresh.map(Segment::object).collect()))
    }

    /// Checks the number and the uniqueness of the rows. Values were checked when the rows were returned;
    /// they are checked again only for rows that were returned under other checks.
    fn check_whole(&self, store: &Store, parts: &[Segment]) -> Result<()> {
        let checks = &self.action.stage.decl.outputs[&self.rows.output].checks;
        let rows = parts.iter().map(|part| part.rows.len() as u64).sum();
        check_count(rows, &checks.rows, |name| table_of(&self.action.inputs, name))?;
        let parts: Vec<PathBuf> = parts.iter().map(|part| store.materialize(&part.object()).into()).collect();
        let name = format!("{FOOTER_PREFIX}{CHECKS}");
        for part in &parts {
            if footer(part)?.get(&name) != self.request.footer.get(&name) {
                check_values(part, checks, Some(&self.rows.key))?;
            }
        }
        check_unique(&parts, checks)
    }

    /// Returns the segments in the order of their first rows, and the digests of all rows in the order of
    /// their key.
    fn in_order(
        &self,
        layout: &Layout,
        parts: Vec<Segment>,
        segments: &[Segment],
    ) -> (Vec<Segment>, Vec<Digest>) {
        let inputs = Index::new(&self.wanted.inputs);
        let mut parts = parts;
        parts.sort_by_key(|part| inputs.find(&part.rows[0].input));
        let outputs = layout.outputs(segments);
        (parts, outputs)
    }

    /// Returns a segment without rows. Its columns are those of another segment or, if there is none, those
    /// declared.
    fn empty(&self, store: &Store, staging: &Path, segments: &[Segment]) -> Result<Segment> {
        let columns = match segments.first() {
            Some(segment) => columns_of(store, segment)?,
            None => self.action.stage.decl.outputs[&self.rows.output].columns.clone().into_iter().collect(),
        };
        let field = |(name, kind): &(String, String)| {
            Some(Field::new(name, parse_type(kind)?, *name != self.rows.key))
        };
        let Some(fields) = columns.iter().map(field).collect::<Option<Vec<_>>>().filter(|f| !f.is_empty())
        else {
            let message =
                format!("input `{}` has no rows, and the output's columns are not known", self.rows.input);
            return Err(Error::user_error(
                Code::Declaration,
                message,
                "declare the columns of the output in stage.toml",
            ));
        };
        let path = staging.join("segment.parquet");
        TableWriter::create(&path, Schema::new(fields), &self.request.footer)?.finish()?;
        store.add_segment(&self.pool, &path, Vec::new())
    }
}

/// Returns the request with the missing rows as input, and with an output path that survives a killed worker.
pub(super) fn spooled(
    mut request: WorkRequest,
    rows: &RowsDecl,
    decl: &OutputDecl,
    spool: &Path,
) -> WorkRequest {
    if let Some(input) = request.inputs.get_mut(&rows.input) {
        input.paths = vec![spool.join(MISSING)];
    }
    if let Some(output) = request.outputs.get_mut(&rows.output) {
        *output = spool.join("out").join(output.file_name().unwrap_or_default());
    }
    request.footer.insert(format!("{FOOTER_PREFIX}{KEY}"), rows.key.clone());
    request.footer.insert(format!("{FOOTER_PREFIX}{CHECKS}"), decl.checks.digest().to_string());
    request
}
