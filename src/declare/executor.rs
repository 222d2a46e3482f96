//! Executors: clusters on which stages run. Declared in `callsheet.toml`, or in the user's own `executors.toml`, which
//! takes precedence for each key.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::error::{DeclarationError, IoContext, Result, SourceText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::resources::{Bytes, TimeLimit};
use super::user::user_folder;
use super::{check_name, parse_toml};
use crate::trace;

/// Name of the executor on the machine where callsheet runs. No other executor can have it.
pub const LOCAL: &str = "local";

/// Work that a job gets unless the executor declares another amount.
const JOB_TIME: TimeLimit = TimeLimit(Duration::from_secs(300));

/// Jobs of one array that run at one time unless the executor declares another number.
const MAX_JOBS: u32 = 200;

/// Options of sbatch on which callsheet relies.
const FIXED: [&str; 12] = [
    "--array",
    "--job-name",
    "--output",
    "--error",
    "--export",
    "--parsable",
    "--test-only",
    "--wait",
    "--wrap",
    "--chdir",
    "--open-mode",
    "--signal",
];

/// Executors of a file, by name.
pub(super) type ExecutorFiles = BTreeMap<Spanned<String>, ExecutorFile>;

/// An executor as one file declares it. A key in the user's file replaces the same key of the project.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExecutorFile {
    /// Kind of the cluster.
    kind: Option<ExecutorKind>,
    /// Folder of the shared store that the nodes see. Default: the shared store of the project.
    store: Option<PathBuf>,
    /// Account to which the jobs are charged. Default: the user's default account.
    account: Option<String>,
    /// Quality of service of the jobs. Default: that of the account.
    qos: Option<String>,
    /// Lines of shell code that run on the node before the work, e.g. `["module load CUDA/12.4"]`. Default: none.
    setup: Option<Vec<String>>,
    /// Words before the command of a job, e.g. `["apptainer", "exec", "--nv", "image.sif"]`. Default: none.
    wrap: Option<Vec<String>>,
    /// Further options of sbatch, e.g. `["--reservation=course"]`. Default: none.
    options: Option<Vec<String>>,
    /// Path of callsheet on the nodes. Default: the path of the program that runs here.
    program: Option<PathBuf>,
    /// Largest number of jobs of one array that run at one time. Default: 200.
    #[schemars(range(min = 1))]
    max_jobs: Option<u32>,
    /// Work that one job gets: stages and rows that take less are packed into one job. Default: `"5m"`.
    job_time: Option<TimeLimit>,
    /// Classes of nodes; a stage runs in the first one that has its resources. Default: one class without limits in the
    /// default partition.
    classes: Option<Vec<ClassDecl>>,
}

/// Kind of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorKind {
    /// Slurm 21.08 or later.
    Slurm,
}

/// Class of the nodes of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassDecl {
    /// Partition. Default: the default partition.
    pub partition: Option<String>,
    /// CPUs of a node: a stage with more CPUs does not fit, and one with `cpus = "all"` gets as many. Default: no limit,
    /// and one CPU for `cpus = "all"`.
    #[schemars(range(min = 1))]
    pub cpus: Option<usize>,
    /// Memory of a node. Default: no limit.
    pub memory: Option<Bytes>,
    /// GPUs of a node. Default: 0.
    pub gpus: usize,
    /// Type of the GPUs, as Slurm names it, e.g. `a100`. Default: any.
    pub gpu_type: Option<String>,
    /// Features that the nodes must have, as `--constraint` of sbatch takes them. Default: none.
    pub constraint: Option<String>,
    /// Longest duration of a job. Default: the limit of the partition.
    pub time: Option<TimeLimit>,
}

/// An executor after the files of the project and of the user were read.
#[derive(Clone, Debug)]
pub struct ExecutorDecl {
    /// Its name.
    pub name: String,
    /// Kind of the cluster.
    pub kind: ExecutorKind,
    /// Folder of the shared store that the nodes see; `None` for the one of the project.
    pub store: Option<PathBuf>,
    /// Account to which the jobs are charged.
    pub account: Option<String>,
    /// Quality of service of the jobs.
    pub qos: Option<String>,
    /// Lines of shell code that run on the node before the work.
    pub setup: Vec<String>,
    /// Words before the command of a job.
    pub wrap: Vec<String>,
    /// Further options of sbatch.
    pub options: Vec<String>,
    /// Path of callsheet on the nodes; `None` for the program that runs here.
    pub program: Option<PathBuf>,
    /// Largest number of jobs of one array that run at one time.
    pub max_jobs: u32,
    /// Work that one job gets.
    pub job_time: Duration,
    /// Classes of nodes; at least one.
    pub classes: Vec<ClassDecl>,
}

