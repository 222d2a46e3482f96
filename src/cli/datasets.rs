//! `callsheet datasets`.

use std::path::PathBuf;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json_list, print_text, table};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::exit::SUCCESS;
use crate::declare::{Origin, Project, json_table};
use crate::plan::{Results, files};

/// List the datasets of this project and the number of raw files in each
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet datasets
  callsheet datasets mine --json   one dataset: its declaration, and the paths of its raw files")]
pub(super) struct Datasets {
    /// Dataset to list [default: all]
    name: Option<String>,
    /// Print declarations and paths of raw files as JSON
    #[arg(long)]
    json: bool,
}

/// Dataset as its file declares it, with the raw files that exist.
#[derive(Serialize)]
struct Dataset {
    name: String,
    summary: String,
    /// Name of the file in `imports/`; empty if the dataset imports none.
    import: String,
    /// Table `[metadata]` of the dataset's file.
    metadata: Map<String, Value>,
    sources: Vec<Source>,
    /// Raw files, sorted by name.
    files: Vec<File>,
    /// Label of the stand-in for missing raw files, if one is declared.
    stand_in: Option<String>,
}

#[derive(Serialize)]
struct Source {
    pattern: String,
    /// Address of the files, or instructions to get them; empty if the dataset's file contains none.
    hint: String,
}

#[derive(Serialize)]
struct File {
    /// Path relative to the folder that the pattern begins with.
    name: String,
    /// Absolute path.
    path: PathBuf,
}

impl Datasets {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let names = self.name.clone().map_or_else(|| project.dataset_names(), |name| vec![name]);
        if self.json {
            let datasets = names.iter().map(|name| dataset(&project, name)).collect::<Result<Vec<_>>>()?;
            print_json_list("datasets", &datasets);
            return Ok(SUCCESS);
        }
        if names.is_empty() {
            let file = project.pipelines.join("datasets/NAME.toml");
            print_text(&format!("the project has no datasets; describe one in {}", file.display()));
        }
        let found: Vec<Result<Dataset>> = names.iter().map(|name| dataset(&project, name)).collect();
        if let (Some(_), [Err(_)]) = (&self.name, &found[..]) {
            return found.into_iter().try_for_each(|found| found.map(drop)).map(|()| SUCCESS);
        }
        let facts = found.iter().flatten().map(|found| vec![found.count(), found.summary.clone()]);
        let facts = table(facts, &[]);
        let mut facts = facts.lines();
        // An error takes the place of both columns.
        let line = |(name, found): (&String, &Result<Dataset>)| match found {
            Ok(_) => vec![name.clone(), facts.next().unwrap_or_default().to_owned()],
            Err(error) => vec![name.clone(), error.to_string()],
        };
        if !names.is_empty() {
            print_text(&table(names.iter().zip(&found).map(line), &[]));
        }
        Ok(SUCCESS)
    }
}

impl Dataset {
    /// Number of raw files as text.
    fn count(&self) -> String {
        match (self.files.len(), &self.stand_in) {
            (0, Some(label)) => format!("no files: {label}"),
            (0, None) => "no files".to_owned(),
            (1, _) => "1 file".to_owned(),
            (count, _) => format!("{count} files"),
        }
    }
}

/// Reads a dataset's file and finds its raw files.
fn dataset(project: &Project, name: &str) -> Result<Dataset> {
    let layer = project.layer("dataset", "datasets", name)?;
    let mut dataset = Dataset {
        name: name.to_owned(),
        summary: layer.summary,
        import: layer.import.map(Spanned::into_inner).unwrap_or_default(),
        metadata: json_table(&layer.metadata),
        sources: Vec::new(),
        files: Vec::new(),
        stand_in: None,
    };
    let mut results = Results::new(project);
    for source in layer.sources.into_values() {
        let Some(path) = source.path else { continue };
        let pattern = path.get_ref().replace("{dataset}", name);
        let origin = Origin::File(layer.source.clone(), path.span());
        let spanned = Spanned::new(path.span(), pattern.clone());
        let (found, base) = files(project, &mut results, &spanned, &origin)?;
        dataset.files.extend(found.into_iter().map(|file| File {
            name: file.strip_prefix(&base).unwrap_or(&file).to_string_lossy().into_owned(),
            path: project.root.join(file),
        }));
        dataset.sources.push(Source { pattern, hint: source.hint.unwrap_or_default() });
        dataset.stand_in = dataset.stand_in.or(source.fallback.map(|other| other.label));
    }
    dataset.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(dataset)
}
