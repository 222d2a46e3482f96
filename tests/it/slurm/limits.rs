//! Jobs that meet limits of the cluster: a full quota, no restarts, nodes that nobody may use, and the end of their time.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::cluster::{Cluster, write_program};
use super::faults::{instances, on_lab};
use super::time::{check_time_up, interrupt, logs, running};
use super::{layers, minimal};
use crate::support::{MAIN, until};

/// Replaces a program of Slurm, for callsheet and for its jobs.
fn replace(cluster: &Cluster, name: &str, script: &str) {
    write_program(&cluster.path(&format!("counting/{name}")), &format!("#!/bin/sh\n{script}\n"));
}

#[test]
fn a_quota_that_is_full_on_a_node_fails_the_stage_and_nothing_is_recorded() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return;
    }
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    let settings = project.read("callsheet.toml");
    let wrap = "wrap = [\"strace\", \"-f\", \"-o\", \"/dev/null\", \"-e\", \"trace=fsync,fdatasync\", \
                \"-e\", \"inject=fsync,fdatasync:error=EDQUOT\"]\n";
    project.write("callsheet.toml", &format!("{settings}{wrap}"));
    let (code, said) = cluster.callsheet(&project, &on_lab());
    assert!(code == Some(1) && said.contains("Disk quota exceeded"), "{said}");
    assert_eq!(cluster.group.entries("actions").len(), 0);
    project.write("callsheet.toml", &settings);
    assert_eq!(cluster.run(&project, &MAIN).ran(), ["copy"]);
    project.status(&["verify"], 0);
}

/// A training whose job must not, or cannot, let the cluster start it again.
fn check_without_requeue(script: &str) {
    let Some(cluster) = Cluster::start(1) else { return };
    replace(&cluster, "scontrol", script);
    check_time_up(&cluster);
    assert_eq!(cluster.calls("sbatch"), 2, "the engine submits it again");
}

#[test]
fn a_training_goes_on_in_another_job_where_requeue_is_forbidden() {
    check_without_requeue("echo 'Requested operation is presently disabled for job 1' >&2; exit 1");
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
fn a_training_goes_on_in_another_job_where_nodes_have_no_scontrol() {
    check_without_requeue("echo 'scontrol: not found' >&2; exit 127");
}

#[test]
#[ignore = "takes a minute: `make test-slurm`"]
fn drained_nodes_and_held_jobs_are_reported_in_words() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    let nodes = |state: &str| {
        cluster.slurm(&["scontrol", "update", "NodeName=n1,n2", &format!("State={state}"), "Reason=test"])
    };
    nodes("DRAIN");
    let run = cluster.start_in(&project, &on_lab());
    let mut job = String::new();
    until("a job that waits", || {
        job = cluster.slurm(&["squeue", "-h", "-o", "%A"]).trim().to_owned();
        !job.is_empty()
    });
    sleep(Duration::from_secs(12));
    cluster.slurm(&["scontrol", "hold", &job]);
    nodes("RESUME");
    sleep(Duration::from_secs(12));
    cluster.slurm(&["scontrol", "release", &job]);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("down, drained or reserved"), "{said}");
    assert!(said.contains("holds it") || said.contains("it is held"), "{said}");
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
fn a_job_that_is_started_again_performs_only_the_tasks_that_are_left() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(6, "echo began; sleep 2; echo \"$2\" > \"$1\"\n");
    cluster.attach(&project, "");
    cluster.run(&project, &MAIN);
    // The durations are known now: one job performs all instances.
    let stage = project.read("stages/nap/stage.toml").replace("version = 1", "version = 2");
    project.write("stages/nap/stage.toml", &format!("{stage}[history]\n2 = \"again\"\n"));
    let before = logs(&project).len();
    let run = cluster.start_in(&project, &on_lab());
    until("a running job", || running(&cluster));
    let job = cluster.slurm(&["squeue", "-h", "-t", "RUNNING", "-o", "%A"]);
    sleep(Duration::from_secs(5));
    cluster.slurm(&["scontrol", "requeue", job.trim()]);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("6 stages run"), "{said}");
    assert_eq!(cluster.calls("sbatch"), 2, "{said}");
    let after = logs(&project).len() - before;
    assert!(after == 7, "only the task that was killed was begun twice: {:?}", logs(&project));
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
fn the_job_of_an_engine_whose_time_is_up_is_started_again_and_goes_on() {
    let Some(cluster) = Cluster::start(2) else { return };
    let project = layers();
    cluster.attach(&project, "");
    let (code, said) = cluster.callsheet(&project, &[&on_lab()[..], &["--detach"]].concat());
    assert!(code == Some(0), "{said}");
    let named = |name: &str| cluster.slurm(&["squeue", "-h", "-t", "RUNNING", "-o", "%A %j"]).contains(name);
    until("a job of the engine", || named(" cs-engine") && named(" cs-") && cluster.calls("sbatch") > 1);
    let listed = cluster.slurm(&["squeue", "-h", "-t", "RUNNING", "-o", "%A %j"]);
    let engine = listed.lines().find(|line| line.contains("cs-engine")).expect("an engine");
    let id = engine.split(' ').next().expect("an id");
    cluster.slurm(&["scancel", "--batch", "--signal=USR2", id]);
    for _ in 0..6 {
        if cluster.slurm(&["squeue", "-h"]).is_empty() {
            break;
        }
        sleep(Duration::from_secs(10));
    }
    assert_eq!(cluster.run(&project, &MAIN).ran(), [""; 0]);
    assert_eq!(cluster.calls("sbatch"), 4, "one for the engine, and one for each stage");
}

