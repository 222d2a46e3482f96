//! Options that many commands have: which pipeline, which of its stages.

use std::io::IsTerminal;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use clap::Args;

use super::bars::Bars;
use super::lines::Lines;
use crate::declare::Project;
use crate::event::Event;
use crate::plan::{Plan, Request, Selection, resolve};
use crate::run::Survey;
use crate::store::{Sources, Store};

/// Which pipeline, over which data, how large.
#[derive(Args, Clone)]
pub(super) struct Which {
    /// Pipeline: a file in pipelines/ [default: as callsheet.toml says, or the only one]
    #[arg(short, long, env = "CALLSHEET_PIPELINE")]
    pub pipeline: Option<String>,
    /// Dataset: a file in pipelines/datasets/ [default: as callsheet.toml says]
    #[arg(short, long, env = "CALLSHEET_DATASET")]
    pub dataset: Option<String>,
    /// Profile: a file in pipelines/profiles/ [default: as callsheet.toml says]
    #[arg(short = 'P', long, env = "CALLSHEET_PROFILE")]
    pub profile: Option<String>,
    /// Set a parameter, over every file; may be repeated
    #[arg(long, value_name = "STAGE.PARAM=VALUE")]
    pub set: Vec<String>,
}

/// Which of its stages; what they need is taken along.
#[derive(Args, Clone)]
pub(super) struct Select {
    /// Stages to end with: `train`, one instance `train@v4-0`, a pattern `train@v4-*` [default: all]
    #[arg(value_name = "STAGE")]
    pub stages: Vec<String>,
    /// Begin with this stage: it, and what depends on it
    #[arg(long, value_name = "STAGE")]
    pub from: Vec<String>,
    /// End with this stage, as if it were named alone
    #[arg(long, value_name = "STAGE")]
    pub until: Vec<String>,
    /// Compute nothing but this stage; what it reads must be in the store
    #[arg(long, value_name = "STAGE")]
    pub only: Vec<String>,
}

impl Select {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            until: self.stages.iter().chain(&self.until).cloned().collect(),
            from: self.from.clone(),
            only: self.only.clone(),
        }
    }
}

impl Which {
    pub(super) fn resolve(&self) -> Result<Plan> {
        let (project, request) = self.request()?;
        resolve(&project, &request)
    }

    /// Resolves the plan and looks at what there is of it, side by side.
    pub(super) fn survey(&self) -> Result<(Project, Store, Plan, Survey)> {
        let (project, request) = self.request()?;
        let store = store(&project)?;
        let (plan, survey) = survey(&project, &store, &request)?;
        Ok((project, store, plan, survey))
    }

    /// The same, for another command line.
    pub(super) fn words(&self) -> Vec<String> {
        let named =
            [("--pipeline", &self.pipeline), ("--dataset", &self.dataset), ("--profile", &self.profile)];
        let named = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        let set = self.set.iter().map(|set| ["--set".to_owned(), set.clone()]);
        named.chain(set).flatten().collect()
    }

    pub(super) fn request(&self) -> Result<(Project, Request)> {
        let project = Project::find()?;
        let or = |said: &Option<String>, default: &str| said.clone().unwrap_or_else(|| default.to_owned());
        let request = Request {
            pipeline: self.pipeline.clone().unwrap_or_else(|| default_pipeline(&project)),
            dataset: or(&self.dataset, &project.defaults.dataset),
            profile: or(&self.profile, &project.defaults.profile),
            set: self.set.clone(),
        };
        if request.pipeline.is_empty() {
            return Err(Error::refused(
                Code::MissingArgument,
                "no pipeline is named",
                format!(
                    "name one with --pipeline, or as `pipeline` under [defaults] in callsheet.toml (known: {})",
                    project.pipeline_names().join(", ")
                ),
            ));
        }
        Ok((project, request))
    }
}

/// The pipeline that callsheet.toml names, else the only one that exists; empty if there are several.
fn default_pipeline(project: &Project) -> String {
    if !project.defaults.pipeline.is_empty() {
        return project.defaults.pipeline.clone();
    }
    let mut names = project.pipeline_names();
    if names.len() == 1 { names.remove(0) } else { String::new() }
}

/// Store of a project, which may not exist yet.
///
/// # Errors
/// When it has a format that this version does not know.
pub(super) fn store(project: &Project) -> Result<Store> {
    Store::open(&project.data.join("store"))
}

pub(super) fn survey(project: &Project, store: &Store, request: &Request) -> Result<(Plan, Survey)> {
    let (plan, survey) = rayon::join(
        || resolve(project, request),
        || Survey::new(store, &project.data, &request.pipeline, &request.dataset),
    );
    Ok((plan?, survey))
}

/// What the store knows of raw files; those that it does not know are hashed, which is shown if it
/// takes long, and remembered.
pub(super) fn sources(project: &Project, store: &Store, plan: &Plan) -> Sources {
    let mut sources = Sources::load(store, &project.root);
    let mut bars = std::io::stderr().is_terminal().then(|| Bars::new(Lines::default()));
    sources.learn(&plan.raw_files(), |done, total| {
        bars.iter_mut().for_each(|bars| bars.report(&Event::Hashing { done, total }));
        true
    });
    bars.iter_mut().for_each(Bars::clear);
    // A store that cannot be written can be looked at all the same.
    let _ = sources.save(store);
    sources
}
