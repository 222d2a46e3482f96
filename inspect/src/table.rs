//! A table: a Parquet file, or a folder of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, Result, WrapErr, miette};
use polars::polars_utils::pl_path::PlRefPath;
use polars::prelude::{DataType, LazyFrame, ScanArgsParquet, Schema, col};
use rayon::prelude::*;

use crate::artifacts::{Artifacts, Which};
use crate::code;
use crate::footer::{self, Part};

/// A table whose rows are not read yet.
pub(crate) struct Table {
    /// As the user named it, or its artifact.
    pub name: String,
    /// Stand-ins that it rests on.
    pub rests_on: Vec<String>,
    /// Its files.
    pub parts: Vec<Part>,
    /// Its columns.
    pub schema: Schema,
}

/// Table that the user names: a path, an artifact, or `RUN:ARTIFACT` as a run left it.
///
/// # Errors
/// When there is no such table, or it cannot be read.
pub(crate) fn open(name: &str, which: &Which, artifacts: &mut Option<Artifacts>) -> Result<Table> {
    let path = Path::new(name);
    // A folder that happens to be called as an artifact is none, unless it is meant by its path.
    if path.is_file() || name.contains('/') || name.ends_with(".parquet") {
        return Table::open(name, path, Vec::new());
    }
    if let Some((run, artifact)) = name.split_once(':') {
        let artifacts = which.artifacts(Some(run))?;
        let (found, path) = artifacts.find(artifact)?;
        return Table::open(name, path, found.rests_on.clone());
    }
    let artifacts = match artifacts {
        Some(known) => known,
        none => none.insert(which.artifacts(None)?),
    };
    let (found, path) = artifacts.find(name)?;
    Table::open(&found.name, path, found.rests_on.clone())
}

impl Table {
    /// Opens the file or folder at `path`.
    ///
    /// # Errors
    /// When it cannot be read, holds no Parquet file, or its files have different columns.
    pub(crate) fn open(name: &str, path: &Path, rests_on: Vec<String>) -> Result<Self> {
        let parts = files(path)?.par_iter().map(|path| footer::read(path)).collect::<Result<Vec<Part>>>()?;
        let mut table = Self { name: name.to_owned(), rests_on, parts, schema: Schema::default() };
        let mut frame = table.scan()?;
        let schema = frame.collect_schema().into_diagnostic();
        table.schema = schema.wrap_err_with(|| format!("cannot read {}", path.display()))?.as_ref().clone();
        Ok(table)
    }

    /// Its rows, those of a folder file by file.
    ///
    /// # Errors
    /// When a file has other columns than the first.
    pub(crate) fn scan(&self) -> Result<LazyFrame> {
        scan(self.parts.iter().map(|part| part.path.as_path()))
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The column that names its rows, if its footer says so.
    pub(crate) fn key(&self) -> Option<&str> {
        self.parts.first()?.pairs.get("key").map(String::as_str)
    }

    /// Size in bytes of each column, compressed and not.
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

/// Rows of files of one table.
pub(crate) fn scan<'a>(files: impl Iterator<Item = &'a Path>) -> Result<LazyFrame> {
    let paths: Vec<PlRefPath> =
        files.map(|path| PlRefPath::try_from_path(path).into_diagnostic()).collect::<Result<_>>()?;
    let arguments = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
    LazyFrame::scan_parquet_files(paths.into(), arguments).into_diagnostic()
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
            help = "a table is a Parquet file, or a folder of them",
            "{} holds no Parquet file",
            path.display()
        )),
        false => Ok(files),
    }
}

/// Returns true if a column holds encoded pictures: a struct of `bytes` and `path`.
pub(crate) fn is_image(kind: &DataType) -> bool {
    let DataType::Struct(fields) = kind else { return false };
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    names == ["bytes", "path"]
}

/// Rows in which each picture is the name of its file.
pub(crate) fn without_pictures(mut frame: LazyFrame) -> Result<LazyFrame> {
    let schema = frame.collect_schema().into_diagnostic()?;
    let pictures = schema.iter().filter(|(_, kind)| is_image(kind));
    let names: Vec<_> = pictures
        .map(|(name, _)| col(name.clone()).struct_().field_by_name("path").alias(name.clone()))
        .collect();
    Ok(if names.is_empty() { frame } else { frame.with_columns(names) })
}
