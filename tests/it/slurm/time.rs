//! Jobs that are stopped: by the user, and by the limit of their time.

use std::path::PathBuf;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::cluster::Cluster;
use super::minimal;
use crate::support::{MAIN, Project, until};

/// A training: `count` steps of a tenth of a second, whose result depends on all of them. It writes a checkpoint every
/// second, and when it is asked to end.
const TRAIN: &str = "import hashlib, os, signal, sys, time
out, scratch, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
path = os.path.join(scratch, 'state')
step, state = open(path).read().split() if os.path.exists(path) else ('0', '')
step = int(step)
print('began at', step, flush=True)
while step < count and not ended:
    state = hashlib.sha256(f'{state} {step}'.encode()).hexdigest()
    step += 1
    time.sleep(0.1)
    if step % 10 == 0 or ended:
        open(path + '.draft', 'w').write(f'{step} {state}')
        os.rename(path + '.draft', path)
if step < count:
    sys.exit(1)
open(out, 'w').write(state)
";

/// A project with one training of this many steps, whose jobs have the limit `time`.
pub(super) fn training(steps: usize, time: &str) -> Project {
    let project = minimal();
    let stage = project.read("stages/copy/stage.toml");
    let command =
        format!("command = [\"python3\", \"train.py\", \"{{outputs.copy}}\", \"{{scratch}}\", \"{steps}\"]");
    let rest = stage.lines().filter(|line| !line.starts_with("command"));
    let stage: String = rest.map(|line| format!("{line}\n")).collect();
    let stage = stage.replace("version = 1\n", &format!("version = 1\n{command}\n"));
    project.write("stages/copy/stage.toml", &format!("{stage}[resources]\ntime = \"{time}\"\n"));
    project.write("stages/copy/train.py", TRAIN);
    project
}

pub(super) fn interrupt(run: &Child) {
    let pid = i32::try_from(run.id()).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(pid, Signal::INT).expect("sent");
}

pub(super) fn running(cluster: &Cluster) -> bool {
    cluster.slurm(&["squeue", "-h", "-t", "RUNNING"]).lines().count() > 0
}

/// Logs of all runs of a project.
pub(super) fn logs(project: &Project) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(project.path("data/store/runs"))
        .expect("runs")
        .map(|run| run.expect("a run").path());
    let logs = folder.flat_map(|run| std::fs::read_dir(run.join("logs")).expect("logs").collect::<Vec<_>>());
    logs.map(|log| log.expect("a log").path()).collect()
}

/// Steps with which the attempts at a training began.
pub(super) fn beginnings(project: &Project) -> Vec<u64> {
    let texts = logs(project).into_iter().map(|log| std::fs::read_to_string(log).expect("read"));
    let mut begun: Vec<u64> = texts
        .flat_map(|text| {
            let steps = text.lines().filter_map(|line| line.strip_prefix("began at ")?.parse().ok());
            steps.collect::<Vec<u64>>()
        })
        .collect();
    begun.sort_unstable();
    begun
}

#[test]
fn after_ctrl_c_no_job_is_left_and_the_next_run_resumes() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = training(60, "1h");
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    until("a running job", || running(&cluster));
    sleep(Duration::from_secs(3));
    let clock = Instant::now();
    interrupt(&run);
    let output = run.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    until("the end of all jobs", || cluster.slurm(&["squeue", "-h"]).is_empty());
    assert!(clock.elapsed() < Duration::from_secs(15), "{:?}", clock.elapsed());
    assert_eq!(cluster.run(&project, &MAIN).ran(), ["copy"]);
    let begun = beginnings(&project);
    assert!(begun.len() == 2 && begun[1] > 5, "{begun:?}");
}

#[test]
fn jobs_that_wait_are_cancelled_by_ctrl_c() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = training(600, "1h");
    cluster.attach(&project, "");
    cluster.slurm(&["sbatch", "--array=0-1", "-o", "/dev/null", "--wrap", "sleep 600"]);
    until("a full cluster", || running(&cluster));
    let run = cluster.start_in(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    until("a job that waits", || {
        cluster.slurm(&["squeue", "-h", "-t", "PENDING", "-o", "%j"]).contains("cs-")
    });
    interrupt(&run);
    let output = run.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!cluster.slurm(&["squeue", "-h", "-o", "%j"]).contains("cs-"));
}

#[test]
fn a_training_whose_time_is_up_is_started_again_and_ends_with_the_same_bits() {
    let Some(cluster) = Cluster::start(1) else { return };
    check_time_up(&cluster);
    assert_eq!((cluster.calls("sbatch"), cluster.calls("scontrol")), (1, 1));
}

/// Announces the end of the time of a training's job: another attempt resumes, and ends with the bits of one go.
pub(super) fn check_time_up(cluster: &Cluster) {
    let (project, local) = (training(80, "1h"), training(80, "1h"));
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    until("a running job", || running(cluster));
    sleep(Duration::from_secs(3));
    let job = cluster.slurm(&["squeue", "-h", "-o", "%A"]);
    cluster.slurm(&["scancel", "--batch", "--signal=USR2", job.trim()]);
    let output = run.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let begun = beginnings(&project);
    assert!(begun.len() == 2 && begun[1] > 5, "{begun:?}");
    local.run(&MAIN);
    assert_eq!(project.latest("copy.copy"), local.latest("copy.copy"));
}

#[test]
fn a_stage_without_checkpoints_whose_time_is_up_fails_with_the_remedy() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    project.write("stages/copy/copy.sh", "sleep 60\n");
    let run = cluster.start_in(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    until("a running job", || running(&cluster));
    sleep(Duration::from_secs(2));
    let job = cluster.slurm(&["squeue", "-h", "-o", "%A"]);
    cluster.slurm(&["scancel", "--batch", "--signal=USR2", job.trim()]);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("callsheet::timeout") && said.contains("raise `time`"), "{said}");
}

#[test]
#[ignore = "takes nine minutes: `make test-slurm`"]
fn a_training_of_six_minutes_in_jobs_of_two_minutes_ends_with_the_same_bits() {
    let Some(cluster) = Cluster::start(1) else { return };
    let (project, local) = (training(3600, "2m"), training(3600, "2m"));
    cluster.attach(&project, "");
    let in_one_go = std::thread::spawn(move || {
        local.run(&MAIN);
        local
    });
    assert_eq!(cluster.run(&project, &MAIN).ran(), ["copy"]);
    let begun = beginnings(&project);
    assert!(begun.len() > 3 && cluster.calls("sbatch") == 1, "{begun:?}");
    let local = in_one_go.join().expect("a run on one machine");
    assert_eq!(project.latest("copy.copy"), local.latest("copy.copy"));
}
