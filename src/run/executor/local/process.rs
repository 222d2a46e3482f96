//! One worker process: starts it in its own process group, reads its events, waits for its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::plain;
use callsheet_worker::protocol::{EVENTS_VARIABLE, Level, WorkerEvent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use wait4::Wait4;

use super::confine::{Access, spawn};
use super::supervisor::ProcessSupervisor;
use crate::run::log::Log;
use crate::store::remove_folder;

/// Largest size of an event's line in bytes; longer lines are dropped.
const LONGEST_EVENT: usize = 1 << 20;

/// Largest number of characters of a malformed event that a warning quotes.
const QUOTED_EVENT: usize = 100;

/// Bytes read from a pipe at once.
const READ: usize = 1 << 13;

/// Largest number of reads in a row. A program that writes without end, also after its worker ended, must not keep
/// the engine from looking at the time.
const READS: usize = 1 << 8;

/// Name of the pipe for events in a worker's folder.
pub(in crate::run) const EVENTS: &str = "events";

/// Time between the signal that asks a worker to end and the one that kills it.
const GRACE: Duration = Duration::from_secs(10);

/// Program to start, with its environment, folder, log and timeout.
pub(in crate::run) struct Job<'a> {
    /// The program as an absolute path, and its arguments.
    pub command: Vec<OsString>,
    /// The complete environment.
    pub environment: BTreeMap<String, OsString>,
    /// The worker's current folder.
    pub folder: &'a Path,
    /// Files and folders that the worker may access; `None`: all.
    pub access: Option<&'a Access>,
    /// File that stdout and stderr go to.
    pub log: &'a Path,
    /// Time after which the worker is ended.
    pub timeout: Option<Duration>,
    /// Returns true if what the worker reads has changed. The worker is then ended.
    pub check: &'a dyn Fn() -> bool,
}

/// End of a worker.
pub(in crate::run) struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its largest resident set size in bytes.
    pub peak_memory: u64,
    /// The error it reported, as message and help.
    pub error: Option<(String, String)>,
    /// True if it took longer than its timeout.
    pub timed_out: bool,
    /// True if it was ended because an input or its code had changed.
    pub input_changed: bool,
}

/// Runs a job to its end and passes every event to `said`. When the worker ends, all processes that are left
/// in its process group are killed.
///
/// # Errors
/// Returns an error if the program cannot be started, its output cannot be read, or the log cannot be
/// written.
pub(in crate::run) fn work(
    job: &Job,
    supervisor: &ProcessSupervisor,
    mut said: impl FnMut(WorkerEvent),
) -> Result<Ended> {
    // The writing end stays open, because a worker may open the pipe by its name any number of times.
    let pipe = job.folder.join(EVENTS);
    let (events, writer) = named_pipe(&pipe)?;
    let (output, both) = io::pipe().io_context("cannot open a pipe for", job.folder)?;
    unblock(&output)?;
    let mut log = Log::new(job.log);
    let worker = Worker::start(job, both, supervisor)?;
    let id = worker.id;

    let mut error = None;
    let mut lines = Lines::default();
    let mut warned = false;
    let mut hear = |line: &[u8]| {
        let event = match WorkerEvent::parse(line) {
            Ok(event) => event,
            Err(_) if warned || line.trim_ascii().is_empty() => return,
            // A line that is not a valid event is a mistake of the worker, which must not fail the run.
            Err(error) => {
                warned = true;
                malformed(line, &error)
            }
        };
        if let WorkerEvent::Error { message, help } = &event {
            error = Some((message.clone(), help.clone()));
        }
        said(event);
    };
    let mut output = Some(output);
    let clock = Instant::now();
    let mut limit = Timeout { clock, timeout: job.timeout, signalled: None };
    let mut checks = Checks::new();
    let mut input_changed = false;
    let ended = pidfd_open(id, PidfdFlags::empty())
        .map_err(io::Error::from)
        .io_context("cannot wait for", job.folder)?;
    loop {
        let mut watched = vec![PollFd::new(&ended, PollFlags::IN), PollFd::new(&events, PollFlags::IN)];
        watched.extend(output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
        let left = limit.left().map_or(checks.left(), |left| left.min(checks.left()));
        let wait = Some(Timespec::try_from(left).unwrap_or(LONG));
        match poll(&mut watched, wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error)).io_context("cannot wait for", job.folder),
        }
        let over = watched[0].revents().contains(PollFlags::IN);
        drop(watched);
        if over {
            break;
        }
        lines.read(&events, &mut hear);
        read_output(&mut output, &mut log)?;
        if let Some(signal) = limit.signal() {
            let _ = kill_process_group(id, signal);
        }
        input_changed = checks.due(job.check);
        if input_changed {
            break;
        }
    }
    // The child is not reaped yet, so no other process can have its id.
    let _ = kill_process_group(id, Signal::KILL);
    lines.read(&events, &mut hear);
    lines.finish(&mut hear);
    read_output(&mut output, &mut log)?;
    log.finish()?;
    drop(writer);
    let unused = is_unused(&events);
    drop(events);
    // A process that outlives the worker must neither write to the pipe of the next worker nor read from it.
    if !unused || open_pipe(&pipe, OFlags::WRONLY).err() != Some(Errno::NXIO) {
        let _ = fs::unlink(&pipe);
    }
    let (status, peak_memory) = worker.reap().io_context("cannot wait for", job.folder)?;
    Ok(Ended { status, peak_memory, error, timed_out: limit.signalled.is_some(), input_changed })
}

