//! Performs an action: from a key that is not in the store to a published record.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use callsheet_worker::error::Result;
use callsheet_worker::protocol::{Level, WorkerEvent};

use super::action::{Action, ActionOutput, wait_unless_stopped};
use super::context::Run;
use super::executor::{Outcome, Update};
use crate::store::{Claim, Committed, LatestResult, Provenance, Record};

impl Action<'_> {
    /// Computes and publishes the result, or takes it from another run that has computed it meanwhile.
    ///
    /// # Errors
    /// Returns an error if the worker fails, an output is missing, empty, undeclared or not as declared, an
    /// input changed meanwhile, or the store cannot be written. Nothing is recorded in these cases.
    pub(super) fn perform(&self, run: &Run, mut say: impl FnMut(Update)) -> Result<Outcome> {
        let place = run.sandbox()?;
        let digest = self.key.digest();
        let claim = run.store.claim(&digest, &run.id, wait_unless_stopped(place, &mut say))?;
        let Some(claim) = claim else { return Ok(Outcome::Stopped) };
        if let Some(head) = run.store.hit(&digest, &self.stage.decl)
            && !self.force
        {
            return Ok(Outcome::Taken(head));
        }
        self.check_unchanged(run.store)?;
        let Some((scratch, _scratch)) = self.scratch(run, place, &mut say)? else {
            return Ok(Outcome::Stopped);
        };
        let before = scratch.state();
        if self.computed_rows.is_none() {
            say(Update::Started { progress: before.progress() });
        }
        let clock = Instant::now();
        let began = SystemTime::now();
        let mut say = |update| {
            self.report_progress(run, &update);
            say(update);
        };
        let made = match &self.stage.decl.rows {
            Some(rows) => {
                let request = self.request(&digest, place.staging.path(), scratch.path());
                self.perform_rows(run, place, rows, request, &mut say)?
            }
            None => self.perform_whole(run, place, &digest, scratch.path(), &mut say)?,
        };
        let Some(ActionOutput { outputs, fresh, peak_memory, computed }) = made else {
            let has_advanced = self.keeps_checkpoints() && scratch.state() != before;
            return Ok(if has_advanced { Outcome::Checkpointed } else { Outcome::Stopped });
        };
        self.check_unchanged(run.store)?;
        run.store.sync(&fresh)?;
        let before = self.computed_rows.as_ref().map_or(0.0, |computed| computed.seconds);
        let seconds = before + clock.elapsed().as_secs_f64();
        let provenance = self.provenance(run, place, began, seconds, peak_memory);
        let on_jobs = self.computed_rows.as_ref().and_then(|computed| computed.row_seconds);
        let here = computed.filter(|rows| *rows > 0).map(|rows| seconds / rows as f64);
        let row_seconds = if self.computed_rows.is_some() { on_jobs } else { here };
        let provenance = Provenance { computed_rows: computed, row_seconds, ..provenance };
        let head = self.commit(run, claim, Record::new(self.key.clone(), outputs, provenance), &mut say)?;
        // The checkpoints are not needed any more, unless a longer budget may resume from them.
        if self.key.budget.is_empty() && self.keeps_checkpoints() {
            scratch.remove();
        }
        Ok(Outcome::ActionOutput(Arc::new(head)))
    }

    /// Commits a record. Returns the result that the store has now, which may be that of another run.
    fn commit(
        &self,
        run: &Run,
        claim: Claim,
        record: Record,
        say: &mut impl FnMut(Update),
    ) -> Result<LatestResult> {
        if let Some(message) = run.store.other_workers(&record) {
            say(Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
        }
        let stays = match run.store.write_record(claim, &record)? {
            Committed::Own => record,
            Committed::Equal(first) => *first,
            Committed::Diverged(first) => {
                say(Update::Worker(diverged(&first)));
                *first
            }
        };
        run.store.report_progress(&self.key, None);
        let head = LatestResult::new(self.key.digest(), stays.outputs, &stays.provenance, &self.stage.decl);
        Ok(head.expect("published as declared"))
    }

    fn report_progress(&self, run: &Run, update: &Update) {
        if let Update::Worker(WorkerEvent::Progress { done, total, unit }) = update {
            let progress = || match total {
                0 => format!("{done} {unit}"),
                total => format!("{done} of {total} {unit}"),
            };
            run.store.report_progress(&self.key, Some(&progress));
        }
    }
}

/// Warning that another run computed another result with the same key.
fn diverged(first: &Record) -> WorkerEvent {
    let Provenance { run, host, .. } = &first.provenance;
    let message = format!(
        "this result differs from that of run {run} on {host}, which has the same key and is used; the stage is not \
         deterministic. To replace that result, increase `version` in stage.toml"
    );
    WorkerEvent::Log { level: Level::Warning, message }
}
