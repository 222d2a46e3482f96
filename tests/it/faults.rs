//! Faults during a run: kills, hanging workers, floods of output, concurrent runs. The tests run the
//! real binary.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::snapshot::assert_output;
use crate::support::{Project, errors, until};

/// A project of stages that run shell scripts, given as (name, script, more lines of stage.toml, input).
/// In a script, `$1` is the output and `$2` the input.
fn scripts(stages: &[(&str, &str, &str, &str)]) -> Project {
    let project = Project::new();
    let mut pipeline = "summary = \"Scripts\"\n[sources.numbers]\npath = \"data/raw/toy/*.txt\"\n".to_owned();
    for (name, script, more, input) in stages {
        project.write(&format!("stages/{name}/do.sh"), script);
        project.write(
            &format!("stages/{name}/stage.toml"),
            &format!(
                "summary = \"A script\"\nversion = 1\n\
                 command = [\"bash\", \"do.sh\", \"{{outputs.out}}\", \"{{inputs.in}}\"]\n\
                 [inputs.in]\nkind = \"files\"\ndoc = \"Any\"\n\
                 [outputs.out]\nkind = \"file\"\npath = \"out.txt\"\ndoc = \"Any\"\n{more}\n"
            ),
        );
        pipeline += &format!("[stages.{name}]\ninputs.in = \"{input}\"\n");
    }
    project.write("pipelines/scripts.toml", &pipeline);
    project.write("pipelines/datasets/toy.toml", "summary = \"Toy\"\n");
    project.write("pipelines/profiles/small.toml", "summary = \"Small\"\n");
    project
}

const P: [&str; 2] = ["-p", "scripts"];
const RUN: [&str; 3] = ["run", "-p", "scripts"];

fn start(project: &Project, arguments: &[&str]) -> Child {
    project.start(&[&["-p", "scripts", "-d", "toy", "-P", "small"], arguments].concat())
}

/// Returns true if a process runs whose command line contains `marker`.
fn alive(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("procfs").flatten();
    processes.into_iter().any(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(marker)
    })
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill starts");
    assert!(sent.success());
}

fn staging_is_empty(project: &Project) -> bool {
    fs::read_dir(project.path("data/store/staging")).is_ok_and(|entries| entries.count() == 0)
}

#[test]
fn a_killed_engine_leaves_no_process_and_no_folder_and_the_next_run_completes() {
    // `setsid` moves the grandchild into another process group.
    let script = "setsid sleep 4711.25 & echo x > \"$1\"; test -e stop || sleep 4711.5";
    let project = scripts(&[("slow", script, "", "numbers")]);
    let mut engine = start(&project, &[]);
    until("workers start", || alive("sleep 4711.25") && alive("sleep 4711.5"));
    signal(&engine, "-KILL");
    engine.wait().expect("ended");
    until("workers end", || !alive("sleep 4711.25") && !alive("sleep 4711.5"));
    until("their folder is removed", || staging_is_empty(&project));
    project.write("stages/slow/do.sh", "echo x > \"$1\"");
    assert_eq!(project.run(&P).ran(), ["slow"]);
}

#[test]
fn ctrl_c_terminates_workers_and_a_second_one_kills_them() {
    let stubborn = "trap '' TERM; echo x > \"$1\"; sleep 4712.5 & wait; sleep 4712.25";
    let polite = "trap 'exit 3' TERM; echo x > \"$1\"; sleep 4713.5 & wait";
    let project = scripts(&[("polite", polite, "", "numbers"), ("stubborn", stubborn, "", "numbers")]);
    let engine = start(&project, &["--jobs", "2"]);
    until("workers start", || alive("sleep 4712.5") && alive("sleep 4713.5"));
    signal(&engine, "-INT");
    until("the polite one ends", || !alive("sleep 4713.5"));
    signal(&engine, "-INT");
    let output = engine.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let of_stages = |line: &&str| line.starts_with("polite: ") || line.starts_with("stubborn: ");
    let mut lines: Vec<&str> = said.lines().filter(of_stages).collect();
    lines.sort_unstable();
    assert_output!(lines.join("\n"));
    assert!(!alive("sleep 4712") && staging_is_empty(&project));
    assert!(!project.exists("data/out/scripts/toy/small/polite"), "no partial output is published");
}

