//! `stages/<name>/stage.toml`: the one declaration of a stage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Origin, ParamDecl, read_toml};
use crate::error::{Fault, Result, SourceText};

/// What an artifact is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// One Parquet file; identified by its schema and rows.
    Table,
    /// One file; identified by its bytes.
    File,
    /// A folder; identified by the names and bytes of its files.
    Directory,
    /// Raw files matched by a source's pattern. Only an input can be this.
    Files,
}

/// One `[inputs.NAME]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDecl {
    /// What the stage expects; `files` also takes a `file` artifact.
    pub kind: ArtifactKind,
    /// May be left unwired.
    #[serde(default)]
    pub optional: bool,
    /// May be wired to an output that is `held_out`.
    #[serde(default)]
    pub held_out: bool,
    /// One line for the user.
    pub doc: String,
}

/// One `[outputs.NAME]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputDecl {
    /// What the stage makes.
    pub kind: ArtifactKind,
    /// Name of the file or folder as the stage writes it and as `data/out` shows it.
    pub path: String,
    /// The columns of a table, by name; see [`crate::table::check_columns`] for the types.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Truth that training must not see: only inputs that say `held_out` may read it.
    #[serde(default)]
    pub held_out: bool,
    /// One line for the user.
    pub doc: String,
}

/// How many CPUs a stage takes of those the run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// A number.
    Count(usize),
    /// `"all"`.
    All,
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(n) if n >= 1 => Ok(Self::Count(n as usize)),
            toml::Value::String(s) if s == "all" => Ok(Self::All),
            other => {
                Err(serde::de::Error::custom(format!("cpus = {other}: a number of at least 1, or \"all\"")))
            }
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourcesDecl {
    #[serde(default = "one_cpu")]
    cpus: Cpus,
}

impl Default for ResourcesDecl {
    fn default() -> Self {
        Self { cpus: one_cpu() }
    }
}

fn one_cpu() -> Cpus {
    Cpus::Count(1)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageFile {
    summary: String,
    version: toml::Spanned<u32>,
    #[serde(default)]
    history: BTreeMap<String, String>,
    command: toml::Spanned<Vec<String>>,
    #[serde(default)]
    doc: String,
    #[serde(default)]
    inputs: BTreeMap<String, InputDecl>,
    outputs: BTreeMap<toml::Spanned<String>, OutputDecl>,
    #[serde(default)]
    params: BTreeMap<toml::Spanned<String>, ParamDecl>,
    #[serde(default)]
    resources: ResourcesDecl,
}

/// A stage as declared.
#[derive(Debug)]
pub struct StageDecl {
    /// Name of its folder.
    pub name: String,
    /// What it does, in one line.
    pub summary: String,
    /// The user's page, Markdown.
    pub doc: String,
    /// Bumped when the same inputs and parameters give another result.
    pub version: u32,
    /// Why each version above 1 came to be.
    pub history: BTreeMap<String, String>,
    /// The program and its first arguments; the engine appends the path of the request.
    pub command: Vec<String>,
    /// What it reads.
    pub inputs: BTreeMap<String, InputDecl>,
    /// What it makes.
    pub outputs: BTreeMap<String, OutputDecl>,
    /// What can be set.
    pub params: BTreeMap<String, ParamDecl>,
    /// CPUs it takes.
    pub cpus: Cpus,
    /// The file it was read from.
    pub source: Arc<SourceText>,
}

impl StageDecl {
    /// Reads `<stages>/<name>/stage.toml` of the project at `root`.
    ///
    /// # Errors
    /// When the file is missing, malformed, or contradicts itself.
    pub fn read(root: &Path, stages: &Path, name: &str) -> Result<Self> {
        let path = stages.join(name).join("stage.toml");
        let (file, source): (StageFile, _) = read_toml(root, &path)?;
        let version = *file.version.get_ref();
        for bump in 2..=version {
            if !file.history.contains_key(&bump.to_string()) {
                return Err(Fault::new(
                    &source,
                    file.version.span(),
                    format!("{}: version {bump} has no reason", path.display()),
                    "bumped here",
                )
                .with_help(format!("add `{bump} = \"why the result changed\"` under [history]"))
                .into());
            }
        }
        if file.command.get_ref().first().is_none_or(String::is_empty) {
            return Err(Fault::new(
                &source,
                file.command.span(),
                format!("{}: the command names no program", path.display()),
                "declared here",
            )
            .with_help("e.g. command = [\"python3\", \"stage.py\"]")
            .into());
        }
        for (output, decl) in &file.outputs {
            let one_name = !decl.path.is_empty()
                && Path::new(&decl.path).components().count() == 1
                && Path::new(&decl.path).file_name().is_some_and(|n| n == decl.path.as_str());
            if !one_name || decl.kind == ArtifactKind::Files {
                return Err(Fault::new(
                    &source,
                    output.span(),
                    format!("output `{}` cannot be written to `{}`", output.get_ref(), decl.path),
                    "declared here",
                )
                .with_help("`path` is one plain name; `kind` is table, file or directory")
                .into());
            }
        }
        for (param, decl) in &file.params {
            if let Err((message, help)) = decl.accept(decl.default.get_ref()) {
                let origin = Origin::File(source.clone(), decl.default.span());
                let message = format!("default of `{}`: {message}", param.get_ref());
                return Err(origin.fault(message, "this default", help));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            summary: file.summary,
            doc: file.doc,
            version,
            history: file.history,
            command: file.command.into_inner(),
            inputs: file.inputs,
            outputs: file.outputs.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            params: file.params.into_iter().map(|(k, v)| (k.into_inner(), v)).collect(),
            cpus: file.resources.cpus,
            source,
        })
    }
}
