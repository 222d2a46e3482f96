//! Layers of a plan: pipeline, import, dataset and profile, each with the files that it includes.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use callsheet_worker::error::{DeclarationError, Result, suggest};
use toml::Spanned;

use super::instance::group;
use super::place::at;
use crate::declare::{IMPORTS, Layer, Project, StageUse, layer_names};
use crate::target::Target;
use crate::trace;

/// Layers of a pipeline, from bottom to top.
#[derive(Default)]
pub(super) struct Layers {
    /// The pipeline, a dataset's import, the dataset and the profile, each above the files that it includes.
    pub all: Vec<(Layer, LayerPolicy)>,
    /// Summary of the pipeline.
    pub summary: String,
    /// Metadata of the pipeline and of the files that it includes; the pipeline's own metadata takes
    /// precedence.
    pub metadata: toml::Table,
    /// Names that other pipelines, imports and datasets declare. Adjustments of these names are ignored.
    pub elsewhere: Elsewhere,
}

/// Names that other pipelines, imports and datasets declare.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// Names of stages.
    pub stages: HashSet<String>,
    /// Names of variables.
    pub vars: HashSet<String>,
}

/// Rule for the stages that a layer adds to a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerPolicy {
    /// All stages that the layer names, if it is a pipeline or an import. Only these layers declare
    /// variables.
    Named,
    /// Stages with `use`, if the layer is a dataset.
    Used,
    /// No stages, if the layer is a profile.
    None,
}

/// Reads the layers of a plan.
///
/// # Errors
/// Returns an error if a file is missing or malformed.
pub(super) fn layers(project: &Project, target: &Target) -> Result<Layers> {
    let Target { pipeline, dataset, profile } = target;
    let mut layers = Layers::default();
    let all = &mut layers.all;
    let pipeline = importing_none(project.layer("pipeline", "", pipeline)?)?;
    layers.summary.clone_from(&pipeline.summary);
    add(project, pipeline, LayerPolicy::Named, all)?;
    layers.metadata = all.iter().flat_map(|(layer, _)| layer.metadata.clone()).collect();
    if !dataset.is_empty() {
        let dataset = project.layer("dataset", "datasets", dataset)?;
        if let Some(import) = &dataset.import {
            add(project, import_layer(project, import, &dataset)?, LayerPolicy::Named, all)?;
        }
        add(project, dataset, LayerPolicy::Used, all)?;
    }
    if !profile.is_empty() {
        let profile = importing_none(project.layer("profile", "profiles", profile)?)?;
        add(project, profile, LayerPolicy::None, all)?;
    }
    if adjusts_others(all) {
        layers.elsewhere = elsewhere(project, all);
    }
    Ok(layers)
}

/// Adds a layer after the files that it includes. A pipeline and an import include a file once. If a dataset
/// or a profile includes it again, the file is laid over the pipeline.
fn add(
    project: &Project,
    layer: Layer,
    adds: LayerPolicy,
    all: &mut Vec<(Layer, LayerPolicy)>,
) -> Result<()> {
    let same = all.iter().filter(|(_, of)| adds == LayerPolicy::Named && *of == adds);
    let known: HashSet<PathBuf> = same.map(|(layer, _)| layer.source.path.clone()).collect();
    let mut own = Vec::new();
    include(project, layer, adds, &known, &mut Vec::new(), &mut own)?;
    all.extend(own);
    Ok(())
}

/// Largest depth of nested includes.
const DEEPEST: usize = 32;

