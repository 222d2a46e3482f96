//! Subject of a report: a run, and the state of each of its stages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::error::Result;
use serde_json::Value;

use super::run_log::RunLog;
use crate::declare::{Project, StageDecl};
use crate::metrics::{Curves, curves};
use crate::plan::{self, Plan, Request, resolve};
use crate::store::{Divergence, LockName, Record, RunRecord, StageResult, StageState, Store, position};

/// Run that a report shows.
pub struct Subject {
    /// Record of the run; for a run that has not ended, its events so far.
    pub run: RunRecord,
    /// True if the run has ended.
    pub ended: bool,
    /// Summaries of the run's pipeline and profile.
    pub summaries: Vec<String>,
    /// Stages of the run, each after the stages that it reads from. Stages that the pipeline no longer
    /// declares come last.
    pub stages: Vec<Done>,
    /// Edges from producers to readers, as positions in `stages`.
    pub edges: BTreeSet<(usize, usize)>,
    /// Metrics of the stages.
    pub curves: Curves,
    /// Stand-ins on which the run is based.
    pub labels: BTreeSet<String>,
    /// Stages that were requested, if not all were.
    pub asked: Vec<String>,
    /// Metadata of the pipeline, for commands of the project.
    pub metadata: toml::Table,
    /// Results of the run of which another run computed another one.
    pub diverged: Vec<Divergence>,
    /// Error of the pipeline, if its files cannot be read any more.
    pub unread: Option<String>,
}

/// Stage instance of a run.
pub struct Done {
    /// Name of the stage instance.
    pub name: String,
    /// `cached`, `ran`, `running`, `failed`, `stopped`, `blocked` or `not done`.
    pub state: StageState,
    /// Error message, if the stage failed; otherwise empty.
    pub message: String,
    /// Record of the stage's action, if the store has it.
    pub record: Option<Record>,
    /// Present declaration of the stage.
    pub decl: Option<Arc<StageDecl>>,
    /// Values of `foreach`, if the stage is fanned out and the pipeline still declares it.
    pub values: BTreeMap<String, Value>,
}

impl Subject {
    /// Finds the run that `name` identifies (see [`position`]), whether or not it has ended.
    ///
    /// # Errors
    /// Returns an error if `name` identifies no run, or is the prefix of several ids.
    pub fn find(project: &Project, store: &Store, name: &str) -> Result<Self> {
        let ids = store.run_ids();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let id = &ids[position(name, &names)?];
        let RunLog { run: mut told, planned, messages } = RunLog::read(store, id);
        let Some(mut run) = store.run(id) else {
            let plan = plan_of(project, &told);
            add_later_stages(plan.as_ref().ok(), &mut told, planned);
            if !store.locked(&LockName::Run(id)) {
                // The process was killed, and its workers with it.
                let running = told.stages.values_mut().filter(|result| result.state == StageState::Running);
                running.for_each(|result| result.state = StageState::Stopped);
            }
            return Ok(Self::new(project, store, (told, plan), false, &messages));
        };
        for (stage, result) in run.stages.iter_mut().filter(|(_, result)| result.key.is_none()) {
            // The record has one state for all stages that are not done; the events have the exact state.
            let more = told.stages.get(stage).filter(|told| told.state != StageState::Running);
            more.into_iter().for_each(|told| result.state = told.state);
        }
        let plan = plan_of(project, &run);
        Ok(Self::new(project, store, (run, plan), true, &messages))
    }

    /// Subject of a run that found all results in the store, and therefore has no record.
    pub fn of_plan(project: &Project, store: &Store, plan: &Plan) -> Self {
        let Request { target, set } = plan.request.clone();
        let heads = store.latest(&target);
        let found = |name: &str| {
            let result = StageResult { state: StageState::Cached, key: Some(heads.get(name)?.key) };
            Some((name.to_owned(), result))
        };
        let stages = plan.stages.iter().filter_map(|stage| found(&stage.name)).collect();
        let run = RunRecord { id: String::new(), target, set, seconds: 0.0, stages };
        let plan = plan_of(project, &run);
        Self::new(project, store, (run, plan), true, &BTreeMap::new())
    }