#[test]
fn fifty_kills_of_the_engine_and_of_workers_leave_a_store_that_a_plain_run_completes() {
    let chain: Vec<String> = (0..30).map(|n| format!("s{n}")).collect();
    let stages: Vec<(&str, &str, &str, String)> = chain
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let input = if n < 3 { "numbers".to_owned() } else { format!("s{}.out", n - 3) };
            (name.as_str(), "cat \"$2\" > \"$1\"; echo $0 >> \"$1\"", "", input)
        })
        .collect();
    let stages: Vec<_> = stages.iter().map(|(a, b, c, d)| (*a, *b, *c, d.as_str())).collect();
    let project = scripts(&stages);
    let clock = Instant::now();
    assert_eq!(project.run(&P).ran().len(), 30);
    let whole = clock.elapsed();
    let wanted = project.read("data/out/scripts/toy/small/s29/out.txt");
    for kill in 0..50u32 {
        project.remove("data/store");
        let mut engine = start(&project, &[]);
        // The moments are spread over the run, and identical in every test run.
        sleep(whole * ((kill * 37) % 50) / 50);
        if kill % 2 == 0 {
            signal(&engine, "-KILL");
        } else {
            kill_workers(&project.path("stages/").display().to_string());
        }
        engine.wait().expect("ended");
        project.run(&P);
        project.status(&["verify"], 0);
        assert_eq!(project.read("data/out/scripts/toy/small/s29/out.txt"), wanted);
        assert_eq!(project.run(&P).ran(), [""; 0]);
    }
}

/// Kills all processes, possibly none, whose command line contains `marker`.
fn kill_workers(marker: &str) {
    for process in fs::read_dir("/proc").expect("procfs").flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).replace('\0', " ").contains(marker) {
            let id = process.file_name();
            let _ = Command::new("kill").arg("-KILL").arg(id).stderr(Stdio::null()).status();
        }
    }
}

#[test]
fn twenty_runs_at_once_compute_everything_once() {
    let slow = "sleep 0.2; cat \"$2\" > \"$1\"; echo $0 >> \"$1\"";
    let project = scripts(&[("a", slow, "", "numbers"), ("b", slow, "", "a.out"), ("c", slow, "", "b.out")]);
    let runs: Vec<Child> = (0..20).map(|_| start(&project, &["--json"])).collect();
    let mut finished = 0;
    for run in runs {
        let output = run.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        finished += String::from_utf8_lossy(&output.stdout).matches("\"event\":\"finished\"").count();
    }
    assert_eq!(finished, 3);
    assert!(staging_is_empty(&project));
}