impl ExecutorFile {
    /// This declaration with the keys of `user` in place of its own.
    fn with(self, user: Self) -> Self {
        Self {
            kind: user.kind.or(self.kind),
            store: user.store.or(self.store),
            account: user.account.or(self.account),
            qos: user.qos.or(self.qos),
            setup: user.setup.or(self.setup),
            wrap: user.wrap.or(self.wrap),
            options: user.options.or(self.options),
            program: user.program.or(self.program),
            max_jobs: user.max_jobs.or(self.max_jobs),
            job_time: user.job_time.or(self.job_time),
            classes: user.classes.or(self.classes),
        }
    }

    fn resolve(self, name: &Spanned<String>, source: &Arc<SourceText>) -> Result<ExecutorDecl> {
        let refuse = |message: String, help: &str| {
            Err(DeclarationError::new(source, name.span(), message, "this executor").with_help(help).into())
        };
        let shown = name.get_ref();
        let Some(kind) = self.kind else {
            return refuse(format!("executor `{shown}` has no `kind`"), "add kind = \"slurm\"");
        };
        let max_jobs = self.max_jobs.unwrap_or(MAX_JOBS);
        if max_jobs == 0 {
            return refuse(
                format!("executor `{shown}`: `max_jobs = 0` is not valid"),
                "use a number of at least 1",
            );
        }
        if let Some(store) = self.store.as_ref().filter(|store| !store.is_absolute()) {
            let message =
                format!("executor `{shown}`: `store = \"{}\"` is not an absolute path", store.display());
            return refuse(message, "write the path from the root, as the nodes see it");
        }
        let fixed = |option: &&String| FIXED.iter().any(|name| option.trim_start().starts_with(name));
        if let Some(option) = self.options.iter().flatten().find(fixed) {
            let message = format!("executor `{shown}`: the option `{option}` of sbatch is set by callsheet");
            return refuse(message, "remove it from `options`");
        }
        let classes = self.classes.filter(|classes| !classes.is_empty());
        Ok(ExecutorDecl {
            name: shown.clone(),
            kind,
            store: self.store,
            account: self.account,
            qos: self.qos,
            setup: self.setup.unwrap_or_default(),
            wrap: self.wrap.unwrap_or_default(),
            options: self.options.unwrap_or_default(),
            program: self.program,
            max_jobs,
            job_time: self.job_time.unwrap_or(JOB_TIME).0,
            classes: classes.unwrap_or_else(|| vec![ClassDecl::default()]),
        })
    }
}

/// Path of the user's executors; `None` without a home folder.
pub fn executors_file() -> Option<PathBuf> {
    Some(user_folder()?.join("executors.toml"))
}

/// Merges the executors of a project with those of the user.
///
/// # Errors
/// Returns an error if the user's file cannot be read, or a declaration is malformed or incomplete.
pub(super) fn executors(
    project: ExecutorFiles,
    source: &Arc<SourceText>,
) -> Result<BTreeMap<String, ExecutorDecl>> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct UserExecutors {
        executors: ExecutorFiles,
    }
    let (mut own, mut own_source) = (UserExecutors::default(), source.clone());
    if let Some(path) = executors_file() {
        match trace::read_to_string(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            text => {
                own_source = Arc::new(SourceText::new(path.clone(), text.io_context("cannot read", &path)?));
                own = parse_toml(&own_source)?;
            }
        }
    }
    let mut found: BTreeMap<String, (Spanned<String>, Arc<SourceText>, ExecutorFile)> = BTreeMap::new();
    let of_project = project.into_iter().map(|(name, file)| (name, source, file));
    let of_user = own.executors.into_iter().map(|(name, file)| (name, &own_source, file));
    for (name, source, file) in of_project.chain(of_user) {
        check_name(&name, "an executor", source)?;
        if name.get_ref() == LOCAL {
            let message = format!("`{LOCAL}` is the executor on the machine where callsheet runs");
            return Err(DeclarationError::new(source, name.span(), message, "this executor")
                .with_help("choose another name")
                .into());
        }
        let key = name.get_ref().clone();
        let file = match found.remove(&key) {
            Some((.., before)) => before.with(file),
            None => file,
        };
        found.insert(key, (name, source.clone(), file));
    }
    found.into_iter().map(|(key, (name, source, file))| Ok((key, file.resolve(&name, &source)?))).collect()
}
