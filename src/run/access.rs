//! Files and folders that the worker of an action may access.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::protocol::WorkRequest;

use super::executor::local::Access;
use crate::declare::{Project, Sandbox, StageDecl};

/// Folders that every worker may write to: devices, and the caches of GPU drivers and libraries.
const SYSTEM: [&str; 2] = ["/dev", "/proc/self"];
const OF_HOME: [&str; 4] = [".cache", ".config/matplotlib", ".nv", ".triton"];
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Folders of the system that every worker may read in a strict sandbox.
const SYSTEM_READ: [&str; 14] = [
    "/bin", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc", "/run", "/sbin", "/snap", "/sys",
    "/usr", "/var/lib",
];

/// Folders that a worker may write to in addition to its own: caches, and temporary folders unless `project` or
/// `data` is inside of one.
pub(super) fn shared_folders(project: &Path, data: &Path) -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let caches = home.iter().flat_map(|home| OF_HOME.map(|name| home.join(name)));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let temporary = TEMPORARY.map(PathBuf::from).into_iter().chain(env::var_os("TMPDIR").map(PathBuf::from));
    let folders = SYSTEM.map(PathBuf::from).into_iter().chain(caches).chain(cache).chain(temporary);
    outside(folders, project, data)
}

/// Creates the cache of the user, if the home folder exists: no worker may create it.
pub(super) fn create_cache() {
    let home = env::var_os("HOME").map(PathBuf::from);
    let _ = home.map(|home| fs::create_dir(home.join(OF_HOME[0])));
}

/// Returns the folders that contain neither the project nor its data.
fn outside(folders: impl Iterator<Item = PathBuf>, project: &Path, data: &Path) -> Vec<PathBuf> {
    let own = [project, data, &data.join("store"), &data.join("raw"), &data.join("out")].map(real);
    folders.filter(|folder| !own.iter().any(|path| path.starts_with(real(folder)))).collect()
}

/// Returns the shared folders of one worker: those that contain none of its inputs. A raw file may be a link into a
/// temporary folder, and so may a folder of raw files.
pub(super) fn shared_by(request: &WorkRequest, shared: &[PathBuf]) -> Vec<PathBuf> {
    let files = request.inputs.values().flat_map(|input| &input.paths);
    let folders: BTreeSet<&Path> = files.clone().filter_map(|path| path.parent()).collect();
    let links = files.filter(|path| path.is_symlink()).map(PathBuf::as_path);
    let inputs: BTreeSet<PathBuf> = folders.into_iter().chain(links).map(real).collect();
    let holds_none = |folder: &&PathBuf| {
        let folder = real(folder);
        !inputs.iter().any(|input| input.starts_with(&folder))
    };
    shared.iter().filter(holds_none).cloned().collect()
}

/// Returns what a worker in `folder` may access; `None` if it is not confined.
pub(super) fn access(
    project: &Project,
    stage: &StageDecl,
    shared: &[PathBuf],
    request: &WorkRequest,
    (program, folder): (&Path, &Path),
) -> Option<Access> {
    let outputs = request.outputs.values().filter_map(|path| path.parent());
    let own = [folder, &*request.scratch].into_iter().chain(outputs).map(Path::to_owned);
    let writable = shared.iter().cloned().chain(own).collect();
    match project.sandbox {
        Sandbox::Off => None,
        Sandbox::On => Some(Access { writable, ..Access::default() }),
        Sandbox::Strict => {
            let listable = vec![project.root.join(&project.stages).join(&stage.name)];
            let readable = Some(readable(project, stage, request, program));
            Some(Access { writable, readable, listable })
        }
    }
}

/// Files and folders that a worker may read in a strict sandbox.
fn readable(project: &Project, stage: &StageDecl, request: &WorkRequest, program: &Path) -> Vec<PathBuf> {
    let system = outside(SYSTEM_READ.map(PathBuf::from).into_iter(), &project.root, &project.data);
    let path = project.search_path(stage.python.as_deref());
    let libraries = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let programs =
        env::split_paths(&path).chain(program.parent().map(Path::to_owned)).chain(interpreter(program));
    let installations = programs.flat_map(|folder| {
        let prefix =
            folder.file_name().filter(|name| *name == "bin").and(folder.parent()).map(Path::to_owned);
        [Some(folder), prefix].into_iter().flatten()
    });
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let installations =
        installations.filter(|folder| !home.starts_with(folder)).collect::<Vec<_>>().into_iter();
    let files = request.inputs.values().flat_map(|input| &input.paths).cloned();
    let code = stage.code.iter().chain(&stage.scripts).map(|(_, path)| path.clone());
    let found = outside(installations.chain(env::split_paths(&libraries)), &project.root, &project.data);
    let named = project.readable.iter().cloned().chain(stage.python.clone()).chain([program.to_owned()]);
    system.into_iter().chain(found).chain(named).chain(files).chain(code).collect()
}

/// Folder of the file that a program is a link to, such as the interpreter of a virtual environment.
fn interpreter(program: &Path) -> Option<PathBuf> {
    fs::canonicalize(program).ok()?.parent().map(Path::to_owned)
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
