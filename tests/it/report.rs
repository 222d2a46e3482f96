//! A run as one HTML file.

use std::fs;

use crate::snapshot::assert_output;
use crate::support::{Project, until};
use callsheet_figures::inline::source_of;
use serde_json::Value;

const FILE: &str = "data/out/shown/toy/report.html";

fn report(project: &Project, more: &[&str]) -> String {
    project.run(&[&["-p", "shown", "--report"], more].concat());
    project.read(FILE)
}

/// What the page points at or asks for: data inside of it, and places in it.
fn addresses(page: &str) -> Vec<&str> {
    let all = ["src=\"", "href=\"", "url("].into_iter().flat_map(|before| page.split(before).skip(1));
    all.map(|rest| &rest[..rest.len().min(12)]).collect()
}

/// What is read of a part of the page.
fn text_of(part: &str) -> String {
    part.split('<').filter_map(|rest| Some(rest.split_once('>')?.1)).collect()
}

/// Text of the page from `begin` to `end`, each piece on a line.
fn lines_of(page: &str, begin: &str, end: &str) -> String {
    let part = &page[page.find(begin).expect("a begin")..];
    let part = &part[..part.find(end).expect("an end")];
    let texts = part.split('<').filter_map(|rest| Some(rest.split_once('>')?.1.trim()));
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn header(page: &str) -> String {
    lines_of(page, "<header>", "</header>")
}

/// The section of an artifact's figure.
fn figure(page: &str, artifact: &str) -> String {
    lines_of(page, &format!("<section id=\"{artifact}\">"), "</section>")
}

/// Number of stages in each state.
fn states(page: &str) -> &str {
    let rest = page.split_once("<dt>stages</dt><dd>").expect("states").1;
    rest.split_once('<').expect("an end").0
}

#[test]
fn a_report_is_one_file_that_says_what_ran_and_from_what_and_shows_what_was_made() {
    let project = Project::new();
    project.remove("data/raw/toy");
    let page = report(&project, &["--set", "train.stop_steps=4"]);
    assert_output!(header(&page));
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(figure(&page, "paint.table"));
    for wanted in ["<!DOCTYPE html>", "state/rest", "stop_steps = 4"] {
        assert!(page.contains(wanted), "no {wanted}");
    }
    let key = project.json(&["show", "-p", "shown", "paint.table", "--set", "train.stop_steps=4", "--json"]);
    assert!(page.contains(key["key"].as_str().expect("a key")), "figures say what they are of");
    assert!(page.contains("<svg class=\"graph\"") && page.contains("#train"), "the graph is drawn");
    let addresses = addresses(&page);
    assert!(addresses.iter().any(|address| address.starts_with("data:image/")), "{addresses:?}");
    assert!(addresses.iter().all(|at| at.starts_with("data:") || at.starts_with('#')), "{addresses:?}");
}

#[test]
fn what_strangers_wrote_stays_text() {
    let project = Project::new();
    let page = report(&project, &[]);
    assert!(page.contains("a &lt;b&gt;") && !page.contains("a <b>"));
    assert!(page.contains("\\u003c/script>0"), "names of points are data");
    assert_eq!(page.matches("</script>").count(), 2, "the points and the page's own script");
}

#[test]
fn a_report_lets_no_program_run_but_its_own() {
    let page = report(&Project::new(), &[]);
    let inside = |begin: &str, end: &str| {
        page.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("a part").0
    };
    let policy = inside("http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let script = source_of(inside("<script>", "</script>"));
    assert!(
        policy.starts_with("default-src 'none';") && policy.contains(&format!("script-src {script};")),
        "{policy}"
    );
    for handler in [" onclick", " onload", " onerror", "javascript:"] {
        assert!(!page.contains(handler), "{handler}");
    }
}

#[test]
fn a_run_that_only_finds_has_a_report_of_what_it_found() {
    let project = Project::new();
    report(&project, &[]);
    project.remove_file(&project.path(FILE));
    let page = report(&project, &[]);
    assert_eq!(states(&page), "4 cached");
    assert!(page.contains("paint.picture") && page.contains("state/rest"));
}

#[test]
fn a_run_that_failed_says_so_and_shows_what_there_is() {
    let project = Project::new();
    project.write("data/raw/toy/bad.txt", "no number\n");
    project.run_failing("worker_failed", &["-p", "shown", "--report"]);
    let page = project.read(FILE);
    assert!(page.contains("<strong>train</strong>"));
    assert_eq!(states(&page), "1 ran, 2 failed, 1 blocked");
    assert!(!page.contains("paint.picture"));
}

#[test]
fn what_a_run_rests_on_is_said_also_where_the_first_stage_failed() {
    let project = Project::new();
    project.remove("data/raw/toy");
    project.write("stages/make/make.py", "raise SystemExit(1)\n");
    project.run_failing("worker_failed", &["-p", "shown", "--report"]);
    assert_output!(header(&project.read(FILE)));
}

#[test]
fn a_run_of_some_stages_says_which_and_one_with_nothing_to_do_writes_no_report_anew() {
    let project = Project::new();
    let page = report(&project, &["sum"]);
    assert!(page.contains("<code>callsheet run --pipeline shown --dataset toy --profile small sum</code>"));
    project.write(FILE, "mine");
    assert_eq!(report(&project, &["sum"]), "mine");
    assert!(report(&project, &["train"]).contains("state/rest"), "another was done");
}

#[test]
fn instances_that_share_a_result_each_have_a_row_among_the_trainings() {
    let project = Project::new();
    let pipeline = project.read("pipelines/train.toml");
    let told = "import os\nopen(os.environ['CALLSHEET_EVENTS'], 'a').write('{\"log\": {\"level\": \"info\", \"message\": \"started\"}}\\n')\n";
    let script = project.read("stages/train/train.py").replace("state/rest", "loss/rest") + told;
    let gone = "say({\"metric\": {\"name\": \"steps/gone\", \"step\": 0, \"value\": 0}})\n";
    let script =
        script.replace("while at", &format!("{gone}while at")).replace("steps/gone", "held_out/gone");
    project.write("stages/train/train.py", &script);
    let fanned = "[stages.train]\nforeach.seed = [0, 1]\nforeach.times = [1, 2]\nparams.seed = \"{seed}\"\n";
    project.write("pipelines/shown.toml", &pipeline.replace("[stages.train]\n", fanned));
    let page = report(&project, &[]);
    let times =
        page.split("Training times").nth(1).expect("a table").split("</table>").next().expect("its end");
    assert_eq!(times.matches("<th scope=\"row\">train@").count(), 4, "{times}");
    // What a worker says begins nothing: all measured 10 of what is gone.
    assert_output!(lines_of(times, "<thead>", "</thead>"));
    assert!(
        page.contains("href=\"#train\"") && page.contains("id=\"train\">train@0-1"),
        "the graph leads there"
    );
}

/// Trainings of ten steps, of which those of seeds 1 and 3 take three times as long, each with one that goes on from it.
struct Trained(Project);

impl Trained {
    fn new() -> Self {
        let project = Project::new();
        let fanned = "[stages.train]\nforeach.seed = [0, 1, 2, 3]\nparams.seed = \"{seed}\"\n";
        let more = "\n[stages.more]\nuse = \"train\"\nforeach = \"train\"\ninputs.numbers = \"train.model\"\nparams.seed = 100\n";
        let pipeline = project.read("pipelines/train.toml").replace("[stages.train]\n", fanned);
        project.write("pipelines/train.toml", &(pipeline + more));
        let loss = "    say({\"metric\": {\"name\": \"state/rest\"";
        let script = project.read("stages/train/train.py");
        let measured = "    said = params[\"seed\"] // 100 * 100 + at\n    \
                        say({\"metric\": {\"name\": \"held_out/steps\", \"step\": at, \"value\": said}})\n";
        assert!(script.contains(loss));
        let script = script.replace(loss, &format!("{measured}{}", loss.replace("state", "loss")));
        project.write("stages/train/train.py", &script);
        Self(project)
    }

    /// Makes these the claims.
    fn claim(&self, claims: &str) {
        let pipeline = self.0.read("pipelines/train.toml");
        self.0.write("pipelines/shown.toml", &format!("{pipeline}\n{claims}"));
    }

    /// Rows of claims in the report of what was run, as words: steps of seeds 1 and 3 take 3 s, others 1 s, a tenth
    /// more or less, and what follows the last one a second.
    fn rows(&self) -> Vec<Vec<String>> {
        let timed = |line: &str| {
            let mut line: Value = serde_json::from_str(line).expect("an event");
            let stage = line["stage"].as_str().unwrap_or_default().to_owned();
            let step = line["said"]["metric"]["step"].as_u64().unwrap_or(0);
            let seconds = match line["event"].as_str() {
                Some("finished") => 11.0,
                _ => step as f64 + if step.is_multiple_of(2) { 0.1 } else { 0.0 },
            };
            // Not as fast as the machine happened to be.
            line["at"] = Value::from(seconds * if stage.ends_with(['1', '3']) { 3.0 } else { 1.0 });
            line.to_string()
        };
        for run in fs::read_dir(self.0.path("data/store/runs")).expect("runs").flatten() {
            let events = run.path().join("events.ndjson");
            let lines: Vec<String> =
                fs::read_to_string(&events).expect("events").lines().map(timed).collect();
            fs::write(&events, format!("{}\n", lines.join("\n"))).expect("written");
        }
        self.0.stdout(&["report"]);
        let page = self.0.read(FILE);
        let times = page.split("Training times").nth(1).expect("times");
        let table = times.split("</table>").next().expect("a table");
        let row = |row: &str| row.split("<td").skip(1).map(|cell| text_of(&format!("<td{cell}"))).collect();
        table.split("<tr>").skip(2).map(row).collect()
    }
}

fn claim(name: &str, stages: &str, than: &str) -> String {
    format!("[[faster]]\nclaim = \"{name}\"\nstages = [{stages}]\nthan = [{than}]\n")
}

#[test]
fn a_report_says_whether_trainings_are_faster_that_are_said_to_be() {
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
    trained.0.run(&["-p", "shown"]);
    let rows = trained.rows();
    let found: Vec<[&str; 4]> = rows.iter().map(|row| [0, 1, 2, 3].map(|at| row[at].as_str())).collect();
    let (step, until) = ("seconds a step", "until steps is 10.00 or more");
    let wanted = [
        ["0 is &lt;quick&gt;", "yes, of one repetition", step, "train@0"],
        ["0 is &lt;quick&gt;", "yes, of one repetition", until, "train@0"],
        ["1 is", "no, of one repetition", step, "train@1"],
        ["1 is", "no, of one repetition", until, "train@1"],
        ["as quick", "undecided", step, "train@0"],
        ["as quick", "undecided", until, "train@0"],
        ["both", "yes", step, "train@0 (2 repetitions)"],
        ["both", "yes", until, "train@0 (2 repetitions)"],
        ["now and then", "undecided", step, "train@0 (2 repetitions)"],
        ["now and then", "undecided", until, "train@0 (2 repetitions)"],
        ["no training", "not tested: no times are known of make", step, "make"],
        ["two stages", "yes, of one repetition", step, "train@0, then more@0"],
        ["two stages", "yes, of one repetition", "until steps is 110 or more", "train@0, then more@0"],
        ["after another", "yes, of one repetition", step, "more@0"],
        ["after another", "yes, of one repetition", until, "more@0"],
    ];
    assert_eq!(found, wanted);
    let start = |row: usize, cell: usize| rows[row][cell].split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!((start(0, 7), start(1, 4)), ("3.00 2.36".to_owned(), "10 s".to_owned()), "{:?}", &rows[..2]);
    // Ten steps of the second, and one, after the eleven seconds that the first took in all.
    assert_eq!((start(12, 4), start(14, 4)), ("21 s".to_owned(), "12 s".to_owned()), "{rows:?}");
}

#[test]
fn what_was_not_trained_alike_is_not_compared() {
    let trained = Trained::new();
    trained.claim(&claim("quick", "\"train@0\"", "\"train@1\""));
    trained.0.run(&["-p", "shown", "train@0", "--set", "train.seconds=0.001"]);
    trained.0.run(&["-p", "shown"]);
    let rows = trained.rows();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_output!(rows[0][1]);
}

#[test]
fn a_training_that_went_on_from_a_checkpoint_has_no_time_whatever_is_kept_of_the_first() {
    let trained = Trained::new();
    trained.claim(&claim("quick", "\"train@0\"", "\"train@1\""));
    let mut run = trained.0.start(&[
        "-p",
        "shown",
        "-d",
        "toy",
        "-P",
        "small",
        "train@0",
        "--set",
        "train.seconds=0.2",
    ]);
    until("no step is told", || {
        String::from_utf8_lossy(&trained.0.command(&["metrics", "--json"]).stdout).contains("held_out/steps")
    });
    run.kill().expect("killed");
    run.wait().expect("ended");
    trained.0.run(&["-p", "shown"]);
    trained.0.stdout(&["gc", "--delete"]);
    let rows = trained.rows();
    // The verdict on the time to a quality; how sure that on steps is depends on where the first was killed.
    assert_output!(rows.last().expect("a claim")[1]);
}

#[test]
fn a_claim_on_time_of_what_is_not_there_is_refused_before_anything_runs() {
    let trained = Trained::new();
    let chain = "\"train@1\", \"more@1\"";
    let claims = [
        claim("a", "\"train@0\"", "\"trian@1\""),
        claim("a", "\"train@0\"", "\"train@4*\""),
        claim("a", "\"train@0\"", "\"train@[\""),
        claim("a", "", "\"train@1\""),
        claim("a", "\"train\", \"more@0\"", chain),
        claim("a", "\"more@0\", \"train@0\"", chain),
        claim("a", "\"train@0\"", "\"train\""),
        claim("a", "\"more@0\"", chain) + "pretraining = [\"train\"]\n",
        claim("a", "\"more@0\"", chain) + "pretraining = [\"train@1\"]\n",
        claim("a", "\"more@0\"", chain) + "pretraining = [\"train@0\", \"train@0\"]\n",
        claim("a", "\"train@0\"", chain) + "after = []\n",
    ];
    let said = claims.map(|claim| {
        trained.claim(&claim);
        trained.0.refused("declaration", &["run", "-p", "shown"])
    });
    assert_output!(said.join("\n"));
}

#[test]
fn claims_are_a_pipeline_s_and_a_profile_that_leaves_trainings_out_leaves_out_what_is_claimed_of_them() {
    let trained = Trained::new();
    let claims = claim("a", "\"train\", \"more\"", "\"train@1\"");
    let profile = trained.0.read("pipelines/profiles/small.toml");
    trained.claim("");
    trained.0.write("pipelines/profiles/small.toml", &format!("{profile}\n{claims}"));
    assert_output!(trained.0.refused("declaration", &["run", "-p", "shown"]));
    trained.claim(&claims);
    for fewer in ["[stages.train]\nforeach.seed = [0]\n", "[stages.more]\nforeach.seed = [0]\n"] {
        trained.0.write("pipelines/profiles/small.toml", &format!("{profile}\n{fewer}"));
        trained.0.stdout(&["plan", "-p", "shown"]);
    }
}

#[test]
fn a_run_that_was_killed_or_goes_on_has_a_report_of_what_it_told() {
    let project = Project::new();
    let mut run = project.start(&["-p", "shown", "-d", "toy", "-P", "small", "--set", "train.seconds=0.3"]);
    let told = || {
        let said = project.command(&["metrics", "--json"]).stdout;
        String::from_utf8_lossy(&said).contains("state/rest")
    };
    until("no step is told while it goes on", told);
    project.stdout(&["report", "-o", "now.html"]);
    run.kill().expect("killed");
    run.wait().expect("ended");
    project.stdout(&["report"]);
    for page in [project.read("now.html"), project.read(FILE)] {
        assert_output!(lines_of(&page, "<header>", "<dl>"));
        assert!(states(&page).contains("1 running") && page.contains("state/rest"));
    }
}

#[test]
fn a_figure_that_cannot_be_shown_says_why_among_those_that_can() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.damaged=true", "--set", "paint.points=0"]);
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(figure(&page, "paint.points"));
    assert_output!(figure(&page, "paint.images"));
    assert!(page.contains("20.12"));
}

#[test]
fn of_many_images_some_are_shown_and_their_number_is_said() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.points=100"]);
    assert_output!(figure(&page, "paint.images"));
    assert_eq!(page.matches("alt=\"frame ").count(), 48);
}

#[test]
fn runs_stand_beside_each_other_with_what_differs_first() {
    let project = Project::new();
    report(&project, &["--set", "train.stop_steps=4"]);
    report(&project, &["--set", "train.stop_steps=6", "--set", "paint.points=2"]);
    project.stdout(&["compare", "latest~1", "latest", "--html", "both.html"]);
    let page = project.read("both.html");
    assert_output!(header(&page));
    assert_output!(lines_of(&page, "<h2>What differs</h2>", "<h2>Figures</h2>"));
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(project.refused("conflict", &["compare", "latest", "latest", "latest~1"]));
    assert_output!(project.refused("unknown_name", &["compare", "latest", "lastest", "--html", "x.html"]));
    assert!(!project.exists("x.html"));
}

#[test]
fn a_figure_of_what_it_cannot_show_is_refused_where_it_is_declared() {
    let project = Project::new();
    let stage = project.read("stages/sum/stage.toml");
    project.write(
        "stages/sum/stage.toml",
        &stage.replace("kind = \"file\"\npath", "kind = \"file\"\nfigure = \"table\"\npath"),
    );
    assert_output!(project.refused("declaration", &["plan", "-p", "shown"]));
}
