//! Check of a cluster by two jobs: what its nodes see, and what their file system guarantees.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};

use super::batch::script;
use super::queue::JobState;
use super::reasons::in_words;
use super::slurm::{self, Array, End, Listed, Refusal};
use super::{check_store as check_shared, shape};
use crate::declare::{ExecutorDecl, Project, ResourcesDecl};
use crate::store::{StoreCheck, check_store};

/// Time between two looks at the answers of the jobs.
const LOOK: Duration = Duration::from_millis(500);

/// Time between two listings of the jobs, and the time after which the end of a job without an answer counts.
const LIST: Duration = Duration::from_secs(3);
const VISIBLE: Duration = Duration::from_secs(20);

/// Time for which one job waits for the other.
const MEET: Duration = Duration::from_secs(90);

/// Answer of one node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeCheck {
    /// Name of the node.
    pub node: String,
    /// Version of callsheet on the node.
    pub callsheet: String,
    /// Ids of its GPUs.
    pub gpus: Vec<String>,
    /// CPUs that the job may use.
    pub cpus: usize,
    /// Largest number of open files.
    pub files: String,
    /// True if jobs can submit jobs.
    pub sbatch: bool,
    /// True if jobs can be started again from within.
    pub scontrol: bool,
    /// Findings about the shared store, or the reason why there are none.
    pub store: std::result::Result<StoreCheck, String>,
}

/// Answers of two jobs.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterCheck {
    /// Answer of each job.
    pub nodes: Vec<NodeCheck>,
}

/// Submits two jobs that check their nodes and the shared store together. Calls `waits` with the state of the jobs whenever it
/// changes. Cancels the jobs if `is_stopped` returns true.
///
/// # Errors
/// Returns an error if the cluster does not accept the jobs, or if they give no answer within `timeout`.
pub fn check_cluster(
    project: &Project,
    decl: &ExecutorDecl,
    timeout: Duration,
    is_stopped: impl Fn() -> bool,
    mut waits: impl FnMut(&str),
) -> Result<ClusterCheck> {
    check_shared(decl, project)?;
    let store = project.store.clone().unwrap_or_default();
    let parent = project.data.join("store");
    fs::create_dir_all(&parent).io_context("cannot create", &parent)?;
    let folder = tempfile::Builder::new()
        .prefix("check-")
        .tempdir_in(&parent)
        .io_context("cannot write in", &parent)?;
    let name = format!("cs-{}", folder.path().file_name().unwrap_or_default().to_string_lossy());
    let shape = shape(decl, "the check", &ResourcesDecl::default())?;
    let words =
        ["job", &folder.path().to_string_lossy(), "--check", &store.to_string_lossy()].map(str::to_owned);
    let script = script(project, decl, folder.path(), &words)?;
    // Each job has a node of its own, so that there are two.
    let alone =
        ExecutorDecl { options: [&decl.options[..], &["--exclusive".to_owned()]].concat(), ..decl.clone() };
    let array = Array { name: &name, jobs: 2, shape: &shape, folder: folder.path(), script };
    let id = slurm::start(&alone, &array, None).map_err(|refusal| match refusal {
        Refusal::Never(error) => error,
        Refusal::Later(reason) | Refusal::TooMany(reason) => {
            Error::user_error(Code::Busy, reason, "try again later")
        }
    })?;
    let answers = wait(&name, folder.path(), timeout, is_stopped, &mut waits);
    if answers.is_err() {
        slurm::end(&[id], End::Now, None)?;
    }
    answers
}

