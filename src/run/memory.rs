//! Processes that the kernel kills because the memory of a control group is used up: of a job on a cluster, a container, or a
//! unit of systemd.

use std::fs;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::Error;

use crate::declare::Bytes;

/// Files of a control group.
struct Group {
    /// File with the line `oom_kill NUMBER`.
    kills: PathBuf,
    /// File with the limit in bytes.
    limit: PathBuf,
}

/// Number of processes that the kernel has killed in the control group of this process; `None` without such a group.
pub(super) fn killed_processes() -> Option<u64> {
    count(&fs::read_to_string(group()?.kills).ok()?)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// Error of a worker that failed, if the kernel has killed processes of this group since there were `before`.
pub(super) fn out_of_memory(before: Option<u64>, stage: &str) -> Option<Error> {
    if killed_processes()? <= before? {
        return None;
    }
    let limit = fs::read_to_string(group()?.limit).ok().and_then(|text| text.trim().parse().ok());
    let limit = limit.map(|limit| format!(" of {}", Bytes(limit))).unwrap_or_default();
    Some(Error::user_error(
        Code::Resources,
        format!(
            "the kernel killed a process while the worker of stage `{stage}` ran, because the memory{limit} of its job is used up"
        ),
        "raise `memory` under `resources` of the stage, or let the stage use less",
    ))
}

/// Control group of this process: the one of version 2, or of the memory controller of version 1.
fn group() -> Option<Group> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let of = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (folder, kills, limit) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.events", "memory.max"),
            all if all.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.oom_control", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // In a container, the group may be mounted as the root.
        let folders = [PathBuf::from(folder).join(path), PathBuf::from(folder)];
        let folder = folders.into_iter().find(|folder| folder.join(kills).is_file())?;
        Some(Group { kills: folder.join(kills), limit: folder.join(limit) })
    };
    groups.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_read_in_both_versions_of_control_groups() {
        assert_eq!(count("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\n"), None);
    }
}
