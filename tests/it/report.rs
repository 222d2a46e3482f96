//! Tests of the report of a run, one HTML file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::snapshot::assert_output;
use crate::support::{Project, until};
use callsheet_figures::data_uri::source_of;
use serde_json::Value;

const FILE: &str = "data/out/shown/toy/small/report.html";

fn report(project: &Project, more: &[&str]) -> String {
    project.run(&[&["-p", "shown", "--report"], more].concat());
    project.read(&if more.contains(&"--set") { latest(project) } else { FILE.to_owned() })
}

/// Path of the report of the latest run if it has `--set` options.
fn latest(project: &Project) -> String {
    let runs = project.json(&["ls", "--runs", "--json"]);
    format!("data/out/runs/{}/report.html", runs["runs"][0]["id"].as_str().expect("an id"))
}

/// Beginnings of all addresses in the page.
fn addresses(page: &str) -> Vec<&str> {
    let all = ["src=\"", "href=\"", "url("].into_iter().flat_map(|before| page.split(before).skip(1));
    all.map(|rest| &rest[..rest.len().min(12)]).collect()
}

/// Text of the page from `begin` to `end`, one line per piece of text.
fn lines_of(page: &str, begin: &str, end: &str) -> String {
    let part = &page[page.find(begin).expect("a beginning")..];
    let part = &part[..part.find(end).expect("an end")];
    let texts = part.split('<').filter_map(|rest| Some(rest.split_once('>')?.1.trim()));
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn header(page: &str) -> String {
    lines_of(page, "<header>", "</header>")
}

/// Text of the section with an artifact's figure.
fn figure(page: &str, artifact: &str) -> String {
    // Pictures that lead the page are figures without a section.
    let of = |tag: &str| (format!("<{tag} id=\"{artifact}\">"), format!("</{tag}>"));
    let (begin, end) = if page.contains(&of("figure").0) { of("figure") } else { of("section") };
    lines_of(page, &begin, &end)
}

/// Number of stages in each state.
fn states(page: &str) -> &str {
    let rest = page.split_once("<dt>stages</dt><dd>").expect("states").1;
    rest.split_once('<').expect("an end").0
}

#[test]
fn a_report_is_one_file_with_the_run_its_inputs_and_its_results() {
    let project = Project::new();
    project.remove("data/raw/toy");
    let page = report(&project, &["--set", "train.stop_steps=4"]);
    assert_output!(header(&page));
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(figure(&page, "paint.table"));
    for wanted in ["<!DOCTYPE html>", "state/rest", "stop_steps = 4"] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    let key = project.json(&["show", "-p", "shown", "paint.table", "--set", "train.stop_steps=4", "--json"]);
    assert!(page.contains(key["key"].as_str().expect("a key")), "a figure names the key of its artifact");
    assert!(page.contains("<svg class=\"graph\"") && page.contains("#train"), "the graph is drawn");
    let addresses = addresses(&page);
    assert!(addresses.iter().any(|address| address.starts_with("data:image/")), "{addresses:?}");
    assert!(addresses.iter().all(|at| at.starts_with("data:") || at.starts_with('#')), "{addresses:?}");
}

#[test]
fn markup_in_names_and_values_is_escaped() {
    let project = Project::new();
    let page = report(&project, &[]);
    assert!(page.contains("a &lt;b&gt;") && !page.contains("a <b>"));
    assert!(page.contains("\\u003c/script>0"), "names of points are escaped in the data");
    assert_eq!(page.matches("</script>").count(), 2, "only the points and the page's own script are scripts");
}

#[test]
fn a_report_allows_no_script_but_its_own() {
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
fn a_run_with_only_cached_results_has_a_complete_report() {
    let project = Project::new();
    report(&project, &[]);
    project.remove_file(&project.path(FILE));
    let page = report(&project, &[]);
    assert_eq!(states(&page), "4 cached");
    assert!(page.contains("paint.picture") && page.contains("state/rest"));
}

#[test]
fn the_report_of_a_failed_run_shows_the_failure_and_the_results() {
    let project = Project::new();
    project.write("data/raw/toy/bad.txt", "no number\n");
    project.run_failing("worker_failed", &["-p", "shown", "--report"]);
    let page = project.read(FILE);
    assert!(page.contains("<strong>train</strong>"));
    assert_eq!(states(&page), "1 ran, 2 failed, 1 blocked");
    assert!(!page.contains("paint.picture"));
}

#[test]
fn a_report_names_the_stand_in_even_if_the_first_stage_failed() {
    let project = Project::new();
    project.remove("data/raw/toy");
    project.write("stages/make/make.py", "raise SystemExit(1)\n");
    project.run_failing("worker_failed", &["-p", "shown", "--report"]);
    assert_output!(header(&project.read(FILE)));
}

#[test]
fn a_report_names_the_selected_stages_and_a_cached_run_keeps_the_file() {
    let project = Project::new();
    let page = report(&project, &["sum"]);
    assert!(page.contains("<code>callsheet run --pipeline shown --dataset toy --profile small sum</code>"));
    let mine = page + "<!-- mine -->";
    project.write(FILE, &mine);
    assert_eq!(report(&project, &["sum"]), mine, "the page is complete and shows these results");
    project.write(FILE, "mine");
    assert_ne!(report(&project, &["sum"]), "mine");
    assert!(report(&project, &["train"]).contains("state/rest"), "the run of `train` writes a new report");
}

#[test]
fn killed_and_running_runs_have_reports_of_their_metrics() {
    let project = Project::new();
    let mut run = project.start(&["-p", "shown", "-d", "toy", "-P", "small", "--set", "train.seconds=0.3"]);
    let reports_a_step = || {
        let said = project.command(&["metrics", "--json"]).stdout;
        String::from_utf8_lossy(&said).contains("state/rest")
    };
    until("the running training reports a step", reports_a_step);
    project.stdout(&["report", "-o", "now.html"]);
    run.kill().expect("killed");
    run.wait().expect("ended");
    project.stdout(&["report", "-o", "then.html"]);
    for (page, state) in [("now.html", "1 running"), ("then.html", "1 stopped")] {
        let page = project.read(page);
        assert_output!(header(&page));
        assert!(states(&page).contains(state) && page.contains("state/rest"), "{}", states(&page));
    }
}

#[test]
fn a_figure_that_cannot_be_shown_is_replaced_by_the_reason() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.damaged=true", "--set", "paint.points=0"]);
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(figure(&page, "paint.points"));
    assert_output!(figure(&page, "paint.images"));
    assert!(page.contains("20.12"));
}

#[test]
fn a_figure_of_many_images_shows_some_and_their_number() {
    let project = Project::new();
    let page = report(&project, &["--set", "paint.points=100"]);
    assert_output!(figure(&page, "paint.images"));
    assert_eq!(page.matches("alt=\"frame ").count(), 48);
}

#[test]
fn runs_are_shown_side_by_side_and_differences_come_first() {
    let project = Project::new();
    report(&project, &["--set", "train.stop_steps=4"]);
    report(&project, &["--set", "train.stop_steps=6", "--set", "paint.points=2"]);
    project.stdout(&["compare", "latest~1", "latest", "--html", "both.html"]);
    let page = project.read("both.html");
    assert_output!(header(&page));
    assert_output!(lines_of(&page, "<h2>Changed parameters</h2>", "<h2>Figures</h2>"));
    assert_output!(figure(&page, "paint.picture"));
    assert_output!(project.refused("conflict", &["compare", "latest", "latest", "latest~1"]));
    assert_output!(project.refused("unknown_name", &["compare", "latest", "lastest", "--html", "x.html"]));
    assert!(!project.exists("x.html"));
}

#[test]
fn a_figure_that_does_not_fit_its_output_is_refused() {
    let project = Project::new();
    let stage = project.read("stages/sum/stage.toml");
    project.write(
        "stages/sum/stage.toml",
        &stage.replace("kind = \"file\"\npath", "kind = \"file\"\nfigure = \"table\"\npath"),
    );
    assert_output!(project.refused("declaration", &["plan", "-p", "shown"]));
}

/// A toy project whose command `weather` adds the output of `script` to reports.
fn with_sections(script: &str) -> Project {
    let project = Project::new();
    project.write("weather.sh", &format!("#!/bin/sh\n{script}\n"));
    let program = project.path("weather.sh");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let settings = project.read("callsheet.toml");
    let command =
        "[commands.weather]\nprogram = \"weather.sh\"\nsummary = \"Print the weather\"\nreport = true\n";
    project.write("callsheet.toml", &format!("path = [\".\"]\n{settings}\n{command}"));
    project
}

#[test]
fn commands_of_the_project_add_sections_to_a_report() {
    let project = with_sections(
        "[ \"$*\" = \"weather --json -\" ] && cat > description.json && cat <<'E'\n\
         {\"version\": 1, \"sections\": [{\"title\": \"Weather\", \"notes\": [\"as <measured>\"], \"tables\": [\n\
         {\"columns\": [{\"name\": \"day\", \"text\": true}, {\"name\": \"mm\"}],\n\
         \"rows\": [[{\"value\": \"Monday\"}, {\"value\": \"3\", \"detail\": \"2 to 4\"}]]}]}]}\nE",
    );
    let pipeline = project.read("pipelines/shown.toml");
    project.write(
        "pipelines/shown.toml",
        &format!(
            "{pipeline}
[metadata]
place = \"bay\"
"
        ),
    );
    let page = report(&project, &[]);
    assert_output!(lines_of(&page, "<h2>Weather</h2>", "</table>"));
    let description: Value = serde_json::from_str(&project.read("description.json")).expect("JSON");
    assert_eq!(
        (&description["version"], &description["metadata"]["place"]),
        (&1.into(), &"bay".into()),
        "{description}"
    );
    let stages = description["stages"].as_array().expect("stages");
    let train = stages.iter().find(|stage| stage["name"] == "train").expect("a stage");
    assert_eq!((&train["reads"], &train["state"]), (&serde_json::json!(["make"]), &"ran".into()), "{train}");
    assert!(
        train["made"]["events"].as_str().is_some_and(|events| events.ends_with("/events.ndjson")),
        "{train}"
    );
    let shown: Value = serde_json::from_str(&project.stdout(&["report", "--json"])).expect("JSON");
    assert_eq!(shown, description, "`report --json` prints the description that commands read");
}

#[test]
fn a_command_that_fails_costs_a_report_no_more_than_its_section() {
    let scripts =
        ["echo no rain gauge >&2; exit 3", "echo '{\"version\": 9, \"sections\": []}'", "echo rain"];
    let said = scripts.map(|script| {
        let page = report(&with_sections(script), &[]);
        assert!(page.contains("state/rest"), "the other sections are in the report");
        lines_of(&page, "<h2>weather</h2>", "</p>")
    });
    assert_output!(said.join("\n"));
}

#[test]
fn a_page_that_lacks_a_section_is_written_again_by_a_run_with_nothing_to_do() {
    let project = with_sections("exit 3");
    let run = ["run", "-p", "shown", "--report"];
    project.stdout(&run);
    let good =
        "echo '{\"version\": 1, \"sections\": [{\"title\": \"Rain\", \"notes\": [], \"tables\": []}]}'";
    project.write("weather.sh", &format!("#!/bin/sh\n{good}\n"));
    project.stdout(&run);
    assert!(project.read(FILE).contains("<h2>Rain</h2>"));
    project.write("weather.sh", "#!/bin/sh\nexit 3\n");
    project.stdout(&run);
    assert!(project.read(FILE).contains("<h2>Rain</h2>"), "a complete page of equal results stays");
}
