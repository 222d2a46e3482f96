//! Preparation of a ready action: resolves its inputs to the paths that a worker gets.

use std::collections::BTreeMap;

use callsheet_worker::error::Result;
use callsheet_worker::protocol::RequestInput;
use litemap::LiteMap;

use super::action::Action;
use super::context::Run;
use super::executor::Ready;
use super::executor::share::Share;
use super::preview::{file_name, row_files};
use crate::plan::{Input, gathered as gathered_name, json, suffix};
use crate::store::{Object, Sources, name_below};

/// Returns the action of the stage at `position`. `made` maps the position of a stage that is done to its
/// outputs.
///
/// # Errors
/// Returns an error if a raw file cannot be read.
pub(super) fn prepare<'a, 'o>(
    run: &'a Run<'a>,
    sources: &mut Sources,
    position: usize,
    ready: Ready,
    share: Share,
    force: bool,
    made: impl Fn(usize) -> Option<&'o LiteMap<String, Object>> + Copy,
) -> Result<Action<'a>> {
    let stage = &run.plan.stages[position];
    let object = |producer: usize, output: &str| {
        made(producer)
            .and_then(|outputs| outputs.get(output))
            .expect("the producer is done and has every declared output")
    };
    let mut inputs = BTreeMap::new();
    let mut digests = BTreeMap::new();
    let (mut objects, mut input_rows) = (Vec::new(), BTreeMap::new());
    for (name, input) in &stage.inputs {
        let input = match input {
            Input::Source { files, base, .. } => {
                digests.extend(sources.digest_all(files, base)?.1);
                RequestInput {
                    paths: files.iter().map(|f| run.project.root.join(f)).collect(),
                    names: files.iter().map(|file| name_below(file, base)).collect(),
                    values: Vec::new(),
                }
            }
            Input::Artifact { stage: producer, output } => {
                let object = object(*producer, output);
                objects.push(object.clone());
                input_rows.extend(object.rows.map(|rows| (name.clone(), rows)));
                RequestInput {
                    paths: vec![run.store.materialize(object).into()],
                    names: file_name(run.plan, stage, name, input).into_iter().collect(),
                    values: Vec::new(),
                }
            }
            Input::Gather { stages, output } => {
                let gathered = stages.iter().map(|stage| object(*stage, output));
                let values = || stages.iter().map(|stage| &run.plan.stages[*stage].values);
                objects.extend(gathered.clone().cloned());
                let rows = gathered
                    .clone()
                    .zip(values())
                    .filter_map(|(object, values)| Some((gathered_name(name, values), object.rows?)));
                input_rows.extend(rows);
                RequestInput {
                    paths: gathered.map(|object| run.store.materialize(object).into()).collect(),
                    names: values().map(suffix).collect(),
                    values: values().map(json).collect(),
                }
            }
        };
        inputs.insert(name.clone(), input);
    }
    let files = row_files(sources, run.plan, stage, made)?;
    let program = run.project.stage_program(&stage.decl).ok();
    let program = program.and_then(|path| sources.digest(&path).ok());
    let Ready { key, watch } = ready;
    Ok(Action {
        stage,
        key,
        inputs,
        files,
        sources: digests,
        input_rows,
        objects,
        program,
        share,
        watch,
        force,
        computed_rows: None,
        log_suffix: None,
    })
}