/// A started worker. Dropping it before it is reaped kills it and its process group.
struct Worker<'a> {
    child: Option<Child>,
    id: Pid,
    supervisor: &'a ProcessSupervisor,
}

impl<'a> Worker<'a> {
    fn start(job: &Job, both: PipeWriter, supervisor: &'a ProcessSupervisor) -> Result<Self> {
        let child = start(job, both)?;
        let id = Pid::from_child(&child);
        supervisor.add(id);
        Ok(Self { child: Some(child), id, supervisor })
    }

    /// Waits for the worker; returns its exit status and its largest resident set size in bytes.
    fn reap(mut self) -> io::Result<(ExitStatus, u64)> {
        self.supervisor.remove(self.id);
        let child = self.child.take().ok_or(io::ErrorKind::NotFound)?;
        let ended = child.wait4()?;
        Ok((ended.status, ended.rusage.maxrss))
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process_group(self.id, Signal::KILL);
            self.supervisor.remove(self.id);
            let _ = child.wait();
        }
    }
}

/// Shortest time between two checks of what a worker reads.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Longest time between two checks: a change that lasts for a shorter time may not be found.
const CHECK_AT_LEAST_EVERY: Duration = Duration::from_secs(10);
const LONG: Timespec = Timespec { tv_sec: 3600, tv_nsec: 0 };

fn unblock(pipe: &PipeReader) -> Result<()> {
    rustix::io::ioctl_fionbio(pipe, true).map_err(io::Error::from).io_context("cannot read from", "a pipe")
}

/// Returns true if no process can write to a pipe and nothing is left in it.
fn is_unused(pipe: &PipeReader) -> bool {
    let mut watched = [PollFd::new(pipe, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&now)).is_ok_and(|_| watched[0].revents() == PollFlags::HUP)
}

