//! Verdicts of people on the rows of a pipeline's tables: the file that contains them, the rows to which they can refer, and
//! changes of the file that do not overwrite each other.

mod author;
mod edit;
mod exchange;
mod inputs;
mod known;
mod list;

use std::collections::BTreeSet;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line};
use callsheet_worker::error::{Error, Result, nearest};

use crate::declare::Project;
use crate::plan::{DATASET, Plan, is_one_file};
use crate::run::{StagePreview, StoreSnapshot};
use crate::store::Store;
use crate::trace;
use inputs::{VerdictInput, table_of, verdict_inputs};
use known::keys;

pub use author::{author, check_text};
pub use edit::check_keys;
pub use exchange::{Conflict, VerdictChange};
pub use list::VerdictList;

/// Verdicts that the stages of a pipeline read.
pub struct Curation<'a> {
    project: &'a Project,
    plan: &'a Plan,
    inputs: Vec<VerdictInput<'a>>,
    file: String,
}

/// Rows to which verdicts can refer.
pub struct Known {
    /// Column of the keys in the first table.
    pub column: String,
    /// Keys of the rows; integers as text.
    pub keys: BTreeSet<String>,
}

impl<'a> Curation<'a> {
    /// Finds the file from which the stages of a pipeline read verdicts.
    ///
    /// # Errors
    /// Returns an error if no stage reads verdicts, or the stages do not read all of them from one file.
    pub fn find(project: &'a Project, plan: &'a Plan) -> Result<Self> {
        let pipeline = &plan.request.target.pipeline;
        let inputs = verdict_inputs(plan);
        let files: BTreeSet<&str> = inputs.iter().map(|input| input.file.as_str()).collect();
        let file = match *Vec::from_iter(files) {
            [] => return Err(nobody_reads(pipeline)),
            [file] if is_one_file(file) => file.to_owned(),
            [file] if file.contains(DATASET) => {
                return Err(Error::user_error(
                    Code::MissingArgument,
                    "no dataset is selected",
                    "select the dataset of the verdicts with --dataset",
                ));
            }
            ref several => return Err(several_files(pipeline, several)),
        };
        let keys: BTreeSet<&str> = inputs.iter().map(|input| input.on.key.as_str()).collect();
        if keys.len() > 1 {
            return Err(several_keys(pipeline, &file, &keys));
        }
        Ok(Self { project, plan, inputs, file })
    }

    /// Path of the verdicts, relative to the project. The file may not exist yet.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Absolute path of the verdicts.
    pub fn path(&self) -> PathBuf {
        self.project.root.join(&self.file)
    }

    /// Column whose values identify the rows.
    pub fn column(&self) -> &str {
        self.inputs.first().map_or("", |input| input.on.key.as_str())
    }

    /// Returns the stage instance and the output of each table to whose rows verdicts refer.
    ///
    /// # Errors
    /// Returns an error if an input is not wired to an output of a stage.
    pub fn tables(&self) -> Result<Vec<(&str, &str)>> {
        let table = |input: &VerdictInput<'a>| {
            let (maker, output) = table_of(self.plan, input.position, input.on)?;
            Ok((self.plan.stages[maker].name.as_str(), output.as_str()))
        };
        self.inputs.iter().map(table).collect()
    }

    /// Reads the verdicts in the order of the file; empty if the file does not exist.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is malformed.
    pub fn lines(&self) -> Result<Vec<Line>> {
        let path = self.path();
        if path.exists() { curation::read(&path) } else { Ok(Vec::new()) }
    }

    /// Returns the keys of all rows to which verdicts can refer. Errors repeat the `options` that select the pipeline.
    ///
    /// # Errors
    /// Returns an error if a table has not been computed, cannot be read, or lacks the declared key.
    pub fn known(
        &self,
        store: &Store,
        snapshot: &StoreSnapshot,
        previews: &[StagePreview],
        options: &str,
    ) -> Result<Known> {
        let column = self.column().to_owned();
        let mut known = BTreeSet::new();
        for VerdictInput { position, on, .. } in &self.inputs {
            let (maker, output) = table_of(self.plan, *position, on)?;
            let maker_name = &self.plan.stages[maker].name;
            let name = format!("{maker_name}.{output}");
            // A stage that reads the verdicts itself is stale after each new verdict, so its last result is used.
            let last = || snapshot.last(maker_name).map(|head| &head.outputs);
            let made = previews[maker].objects.as_ref().or_else(|| on.output.as_ref().and_then(|_| last()));
            // The last result may be older than the declaration and lack the output.
            let Some(object) = made.and_then(|objects| objects.get(output)) else {
                return Err(not_computed(&name, maker_name, options));
            };
            known.extend(keys(&store.materialize(object), &on.key, &name)?);
            if on.output.is_some() {
                known.extend(self.lines()?.into_iter().map(|line| line.key));
            }
        }
        Ok(Known { column, keys: known })
    }
}

/// Returns a warning if a file of verdicts does not exist, but its folder has a file with a similar name: then nothing is
/// excluded, perhaps because of a typing error in the path.
pub fn similar_file(project: &Project, plan: &Plan) -> Option<String> {
    let mut absent = verdict_inputs(plan).into_iter().map(|input| PathBuf::from(input.file));
    absent.find_map(|file| {
        let folder = file.parent()?;
        if trace::exists(&project.root.join(&file)) {
            return None;
        }
        let entries = trace::read_dir(&project.root.join(folder)).into_iter().flatten();
        let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let near = nearest(file.file_name()?.to_str()?, names.iter().map(String::as_str))?;
        let near = folder.join(near);
        Some(format!(
            "the file of verdicts {} does not exist, so nothing is excluded; did you mean {}?",
            file.display(),
            near.display()
        ))
    })
}

fn not_computed(table: &str, stage: &str, options: &str) -> Error {
    Error::user_error(
        Code::NotComputed,
        format!(
            "`{table}`, the table that verdicts refer to, has not been computed with the current inputs and parameters"
        ),
        format!("run `callsheet run {stage}{options}`"),
    )
}

fn nobody_reads(pipeline: &str) -> Error {
    Error::user_error(
        Code::Declaration,
        format!("no stage of pipeline `{pipeline}` reads verdicts on a table"),
        "in a stage.toml, declare an input with kind = \"files\" and verdicts = { input = \"INPUT\", \
         key = \"COLUMN\" }; then wire this input to a source",
    )
}

fn several_keys(pipeline: &str, file: &str, keys: &BTreeSet<&str>) -> Error {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    Error::user_error(
        Code::Declaration,
        format!(
            "the stages of pipeline `{pipeline}` read verdicts on the columns {} from `{file}`",
            keys.join(" and ")
        ),
        "declare one column as `key` of all verdicts, or wire only one of the inputs",
    )
}

fn several_files(pipeline: &str, paths: &[&str]) -> Error {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    Error::user_error(
        Code::Declaration,
        format!(
            "the stages of pipeline `{pipeline}` read verdicts from {}, but `callsheet curate` writes all verdicts of a \
             pipeline to one file",
            paths.join(" and ")
        ),
        "set the path of the source to one file, e.g. `pipelines/curation/{dataset}.csv`, and wire all inputs to it",
    )
}
