//! Training times and claims about them, with toy stages: `callsheet training_times`, and its section in
//! reports.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::flagship::{commands, engine, repository};
use crate::snapshot::assert_output;

/// A copy of `tests/toy` with this repository's commands.
struct Toy(TempDir);

impl Toy {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let toy = repository().join("tests/toy/.");
        assert!(
            Command::new("cp").arg("-r").arg(toy).arg(folder.path()).status().expect("cp starts").success()
        );
        let settings = fs::read_to_string(folder.path().join("callsheet.toml")).expect("settings");
        fs::write(folder.path().join("callsheet.toml"), format!("{settings}\n{}", commands()))
            .expect("written");
        Self(folder)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).expect("a file")
    }

    fn write(&self, relative: &str, text: &str) {
        fs::write(self.path(relative), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(engine());
        command.args(arguments).current_dir(self.0.path());
        let chosen = [("PIPELINE", "shown"), ("DATASET", "toy"), ("PROFILE", "small")];
        command.envs(chosen.map(|(name, value)| (format!("CALLSHEET_{name}"), value)));
        command
    }

    /// Runs the engine, which must succeed.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("callsheet starts");
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("callsheet starts")
    }

    /// Values of the cells of all tables of the latest run.
    fn tables(&self) -> Vec<Vec<Vec<String>>> {
        let output = self.command(&["training_times", "--json"]).output().expect("callsheet starts");
        assert!(output.status.success(), "{}", said(&output));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let cell = |cell: &Value| {
            let detail = cell["detail"].as_str().map(|detail| format!(" {detail}")).unwrap_or_default();
            cell["value"].as_str().unwrap_or_default().to_owned() + &detail
        };
        let rows = |table: &Value| {
            list(&table["rows"]).iter().map(|row| list(row).iter().map(cell).collect()).collect()
        };
        list(&answer["sections"][0]["tables"]).iter().map(rows).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Waits until the condition `holds`; after a minute it fails with the text `what`.
#[expect(clippy::disallowed_methods, reason = "a time limit is not part of any artifact")]
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn instances_that_share_a_result_each_have_a_row_among_the_trainings() {
    let project = Toy::new();
    let pipeline = project.read("pipelines/train.toml");
    let told = "import os\nopen(os.environ['CALLSHEET_EVENTS'], 'a').write('{\"log\": {\"level\": \"info\", \"message\": \"started\"}}\\n')\n";
    let script = project.read("stages/train/train.py").replace("state/rest", "loss/rest") + told;
    let gone = "say({\"metric\": {\"name\": \"steps/gone\", \"step\": 0, \"value\": 0}})\n";
    let script =
        script.replace("while at", &format!("{gone}while at")).replace("steps/gone", "held_out/gone");
    project.write("stages/train/train.py", &script);
    let fanned = "[stages.train]\nforeach.seed = [0, 1]\nforeach.times = [1, 2]\nparams.seed = \"{seed}\"\n";
    project.write("pipelines/shown.toml", &pipeline.replace("[stages.train]\n", fanned));
    project.succeed(&["run", "--report"]);
    let rows = &project.tables()[0];
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["train@0-1", "train@0-2", "train@1-1", "train@1-2"]);
    // A log message `started` of a worker does not restart the training: all trainings measured 10.
    let page = project.read("data/out/shown/toy/small/report.html");
    let (_, times) = page.split_once("<h2>Training times</h2>").expect("a section");
    assert!(times.contains("until gone is 10.00 or more"), "{times}");
    assert!(
        page.contains("href=\"#train\"") && page.contains("id=\"train\">train@0-1"),
        "the graph links to the training"
    );
}

/// Trainings of ten steps with the seeds 0 to 3, each with a second training that continues it. Seeds 1 and 3
/// take three times as long.
struct Trained(Toy);

