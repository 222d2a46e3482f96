//! Artifacts of the latest results, found by the names in an address.

use callsheet::store::{LocalPath, Object};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};

use crate::address::address;
use crate::app::{App, Workspace};

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

    /// Refuses the version of a page that is older than the artifact: it would show values of one version next to those of
    /// another.
    ///
    /// # Errors
    /// Returns an error if the version is not that of the artifact.
    pub(crate) fn check_version(&self, version: &str) -> Result<()> {
        if version == self.version() {
            return Ok(());
        }
        let message = format!("`{}` was computed again since the page was made", self.name());
        Err(Error::user_error(Code::UnknownName, message, "reload the page"))
    }

    /// Finds the output `output` of the stage instance `stage`.
    ///
    /// # Errors
    /// Returns an error if the selected pipeline has no such result.
    pub(crate) fn find(app: &App, stage: &str, output: &str) -> Result<Self> {
        let Workspace { project, store } = app.workspace()?;
        let target = app.request(&project)?.target;
        let results = store.latest(&target);
        let Some(result) = results.get(stage) else {
            let known = results.iter().map(|(stage, _)| stage.as_str());
            return Err(unknown(format!("there is no result of stage `{stage}`"), suggest(stage, known)));
        };
        let Some(object) = result.outputs.get(output) else {
            let known = result.outputs.keys().map(String::as_str);
            return Err(unknown(format!("stage `{stage}` has no output `{output}`"), suggest(output, known)));
        };
        let path = store.materialize(object);
        if !path.exists() {
            let message = format!("the result of stage `{stage}` was removed from the store");
            return Err(unknown(message, format!("run `callsheet run {stage}`")));
        }
        Ok(Self { stage: stage.to_owned(), output: output.to_owned(), object: object.clone(), path })
    }
}

fn unknown(message: String, help: String) -> Error {
    Error::user_error(Code::UnknownName, message, help)
}
