//! Wiring of inputs: raw files, an output, or the outputs of many instances.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use callsheet_worker::error::{Result, list, suggest};
use litemap::LiteMap;

use super::MissingSource;
use super::foreach::order;
use super::source::{DATASET, base, stranger};
use super::spec::{InstanceDraft, SourceSpec, Spec};
use crate::declare::{ArtifactKind, InputDecl, Origin, Project, StageDecl};
use crate::trace;

/// Files of each source by its name, or the reason why they cannot be found.
pub(super) type Files = HashMap<String, Result<Vec<PathBuf>, String>>;

/// Consumer of a wire, and the place that sets the wire.
struct End<'a> {
    stage: &'a InstanceDraft,
    input: &'a InputDecl,
    origin: &'a Origin,
}

/// Resolved wire of an input, before it is known which stages are needed.
pub(super) enum Wire {
    Source { name: String, files: Vec<PathBuf>, base: PathBuf },
    Output { stage: usize, output: String, label: Option<String> },
    Gather { stages: Vec<usize>, output: String, label: Option<String> },
    Missing(MissingSource),
}

impl Wire {
    /// Returns the positions of the stage instances that compute the input.
    pub(super) fn producers(&self) -> &[usize] {
        match self {
            Self::Source { .. } | Self::Missing(_) => &[],
            Self::Output { stage, .. } => slice::from_ref(stage),
            Self::Gather { stages, .. } => stages,
        }
    }
}