impl Trained {
    fn new() -> Self {
        let project = Toy::new();
        let fanned = "[stages.train]\nforeach.seed = [0, 1, 2, 3]\nparams.seed = \"{seed}\"\n";
        let more = "\n[stages.more]\nuse = \"train\"\nforeach = \"train\"\ninputs.numbers = \"train.model\"\nparams.seed = 100\n";
        let pipeline = project.read("pipelines/train.toml").replace("[stages.train]\n", fanned);
        project.write("pipelines/train.toml", &(pipeline + more));
        let loss = "    say({\"metric\": {\"name\": \"state/rest\"";
        let script = project.read("stages/train/train.py");
        let measured = "    value = params[\"seed\"] // 100 * 100 + at\n    \
                        say({\"metric\": {\"name\": \"held_out/steps\", \"step\": at, \"value\": value}})\n";
        assert!(script.contains(loss));
        let script = script.replace(loss, &format!("{measured}{}", loss.replace("state", "loss")));
        project.write("stages/train/train.py", &script);
        Self(project)
    }

    /// Sets the claims of the pipeline.
    fn claim(&self, claims: &str) {
        let pipeline = self.0.read("pipelines/train.toml");
        self.0.write("pipelines/shown.toml", &format!("{pipeline}\n{claims}"));
    }

    /// Rows of the table of claims, after the times of events are replaced: a step takes 1 s, and 3 s for seeds
    /// 1 and 3, up to a tenth more or less. A training ends one such time after its last step.
    fn rows(&self) -> Vec<Vec<String>> {
        let timed = |line: &str| {
            let mut line: Value = serde_json::from_str(line).expect("an event");
            let stage = line["stage"].as_str().unwrap_or_default().to_owned();
            let step = line["said"]["metric"]["step"].as_u64().unwrap_or(0);
            let seconds = match line["event"].as_str() {
                Some("finished") => 11.0,
                _ => step as f64 + if step.is_multiple_of(2) { 0.1 } else { 0.0 },
            };
            // The speed of this machine must not affect the result.
            line["at"] = Value::from(seconds * if stage.ends_with(['1', '3']) { 3.0 } else { 1.0 });
            line.to_string()
        };
        for run in fs::read_dir(self.0.path("data/store/runs")).expect("runs").flatten() {
            let events = run.path().join("events.ndjson");
            let lines: Vec<String> =
                fs::read_to_string(&events).expect("events").lines().map(timed).collect();
            fs::write(&events, format!("{}\n", lines.join("\n"))).expect("written");
        }
        self.0.tables()[0].clone()
    }
}

fn claim(name: &str, stages: &str, than: &str) -> String {
    format!("[[metadata.faster]]\nclaim = \"{name}\"\nstages = [{stages}]\nthan = [{than}]\n")
}

#[test]
fn a_report_states_whether_claims_of_faster_trainings_hold() {
    let trained = Trained::new();
    let chain = claim("two stages", "\"train@0\", \"more@0\"", "\"train@1\", \"more@1\"");
    let pretrained = claim("after another", "\"more@0\"", "\"train@1\"") + "pretraining = [\"train@0\"]\n";
    trained.claim(
        &[
            claim("0 is <quick>", "\"train@0\"", "\"train@1\""),
            claim("1 is", "\"train@1\"", "\"train@[02]\""),
            claim("as quick", "\"train@0\"", "\"train@2\""),
            claim("both", "\"train@[02]\"", "\"train@[13]\""),
            claim("now and then", "\"train@[01]\"", "\"train@[23]\""),
            claim("no training", "\"make\"", "\"train@0\""),
            chain,
            pretrained,
        ]
        .join("\n"),
    );
    trained.0.succeed(&["run"]);
    let rows = trained.rows();
    let found: Vec<[&str; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|at| row[at].as_str())).collect();
    let (step, until) = ("seconds per step", "until steps is 10.00 or more");
    let wanted = [
        ["0 is <quick>", "yes, with one repetition", step, "train@0"],
        ["0 is <quick>", "yes, with one repetition", until, "train@0"],
        ["1 is", "no, with one repetition", step, "train@1"],
        ["1 is", "no, with one repetition", until, "train@1"],
        ["as quick", "undecided", step, "train@0"],
        ["as quick", "undecided", until, "train@0"],
        ["both", "yes", step, "train@0 (2 repetitions)"],
        ["both", "yes", until, "train@0 (2 repetitions)"],
        ["now and then", "undecided", step, "train@0 (2 repetitions)"],
        ["now and then", "undecided", until, "train@0 (2 repetitions)"],
        ["no training", "not tested: no times are known for make", step, "make"],
        ["two stages", "yes, with one repetition", step, "train@0, then more@0"],
        ["two stages", "yes, with one repetition", "until steps is 110 or more", "train@0, then more@0"],
        ["after another", "yes, with one repetition", step, "more@0"],
        ["after another", "yes, with one repetition", until, "more@0"],
    ];
    assert_eq!(found, wanted);
    let start = |row: usize, cell: usize| rows[row][cell].split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!((start(0, 7), start(1, 4)), ("3.00 2.37".to_owned(), "10 s".to_owned()), "{:?}", &rows[..2]);
    // The first training takes eleven seconds; the second reaches its goal after ten steps, or after one.
    assert_eq!((start(12, 4), start(14, 4)), ("21 s".to_owned(), "12 s".to_owned()), "{rows:?}");
}

