//! A run as one HTML file.

mod support;

use std::fs;

use callsheet::inline::source_of;
use serde_json::Value;
use support::{Project, until};

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

#[test]
fn a_report_is_one_file_that_says_what_ran_and_from_what_and_shows_what_was_made() {
    let project = Project::new();
    project.remove("data/raw/toy");
    let page = report(&project, &["--set", "train.stop_steps=4"]);
    for wanted in [
        "<!DOCTYPE html>",
        "shown on toy, profile small",
        "Rests on: invented numbers.",
        "Numbers, and what there is to show of them.",
        "5 ran",
        "paint.picture",
        "A picture of one pixel, &lt;red&gt;",
        "20.12 <small>19.00 to 21.00</small>",
        "state/rest",
        "stop_steps = 4",
        "callsheet run --pipeline shown --dataset toy --profile small --set train.stop_steps=4 paint",
    ] {
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
    assert!(page.contains("4 cached") && page.contains("paint.picture") && page.contains("state/rest"));
}

#[test]
fn a_run_that_failed_says_so_and_shows_what_there_is() {
    let project = Project::new();
    project.write("data/raw/toy/bad.txt", "no number\n");
    project.run_failing(&["-p", "shown", "--report"], 1);
    let page = project.read(FILE);
    assert!(page.contains("<strong>train</strong> failed: "));
    assert!(page.contains("1 blocked") && page.contains("1 ran"));
    assert!(!page.contains("paint.picture"));
}

#[test]
fn what_a_run_rests_on_is_said_also_where_the_first_stage_failed() {
    let project = Project::new();
    project.remove("data/raw/toy");
    project.write("stages/make/make.py", "raise SystemExit(1)\n");
    project.run_failing(&["-p", "shown", "--report"], 1);
    assert!(project.read(FILE).contains("Rests on: invented numbers."));
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
    project.write("stages/train/train.py", &script.replace("\"steps/gone\"", "\"held_out/gone\""));
    let fanned = "[stages.train]\nforeach.seed = [0, 1]\nforeach.times = [1, 2]\nparams.seed = \"{seed}\"\n";
    project.write("pipelines/shown.toml", &pipeline.replace("[stages.train]\n", fanned));
    let page = report(&project, &[]);
    let times =
        page.split("Training times").nth(1).expect("a table").split("</table>").next().expect("its end");
    assert_eq!(times.matches("<th scope=\"row\">train@").count(), 4, "{times}");
    assert!(times.contains("until gone"), "what a worker says begins nothing: {times}");
    assert!(
        page.contains("href=\"#train\"") && page.contains("id=\"train\">train@0-1"),
        "the graph leads there"
    );
}

/// The report of three trainings of ten steps that take 1 s, 3 s and 1 s, a tenth more or less, whose claims these are.
fn report_of_claims(claims: &str) -> String {
    let project = Project::new();
    let fanned = "[stages.train]\nforeach.seed = [0, 1, 2]\nparams.seed = \"{seed}\"\n";
    let pipeline = project.read("pipelines/train.toml").replace("[stages.train]\n", fanned);
    project.write("pipelines/shown.toml", &format!("{pipeline}\n{claims}"));
    let script = project.read("stages/train/train.py").replace("state/rest", "loss/rest");
    let measured = "\"held_out/steps\", \"step\": at, \"value\": at";
    let loss = "    say({\"metric\": {\"name\": \"loss/rest\"";
    let script = script.replace(loss, &format!("    say({{\"metric\": {{\"name\": {measured}}}}})\n{loss}"));
    project.write("stages/train/train.py", &script);
    project.run(&["-p", "shown"]);
    let runs = fs::read_dir(project.path("data/store/runs")).expect("runs").flatten();
    let run = runs.into_iter().next().expect("a run").path();
    let events = run.join("events.ndjson");
    // Not as fast as the machine happened to be.
    let timed = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("an event");
        if let Some(seed) = line["stage"].as_str().and_then(|stage| stage.strip_prefix("train@")) {
            let step = line["said"]["metric"]["step"].as_u64().unwrap_or(0);
            let wobble = if step.is_multiple_of(2) { 0.1 } else { 0.0 };
            let seconds = (step as f64 + wobble) * if seed == "1" { 3.0 } else { 1.0 };
            line["at"] = Value::from(seconds);
        }
        line.to_string()
    };
    let lines: Vec<String> = fs::read_to_string(&events).expect("events").lines().map(timed).collect();
    fs::write(&events, format!("{}\n", lines.join("\n"))).expect("written");
    project.stdout(&["report"]);
    project.read(FILE)
}

