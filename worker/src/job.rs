//! Job of a stage: its request, its events and its errors.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::error::{help_of, message_of};
use crate::protocol::{EVENTS_VARIABLE, Level, RequestInput, WorkRequest, WorkerEvent};
use crate::table::TableWriter;
use anyhow::{Context as _, Result, anyhow};
use arrow::datatypes::Schema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Request of the engine, and the stage's means to report to it.
pub struct Job {
    /// Content of request.json.
    pub request: WorkRequest,
    events: RefCell<Option<File>>,
}

impl Job {
    fn open(request: &Path) -> Result<Self> {
        let text = fs::read(request).with_context(|| format!("cannot read {}", request.display()))?;
        let request =
            WorkRequest::parse(&text).with_context(|| format!("cannot use {}", request.display()))?;
        // A stage that is started by hand has no file for events, so it reports nothing.
        let events = std::env::var_os(EVENTS_VARIABLE).map(|path| File::options().append(true).open(path));
        Ok(Self { request, events: RefCell::new(events.transpose().context("cannot open the event file")?) })
    }

    /// Creates a job of a stage that keeps checkpoints in `scratch`, for unit tests of stages.
    pub fn in_scratch(stage: &str, scratch: &Path) -> Self {
        Self::of(serde_json::json!({
            "stage": stage, "inputs": {}, "params": {}, "outputs": {}, "scratch": scratch, "cpus": 1,
            "labels": [], "footer": {},
        }))
    }

    /// Creates a job with this request and without an engine, for unit tests of stages. `request` has the
    /// fields of request.json.
    ///
    /// # Panics
    /// Panics if a field is missing or has the wrong type.
    pub fn of(request: Value) -> Self {
        Self { request: serde_json::from_value(request).expect("a request"), events: RefCell::new(None) }
    }

    /// Parameters of the stage. `T` has one field for each parameter in stage.toml; the field of a list is a `Vec`.
    ///
    /// # Errors
    /// Returns an error if stage.toml and `T` disagree.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T> {
        let params = self.request.params.clone().into_iter().collect::<serde_json::Map<_, _>>();
        serde_json::from_value(Value::Object(params)).context("the parameters do not match the program's")
    }

    /// Path of an input: a Parquet file, a folder of Parquet files, a file or a folder, as declared in
    /// stage.toml.
    ///
    /// # Errors
    /// Returns an error if the pipeline does not wire the input.
    pub fn input(&self, name: &str) -> Result<&Path> {
        self.optional(name).ok_or_else(|| anyhow!("input `{name}` is not wired"))
    }

    /// Path of an optional input; `None` if the pipeline does not wire it.
    pub fn optional(&self, name: &str) -> Option<&Path> {
        Some(self.request.inputs.get(name)?.paths.first()?.as_path())
    }

    /// Files and names of an input that has several files.
    ///
    /// # Errors
    /// Returns an error if the pipeline does not wire the input.
    pub fn files(&self, name: &str) -> Result<&RequestInput> {
        self.request.inputs.get(name).ok_or_else(|| anyhow!("input `{name}` is not wired"))
    }

    /// Path at which to write an output. The engine publishes the output when the stage succeeds.
    ///
    /// # Errors
    /// Returns an error if stage.toml does not declare the output.
    pub fn output(&self, name: &str) -> Result<&Path> {
        let path = self.request.outputs.get(name);
        path.map(|p| p.as_path()).ok_or_else(|| anyhow!("output `{name}` is not declared"))
    }

    /// Creates an output table. Its footer records the action key, the parameters and the run.
    ///
    /// # Errors
    /// Returns an error if stage.toml does not declare the output, or the file cannot be created.
    pub fn table(&self, name: &str, schema: Schema) -> Result<TableWriter> {
        Ok(TableWriter::create(self.output(name)?, schema, &self.request.footer)?)
    }

    /// Reports progress: `done` of `total`, counted in `unit`, such as `rows`.
    pub fn progress(&self, done: usize, total: usize, unit: &str) {
        let (done, total, unit) = (done as u64, total as u64, unit.to_owned());
        self.say(&WorkerEvent::Progress { done, total, unit });
    }

    /// Reports the value of a metric at a step. Values at several steps form a curve in reports.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        self.say(&WorkerEvent::Metric { name: name.to_owned(), step, value });
    }

    /// Reports a PNG picture. The engine copies it, and reports show it.
    pub fn image(&self, name: &str, step: u64, path: &Path) {
        self.say(&WorkerEvent::Image { name: name.to_owned(), step, path: path.to_owned() });
    }

    /// Reports a message for the log of the run.
    pub fn info(&self, message: impl Into<String>) {
        self.say(&WorkerEvent::Log { level: Level::Info, message: message.into() });
    }

    /// Reports a warning, which is shown while the stage runs.
    pub fn warn(&self, message: impl Into<String>) {
        self.say(&WorkerEvent::Log { level: Level::Warning, message: message.into() });
    }

    fn say(&self, event: &WorkerEvent) {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        // A lost event must not end the stage, so a failed write is ignored.
        if let Some(file) = self.events.borrow_mut().as_mut() {
            let _ = file.write_all(&line);
        }
    }
}

