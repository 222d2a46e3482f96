//! A run as one HTML file.

mod support;

use callsheet::inline::source_of;
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
