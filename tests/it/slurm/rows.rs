//! Row-wise stages on a real Slurm.

use std::fs;
use std::time::Instant;

use super::cluster::Cluster;
use crate::support::Project;

pub(super) const ROWS: [&str; 6] = ["-p", "rows", "-d", "", "-P", ""];

/// A project whose row-wise stage `power` has this many rows and works this long at each; other stages run here.
pub(super) fn rows(count: usize, seconds: f64) -> Project {
    let project = Project::new();
    let pipeline = project.read("pipelines/rows.toml");
    let light = |text: String, stage: &str| {
        text.replace(&format!("[stages.{stage}]\n"), &format!("[stages.{stage}]\nresources.light = true\n"))
    };
    let pipeline = light(light(pipeline, "items"), "total");
    let power = format!("[stages.power]\nparams.seconds = {seconds:?}\n");
    project.write("pipelines/rows.toml", &pipeline.replace("[stages.power]\n", &power));
    let items: String = (0..count).map(|n| format!("item{n:05},x,{n}\n")).collect();
    project.write("data/raw/items/a.csv", &items);
    project
}

/// Number of segments and of records in the shared store.
pub(super) fn records(cluster: &Cluster) -> usize {
    cluster
        .group
        .entries("actions")
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .count()
}

#[test]
#[ignore = "takes a quarter of a minute: `make test-slurm`"]
fn rows_are_computed_by_an_array_of_jobs_and_the_table_is_that_of_one_machine() {
    let Some(cluster) = Cluster::start(8) else { return };
    let (project, local) = (rows(300, 0.01), rows(300, 0.0));
    cluster.attach(&project, "job_time = \"2s\"");
    let plan = [&["plan", "--on", "lab"], &ROWS[..]].concat();
    assert!(cluster.callsheet(&project, &plan).1.contains("as many jobs as its rows require"));
    let run = cluster.run(&project, &ROWS);
    assert_eq!(run.ran(), ["items", "power", "total"]);
    let counts: Vec<u64> = run
        .events()
        .iter()
        .filter(|e| e["event"] == "rows")
        .map(|e| e["compute"].as_u64().expect("a count"))
        .collect();
    assert_eq!(counts, [300]);
    local.run(&ROWS);
    let content = |project: &Project| {
        project.json(&["show", "power.powers", "--json", "-p", "rows", "-d", "", "-P", ""])
    };
    let content = |project: &Project| content(project)["content"].clone();
    assert_eq!(content(&project), content(&local));
    assert_eq!(records(&cluster), 3);
    let (_, planned) = cluster.callsheet(&project, &[&plan[..], &["--set", "power.exponent=3"]].concat());
    // The number of jobs depends on the durations that were measured: of a row, and of the start of a worker.
    assert!(planned.contains("300 rows, ") && planned.contains(", about 0.00 CPU hours"), "{planned}");
    assert!(!planned.contains("as many jobs as its rows require"), "{planned}");
    // One more row is one more job, and no sample is needed any more.
    let before = cluster.calls("sbatch");
    project.write("data/raw/items/b.csv", "new,x,1\n");
    let run = cluster.run(&project, &ROWS);
    let compute = run.events().iter().find(|e| e["event"] == "rows").expect("rows")["compute"].as_u64();
    assert_eq!((compute, cluster.calls("sbatch") - before), (Some(1), 1));
    project.status(&["verify"], 0);
}

#[test]
fn a_row_that_fails_on_a_node_fails_its_stage_and_other_rows_stay() {
    let Some(cluster) = Cluster::start(4) else { return };
    let project = rows(40, 0.0);
    cluster.attach(&project, "job_time = \"2s\"");
    let program = project.read("stages/power/power.py");
    let broken = program.replace(
        "        power = row",
        "        assert row[\"name\"] != \"item00023\", \"bad row\"\n        power = row",
    );
    project.write("stages/power/power.py", &broken);
    let (code, said) = cluster.callsheet(&project, &[&["run", "--on", "lab"], &ROWS[..]].concat());
    assert!(code == Some(1) && said.contains("bad row"), "{said}");
    crate::support::until("the end of all jobs", || cluster.slurm(&["squeue", "-h"]).is_empty());
    let segments: usize =
        cluster.group.entries("rows").iter().map(|pool| fs::read_dir(pool).expect("listed").count()).sum();
    assert!(segments > 0, "rows of other jobs are kept");
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
#[expect(clippy::print_stdout, reason = "the test measures")]
fn ten_thousand_rows_take_few_calls_of_slurm() {
    let Some(cluster) = Cluster::start(8) else { return };
    let project = rows(10_000, 0.01);
    cluster.attach(&project, "job_time = \"5s\"");
    let clock = Instant::now();
    assert_eq!(cluster.run(&project, &ROWS).ran(), ["items", "power", "total"]);
    let seconds = clock.elapsed().as_secs_f64();
    let calls = ["sbatch", "squeue", "srun", "sacct"].map(|program| cluster.calls(program));
    println!("10,000 rows of 10 ms: {seconds:.1} s, calls of sbatch, squeue, srun and sacct: {calls:?}");
    assert!(
        calls[0] <= 3 && calls[1] <= 1 + (seconds / 10.0) as usize && calls[2] + calls[3] == 0,
        "{calls:?}"
    );
}
