//! Resolution of declarations to a plan. Errors in declarations are found here, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list, suggest};
use litemap::LiteMap;

use super::graph::Graph;
use super::layers::layers;
use super::overlay::overlay;
use super::source::{Results, matches};
use super::spec::{InstanceDraft, Spec};
use super::tables::read_tables;
use super::typed::typed;
use super::verdicts::check_verdicts;
use super::wire::{Files, Wire, wire_stage};
use super::{Input, MissingSource, Param, Plan, Request, StageInstance, case};
use crate::declare::{Origin, Project, ResourcesDecl, StageDecl};

/// Resolves a request to a plan.
///
/// # Errors
/// Returns an error on unknown names, wrong types, values out of bounds, missing inputs and cycles. It
/// contains the file, the line and the nearest name that exists.
pub fn resolve(project: &Project, request: &Request) -> Result<Plan> {
    let layers = layers(project, &request.target)?;
    let (summary, metadata) = (layers.summary.clone(), layers.metadata.clone());
    let mut spec = overlay(layers, &request.target.dataset, &request.set)?;
    case::check(&project.data, &spec)?;
    case::check_folders(project, &request.target, &spec)?;
    let mut decls = declarations(project, &spec)?;
    let files = source_files(project, &spec)?;
    read_tables(project, &mut spec, &mut decls, &files)?;

    let mut wires: Vec<LiteMap<String, (Wire, &Origin)>> = Vec::new();
    let mut params = Vec::new();
    for (stage, decl) in spec.stages.iter().zip(&decls) {
        // Stages that are not needed are validated, too.
        params.push(resolve_params(stage, decl)?);
        wires.push(wire_stage(project, &spec, &decls, &files, stage, decl)?);
    }
    let needed = needed_stages(&spec, &decls, &files, &mut wires);
    let graph = Graph::new(spec.stages.len(), edges(&wires));
    if let Some(cycle) = graph.cycle() {
        let names = list(cycle.iter().map(|p| spec.stages[*p].name.as_str()));
        return Err(spec.stages[cycle[0]].stage.1.declaration_error(
            format!("stages form a cycle: {names}"),
            "one of these stages",
            "remove one of the inputs that close the cycle".into(),
        ));
    }
    let order = graph.order(&needed);
    let position: BTreeMap<usize, usize> = order.iter().enumerate().map(|(n, p)| (*p, n)).collect();

    let mut stages: Vec<StageInstance> = Vec::with_capacity(order.len());
    for original in order {
        let (stage, decl) = (&spec.stages[original], &decls[original]);
        let wires = std::mem::take(&mut wires[original]);
        let Wired { inputs, absent, missing, labels } = wired(wires, &spec, &position, &stages);
        stages.push(StageInstance {
            name: stage.name.clone(),
            values: stage.values.clone(),
            decl: decl.clone(),
            params: std::mem::take(&mut params[original]),
            resources: resolve_resources(stage, decl)?,
            adjusted: stage.resources.clone(),
            inputs,
            absent,
            missing,
            labels,
        });
    }
    check_verdicts(&stages)?;
    Ok(Plan { request: request.clone(), summary, stages, metadata })
}

/// Inputs of an instance, by the positions of their producers.
#[derive(Default)]
struct Wired {
    inputs: LiteMap<String, Input>,
    /// Optional inputs without files, with the pattern of their source.
    absent: LiteMap<String, String>,
    /// Required inputs whose source has no files.
    missing: LiteMap<String, MissingSource>,
    labels: BTreeSet<String>,
}

/// Wires an instance to the `stages` before it; `position` maps positions in the spec to positions in
/// `stages`.
fn wired(
    wires: LiteMap<String, (Wire, &Origin)>,
    spec: &Spec,
    position: &BTreeMap<usize, usize>,
    stages: &[StageInstance],
) -> Wired {
    let Wired { mut inputs, mut absent, mut missing, mut labels } = Wired::default();
    for (name, (wire, _)) in wires {
        let input = match wire {
            Wire::Source { name: source, files, .. } if files.is_empty() => {
                let pattern = spec.sources.get(&source).and_then(|source| source.path.as_ref());
                absent.insert(name, pattern.map_or_else(String::new, |(path, _)| path.get_ref().clone()));
                continue;
            }
            Wire::Missing(source) => {
                missing.insert(name, source);
                continue;
            }
            Wire::Source { name, files, base } => Input::Source { name, files, base },
            Wire::Output { stage, output, label } => {
                let stage = position[&stage];
                labels.extend(label);
                labels.extend(stages[stage].labels.iter().cloned());
                Input::Artifact { stage, output }
            }
            Wire::Gather { stages: all, output, label } => {
                let all: Vec<usize> = all.iter().map(|stage| position[stage]).collect();
                labels.extend(label);
                labels.extend(all.iter().flat_map(|stage| stages[*stage].labels.iter().cloned()));
                Input::Gather { stages: all, output }
            }
        };
        inputs.insert(name, input);
    }
    Wired { inputs, absent, missing, labels }
}

