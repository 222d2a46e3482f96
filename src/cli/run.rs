//! `callsheet run`.

use std::env;
use std::fs;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::{print_error, print_text, say};
use callsheet_worker::protocol::{Level, WorkerEvent};
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use super::candidates;
use super::exit::{STAGE_FAILED, STOPPED, SUCCESS, warn};
use super::lineage::LineageFile;
use super::log_reporter::{LogReporter, results};
use super::notify::notify;
use super::overview::Overview;
use super::progress_reporter::ProgressReporter;
use super::runs::folder;
use super::target::{Select, TargetArgs, snapshot};
use super::unchanged::UpToDateCheck;
use crate::curation::similar_file;
use crate::declare::{Bytes, Project, engine};
use crate::event::Event;
use crate::plan::{Plan, Request};
use crate::report::{FILE, Subject, is_current, write};
use crate::run::{
    DETACHED_VARIABLE, Interrupts, Machine, RunOptions, RunSummary, StoreSnapshot, machine, run,
    submit_engine,
};
use crate::store::Store;

/// Time between two drawings of the lines on a terminal.
const TICK: Duration = Duration::from_secs(1);

/// Run every stage whose result is not in the store
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet run
  callsheet run train                            one stage, and the stages that it depends on
  callsheet run 'train@v4-*'                     some instances of a stage that is declared with `foreach`
  callsheet run --from features                  one stage, and the stages that depend on it
  callsheet run --set train.rate=0.2             change a parameter: only affected stages run
  callsheet run --force evaluate                 re-run a stage although its result is cached
  callsheet run --jobs 1                         one CPU for all workers together
  callsheet run --on lab                         run on the cluster `lab`
  callsheet run --json | jq .event               every event as one JSON line
  callsheet run --quiet                          print only warnings and errors
  callsheet run --report                         also write an HTML report of the run
  callsheet run --lineage lineage.ndjson         also append OpenLineage events to a file")]
pub(super) struct Run {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    which: TargetArgs,
    /// Show which stages would run, and why, like `callsheet plan`
    #[arg(long, conflicts_with = "force")]
    dry_run: bool,
    /// Number of CPUs that all workers together may use [default: all]
    #[arg(short, long, value_name = "CPUS", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory that all workers together may use, e.g. "8 GB" [default: all memory of the machine]
    #[arg(long, value_parser = Bytes::from_str)]
    memory: Option<Bytes>,
    /// Ids of GPUs that workers may use, e.g. 0,1; empty for none
    /// [default: CUDA_VISIBLE_DEVICES, or all GPUs]
    #[arg(long, value_delimiter = ',')]
    gpus: Option<Vec<String>>,
    /// Run the stages on this cluster: the name of an executor in callsheet.toml or executors.toml
    #[arg(long, value_name = "EXECUTOR", conflicts_with = "dry_run")]
    on: Option<String>,
    /// Let the run go on without this terminal: with `job`, its engine is a job of the executor, too; with `here`, it is a
    /// process of this machine. `callsheet attach` shows the run [default: job]
    #[arg(
        long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "job", require_equals = true, requires = "on",
        conflicts_with_all = ["json", "quiet", "report", "lineage"]
    )]
    detach: Option<Detach>,
    /// Re-run this stage even if its result is in the store. Repeatable
    #[arg(long, value_name = "STAGE", add = ArgValueCompleter::new(candidates::stages))]
    force: Vec<String>,
    /// Stop all running stages as soon as one fails
    #[arg(long, overrides_with = "keep_going")]
    fail_fast: bool,
    /// Finish all stages that do not depend on a failed one [default]
    #[arg(long, overrides_with = "fail_fast")]
    keep_going: bool,
    /// Keep the work folder of a worker that fails, with its request and its unfinished outputs; the error names it
    #[arg(long, conflicts_with = "dry_run")]
    keep_failed: bool,
    /// Print each event to stdout as one line of JSON
    #[arg(long)]
    json: bool,
    /// Print only warnings and errors
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Write a self-contained HTML report of the run to data/out/<pipeline>/<dataset>/<profile>/report.html
    #[arg(long)]
    report: bool,
    /// Append OpenLineage events of the run to this file, one JSON object per line
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    lineage: Option<PathBuf>,
}

