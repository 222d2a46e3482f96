//! A worker that a person starts by hand, in a debugger or a notebook.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

use super::context::{LazySandbox, Run};
use super::executor::Ready;
use super::executor::local::Machine;
use super::expand::expand;
use super::prepare::prepare;
use super::preview::StagePreview;
use super::rows::PreparedRows;
use super::sandbox::{OUT, REQUEST};
use super::stage_inputs::stage_inputs;
use crate::declare::Project;
use crate::plan::Plan;
use crate::store::{Sources, Store, remove_folder};

/// Worker of one stage that a person starts by hand. Its inputs are those of a run; its outputs are not published.
#[derive(Debug)]
pub struct DebugJob {
    /// Absolute path of its folder, which contains the request and the folder for outputs.
    pub folder: PathBuf,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Path of the request.
    pub request: PathBuf,
    /// Rows that its input has, if the stage is row-wise.
    pub rows: Option<PreparedRows>,
}

/// Writes the request of the stage at `position` and its rows to `folder`, which is replaced. A row-wise stage gets the
/// rows that the store lacks, or all rows if it lacks none; at most `limit`. `machine` is the whole machine; errors repeat
/// the `options` that select the pipeline.
///
/// # Errors
/// Returns an error if an input is not in the store, or a file cannot be written.
pub fn prepare_debug(
    (project, store, plan): (&Project, &Store, &Plan),
    sources: &mut Sources,
    previews: &[StagePreview],
    position: usize,
    machine: &Machine,
    (folder, limit, options): (&Path, usize, &str),
) -> Result<DebugJob> {
    let (stage, preview) = (&plan.stages[position], &previews[position]);
    let Some(key) = preview.key.clone() else {
        return Err(not_ready(plan, previews, position, options));
    };
    let watch = sources.watch(stage.decl.code.iter().map(|(_, path)| path.as_path()))?;
    // A machine that is smaller than the stage declares can still debug it.
    let share = machine.clone().take(&stage.resources, machine).unwrap_or_default();
    let run = Run {
        project,
        store,
        plan,
        id: DEBUG_RUN.to_owned(),
        replaces: None,
        keep_failed: false,
        job: None,
        sandbox: LazySandbox::default(),
    };
    let digest = key.digest();
    let made = |producer: usize| previews[producer].objects.as_ref();
    let action = prepare(&run, sources, position, Ready { key, watch }, share, false, made)?;
    create(folder)?;
    let mut request = action.request(&digest, &folder.join(OUT), &folder.join(SCRATCH));
    let rows = stage.decl.rows.as_ref();
    let rows = rows.map(|rows| action.rows_to_debug(store, rows, &mut request, limit, folder)).transpose()?;
    stage_inputs(&mut request, &stage.decl, folder)?;
    let path = folder.join(REQUEST);
    let text = serde_json::to_vec_pretty(&request).expect("a request is plain data");
    fs::write(&path, text).io_context("cannot write", &path)?;
    let (mut command, _) = expand(&stage.decl.command, &stage.decl.scripts, &request, &path);
    command[0] = project.stage_program(&stage.decl)?.into();
    Ok(DebugJob { folder: folder.to_owned(), command, request: path, rows })
}

/// Id in place of that of a run.
const DEBUG_RUN: &str = "debug";
/// Name of the folder for checkpoints.
const SCRATCH: &str = "scratch";

fn create(folder: &Path) -> Result<()> {
    if folder.exists() {
        remove_folder(folder).io_context("cannot remove", folder)?;
    }
    for inside in [OUT, SCRATCH].map(|name| folder.join(name)) {
        fs::create_dir_all(&inside).io_context("cannot create", &inside)?;
    }
    Ok(())
}

/// Error for a stage whose inputs are not known.
fn not_ready(plan: &Plan, previews: &[StagePreview], position: usize, options: &str) -> Error {
    let stage = &plan.stages[position];
    if let Some(missing) = stage.missing.values().next() {
        return missing.error();
    }
    let upstream = stage.upstream();
    let open: Vec<usize> =
        upstream.into_iter().filter(|producer| previews[*producer].objects.is_none()).collect();
    let name = |producer: &usize| plan.stages[*producer].name.as_str();
    let Some(first) = open.first() else {
        let reason = previews[position].lacks().unwrap_or_default();
        let message = format!("stage `{}`: {reason}", stage.name);
        return Error::user_error(Code::NotComputed, message, "correct the files of the stage");
    };
    let reason = previews[*first].lacks().unwrap_or_default();
    Error::user_error(
        Code::NotComputed,
        format!("an input of stage `{}` has not been computed: `{}` is {reason}", stage.name, name(first)),
        format!(
            "compute it first: `callsheet run {}{options}`",
            open.iter().map(name).collect::<Vec<_>>().join(" ")
        ),
    )
}
