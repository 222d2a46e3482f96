//! An action and its steps: request, scratch folder, worker, retries, checks of inputs, provenance.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::protocol::{Level, PROTOCOL, RUN_VARIABLE, RequestInput, WorkRequest, WorkerEvent};
use callsheet_worker::table::{FOOTER_PREFIX, SCHEMA_VERSION};
use litemap::LiteMap;
use serde_json::Value;

use super::context::Run;
use super::executor::Update;
use super::executor::local::ProcessSupervisor;
use super::executor::share::Share;
use super::publish::{publish, written_to};
use super::rows::{ComputedRows, Files};
use super::sandbox::{OUT, RunSandbox};
use crate::declare::Role;
use crate::key::ActionKey;
use crate::plan::StageInstance;
use crate::store::{Claim, LockName, Object, Provenance, Scratch, Store, Watch, cpu_kind};

/// Pause before the first retry; each further pause is twice as long as the one before.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Longest time between two looks at whether the run is being stopped.
const LOOK: Duration = Duration::from_millis(50);

/// Time for which a job waits for a signal of the cluster after its worker has failed, and after it has succeeded.
const NOTICE: Duration = Duration::from_millis(500);
const NOTICE_OF_SUCCESS: Duration = Duration::from_millis(5);

/// Shortest time between two reports of the progress of another run.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Environment variables that every worker gets if they are set; others must be named in callsheet.toml.
pub(super) const ENVIRONMENT: [&str; 9] =
    ["HOME", "USER", "LANG", "LC_ALL", "TERM", "TZ", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"];

/// Data of one action in addition to its run; it can be moved to another thread.
pub(super) struct Action<'a> {
    /// The stage instance.
    pub stage: &'a StageInstance,
    /// Its key.
    pub key: ActionKey,
    /// Its inputs.
    pub inputs: BTreeMap<String, RequestInput>,
    /// Digests of the raw files it reads.
    pub sources: BTreeMap<String, Digest>,
    /// Number of rows of each input that is a table.
    pub input_rows: BTreeMap<String, u64>,
    /// Digests of the files that single rows of a row-wise stage depend on.
    pub files: Files,
    /// Artifacts among its inputs.
    pub objects: Vec<Object>,
    /// Digest of the program that its worker runs; `None` if the program does not exist.
    pub program: Option<Digest>,
    /// Its share of the machine.
    pub share: Share,
    /// State of raw files and scripts before the key was computed.
    pub watch: Watch,
    /// Forces the action to run even if its result is in the store.
    pub force: bool,
    /// Rows that jobs on a cluster have computed for it: only its table is assembled.
    pub computed_rows: Option<ComputedRows>,
    /// Suffix of the name of its log, if several jobs work for it at one time.
    pub log_suffix: Option<String>,
}

/// Result of an action.
pub(super) struct ActionOutput {
    /// Outputs by name.
    pub outputs: LiteMap<String, Object>,
    /// Objects whose content may not be on the disk yet.
    pub fresh: Vec<Object>,
    /// Largest resident set size of the worker in bytes; 0 if no worker was started.
    pub peak_memory: u64,
    /// Number of rows that the worker of a row-wise stage computed.
    pub computed: Option<u64>,
}

