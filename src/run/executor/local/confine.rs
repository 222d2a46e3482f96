//! Confines workers: a worker writes only to its own folders, so raw files and results survive its mistakes.
//!
//! The kernel enforces this with Landlock (Linux 5.13 or later). On older kernels workers are not confined; changed
//! inputs are still found when the worker ends.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError,
};

/// Version of Landlock that restricts truncation and renaming; on a kernel with an earlier one the rest is enforced.
const VERSION: ABI = ABI::V4;

/// Folders of the system that every worker may write to: devices, and the caches of GPU drivers and libraries.
const SYSTEM: [&str; 2] = ["/dev", "/proc/self"];
const OF_HOME: [&str; 4] = [".cache", ".config/matplotlib", ".nv", ".triton"];
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Folders that a worker may write to in addition to its own: caches, and temporary folders unless `project` or
/// `data` is inside of one.
pub(in crate::run) fn shared_folders(project: &Path, data: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let caches = home.iter().flat_map(|home| OF_HOME.map(|name| home.join(name)));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let temporary =
        TEMPORARY.map(PathBuf::from).into_iter().chain(std::env::var_os("TMPDIR").map(PathBuf::from));
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = [project, data, &data.join("store"), &data.join("raw"), &data.join("out")].map(real);
    let holds_none = |folder: &PathBuf| !own.iter().any(|path| path.starts_with(real(folder)));
    SYSTEM
        .map(PathBuf::from)
        .into_iter()
        .chain(caches)
        .chain(cache)
        .chain(temporary)
        .filter(holds_none)
        .collect()
}

/// Starts a command that can write only below `writable`. Folders that do not exist are left out.
///
/// # Errors
/// Returns an error if the command cannot be started.
pub(super) fn spawn(command: &mut Command, writable: &[PathBuf]) -> io::Result<Child> {
    // The restriction holds for a thread and the processes that it starts, so a thread of its own starts the worker.
    thread::scope(|scope| {
        let start = scope.spawn(|| {
            // A kernel without Landlock reports success; other errors must not prevent the run.
            let _ = restrict(writable);
            command.spawn()
        });
        start.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts the worker panicked")))
    })
}

fn restrict(writable: &[PathBuf]) -> Result<(), RulesetError> {
    let write = AccessFs::from_write(VERSION);
    let mut rules =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(write)?.create()?;
    for folder in writable.iter().filter_map(|path| PathFd::new(path).ok()) {
        rules = rules.add_rule(PathBeneath::new(folder, write))?;
    }
    rules.restrict_self().map(drop)
}
