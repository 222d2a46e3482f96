//! Runs that go on without their terminal, and commands that show and end their jobs.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::layers;
use super::time::{running, training};
use crate::support::{MAIN, until};

#[test]
fn a_detached_run_finishes_without_a_process_here_and_attach_shows_it() {
    let Some(cluster) = Cluster::start(2) else { return };
    let project = layers();
    cluster.attach(&project, "");
    let (code, said) =
        cluster.callsheet(&project, &[&["run", "--on", "lab", "--detach"], &MAIN[..]].concat());
    assert!(code == Some(0) && said.contains("goes on as job"), "{said}");
    let events = || {
        let runs = std::fs::read_dir(project.path("data/store/runs")).into_iter().flatten().flatten();
        runs.map(|run| run.path().join("events.ndjson")).any(|events| events.exists())
    };
    until("a run", events);
    let (clock, mut attach) = (Instant::now(), cluster.start_in(&project, &["attach"]));
    let mut lines = BufReader::new(attach.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    assert!(lines.next().is_some_and(|line| line.starts_with("run ")) && lines.next().is_some());
    assert!(clock.elapsed() < Duration::from_secs(1), "{:?}", clock.elapsed());
    let rest: Vec<String> = lines.collect();
    assert!(attach.wait().expect("ended").success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("third: done")), "{rest:?}");
    assert_eq!(cluster.run(&project, &MAIN).ran(), [""; 0]);
    until("the end of the engine", || cluster.slurm(&["squeue", "-h"]).is_empty());
}

#[test]
fn a_run_on_this_machine_can_be_detached_and_its_jobs_are_listed_and_cancelled() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = training(600, "1h");
    cluster.attach(&project, "");
    assert!(cluster.callsheet(&project, &["jobs"]).1.contains("no jobs of this project"));
    let (code, said) =
        cluster.callsheet(&project, &[&["run", "--on", "lab", "--detach=here"], &MAIN[..]].concat());
    assert!(code == Some(0) && said.contains("goes on as process"), "{said}");
    until("a running job", || running(&cluster));
    let (_, listed) = cluster.callsheet(&project, &["jobs"]);
    assert!(listed.contains("copy") && listed.contains("1 job running"), "{listed}");
    let (_, all) = cluster.callsheet(&project, &["jobs", "--all"]);
    assert!(all.contains("_0") && all.contains("run "), "{all}");
    let (_, said) = cluster.callsheet(&project, &["cancel", "latest"]);
    assert!(said.contains("cancelled 1 job"), "{said}");
    until("the end of all jobs", || cluster.slurm(&["squeue", "-h"]).is_empty());
    until("the end of the run", || !project.stdout(&["runs"]).contains("running"));
}
