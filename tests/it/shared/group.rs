//! A folder for a shared store, and projects that use it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Project;

/// Folder of a shared store whose runs count as dead after three seconds.
pub(crate) struct Group(tempfile::TempDir);

impl Group {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// A shared store in a new folder of `folder`.
    pub(crate) fn below(folder: &Path) -> Self {
        let folder = tempfile::tempdir_in(folder).expect("a folder");
        mode(folder.path(), 0o2775);
        let settings = "heartbeat = 0.2\nexpiry = 3.0\ngrace = 0.2\n";
        fs::write(folder.path().join("store.toml"), settings).expect("written");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Lets a project use this store.
    pub(crate) fn attach(&self, project: &Project) {
        let settings = project.read("callsheet.toml");
        project.write("callsheet.toml", &format!("store = {:?}\n{settings}", self.path()));
    }

    /// A project as [`Project::minimal`] that uses this store, and has one raw file with this text.
    pub(super) fn project(&self, text: &str) -> Project {
        let project = Project::minimal();
        project.write("data/raw/a.txt", text);
        self.attach(&project);
        project
    }

    /// A project of row-wise stages that uses this store.
    pub(super) fn rows(&self) -> Project {
        let project = Project::new();
        self.attach(&project);
        project
    }

    /// Ids of the projects that are registered.
    pub(super) fn workspaces(&self) -> BTreeSet<PathBuf> {
        let entries = self.entries("workspaces").into_iter();
        entries.filter_map(|path| path.file_stem().map(PathBuf::from)).collect()
    }

    pub(crate) fn entries(&self, folder: &str) -> Vec<PathBuf> {
        let listed = fs::read_dir(self.path().join(folder)).into_iter().flatten();
        listed.map(|entry| entry.expect("an entry").path()).collect()
    }
}

pub(super) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
}

/// Two mounts of one folder that behave like two machines: each remembers for five seconds which names exist, and a lock of
/// one is not seen by the other.
pub(super) struct Mounts {
    pub group: Group,
    mounts: Vec<tempfile::TempDir>,
}

impl Mounts {
    /// Mounts the folder; `None`, with a message, if this machine lacks bindfs or FUSE.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(super) fn new() -> Option<Self> {
        let mut all = Self { group: Group::new(), mounts: Vec::new() };
        for _ in 0..2 {
            let mount = tempfile::tempdir().expect("a folder");
            let stale = "entry_timeout=5,attr_timeout=5,negative_timeout=5";
            let mut bindfs = Command::new("bindfs");
            let made = bindfs
                .args(["-o", stale])
                .args([all.group.path(), mount.path()])
                .stderr(Stdio::null())
                .status();
            if !made.is_ok_and(|status| status.success()) {
                let needed = std::env::var_os("CALLSHEET_MOUNTS").is_some();
                assert!(
                    !needed,
                    "bindfs cannot mount: `apt-get install bindfs fuse3` as root, and allow /dev/fuse"
                );
                eprintln!("skipped: bindfs is not installed, or this machine does not allow FUSE");
                return None;
            }
            all.mounts.push(mount);
        }
        Some(all)
    }

    pub(super) fn path(&self, mount: usize) -> &Path {
        self.mounts[mount].path()
    }

    /// Lets a project use the shared store through a mount.
    pub(super) fn attach(&self, project: &Project, mount: usize) {
        let settings = project.read("callsheet.toml");
        project.write("callsheet.toml", &format!("store = {:?}\n{settings}", self.path(mount)));
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for mount in &self.mounts {
            let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(mount.path()).status();
        }
    }
}
