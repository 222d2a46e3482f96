//! Engines that are killed while their jobs work.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use super::cluster::Cluster;
use super::rows::{ROWS, records, rows};
use crate::support::{MAIN, Project, until};

/// Starts a run and kills its engine after a time.
fn begin_and_kill(cluster: &Cluster, project: &Project, words: &[&str], time: Duration) {
    let mut command = cluster.command(env!("CARGO_BIN_EXE_callsheet"));
    command.args(["run", "--on", "lab"]).args(words).current_dir(project.path(""));
    let mut engine = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("callsheet starts");
    sleep(time);
    engine.kill().expect("killed");
    engine.wait().expect("ended");
}

/// Segments of the shared store, and the rows in them.
fn committed(cluster: &Cluster) -> u64 {
    let pools = cluster.group.entries("rows").into_iter();
    let segments = pools.flat_map(|pool| fs::read_dir(pool).expect("listed").collect::<Vec<_>>());
    // A file of row digests has 64 bytes for each row.
    segments.map(|segment| (segment.expect("a segment").metadata().expect("metadata").len() - 24) / 64).sum()
}

#[test]
fn the_jobs_of_a_killed_engine_are_adopted_and_nothing_is_computed_twice() {
    let Some(cluster) = Cluster::start(4) else { return };
    let project = rows(400, 0.05);
    cluster.attach(&project, "job_time = \"3s\"");
    begin_and_kill(&cluster, &project, &ROWS, Duration::from_secs(3));
    let live = || cluster.slurm(&["squeue", "-h", "-r", "-t", "PENDING,RUNNING"]).lines().count();
    until("live jobs", || live() > 0);
    let (before, submitted) = (committed(&cluster), cluster.calls("sbatch"));
    let run = cluster.run(&project, &ROWS);
    assert_eq!(run.ran(), ["power", "total"]);
    let compute = run.events().iter().find(|e| e["event"] == "rows").expect("rows")["compute"].as_u64();
    assert!(
        compute.expect("a count") <= 400 - before,
        "{compute:?} of 400, of which {before} were committed"
    );
    assert!(cluster.calls("sbatch") <= submitted + 1, "only rows that no live job computes are submitted");
    assert_eq!(committed(&cluster), 800, "each row is in one segment of a job, and in the table");
    project.status(&["verify"], 0);
    assert_eq!(cluster.run(&project, &ROWS).ran(), [""; 0]);
}

#[test]
fn a_long_stage_goes_on_while_no_engine_runs() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = super::minimal();
    cluster.attach(&project, "");
    project.write("stages/copy/copy.sh", "sleep 6; date +%N > \"$1\"\n");
    begin_and_kill(&cluster, &project, &MAIN, Duration::from_secs(3));
    assert_eq!(cluster.run(&project, &MAIN).ran(), ["copy"]);
    assert_eq!((cluster.calls("sbatch"), records(&cluster)), (1, 1));
}

/// Kills engines at moments that differ by less than a job takes.
fn check_kills(times: u64) {
    let Some(cluster) = Cluster::start(4) else { return };
    let reference = rows(200, 0.0);
    reference.run(&ROWS);
    let content = |project: &Project| {
        project.json(&["show", "power.powers", "--json", "-p", "rows", "-d", "", "-P", ""])["content"].clone()
    };
    for number in 0..times {
        let project = rows(200, 0.02);
        cluster.attach(&project, "job_time = \"1s\"");
        // Other columns are other rows: nothing is in the store.
        let items = project.read("data/raw/items/a.csv");
        project.write("data/raw/items/a.csv", &items.replace(",x,", &format!(",x{number},")));
        let version = project
            .read("stages/power/stage.toml")
            .replace("version = 1", &format!("version = {}", number + 2));
        let history: String = (2..number + 3).map(|n| format!("{n} = \"again\"\n")).collect();
        project.write("stages/power/stage.toml", &format!("{version}\n[history]\n{history}"));
        let rows_before = committed(&cluster);
        begin_and_kill(&cluster, &project, &ROWS, Duration::from_millis(200 + number * 7919 % 5000));
        let before = committed(&cluster) - rows_before;
        let run = cluster.run(&project, &ROWS);
        let computed = run.events().iter().find(|e| e["event"] == "rows" && e["stage"] == "power");
        if let Some(computed) = computed {
            assert!(computed["compute"].as_u64().expect("a count") <= 200 - before, "{number}: {computed}");
        }
        // Each row is in one segment of a job and, if there are several, in the table.
        assert!(
            [200, 400].contains(&(committed(&cluster) - rows_before)),
            "{number}: rows were computed twice"
        );
        assert_eq!(content(&project), content(&reference), "{number}");
        project.status(&["verify"], 0);
    }
}

#[test]
#[ignore = "takes ten minutes: `make test-slurm`"]
fn engines_that_are_killed_at_fifty_moments_lose_nothing() {
    check_kills(50);
}