#[test]
fn a_waiting_run_names_the_run_that_it_waits_for() {
    let project = scripts(&[("slow", "sleep 1; echo x > \"$1\"", "", "numbers")]);
    let first = start(&project, &["--json"]);
    until("the first starts", || {
        fs::read_dir(project.path("data/store/staging")).is_ok_and(|entries| entries.count() == 1)
    });
    let second = start(&project, &[]).wait_with_output().expect("ended");
    let first = first.wait_with_output().expect("ended");
    let first = String::from_utf8_lossy(&first.stdout).into_owned();
    let id = first.split("\"run\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_output!(said.lines().find(|line| line.contains(id)).expect("a line that names the first run"));
}

#[test]
fn a_worker_that_hangs_is_ended_after_its_time() {
    let script = "echo begun; sleep 4714.5";
    let project = scripts(&[("slow", script, "[resources]\ntimeout_seconds = 0.5", "numbers")]);
    let said = project.run_failing("timeout", &P);
    assert_output!(said);
    assert!(said.contains("0.5 s"), "{said}");
    assert!(!alive("sleep 4714.5"));
}

#[test]
fn a_failure_is_retried_as_often_as_declared() {
    let script = "echo attempt; sleep 0.3; \
                  test $(ls \"$(dirname \"$2\")\"/../../store/runs/*/logs/flaky*.log | wc -l) -ge 3 || exit 7; \
                  echo x > \"$1\"";
    let project = scripts(&[("flaky", script, "[resources]\nretries = 2", "numbers")]);
    let output = project.command(&RUN);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_output!(said);
    assert!(said.contains("1.0 s") && said.contains("2.0 s"), "each pause is twice the one before: {said}");
}

#[test]
fn output_floods_are_cut_and_garbage_on_the_event_pipe_is_ignored() {
    let flood = "head -c 1073741824 /dev/zero; echo last words; echo x > \"$1\"";
    let garbage = "head -c 3000000 /dev/urandom > \"$CALLSHEET_EVENTS\"; \
        printf '\\n{\"log\": {\"level\": \"info\", \"message\": \"still heard\"}}\\n' > \"$CALLSHEET_EVENTS\"; echo x > \"$1\"";
    let project = scripts(&[("flood", flood, "", "numbers"), ("garbage", garbage, "", "numbers")]);
    let output = project.command(&RUN);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("garbage: still heard"), "{said}");
    let runs = fs::read_dir(project.path("data/store/runs")).expect("runs").flatten();
    let log = runs.into_iter().map(|run| run.path().join("logs/flood.log")).find(|log| log.exists());
    let log = fs::read(log.expect("a log")).expect("read");
    assert!(log.len() < 10 << 20 && log.ends_with(b"last words\n"), "{} bytes", log.len());
}

#[test]
fn gpus_are_given_to_one_worker_at_a_time_and_named_in_its_environment() {
    let script = "echo \"$CUDA_VISIBLE_DEVICES $(date +%s.%N)\" > \"$1\"; sleep 1; date +%s.%N >> \"$1\"";
    let gpu = "[resources]\ngpus = 1";
    let project = scripts(&[
        ("left", script, gpu, "numbers"),
        ("right", script, gpu, "numbers"),
        ("none", script, "", "numbers"),
    ]);
    let words = |stage: &str| -> Vec<String> {
        let text = project.read(&format!("data/out/scripts/toy/small/{stage}/out.txt"));
        text.replace('\n', " ").split(' ').map(str::to_owned).collect()
    };
    let overlap = || {
        let times = ["left", "right"].map(|s| [1, 2].map(|n| words(s)[n].parse::<f64>().expect("a time")));
        times[0][0] < times[1][1] && times[1][0] < times[0][1]
    };
    project.run(&[&P[..], &["--jobs", "4", "--gpus", "7,9"]].concat());
    let mut ids = [words("left")[0].clone(), words("right")[0].clone()];
    ids.sort();
    assert_eq!(ids, ["7", "9"]);
    assert!(overlap());
    assert_eq!(words("none")[0], "", "a worker without declared GPUs sees none");
    project.run(&[&P[..], &["--jobs", "4", "--gpus", "7", "--force", "left", "--force", "right"]].concat());
    assert!(!overlap(), "one GPU serves one worker at a time");
    project.remove("data/store");
    assert_output!(project.run_failing("resources", &[&P[..], &["--gpus", ""]].concat()));
}

#[test]
fn memory_is_shared_out_and_too_much_of_it_refused() {
    let project = scripts(&[("large", "echo x > \"$1\"", "[resources]\nmemory = \"3 GB\"", "numbers")]);
    let said = project.run_failing("resources", &[&P[..], &["--memory", "2 GB"]].concat());
    assert_output!(said);
    assert!(said.contains("3.0 GB"), "{said}");
    assert_eq!(project.run(&[&P[..], &["--memory", "3 GB"]].concat()).ran(), ["large"]);
    let nap = "from=$(date +%s.%N); sleep 0.4; echo $from $(date +%s.%N) > \"$1\"";
    let large = "[resources]\nmemory = \"3 GB\"";
    let project = scripts(&[("left", nap, large, "numbers"), ("right", nap, large, "numbers")]);
    let overlap = |memory| {
        project.run(
            &[&P[..], &["--memory", memory, "--force", "left", "--force", "right", "--jobs", "2"]].concat(),
        );
        let [left, right] = ["left", "right"].map(|stage| {
            let text = project.read(&format!("data/out/scripts/toy/small/{stage}/out.txt"));
            text.split_whitespace().map(|time| time.parse::<f64>().expect("a time")).collect::<Vec<_>>()
        });
        left[0] < right[1] && right[0] < left[1]
    };
    assert!(!overlap("5 GB"), "the memory suffices for one worker");
    assert!(overlap("6 GB"), "the memory suffices for both workers");
}

