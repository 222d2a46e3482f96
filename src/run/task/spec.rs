//! Task spec: an action in the form in which a node of a cluster gets it. A node never reads the files of a pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::protocol::RequestInput;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declare::{Origin, Project, ResourcesDecl, Role, StageDecl, StageSpec, Values, engine};
use crate::key::ActionKey;
use crate::plan::{Param, Plan, Request, StageInstance};
use crate::run::action::Action;
use crate::run::executor::share::Share;
use crate::run::rows::{Files, Shard};
use crate::store::{Object, Watch, digest_file};
use crate::target::Target;

/// Version of the files that an engine writes for its jobs.
pub(in crate::run) const FORMAT: u32 = 1;

/// Part that all tasks of a submission have in common.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::run) struct JobSpec<P = Project> {
    /// Version of this struct, [`FORMAT`].
    pub format: u32,
    /// Version and digest of the callsheet that wrote it.
    pub engine: Engine,
    /// Id of the run.
    pub run: String,
    /// Target and `--set` options of the run.
    pub target: Target,
    pub set: Vec<String>,
    /// Settings of the project.
    pub project: P,
    /// Git revision of the project.
    pub revision: Option<String>,
    /// Keeps the work folders of workers that fail.
    pub keep_failed: bool,
}

/// A program of callsheet.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(in crate::run) struct Engine {
    /// Its version.
    pub version: String,
    /// Digest of its file.
    pub digest: Digest,
    /// Path, size and modification time in nanoseconds of its file: a node that sees the same file need not hash it.
    pub file: (PathBuf, u64, i128),
}

impl Engine {
    /// This program.
    ///
    /// # Errors
    /// Returns an error if the program's file cannot be read.
    pub(in crate::run) fn this() -> Result<Self> {
        let path = engine()?;
        Ok(Self { version: VERSION.to_owned(), digest: digest_file(&path)?, file: file_of(path)? })
    }

    /// Returns true if this program is the one that the engine describes.
    pub(in crate::run) fn is_this(&self) -> bool {
        let Ok(path) = engine() else { return false };
        let is_same_file = file_of(path.clone()).is_ok_and(|file| file == self.file);
        let is_equal = || digest_file(&path).is_ok_and(|digest| digest == self.digest);
        self.version == VERSION && (is_same_file || is_equal())
    }
}

/// Version of this program.
pub(in crate::run) const VERSION: &str = env!("CARGO_PKG_VERSION");

fn file_of(path: PathBuf) -> Result<(PathBuf, u64, i128)> {
    let found = fs::metadata(&path).io_context("cannot read", &path)?;
    let time = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    Ok((path, found.len(), time))
}

/// An action, made serialisable.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::run) struct TaskSpec {
    instance: InstanceSpec,
    pub key: ActionKey,
    inputs: BTreeMap<String, RequestInput>,
    sources: BTreeMap<String, Digest>,
    input_rows: BTreeMap<String, u64>,
    files: Files,
    objects: Vec<Object>,
    program: Option<Digest>,
    watch: Watch,
    memory: u64,
    force: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct InstanceSpec {
    name: String,
    decl: StageSpec,
    params: BTreeMap<String, (Value, Role)>,
    resources: ResourcesDecl,
    labels: BTreeSet<String>,
}

impl JobSpec {
    /// The plan of the run, without its stages: a node performs single actions.
    pub(in crate::run) fn plan(&self) -> Plan {
        let request = Request { target: self.target.clone(), set: self.set.clone() };
        Plan { request, summary: String::new(), stages: Vec::new(), metadata: toml::Table::new() }
    }
}

impl TaskSpec {
    /// Returns the spec of an action.
    pub(in crate::run) fn new(action: &Action) -> Self {
        let stage = action.stage;
        let params = stage.params.iter().map(|(name, p)| (name.clone(), (p.value.clone(), p.role)));
        Self {
            instance: InstanceSpec {
                name: stage.name.clone(),
                decl: stage.decl.to_spec(),
                params: params.collect(),
                resources: stage.resources.clone(),
                labels: stage.labels.clone(),
            },
            key: action.key.clone(),
            inputs: action.inputs.clone(),
            sources: action.sources.clone(),
            input_rows: action.input_rows.clone(),
            files: action.files.clone(),
            objects: action.objects.clone(),
            program: action.program,
            watch: action.watch.clone(),
            memory: action.share.memory,
            force: action.force,
        }
    }

