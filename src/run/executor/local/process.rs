//! One worker process: started in a process group of its own, heard, waited for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Doing, Error, Result};
use callsheet_worker::protocol::{EVENTS_VARIABLE, WorkerEvent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use wait4::Wait4;

use super::supervisor::Supervisor;
use crate::run::log::Log;

/// A longer line is no event.
const LONGEST_EVENT: usize = 1 << 20;

/// Bytes read from a pipe at once.
const READ: usize = 1 << 13;

/// A worker that is told to end has this long.
const GRACE: Duration = Duration::from_secs(10);

/// Program to start, and its surroundings.
pub(in crate::run) struct Job<'a> {
    /// The program as an absolute path, and its arguments.
    pub command: Vec<OsString>,
    /// The whole environment.
    pub environment: BTreeMap<String, OsString>,
    /// The worker's current folder.
    pub folder: &'a Path,
    /// File that stdout and stderr go to.
    pub log: &'a Path,
    /// Ended when it takes longer.
    pub timeout: Option<Duration>,
}

/// End of a worker.
pub(in crate::run) struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its largest resident size in bytes.
    pub peak_memory: u64,
    /// The error it reported, as message and help.
    pub error: Option<(String, String)>,
    /// True if it took longer than its timeout.
    pub timed_out: bool,
}

/// Runs a job to its end and hands every event to `said`. Whatever the worker started and left in
/// its process group ends with it.
///
/// # Errors
/// When the program cannot be started or heard.
pub(in crate::run) fn work(
    job: &Job,
    supervisor: &Supervisor,
    mut said: impl FnMut(WorkerEvent),
) -> Result<Ended> {
    let pipe = || io::pipe().doing("cannot open a pipe for", job.folder);
    // The writing end is kept: a worker opens the pipe by its name, as often as it likes.
    let (events, name) = pipe()?;
    unblock(&events)?;
    let (output, both) = pipe()?;
    unblock(&output)?;
    let mut log = Log::new(job.log);
    let worker = Worker::start(job, both, &name, supervisor)?;
    let id = worker.id;

    let mut error = None;
    let mut lines = Lines::default();
    let mut hear = |line: &[u8]| {
        // Anything else than an event is the worker's mistake, not the run's.
        let Ok(event) = serde_json::from_slice::<WorkerEvent>(line) else { return };
        if let WorkerEvent::Error { message, help } = &event {
            error = Some((message.clone(), help.clone()));
        }
        said(event);
    };
    let mut output = Some(output);
    let clock = Instant::now();
    let mut patience = Patience { clock, timeout: job.timeout, told: None };
    let ended =
        pidfd_open(id, PidfdFlags::empty()).map_err(io::Error::from).doing("cannot wait for", job.folder)?;
    loop {
        let mut watched = vec![PollFd::new(&ended, PollFlags::IN), PollFd::new(&events, PollFlags::IN)];
        watched.extend(output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
        let wait = patience.left().map(|left| Timespec::try_from(left).unwrap_or(LONG));
        match poll(&mut watched, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error)).doing("cannot wait for", job.folder),
        }
        let over = watched[0].revents().contains(PollFlags::IN);
        drop(watched);
        if over {
            break;
        }
        lines.read(&events, &mut hear);
        read_output(&mut output, &mut log)?;
        if let Some(signal) = patience.signal() {
            let _ = kill_process_group(id, signal);
        }
    }
    // The child is not reaped yet, so that its id cannot be another's.
    let _ = kill_process_group(id, Signal::KILL);
    lines.read(&events, &mut hear);
    read_output(&mut output, &mut log)?;
    log.finish()?;
    let (status, peak_memory) = worker.reap().doing("cannot wait for", job.folder)?;
    Ok(Ended { status, peak_memory, error, timed_out: patience.told.is_some() })
}

/// A started worker. Dropped before it is reaped, it and its process group are killed.
struct Worker<'a> {
    child: Option<Child>,
    id: Pid,
    supervisor: &'a Supervisor,
}

impl<'a> Worker<'a> {
    fn start(job: &Job, both: PipeWriter, events: &PipeWriter, supervisor: &'a Supervisor) -> Result<Self> {
        let child = start(job, both, events)?;
        let id = Pid::from_child(&child);
        supervisor.add(id);
        Ok(Self { child: Some(child), id, supervisor })
    }

    /// Its exit status, and its largest resident size in bytes.
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

const LONG: Timespec = Timespec { tv_sec: 3600, tv_nsec: 0 };

fn unblock(pipe: &PipeReader) -> Result<()> {
    rustix::io::ioctl_fionbio(pipe, true).map_err(io::Error::from).doing("cannot read from", "a pipe")
}

fn start(job: &Job, both: PipeWriter, events: &PipeWriter) -> Result<Child> {
    let mut command = Command::new(&job.command[0]);
    command.args(&job.command[1..]).current_dir(job.folder).env_clear().envs(&job.environment);
    let events = format!("/proc/{}/fd/{}", std::process::id(), events.as_raw_fd());
    command.env(EVENTS_VARIABLE, events);
    let other = both.try_clone().doing("cannot open a pipe for", job.folder)?;
    command.stdin(Stdio::null()).stdout(both).stderr(other).process_group(0);
    command.spawn().map_err(|error| {
        let name = Path::new(&job.command[0]).display();
        let (code, help) = match error.kind() {
            io::ErrorKind::NotFound => (Code::MissingProgram, "install it, or correct the stage's command"),
            _ => (Code::Io, "is it a program for this machine, and may you run it?"),
        };
        Error::refused(code, format!("cannot start {name}: {error}"), help)
    })
}

/// Reads what there is; at its end the pipe is dropped.
fn read_output(output: &mut Option<PipeReader>, log: &mut Log) -> Result<()> {
    let mut buffer = [0; READ];
    while let Some(pipe) = output {
        match pipe.read(&mut buffer) {
            Ok(0) => *output = None,
            Ok(count) => log.write(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// Time that a worker may still take: at its timeout it gets a signal, and after a grace period it is killed.
struct Patience {
    clock: Instant,
    timeout: Option<Duration>,
    told: Option<Instant>,
}

impl Patience {
    fn left(&self) -> Option<Duration> {
        let end = match self.told {
            Some(told) => told + GRACE,
            None => self.clock + self.timeout?,
        };
        Some(end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
    }

    fn signal(&mut self) -> Option<Signal> {
        match self.told {
            Some(told) => (told.elapsed() >= GRACE).then_some(Signal::KILL),
            None if self.clock.elapsed() >= self.timeout? => {
                self.told = Some(Instant::now());
                Some(Signal::TERM)
            }
            None => None,
        }
    }
}

/// Bytes into lines; too long ones are dropped.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    dropping: bool,
}

impl Lines {
    fn read(&mut self, mut from: &PipeReader, each: &mut impl FnMut(&[u8])) {
        let mut buffer = [0; READ];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.feed(&buffer[..count], each);
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
    fn lines_are_whole_however_they_arrive_and_too_long_ones_are_dropped() {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        let long = vec![b'x'; LONGEST_EVENT + 1];
        for bytes in [&b"on"[..], b"e\ntwo\nthr", b"ee\n", &long, b"\nfour\n"] {
            lines.feed(bytes, &mut |line| heard.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(heard, ["one\n", "two\n", "three\n", "four\n"]);
    }
}
