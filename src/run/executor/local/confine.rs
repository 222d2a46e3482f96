//! Confines workers: a worker writes only to its own folders, so raw files and results survive its mistakes. In a strict
//! sandbox it also reads only what it may.
//!
//! The kernel enforces this with Landlock (Linux 5.13 or later).

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, path_beneath_rules,
};

/// Version of Landlock that restricts truncation and renaming; on a kernel with an earlier one the rest is enforced.
const VERSION: ABI = ABI::V4;

/// Environment variable with which the tests run as on a kernel without Landlock.
const WITHOUT: &str = "CALLSHEET_TEST_WITHOUT_LANDLOCK";

/// Files and folders that a worker may access. Those that do not exist are left out.
#[derive(Debug, Default)]
pub(in crate::run) struct Access {
    /// Folders that the worker may write to and read.
    pub writable: Vec<PathBuf>,
    /// Files and folders that the worker may only read; `None` allows it to read all files.
    pub readable: Option<Vec<PathBuf>>,
    /// Folders whose entries the worker may list, if it may not read all files.
    pub listable: Vec<PathBuf>,
}

/// Returns true if the kernel can confine workers.
pub(in crate::run) fn can_confine() -> bool {
    let ruleset = || {
        let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        hard.handle_access(AccessFs::from_write(ABI::V1))?.create()
    };
    std::env::var_os(WITHOUT).is_none() && ruleset().is_ok()
}

/// Starts a command; if `access` is given, the command can access nothing else.
///
/// # Errors
/// Returns an error if the command cannot be started.
pub(super) fn spawn(command: &mut Command, access: Option<&Access>) -> io::Result<Child> {
    let Some(access) = access else { return command.spawn() };
    // The restriction holds for a thread and the processes that it starts, so a thread of its own starts the worker.
    thread::scope(|scope| {
        let start = scope.spawn(|| {
            restrict(access).map_err(io::Error::other)?;
            command.spawn()
        });
        start.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts the worker panicked")))
    })
}

fn restrict(access: &Access) -> Result<(), RulesetError> {
    let write = AccessFs::from_write(VERSION);
    let all = if access.readable.is_some() { AccessFs::from_all(VERSION) } else { write };
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?.create()?;
    let mut rules = rules.add_rules(path_beneath_rules(&access.writable, all))?;
    if let Some(readable) = &access.readable {
        rules = rules
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(VERSION)))?
            .add_rules(path_beneath_rules(&access.listable, AccessFs::ReadDir))?;
    }
    rules.restrict_self().map(drop)
}

/// Returns the first existing path in a text about denied access that the sandbox of a worker denies: a quoted text,
/// or the end of a line, or a word. The current folder of the worker is `folder`.
pub(in crate::run) fn denied_path(text: &str, folder: &Path, access: &Access) -> Option<PathBuf> {
    let readable = access.readable.as_ref()?;
    let allowed: Vec<PathBuf> = readable.iter().chain(&access.writable).map(|path| real(path)).collect();
    // A message may name a folder above the worker's own for another reason.
    let is_denied =
        |path: &Path| !folder.starts_with(path) && !allowed.iter().any(|open| path.starts_with(open));
    let lines = text.lines().filter(|line| line.to_lowercase().contains("permission denied"));
    let candidates = lines.flat_map(|line| {
        let quoted = line.split(['\'', '"', '`']).skip(1).step_by(2);
        let parts = line.split(": ").flat_map(|part| {
            let ends = part.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| &part[at..]);
            ends.chain(part.split_whitespace())
        });
        quoted.chain(parts).collect::<Vec<_>>()
    });
    let paths = candidates
        .filter(|text| text.starts_with('/'))
        .map(|text| text.trim_end_matches([':', ',', '.', ')']));
    let mut found = paths.filter_map(|path| std::fs::canonicalize(path).ok());
    found.find(|path| is_denied(path))
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
