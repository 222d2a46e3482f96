//! Slurm: starts, lists and ends jobs by its programs.

use std::collections::BTreeMap;
use std::env;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use rustix::process::{Pid, Signal, kill_process};

use super::queue::{JobEnd, JobState, Shape};
use crate::declare::ExecutorDecl;

/// Longest time for which a program of Slurm may work. A controller that does not answer makes them wait for minutes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Largest number of names in one listing; a listing of more names lists all jobs of the user.
const MOST_NAMES: usize = 1000;

/// Time between two looks at whether the user has stopped the run.
const LOOK: Duration = Duration::from_millis(100);

/// Time before the end of a job at which it is asked for a checkpoint; of a short job, a quarter of its time.
const BEFORE_END: Duration = Duration::from_secs(120);

/// Time after which jobs are asked to end again: Slurm loses a signal to a job that has just started.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(4);

/// Parts of what sbatch says when it does not accept as many jobs now.
const TOO_MANY: [&str; 5] = [
    "QOSMax",
    "AssocMax",
    "MaxSubmit",
    "Job violates accounting/QOS policy",
    "Invalid job array specification",
];

/// Parts of what sbatch says when the controller did not answer: it may have accepted the jobs.
const LATER: [&str; 10] = [
    "Slurm temporarily unable to accept job",
    "Resource temporarily unavailable",
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Zero Bytes were transmitted or received",
    "Message receive failure",
    "ommunication connection failure",
    "in standby mode",
    "Protocol authentication error",
];

/// Submission that was not accepted.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It may be accepted later, or was even accepted although the answer was lost.
    Later(String),
    /// A limit of the number of jobs is reached.
    TooMany(String),
    /// It will never be accepted.
    Never(Error),
}

/// Method of ending jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Jobs that wait are cancelled; jobs that run are asked to end.
    Clean,
    /// All jobs are killed.
    Now,
}

impl End {
    /// Options of each call of scancel.
    fn words(self) -> &'static [&'static [&'static str]] {
        match self {
            // The shell of a job passes no signal on: it is replaced by callsheet.
            Self::Clean => &[&["--quiet", "--state=PENDING"], &["--quiet", "--batch", "--signal=TERM"]],
            Self::Now => &[&["--quiet"]],
        }
    }

    /// Number of calls of scancel.
    pub(super) fn calls(self) -> u32 {
        self.words().len() as u32
    }
}

/// A job, as Slurm lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// Name of its submission.
    pub name: String,
    /// Id of its array.
    pub array: String,
    /// Position in the array; `None` for all jobs of the array that are not listed one by one.
    pub index: Option<usize>,
    pub state: JobState,
    /// Reason why it waits, as Slurm calls it.
    pub reason: String,
}

/// An array of jobs to start.
pub(super) struct Array<'a> {
    pub name: &'a str,
    pub jobs: usize,
    pub shape: &'a Shape,
    /// Folder of the jobs' own output, `job-<index>.log`.
    pub folder: &'a Path,
    pub script: String,
}

/// Starts an array of jobs. Returns its id.
pub(super) fn start(decl: &ExecutorDecl, array: &Array, stops: Option<&Stops>) -> Result<String, Refusal> {
    let output =
        slurm("sbatch", &arguments(decl, array), array.script.as_bytes(), stops).map_err(Refusal::Never)?;
    let Some(output) = output else {
        return Err(Refusal::Later("sbatch did not answer".to_owned()));
    };
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        let id = String::from_utf8_lossy(&output.stdout);
        return Ok(id.trim().split(';').next().unwrap_or_default().to_owned());
    }
    let (contains, reason) =
        (|known: &[&str]| known.iter().any(|known| said.contains(known)), in_one_line(&said));
    // A limit for each job is never met later, and an array of one job is as small as can be.
    let is_smallest = array.jobs == 1 && said.contains("Invalid job array specification");
    if contains(&TOO_MANY) && !said.contains("PerJob") && !is_smallest {
        return Err(Refusal::TooMany(reason));
    }
    if contains(&LATER) {
        return Err(Refusal::Later(reason));
    }
    Err(Refusal::Never(refused(decl, array.shape, &said)))
}