    fn new(
        project: &Project,
        store: &Store,
        (run, resolved): (RunRecord, Result<Plan>),
        ended: bool,
        messages: &BTreeMap<String, String>,
    ) -> Self {
        let unread = resolved.as_ref().err().map(ToString::to_string);
        let plan = resolved.ok();
        let profile =
            project.layer("profile", "profiles", &run.target.profile).ok().map(|layer| layer.summary);
        let summaries = plan.iter().map(|plan| plan.summary.clone()).chain(profile).collect();
        let (planned, metadata) = plan.map(|plan| (plan.stages, plan.metadata)).unwrap_or_default();

        let of_plan = planned.iter().filter(|stage| run.stages.contains_key(&stage.name));
        let mut labels: BTreeSet<String> = of_plan.flat_map(|stage| stage.labels.iter().cloned()).collect();
        let mut names: Vec<&String> = planned.iter().map(|stage| &stage.name).collect();
        names.retain(|name| run.stages.contains_key(*name));
        let in_plan: BTreeSet<&String> = names.iter().copied().collect();
        names.extend(run.stages.keys().filter(|name| !in_plan.contains(name)));
        let at: BTreeMap<&String, usize> = names.iter().copied().zip(0..).collect();
        let place = |stage: usize| at.get(&planned[stage].name).copied();
        let read =
            (0..planned.len()).flat_map(|to| planned[to].upstream().into_iter().map(move |from| (from, to)));
        let edges: BTreeSet<(usize, usize)> =
            read.filter_map(|(from, to)| Some((place(from)?, place(to)?))).collect();

        let mut decls: BTreeMap<String, Option<Arc<StageDecl>>> = BTreeMap::new();
        let named = |stage: &plan::StageInstance| (stage.name.clone(), plan::json(&stage.values));
        let mut values: BTreeMap<String, BTreeMap<String, Value>> = planned.iter().map(named).collect();
        let stages = names.iter().map(|name| {
            let result = &run.stages[*name];
            let record = result.key.and_then(|key| store.record(&key));
            let declared = |stage: &String| project.stage(stage).ok().flatten().map(Arc::new);
            let stage = record.as_ref().map(|record| record.key.stage.clone());
            let decl = stage.and_then(|stage| decls.entry(stage).or_insert_with_key(declared).clone());
            let message = messages.get(*name).cloned().unwrap_or_default();
            let values = values.remove(name.as_str()).unwrap_or_default();
            Done { name: (*name).clone(), state: result.state, message, record, decl, values }
        });
        let stages: Vec<Done> = stages.collect();
        let records = stages.iter().filter_map(|stage| stage.record.as_ref());
        labels.extend(records.flat_map(|record| record.key.labels.iter().cloned()));
        let all = stages.len() >= planned.len();
        let last = |n: &usize| !all && !edges.iter().any(|(from, _): &(usize, usize)| from == n);
        let asked = (0..stages.len()).filter(last).map(|n| stages[n].name.clone()).collect();
        let curves = curves(store, &run.id, ended.then_some(&run));
        let mut diverged = store.divergences().unwrap_or_default();
        diverged.retain(|diverged| run.stages.values().any(|result| result.key == Some(diverged.key)));
        Self { diverged, ended, summaries, stages, edges, curves, labels, asked, metadata, unread, run }
    }
}

/// Resolves the pipeline of a run as it is declared now.
fn plan_of(project: &Project, run: &RunRecord) -> Result<Plan> {
    resolve(project, &Request { target: run.target.clone(), set: run.set.clone() })
}

/// Adds the stages of the pipeline that have no event yet to a run of all its stages. It is not known which stages a run of
/// selected stages has.
fn add_later_stages(plan: Option<&Plan>, run: &mut RunRecord, planned: usize) {
    let plan = plan.filter(|plan| plan.stages.len() == planned);
    for stage in plan.into_iter().flat_map(|plan| &plan.stages) {
        run.stages.entry(stage.name.clone()).or_insert(StageResult { state: StageState::NotDone, key: None });
    }
}

impl Done {
    /// Name of the stage in the pipeline, which all its instances share.
    pub fn group(&self) -> &str {
        plan::group(&self.name)
    }
}
