//! From declarations to a plan; everything that can be wrong is found here, before anything runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use litemap::LiteMap;

use super::foreach::{AT, agree};
use super::graph::Graph;
use super::overlay::{Spec, StageSpec, overlay};
use super::source::{base, matches, stranger};
use super::{Input, Param, Plan, Request, Stage};
use crate::declare::{ArtifactKind, InputDecl, Layer, Origin, Project, StageDecl};
use crate::error::{Error, Result, list, suggest};

/// Where a wire ends, and where that is said.
struct End<'a> {
    stage: &'a StageSpec,
    input: &'a InputDecl,
    origin: &'a Origin,
}

/// What a wired name means, before it is known which stages are needed.
enum Wire {
    Source { name: String, files: Vec<PathBuf>, base: PathBuf },
    Output { stage: usize, output: String, label: Option<String> },
    Gather { stages: Vec<usize>, output: String, label: Option<String> },
}

impl Wire {
    fn producers(&self) -> &[usize] {
        match self {
            Self::Source { .. } => &[],
            Self::Output { stage, .. } => slice::from_ref(stage),
            Self::Gather { stages, .. } => stages,
        }
    }
}

/// The files of each source.
type Files<'a> = HashMap<&'a str, Vec<PathBuf>>;

/// Resolves what the user asked for.
///
/// # Errors
/// On unknown names, wrong types, values out of bounds, missing inputs and cycles, with the
/// file, the line and the nearest name that exists.
pub fn resolve(project: &Project, request: &Request) -> Result<Plan> {
    let layers = layers(project, &request.pipeline, &request.dataset, &request.profile)?;
    let summary = layers[0].summary.clone();
    let spec = overlay(layers, &request.set)?;
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
        for (name, (wire, _)) in std::mem::take(&mut wires[original]) {
            let input = match wire {
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
        let params = std::mem::take(&mut params[original]);
        let (name, values) = (stage.name.clone(), stage.values.clone());
        stages.push(Stage { name, values, decl: decl.clone(), params, inputs, labels });
    }
    Ok(Plan { request: request.clone(), summary, stages })
}

/// Every stage instance that a pipeline has over a dataset in any profile; none if there is no such
/// pipeline or dataset.
///
/// # Errors
/// When it cannot be told, because a file is malformed.
pub fn declared(project: &Project, pipeline: &str, dataset: &str) -> Result<BTreeSet<String>> {
    let known = |names: Vec<String>, name: &str| name.is_empty() || names.iter().any(|known| known == name);
    if !known(project.pipeline_names(), pipeline) || !known(project.dataset_names(), dataset) {
        return Ok(BTreeSet::new());
    }
    let names = |spec: Spec| spec.stages.into_iter().map(|stage| stage.name);
    let mut stages: BTreeSet<String> =
        names(overlay(layers(project, pipeline, dataset, "")?, &[])?).collect();
    for profile in project.profile_names() {
        let layers = layers(project, pipeline, dataset, &profile)?;
        let adjusted = layers.last().into_iter().flat_map(|layer| layer.stages.keys());
        let group = |name: &str| name.split(AT).next().unwrap_or_default().to_owned();
        let known: BTreeSet<String> = stages.iter().map(|name| group(name)).collect();
        let meant = adjusted.into_iter().any(|name| known.contains(&group(name.get_ref())));
        match overlay(layers, &[]) {
            Ok(spec) => stages.extend(names(spec)),
            Err(error) if meant => return Err(error),
            // A profile of another pipeline.
            Err(_) => {}
        }
    }
    Ok(stages)
}

/// The files that are laid over one another.
fn layers(project: &Project, pipeline: &str, dataset: &str, profile: &str) -> Result<Vec<Layer>> {
    let mut layers = vec![project.layer("pipeline", "", pipeline)?];
    if !dataset.is_empty() {
        layers.push(project.layer("dataset", "datasets", dataset)?);
    }
    if !profile.is_empty() {
        layers.push(project.layer("profile", "profiles", profile)?);
    }
    Ok(layers)
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

fn wire_stage<'a>(
    project: &Project,
    spec: &'a Spec,
    decls: &[Arc<StageDecl>],
    files: &Files,
    stage: &'a StageSpec,
    decl: &StageDecl,
) -> Result<LiteMap<String, (Wire, &'a Origin)>> {
    let mut wires = LiteMap::new();
    for (input, (from, origin)) in &stage.inputs {
        let Some(input_decl) = decl.inputs.get(input) else {
            return Err(origin.fault(
                format!("stage `{}` has no input `{input}`", decl.name),
                "wired here",
                suggest(input, decl.inputs.keys().map(String::as_str)),
            ));
        };
        let end = End { stage, input: input_decl, origin };
        let wire = match from.rsplit_once('.') {
            Some((producer, output)) => wire_output(spec, decls, producer, output, &end, None)?,
            None => wire_source(project, spec, decls, files, from, &end)?,
        };
        wires.insert(input.clone(), (wire, origin));
    }
    for (input, input_decl) in &decl.inputs {
        if !input_decl.optional && !wires.contains_key(input) {
            return Err(stage.stage.1.fault(
                format!("stage `{}` needs its input `{input}`", stage.name),
                "used here",
                format!("wire it: inputs.{input} = \"stage.output\" ({})", input_decl.doc),
            ));
        }
    }
    Ok(wires)
}

fn wire_output(
    spec: &Spec,
    decls: &[Arc<StageDecl>],
    producer: &str,
    output: &str,
    end: &End,
    label: Option<String>,
) -> Result<Wire> {
    let End { input, origin, .. } = end;
    let Some(range) = spec.range(producer) else {
        let known = spec.stages.iter().map(|s| s.name.as_str());
        let message = format!("the pipeline has no stage `{producer}`");
        return Err(origin.fault(message, "wired here", suggest(producer, known)));
    };
    let stage = range.start;
    let Some(decl) = decls[stage].outputs.get(output) else {
        let known = decls[stage].outputs.keys().map(String::as_str);
        let message = format!("stage `{producer}` has no output `{output}`");
        return Err(origin.fault(message, "wired here", suggest(output, known)));
    };
    let file_as_files = decl.kind == ArtifactKind::File && input.kind == ArtifactKind::Files;
    if decl.kind != input.kind && !file_as_files {
        return Err(origin.fault(
            format!("`{producer}.{output}` is a {:?}, not a {:?}", decl.kind, input.kind).to_lowercase(),
            "wired here",
            input.doc.clone(),
        ));
    }
    if decl.held_out && !input.held_out {
        return Err(origin.fault(
            format!("`{producer}.{output}` is held out: this input may not read it"),
            "wired here",
            "it is truth for evaluation only; an input that declares held_out = true may read it".into(),
        ));
    }
    let output = output.to_owned();
    // Addressed by its own name, or not fanned out at all.
    let all = if spec.stages[stage].name == producer {
        vec![stage]
    } else {
        range.clone().filter(|other| agree(&spec.stages[*other].values, &end.stage.values)).collect()
    };
    match all[..] {
        _ if input.many && !all.is_empty() => Ok(Wire::Gather { stages: all, output, label }),
        [stage] => Ok(Wire::Output { stage, output, label }),
        [] => Err(origin.fault(
            format!("no instance of `{producer}` has the values of `{}`", end.stage.name),
            "wired here",
            suggest(&end.stage.name, range.map(|other| spec.stages[other].name.as_str())),
        )),
        _ => {
            let known = all.iter().map(|other| spec.stages[*other].name.as_str());
            Err(origin.fault(
                format!("`{producer}.{output}` is of {} instances, and the input takes one", all.len()),
                "wired here",
                format!("name one ({}), or declare the input with many = true", list(known)),
            ))
        }
    }
}

fn wire_source(
    project: &Project,
    spec: &Spec,
    decls: &[Arc<StageDecl>],
    files: &Files,
    name: &str,
    end: &End,
) -> Result<Wire> {
    let End { input, origin, .. } = end;
    let Some(source) = spec.sources.get(name) else {
        let stages = spec.stages.iter().zip(decls);
        let outputs = stages.flat_map(|(s, d)| d.outputs.keys().map(move |o| format!("{}.{o}", s.name)));
        let known: Vec<String> = spec.sources.keys().cloned().chain(outputs).collect();
        return Err(origin.fault(
            format!("no source `{name}`"),
            "wired here",
            suggest(name, known.iter().map(String::as_str)),
        ));
    };
    let files = files.get(name).cloned().unwrap_or_default();
    if files.is_empty()
        && let Some(otherwise) = &source.rest.otherwise
    {
        if let Some((path, origin)) = &source.path
            && let Some(stranger) = stranger(&project.root, path.get_ref())
        {
            let message = format!("source `{name}`: `{}` matches no file", path.get_ref());
            return Err(origin.fault(
                format!("{message}, but there is {}", stranger.display()),
                "this pattern",
                "rename or convert the file, or change the pattern; without files the stand-in is used"
                    .into(),
            ));
        }
        let artifact = otherwise.artifact.get_ref();
        let (producer, output) = artifact.rsplit_once('.').unwrap_or((artifact, ""));
        let label = Some(otherwise.label.clone());
        let end = End { origin: &source.origin, ..*end };
        return wire_output(spec, decls, producer, output, &end, label);
    }
    let fits = match input.kind {
        ArtifactKind::Files => !files.is_empty(),
        ArtifactKind::File | ArtifactKind::Table => files.len() == 1 || input.many && !files.is_empty(),
        ArtifactKind::Directory => false,
    };
    let absent = files.is_empty() && input.optional;
    if !(fits || absent) {
        let pattern = source.path.as_ref().map_or("(no path)", |(path, _)| path.get_ref());
        let found = match files.len() {
            0 => format!("no file matches `{pattern}`"),
            n => format!("{n} files match `{pattern}`, the input takes one"),
        };
        let place = source.path.as_ref().map_or(&source.origin, |(_, origin)| origin);
        let obtain = source.rest.obtain.clone().unwrap_or_else(|| "put the files there".into());
        return Err(place.fault(format!("source `{name}`: {found}"), "this source", obtain));
    }
    let base = source.path.as_ref().map(|(path, _)| base(path.get_ref())).unwrap_or_default();
    Ok(Wire::Source { name: name.to_owned(), files, base })
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
/// inputs that would have read from them or from sources without files.
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
            Wire::Source { files, .. } => !files.is_empty(),
            _ => !(decl.inputs[input].optional && wire.producers().iter().any(|stage| idle.contains(stage))),
        });
    }
    let graph = Graph::new(spec.stages.len(), edges(wires));
    graph.with_ancestors((0..spec.stages.len()).filter(|p| !idle.contains(p)))
}

fn resolve_params(stage: &StageSpec, decl: &StageDecl) -> Result<LiteMap<String, Param>, Error> {
    for (param, (_, origin)) in &stage.params {
        if !decl.params.contains_key(param) {
            return Err(origin.fault(
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
