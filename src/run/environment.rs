//! Environment variables of workers, as `callsheet explain` lists them.

use std::collections::BTreeSet;
use std::env;
use std::fmt;

use callsheet_worker::protocol::{EVENTS_VARIABLE, RUN_VARIABLE};
use serde::Serialize;

use super::access::shared_folders;
use super::action::ENVIRONMENT;
use crate::declare::{Project, StageDecl};

/// Beginnings of the names of variables that people expect a program to get from their shell.
const EXPECTED: [&str; 36] = [
    "AWS_",
    "CONDA_",
    "CUDA_",
    "CUDNN_",
    "GOOGLE_",
    "HF_",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "HUGGING",
    "JAVA_HOME",
    "JAX_",
    "JULIA_",
    "KMP_",
    "LD_PRELOAD",
    "MKL_",
    "MPL",
    "NCCL_",
    "NO_PROXY",
    "NUMBA_",
    "NUMEXPR_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "POLARS_",
    "PYTHON",
    "PYTORCH_",
    "RAYON_",
    "REQUESTS_CA_BUNDLE",
    "R_LIBS",
    "SSL_CERT_",
    "TF_",
    "TORCH",
    "TRANSFORMERS_",
    "VIRTUAL_ENV",
    "WANDB_",
    "XLA_",
];

/// Parts of the names of variables whose values are never printed.
const SECRET: [&str; 8] = ["AUTH", "CREDENTIAL", "KEY", "PASS", "PRIVATE", "SECRET", "SIGNATURE", "TOKEN"];

/// Source of a variable of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableSource {
    /// Every worker gets the caller's value.
    Always,
    /// callsheet.toml names the variable under `environment`.
    Project,
    /// The engine sets the variable.
    Engine,
}

impl fmt::Display for VariableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always passed",
            Self::Project => "environment in callsheet.toml",
            Self::Engine => "set by callsheet",
        })
    }
}

/// Variable of a worker.
#[derive(Debug, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None` if it is hidden, or is known only when the worker starts.
    pub value: Option<String>,
    /// Description of a value that is not printed.
    pub note: Option<&'static str>,
    /// Origin of the value.
    pub source: VariableSource,
}

/// Variables of a worker, and those of the caller that it does not get.
#[derive(Debug, Serialize)]
pub struct WorkerEnvironment {
    /// Variables of the worker, by name.
    pub passed: Vec<Variable>,
    /// Names under `environment` in callsheet.toml that the caller does not set.
    pub unset: Vec<String>,
    /// Variables of the caller that programs often need and the worker does not get.
    pub left_out: Vec<String>,
}

/// Returns the environment that the worker of a stage with this number of GPUs gets if it is started now.
pub fn worker_environment(project: &Project, stage: &StageDecl, gpus: usize) -> WorkerEnvironment {
    let mut passed = set_by_engine(project, stage, gpus);
    let known = |passed: &[Variable], name: &str| passed.iter().any(|variable| variable.name == name);
    let mut unset = Vec::new();
    let always = ENVIRONMENT.into_iter().map(|name| (name, VariableSource::Always));
    let named = project.environment.iter().map(|name| (name.as_str(), VariableSource::Project));
    for (name, source) in always.chain(named) {
        match env::var_os(name) {
            _ if known(&passed, name) => {}
            Some(value) => {
                let value = value.to_string_lossy().into_owned();
                let secret = is_secret(name, &value);
                let (value, note) = if secret { (None, Some("hidden")) } else { (Some(value), None) };
                passed.push(Variable { name: name.to_owned(), value, note, source });
            }
            None if source == VariableSource::Project => unset.push(name.to_owned()),
            None => {}
        }
    }
    passed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: BTreeSet<String> = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| is_expected(name))
        .collect();
    let left_out = names.into_iter().filter(|name| !known(&passed, name)).collect();
    WorkerEnvironment { passed, unset, left_out }
}

fn set_by_engine(project: &Project, stage: &StageDecl, gpus: usize) -> Vec<Variable> {
    let fixed = |name: &str, value: String| Variable {
        name: name.to_owned(),
        value: Some(value),
        note: None,
        source: VariableSource::Engine,
    };
    let later = |name: &str, note| Variable { value: None, note: Some(note), ..fixed(name, String::new()) };
    let mut set = vec![
        fixed("PATH", project.search_path(stage.python.as_ref()).to_string_lossy().into_owned()),
        later(RUN_VARIABLE, "id of the run"),
        later(EVENTS_VARIABLE, "file for the events of the worker"),
        match gpus {
            0 => fixed("CUDA_VISIBLE_DEVICES", String::new()),
            _ => later("CUDA_VISIBLE_DEVICES", "ids of the GPUs of the worker"),
        },
    ];
    set.extend(stage.python.iter().map(|python| fixed("VIRTUAL_ENV", python.folder.display().to_string())));
    if !shared_folders(project).iter().any(|folder| folder.path == env::temp_dir()) {
        set.push(later("TMPDIR", "folder of the worker"));
    }
    set
}

fn is_expected(name: &str) -> bool {
    let name = name.to_uppercase();
    EXPECTED.iter().any(|begin| name.starts_with(begin))
}

/// Returns true if a value may be secret: by its name, or because it is an address with a password.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_uppercase();
    let address = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    address || SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognised_by_name_and_by_a_password_in_an_address() {
        for name in
            ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "PGPASS", "GOOGLE_APPLICATION_CREDENTIALS"]
        {
            assert!(is_secret(name, "x"), "{name}");
        }
        assert!(is_secret("HTTPS_PROXY", "http://me:word@proxy:80"));
        assert!(!is_secret("HF_HOME", "/data/hf") && !is_secret("HTTPS_PROXY", "http://proxy:80"));
    }
}
