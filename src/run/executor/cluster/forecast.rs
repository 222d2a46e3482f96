//! Jobs that a run would submit, as `callsheet plan --on` shows them.

use callsheet_worker::error::Result;
use serde::Serialize;

use super::{check_store, shape};
use crate::declare::Project;
use crate::plan::Plan;
use crate::run::executor::mixed::cluster_of;
use crate::run::preview::{StagePreview, State};
use crate::run::rows::Rate;
use crate::run::snapshot::StoreSnapshot;
use crate::store::Store;

/// Work of a stage on a cluster.
#[derive(Clone, Debug, Serialize)]
pub struct StageForecast {
    /// Name of the stage instance.
    pub stage: String,
    /// Name of the executor.
    pub executor: String,
    /// Partition of the class that serves the stage.
    pub partition: String,
    /// Rows that the stage computes, if it is row-wise and they are known.
    pub rows: Option<u64>,
    /// Number of jobs; `None` if a sample of jobs decides.
    pub jobs: Option<u64>,
    /// Hours of all CPUs, if the stage ran before.
    pub cpu_hours: Option<f64>,
    /// Hours of all GPUs, if the stage ran before and uses any.
    pub gpu_hours: Option<f64>,
}

/// Returns the work of the stages that would run on clusters; those that may run count as if they did.
///
/// # Errors
/// Returns an error if an executor is not declared, its nodes cannot see the store, or no class has the resources of a stage.
pub fn forecast(
    project: &Project,
    store: &Store,
    plan: &Plan,
    snapshot: &StoreSnapshot,
    previews: &[StagePreview],
    on: Option<&str>,
) -> Result<Vec<StageForecast>> {
    let mut all = Vec::new();
    for (stage, preview) in plan.stages.iter().zip(previews) {
        let Some(name) = cluster_of(&stage.resources, on) else { continue };
        let decl = project.executor(name)?;
        check_store(&decl, project)?;
        if !matches!(preview.state, State::Run { .. } | State::Maybe { .. }) {
            continue;
        }
        let shape = shape(&decl, &stage.name, &stage.resources)?;
        let (job, rows) =
            (decl.job_time.as_secs_f64(), preview.compute.map(|compute| compute.rows + compute.open));
        let rate = snapshot.row_seconds(store, &stage.name).map(|row| Rate { start: 0.0, row });
        let (seconds, jobs) = match rows {
            Some(rows) => {
                let seconds = rate.map(|rate| rate.row * rows as f64);
                (seconds, rate.map(|rate| rows.div_ceil(rate.rows(job) as u64)))
            }
            // The rows are not known before other stages have run.
            None if stage.decl.rows.is_some() => (None, None),
            None => (preview.seconds, Some(1)),
        };
        let hours = |units: usize| seconds.map(|seconds| seconds * units as f64 / 3600.0);
        all.push(StageForecast {
            stage: stage.name.clone(),
            executor: name.to_owned(),
            partition: decl.classes[shape.class]
                .partition
                .clone()
                .unwrap_or_else(|| "default partition".to_owned()),
            rows,
            jobs,
            cpu_hours: hours(shape.cpus),
            gpu_hours: hours(shape.gpus).filter(|_| shape.gpus > 0),
        });
    }
    Ok(all)
}
