//! The files that are laid over one another: pipeline, import, dataset and profile, each with the files it includes.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use callsheet_worker::error::{Fault, Result, suggest};
use toml::Spanned;

use super::foreach::group;
use super::place::at;
use crate::declare::{IMPORTS, Layer, Project, StageUse, layer_names};

/// Layers of a pipeline, bottom to top.
#[derive(Default)]
pub(super) struct Layers {
    /// The pipeline, a dataset's import, the dataset and the profile, each above the files that it includes.
    pub all: Vec<(Layer, Adds)>,
    /// Summary of the pipeline.
    pub summary: String,
    /// Metadata of the pipeline and of what it includes; its own take precedence.
    pub metadata: toml::Table,
    /// Names that only other pipelines and datasets declare: adjustments of them are ignored here.
    pub elsewhere: Elsewhere,
}

/// Names that other pipelines, imports and datasets declare.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// Stages.
    pub stages: HashSet<String>,
    /// Variables.
    pub vars: HashSet<String>,
}

/// The stages that a layer adds to a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Adds {
    /// All that it names: a pipeline or an import. Only these declare variables.
    Named,
    /// Those with `use`: a dataset.
    Used,
    /// None: a profile.
    None,
}

/// Reads the files that are laid over one another. `dataset` and `profile` may be empty.
///
/// # Errors
/// When a file is missing or malformed.
pub(super) fn layers(project: &Project, pipeline: &str, dataset: &str, profile: &str) -> Result<Layers> {
    let mut layers = Layers::default();
    let all = &mut layers.all;
    let pipeline = importing_none(project.layer("pipeline", "", pipeline)?)?;
    layers.summary.clone_from(&pipeline.summary);
    add(project, pipeline, Adds::Named, all)?;
    layers.metadata = all.iter().flat_map(|(layer, _)| layer.metadata.clone()).collect();
    if !dataset.is_empty() {
        let dataset = project.layer("dataset", "datasets", dataset)?;
        if let Some(import) = &dataset.import {
            add(project, import_layer(project, import, &dataset)?, Adds::Named, all)?;
        }
        add(project, dataset, Adds::Used, all)?;
    }
    if !profile.is_empty() {
        let profile = importing_none(project.layer("profile", "profiles", profile)?)?;
        add(project, profile, Adds::None, all)?;
    }
    if adjusts_others(all) {
        layers.elsewhere = elsewhere(project, all);
    }
    Ok(layers)
}

/// Adds a layer, and before it the files that it includes. A pipeline and an import include a file once; a dataset or a
/// profile that includes it again lays it over the pipeline.
fn add(project: &Project, layer: Layer, adds: Adds, all: &mut Vec<(Layer, Adds)>) -> Result<()> {
    let same = all.iter().filter(|(_, of)| adds == Adds::Named && *of == adds);
    let known: HashSet<PathBuf> = same.map(|(layer, _)| layer.source.path.clone()).collect();
    let mut own = Vec::new();
    include(project, layer, adds, &known, &mut Vec::new(), &mut own)?;
    all.extend(own);
    Ok(())
}

/// Files that include each other one inside the other, at most.
const DEEPEST: usize = 32;

/// Adds a layer after what it includes, but for files that are `known`; `open` are those whose includes are being read.
fn include(
    project: &Project,
    layer: Layer,
    adds: Adds,
    known: &HashSet<PathBuf>,
    open: &mut Vec<PathBuf>,
    all: &mut Vec<(Layer, Adds)>,
) -> Result<()> {
    open.push(layer.source.path.clone());
    for name in &layer.include {
        let refuse = |message: String, help: String| {
            Err(Fault::new(&layer.source, name.span(), message, "included here").with_help(help).into())
        };
        let Some(path) = inside(project, &layer.source.path, name.get_ref()) else {
            let message = format!("`{}` is outside of the project", name.get_ref());
            return refuse(message, "write a path relative to this file".into());
        };
        if !project.root.join(&path).is_file() {
            let known = layer_names(&project.root.join(&path).with_file_name(""));
            let known: Vec<String> = known.iter().map(|name| format!("{name}.toml")).collect();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("`{}` is not a file", name.get_ref());
            return refuse(message, suggest(&file, known.iter().map(String::as_str)));
        }
        if open.len() == DEEPEST {
            let help = "include the files from one place".to_owned();
            return refuse(format!("includes are nested more than {DEEPEST} deep"), help);
        }
        if open.contains(&path) {
            return refuse(
                format!("{} includes itself", path.display()),
                "remove one of the includes".into(),
            );
        }
        // A file that two others include is read once.
        if known.contains(&path) || all.iter().any(|(read, _)| read.source.path == path) {
            continue;
        }
        let included = importing_none(Layer::read(&project.root, &path)?)?;
        include(project, included, adds, known, open, all)?;
    }
    open.pop();
    all.push((layer, adds));
    Ok(())
}

