//! Tables: a table is a Parquet file, or a folder of Parquet files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, Result, WrapErr, miette};
use polars::prelude::{DataType, LazyFrame, Schema, col};
use rayon::prelude::*;

use crate::artifacts::{Artifacts, TargetArgs};
use crate::code;
use crate::footer::{self, Part};
use crate::frame::scan;

/// Table whose rows are not read yet.
pub(crate) struct Table {
    /// Name of the artifact, or the name that the user gave.
    pub name: String,
    /// Stand-ins on which the table is based.
    pub based_on: Vec<String>,
    /// Files of the table.
    pub parts: Vec<Part>,
    /// Columns with their types.
    pub schema: Schema,
}

/// Opens the table that the user names: a path, an artifact, or `RUN:ARTIFACT` as a run left it.
///
/// # Errors
/// Returns an error if the table does not exist or cannot be read.
pub(crate) fn open(name: &str, which: &TargetArgs, artifacts: &mut Option<Artifacts>) -> Result<Table> {
    let path = Path::new(name);
    // A folder that has the name of an artifact by chance is a table only if its path is given, e.g. `name/`.
    if path.is_file() || name.contains('/') || name.ends_with(".parquet") {
        return Table::open(name, path, Vec::new());
    }
    if let Some((run, artifact)) = name.split_once(':') {
        let artifacts = which.artifacts(Some(run))?;
        let (found, path) = artifacts.find(artifact)?;
        return Table::open(name, path, found.based_on.clone());
    }
    let artifacts = match artifacts {
        Some(known) => known,
        none => none.insert(which.artifacts(None)?),
    };
    let (found, path) = artifacts.find(name)?;
    Table::open(&found.name, path, found.based_on.clone())
}

impl Table {
    /// Opens the file or folder at `path`.
    ///
    /// # Errors
    /// Returns an error if the path cannot be read or contains no Parquet file, or if its files have
    /// different columns.
    pub(crate) fn open(name: &str, path: &Path, based_on: Vec<String>) -> Result<Self> {
        let parts = files(path)?.par_iter().map(|path| footer::read(path)).collect::<Result<Vec<Part>>>()?;
        let mut table = Self { name: name.to_owned(), based_on, parts, schema: Schema::default() };
        let mut frame = table.scan()?;
        let schema = frame.collect_schema().into_diagnostic();
        table.schema = schema.wrap_err_with(|| format!("cannot read {}", path.display()))?.as_ref().clone();
        Ok(table)
    }

    /// Rows of the table, file by file.
    ///
    /// # Errors
    /// Returns an error if a file has other columns than the first.
    pub(crate) fn scan(&self) -> Result<LazyFrame> {
        scan(self.parts.iter().map(|part| part.path.as_path()))
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// Column that identifies the rows, if the footer names it.
    pub(crate) fn key(&self) -> Option<&str> {
        self.parts.first()?.pairs.get("key").map(String::as_str)
    }

    /// Compressed and uncompressed size of each column, in bytes.
    pub(crate) fn sizes(&self) -> BTreeMap<&str, (u64, u64)> {
        let mut sizes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, (packed, plain)) in self.parts.iter().flat_map(|part| &part.columns) {
            let sum = sizes.entry(name).or_default();
            sum.0 += packed;
            sum.1 += plain;
        }
        sizes
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries =
        fs::read_dir(path).into_diagnostic().wrap_err_with(|| format!("cannot list {}", path.display()))?;
    let paths = entries.map(|entry| Ok(entry.into_diagnostic()?.path())).collect::<Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "parquet")).collect();
    files.sort();
    match files.is_empty() {
        true => Err(miette!(
            code = code::UNSUPPORTED,
            help = "name a Parquet file, or a folder of Parquet files",
            "{} contains no Parquet file",
            path.display()
        )),
        false => Ok(files),
    }
}

/// Returns true if a column contains encoded pictures: a struct of `bytes` and `path`.
pub(crate) fn is_image(kind: &DataType) -> bool {
    let DataType::Struct(fields) = kind else { return false };
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    names == ["bytes", "path"]
}

/// Replaces each picture by the name of its file.
pub(crate) fn without_pictures(mut frame: LazyFrame) -> Result<LazyFrame> {
    let schema = frame.collect_schema().into_diagnostic()?;
    let pictures = schema.iter().filter(|(_, kind)| is_image(kind));
    let names: Vec<_> = pictures
        .map(|(name, _)| col(name.clone()).struct_().field_by_name("path").alias(name.clone()))
        .collect();
    Ok(if names.is_empty() { frame } else { frame.with_columns(names) })
}