fn arguments(decl: &ExecutorDecl, array: &Array) -> Vec<String> {
    let (shape, class) = (array.shape, &decl.classes[array.shape.class]);
    let mut words = vec![
        "--parsable".to_owned(),
        format!("--job-name={}", array.name),
        format!("--array=0-{}%{}", array.jobs - 1, decl.max_jobs),
        // Slurm replaces parts of the path that begin with `%`.
        format!("--output={}/job-%a.log", array.folder.display().to_string().replace('%', "%%")),
        "--open-mode=append".to_owned(),
        "--export=NIL".to_owned(),
        "--requeue".to_owned(),
        "--nodes=1".to_owned(),
        "--ntasks=1".to_owned(),
        format!("--cpus-per-task={}", shape.cpus),
        format!("--signal=B:USR2@{}", before_end(shape.time).as_secs()),
    ];
    let mut option = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("--{name}={value}")));
    };
    option("partition", class.partition.clone());
    option("constraint", class.constraint.clone());
    option("account", decl.account.clone());
    option("qos", decl.qos.clone());
    // Slurm counts memory in MiB.
    option("mem", (shape.memory > 0).then(|| format!("{}M", shape.memory.div_ceil(1 << 20))));
    let kind = class.gpu_type.as_ref().map(|kind| format!(":{kind}")).unwrap_or_default();
    option("gres", (shape.gpus > 0).then(|| format!("gpu{kind}:{}", shape.gpus)));
    option("time", shape.time.map(minutes));
    words.extend(decl.options.iter().cloned());
    words
}

fn before_end(time: Option<Duration>) -> Duration {
    time.map_or(BEFORE_END, |time| BEFORE_END.min(time / 4))
}

/// A time limit in the form of Slurm, which counts minutes.
fn minutes(time: Duration) -> String {
    time.as_secs().div_ceil(60).max(1).to_string()
}

/// Error for a submission that can never be accepted.
fn refused(decl: &ExecutorDecl, shape: &Shape, said: &str) -> Error {
    let (name, class) = (&decl.name, &decl.classes[shape.class]);
    let lower = said.to_lowercase();
    let of = |what: &str, value: &Option<String>| match value {
        Some(value) => format!("the {what} `{value}` of executor `{name}` is not valid"),
        None => format!("executor `{name}` needs {what}"),
    };
    let (message, help) = if lower.contains("invalid partition") {
        let known = partitions();
        let wanted = class.partition.as_deref().unwrap_or_default();
        (of("partition", &class.partition), suggest(wanted, known.iter().map(String::as_str)))
    } else if lower.contains("invalid account") {
        (
            of("account", &decl.account),
            "ask for your accounts, e.g. with `sacctmgr show associations user=$USER`".to_owned(),
        )
    } else if lower.contains("invalid qos") {
        (of("qos", &decl.qos), "ask for the qualities of service that your account may use".to_owned())
    } else if lower.contains("gres") || lower.contains("generic resource") {
        let kind = class.gpu_type.as_deref().unwrap_or("any");
        (
            format!("executor `{name}`: this class does not have GPUs (needed: {}, type: {kind})", shape.gpus),
            "correct `gpus` and `gpu_type` of the class; `callsheet executors detect` prints what the cluster has".to_owned(),
        )
    } else {
        (
            format!("Slurm does not accept jobs of executor `{name}`"),
            "correct `options` or the classes of the executor; `callsheet executors detect` prints what the cluster has"
                .to_owned(),
        )
    };
    Error::user_error(Code::Resources, format!("{message}: {}", in_one_line(said)), help)
}

fn in_one_line(said: &str) -> String {
    said.replace("sbatch: error: ", "").replace('\n', "; ")
}