#[test]
fn a_check_of_an_executor_that_is_interrupted_leaves_no_job() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    cluster.slurm(&["sbatch", "--array=0-1", "-o", "/dev/null", "--wrap", "sleep 600"]);
    until("a full cluster", || running(&cluster));
    let check = cluster.start_in(&project, &["executors", "check", "lab"]);
    let waits = || cluster.slurm(&["squeue", "-h", "-t", "PENDING"]).lines().count() > 0;
    until("jobs that wait", waits);
    interrupt(&check);
    assert!(!check.wait_with_output().expect("ended").status.success());
    until("no job that waits", || !waits());
}

#[test]
fn a_limit_of_the_number_of_jobs_makes_submissions_smaller() {
    let Some(cluster) = Cluster::start(4) else { return };
    let project = instances(6, "echo \"$2\" > \"$1\"\n");
    cluster.attach(&project, "");
    replace(
        &cluster,
        "sbatch",
        "case \"$*\" in *--array=0-[3-9]*) echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1;; esac\n\
         exec /usr/bin/sbatch \"$@\"",
    );
    let (code, said) = cluster.callsheet(&project, &on_lab());
    assert!(code == Some(0) && said.contains("6 stages run"), "{said}");
    assert!(said.contains("Slurm does not accept jobs now and is asked again: QOSMaxSubmit"), "{said}");
    let folders = fs::read_dir(project.path("data/store/runs")).expect("runs").flatten();
    let jobs = folders.flat_map(|run| fs::read_dir(run.path().join("jobs")).into_iter().flatten());
    assert!(jobs.count() <= 3, "refused submissions leave no files");
}

#[test]
fn ctrl_c_does_not_wait_for_a_program_of_slurm_that_does_not_answer() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    replace(&cluster, "sbatch", "exec sleep 300");
    let run = cluster.start_in(&project, &on_lab());
    sleep(Duration::from_secs(2));
    let clock = std::time::Instant::now();
    interrupt(&run);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(130) && clock.elapsed() < Duration::from_secs(15), "{said}");
}

#[test]
fn a_submission_that_cannot_be_written_fails_its_own_stages_only() {
    let Some(cluster) = Cluster::start(2) else { return };
    let project = layers();
    cluster.attach(&project, "");
    project.write("stages/copy/copy.sh", "sleep 6; cat \"$2\" > \"$1\"\n");
    let run = cluster.start_in(&project, &on_lab());
    until("a running job", || running(&cluster));
    let runs = project.path("data/store/runs");
    let run_dir = fs::read_dir(&runs).expect("runs").next().expect("a run").expect("a run").path();
    let first = fs::read_dir(run_dir.join("jobs")).expect("jobs").next().expect("a submission").expect("one");
    let name = first.file_name().to_string_lossy().into_owned();
    // The folder of the next submission cannot be created.
    fs::write(run_dir.join("jobs").join(format!("{}1", name.strip_suffix('0').expect("the first"))), "")
        .expect("written");
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("copy: done") && said.contains("second: FAILED: cannot create"), "{said}");
}
