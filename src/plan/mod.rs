//! The resolved graph: every stage with its final parameters and what each input is.

mod declared;
mod fans;
mod fill;
mod foreach;
mod graph;
mod layers;
mod options;
mod overlay;
mod place;
mod resolve;
mod select;
mod source;
mod spec;
mod vars;
mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use litemap::LiteMap;
use serde_json::Value;

use crate::declare::{Origin, ResourcesDecl, Role, StageDecl, Values};

pub use declared::declared;
pub use foreach::{gathered, group, json, suffix};
pub use resolve::resolve;
pub use select::Selection;
pub use source::files;

/// Pipeline, dataset and profile that a user wants to plan.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Name of the pipeline file.
    pub pipeline: String,
    /// Name of the dataset file.
    pub dataset: String,
    /// Name of the profile file.
    pub profile: String,
    /// `stage.param=value`, as typed.
    pub set: Vec<String>,
}

/// A parameter's final value.
#[derive(Clone, Debug)]
pub struct Param {
    /// The value.
    pub value: Value,
    /// Place that sets it.
    pub origin: Origin,
    /// Meaning of a change.
    pub role: Role,
}

/// Wire of an input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Raw files, as sorted paths relative to the project.
    Source {
        /// Name of the source.
        name: String,
        /// Its files; at least one.
        files: Vec<PathBuf>,
        /// Its own folder: the part of its pattern before the first special character.
        base: PathBuf,
    },
    /// An output of another stage.
    Artifact {
        /// Position of that stage in [`Plan::stages`].
        stage: usize,
        /// Name of the output.
        output: String,
    },
    /// An output of several instances of a stage.
    Gather {
        /// Positions of the instances in [`Plan::stages`], by their values.
        stages: Vec<usize>,
        /// Name of the output.
        output: String,
    },
}

impl Input {
    /// Positions of the stages that make it.
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

/// A stage of a plan, or one of its instances if it is fanned out: all values are final.
#[derive(Clone, Debug)]
pub struct StageInstance {
    /// Name of the instance in the pipeline: `train`, or `train@v4-0` if it is fanned out.
    pub name: String,
    /// Its values, if it is fanned out.
    pub values: Values,
    /// The declaration it uses.
    pub decl: Arc<StageDecl>,
    /// Every declared parameter.
    pub params: LiteMap<String, Param>,
    /// Resources of its worker.
    pub resources: ResourcesDecl,
    /// Resources that differ from its stage.toml, with the places that set them.
    pub adjusted: LiteMap<String, (toml::Value, Origin)>,
    /// Every wired input.
    pub inputs: LiteMap<String, Input>,
    /// Optional inputs that are wired to a source without files, and its pattern.
    pub absent: LiteMap<String, String>,
    /// Stand-ins that it rests on, e.g. `synthetic stand-in`.
    pub labels: BTreeSet<String>,
}

/// A pipeline over a dataset in a profile, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Pipeline, dataset, profile and `--set` options.
    pub request: Request,
    /// Summary of the pipeline.
    pub summary: String,
    /// The stages, each after those it reads from; else in the order of the file.
    pub stages: Vec<StageInstance>,
    /// Metadata of the pipeline, for other programs.
    pub metadata: toml::Table,
}

impl Plan {
    /// Every raw file that is read, once.
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
    /// Positions of the stages it reads from, without repeats.
    pub fn upstream(&self) -> BTreeSet<usize> {
        self.inputs.values().flat_map(Input::producers).copied().collect()
    }

    /// The stage as the pipeline names it, for all its instances.
    pub fn group(&self) -> &str {
        foreach::group(&self.name)
    }
}