/// Names of the partitions; none if Slurm does not answer.
fn partitions() -> Vec<String> {
    let mut names: Vec<String> =
        sinfo("%R").unwrap_or_default().iter().map(|line| line.trim().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Lists partitions with CPUs, memory in MiB, GPUs and time limit of their nodes, separated by `|`.
///
/// # Errors
/// Returns an error if sinfo cannot be started.
pub(super) fn partitions_in_detail() -> Result<Vec<String>> {
    sinfo("%R|%c|%m|%G|%l")
}

/// Lines of sinfo in this format; none if it does not end in time.
fn sinfo(format: &str) -> Result<Vec<String>> {
    let output = slurm("sinfo", &["-h", "-o", format].map(str::to_owned), b"", None)?;
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    Ok(text.unwrap_or_default().lines().map(str::to_owned).collect())
}

/// Lists the jobs of submissions with these names; `None` if Slurm does not answer now.
///
/// # Errors
/// Returns an error if squeue cannot be started.
pub(super) fn list(names: &[String], stops: Option<&Stops>) -> Result<Option<Vec<Listed>>> {
    let words = ["--me", "-h", "-t", "all", "-r", "-o", "%j|%F|%K|%T|%r"].map(str::to_owned);
    // The system limits the length of an argument.
    let by_name = (names.len() <= MOST_NAMES).then(|| format!("--name={}", names.join(",")));
    let words: Vec<String> = words.into_iter().chain(by_name).collect();
    let output = slurm("squeue", &words, b"", stops)?.filter(|output| output.status.success());
    Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).lines().filter_map(parse).collect()))
}

fn parse(line: &str) -> Option<Listed> {
    let fields: Vec<&str> = line.split('|').collect();
    let [name, array, index, state, reason] = fields[..] else { return None };
    Some(Listed {
        name: name.to_owned(),
        array: array.to_owned(),
        index: index.parse().ok(),
        state: state_of(state),
        reason: reason.to_owned(),
    })
}

fn state_of(name: &str) -> JobState {
    match name {
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD"
        | "SPECIAL_EXIT" => JobState::Pending,
        "COMPLETED" => JobState::Ended(JobEnd::Exited),
        "FAILED" => JobState::Ended(JobEnd::Failed),
        "NODE_FAIL" | "BOOT_FAIL" => JobState::Ended(JobEnd::NodeFailed),
        "PREEMPTED" | "REVOKED" => JobState::Ended(JobEnd::Preempted),
        "CANCELLED" => JobState::Ended(JobEnd::Cancelled),
        "TIMEOUT" | "DEADLINE" => JobState::Ended(JobEnd::TimedOut),
        "OUT_OF_MEMORY" => JobState::Ended(JobEnd::OutOfMemory),
        // RUNNING, COMPLETING, SUSPENDED, STOPPED, SIGNALING, STAGE_OUT, RESIZING
        _ => JobState::Running,
    }
}

/// Ends arrays of jobs.
///
/// # Errors
/// Returns an error if scancel cannot be started.
pub(super) fn end(arrays: &[String], how: End, stops: Option<&Stops>) -> Result<()> {
    if arrays.is_empty() {
        return Ok(());
    }
    for words in how.words() {
        let words: Vec<String> =
            words.iter().map(|word| (*word).to_owned()).chain(arrays.iter().cloned()).collect();
        // A job may have ended already.
        slurm("scancel", &words, b"", stops)?;
    }
    Ok(())
}

/// Number of times that the user has stopped the run. A change ends programs of Slurm that do not answer.
pub(super) type Stops = AtomicU32;