/// Creates a pipe that other processes open by its path, also in other containers, or opens the one that an earlier
/// worker in this folder left. Returns both ends; reading from it never waits.
fn named_pipe(path: &Path) -> Result<(PipeReader, OwnedFd)> {
    let both = || {
        Ok::<_, Errno>((PipeReader::from(open_pipe(path, OFlags::RDONLY)?), open_pipe(path, OFlags::WRONLY)?))
    };
    let is_pipe = |found: fs::Stat| FileType::from_raw_mode(found.st_mode).is_fifo();
    if fs::lstat(path).is_ok_and(is_pipe)
        && let Ok(pipe) = both()
    {
        return Ok(pipe);
    }
    // An earlier worker may have replaced its pipe by something else, or changed its rights.
    let _ = std::fs::remove_file(path).or_else(|_| remove_folder(path));
    let create = || {
        fs::mknodat(fs::CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        both()
    };
    create().map_err(io::Error::from).io_context("cannot create the pipe", path)
}

/// Opens an end of the pipe at `path`, and follows no link.
fn open_pipe(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    fs::open(path, flags | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

fn start(job: &Job, both: PipeWriter) -> Result<Child> {
    let mut command = Command::new(&job.command[0]);
    command.args(&job.command[1..]).current_dir(job.folder).env_clear().envs(&job.environment);
    command.env(EVENTS_VARIABLE, job.folder.join(EVENTS));
    let other = both.try_clone().io_context("cannot open a pipe for", job.folder)?;
    command.stdin(Stdio::null()).stdout(both).stderr(other).process_group(0);
    spawn(&mut command, job.access).map_err(|error| {
        let name = Path::new(&job.command[0]).display();
        let (code, help) = match error.kind() {
            io::ErrorKind::NotFound => {
                (Code::MissingProgram, "install the program, or correct the stage's command")
            }
            io::ErrorKind::ArgumentListTooLong => (
                Code::Declaration,
                "the command line is too long: pass {request} instead of the files of an input or a long text, and read \
                 them from request.json",
            ),
            _ => (Code::Io, "check that the file is a program for this machine and that you may execute it"),
        };
        Error::user_error(code, format!("cannot start `{name}`: {error}"), help)
    })
}

/// Appends the available output to the log; drops the pipe at its end.
fn read_output(output: &mut Option<PipeReader>, log: &mut Log) -> Result<()> {
    let mut buffer = [0; READ];
    for _ in 0..READS {
        let Some(pipe) = output else { return Ok(()) };
        match pipe.read(&mut buffer) {
            Ok(0) => *output = None,
            Ok(count) => log.write(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// Checks of what a worker reads, while it runs: short checks take at most a hundredth of the time.
struct Checks {
    next: Instant,
}

impl Checks {
    fn new() -> Self {
        Self { next: Instant::now() + CHECK_EVERY }
    }

    fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Performs a check that is due; returns true if it found a change, after which the worker must end.
    fn due(&mut self, changed: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        if begun < self.next {
            return false;
        }
        let found = changed();
        self.next = Instant::now() + (begun.elapsed() * 100).clamp(CHECK_EVERY, CHECK_AT_LEAST_EVERY);
        found
    }
}

/// Time limit of a worker: at the limit the worker gets a signal, and after a grace period it is killed.
struct Timeout {
    clock: Instant,
    timeout: Option<Duration>,
    signalled: Option<Instant>,
}

impl Timeout {
    fn left(&self) -> Option<Duration> {
        let end = match self.signalled {
            Some(signalled) => signalled + GRACE,
            None => self.clock + self.timeout?,
        };
        Some(end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
    }

    fn signal(&mut self) -> Option<Signal> {
        match self.signalled {
            Some(signalled) => (signalled.elapsed() >= GRACE).then_some(Signal::KILL),
            None if self.clock.elapsed() >= self.timeout? => {
                self.signalled = Some(Instant::now());
                Some(Signal::TERM)
            }
            None => None,
        }
    }
}

/// Warning about the first line of a worker's events that is not an event.
fn malformed(line: &[u8], error: &serde_json::Error) -> WorkerEvent {
    let text: String = String::from_utf8_lossy(line).trim().chars().take(QUOTED_EVENT).collect();
    let message = format!("`{}` is not a valid event and is ignored, like others: {error}", plain(&text));
    WorkerEvent::Log { level: Level::Warning, message }
}

/// Splits bytes into lines; lines that are too long are dropped.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    dropping: bool,
}

impl Lines {
    fn read(&mut self, mut from: &PipeReader, each: &mut impl FnMut(&[u8])) {
        let mut buffer = [0; READ];
        for _ in 0..READS {
            let Ok(count @ 1..) = from.read(&mut buffer) else { return };
            self.feed(&buffer[..count], each);
        }
    }

    /// Reads the last line, which may lack its end.
    fn finish(&mut self, each: &mut impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            self.feed(b"\n", each);
        }
    }

    fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.dropping {
                self.line.extend_from_slice(part);
            }
            self.dropping |= self.line.len() > LONGEST_EVENT;
            if part.ends_with(b"\n") {
                if !self.dropping {
                    each(&self.line);
                }
                self.line.clear();
                self.dropping = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_complete_however_their_bytes_arrive_and_overlong_ones_are_dropped() {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        let long = vec![b'x'; LONGEST_EVENT + 1];
        for bytes in [&b"on"[..], b"e\ntwo\nthr", b"ee\n", &long, b"\nfour\n"] {
            lines.feed(bytes, &mut |line| heard.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(heard, ["one\n", "two\n", "three\n", "four\n"]);
    }
}