impl Run {
    pub(super) fn execute(&self) -> Result<u8> {
        if self.dry_run {
            return super::plan::show(&self.which, &self.select, &self.machine(), None, false, self.json);
        }
        let check = self.may_skip_plan().then(UpToDateCheck::begin).flatten();
        let (project, request) = self.which.request()?;
        if let (Some(place), Some(on)) = (self.detach, &self.on) {
            return detach(&project, on, place);
        }
        let store = Store::of(&project)?;
        // The shared lock keeps gc from removing results while they are looked up and used. A store that does
        // not exist yet has no results.
        let _shared = if store.exists() { Some(store.shared()?) } else { None };
        if let Some(lines) = check.as_ref().and_then(|check| check.lines(&project, &store, &request)) {
            lines.iter().filter(|_| !self.quiet).for_each(|line| say(line));
            return Ok(SUCCESS);
        }
        let (plan, snapshot) = snapshot(&project, &store, &request)?;
        let selection = self.select.selection();
        let whole = if selection.is_empty() { None } else { Some(plan.clone()) };
        let plan = plan.select(&selection)?;
        let options = RunOptions { whole, ..self.options(&plan)? };
        let warning = similar_file(&project, &plan);
        if let Some(warning) = &warning {
            say(&format!("warning: {warning}"));
        }
        let interrupts = listen()?;
        let reporter = Mutex::new(self.reporter(&store, &plan, &snapshot));
        let lineage = self.lineage.as_ref();
        let mut lineage = lineage.map(|path| LineageFile::open(path, &project, &store, &plan)).transpose()?;
        let clock = Instant::now();
        let ran = ticking(&reporter, || {
            run(&project, &store, &plan, &snapshot, &options, &interrupts, |event| {
                check.iter().for_each(|check| check.follow(event));
                reporter.lock().unwrap_or_else(PoisonError::into_inner).report(event);
                lineage.iter_mut().for_each(|file| file.tell(event));
            })
        });
        drop(reporter);
        let written = lineage.map_or(Ok(()), |file| file.close(ran.as_ref().err()));
        notify(&project, &plan.request.target.to_string(), ran.as_ref(), clock.elapsed().as_secs_f64());
        let summary = ran?;
        if let Some(check) = check.filter(|_| warning.is_none()) {
            check.finish(&project, &store, &plan, &summary);
        }
        if !self.json && !self.quiet {
            name_results(&project, &plan.request, &summary);
        }
        let written =
            written.and(if self.report { report(&project, &store, &plan, &summary) } else { Ok(()) });
        Ok(ended(summary, written))
    }

    /// Returns true if a run with these options prints only that there is nothing to do, if that is so.
    fn may_skip_plan(&self) -> bool {
        let selects = !self.select.selection().is_empty() || !self.which.set.is_empty();
        let writes = self.json || self.report || self.lineage.is_some();
        !selects && !writes && self.on.is_none() && self.force.is_empty()
    }

    fn options(&self, plan: &Plan) -> Result<RunOptions> {
        let force = plan.names(&self.force)?;
        let only = (!self.select.only.is_empty()).then(|| plan.names(&self.select.only)).transpose()?;
        if let Some(only) = &only
            && let Some(stage) = force.iter().find(|stage| !only.contains(*stage))
        {
            return Err(Error::user_error(
                Code::Conflict,
                format!("--force {stage} has no effect, because --only excludes `{stage}`"),
                format!("add --only {stage}, or remove --only"),
            ));
        }
        Ok(RunOptions {
            machine: self.machine(),
            on: self.on.clone(),
            force,
            only,
            fail_fast: self.fail_fast && !self.keep_going,
            keep_failed: self.keep_failed,
            ..RunOptions::default()
        })
    }

    /// Returns the reporter of events: as JSON, on a terminal, else as lines.
    fn reporter<'a>(&self, store: &'a Store, plan: &Plan, snapshot: &StoreSnapshot) -> Reporter<'a> {
        let title = plan.request.target.to_string();
        let before = plan.stages.iter().map(|stage| (stage.name.clone(), snapshot.seconds_here(&stage.name)));
        let lines = LogReporter::new(title, plan.labels(), store, Overview::new(before));
        match self.json {
            true => Reporter::Json,
            false if self.quiet => Reporter::Quiet(lines),
            false => Reporter::of_run(lines),
        }
    }

    fn machine(&self) -> Machine {
        machine(self.jobs, self.memory, self.gpus.as_deref())
    }
}