/// Path of an included file, relative to the project if it lies in there; none if it is neither in the project nor in its
/// folder of pipelines.
fn inside(project: &Project, from: &Path, name: &str) -> Option<PathBuf> {
    let folder = project.root.join(from.parent()?);
    let path = plain(&folder.join(name));
    let pipelines = plain(&project.root.join(&project.pipelines));
    let within = path.starts_with(&project.root) || path.starts_with(pipelines);
    (within && Path::new(name).is_relative())
        .then(|| path.strip_prefix(&project.root).map(Path::to_owned).unwrap_or(path))
}

/// An absolute path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        plain
    })
}

/// Returns true if a layer adjusts a stage or a variable that none of the layers declares.
fn adjusts_others(all: &[(Layer, Adds)]) -> bool {
    let stages: HashSet<&str> = all.iter().flat_map(|(layer, adds)| added(layer, *adds)).collect();
    let vars: HashSet<&str> = all.iter().flat_map(|(layer, adds)| declared_vars(layer, *adds)).collect();
    all.iter().any(|(layer, _)| {
        layer.stages.keys().any(|name| !stages.contains(group(name.get_ref())))
            || layer.vars.keys().any(|name| !vars.contains(name.get_ref().as_str()))
    })
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

/// Names of the variables that a layer declares; other layers only set them.
pub(super) fn declared_vars(layer: &Layer, adds: Adds) -> impl Iterator<Item = &str> {
    let named = layer.vars.keys().filter(move |_| adds == Adds::Named);
    named.map(|name| name.get_ref().as_str())
}

/// Names in all pipelines, imports and datasets but `own`. Malformed files are left out: the file that is used reports its
/// own errors.
fn elsewhere(project: &Project, own: &[(Layer, Adds)]) -> Elsewhere {
    let known: HashSet<PathBuf> = own.iter().map(|(layer, _)| layer.source.path.clone()).collect();
    let mut all = Vec::new();
    let mut read = |folder: &str, names: Vec<String>, adds: Adds| {
        let folder = project.pipelines.join(folder);
        for path in names.iter().map(|name| folder.join(format!("{name}.toml"))) {
            if known.contains(&path) {
                continue;
            }
            if let Ok(layer) = Layer::read(&project.root, &path) {
                let _ = include(project, layer, adds, &known, &mut Vec::new(), &mut all);
            }
        }
    };
    read("", project.pipeline_names(), Adds::Named);
    read(IMPORTS, project.import_names(), Adds::Named);
    read("datasets", project.dataset_names(), Adds::Used);
    let stages = all.iter().flat_map(|(layer, adds)| added(layer, *adds)).map(str::to_owned).collect();
    let vars = all.iter().flat_map(|(layer, adds)| declared_vars(layer, *adds)).map(str::to_owned).collect();
    Elsewhere { stages, vars }
}

fn import_layer(project: &Project, name: &Spanned<String>, dataset: &Layer) -> Result<Layer> {
    let known = project.import_names();
    if known.contains(name.get_ref()) {
        return importing_none(project.layer("import", IMPORTS, name.get_ref())?);
    }
    Err(at(&dataset.source, name.span()).fault(
        format!("no import `{}` in {}", name.get_ref(), project.pipelines.join(IMPORTS).display()),
        "said here",
        suggest(name.get_ref(), known.iter().map(String::as_str)),
    ))
}

/// Refuses `import` in a file that is not a dataset.
fn importing_none(layer: Layer) -> Result<Layer> {
    let Some(import) = &layer.import else { return Ok(layer) };
    Err(at(&layer.source, import.span()).fault(
        format!("`import = \"{}\"` is not in a dataset's file", import.get_ref()),
        "said here",
        "only a dataset says how its raw files become the pipeline's input".into(),
    ))
}
