//! Files and folders that the worker of an action may access.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use callsheet_worker::protocol::WorkRequest;

use super::executor::local::Access;
use crate::declare::{Project, Sandbox, StageDecl};

/// Files and folders that every worker may write to: its own process, its terminal, and devices by the beginnings of
/// their names.
const SYSTEM: [&str; 2] = ["/proc/self", "/dev/tty"];
const DEVICES: [&str; 15] = [
    "dri",
    "full",
    "fuse",
    "infiniband",
    "kfd",
    "mqueue",
    "null",
    "nvidia",
    "pt",
    "random",
    "shm",
    "ttyACM",
    "ttyUSB",
    "urandom",
    "zero",
];
/// Folders of the home folder that every worker may write to: caches of GPU drivers and libraries.
const OF_HOME: [&str; 4] = [".cache", ".config/matplotlib", ".nv", ".triton"];
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Folders of the system that every worker may read in a strict sandbox.
const SYSTEM_READ: [&str; 14] = [
    "/bin", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc", "/run", "/sbin", "/snap", "/sys",
    "/usr", "/var/lib",
];

/// File or folder that every worker may write to. Its real path is resolved once for all workers of a run.
pub(super) struct SharedFolder {
    pub path: PathBuf,
    real: PathBuf,
}

impl SharedFolder {
    fn new(path: PathBuf) -> Self {
        Self { real: real(&path), path }
    }

    /// Returns true if one of these paths is the folder or inside of it.
    fn holds(&self, paths: &BTreeSet<PathBuf>) -> bool {
        paths.iter().any(|path| path.starts_with(&self.real))
    }
}

/// Files and folders that a worker may write to in addition to its own: devices, caches, and temporary folders unless
/// a folder of the project is inside of one.
pub(super) fn shared_folders(project: &Project) -> Vec<SharedFolder> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let caches = home.iter().flat_map(|home| OF_HOME.map(|name| home.join(name)));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let temporary = TEMPORARY.map(PathBuf::from).into_iter().chain(env::var_os("TMPDIR").map(PathBuf::from));
    let folders = SYSTEM.map(PathBuf::from).into_iter().chain(devices()).chain(caches).chain(cache);
    let own = own_folders(&project.root, &project.data, project.store.as_deref());
    folders.chain(temporary).map(SharedFolder::new).filter(|folder| !folder.holds(&own)).collect()
}

fn devices() -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        DEVICES.iter().any(|begin| name.starts_with(begin))
    })
}

/// Folders of the project, with all links followed.
fn own_folders(project: &Path, data: &Path, store: Option<&Path>) -> BTreeSet<PathBuf> {
    let own = [project, data, &data.join("store"), &data.join("raw"), &data.join("out")];
    own.into_iter().chain(store).map(real).collect()
}

/// Returns a folder or, if it contains one of these paths, what is in it and contains none.
fn without(folder: &SharedFolder, paths: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    if !folder.holds(paths) {
        return vec![folder.path.clone()];
    }
    let inside = fs::read_dir(&folder.path).into_iter().flatten().flatten().map(|entry| entry.path());
    let inside = inside.filter(|path| !path.is_symlink());
    inside.flat_map(|path| without(&SharedFolder::new(path), paths)).collect()
}

/// Creates the cache of the user, if the home folder exists: no worker may create it.
pub(super) fn create_cache() {
    let home = env::var_os("HOME").map(PathBuf::from);
    let _ = home.map(|home| fs::create_dir(home.join(OF_HOME[0])));
}

/// Returns the shared folders of one worker, without its inputs: a raw file may be a link into a temporary folder or
/// a cache, and so may a folder of raw files.
pub(super) fn shared_by(request: &WorkRequest, shared: &[SharedFolder]) -> Vec<PathBuf> {
    let files = request.inputs.values().flat_map(|input| &input.paths);
    let folders: BTreeSet<&Path> = files.clone().filter_map(|path| path.parent()).collect();
    let links = files.filter(|path| path.is_symlink()).map(PathBuf::as_path);
    let inputs: BTreeSet<PathBuf> = folders.into_iter().chain(links).map(real).collect();
    let temporary =
        |folder: &Path| TEMPORARY.iter().any(|name| folder == Path::new(name)) || folder == env::temp_dir();
    // A temporary folder has many owners, so it is left out as a whole.
    let some = shared.iter().filter(|folder| !temporary(&folder.path) || !folder.holds(&inputs));
    some.flat_map(|folder| without(folder, &inputs)).collect()
}

