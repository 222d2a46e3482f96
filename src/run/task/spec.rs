//! Task spec: an action in the form in which a node of a cluster gets it. A node never reads the files of a pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;
use callsheet_worker::protocol::RequestInput;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::declare::{Origin, Project, ResourcesDecl, Role, StageDecl, StageSpec, Values};
use crate::key::ActionKey;
use crate::plan::{Param, Plan, Request, StageInstance};
use crate::run::action::Action;
use crate::run::executor::share::Share;
use crate::run::rows::Files;
use crate::store::{Object, Watch};
use crate::target::Target;

/// Version of the files that an engine writes for its jobs.
pub(in crate::run) const FORMAT: u32 = 1;

/// What all tasks of a submission have in common.
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
}

/// An action, made serialisable.
#[derive(Debug, Deserialize, Serialize)]
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

#[derive(Debug, Deserialize, Serialize)]
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
    pub(in crate::run) fn new(action: Action) -> Self {
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
            key: action.key,
            inputs: action.inputs,
            sources: action.sources,
            input_rows: action.input_rows,
            files: action.files,
            objects: action.objects,
            program: action.program,
            watch: action.watch,
            memory: action.share.memory,
            force: action.force,
        }
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
        }
    }
}

/// Names of the files of a submission, below its folder.
#[derive(Clone, Debug)]
pub(in crate::run) struct JobDir(pub PathBuf);

impl JobDir {
    /// What its tasks have in common.
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

    /// Folder of the news that jobs write.
    pub(in crate::run) fn news(&self) -> PathBuf {
        self.0.join("news")
    }
}