#[test]
fn a_raw_file_that_vanishes_fails_its_stage_and_no_other() {
    let project = scripts(&[
        ("early", "echo x > \"$1\"", "", "one"),
        ("late", "cat \"$2\" > \"$1\"; sleep 2", "", "two"),
        ("other", "sleep 0.1; echo y > \"$1\"", "", "one"),
    ]);
    project.write("data/raw/toy/a.txt", "1\n");
    project.write("data/raw/toy/b.txt", "1\n");
    let pipeline = project.read("pipelines/scripts.toml");
    let sources =
        "[sources.one]\npath = \"data/raw/toy/a.txt\"\n[sources.two]\npath = \"data/raw/toy/b.txt\"\n";
    project.write(
        "pipelines/scripts.toml",
        &(pipeline.replace("[sources.numbers]\npath = \"data/raw/toy/*.txt\"\n", sources)),
    );
    let run = start(&project, &["--jobs", "3"]);
    until("a stage is done", || project.exists("data/out/scripts/toy/small/early/out.txt"));
    sleep(Duration::from_millis(500));
    project.remove_file(&project.path("data/raw/toy/b.txt"));
    let output = run.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1));
    assert_output!(errors(&String::from_utf8_lossy(&output.stderr), "input_changed"));
    for stage in ["other", "early"] {
        assert!(project.exists(&format!("data/out/scripts/toy/small/{stage}/out.txt")), "{stage}");
    }
}

#[test]
fn gc_keeps_finished_results_and_checkpoints_of_a_killed_run() {
    let train = "if test -e \"$3/checkpoint\"; then cat \"$3/checkpoint\" > \"$1\"; exit; fi; \
        echo step > \"$3/checkpoint\"; sleep 4715.5";
    let project = scripts(&[("quick", "echo x > \"$1\"", "", "numbers"), ("train", train, "", "quick.out")]);
    let declared =
        project.read("stages/train/stage.toml").replace("\"{inputs.in}\"", "\"{inputs.in}\", \"{scratch}\"");
    project.write("stages/train/stage.toml", &declared);
    let mut engine = start(&project, &[]);
    until("training starts", || alive("sleep 4715.5"));
    assert_output!(project.refused("busy", &["gc", "--older-than", "0s", "--delete"]));
    signal(&engine, "-KILL");
    engine.wait().expect("ended");
    until("workers end", || !alive("sleep 4715.5"));
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(project.read("data/out/scripts/toy/small/quick/out.txt").contains('x'));
    let scratch = fs::read_dir(project.path("data/store/scratch")).expect("scratch").flatten().next();
    assert!(scratch.expect("a folder").path().join("checkpoint").exists());
    assert_eq!(project.run(&P).ran(), ["train"], "`quick` is in the store, and the training resumes");
}

#[test]
fn a_worker_without_our_environment_ends_with_the_engine_too() {
    let project = scripts(&[("bare", "env -i sleep 4716.5", "", "numbers")]);
    let mut engine = start(&project, &[]);
    until("the worker starts", || alive("sleep 4716.5"));
    signal(&engine, "-KILL");
    engine.wait().expect("ended");
    until("the worker ends", || !alive("sleep 4716.5"));
}

