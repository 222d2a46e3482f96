//! The resolved graph: every stage instance with its final parameters and inputs.

mod case;
mod declared;
mod fans;
mod fill;
mod foreach;
mod graph;
mod instance;
mod layers;
mod options;
mod overlay;
mod place;
mod request;
mod resolve;
mod select;
mod source;
mod spec;
mod tables;
mod typed;
mod vars;
mod verdicts;
mod walk;
mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use callsheet_worker::error::Error;
use litemap::LiteMap;
use serde_json::Value;

use crate::declare::{Origin, ResourcesDecl, Role, StageDecl, Values};

pub use declared::declared;
pub use foreach::{gathered, json};
pub use instance::{group, suffix};
pub use request::{RUNS, Request};
pub use resolve::resolve;
pub use select::Selection;
pub use source::{DATASET, Results, files, is_one_file};
pub use verdicts::verdict_table;

/// Final value of a parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// The value.
    pub value: Value,
    /// Place that sets the value.
    pub origin: Origin,
    /// Effect of a change on results.
    pub role: Role,
}

/// Files or artifacts that an input reads.
#[derive(Clone, Debug)]
pub enum Input {
    /// Raw files, as sorted paths relative to the project.
    Source {
        /// Name of the source.
        name: String,
        /// Files of the source; at least one.
        files: Vec<PathBuf>,
        /// Folder of the source: the part of its pattern before the first special character.
        base: PathBuf,
    },
    /// An output of another stage instance.
    Artifact {
        /// Position of the instance in [`Plan::stages`].
        stage: usize,
        /// Name of the output.
        output: String,
    },
    /// An output of several instances of a stage.
    Gather {
        /// Positions of the instances in [`Plan::stages`], in the order of their values.
        stages: Vec<usize>,
        /// Name of the output.
        output: String,
    },
}

impl Input {
    /// Returns the positions of the stage instances that compute the input.
    pub fn producers(&self) -> &[usize] {
        match self {
            Self::Source { .. } => &[],
            Self::Artifact { stage, .. } => slice::from_ref(stage),
            Self::Gather { stages, .. } => stages,
        }
    }

    fn producers_mut(&mut self) -> &mut [usize] {
        match self {
            Self::Source { .. } => &mut [],
            Self::Artifact { stage, .. } => slice::from_mut(stage),
            Self::Gather { stages, .. } => stages,
        }
    }
}

/// Stage instance of a plan. All values are final.
#[derive(Clone, Debug)]
pub struct StageInstance {
    /// Name of the instance in the pipeline: `train`, or `train@v4-0` if it is fanned out.
    pub name: String,
    /// Values of `foreach`; empty if the stage is not fanned out.
    pub values: Values,
    /// Declaration of the stage.
    pub decl: Arc<StageDecl>,
    /// Every declared parameter by name.
    pub params: LiteMap<String, Param>,
    /// Resources of the worker.
    pub resources: ResourcesDecl,
    /// Resources that the pipeline's files set, each with the place that sets it.
    pub adjusted: LiteMap<String, (toml::Value, Origin)>,
    /// Every wired input by name, except those in `absent` and `missing`.
    pub inputs: LiteMap<String, Input>,
    /// Optional inputs that are wired to a source without files, each with the pattern of the source.
    pub absent: LiteMap<String, String>,
    /// Required inputs whose source has no files, or files that cannot be found. The stage cannot run.
    pub missing: LiteMap<String, MissingSource>,
    /// Labels of the stand-ins that the instance is based on, e.g. `synthetic stand-in`.
    pub labels: BTreeSet<String>,
}

/// Source without the files that an input requires. Only the stages that read it fail.
#[derive(Clone, Debug)]
pub struct MissingSource {
    /// Path or pattern of the source.
    pub path: String,
    /// Description of what is missing.
    pub message: String,
    help: String,
    origin: Origin,
}

impl MissingSource {
    /// Returns the error of a stage that reads the source.
    pub fn error(&self) -> Error {
        self.origin.declaration_error(self.message.clone(), "this source", self.help.clone())
    }
}

/// A resolved pipeline with a dataset and a profile, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Pipeline, dataset, profile and `--set` options.
    pub request: Request,
    /// Summary of the pipeline.
    pub summary: String,
    /// Stage instances, each after those that it reads from, otherwise in the order of the pipeline file.
    pub stages: Vec<StageInstance>,
    /// Metadata of the pipeline, for other programs.
    pub metadata: toml::Table,
}

impl Plan {
    /// Labels of the stand-ins that results are based on.
    pub fn labels(&self) -> BTreeSet<String> {
        self.stages.iter().flat_map(|stage| stage.labels.iter().cloned()).collect()
    }

    /// Returns every raw file that the plan reads, without duplicates.
    pub fn raw_files(&self) -> BTreeSet<&Path> {
        let inputs = self.stages.iter().flat_map(|stage| stage.inputs.values());
        let files = inputs.filter_map(|input| match input {
            Input::Source { files, .. } => Some(files),
            Input::Artifact { .. } | Input::Gather { .. } => None,
        });
        files.flatten().map(PathBuf::as_path).collect()
    }
}

impl StageInstance {
    /// Returns the positions of the stage instances that this instance reads from, without duplicates.
    pub fn upstream(&self) -> BTreeSet<usize> {
        self.inputs.values().flat_map(Input::producers).copied().collect()
    }

    /// Returns the name that all instances of the stage share: `train` for `train@v4-0`.
    pub fn group(&self) -> &str {
        instance::group(&self.name)
    }
}