#[test]
fn a_report_says_whether_trainings_are_faster_that_are_said_to_be() {
    let page = report_of_claims(
        "[[faster]]\nclaim = \"0 is <quick>\"\nstages = [\"train@0\"]\nthan = [\"train@1\"]\n\
         [[faster]]\nclaim = \"1 is\"\nstages = [\"train@1\"]\nthan = [\"train@[02]\"]\n\
         [[faster]]\nclaim = \"as quick\"\nstages = [\"train@0\"]\nthan = [\"train@2\"]\n\
         [[faster]]\nclaim = \"one by one\"\nstages = [\"train@0\", \"train@2\"]\nthan = [\"train@1\"]\n",
    );
    let times =
        page.split("Training times").nth(1).expect("a table").split("</table>").next().expect("its end");
    let rows: Vec<Vec<String>> = times
        .split("<tr>")
        .skip(2)
        .map(|row| row.split("<td").skip(1).map(|cell| text_of(&format!("<td{cell}"))).collect())
        .collect();
    let wanted = [
        ["0 is &lt;quick&gt;", "yes", "seconds a step", "train@0", "train@1"],
        ["0 is &lt;quick&gt;", "yes", "until steps 10.00", "train@0", "train@1"],
        ["1 is", "no", "seconds a step", "train@1", "train@0 (2 repetitions)"],
        ["1 is", "no", "until steps 10.00", "train@1", "train@0 (2 repetitions)"],
        ["as quick", "undecided", "seconds a step", "train@0", "train@2"],
        ["as quick", "undecided", "until steps 10.00", "train@0", "train@2"],
        ["one by one", "yes", "seconds a step", "train@0, then train@2", "train@1"],
        // Each reached it, and the second had to wait for the first.
        ["one by one", "yes", "until steps 10.00", "train@0, then train@2", "train@1"],
    ];
    let found: Vec<[&str; 5]> = rows.iter().map(|row| [0, 1, 2, 3, 5].map(|at| row[at].as_str())).collect();
    assert_eq!(found, wanted);
    assert_eq!(rows[0][7].split(' ').next(), Some("3.00"), "three times as long: {:?}", rows[0]);
    assert!(rows[1][4].starts_with("10 s"), "{:?}", rows[1]);
}

#[test]
fn a_claim_on_time_of_what_is_not_there_is_refused_before_anything_runs() {
    let project = Project::new();
    let fanned = "[stages.train]\nforeach.seed = [0, 1]\n";
    let pipeline = project.read("pipelines/train.toml").replace("[stages.train]\n", fanned);
    let claim =
        |stages: &str, than: &str| format!("[[faster]]\nclaim = \"a\"\nstages = {stages}\nthan = {than}\n");
    for (claim, wanted) in [
        (claim("[\"train@0\"]", "[\"trian@1\"]"), ["the pipeline has no stage `trian@1`", "train@1"]),
        (claim("[\"train@0\"]", "[\"train@2*\"]"), ["the pipeline has no stage `train@2*`", "train@0"]),
        (claim("[]", "[\"train@1\"]"), ["a claim on time is of no stage", "name one"]),
        (
            claim("[\"train\", \"make\"]", "[\"make\"]"),
            ["`make` means 1 stages, `train` 2", "each repetition"],
        ),
    ] {
        project.write("pipelines/shown.toml", &format!("{pipeline}\n{claim}"));
        let said = project.refused(&["run", "-p", "shown"]);
        assert!(wanted.iter().all(|wanted| said.contains(wanted)), "`{wanted:?}` is not in\n{said}");
    }
    let claims = claim("[\"train@0\"]", "[\"train@1\"]");
    project.write("pipelines/shown.toml", &pipeline);
    let profile = project.read("pipelines/profiles/small.toml");
    project.write("pipelines/profiles/small.toml", &format!("{profile}\n{claims}"));
    let said = project.refused(&["run", "-p", "shown"]);
    assert!(said.contains("only a pipeline makes claims"), "{said}");
    // A profile that leaves one out leaves out what is claimed of it.
    let fewer = "[stages.train]\nforeach.seed = [0]\n";
    project.write("pipelines/profiles/small.toml", &format!("{profile}\n{fewer}"));
    project.write("pipelines/shown.toml", &format!("{pipeline}\n{claims}"));
    project.stdout(&["plan", "-p", "shown"]);
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
        assert!(page.contains("This run has not ended"));
        assert!(page.contains("shown on toy, profile small") && page.contains("1 running"));
        assert!(page.contains("state/rest"));
    }
}

#[test]
fn a_figure_that_cannot_be_shown_says_why_among_those_that_can() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.damaged=true", "--set", "paint.points=0"]);
    assert!(page.contains("It cannot be shown: "));
    assert_eq!(page.matches("It has no rows.").count(), 2, "points and images");
    assert!(page.contains("20.12"));
}

#[test]
fn of_many_images_some_are_shown_and_their_number_is_said() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.points=100"]);
    assert!(page.contains("48 of 100 images, evenly chosen."));
    assert_eq!(page.matches("alt=\"frame ").count(), 48);
}

#[test]
fn runs_stand_beside_each_other_with_what_differs_first() {
    let project = Project::new();
    report(&project, &["--set", "train.stop_steps=4"]);
    report(&project, &["--set", "train.stop_steps=6", "--set", "paint.points=2"]);
    project.stdout(&["compare", "latest~1", "latest", "--html", "both.html"]);
    let page = project.read("both.html");
    for wanted in [
        "A: shown on toy, profile small",
        "B: shown on toy, profile small",
        "<code>stop_steps: 4 → 6</code>",
        "<code>points: 3 → 2</code>",
        "The same in all of these runs.",
        "<th scope=\"row\">train: state/rest</th>",
    ] {
        assert!(page.contains(wanted), "no {wanted}");
    }
    assert!(project.refused(&["compare", "latest", "latest", "latest~1"]).contains("--html FILE"));
    assert!(
        project.refused(&["compare", "latest", "lastest", "--html", "x.html"]).contains("there is no run")
    );
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
    let refused = project.refused(&["plan", "-p", "shown"]);
    assert!(refused.contains("output `total` cannot be shown as \"table\""), "{refused}");
    assert!(refused.contains("figure = \"table\" is for an output of kind = \"table\""), "{refused}");
}