/// Main function of a program with one stage. The engine starts the program with the path of request.json as
/// the only argument.
///
/// A failure is reported to the engine and on stderr.
pub fn main(run: impl FnOnce(&Job) -> Result<()>) -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    match words.as_slice() {
        [request] => perform(run, request.as_ref()),
        _ => failed(None, &anyhow!("usage: PROGRAM REQUEST.json (`callsheet run` starts it)")),
    }
}

/// Runs a stage with the request in a file. A failure is reported to the engine and on stderr.
pub fn perform(run: impl FnOnce(&Job) -> Result<()>, request: &Path) -> ExitCode {
    let job = match Job::open(request) {
        Ok(job) => job,
        Err(error) => return failed(None, &error),
    };
    let threads = job.request.cpus.max(1);
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    match run(&job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(Some(&job), &error),
    }
}

#[expect(clippy::print_stderr, reason = "goes to the action's log")]
fn failed(job: Option<&Job>, error: &anyhow::Error) -> ExitCode {
    let help = help_of(error);
    let message = message_of(error);
    eprintln!("error: {message}");
    if let Some(job) = job {
        job.say(&WorkerEvent::Error { message, help: help.unwrap_or_default() });
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::PROTOCOL;

    #[test]
    fn a_list_is_read_into_a_vector() {
        #[derive(serde::Deserialize)]
        struct Params {
            scales: Vec<f64>,
            names: Vec<String>,
        }
        let job = Job::of(json!({
            "stage": "s", "inputs": {}, "params": { "scales": [1.0, 2.5], "names": [] }, "outputs": {},
            "scratch": "", "cpus": 1, "labels": [], "footer": {},
        }));
        let params: Params = job.params().expect("params");
        assert_eq!((params.scales, params.names), (vec![1.0, 2.5], vec![]));
    }

    #[test]
    fn requests_of_later_protocols_are_refused_and_a_missing_number_means_1() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |protocol: Value| {
            let mut request = json!({
                "stage": "s", "inputs": {}, "params": {}, "outputs": {}, "scratch": "", "cpus": 1, "labels": [], "footer": {},
            });
            if !protocol.is_null() {
                request["protocol"] = protocol;
            }
            let path = folder.path().join("request.json");
            fs::write(&path, request.to_string()).expect("written");
            Job::open(&path)
        };
        assert_eq!(open(Value::Null).expect("a request").request.protocol, 1);
        assert_eq!(open(json!(PROTOCOL)).expect("a request").request.protocol, PROTOCOL);
        let error = open(json!(PROTOCOL + 1)).err().expect("refused");
        assert!(message_of(&error).contains("has protocol 2") && help_of(&error).is_some(), "{error}");
    }
}