#[test]
fn a_worker_that_exits_with_0_after_an_interrupt_publishes_nothing() {
    let polite = "trap 'exit 0' TERM; echo half > \"$1\"; sleep 4717.5 & wait";
    let project = scripts(&[("polite", polite, "", "numbers")]);
    let engine = start(&project, &[]);
    until("the worker starts", || alive("sleep 4717.5"));
    signal(&engine, "-INT");
    let output = engine.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!project.exists("data/out/scripts/toy/small/polite"));
}

#[test]
fn a_run_that_waits_for_another_can_be_stopped() {
    let project = scripts(&[("slow", "sleep 3; echo x > \"$1\"", "", "numbers")]);
    let first = start(&project, &[]);
    // Runs have folders in staging; files there are drafts.
    let runs = || {
        let entries = fs::read_dir(project.path("data/store/staging")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    };
    until("the first starts", || runs() == 1);
    let second = start(&project, &[]);
    until("the second waits", || runs() == 2);
    signal(&second, "-INT");
    let second = second.wait_with_output().expect("ended");
    assert_eq!(second.status.code(), Some(130));
    assert!(first.wait_with_output().expect("ended").status.success());
}

#[test]
fn a_stage_whose_input_changes_while_it_runs_is_not_recorded() {
    let slow = "sleep 1; cat \"$2\" > \"$1\"";
    let project = scripts(&[("first", "echo x > \"$1\"", "", "numbers"), ("slow", slow, "", "first.out")]);
    let run = start(&project, &[]);
    sleep(Duration::from_millis(500));
    project.overwrite(
        &fs::canonicalize(project.path("data/out/scripts/toy/small/first/out.txt")).expect("a result"),
        "y\n",
    );
    let output = run.wait_with_output().expect("ended");
    assert_output!(errors(&String::from_utf8_lossy(&output.stderr), "input_changed"));
    assert_eq!(project.run(&P).ran(), ["first", "slow"], "the damaged input is computed again");
    assert_eq!(project.read("data/out/scripts/toy/small/slow/out.txt"), "x\n");
}

#[test]
fn a_worker_that_writes_events_without_end_is_ended_after_its_time() {
    let script = "yes > \"$CALLSHEET_EVENTS\"";
    let project = scripts(&[("flood", script, "[resources]\ntimeout_seconds = 1", "numbers")]);
    project.run_failing("timeout", &P);
}

#[test]
fn an_invalid_timeout_is_refused_with_its_line() {
    let said = ["-1.0", "0", "nan", "inf", "1e300", "1e19"].map(|seconds| {
        let more = format!("[resources]\ntimeout_seconds = {seconds}");
        scripts(&[("hasty", "echo x > \"$1\"", &more, "numbers")]).refused("declaration", &RUN)
    });
    assert_output!(said.join("\n"));
}

#[test]
fn a_word_of_a_command_contains_at_most_one_input() {
    let project = scripts(&[(
        "both",
        "cat $2 > \"$1\"",
        "[inputs.more]\nkind = \"files\"\noptional = true\ndoc = \"Any\"",
        "numbers",
    )]);
    let declared =
        project.read("stages/both/stage.toml").replace("\"{inputs.in}\"", "\"{inputs.in} {inputs.more}\"");
    project.write("stages/both/stage.toml", &declared);
    assert_output!(project.refused("declaration", &RUN));
}

#[test]
fn the_longest_chain_starts_first_measured_by_recorded_times_if_known() {
    let project = scripts(&[
        ("alone", "sleep 1.5; echo x > \"$1\"", "", "numbers"),
        ("first", "echo x > \"$1\"", "", "numbers"),
        ("second", "echo x > \"$1\"", "", "first.out"),
        ("third", "echo x > \"$1\"", "", "second.out"),
    ]);
    let one = ["--jobs", "1"];
    assert_eq!(project.run(&[&P[..], &one].concat()).ran()[..2], ["first", "second"]);
    let force = ["--force", "alone", "--force", "first", "--force", "second", "--force", "third"];
    let again = project.run(&[&P[..], &one, &force].concat());
    assert_eq!(again.ran()[0], "alone", "1.5 s is longer than a chain of a few milliseconds");
}
