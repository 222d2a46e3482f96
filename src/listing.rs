//! List of all stages of a plan with the numbers of rows that they would compute, as `callsheet plan` prints it.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_worker::error::Result;

use crate::declare::Project;
use crate::plan::{Plan, Selection};
use crate::run::{
    Interrupts, Machine, RunOptions, StagePreview, State, StoreSnapshot, count_rows, preview, run,
};
use crate::store::{Sources, Store};

/// Previews the stages of a plan on `machine`, and counts the rows that row-wise stages would compute. To count them, it
/// runs the stages that declare `enumerates_rows`.
///
/// # Errors
/// Returns an error if a raw file cannot be read.
pub fn list_stages(
    project: &Project,
    store: &Store,
    plan: &Plan,
    snapshot: &StoreSnapshot,
    sources: &mut Sources,
    machine: &Machine,
) -> Result<Vec<StagePreview>> {
    let mut stages = preview(store, sources, snapshot, plan)?;
    let (mut listed, mut failed) = (BTreeSet::new(), BTreeMap::new());
    while let Some(enumerating) = enumerating_stages(plan, &stages, &mut listed) {
        failed.extend(run_enumerating(project, store, plan, snapshot, machine, enumerating)?);
        stages = preview(store, sources, snapshot, plan)?;
    }
    count_rows(store, sources, plan, &mut stages)?;
    for (stage, planned) in stages.iter_mut().zip(&plan.stages) {
        if stage.objects.is_none() {
            let fits = machine.check(&stage.stage, &planned.resources);
            let ready = fits.and_then(|()| project.stage_program(&planned.decl).map(drop));
            let failure = failed.get(&stage.stage).cloned();
            stage.problem = failure.or_else(|| ready.err().map(|error| error.to_string()));
        }
    }
    Ok(stages)
}

/// Returns the stages that can run and whose tables list the rows that other stages compute, each stage once.
fn enumerating_stages(
    plan: &Plan,
    stages: &[StagePreview],
    listed: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    let ready =
        plan.stages.iter().zip(stages).filter(|(stage, preview)| {
            stage.decl.enumerates_rows && matches!(preview.state, State::Run { .. })
        });
    let names: Vec<String> = ready.map(|(stage, _)| stage.name.clone()).collect();
    let new: Vec<String> = names.into_iter().filter(|name| listed.insert(name.clone())).collect();
    (!new.is_empty()).then_some(new)
}

/// Runs stages only for their tables. Returns the names and errors of the stages that failed.
fn run_enumerating(
    project: &Project,
    store: &Store,
    plan: &Plan,
    snapshot: &StoreSnapshot,
    machine: &Machine,
    names: Vec<String>,
) -> Result<Vec<(String, String)>> {
    let only = Some(names.iter().cloned().collect());
    let selection = Selection { until: names, ..Selection::default() };
    let plan = plan.clone().select(&selection)?;
    let options = RunOptions { machine: machine.clone(), only, ephemeral: true, ..RunOptions::default() };
    let ran = run(project, store, &plan, snapshot, &options, &Interrupts::default(), |_| {});
    // `plan` must also work on a store that cannot be written.
    let failed = ran.map(|summary| summary.failed).unwrap_or_default();
    Ok(failed.into_iter().map(|(stage, error)| (stage, error.to_string())).collect())
}
