//! Options that many commands share: target (pipeline, dataset, profile, overrides) and selection of stages.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use callsheet_worker::error::Result;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use shell_words::quote;

use super::candidates;
use super::hash_progress::HashProgress;
use super::log_reporter::LogReporter;
use super::progress_reporter::ProgressReporter;
use crate::declare::Project;
use crate::event::Event;
use crate::plan::{Plan, Request, Selection, resolve};
use crate::run::{StoreSnapshot, check_owner};
use crate::store::{Sources, Store};

/// Pipeline, dataset, profile and overrides.
#[derive(Args, Clone)]
pub(super) struct TargetArgs {
    /// Pipeline, a file in pipelines/ [default: `pipeline` in callsheet.toml, or the only pipeline]
    #[arg(short, long, env = "CALLSHEET_PIPELINE", add = ArgValueCompleter::new(candidates::pipelines))]
    pub pipeline: Option<String>,
    /// Dataset, a file in pipelines/datasets/ [default: `dataset` in callsheet.toml]
    #[arg(short, long, env = "CALLSHEET_DATASET", add = ArgValueCompleter::new(candidates::datasets))]
    pub dataset: Option<String>,
    /// Profile, a file in pipelines/profiles/ [default: `profile` in callsheet.toml]
    #[arg(short = 'P', long, env = "CALLSHEET_PROFILE", add = ArgValueCompleter::new(candidates::profiles))]
    pub profile: Option<String>,
    /// Override a parameter, or a variable (`vars.NAME=VALUE`); takes precedence over all files. Repeatable
    #[arg(long, value_name = "STAGE.PARAM=VALUE", add = ArgValueCompleter::new(candidates::parameters))]
    pub set: Vec<String>,
}

/// Selected stages of a pipeline. The stages that they depend on are included.
#[derive(Args, Clone)]
pub(super) struct Select {
    /// Compute these stages and all stages that they depend on: `train`, an instance `train@v4-0`, or a
    /// pattern `train@v4-*` [default: all]
    #[arg(value_name = "STAGE", add = ArgValueCompleter::new(candidates::stages))]
    pub stages: Vec<String>,
    /// Compute this stage and all stages that depend on it. Repeatable
    #[arg(long, value_name = "STAGE", add = ArgValueCompleter::new(candidates::stages))]
    pub from: Vec<String>,
    /// Compute this stage and all stages that it depends on, as the argument STAGE does. Repeatable
    #[arg(long, value_name = "STAGE", add = ArgValueCompleter::new(candidates::stages))]
    pub until: Vec<String>,
    /// Compute only this stage; its inputs must be in the store. Repeatable
    #[arg(long, value_name = "STAGE", add = ArgValueCompleter::new(candidates::stages))]
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

impl TargetArgs {
    pub(super) fn resolve(&self) -> Result<Plan> {
        self.plan().map(|(_, plan)| plan)
    }

    pub(super) fn plan(&self) -> Result<(Project, Plan)> {
        let (project, request) = self.request()?;
        let plan = resolve(&project, &request)?;
        Ok((project, plan))
    }

    /// Resolves the plan and, in parallel, reads the latest results from the store.
    pub(super) fn snapshot(&self) -> Result<(Project, Store, Plan, StoreSnapshot)> {
        let (project, request) = self.request()?;
        let store = Store::of(&project)?;
        let (plan, snapshot) = snapshot(&project, &store, &request)?;
        Ok((project, store, plan, snapshot))
    }

    /// Returns these options as arguments for another command.
    pub(super) fn to_args(&self) -> Vec<String> {
        let named =
            [("--pipeline", &self.pipeline), ("--dataset", &self.dataset), ("--profile", &self.profile)];
        let named = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        let set = self.set.iter().map(|set| ["--set".to_owned(), set.clone()]);
        named.chain(set).flatten().collect()
    }

    /// Returns these options for a command in a remedy, each after a space.
    pub(super) fn options(&self) -> String {
        self.to_args().iter().map(|word| format!(" {}", quote(word))).collect()
    }

    pub(super) fn request(&self) -> Result<(Project, Request)> {
        let project = Project::find()?;
        let Self { pipeline, dataset, profile, set } = self.clone();
        let request = Request::new(&project, [pipeline, dataset, profile], set)?;
        Ok((project, request))
    }
}

pub(super) fn snapshot(project: &Project, store: &Store, request: &Request) -> Result<(Plan, StoreSnapshot)> {
    let (plan, snapshot) = rayon::join(
        || resolve(project, request),
        || {
            let progress = Mutex::new(HashProgress::new("checking results"));
            StoreSnapshot::new(store, &project.data, &request.target, |done, total| {
                progress.lock().unwrap_or_else(PoisonError::into_inner).show(done, total);
            })
        },
    );
    let plan = plan?;
    check_owner(project, &request.target.pipeline, snapshot.project())?;
    Ok((plan, snapshot))
}

/// Returns the digests of raw files. Files that the store does not know are hashed, with a progress bar for
/// large files on a terminal. Their digests are saved in the store; it is created for large files only.
pub(super) fn sources(project: &Project, store: &Store, plan: &Plan) -> Sources {
    let mut sources = Sources::load(store, &project.root);
    let mut bars = std::io::stderr().is_terminal().then(|| ProgressReporter::new(LogReporter::default()));
    let mut large = false;
    sources.learn(&plan.raw_files(), |done, total| {
        large = true;
        bars.iter_mut().for_each(|bars| bars.report(&Event::Hashing { done, total }));
        true
    });
    bars.iter_mut().for_each(ProgressReporter::clear);
    if large || store.exists() {
        // Commands that only read must also work on a store that cannot be written.
        let _ = sources.save(store);
    }
    sources
}
