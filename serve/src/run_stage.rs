//! A stage instance of a run, found by the names in an address.

use callsheet::report::find_run;
use callsheet::store::{LockName, RunDir, Store};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

/// Run that has a stage instance with a given name. The name is one that the run recorded, so a path with it does not leave
/// the folder of the run.
pub(crate) struct RunStage {
    /// Id of the run.
    pub id: String,
    pub folder: RunDir,
    /// True if the run goes on.
    pub is_running: bool,
}

impl RunStage {
    /// Finds the run `run` and checks that it has the stage instance `stage`.
    ///
    /// # Errors
    /// Returns an error if the run or the stage is unknown.
    pub(crate) fn find(store: &Store, run: &str, stage: &str) -> Result<Self> {
        let found = find_run(store, run)?.run;
        if !found.stages.contains_key(stage) {
            return Err(no_stage(&found.id, stage, found.stages.keys().map(String::as_str)));
        }
        let is_running = store.locked(&LockName::Run(&found.id));
        Ok(Self { folder: store.run_dir(&found.id), is_running, id: found.id })
    }
}

/// Error for a stage that a run does not have.
pub(crate) fn no_stage<'k>(run: &str, stage: &str, known: impl Iterator<Item = &'k str>) -> Error {
    Error::user_error(Code::UnknownName, format!("run {run} has no stage `{stage}`"), suggest(stage, known))
}