/// Returns what a worker in `folder` may access; `None` if it is not confined.
pub(super) fn access(
    project: &Project,
    stage: &StageDecl,
    shared: Vec<PathBuf>,
    request: &WorkRequest,
    (program, folder): (&Path, &Path),
) -> Option<Access> {
    let outputs = request.outputs.values().filter_map(|path| path.parent());
    let own = [folder, &*request.scratch].into_iter().chain(outputs).map(Path::to_owned);
    let writable = shared.into_iter().chain(own).collect();
    match project.sandbox {
        Sandbox::Off => None,
        Sandbox::On => Some(Access { writable, ..Access::default() }),
        Sandbox::Strict => {
            let code = stage.code.iter().filter_map(|(_, path)| path.parent()).map(Path::to_owned);
            let own = project.root.join(&project.stages).join(&stage.name);
            let listable = code.chain([own]).collect::<BTreeSet<_>>().into_iter().collect();
            let readable = Some(readable(project, stage, request, program));
            Some(Access { writable, readable, listable })
        }
    }
}

/// Files and folders that a worker may read in a strict sandbox.
fn readable(project: &Project, stage: &StageDecl, request: &WorkRequest, program: &Path) -> Vec<PathBuf> {
    let own = own_folders(&project.root, &project.data, project.store.as_deref());
    let path = project.search_path(stage.python.as_ref());
    let libraries = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let interpreter = stage.python.as_ref().map(|python| python.programs().join("python3"));
    let programs = interpreter.into_iter().chain([program.to_owned()]);
    let programs =
        programs.flat_map(|program| [program.clone(), real(&program)].into_iter().chain(shebang(&program)));
    let folders =
        programs.filter_map(|program| program.parent().map(Path::to_owned)).chain(env::split_paths(&path));
    // The libraries of a program are next to its folder `bin`; pyenv has `shims`.
    let installations = folders.flat_map(|folder| {
        let is_part = folder.file_name().is_some_and(|name| name == "bin" || name == "shims");
        let prefix = folder.parent().filter(|_| is_part).map(Path::to_owned);
        [Some(folder), prefix].into_iter().flatten()
    });
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let installations = installations.filter(|folder| !home.starts_with(folder));
    let system = SYSTEM_READ.map(PathBuf::from).into_iter().chain(env::split_paths(&libraries));
    let system: BTreeSet<PathBuf> = system.chain(installations).collect();
    let files = request.inputs.values().flat_map(|input| &input.paths);
    let files = files.flat_map(|path| [path.clone()].into_iter().chain(segments(path)));
    let code = stage.code.iter().chain(&stage.scripts).map(|(_, path)| path.clone());
    let python = stage.python.as_ref().map(|python| python.folder.clone());
    let named = project.readable.iter().cloned().chain(python).chain([program.to_owned()]);
    let system = system.into_iter().map(SharedFolder::new);
    system.flat_map(|folder| without(&folder, &own)).chain(named).chain(files).chain(code).collect()
}

/// Files to which the links in the folder of a table lead: segments, where hard links are not possible.
fn segments(table: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(table).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.map(|entry| real(&entry.path())).collect()
}

/// Interpreter that the first line of a script names.
fn shebang(program: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    fs::File::open(program).ok()?.take(LONGEST_SHEBANG).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = String::from_utf8_lossy(line).split_whitespace().next()?.to_owned();
    Some(real(Path::new(&word)))
}

/// Bytes of a script that Linux reads to find its interpreter.
const LONGEST_SHEBANG: u64 = 256;

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
