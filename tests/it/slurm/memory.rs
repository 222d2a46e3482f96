//! Jobs whose memory is used up.

use std::fs;
use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use super::minimal;
use crate::support::MAIN;

/// A control group with a limit of memory, for one test.
struct Group(PathBuf);

impl Group {
    /// Creates the group; `None`, with a message, if this machine does not allow it.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("callsheet-{}", std::process::id());
        let versions = [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        let made = versions.into_iter().find_map(|(root, limit)| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self(folder);
            // With version 1 of control groups, the first root is an ordinary folder.
            group.0.join("cgroup.procs").exists().then_some(())?;
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            let _ = fs::write(group.0.join("memory.swap.max"), "0");
            Some(group)
        });
        if made.is_none() {
            eprintln!("skipped: control groups cannot be created here");
        }
        made
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_worker_that_uses_up_the_memory_of_its_job_is_reported_with_the_limit() {
    let Some(cluster) = Cluster::start(1) else { return };
    let Some(group) = Group::new(300 << 20) else { return };
    let project = minimal();
    let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
    cluster.attach(&project, &format!("setup = [{join:?}]"));
    project.write("stages/copy/copy.sh", "python3 -c \"x = b'x' * 10**9; print(len(x))\"\n");
    let (code, said) = cluster.callsheet(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the memory of 314.6 MB of its job is used up"), "{said}");
    assert!(said.contains("raise `memory`"), "{said}");
}
