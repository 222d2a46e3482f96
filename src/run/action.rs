//! One action: from a key that is not in the store to a published record.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::worker::{Ended, Job, last_lines, work, write_request};
use crate::declare::{ArtifactKind, Project, Role};
use crate::error::{Doing, Error, Result};
use crate::key::{ActionKey, Digest};
use crate::plan::{Plan, Stage};
use crate::protocol::{RequestInput, WorkRequest, WorkerEvent};
use crate::store::{Object, Output, Provenance, Record, Store, Watch};
use crate::table::{FOOTER_PREFIX, check_columns};

/// Lines of a failed worker's output that the error quotes.
const QUOTED_LINES: usize = 12;

/// Everything that one action needs; it can be moved to a thread.
pub struct Action<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where the result goes.
    pub store: &'a Store,
    /// The plan that the stage is part of.
    pub plan: &'a Plan,
    /// The stage.
    pub stage: &'a Stage,
    /// Its key.
    pub key: ActionKey,
    /// Its inputs.
    pub inputs: BTreeMap<String, RequestInput>,
    /// Digests of the raw files it reads.
    pub sources: BTreeMap<String, Digest>,
    /// CPUs it may use.
    pub cpus: usize,
    /// The run it belongs to.
    pub run: &'a str,
    /// Raw files and scripts as they were before the key was computed.
    pub watch: Watch,
    /// Git revision of the project.
    pub revision: Option<String>,
}

/// What became of an action.
pub enum Outcome {
    /// Another run computed it meanwhile.
    Taken(BTreeMap<String, Object>),
    /// It was computed and published.
    Made(BTreeMap<String, Object>, f64),
}

