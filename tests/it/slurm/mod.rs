//! Runs on a real Slurm.

mod cluster;
mod detached;
mod failures;
mod faults;
mod kills;
mod limits;
mod memory;
mod rows;
mod time;

use std::fs;

use crate::support::{MAIN, Project};
use cluster::Cluster;

/// Project with one raw file.
fn minimal() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project
}

/// A pipeline of three stages, one after another, of some seconds each.
pub(super) fn layers() -> Project {
    let project = minimal();
    project.write(
        "pipelines/main.toml",
        "summary = \"Copies\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n[stages.copy]\ninputs.texts = \"texts\"\n\
         [stages.second]\nuse = \"next\"\ninputs.text = \"copy.copy\"\n\
         [stages.third]\nuse = \"next\"\ninputs.text = \"second.copy\"\n",
    );
    let stage = project.read("stages/copy/stage.toml");
    let stage = stage.replace("texts", "text").replace("\"files\"", "\"file\"");
    project.write("stages/next/stage.toml", &stage);
    project.write("stages/next/copy.sh", "sleep 2; cat \"$2\" > \"$1\"; echo x >> \"$1\"\n");
    project
}

#[test]
fn stages_run_on_a_cluster_and_their_results_are_those_of_one_machine() {
    let Some(cluster) = Cluster::start(1) else { return };
    let (project, local) = (minimal(), minimal());
    cluster.attach(&project, "");
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("environment = [\"SLURMD_NODENAME\"]\n{settings}"));
    project.write(
        "stages/copy/copy.sh",
        &(local.read("stages/copy/copy.sh") + "echo \"on $SLURMD_NODENAME\"\n"),
    );
    local.write("stages/copy/copy.sh", &project.read("stages/copy/copy.sh"));
    let run = cluster.run(&project, &MAIN);
    assert_eq!(run.ran(), ["copy"]);
    local.run(&MAIN);
    assert_eq!(project.latest("copy.copy"), local.latest("copy.copy"));
    let log = project.stdout(&["logs", "copy"]);
    assert!(log.contains("on n1") || log.contains("on n2"), "{log}");
    assert_eq!(cluster.run(&project, &MAIN).ran(), [""; 0]);
    assert_eq!((cluster.calls("sbatch"), cluster.calls("srun"), cluster.calls("sacct")), (1, 0, 0));
    assert!(cluster.slurm(&["sinfo", "-h"]).contains("idle"));
}

#[test]
fn a_stage_that_fails_on_a_node_is_reported_as_on_one_machine() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    project.write("stages/copy/copy.sh", "echo no such image >&2; exit 3\n");
    let (code, said) = cluster.callsheet(&project, &["run", "--on", "lab", "-p", "main", "-d", "", "-P", ""]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("callsheet::worker_failed") && said.contains("no such image"), "{said}");
}

#[test]
fn an_executor_that_cannot_work_is_refused_with_the_remedy() {
    let project = minimal();
    let run = [&["run", "--on", "lab"], &MAIN[..]].concat();
    assert!(project.refused("unknown_name", &run).contains("unknown executor `lab`"));
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("{settings}[executors.lab]\nkind = \"slurm\"\n"));
    let error = project.refused("conflict", &run);
    assert!(error.contains("needs a shared store") && error.contains("store attach"), "{error}");
    project.write("callsheet.toml", &format!("{settings}[executors.lab]\nmax_jobs = 3\n"));
    assert!(project.refused("declaration", &run).contains("has no `kind`"));
    project.write("callsheet.toml", &format!("{settings}[executors.local]\nkind = \"slurm\"\n"));
    assert!(project.refused("declaration", &run).contains("the machine where callsheet runs"));
    let Some(cluster) = Cluster::start(1) else { return };
    project.write("callsheet.toml", &settings);
    cluster.attach(&project, "[[executors.lab.classes]]\npartition = \"gpu\"\ncpus = 2");
    let (code, said) = cluster.callsheet(&project, &run);
    assert!(
        code == Some(1) && said.contains("partition `gpu`") && said.contains("use one of: main"),
        "{said}"
    );
    let stage = project.read("stages/copy/stage.toml");
    project.write("stages/copy/stage.toml", &format!("{stage}[resources]\ncpus = 4\n"));
    let plan = [&["plan", "--on", "lab"], &MAIN[..]].concat();
    for words in [&plan, &run] {
        let (_, said) = cluster.callsheet(&project, words);
        assert!(said.contains("needs 4 CPUs, but no class of executor `lab` has them"), "{said}");
    }
    let (_, said) = cluster.callsheet(&project, &run);
    assert!(said.contains("gpu (2 CPUs, 0 GPUs)"), "{said}");
    // Without the cluster's programs on PATH.
    project.write("stages/copy/stage.toml", &stage);
    let output = project.command_with(&[("PATH", "/nowhere")], &run);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot start `sbatch`") && said.contains("login node"), "{said}");
}

