//! Faults of settings and of jobs, and stops at bad moments.

use std::fs;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, write_program};
use super::minimal;
use super::time::{interrupt, running};
use crate::support::{MAIN, Project, until};

/// A project with `count` instances of a stage whose script gets the path of its output and its number.
pub(super) fn instances(count: usize, script: &str) -> Project {
    let project = minimal();
    let numbers: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    project.write(
        "pipelines/main.toml",
        &format!(
            "summary = \"Naps\"\n[stages.nap]\nforeach.n = [{}]\nparams.n = \"{{n}}\"\n",
            numbers.join(", ")
        ),
    );
    project.write(
        "stages/nap/stage.toml",
        "summary = \"Naps\"\nversion = 1\ncommand = [\"sh\", \"nap.sh\", \"{outputs.text}\", \"{params.n}\"]\n\
         [outputs.text]\nkind = \"file\"\npath = \"text.txt\"\ndoc = \"Number\"\n\
         [params.n]\ntype = \"int\"\ndefault = 0\ndoc = \"Number\"\n",
    );
    project.write("stages/nap/nap.sh", script);
    project
}

pub(super) fn on_lab() -> Vec<&'static str> {
    [&["run", "--on", "lab"], &MAIN[..]].concat()
}

#[test]
fn ctrl_c_ends_a_run_with_many_jobs_that_wait() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(9, "sleep 60\n");
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &on_lab());
    until("a running job", || running(&cluster));
    let clock = Instant::now();
    interrupt(&run);
    let output = run.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(clock.elapsed() < Duration::from_secs(25), "{:?}", clock.elapsed());
    until("the end of all jobs", || cluster.slurm(&["squeue", "-h"]).is_empty());
}

#[test]
fn instances_after_a_sample_that_failed_still_run() {
    let Some(cluster) = Cluster::start(8) else { return };
    let project = instances(24, "[ \"$2\" -lt 17 ] && exit 3; echo \"$2\" > \"$1\"\n");
    cluster.attach(&project, "");
    let (code, said) = cluster.callsheet(&project, &on_lab());
    assert!(code == Some(1) && said.contains("17 stages failed, 7 run"), "{said}");
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
fn cancelled_stages_do_not_run_again() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(6, "sleep 60\n");
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &on_lab());
    until("a running job", || running(&cluster));
    let (code, said) = cluster.callsheet(&project, &["cancel"]);
    assert!(code == Some(0) && said.contains("cancelled 6 jobs"), "{said}");
    let output = run.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((cluster.calls("sbatch"), cluster.slurm(&["squeue", "-h"]).as_str()), (1, ""));
}

#[test]
fn a_stage_whose_job_somebody_cancels_has_failed() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(1, "sleep 60\n");
    cluster.attach(&project, "");
    let run = cluster.start_in(&project, &on_lab());
    until("a running job", || running(&cluster));
    std::thread::sleep(Duration::from_secs(3));
    let job = cluster.slurm(&["squeue", "-h", "-o", "%A"]);
    cluster.slurm(&["scancel", job.trim()]);
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("somebody cancelled the job"), "{said}");
}

#[test]
fn a_job_does_not_wait_for_another_run_and_its_engine_does() {
    let Some(cluster) = Cluster::start(2) else { return };
    let (first, second) =
        (instances(1, "sleep 12; echo x > \"$1\"\n"), instances(1, "sleep 12; echo x > \"$1\"\n"));
    cluster.attach(&first, "");
    cluster.attach(&second, "");
    let run = cluster.start_in(&first, &on_lab());
    until("a running job", || running(&cluster));
    std::thread::sleep(Duration::from_secs(2));
    let other = cluster.start_in(&second, &on_lab());
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(cluster.slurm(&["squeue", "-h", "-t", "RUNNING"]).lines().count(), 1, "only one job works");
    assert!(run.wait_with_output().expect("ended").status.success());
    let output = other.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.matches("waiting for run").count() == 1, "{said}");
    assert!(said.contains("1 earlier result"), "{said}");
}

#[test]
#[ignore = "takes half a minute: `make test-slurm`"]
fn a_submission_whose_answer_is_lost_is_not_submitted_again() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(1, "sleep 3; echo x > \"$1\"\n");
    cluster.attach(&project, "");
    // The first answers of both programs are lost.
    let wrapper = |name: &str, works: &str| {
        let path = cluster.path(&format!("counting/{name}"));
        let text = fs::read_to_string(&path).expect("read");
        let lost = cluster.path(&format!("lost-{name}"));
        let answer = format!(
            "if [ ! -e '{0}' ]; then touch '{0}'; {works} echo 'Socket timed out on send/recv operation' >&2; exit 1; fi\n",
            lost.display()
        );
        let exec = text.find("PATH=").expect("a call");
        write_program(&path, &format!("{}{answer}{}", &text[..exec], &text[exec..]));
    };
    wrapper("sbatch", "/usr/bin/sbatch \"$@\" > /dev/null;");
    wrapper("squeue", "");
    let (code, said) = cluster.callsheet(&project, &on_lab());
    assert!(code == Some(0) && said.contains("Slurm does not accept jobs now"), "{said}");
    assert_eq!(cluster.calls("sbatch"), 1, "{said}");
}

#[test]
fn settings_that_no_shell_or_sbatch_can_take_are_refused_and_others_arrive() {
    let Some(cluster) = Cluster::start(1) else { return };
    let project = instances(1, "printf '%s' \"$STRANGE\" > \"$1\"\n");
    cluster.attach(&project, "");
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("environment = [\"STRANGE\"]\n{settings}"));
    let strange = "it's $(touch x) `y`\r\n#SBATCH --time=1";
    let mut command = cluster.command(env!("CARGO_BIN_EXE_callsheet"));
    command.args(on_lab()).current_dir(project.path("")).env("STRANGE", strange);
    let output = command.output().expect("callsheet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(project.read("data/out/main/nap@0/text.txt"), strange);
    project.write("callsheet.toml", &format!("environment = [\"A;touch y;B\"]\n{settings}"));
    let mut command = cluster.command(env!("CARGO_BIN_EXE_callsheet"));
    command.args(on_lab()).args(["--force", "nap"]).current_dir(project.path("")).env("A;touch y;B", "1");
    let said = String::from_utf8_lossy(&command.output().expect("callsheet starts").stderr).into_owned();
    assert!(said.contains("cannot be set by a shell"), "{said}");
    project.write("callsheet.toml", &format!("{settings}options = [\"--job-name=x\"]\n"));
    assert!(project.refused("declaration", &["executors"]).contains("is set by callsheet"));
    project.write("callsheet.toml", &format!("{settings}setup = [\"exit 7\"]\n"));
    let (_, said) = cluster.callsheet(&project, &[&on_lab()[..], &["--force", "nap"]].concat());
    assert!(said.contains("the `setup` of executor `lab` failed on the node"), "{said}");
}

#[test]
fn a_project_whose_path_has_special_characters_runs_on_a_cluster() {
    let Some(cluster) = Cluster::start(1) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("50%a 'x' $y");
    fs::rename(minimal().keep(), &path).expect("moved");
    let settings = fs::read_to_string(path.join("callsheet.toml")).expect("read");
    let store = cluster.group.path().display();
    let settings = format!("store = \"{store}\"\n{settings}[executors.lab]\nkind = \"slurm\"\n");
    fs::write(path.join("callsheet.toml"), settings).expect("written");
    let mut command = cluster.command(env!("CARGO_BIN_EXE_callsheet"));
    let output = command.args(on_lab()).current_dir(&path).output().expect("callsheet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