impl Action<'_> {
    /// Computes and publishes the result, or takes it from a run that computes the same.
    ///
    /// # Errors
    /// When the worker fails, an output is missing, empty, undeclared or not as declared, a raw
    /// file changed meanwhile, or the store cannot be written. Nothing is published then.
    pub fn perform(
        &self,
        waiting: impl FnOnce(),
        started: impl FnOnce(),
        said: impl FnMut(WorkerEvent),
    ) -> Result<Outcome> {
        let digest = self.key.digest();
        let _key = self.store.lock(digest.as_str(), waiting)?;
        if let Some((_, objects)) = self.store.hit(&digest, &self.stage.decl) {
            return Ok(Outcome::Taken(objects));
        }
        self.check_unchanged()?;
        started();
        let clock = Instant::now();
        let began = SystemTime::now();
        let scratch_digest = self.key.scratch_digest();
        let _scratch = self.store.lock(&format!("scratch-{scratch_digest}"), || {})?;
        let scratch = self.store.path("scratch").join(scratch_digest.as_str());
        fs::create_dir_all(&scratch).doing("cannot create", &scratch)?;

        let staging = self.store.staging()?;
        let out = staging.path().join("out");
        let folder = staging.path().join("work");
        fs::create_dir(&out).doing("cannot create", &out)?;
        fs::create_dir(&folder).doing("cannot create", &folder)?;
        let request_path = staging.path().join("request.json");
        write_request(&request_path, &self.request(&digest, &out, &scratch))?;
        let log = self.log_path()?;

        let mut command = self.stage.decl.command.clone();
        command.push(request_path.to_string_lossy().into_owned());
        let stages = self.project.root.join(&self.project.stages);
        let stage_folder = &stages.join(&self.stage.decl.name);
        let job = Job { command, folder: &folder, stage_folder, log: &log };
        let ended = work(self.project, &job, said)?;
        if !ended.status.success() {
            return Err(failure(&ended, &log));
        }
        self.check_unchanged()?;
        let objects = self.publish(&out)?;
        let seconds = clock.elapsed().as_secs_f64();
        self.record(&objects, began, seconds, ended.peak_memory)?;
        // Its checkpoints have done their work, unless a longer budget may want to go on.
        if self.key.budget.is_empty() {
            let _ = fs::remove_dir_all(&scratch);
        }
        Ok(Outcome::Made(objects, seconds))
    }

    /// Raw files and scripts must be what the key says, from its computation to the end.
    fn check_unchanged(&self) -> Result<()> {
        let Some(path) = self.watch.changed() else { return Ok(()) };
        Err(Error::refused(
            format!(
                "{} changed while stage `{}` read it: the result is not recorded",
                path.display(),
                self.stage.name
            ),
            "run again once the file is complete",
        ))
    }

    fn request(&self, key: &Digest, out: &Path, scratch: &Path) -> WorkRequest {
        let outputs = &self.stage.decl.outputs;
        let parents = self.key.inputs.iter().map(|(name, digest)| (name.clone(), digest.as_str().into()));
        let footer = [
            ("action_key", key.to_string()),
            ("stage", self.key.stage.clone()),
            ("stage_version", self.key.version.to_string()),
            ("parameters", Value::from_iter(self.key.params.clone()).to_string()),
            ("parents", Value::from_iter(parents.collect::<BTreeMap<String, Value>>()).to_string()),
            ("rests_on", self.key.labels.iter().cloned().collect::<Vec<_>>().join(", ")),
        ];
        WorkRequest {
            stage: self.stage.decl.name.clone(),
            inputs: self.inputs.clone(),
            params: self.stage.params.iter().map(|(n, p)| (n.clone(), p.value.clone())).collect(),
            outputs: outputs.iter().map(|(name, o)| (name.clone(), out.join(&o.path))).collect(),
            scratch: scratch.to_owned(),
            cpus: self.cpus,
            labels: self.key.labels.iter().cloned().collect(),
            footer: footer.into_iter().map(|(k, v)| (format!("{FOOTER_PREFIX}{k}"), v)).collect(),
        }
    }

    fn log_path(&self) -> Result<PathBuf> {
        let logs = self.store.path("runs").join(self.run).join("logs");
        fs::create_dir_all(&logs).doing("cannot create", &logs)?;
        Ok(logs.join(format!("{}.log", self.stage.name)))
    }

    /// Checks every output before the first is published.
    fn publish(&self, out: &Path) -> Result<BTreeMap<String, Object>> {
        let declared = &self.stage.decl.outputs;
        for entry in fs::read_dir(out).doing("cannot list", out)? {
            let name = entry.doing("cannot list", out)?.file_name();
            if !declared.values().any(|o| name == o.path.as_str()) {
                let known = declared.values().map(|o| o.path.as_str());
                let name = name.to_string_lossy();
                return Err(Error::refused(
                    format!("stage `{}` wrote `{name}`, which it does not declare", self.stage.name),
                    crate::error::suggest(&name, known),
                ));
            }
        }
        for (name, output) in declared {
            let path = out.join(&output.path);
            let folder = output.kind == ArtifactKind::Directory;
            let full = if folder {
                fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some())
            } else {
                fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() > 0)
            };
            if !full {
                return Err(Error::refused(
                    format!(
                        "stage `{}` did not write its output `{name}` ({})",
                        self.stage.name, output.path
                    ),
                    "it must exist and not be empty",
                ));
            }
            if output.kind == ArtifactKind::Table {
                check_columns(&path, &output.columns)?;
            }
        }
        let publish = |(name, output): (&String, &crate::declare::OutputDecl)| {
            Ok((name.clone(), self.store.publish(output.kind, &out.join(&output.path))?))
        };
        declared.iter().map(publish).collect()
    }

    fn record(
        &self,
        objects: &BTreeMap<String, Object>,
        began: SystemTime,
        seconds: f64,
        peak_memory: u64,
    ) -> Result<()> {
        let request = &self.plan.request;
        let execution = self.stage.params.iter().filter(|(_, p)| p.role == Role::Execution);
        let provenance = Provenance {
            stage: self.stage.name.clone(),
            pipeline: request.pipeline.clone(),
            dataset: request.dataset.clone(),
            profile: request.profile.clone(),
            run: self.run.to_owned(),
            started: began.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            seconds,
            peak_memory: Some(peak_memory),
            cpus: self.cpus,
            execution: execution.map(|(n, p)| (n.clone(), p.value.clone())).collect(),
            host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            revision: self.revision.clone(),
            callsheet: env!("CARGO_PKG_VERSION").to_owned(),
            sources: self.sources.clone(),
        };
        let output =
            |(name, object): (&String, &Object)| (name.clone(), Output { content: object.content.clone() });
        let outputs = objects.iter().map(output).collect();
        self.store.write_record(&Record::new(self.key.clone(), outputs, provenance))
    }
}

fn failure(ended: &Ended, log: &Path) -> Error {
    if let Some((message, help)) = &ended.error {
        return Error::refused(message.clone(), help.clone());
    }
    let lines = last_lines(log, QUOTED_LINES);
    let quoted = if lines.is_empty() { String::new() } else { format!("; its last words:\n{lines}") };
    Error::refused(
        format!("the worker ended with {}{quoted}", ended.status),
        format!("the full log is {}", log.display()),
    )
}