/// Adds a layer after the files that it includes, except those in `known`. `open` contains the files whose
/// includes are being read.
fn include(
    project: &Project,
    layer: Layer,
    adds: LayerPolicy,
    known: &HashSet<PathBuf>,
    open: &mut Vec<PathBuf>,
    all: &mut Vec<(Layer, LayerPolicy)>,
) -> Result<()> {
    open.push(layer.source.path.clone());
    for name in &layer.include {
        let refuse = |message: String, help: String| {
            Err(DeclarationError::new(&layer.source, name.span(), message, "included here")
                .with_help(help)
                .into())
        };
        let Some(path) = inside(project, &layer.source.path, name.get_ref()) else {
            let absolute = Path::new(name.get_ref()).is_absolute();
            let what = if absolute { "is an absolute path" } else { "is outside the project" };
            let help = "include a file inside the project, with a path relative to this file".to_owned();
            return refuse(format!("`{}` {what}", name.get_ref()), help);
        };
        if !trace::is_file(&project.root.join(&path)) {
            let known = layer_names(&project.root.join(&path).with_file_name(""));
            let known: Vec<String> = known.iter().map(|name| format!("{name}.toml")).collect();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("`{}` is not a file", name.get_ref());
            return refuse(message, suggest(&file, known.iter().map(String::as_str)));
        }
        if open.len() == DEEPEST {
            let help = "include the files directly in one file".to_owned();
            return refuse(format!("includes are nested more than {DEEPEST} levels deep"), help);
        }
        if open.contains(&path) {
            return refuse(
                format!("`{}` includes itself", path.display()),
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

/// Returns the path of an included file, relative to the project if the file is in the project. Returns
/// `None` if `name` is an absolute path, or if the file is outside of both the project and its folder of
/// pipelines.
fn inside(project: &Project, from: &Path, name: &str) -> Option<PathBuf> {
    let folder = project.root.join(from.parent()?);
    let path = plain(&folder.join(name));
    let pipelines = plain(&project.root.join(&project.pipelines));
    let within = path.starts_with(&project.root) || path.starts_with(pipelines);
    (within && Path::new(name).is_relative())
        .then(|| path.strip_prefix(&project.root).map(Path::to_owned).unwrap_or(path))
}

/// Removes `.` and `..` from an absolute path.
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
fn adjusts_others(all: &[(Layer, LayerPolicy)]) -> bool {
    let stages: HashSet<&str> = all.iter().flat_map(|(layer, adds)| added(layer, *adds)).collect();
    let vars: HashSet<&str> = all.iter().flat_map(|(layer, adds)| declared_vars(layer, *adds)).collect();
    all.iter().any(|(layer, _)| {
        layer.stages.keys().any(|name| !stages.contains(group(name.get_ref())))
            || layer.vars.keys().any(|name| !vars.contains(name.get_ref().as_str()))
    })
}

/// Returns the names of the stages that a layer adds.
fn added(layer: &Layer, adds: LayerPolicy) -> impl Iterator<Item = &str> {
    let adds = move |used: &StageUse| match adds {
        LayerPolicy::Named => true,
        LayerPolicy::Used => used.stage.is_some(),
        LayerPolicy::None => false,
    };
    layer.stages.iter().filter(move |(_, used)| adds(used)).map(|(name, _)| name.get_ref().as_str())
}

/// Returns the names of the variables that a layer declares; other layers only set them.
pub(super) fn declared_vars(layer: &Layer, adds: LayerPolicy) -> impl Iterator<Item = &str> {
    let named = layer.vars.keys().filter(move |_| adds == LayerPolicy::Named);
    named.map(|name| name.get_ref().as_str())
}

/// Returns the names in all pipelines, imports and datasets except `own`. Malformed files are skipped,
/// because a plan reports only errors of the files that it uses.
fn elsewhere(project: &Project, own: &[(Layer, LayerPolicy)]) -> Elsewhere {
    let known: HashSet<PathBuf> = own.iter().map(|(layer, _)| layer.source.path.clone()).collect();
    let mut all = Vec::new();
    let mut read = |folder: &str, names: Vec<String>, adds: LayerPolicy| {
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
    read("", project.pipeline_names(), LayerPolicy::Named);
    read(IMPORTS, project.import_names(), LayerPolicy::Named);
    read("datasets", project.dataset_names(), LayerPolicy::Used);
    let stages = all.iter().flat_map(|(layer, adds)| added(layer, *adds)).map(str::to_owned).collect();
    let vars = all.iter().flat_map(|(layer, adds)| declared_vars(layer, *adds)).map(str::to_owned).collect();
    Elsewhere { stages, vars }
}

fn import_layer(project: &Project, name: &Spanned<String>, dataset: &Layer) -> Result<Layer> {
    let (known, folder) = (project.import_names(), project.pipelines.join(IMPORTS).join(""));
    if known.contains(name.get_ref()) {
        return importing_none(project.layer("import", IMPORTS, name.get_ref())?);
    }
    Err(at(&dataset.source, name.span()).declaration_error(
        format!("import `{}` was not found in {}", name.get_ref(), folder.display()),
        "named here",
        suggest(name.get_ref(), known.iter().map(String::as_str)),
    ))
}

/// Rejects `import` in a file that is not a dataset.
fn importing_none(layer: Layer) -> Result<Layer> {
    let Some(import) = &layer.import else { return Ok(layer) };
    Err(at(&layer.source, import.span()).declaration_error(
        format!("`import = \"{}\"` is only valid in a dataset", import.get_ref()),
        "declared here",
        "move this line to the file of a dataset: only a dataset names the import of its raw files".into(),
    ))
}