/// Returns the wire of every wired input of a stage, with the place that sets it.
///
/// # Errors
/// Returns an error on unknown names, kinds that do not fit, and required inputs that are not wired.
pub(super) fn wire_stage<'a>(
    project: &Project,
    spec: &'a Spec,
    decls: &[Arc<StageDecl>],
    files: &Files,
    stage: &'a InstanceDraft,
    decl: &StageDecl,
) -> Result<LiteMap<String, (Wire, &'a Origin)>> {
    let mut wires = LiteMap::new();
    for (input, (from, origin)) in &stage.inputs {
        let Some(input_decl) = decl.inputs.get(input) else {
            return Err(origin.declaration_error(
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
            return Err(stage.stage.1.declaration_error(
                format!("stage `{}` lacks its required input `{input}`", stage.name),
                "used here",
                format!(
                    "set inputs.{input} = \"STAGE.OUTPUT\"; the input is documented as: {}",
                    input_decl.doc
                ),
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
        return Err(origin.declaration_error(message, "wired here", suggest(producer, known)));
    };
    let stage = range.start;
    let Some(decl) = decls[stage].outputs.get(output) else {
        let known = decls[stage].outputs.keys().map(String::as_str);
        let message = format!("stage `{producer}` has no output `{output}`");
        return Err(origin.declaration_error(message, "wired here", suggest(output, known)));
    };
    let file_as_files = decl.kind == ArtifactKind::File && input.kind == ArtifactKind::Files;
    if decl.kind != input.kind && !file_as_files {
        return Err(origin.declaration_error(
            format!("`{producer}.{output}` is of kind {}, not {}", decl.kind.name(), input.kind.name()),
            "wired here",
            format!("wire another artifact; the input is documented as: {}", input.doc),
        ));
    }
    if decl.held_out && !input.held_out {
        return Err(origin.declaration_error(
            format!("`{producer}.{output}` is held out, but this input does not declare held_out = true"),
            "wired here",
            "wire another output; declare held_out = true for an input only if its stage evaluates".into(),
        ));
    }
    wire_instances(spec, range, (producer, output), end, label)
}

/// Wires an input to the instance of a stage that has its `foreach` values, or to all of them.
fn wire_instances(
    spec: &Spec,
    range: Range<usize>,
    (producer, output): (&str, &str),
    end: &End,
    label: Option<String>,
) -> Result<Wire> {
    let End { input, origin, .. } = end;
    let stage = range.start;
    let output = output.to_owned();
    // The wire names one instance, or a stage that is not fanned out.
    let mut all = if spec.stages[stage].name == producer {
        vec![stage]
    } else {
        spec.agreeing(&range, &end.stage.values)
    };
    all.sort_by(|a, b| order(&spec.stages[*a].values, &spec.stages[*b].values));
    match all[..] {
        _ if input.many && !all.is_empty() => Ok(Wire::Gather { stages: all, output, label }),
        [stage] => Ok(Wire::Output { stage, output, label }),
        [] => {
            let known = list(range.map(|other| spec.stages[other].name.as_str()));
            Err(origin.declaration_error(
                format!("no instance of `{producer}` has the `foreach` values of `{}`", end.stage.name),
                "wired here",
                format!("add the values to `foreach` of `{producer}`, or wire one instance: {known}"),
            ))
        }
        _ => {
            let known = all.iter().map(|other| spec.stages[*other].name.as_str());
            Err(origin.declaration_error(
                format!(
                    "`{producer}.{output}` is an output of {} instances, but the input accepts one",
                    all.len()
                ),
                "wired here",
                format!("wire one instance ({}), or declare the input with many = true", list(known)),
            ))
        }
    }
}

/// Returns false for a file that is not a Parquet file. Files named `.parquet` are not read here, because the stages that
/// read them report what is wrong.
fn may_be_table(file: &Path) -> bool {
    let is_named = file.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("parquet"));
    is_named || trace::start(file).is_ok_and(|start| start == *b"PAR1")
}

/// Returns the path or pattern of a source, for errors.
fn pattern_of(source: &SourceSpec) -> String {
    source.path.as_ref().map_or("(no path)".to_owned(), |(path, _)| path.get_ref().clone())
}

/// Returns the remedy for a source whose path needs a dataset.
fn no_dataset(project: &Project) -> String {
    match project.dataset_names().as_slice() {
        [] => "describe a dataset in pipelines/datasets/NAME.toml, and select it with `--dataset NAME`"
            .to_owned(),
        known => format!("select a dataset with --dataset (known: {})", list(known)),
    }
}

/// Wires an input to the artifact that replaces the files of a source.
fn wire_fallback(
    project: &Project,
    spec: &Spec,
    decls: &[Arc<StageDecl>],
    name: &str,
    end: &End,
) -> Result<Wire> {
    let source = &spec.sources[name];
    if let Some((path, origin)) = &source.path
        && let Some(stranger) = stranger(&project.root, path.get_ref())
    {
        let message = format!("source `{name}`: no file matches `{}`", path.get_ref());
        return Err(origin.declaration_error(
            format!("{message}, but `{}` exists", stranger.display()),
            "this pattern",
            "rename or convert the file, or change the pattern; remove the file to use the fallback".into(),
        ));
    }
    let fallback = source.rest.fallback.as_ref().expect("the caller has found it");
    let artifact = fallback.artifact.get_ref();
    let (producer, output) = artifact.rsplit_once('.').unwrap_or((artifact, ""));
    let label = Some(fallback.label.clone());
    let end = End { origin: &source.origin, ..*end };
    wire_output(spec, decls, producer, output, &end, label)
}

/// Returns the problem and the remedy if an input cannot take the files of a source.
fn unfit(
    project: &Project,
    source: &SourceSpec,
    input: &InputDecl,
    files: &[PathBuf],
) -> Option<(String, &'static str)> {
    let fits = match input.kind {
        ArtifactKind::Files => true,
        ArtifactKind::File | ArtifactKind::Table => files.len() <= 1 || input.many,
        ArtifactKind::Directory => files.is_empty(),
    };
    let is_table = input.kind == ArtifactKind::Table;
    if !fits {
        let found =
            format!("{} files match `{}`, but the input accepts one", files.len(), pattern_of(source));
        let help = match is_table {
            true => {
                "change the pattern so that one file matches; several files are one table only if all of them are CSV \
                 files (.csv, .tsv), JSON lines (.jsonl, .ndjson) or images"
            }
            false => "change the pattern so that one file matches",
        };
        return Some((found, help));
    }
    let other = files.iter().find(|file| is_table && !may_be_table(&project.root.join(file)))?;
    Some((
        format!("{} is not a table", other.display()),
        "tables are Parquet files, CSV files (.csv, .tsv), JSON lines (.jsonl, .ndjson) and images; convert or rename \
         the file",
    ))
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
        return Err(origin.declaration_error(
            format!("unknown source `{name}`"),
            "wired here",
            suggest(name, known.iter().map(String::as_str)),
        ));
    };
    let place = source.path.as_ref().map_or(&source.origin, |(_, origin)| origin).clone();
    let files = match files.get(name).cloned().unwrap_or(Ok(Vec::new())) {
        Ok(files) => files,
        Err(reason) => {
            let help = "restore the file or the target of the link, or change the pattern".to_owned();
            let message = format!("source `{name}`: {reason}");
            let path = pattern_of(source);
            return Ok(Wire::Missing(MissingSource { path, message, help, origin: place }));
        }
    };
    if files.is_empty() && source.rest.fallback.is_some() {
        return wire_fallback(project, spec, decls, name, end);
    }
    if files.is_empty() && !input.optional {
        let path = pattern_of(source);
        let help = match source.rest.hint.clone() {
            _ if path.contains(DATASET) => no_dataset(project),
            Some(hint) => hint,
            None => "add files that match the pattern".to_owned(),
        };
        let message = format!("source `{name}`: no file matches `{path}`");
        return Ok(Wire::Missing(MissingSource { path, message, help, origin: place }));
    }
    if let Some((problem, help)) = unfit(project, source, input, &files) {
        return Err(place.declaration_error(
            format!("source `{name}`: {problem}"),
            "this source",
            help.into(),
        ));
    }
    let base = source.path.as_ref().map(|(path, _)| base(path.get_ref())).unwrap_or_default();
    Ok(Wire::Source { name: name.to_owned(), files, base })
}
