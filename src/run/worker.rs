//! One worker process: started in a process group of its own, heard, waited for.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use wait4::Wait4;

use crate::declare::Project;
use crate::error::{Doing, Error, Result};
use crate::protocol::{EVENTS_VARIABLE, WorkerEvent};

/// Descriptor that a worker writes events to.
const EVENTS_FD: i32 = 3;

/// A longer line is no event.
const LONGEST_EVENT: u64 = 1 << 20;

/// Variables that any program may need; others must be named in callsheet.toml.
const ENVIRONMENT: [&str; 7] = ["HOME", "USER", "LANG", "LC_ALL", "TERM", "TZ", "LD_LIBRARY_PATH"];

/// What to start, and where.
pub struct Job<'a> {
    /// The stage's command and the path of the request.
    pub command: Vec<String>,
    /// The worker's current folder.
    pub folder: &'a Path,
    /// Folder that scripts named in the command are looked up in.
    pub stage_folder: &'a Path,
    /// File that stdout and stderr go to.
    pub log: &'a Path,
}

/// How a worker ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its largest resident size in bytes.
    pub peak_memory: u64,
    /// The error it reported, as message and help.
    pub error: Option<(String, String)>,
}

/// Runs a job to its end and hands every event to `said`.
///
/// # Errors
/// When the program does not exist or cannot be started.
pub fn work(project: &Project, job: &Job, mut said: impl FnMut(WorkerEvent)) -> Result<Ended> {
    let (reader, writer) = io::pipe().doing("cannot open a pipe for", job.folder)?;
    let child = start(project, job, writer.into())?;
    let waiter = thread::spawn(move || wait(child));
    let mut error = None;
    // Ends when the last holder of the pipe is gone; `wait` sees to it that there is none left.
    hear(reader, |event| {
        if let WorkerEvent::Error { message, help } = &event {
            error = Some((message.clone(), help.clone()));
        }
        said(event);
    });
    let (status, peak_memory) = match waiter.join() {
        Ok(ended) => ended.doing("cannot wait for", job.folder)?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    Ok(Ended { status, peak_memory, error })
}

fn start(project: &Project, job: &Job, events: OwnedFd) -> Result<Child> {
    let name = &job.command[0];
    let program = match project.programs.get(name) {
        Some(path) if !path.is_file() => {
            return Err(Error::refused(
                format!("program `{name}` is not built: no file {}", path.display()),
                "run `make build`",
            ));
        }
        Some(path) => path.as_os_str().to_owned(),
        None => name.into(),
    };
    let log = File::create(job.log).doing("cannot create", job.log)?;
    let both = log.try_clone().doing("cannot create", job.log)?;
    let mut command = Command::new(program);
    for word in &job.command[1..] {
        let script = job.stage_folder.join(word);
        let plain = Path::new(word).file_name().is_some_and(|file| file == word.as_str());
        command.arg(if plain && script.is_file() { script.as_os_str() } else { word.as_ref() });
    }
    command.current_dir(job.folder).stdin(Stdio::null()).stdout(log).stderr(both);
    command.env_clear().env("PATH", search_path(project));
    command.env(EVENTS_VARIABLE, format!("/dev/fd/{EVENTS_FD}"));
    for name in ENVIRONMENT.into_iter().chain(project.environment.iter().map(String::as_str)) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.process_group(0);
    let mapping = FdMapping { parent_fd: events, child_fd: EVENTS_FD };
    command.fd_mappings(vec![mapping]).map_err(io::Error::other).doing("cannot start", name)?;
    // SAFETY: prctl is async-signal-safe and touches no memory of this process.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
    command.spawn().map_err(|error| {
        let message = format!("cannot start `{name}`: {error}");
        Error::refused(message, "is it installed and on PATH, or listed under [programs] in callsheet.toml?")
    })
}

/// The project's folders first: what its set-up put there serves, the system's may not.
fn search_path(project: &Project) -> std::ffi::OsString {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let folders = project.path.iter().cloned().chain(std::env::split_paths(&system));
    std::env::join_paths(folders).unwrap_or(system)
}

fn wait(child: Child) -> io::Result<(ExitStatus, u64)> {
    let id = Pid::from_raw(child.id().cast_signed());
    // The child is left unreaped until its group is gone, so that its id cannot be another's.
    waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    let _ = killpg(id, Signal::SIGKILL);
    let ended = child.wait4()?;
    Ok((ended.status, ended.rusage.maxrss))
}

fn hear(reader: io::PipeReader, mut said: impl FnMut(WorkerEvent)) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LONGEST_EVENT).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            // Anything else than an event is the worker's mistake, not the run's.
            Ok(_) => serde_json::from_slice(&line).map_or((), &mut said),
        }
    }
}

/// The last lines of a log, for an error message.
pub fn last_lines(log: &Path, count: usize) -> String {
    const TAIL: u64 = 16 << 10;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        io::Seek::seek(&mut file, io::SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Writes a request where the worker will read it.
///
/// # Errors
/// When the disk is full.
pub fn write_request(path: &Path, request: &crate::protocol::WorkRequest) -> Result<()> {
    let text = serde_json::to_vec_pretty(request).expect("a request is plain data");
    fs::write(path, text).doing("cannot write", path)
}