#[test]
fn a_job_refuses_files_that_others_can_change_and_those_of_another_version() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    cluster.attach(&project, "");
    cluster.run(&project, &MAIN);
    let run =
        fs::read_dir(project.path("data/store/runs")).expect("runs").next().expect("a run").expect("a run");
    let jobs = run.path().join("jobs");
    let job = fs::read_dir(&jobs).expect("jobs").next().expect("a submission").expect("a submission").path();
    let words = ["job", job.to_str().expect("UTF-8")];
    let chmod = |mode: &str, path: &std::path::Path| {
        let status = std::process::Command::new("chmod").arg(mode).arg(path).status();
        assert!(status.expect("chmod starts").success());
    };
    chmod("g+w", &job.join("tasks-0.json"));
    let error = project.refused("invalid_value", &words);
    assert!(error.contains("can be changed by others"), "{error}");
    chmod("g-w", &job.join("tasks-0.json"));
    let spec = fs::read_to_string(job.join("job.json")).expect("read");
    fs::write(job.join("job.json"), spec.replace("\"version\":\"", "\"version\":\"9")).expect("written");
    let error = project.refused("unsupported", &words);
    assert!(error.contains("but the run was started by callsheet 9"), "{error}");
    fs::write(job.join("job.json"), "{").expect("written");
    assert!(project.refused("unreadable", &words).contains("job.json"));
}

#[test]
fn executors_are_detected_and_checked_by_two_jobs() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = minimal();
    assert!(cluster.callsheet(&project, &["executors"]).1.contains("no executors are declared"));
    let (code, detected) = cluster.callsheet(&project, &["executors", "detect", "lab"]);
    assert!(
        code == Some(0) && detected.contains("partition = \"main\"\ncpus = 1\nmemory = \"1000 MiB\""),
        "{detected}"
    );
    let declaration: String = detected
        .lines()
        .take_while(|line| !line.starts_with("write"))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("{settings}\n{declaration}"));
    let (code, said) = cluster.callsheet(&project, &["executors", "check", "lab"]);
    assert!(code == Some(2) && said.contains("store attach"), "{said}");
    cluster.group.attach(&project);
    let (code, said) = cluster.callsheet(&project, &["executors", "check", "lab"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["n1", "n2", "can hold a shared store", "jobs can submit jobs (run --detach)  yes    yes"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    project.write(
        "callsheet.toml",
        &project
            .read("callsheet.toml")
            .replace("kind = \"slurm\"", "kind = \"slurm\"\nprogram = \"/nowhere/callsheet\""),
    );
    let (_, said) = cluster.callsheet(&project, &[&["run", "--on", "lab"], &MAIN[..]].concat());
    assert!(
        said.contains("the node could not start `callsheet`") && said.contains("set `program`"),
        "{said}"
    );
}

#[test]
fn the_users_own_file_takes_precedence_for_each_key_of_an_executor() {
    let project = minimal();
    let settings = project.read("callsheet.toml");
    project.write(
        "callsheet.toml",
        &format!(
            "{settings}[executors.lab]\nkind = \"slurm\"\n[[executors.lab.classes]]\npartition = \"small\"\n"
        ),
    );
    let config = tempfile::tempdir().expect("a folder");
    fs::create_dir(config.path().join("callsheet")).expect("created");
    let file = config.path().join("callsheet/executors.toml");
    let home = config.path().display().to_string();
    let executors = || {
        let output = project.command_with(&[("XDG_CONFIG_HOME", &home)], &["executors"]);
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    };
    fs::write(
        &file,
        "[[executors.lab.classes]]\npartition = \"large\"\ngpus = 2\n[executors.own]\nkind = \"slurm\"\n",
    )
    .expect("written");
    let listed = executors();
    assert!(listed.contains("lab  large") && listed.contains("2 GPUs") && listed.contains("own"), "{listed}");
    fs::write(&file, "[executors.lab]\nacount = \"x\"\n").expect("written");
    assert!(executors().contains("did you mean `account`"), "{}", executors());
    fs::write(&file, "[executors.lab]\njob_time = 300\n").expect("written");
    assert!(executors().contains("`300` is not a valid time"), "{}", executors());
    fs::write(&file, "[executors.lab]\nmax_jobs = 0\n").expect("written");
    assert!(executors().contains("`max_jobs = 0` is not valid"), "{}", executors());
    fs::write(&file, "[executors.lab]\nstore = \"here\"\n").expect("written");
    assert!(executors().contains("is not an absolute path"), "{}", executors());
}
