//! Artifacts of the latest results, found by the names in an address.

use std::sync::Arc;

use callsheet::declare::ArtifactKind;
use callsheet::store::{LatestResults, LocalPath, Object, Store};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

use crate::address::address;
use crate::app::{App, Workspace};
use crate::tables::Table;

/// Artifact of the latest result of a stage. The result may be stale.
pub(crate) struct Artifact {
    /// Stage instance.
    pub stage: String,
    /// Name of the output.
    pub output: String,
    pub object: Object,
    pub path: LocalPath,
}

impl Artifact {
    /// Name, such as `features.table`.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.stage, self.output)
    }

    /// Address of the page, or below it.
    pub(crate) fn address(&self, below: &[&str]) -> String {
        address(&[&["data", &self.stage, &self.output], below].concat())
    }

    /// Version in the addresses of its images, so that browsers can keep them.
    pub(crate) fn version(&self) -> String {
        self.object.bytes.short()
    }

    /// Opens the artifact, which is a table.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read.
    pub(crate) fn table(&self, app: &App) -> Result<Arc<Table>> {
        app.tables.get(&self.path, self.object.bytes)
    }

    /// Refuses the version of a page that is older than the artifact.
    ///
    /// # Errors
    /// Returns an error if the version is not that of the artifact.
    pub(crate) fn check_version(&self, version: &str) -> Result<()> {
        if version == self.version() { Ok(()) } else { Err(outdated(&self.name())) }
    }
}

/// Latest results of the selected pipeline.
pub(crate) struct Latest {
    /// Command that computes the results, without the name of a stage.
    command: String,
    store: Store,
    results: LatestResults,
}

impl Latest {
    /// Reads the latest results.
    ///
    /// # Errors
    /// Returns an error if the project cannot be read.
    pub(crate) fn open(app: &App) -> Result<Self> {
        let Workspace { project, store } = app.workspace()?;
        let target = app.request(&project)?.target;
        let results = store.latest(&target);
        Ok(Self { command: app.command("run"), store, results })
    }

    /// Finds the output `output` of the stage instance `stage`.
    ///
    /// # Errors
    /// Returns an error if the selected pipeline has no such result.
    pub(crate) fn find(&self, stage: &str, output: &str) -> Result<Artifact> {
        let Some(result) = self.results.get(stage) else {
            let known = self.results.iter().map(|(stage, _)| stage.as_str());
            return Err(unknown(format!("there is no result of stage `{stage}`"), suggest(stage, known)));
        };
        let Some(object) = result.outputs.get(output) else {
            let known = result.outputs.keys().map(String::as_str);
            return Err(unknown(format!("stage `{stage}` has no output `{output}`"), suggest(output, known)));
        };
        let path = self.store.materialize(object);
        if !path.exists() {
            let message = format!("the result of stage `{stage}` was removed from the store");
            return Err(unknown(message, format!("run `{} {stage}`", self.command)));
        }
        Ok(Artifact { stage: stage.to_owned(), output: output.to_owned(), object: object.clone(), path })
    }

    /// Finds an artifact by its name, such as `features.table`.
    ///
    /// # Errors
    /// See [`Self::find`].
    pub(crate) fn named(&self, name: &str) -> Result<Artifact> {
        // Names of stage instances can contain points.
        let (stage, output) = name.rsplit_once('.').unwrap_or((name, ""));
        self.find(stage, output)
    }

    /// Stage instance and name of each output that is a table.
    pub(crate) fn tables(&self) -> Vec<(&str, &str)> {
        let outputs = self.results.iter().flat_map(|(stage, result)| {
            let tables = result.outputs.iter().filter(|(_, object)| object.kind == ArtifactKind::Table);
            tables.map(|(output, _)| (stage.as_str(), output.as_str()))
        });
        outputs.collect()
    }
}

/// Error of a page whose artifact was computed again: it would show values of one version next to those of another.
pub(crate) fn outdated(name: &str) -> Error {
    unknown(format!("`{name}` was computed again since the page was made"), "reload the page".to_owned())
}

fn unknown(message: String, help: String) -> Error {
    Error::user_error(Code::UnknownName, message, help)
}
