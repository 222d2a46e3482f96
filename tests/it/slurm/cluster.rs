//! A real Slurm of two nodes on this machine, and projects that use it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::shared::Group;
use crate::support::{Project, Run};

/// A cluster of its own for one test.
pub(super) struct Cluster {
    root: tempfile::TempDir,
    /// Folder of programs that count the calls of Slurm's programs.
    counting: PathBuf,
    pub group: Group,
}

/// Programs of Slurm whose calls are counted.
const COUNTED: [&str; 6] = ["sbatch", "squeue", "scancel", "scontrol", "srun", "sacct"];

impl Cluster {
    /// Starts a cluster with this number of CPUs per node; `None`, with a message, if this machine has no Slurm.
    pub(super) fn start(cpus: usize) -> Option<Self> {
        Self::start_with(&[("SLURM_CPUS", &cpus.to_string())])
    }

    /// Starts a cluster with these variables of `tests/slurm/up.sh`.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(super) fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let root = tempfile::Builder::new().prefix("cs").tempdir().expect("a folder");
        let mut up = script("up.sh");
        let output = up.arg(root.path()).envs(variables.iter().copied()).output().expect("bash starts");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(std::env::var_os("CALLSHEET_SLURM").is_none(), "{said}");
            eprintln!("skipped: {said}");
            return None;
        }
        let counting = root.path().join("counting");
        fs::create_dir(&counting).expect("created");
        for name in COUNTED {
            let path = counting.join(name);
            let text = format!(
                "#!/bin/sh\necho \"$(date +%s) {name} $*\" >> '{0}/calls'\nPATH=${{PATH#{0}/counting:}} exec {name} \"$@\"\n",
                root.path().display()
            );
            write_program(&path, &text);
        }
        Some(Self { root, counting, group: Group::new() })
    }

    /// Environment in which Slurm's programs find this cluster.
    fn variables(&self) -> [(String, String); 2] {
        let path = std::env::var("PATH").expect("PATH");
        [
            ("SLURM_CONF".to_owned(), self.path("slurm.conf").display().to_string()),
            ("PATH".to_owned(), format!("{}:{path}:/usr/sbin", self.counting.display())),
        ]
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// A program of Slurm, or callsheet in a project, that finds this cluster.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.variables());
        command
    }

    /// Output of a program of Slurm.
    pub(super) fn slurm(&self, words: &[&str]) -> String {
        let output = self.command(words[0]).args(&words[1..]).output().expect("Slurm starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Calls of a program of Slurm by callsheet and its jobs.
    pub(super) fn calls(&self, program: &str) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.split(' ').nth(1) == Some(program)).count()
    }

    /// Lets a project use the shared store of the cluster, and an executor `lab` with these settings.
    pub(super) fn attach(&self, project: &Project, settings: &str) {
        self.group.attach(project);
        let file = project.read("callsheet.toml");
        project.write("callsheet.toml", &format!("{file}\n[executors.lab]\nkind = \"slurm\"\n{settings}\n"));
    }

    /// Starts callsheet in a project.
    pub(super) fn start_in(&self, project: &Project, words: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_callsheet"));
        command.args(words).current_dir(project.path(""));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("callsheet starts")
    }

    /// Runs callsheet in a project. Returns its exit code and its output.
    pub(super) fn callsheet(&self, project: &Project, words: &[&str]) -> (Option<i32>, String) {
        let output = self.start_in(project, words).wait_with_output().expect("ended");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), said.concat())
    }

    /// Runs a pipeline on the cluster, which must succeed.
    pub(super) fn run(&self, project: &Project, words: &[&str]) -> Run {
        let words = [&["run", "--json", "--on", "lab"], words].concat();
        let output = self.start_in(project, &words).wait_with_output().expect("ended");
        Run::parse(&output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = script("down.sh").arg(self.root.path()).stdout(Stdio::null()).status();
    }
}

/// Writes a program.
pub(super) fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("changed");
}

fn script(name: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm").join(name));
    bash
}