impl Action<'_> {
    /// Name of its log.
    pub(super) fn log_name(&self) -> String {
        match &self.log_suffix {
            Some(suffix) => format!("{}.{suffix}", self.stage.name),
            None => self.stage.name.clone(),
        }
    }

    /// Runs the worker and publishes all outputs. Returns `None` if the run was stopped.
    pub(super) fn perform_whole(
        &self,
        run: &Run,
        place: &RunSandbox,
        digest: &Digest,
        scratch: &Path,
        say: &mut impl FnMut(Update),
    ) -> Result<Option<ActionOutput>> {
        let done = self.attempts(place, say, |say| {
            let folder = place.folder()?;
            let request = self.request(digest, &folder.join(OUT), scratch);
            let worked = self.work(run, place, &request, &folder, say);
            let peak_memory = self.keep_failed(run, place, &folder, worked)?;
            Ok((folder, peak_memory))
        })?;
        let Some((folder, peak_memory)) = done else { return Ok(None) };
        say(Update::Released);
        self.check_unchanged(run.store)?;
        let request = self.request(digest, &folder.join(OUT), scratch);
        let published = publish(run.store, self.stage, &folder.join(OUT), &request.footer, &self.inputs);
        let outputs = self.keep_failed(run, place, &folder, published)?;
        place.give(folder);
        let fresh = outputs.values().cloned().collect();
        Ok(Some(ActionOutput { outputs, fresh, peak_memory, computed: None }))
    }

    /// Calls `once`, and again after each failure, up to the number of retries that the stage declares.
    /// Returns `None` if the run was stopped meanwhile.
    pub(super) fn attempts<T, S: FnMut(Update)>(
        &self,
        place: &RunSandbox,
        say: &mut S,
        mut once: impl FnMut(&mut S) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut attempt = 0;
        loop {
            let ended = once(say);
            if place.is_job {
                // A cluster sends its signals to all processes of a job: a worker may end before this process knows why.
                sleep(if ended.is_ok() { NOTICE_OF_SUCCESS } else { NOTICE }, &place.supervisor);
            }
            // A worker that was asked to end may exit with success although its output is incomplete.
            if place.supervisor.stopping() {
                return Ok(None);
            }
            match ended {
                Ok(done) => return Ok(Some(done)),
                Err(error)
                    if attempt < self.stage.resources.retries && error.kind() != Code::InputChanged =>
                {
                    let pause = BACK_OFF * 2u32.saturating_pow(attempt);
                    say(Update::Retry(error, pause));
                    if !sleep(pause, &place.supervisor) {
                        return Ok(None);
                    }
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the scratch folder, created and locked if the stage keeps checkpoints; `None` if the run was
    /// stopped.
    pub(super) fn scratch(
        &self,
        run: &Run,
        place: &RunSandbox,
        say: &mut impl FnMut(Update),
    ) -> Result<Option<(Scratch, Option<Claim>)>> {
        let digest = self.key.scratch_digest();
        let scratch = run.store.scratch(&digest);
        if !self.keeps_checkpoints() {
            return Ok(Some((scratch, None)));
        }
        let claim =
            run.store.claim_work(&LockName::Scratch(&digest), &run.id, wait_unless_stopped(place, say))?;
        let Some(claim) = claim else { return Ok(None) };
        let scratch = run.store.claimed_scratch(&digest)?;
        scratch.create()?;
        for folder in scratch.skipped() {
            let message = format!(
                "the checkpoints in {} cannot be read, so this run does not resume from them; their owner can open them \
                 with `chmod -R g+rX`",
                folder.display()
            );
            say(Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
        }
        Ok(Some((scratch, Some(claim))))
    }

    pub(super) fn keeps_checkpoints(&self) -> bool {
        !self.key.budget.is_empty() || self.key.command.iter().any(|word| word.contains("{scratch}"))
    }

    pub(super) fn environment(&self, run: &Run, place: &RunSandbox) -> BTreeMap<String, OsString> {
        let passed = ENVIRONMENT.into_iter().chain(run.project.environment.iter().map(String::as_str));
        let passed = passed.filter_map(|name| Some((name.to_owned(), env::var_os(name)?)));
        let mut environment: BTreeMap<String, OsString> = passed.collect();
        environment.insert("PATH".to_owned(), run.project.search_path(self.stage.decl.python.as_ref()));
        if let Some(python) = &self.stage.decl.python {
            environment.insert("VIRTUAL_ENV".to_owned(), python.folder.clone().into());
        }
        environment.insert(RUN_VARIABLE.to_owned(), place.id.clone().into());
        environment.insert("CUDA_VISIBLE_DEVICES".to_owned(), self.share.gpus.join(",").into());
        environment
    }

    /// Checks that the contents of inputs and code have not changed since the key was computed.
    pub(super) fn check_unchanged(&self, store: &Store) -> Result<()> {
        if let Some(object) = self.objects.iter().find(|object| !store.intact_or_restored(object)) {
            let path = store.materialize(object);
            let (change, help) = match path.symlink_metadata() {
                Ok(_) => {
                    ("changed", "run again to recompute it; correct the stage if it writes to its inputs")
                }
                Err(_) => ("was removed from the store", "run again to recompute it"),
            };
            let message = format!(
                "{} {change} during the run, so the result of stage `{}` is not recorded",
                path.display(),
                self.stage.name
            );
            return Err(Error::user_error(Code::InputChanged, message, help));
        }
        let Some(path) = self.watch.changed() else { return Ok(()) };
        Err(Error::user_error(
            Code::InputChanged,
            format!(
                "{} changed during the run, so the result of stage `{}` is not recorded",
                path.display(),
                self.stage.name
            ),
            "run again when no program writes to the file",
        ))
    }

    pub(super) fn request(&self, key: &Digest, out: &Path, scratch: &Path) -> WorkRequest {
        let outputs = &self.stage.decl.outputs;
        let parents = self.key.inputs.iter().map(|(name, digest)| (name.clone(), digest.to_string().into()));
        let footer = [
            ("action_key", key.to_string()),
            ("schema_version", SCHEMA_VERSION.to_owned()),
            ("stage", self.key.stage.clone()),
            ("stage_version", self.key.version.to_string()),
            ("parameters", Value::from_iter(self.key.params.clone()).to_string()),
            ("parents", Value::from_iter(parents.collect::<BTreeMap<String, Value>>()).to_string()),
            ("based_on", self.key.labels.iter().cloned().collect::<Vec<_>>().join(", ")),
        ];
        WorkRequest {
            protocol: PROTOCOL,
            stage: self.stage.decl.name.clone(),
            inputs: self.inputs.clone(),
            params: self.stage.params.iter().map(|(n, p)| (n.clone(), p.value.clone())).collect(),
            outputs: outputs.iter().map(|(name, output)| (name.clone(), written_to(output, out))).collect(),
            scratch: scratch.to_owned(),
            cpus: self.share.cpus,
            labels: self.key.labels.iter().cloned().collect(),
            footer: footer.into_iter().map(|(k, v)| (format!("{FOOTER_PREFIX}{k}"), v)).collect(),
            declared: self.stage.decl.to_request(),
        }
    }

    pub(super) fn provenance(
        &self,
        run: &Run,
        place: &RunSandbox,
        began: SystemTime,
        seconds: f64,
        peak_memory: u64,
    ) -> Provenance {
        let request = &run.plan.request;
        let execution = self.stage.params.iter().filter(|(_, p)| p.role == Role::Execution);
        Provenance {
            stage: self.stage.name.clone(),
            pipeline: request.target.pipeline.clone(),
            dataset: request.target.dataset.clone(),
            profile: request.target.profile.clone(),
            run: run.id.clone(),
            started: began.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            seconds,
            peak_memory: Some(peak_memory),
            cpus: self.share.cpus,
            cpu: cpu_kind().to_owned(),
            execution: execution.map(|(n, p)| (n.clone(), p.value.clone())).collect(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            revision: place.revision.clone(),
            worker: self.program,
            callsheet: env!("CARGO_PKG_VERSION").to_owned(),
            sources: self.sources.clone(),
            input_rows: self.input_rows.clone(),
            computed_rows: None,
            row_seconds: None,
        }
    }
}

/// Returns a callback for waiting on a claim. It reports the holder, again if its description changes but not more often
/// than every [`REPORT_EVERY`], and returns false when the run is stopped.
pub(super) fn wait_unless_stopped<'a>(
    place: &'a RunSandbox,
    say: &'a mut impl FnMut(Update),
) -> impl FnMut(&str) -> bool + 'a {
    let mut told: Option<(String, Instant)> = None;
    move |who| {
        if told.as_ref().is_none_or(|(before, at)| before != who && at.elapsed() > REPORT_EVERY) {
            told = Some((who.to_owned(), Instant::now()));
            say(Update::Waiting(who.to_owned()));
        }
        !place.is_job && !place.supervisor.stopping()
    }
}

/// Sleeps for `pause`; returns false if the run is stopped meanwhile.
fn sleep(pause: Duration, supervisor: &ProcessSupervisor) -> bool {
    let clock = Instant::now();
    while clock.elapsed() < pause && !supervisor.stopping() {
        thread::sleep(pause.saturating_sub(clock.elapsed()).min(LOOK));
    }
    !supervisor.stopping()
}
