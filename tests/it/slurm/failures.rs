//! Nodes and daemons of Slurm that fail while jobs work.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cluster::Cluster;
use super::rows::records;
use super::time::{beginnings, running, training};
use crate::support::{MAIN, until};

/// A part of a cluster that is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// The daemon of the node: the job goes on, and Slurm starts it a second time elsewhere.
    NodeDaemon,
    /// The daemon of the job.
    JobDaemon,
    /// The whole node: both daemons and the processes of the job.
    Node,
    /// The controller, which is started again.
    Controller,
}

fn process(id: &str) -> Pid {
    id.trim().parse().ok().and_then(Pid::from_raw).expect("an id")
}

fn kill(id: &str) {
    kill_process(process(id), Signal::KILL).expect("killed");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("read")
}

/// Process of the running job: callsheet, which has replaced the shell of the job's script.
fn job_process(cluster: &Cluster) -> String {
    let conf = format!("SLURM_CONF={}", cluster.path("slurm.conf").display());
    let processes = fs::read_dir("/proc").expect("listed").flatten().map(|entry| entry.path());
    let is_job = |path: &Path| {
        let words = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        let environment = fs::read_to_string(path.join("environ")).unwrap_or_default();
        words.split('\0').nth(1) == Some("job") && environment.split('\0').any(|variable| variable == conf)
    };
    let found = processes.into_iter().find(|path| is_job(path)).expect("a job");
    found.file_name().expect("a name").to_string_lossy().into_owned()
}

fn fail(cluster: &Cluster, part: Part) {
    let node = cluster.slurm(&["squeue", "-h", "-t", "RUNNING", "-o", "%N"]);
    let daemon = read(&cluster.path(&format!("run/slurmd.{}.pid", node.trim())));
    let job = job_process(cluster);
    let stat = read(Path::new(&format!("/proc/{job}/stat")));
    let parent =
        stat.rsplit_once(')').expect("a state").1.split_whitespace().nth(1).expect("a parent").to_owned();
    match part {
        Part::NodeDaemon => kill(&daemon),
        Part::JobDaemon => kill(&parent),
        Part::Node => {
            kill(&daemon);
            kill(&parent);
            kill_process_group(process(&job), Signal::KILL).expect("killed");
            // The supervisor process of the job ends its worker.
        }
        Part::Controller => {
            kill(&read(&cluster.path("run/slurmctld.pid")));
            std::thread::sleep(Duration::from_secs(2));
            let conf = cluster.path("slurm.conf").display().to_string();
            cluster.slurm(&["slurmctld", "-i", "-f", &conf]);
        }
    }
}

/// A training that goes on although a part of the cluster fails, at five moments.
fn check(part: Part) {
    (0..5).for_each(|number| check_at(part, Duration::from_millis(4000 + 700 * number)));
}

fn check_at(part: Part, time: Duration) {
    let Some(cluster) = Cluster::start_with(&[("SLURM_CPUS", "1"), ("SLURM_TIMEOUT", "5")]) else { return };
    fs::write(cluster.group.path().join("store.toml"), "heartbeat = 0.5\nexpiry = 5.0\ngrace = 0.2\n")
        .expect("written");
    let (project, local) = (training(150, "1h"), training(150, "1h"));
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    until("a running job", || running(&cluster));
    std::thread::sleep(time);
    fail(&cluster, part);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{part:?}: {said}");
    assert_eq!(records(&cluster), 1, "{part:?}");
    local.run(&MAIN);
    assert_eq!(project.latest("copy.copy"), local.latest("copy.copy"), "{part:?}");
    let begun = beginnings(&project);
    assert!(begun.iter().skip(1).all(|step| *step >= 10), "{part:?}: little is done again: {begun:?}");
    project.status(&["verify"], 0);
}

#[test]
#[ignore = "takes five minutes: `make test-slurm`"]
fn a_training_survives_the_daemon_of_its_node() {
    check(Part::NodeDaemon);
}

#[test]
#[ignore = "takes five minutes: `make test-slurm`"]
fn a_training_survives_the_daemon_of_its_job() {
    check(Part::JobDaemon);
}

#[test]
#[ignore = "takes five minutes: `make test-slurm`"]
fn a_training_survives_its_node() {
    check(Part::Node);
}

#[test]
#[ignore = "takes five minutes: `make test-slurm`"]
fn a_training_survives_the_controller() {
    check(Part::Controller);
}