/// Place of the engine of a run that goes on without its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Detach {
    /// A job of the executor, which is started again if its node fails.
    Job,
    /// A process of this machine.
    Here,
}

/// Words of a command line without those that detach the run, and without the folder in which it starts: the engine starts
/// in the project.
fn words_of_engine(words: impl Iterator<Item = String>) -> Vec<String> {
    let (mut kept, mut skips) = (Vec::new(), false);
    for word in words {
        if std::mem::take(&mut skips) || word.starts_with("--detach") || word.starts_with("--directory=") {
            continue;
        }
        if word == "-C" || word == "--directory" {
            skips = true;
        } else if !word.starts_with("-C") {
            kept.push(word);
        }
    }
    kept
}

/// Starts a run that goes on without this terminal, with the options of this command.
fn detach(project: &Project, on: &str, place: Detach) -> Result<u8> {
    let decl = project.executor(on)?;
    let words = words_of_engine(env::args().skip(1));
    if place == Detach::Job {
        let id = submit_engine(project, &decl, &words)?;
        say(&format!(
            "the run goes on as job {id} of the cluster; `callsheet attach` shows it as soon as it has begun"
        ));
        return Ok(SUCCESS);
    }
    let log = project.data.join("store/engine.log");
    fs::create_dir_all(log.parent().unwrap_or(&project.data)).io_context("cannot create", &log)?;
    let file = fs::File::create(&log).io_context("cannot write", &log)?;
    let mut command = Command::new(engine()?);
    command.args(words).current_dir(&project.root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    // Signals of the terminal do not reach a process group of its own, and the end of the terminal is ignored.
    command.process_group(0).env(DETACHED_VARIABLE, "");
    let child = command.spawn().io_context("cannot start", "callsheet")?;
    say(&format!("the run goes on as process {}; `callsheet attach` shows it", child.id()));
    Ok(SUCCESS)
}

/// Reporter of the events of a run.
pub(super) enum Reporter<'a> {
    Json,
    Terminal(ProgressReporter<'a>),
    Lines(LogReporter<'a>),
    Quiet(LogReporter<'a>),
}

impl<'a> Reporter<'a> {
    /// Reporter that redraws its lines on a terminal, and prints them one after another elsewhere.
    pub(super) fn of_run(lines: LogReporter<'a>) -> Self {
        match std::io::stderr().is_terminal() {
            true => Self::Terminal(ProgressReporter::new(lines)),
            false => Self::Lines(lines),
        }
    }

    pub(super) fn report(&mut self, event: &Event) {
        match self {
            Self::Json => print_text(&serde_json::to_string(event).expect("plain data")),
            Self::Terminal(screen) => screen.report(event),
            Self::Lines(lines) => lines.report(event).iter().for_each(|line| say(line)),
            Self::Quiet(lines) if is_problem(event) => {
                lines.report_to_terminal(event).iter().for_each(|line| say(line))
            }
            Self::Quiet(_) => {}
        }
    }
}

/// Returns true for events that a quiet run prints.
fn is_problem(event: &Event) -> bool {
    let warning = |said: &WorkerEvent| matches!(said, WorkerEvent::Log { level: Level::Warning, .. });
    match event {
        Event::Worker { said, .. } => warning(said),
        Event::Failed { .. } | Event::Retrying { .. } | Event::Blocked { .. } => true,
        _ => false,
    }
}

/// Calls `run`. Meanwhile the lines on a terminal are drawn again every second, so that their times go on.
fn ticking<T>(reporter: &Mutex<Reporter>, run: impl FnOnce() -> T) -> T {
    let lock = || reporter.lock().unwrap_or_else(PoisonError::into_inner);
    if !matches!(*lock(), Reporter::Terminal(_)) {
        return run();
    }
    thread::scope(|scope| {
        let (ended, waits) = mpsc::channel::<()>();
        scope.spawn(move || {
            while waits.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if let Reporter::Terminal(screen) = &mut *lock() {
                    screen.tick();
                }
            }
        });
        let result = run();
        drop(ended);
        result
    })
}

/// Names the place of the results of a run.
fn name_results(project: &Project, request: &Request, summary: &RunSummary) {
    if summary.cached + summary.ran == 0 {
        return;
    }
    say(&match (&summary.run, request.set.is_empty()) {
        (Some(run), false) => {
            format!(
                "results: `callsheet ls --run {run}`; `callsheet runs link {run}` shows them in data/out/runs"
            )
        }
        _ => results(&request.target.out(&project.data)),
    });
}

/// Writes the report of a run, unless it would be equal to the one that exists. A run that found all its results shown
/// has no record, so the plan is the subject of its report.
fn report(project: &Project, store: &Store, plan: &Plan, summary: &RunSummary) -> Result<()> {
    let path = report_path(project, &plan.request, summary.run.as_deref().unwrap_or_default());
    let subject = match &summary.run {
        Some(run) => Subject::find(project, store, run)?,
        None => Subject::of_plan(project, store, plan),
    };
    if !summary.found_all() || !is_current(&path, &subject) {
        warn(&write(project, store, &[subject], &path)?);
    }
    say(&format!("report: {}", path.display()));
    Ok(())
}

/// Path of a run's report, in the folder of the results that the run shows.
pub(super) fn report_path(project: &Project, request: &Request, run: &str) -> PathBuf {
    let of_set = !request.set.is_empty();
    let folder = if of_set { folder(project, run) } else { request.target.out(&project.data) };
    folder.join(FILE)
}

/// Forwards Ctrl-C and other signals that end programs to the run. The third one ends this program immediately.
///
/// # Errors
/// Returns an error if the system does not install the handler.
fn listen() -> Result<Arc<Interrupts>> {
    let interrupts = Arc::new(Interrupts::default());
    let handler = interrupts.clone();
    let mut signals = Signals::new(signals_that_end())
        .map_err(|error| Error::user_error(Code::Io, format!("cannot listen for Ctrl-C: {error}"), ""))?;
    thread::spawn(move || {
        let mut number = 0;
        for signal in signals.forever() {
            if signal == SIGUSR2 {
                requeue();
                continue;
            }
            handler.send();
            number += 1;
            // The run may be too busy to receive the message; its supervisor process then ends the workers.
            if number >= 3 {
                std::process::exit(i32::from(STOPPED));
            }
        }
    });
    Ok(interrupts)
}

/// Lets the cluster start this engine again, whose time is nearly up. Its jobs go on, and the next engine adopts them.
fn requeue() {
    let Ok(job) = env::var("SLURM_JOB_ID") else { return };
    let status = Command::new("scontrol").args(["requeue", &job]).stdin(Stdio::null()).status();
    if !status.is_ok_and(|status| status.success()) {
        say("warning: the time of this job is nearly up, and Slurm does not start it again");
    }
}

/// Returns the signals that end a run. A signal that was ignored when this program started stays ignored, so
/// `nohup callsheet run &` survives the end of the terminal.
fn signals_that_end() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    let ignored = u64::from_str_radix(mask.trim(), 16).unwrap_or_default();
    // A cluster ends an engine that is a job, and starts it again: its jobs must go on.
    let all: &[i32] = match env::var_os(DETACHED_VARIABLE) {
        Some(name) if name.is_empty() => &[SIGINT, SIGTERM],
        Some(_) => &[SIGINT, SIGUSR2],
        None => &[SIGHUP, SIGINT, SIGTERM],
    };
    all.iter().copied().filter(|signal| ignored >> (signal - 1) & 1 == 0).collect()
}

/// Prints the errors of a run; returns its exit code.
fn ended(summary: RunSummary, written: Result<()>) -> u8 {
    let failed = !summary.failed.is_empty() || written.is_err();
    if let Err(error) = written {
        print_error(error);
    }
    for (stage, error) in summary.failed {
        say(&format!("\nstage `{stage}` failed:"));
        print_error(error);
    }
    match (failed, summary.stopped) {
        (true, _) => STAGE_FAILED,
        (false, true) => STOPPED,
        (false, false) => SUCCESS,
    }
}