/// Runs a program of Slurm; `None` if it does not end in time, or before the user stops the run once more.
fn slurm(program: &str, words: &[String], input: &[u8], stops: Option<&Stops>) -> Result<Option<Output>> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A job that starts jobs must not pass on its own resources, and defaults must not change what these programs do.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_of_job = text.starts_with("SLURM_") && text != "SLURM_CONF" && text != "SLURM_JWT";
        let is_default =
            ["SBATCH_", "SQUEUE_", "SCANCEL_"].iter().any(|beginning| text.starts_with(beginning));
        if is_of_job || is_default {
            command.env_remove(&name);
        }
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Err(Error::user_error(
                Code::MissingProgram,
                format!("cannot start `{program}`: {error}"),
                "run callsheet where Slurm's programs are on PATH, such as a login node of the cluster",
            ));
        }
        // The machine may have too many processes now.
        Err(_) => return Ok(None),
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input says why.
        let _ = stdin.write_all(input);
    }
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || {
        let _ = sender.send(child.wait_with_output());
    });
    let (clock, count) = (Instant::now(), || stops.map(|stops| stops.load(Ordering::Relaxed)));
    let before = count();
    while waiting.is_ok() && clock.elapsed() < TIMEOUT && count() == before {
        match receiver.recv_timeout(LOOK) {
            Ok(output) => return Ok(output.ok()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    pid.map(|pid| kill_process(pid, Signal::KILL));
    Ok(None)
}

/// States of jobs by submission and position, from a listing.
pub(super) struct States<'l>(BTreeMap<(&'l str, Option<usize>), JobState>);

impl<'l> States<'l> {
    pub(super) fn new(listed: &'l [Listed]) -> Self {
        Self(listed.iter().map(|job| ((job.name.as_str(), job.index), job.state)).collect())
    }

    /// State of a job; `None` if it is not listed.
    pub(super) fn get(&self, name: &str, index: usize) -> Option<JobState> {
        let of = |index| self.0.get(&(name, index)).copied();
        of(Some(index)).or_else(|| of(None))
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation::lab;
    use super::*;

    #[test]
    fn a_listing_is_read_whatever_the_reason_of_a_job() {
        let job = parse("cs-a|12|3|PENDING|launch failed requeued held").expect("a job");
        assert_eq!((job.name.as_str(), job.array.as_str(), job.index), ("cs-a", "12", Some(3)));
        assert_eq!((job.state, job.reason.as_str()), (JobState::Pending, "launch failed requeued held"));
        // Slurm lists the jobs of an array that were cancelled before they began in one line.
        let listed =
            ["cs-a|12|0|COMPLETED|None", "cs-a|12|N/A|CANCELLED|None"].map(|line| parse(line).expect("jobs"));
        let states = States::new(&listed);
        assert_eq!(states.get("cs-a", 0), Some(JobState::Ended(JobEnd::Exited)));
        assert_eq!(states.get("cs-a", 7), Some(JobState::Ended(JobEnd::Cancelled)));
        assert_eq!(states.get("cs-b", 0), None);
        assert_eq!(parse("squeue: error"), None);
        assert_eq!(state_of("NODE_FAIL"), JobState::Ended(JobEnd::NodeFailed));
        assert_eq!(state_of("SUSPENDED"), JobState::Running);
    }

    #[test]
    fn a_refused_submission_names_the_setting_that_slurm_does_not_accept() {
        let decl = ExecutorDecl { account: Some("a1".to_owned()), qos: Some("q1".to_owned()), ..lab(1) };
        let shape = Shape { class: 0, cpus: 1, memory: 0, gpus: 2, time: None };
        let of = |said: &str| {
            refused(&decl, &shape, &format!("sbatch: error: Batch job submission failed: {said}")).to_string()
        };
        let said = "Invalid account or account/partition combination specified";
        assert!(
            of(said).contains("the account `a1` of executor `lab` is not valid") && of(said).contains(said)
        );
        assert!(of("Invalid qos specification").contains("the qos `q1` of executor `lab` is not valid"));
        assert!(of("Invalid generic resource (gres) specification").contains("(needed: 2, type: any)"));
        let said = "Requested time limit is invalid (missing or exceeds some limit of the partition)";
        assert!(of(said).contains("does not accept jobs of executor `lab`") && of(said).contains(said));
    }

    #[test]
    fn time_limits_are_rounded_up_to_minutes() {
        let of = |seconds| minutes(Duration::from_secs(seconds));
        assert_eq!([of(1), of(60), of(61), of(43_200)], ["1", "1", "2", "720"]);
    }
}