fn wait(
    name: &str,
    folder: &Path,
    timeout: Duration,
    is_stopped: impl Fn() -> bool,
    waits: &mut impl FnMut(&str),
) -> Result<ClusterCheck> {
    let (clock, mut listed, mut reported, mut ended) = (Instant::now(), Instant::now(), String::new(), None);
    loop {
        // The names are listed: a name that was asked for may stay unknown for a while.
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let visible: BTreeSet<PathBuf> = entries.collect();
        let path = |index| Some(answer(folder, index)).filter(|path| visible.contains(path));
        let answers = (0..2).map(|index| fs::read(path(index)?).ok());
        let answers: Option<Vec<NodeCheck>> =
            answers.map(|text| serde_json::from_slice(&text?).ok()).collect();
        if let Some(nodes) = answers {
            return Ok(ClusterCheck { nodes });
        }
        if listed.elapsed() > LIST {
            listed = Instant::now();
            let jobs = slurm::list(&[name.to_owned()], None)?.unwrap_or_default();
            let state = jobs.iter().map(described).collect::<Vec<_>>().join("; ");
            if state != reported {
                waits(&state);
                reported = state;
            }
            if jobs.iter().any(|job| !job.state.is_live()) {
                ended.get_or_insert(listed);
            }
            // An answer may become visible here a while after its job has ended.
            if ended.is_some_and(|since| since.elapsed() > VISIBLE) {
                jobs.iter().try_for_each(|job| check_ended(job, folder))?;
            }
        }
        if is_stopped() {
            return Err(Error::user_error(
                Code::Busy,
                "the check was interrupted; its jobs are cancelled",
                "run it again",
            ));
        }
        if clock.elapsed() > timeout {
            let message =
                format!("the two jobs gave no answer within {} s: {reported}", clock.elapsed().as_secs());
            return Err(Error::user_error(Code::Busy, message, "try again with a longer --wait"));
        }
        thread::sleep(LOOK);
    }
}

fn described(job: &Listed) -> String {
    let id = id(job);
    match job.state {
        JobState::Pending => format!("job {id} waits: {}", in_words(&job.reason)),
        JobState::Running => format!("job {id} runs"),
        JobState::Ended(_) => format!("job {id} has ended"),
    }
}

fn id(job: &Listed) -> String {
    job.index.map_or_else(|| job.array.clone(), |index| format!("{}_{index}", job.array))
}

/// Returns an error if a job has ended without an answer.
fn check_ended(job: &Listed, folder: &Path) -> Result<()> {
    let index = job.index.unwrap_or_default();
    if !matches!(job.state, JobState::Ended(_)) || answer(folder, index).exists() {
        return Ok(());
    }
    let log = fs::read_to_string(folder.join(format!("job-{index}.log"))).unwrap_or_default();
    let (message, help) = match log.trim() {
        "" => (
            format!("job {} ended, and its files are not visible here", id(job)),
            "use a project folder that the nodes see under the same path",
        ),
        log => {
            (format!("job {} failed: {log}", id(job)), "correct `setup`, `wrap` or `program` of the executor")
        }
    };
    Err(Error::user_error(Code::WorkerFailed, message, help))
}

/// Answers the check in `folder` from a node: checks the shared store together with the job on the other node.
///
/// # Errors
/// Returns an error if the answer cannot be written.
pub fn answer_check(folder: &Path, index: usize, store: &Path, cpus: usize, gpus: Vec<String>) -> Result<()> {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let node = env::var("SLURMD_NODENAME").ok();
    let check = NodeCheck {
        node: node.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned()),
        callsheet: env!("CARGO_PKG_VERSION").to_owned(),
        gpus,
        cpus,
        files: files.and_then(|limits| limits.split_whitespace().next()).unwrap_or("unknown").to_owned(),
        sbatch: runs("sbatch"),
        scontrol: runs("scontrol"),
        store: check_store(store, MEET).map_err(|error| error.to_string()),
    };
    let path = answer(folder, index);
    let draft = path.with_extension("draft");
    let text = serde_json::to_vec(&check).expect("plain data");
    fs::write(&draft, text)
        .and_then(|()| File::open(&draft)?.sync_all())
        .io_context("cannot write", &draft)?;
    fs::rename(&draft, &path).io_context("cannot write", path)
}

fn answer(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("answer-{index}.json"))
}