#[test]
fn trainings_under_different_conditions_are_not_compared() {
    let trained = Trained::new();
    trained.claim(&claim("quick", "\"train@0\"", "\"train@1\""));
    trained.0.succeed(&["run", "train@0", "--set", "train.seconds=0.001"]);
    trained.0.succeed(&["run"]);
    let rows = trained.rows();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_output!(rows[0][1]);
}

#[test]
fn a_resumed_training_has_no_time_even_after_garbage_collection() {
    let trained = Trained::new();
    trained.claim(&claim("quick", "\"train@0\"", "\"train@1\""));
    let mut run = trained.0.start(&["run", "train@0", "--set", "train.seconds=0.2"]);
    until("no step was reported", || {
        let output = trained.0.command(&["metrics", "--json"]).output().expect("callsheet starts");
        String::from_utf8_lossy(&output.stdout).contains("held_out/steps")
    });
    run.kill().expect("killed");
    run.wait().expect("ended");
    trained.0.succeed(&["run"]);
    trained.0.succeed(&["gc", "--delete"]);
    let rows = trained.rows();
    // Only the verdict on the time to a quality: the one on steps depends on the moment of the kill.
    assert_output!(rows.last().expect("a claim")[1]);
}

#[test]
fn a_claim_that_cannot_be_tested_states_the_reason() {
    let trained = Trained::new();
    let chain = "\"train@1\", \"more@1\"";
    let claims = [
        claim("a slip", "\"train@0\"", "\"trian@1\""),
        claim("no instance", "\"train@0\"", "\"train@4*\""),
        claim("no pattern", "\"train@0\"", "\"train@[\""),
        claim("nothing", "", "\"train@1\""),
        claim("not paired", "\"train\", \"more@0\"", chain),
        claim("the wrong way round", "\"more@0\", \"train@0\"", chain),
        claim("itself", "\"train@0\"", "\"train\""),
        claim("several before", "\"more@0\"", chain) + "pretraining = [\"train\"]\n",
        claim("another before", "\"more@0\"", chain) + "pretraining = [\"train@1\"]\n",
        claim("twice before", "\"more@0\"", chain) + "pretraining = [\"train@0\", \"train@0\"]\n",
    ];
    trained.claim(&claims.join("\n"));
    trained.0.succeed(&["run"]);
    let rows = trained.0.tables()[0].clone();
    let told: Vec<String> = rows.iter().map(|row| format!("{}: {}", row[0], row[1])).collect();
    assert_output!(told.join("\n"));
    trained.claim(&(claim("a", "\"train@0\"", chain) + "after = []\n"));
    let refused = trained.0.command(&["training_times"]).output().expect("callsheet starts");
    assert_eq!(refused.status.code(), Some(2));
    assert_output!(said(&refused));
}

#[test]
fn tables_are_aligned_in_a_terminal_also_without_trainings() {
    let trained = Trained::new();
    trained.claim(&claim("0 is quick", "\"train@0\"", "\"train@1\""));
    trained.0.succeed(&["run", "train@0", "train@1"]);
    trained.rows();
    assert_output!(trained.0.succeed(&["training_times"]));
    trained.0.succeed(&["run", "make", "--force", "make"]);
    assert_output!(trained.0.succeed(&["training_times"]));
    let unknown = trained.0.command(&["training_times", "yesterday"]).output().expect("callsheet starts");
    assert_eq!(unknown.status.code(), Some(2));
}