fn declarations(project: &Project, spec: &Spec) -> Result<Vec<Arc<StageDecl>>> {
    let mut read: BTreeMap<&str, Arc<StageDecl>> = BTreeMap::new();
    for stage in &spec.stages {
        let (kind, origin) = &stage.stage;
        if read.contains_key(kind.as_str()) {
            continue;
        }
        let Some(decl) = project.stage(kind)? else {
            let known = project.stage_names();
            return Err(origin.declaration_error(
                format!("stage `{kind}` was not found in {}", project.stages.join("").display()),
                "used here",
                suggest(kind, known.iter().map(String::as_str)),
            ));
        };
        if decl.built_in {
            return Err(origin.declaration_error(
                format!("`{kind}` is a stage that callsheet adds itself"),
                "used here",
                "wire the source to an input with kind = \"table\": callsheet then reads its files".into(),
            ));
        }
        read.insert(kind, Arc::new(decl));
    }
    Ok(spec.stages.iter().map(|s| read[s.stage.0.as_str()].clone()).collect())
}

/// Finds the files of every source that a stage reads.
fn source_files(project: &Project, spec: &Spec) -> Result<Files> {
    let read = spec.stages.iter().flat_map(|stage| stage.inputs.values()).map(|(from, _)| from.as_str());
    let (mut files, mut results) = (Files::new(), Results::new(project));
    for name in read.filter(|name| !name.contains('.')) {
        if let Some((path, origin)) = spec.sources.get(name).and_then(|source| source.path.as_ref())
            && !files.contains_key(name)
        {
            let found = match matches(project, &mut results, path, origin) {
                // A file that cannot be found concerns only the stages that read it.
                Err(error) if error.kind() == Code::Io => Err(error.to_string()),
                found => Ok(found?),
            };
            files.insert(name.to_owned(), found);
        }
    }
    Ok(files)
}

fn edges(wires: &[LiteMap<String, (Wire, &Origin)>]) -> Vec<(usize, usize)> {
    let mut edges = Vec::new();
    for (consumer, inputs) in wires.iter().enumerate() {
        for (wire, _) in inputs.values() {
            edges.extend(wire.producers().iter().map(|producer| (*producer, consumer)));
        }
    }
    edges
}

/// Returns the stages that are needed: all except those that only compute a stand-in which is not needed.
/// Unwires the optional inputs that read from the omitted stages.
fn needed_stages(
    spec: &Spec,
    decls: &[Arc<StageDecl>],
    files: &Files,
    wires: &mut [LiteMap<String, (Wire, &Origin)>],
) -> BTreeSet<usize> {
    let mut idle = Vec::new();
    for (name, source) in &spec.sources {
        let Some(fallback) = &source.rest.fallback else { continue };
        if files.get(name.as_str()).is_some_and(|files| !matches!(files, Ok(files) if files.is_empty())) {
            let producer = fallback.artifact.get_ref().rsplit_once('.').map(|(producer, _)| producer);
            idle.extend(producer.and_then(|producer| spec.range(producer)).into_iter().flatten());
        }
    }
    let idle = Graph::new(spec.stages.len(), edges(wires)).with_ancestors(idle);
    for (inputs, decl) in wires.iter_mut().zip(decls) {
        inputs.retain(|input, (wire, _)| match wire {
            Wire::Source { .. } | Wire::Missing(_) => true,
            _ => !(decl.inputs[input].optional && wire.producers().iter().any(|stage| idle.contains(stage))),
        });
    }
    let graph = Graph::new(spec.stages.len(), edges(wires));
    graph.with_ancestors((0..spec.stages.len()).filter(|p| !idle.contains(p)))
}

fn resolve_resources(stage: &InstanceDraft, decl: &StageDecl) -> Result<ResourcesDecl> {
    let mut resources = decl.resources.clone();
    for (name, (value, origin)) in &stage.resources {
        resources.set(name, value).map_err(|(message, help)| {
            origin.declaration_error(format!("{}.resources.{name}: {message}", stage.name), "set here", help)
        })?;
    }
    Ok(resources)
}

fn resolve_params(stage: &InstanceDraft, decl: &StageDecl) -> Result<LiteMap<String, Param>, Error> {
    for (param, (_, origin)) in &stage.params {
        if !decl.params.contains_key(param) {
            return Err(origin.unknown_name(
                format!("stage `{}` has no parameter `{param}`", decl.name),
                "set here",
                suggest(param, decl.params.keys().map(String::as_str)),
            ));
        }
    }
    let mut params = LiteMap::with_capacity(decl.params.len());
    for (name, declared) in &decl.params {
        let default = &declared.default;
        let (value, origin) = match stage.params.get(name) {
            Some((value, origin)) => (value, origin.clone()),
            None => (default.get_ref(), Origin::File(decl.source.clone(), default.span())),
        };
        let value = declared.accept(&typed(declared, value, &origin)).map_err(|(message, help)| {
            let place = format!("{}.{name}", stage.name);
            let message = match &origin {
                // The error quotes the option, so the message does not repeat the name.
                Origin::CommandLine(option) if option.split('=').next() == Some(place.as_str()) => message,
                _ => format!("{place}: {message}"),
            };
            let help = format!("{help}; `{name}` is documented as: {}", declared.doc);
            origin.declaration_error(message, "set here", help)
        })?;
        params.insert(name.clone(), Param { value, origin, role: declared.role });
    }
    Ok(params)
}
