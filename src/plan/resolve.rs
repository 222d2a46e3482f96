//! From declarations to a plan; everything that can be wrong is found here, before anything runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list, suggest};
use litemap::LiteMap;

use super::foreach::group;
use super::graph::Graph;
use super::overlay::{Adds, Layers, overlay};
use super::source::matches;
use super::spec::{Spec, StageSpec};
use super::wire::{Files, Wire, wire_stage};
use super::{Input, Param, Plan, Request, Stage};
use crate::declare::{IMPORTS, Layer, Origin, Project, ResourcesDecl, StageDecl, StageUse};

/// Resolves what the user asked for.
///
/// # Errors
/// On unknown names, wrong types, values out of bounds, missing inputs and cycles, with the
/// file, the line and the nearest name that exists.
pub fn resolve(project: &Project, request: &Request) -> Result<Plan> {
    let layers = layers(project, &request.pipeline, &request.dataset, &request.profile)?;
    let Layer { summary, metadata, .. } = &layers.all[0].0;
    let (summary, metadata) = (summary.clone(), metadata.clone());
    let spec = overlay(layers, &request.dataset, &request.set)?;
    let decls = declarations(project, &spec)?;
    let files = source_files(project, &spec)?;

    let mut wires: Vec<LiteMap<String, (Wire, &Origin)>> = Vec::new();
    let mut params = Vec::new();
    for (stage, decl) in spec.stages.iter().zip(&decls) {
        // Also of stages that turn out not to be needed.
        params.push(resolve_params(stage, decl)?);
        wires.push(wire_stage(project, &spec, &decls, &files, stage, decl)?);
    }
    let needed = needed_stages(&spec, &decls, &files, &mut wires);
    let graph = Graph::new(spec.stages.len(), edges(&wires));
    if let Some(cycle) = graph.cycle() {
        let names = list(cycle.iter().map(|p| spec.stages[*p].name.as_str()));
        return Err(spec.stages[cycle[0]].stage.1.fault(
            format!("stages depend on themselves: {names}"),
            "one of them",
            "remove one of the inputs that close the circle".into(),
        ));
    }
    let order = graph.order(&needed);
    let position: BTreeMap<usize, usize> = order.iter().enumerate().map(|(n, p)| (*p, n)).collect();

    let mut stages: Vec<Stage> = Vec::with_capacity(order.len());
    for original in order {
        let (stage, decl) = (&spec.stages[original], &decls[original]);
        let mut labels = BTreeSet::new();
        let mut inputs = LiteMap::new();
        let mut absent = LiteMap::new();
        for (name, (wire, _)) in std::mem::take(&mut wires[original]) {
            let input = match wire {
                Wire::Source { name: source, files, .. } if files.is_empty() => {
                    let pattern = spec.sources.get(&source).and_then(|source| source.path.as_ref());
                    absent.insert(name, pattern.map_or_else(String::new, |(path, _)| path.get_ref().clone()));
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
        stages.push(Stage {
            name: stage.name.clone(),
            values: stage.values.clone(),
            decl: decl.clone(),
            params: std::mem::take(&mut params[original]),
            resources: resolve_resources(stage, decl)?,
            adjusted: stage.resources.clone(),
            inputs,
            absent,
            labels,
        });
    }
    Ok(Plan { request: request.clone(), summary, stages, metadata })
}

/// Every stage instance that a pipeline has over a dataset in any profile; none if there is no such
/// pipeline or dataset.
///
/// # Errors
/// When it cannot be told: a file is malformed, or there is no pipeline at all.
pub fn declared(project: &Project, pipeline: &str, dataset: &str) -> Result<BTreeSet<String>> {
    if project.pipeline_names().is_empty() {
        let message = format!("there is no pipeline in {}", project.pipelines.display());
        return Err(Error::refused(
            Code::UnknownName,
            message,
            "is `pipelines` in callsheet.toml the right folder?",
        ));
    }
    let known = |names: Vec<String>, name: &str| name.is_empty() || names.iter().any(|known| known == name);
    if !known(project.pipeline_names(), pipeline) || !known(project.dataset_names(), dataset) {
        return Ok(BTreeSet::new());
    }
    let names = |spec: Spec| spec.stages.into_iter().map(|stage| stage.name);
    let mut stages: BTreeSet<String> =
        names(overlay(layers(project, pipeline, dataset, "")?, dataset, &[])?).collect();
    for profile in project.profile_names() {
        let layers = layers(project, pipeline, dataset, &profile)?;
        let adjusted = layers.all.last().into_iter().flat_map(|(layer, _)| layer.stages.keys());
        let known: BTreeSet<&str> = stages.iter().map(|name| group(name)).collect();
        let meant = adjusted.into_iter().any(|name| known.contains(group(name.get_ref())));
        match overlay(layers, dataset, &[]) {
            Ok(spec) => stages.extend(names(spec)),
            Err(error) if meant => return Err(error),
            // A profile of another pipeline.
            Err(_) => {}
        }
    }
    Ok(stages)
}

/// The files that are laid over one another.
fn layers(project: &Project, pipeline: &str, dataset: &str, profile: &str) -> Result<Layers> {
    let pipeline = importing_none(project.layer("pipeline", "", pipeline)?)?;
    let mut layers = Layers { all: vec![(pipeline, Adds::Named)], ..Layers::default() };
    if !dataset.is_empty() {
        let dataset = project.layer("dataset", "datasets", dataset)?;
        if let Some(import) = &dataset.import {
            layers.all.push((import_layer(project, import, &dataset)?, Adds::Named));
        }
        layers.all.push((dataset, Adds::Used));
    }
    if !profile.is_empty() {
        let profile = importing_none(project.layer("profile", "profiles", profile)?)?;
        layers.all.push((profile, Adds::None));
    }
    let here: HashSet<&str> = layers.all.iter().flat_map(|(layer, adds)| added(layer, *adds)).collect();
    let adjusted = layers.all.iter().flat_map(|(layer, _)| layer.stages.keys());
    if !adjusted.into_iter().all(|name| here.contains(group(name.get_ref()))) {
        layers.elsewhere = other_stages(project);
    }
    Ok(layers)
}

/// Names of the stages that a layer adds.
fn added(layer: &Layer, adds: Adds) -> impl Iterator<Item = &str> {
    let adds = move |used: &StageUse| match adds {
        Adds::Named => true,
        Adds::Used => used.stage.is_some(),
        Adds::None => false,
    };
    layer.stages.iter().filter(move |(_, used)| adds(used)).map(|(name, _)| name.get_ref().as_str())
}

/// Stages of all pipelines, datasets and their imports. A file that is malformed is no concern of others.
fn other_stages(project: &Project) -> HashSet<String> {
    let pipelines = project.pipeline_names().into_iter().map(|name| project.layer("pipeline", "", &name));
    let imports = project.import_names().into_iter().map(|name| project.layer("import", IMPORTS, &name));
    let datasets =
        project.dataset_names().into_iter().map(|name| project.layer("dataset", "datasets", &name));
    let imported = imports.chain(pipelines).flatten().flat_map(|layer| layer.stages.into_keys());
    // A dataset adds those that it says `use` of, and adjusts others.
    let added = datasets.flatten().flat_map(|layer| layer.stages).filter(|(_, used)| used.stage.is_some());
    imported.chain(added.map(|(name, _)| name)).map(toml::Spanned::into_inner).collect()
}

fn import_layer(project: &Project, name: &toml::Spanned<String>, dataset: &Layer) -> Result<Layer> {
    let known = project.import_names();
    if known.contains(name.get_ref()) {
        return importing_none(project.layer("import", IMPORTS, name.get_ref())?);
    }
    Err(Origin::File(dataset.source.clone(), name.span()).fault(
        format!("no import `{}` in {}", name.get_ref(), project.pipelines.join(IMPORTS).display()),
        "said here",
        suggest(name.get_ref(), known.iter().map(String::as_str)),
    ))
}

/// A layer that is no dataset.
fn importing_none(layer: Layer) -> Result<Layer> {
    let Some(import) = &layer.import else { return Ok(layer) };
    Err(Origin::File(layer.source.clone(), import.span()).fault(
        format!("`import = \"{}\"` is not in a dataset's file", import.get_ref()),
        "said here",
        "only a dataset says how its raw files become the pipeline's input".into(),
    ))
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
            return Err(origin.fault(
                format!("stage `{kind}` not found in {}", project.stages.display()),
                "used here",
                suggest(kind, known.iter().map(String::as_str)),
            ));
        };
        read.insert(kind, Arc::new(decl));
    }
    Ok(spec.stages.iter().map(|s| read[s.stage.0.as_str()].clone()).collect())
}

/// The files of every source that a stage reads.
fn source_files<'a>(project: &Project, spec: &'a Spec) -> Result<Files<'a>> {
    let read = spec.stages.iter().flat_map(|stage| stage.inputs.values()).map(|(from, _)| from.as_str());
    let mut files = Files::new();
    for name in read.filter(|name| !name.contains('.')) {
        if let Some((path, origin)) = spec.sources.get(name).and_then(|source| source.path.as_ref())
            && !files.contains_key(name)
        {
            files.insert(name, matches(&project.root, path, origin)?);
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

/// Leaves out stages that only make a stand-in which is not needed, and unwires the optional
/// inputs that would have read from them.
fn needed_stages(
    spec: &Spec,
    decls: &[Arc<StageDecl>],
    files: &Files,
    wires: &mut [LiteMap<String, (Wire, &Origin)>],
) -> BTreeSet<usize> {
    let mut idle = Vec::new();
    for (name, source) in &spec.sources {
        let Some(otherwise) = &source.rest.otherwise else { continue };
        if files.get(name.as_str()).is_some_and(|files| !files.is_empty()) {
            let producer = otherwise.artifact.get_ref().rsplit_once('.').map(|(producer, _)| producer);
            idle.extend(producer.and_then(|producer| spec.range(producer)).into_iter().flatten());
        }
    }
    let idle = Graph::new(spec.stages.len(), edges(wires)).with_ancestors(idle);
    for (inputs, decl) in wires.iter_mut().zip(decls) {
        inputs.retain(|input, (wire, _)| match wire {
            Wire::Source { .. } => true,
            _ => !(decl.inputs[input].optional && wire.producers().iter().any(|stage| idle.contains(stage))),
        });
    }
    let graph = Graph::new(spec.stages.len(), edges(wires));
    graph.with_ancestors((0..spec.stages.len()).filter(|p| !idle.contains(p)))
}

fn resolve_resources(stage: &StageSpec, decl: &StageDecl) -> Result<ResourcesDecl> {
    let mut resources = decl.resources.clone();
    for (name, (value, origin)) in &stage.resources {
        resources.set(name, value).map_err(|(message, help)| {
            origin.fault(format!("{}.resources.{name}: {message}", stage.name), "set here", help)
        })?;
    }
    Ok(resources)
}

fn resolve_params(stage: &StageSpec, decl: &StageDecl) -> Result<LiteMap<String, Param>, Error> {
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
        let value = declared.accept(value).map_err(|(message, help)| {
            let message = format!("{}.{name}: {message}", stage.name);
            origin.fault(message, "set here", format!("{help} ({})", declared.doc))
        })?;
        params.insert(name.clone(), Param { value, origin, role: declared.role });
    }
    Ok(params)
}
