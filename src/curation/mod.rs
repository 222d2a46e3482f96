//! Verdicts of people on the rows of a pipeline's tables: the file that contains them, the rows to which they can refer, and
//! changes of the file that do not overwrite each other.

mod author;
mod edit;
mod known;
mod readers;

use std::collections::BTreeSet;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line};
use callsheet_worker::error::{Error, Result};

use crate::declare::Project;
use crate::plan::{DATASET, Plan, is_one_file};
use crate::run::{StagePreview, StoreSnapshot};
use crate::store::Store;
use known::keys;
use readers::{Reader, readers, table_of};

pub use author::{author, check_text};
pub use edit::{check_keys, give};

/// Verdicts that the stages of a pipeline read.
pub struct Curation<'a> {
    project: &'a Project,
    plan: &'a Plan,
    readers: Vec<Reader<'a>>,
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
        let readers = readers(plan);
        let files: BTreeSet<&str> = readers.iter().map(|reader| reader.file.as_str()).collect();
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
        let keys: BTreeSet<&str> = readers.iter().map(|reader| reader.on.key.as_str()).collect();
        if keys.len() > 1 {
            return Err(several_keys(pipeline, &file, &keys));
        }
        Ok(Self { project, plan, readers, file })
    }

    /// Path of the verdicts, relative to the project. The file may not exist yet.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Absolute path of the verdicts.
    pub fn path(&self) -> PathBuf {
        self.project.root.join(&self.file)
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
        let column = self.readers.first().map(|reader| reader.on.key.clone()).unwrap_or_default();
        let mut known = BTreeSet::new();
        for Reader { position, stage, on, .. } in &self.readers {
            let (maker, output) = table_of(self.plan, *position, stage, on)?;
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