    /// Returns true if the action is computed although its result is in the store.
    pub(in crate::run) fn is_forced(&self) -> bool {
        self.force
    }

    /// Name of the stage instance.
    pub(in crate::run) fn stage_name(&self) -> &str {
        &self.instance.name
    }

    /// Returns the stage of the action.
    ///
    /// # Errors
    /// Returns an error if the declaration is malformed.
    pub(in crate::run) fn stage(&self) -> Result<StageInstance> {
        let InstanceSpec { name, decl, params, resources, labels } = &self.instance;
        // A spec has no places: they only matter in errors of declarations, which were valid.
        let param = |(value, role): &(Value, Role)| Param {
            value: value.clone(),
            origin: Origin::CommandLine(String::new()),
            role: *role,
        };
        Ok(StageInstance {
            name: name.clone(),
            values: Values::default(),
            decl: Arc::new(StageDecl::from_spec(decl.clone())?),
            params: params.iter().map(|(name, value)| (name.clone(), param(value))).collect(),
            resources: resources.clone(),
            adjusted: LiteMap::new(),
            inputs: LiteMap::new(),
            absent: LiteMap::new(),
            missing: LiteMap::new(),
            labels: labels.clone(),
        })
    }

    /// Returns the action of `stage` with these resources of the node.
    pub(in crate::run) fn action(self, stage: &StageInstance, cpus: usize, gpus: Vec<String>) -> Action<'_> {
        Action {
            stage,
            key: self.key,
            inputs: self.inputs,
            sources: self.sources,
            input_rows: self.input_rows,
            files: self.files,
            objects: self.objects,
            program: self.program,
            share: Share { cpus, memory: self.memory, gpus },
            watch: self.watch,
            force: self.force,
            computed_rows: None,
            log_suffix: None,
        }
    }
}

/// A task of a job: an action, or a shard of its rows.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::run) struct Task {
    pub action: Arc<TaskSpec>,
    pub shard: Option<Shard>,
}

/// Names of the files of a submission, below its folder.
#[derive(Clone, Debug)]
pub(in crate::run) struct JobDir(pub PathBuf);

impl JobDir {
    /// Folder of all submissions, below the folder of a run.
    pub(in crate::run) const ALL: &str = "jobs";

    /// File in the folder of a run that asks its engine to end.
    pub(in crate::run) const CANCEL: &str = "cancel";

    /// Mark of a submission without live jobs.
    pub(in crate::run) fn closed(&self) -> PathBuf {
        self.0.join("closed")
    }

    /// File of the [`JobSpec`].
    pub(in crate::run) fn spec(&self) -> PathBuf {
        self.0.join("job.json")
    }

    /// Tasks of one job of the array.
    pub(in crate::run) fn tasks(&self, index: usize) -> PathBuf {
        self.0.join(format!("tasks-{index}.json"))
    }

    /// Output of one job of the array: of the shell script and of callsheet, not of workers.
    pub(in crate::run) fn log(&self, index: usize) -> PathBuf {
        self.0.join(format!("job-{index}.log"))
    }

    /// Folder with a mark for each task that is over: an attempt that is started again skips it.
    pub(in crate::run) fn over(&self) -> PathBuf {
        self.0.join("over")
    }

    /// Folder of the news that jobs write.
    pub(in crate::run) fn news(&self) -> PathBuf {
        self.0.join("news")
    }

    /// Tasks of a job that are over.
    pub(in crate::run) fn over_tasks(&self, index: usize) -> BTreeSet<usize> {
        let entries = fs::read_dir(self.over()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| name.strip_prefix(&format!("{index}-"))?.parse().ok()).collect()
    }
}
