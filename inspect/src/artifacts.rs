//! Artifacts of a pipeline over a dataset, as `callsheet ls` lists them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use serde::Deserialize;

use crate::code;

/// Pipeline, dataset, profile and overrides, as in all commands of callsheet.
#[derive(Args, Clone, Default)]
pub(crate) struct TargetArgs {
    /// Pipeline, a file in pipelines/ [default: `pipeline` in callsheet.toml, or the only pipeline]
    #[arg(short, long, env = "CALLSHEET_PIPELINE")]
    pipeline: Option<String>,
    /// Dataset, a file in pipelines/datasets/ [default: `dataset` in callsheet.toml]
    #[arg(short, long, env = "CALLSHEET_DATASET")]
    dataset: Option<String>,
    /// Profile, a file in pipelines/profiles/ [default: `profile` in callsheet.toml]
    #[arg(short = 'P', long, env = "CALLSHEET_PROFILE")]
    profile: Option<String>,
    /// Override a parameter, or a variable (`vars.NAME=VALUE`); takes precedence over all files. Repeatable
    #[arg(long, value_name = "STAGE.PARAM=VALUE")]
    set: Vec<String>,
}

/// Entry of `callsheet ls --json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Artifact {
    /// `stage.output`.
    #[serde(rename = "artifact")]
    pub name: String,
    /// `table`, `file` or `directory`.
    pub kind: String,
    /// Path; `None` if the artifact is not computed yet.
    pub path: Option<PathBuf>,
    /// Stand-ins on which the artifact is based.
    pub based_on: Vec<String>,
}

/// Output of `callsheet ls --json`.
#[derive(Deserialize)]
struct Listed {
    artifacts: Vec<Artifact>,
}

/// Tables of a pipeline over a dataset.
#[derive(Debug, Default)]
pub(crate) struct Artifacts(Vec<Artifact>);

impl TargetArgs {
    /// Lists the artifacts as they are now, or as `run` left them.
    ///
    /// # Errors
    /// Returns an error if callsheet cannot be started, or fails.
    pub(crate) fn artifacts(&self, run: Option<&str>) -> Result<Artifacts> {
        let engine = env::var_os("CALLSHEET").unwrap_or_else(|| OsString::from("callsheet"));
        let mut command = Command::new(&engine);
        command.args(["ls", "--json"]);
        let named =
            [("--pipeline", &self.pipeline), ("--dataset", &self.dataset), ("--profile", &self.profile)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            command.args([name, value]);
        }
        self.set.iter().for_each(|set| _ = command.args(["--set", set]));
        run.iter().for_each(|run| _ = command.args(["--run", run]));
        let output = command.output().into_diagnostic();
        let output = output.wrap_err_with(|| format!("cannot start {}", engine.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(miette!(code = code::INTERNAL, "callsheet cannot list the artifacts:\n{said}"));
        }
        let all: Listed = serde_json::from_slice(&output.stdout).into_diagnostic()?;
        Ok(Artifacts(all.artifacts.into_iter().filter(|artifact| artifact.kind == "table").collect()))
    }
}

impl Artifacts {
    /// Names of a table: `stage.output`, and `output` or `stage` if no other table has that name.
    pub(crate) fn aliases<'a>(&'a self, artifact: &'a Artifact) -> Vec<&'a str> {
        let (stage, output) = artifact.name.rsplit_once('.').unwrap_or((&artifact.name, ""));
        let alone =
            |pick: fn(&str) -> &str, word: &str| self.0.iter().filter(|a| pick(&a.name) == word).count() == 1;
        let mut names = vec![artifact.name.as_str()];
        if alone(output_of, output) {
            names.push(output);
        }
        if alone(stage_of, stage) && !self.0.iter().any(|other| output_of(&other.name) == stage) {
            names.push(stage);
        }
        names
    }

    /// Finds the table with a name, and its path.
    ///
    /// # Errors
    /// Returns an error if the name is unknown or ambiguous, or the table is not computed yet.
    pub(crate) fn find(&self, name: &str) -> Result<(&Artifact, &Path)> {
        let Some(artifact) = self.0.iter().find(|artifact| self.aliases(artifact).contains(&name)) else {
            let all = self.0.iter().map(|artifact| artifact.name.as_str());
            let several: Vec<&str> =
                all.filter(|full| output_of(full) == name || stage_of(full) == name).collect();
            return Err(match several.is_empty() {
                true => miette!(
                    code = code::UNKNOWN_NAME,
                    help = suggest(name, &self.shortest()),
                    "unknown table `{name}`: no artifact and no file has this name"
                ),
                false => miette!(
                    code = code::UNKNOWN_NAME,
                    help = format!("name one table: {}", several.join(", ")),
                    "several tables have the name `{name}`"
                ),
            });
        };
        let path = artifact.path.as_deref().ok_or_else(|| {
            let stage = stage_of(&artifact.name);
            let help = format!("run `callsheet run {stage}`");
            miette!(
                code = code::NOT_COMPUTED,
                help = help,
                "`{}` has not been computed with the current inputs and parameters",
                artifact.name
            )
        })?;
        Ok((artifact, path))
    }

    /// Shortest name of every table.
    pub(crate) fn shortest(&self) -> Vec<&str> {
        let shortest = |artifact| self.aliases(artifact).into_iter().min_by_key(|alias| alias.len());
        self.0.iter().filter_map(shortest).collect()
    }

    /// Every table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Artifact> {
        self.0.iter()
    }
}

fn output_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, output)| output)
}

fn stage_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stage, _)| stage)
}

/// Help for an unknown name: ``did you mean `x`? (known: a, b, x)``.
pub(crate) fn suggest<S: AsRef<str>>(wanted: &str, known: &[S]) -> String {
    let scored =
        known.iter().map(|name| (strsim::normalized_damerau_levenshtein(wanted, name.as_ref()), name));
    let near = scored.filter(|(likeness, _)| *likeness > 0.5).max_by(|a, b| a.0.total_cmp(&b.0));
    let list = known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match near {
        Some((_, name)) => format!("did you mean `{}`? (known: {list})", name.as_ref()),
        None if list.is_empty() => "there are none to choose from".to_owned(),
        None => format!("use one of: {list}"),
    }
}
