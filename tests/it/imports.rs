//! Imports: stages that turn the raw files of a dataset into the pipeline's input. The tests run
//! the real binary.

use crate::snapshot::assert_output;
use crate::support::Project;

const PIPELINE: &str = "summary = \"Sums\"\n[stages.sum]\ninputs.numbers = \"numbers.doubled\"\n";
const PLAIN: &str = "summary = \"As they are\"\n[sources.raw]\n[stages.make]\ninputs.numbers = \"raw\"\n\
                     [stages.numbers]\nuse = \"double\"\ninputs.numbers = \"make.kept\"\n";
const INVENTED: &str = "summary = \"Invented\"\n[stages.invent]\n[stages.numbers]\nuse = \"double\"\n\
                        inputs.numbers = \"invent.numbers\"\n";
const SMALL: &str = "summary = \"Small\"\n[stages.invent.params]\ncount = 2\n";

/// The toy project with two imports, and one dataset for each import.
fn project() -> Project {
    let project = Project::new();
    project.write("pipelines/sums.toml", PIPELINE);
    project.write("pipelines/imports/plain.toml", PLAIN);
    project.write("pipelines/imports/invented.toml", INVENTED);
    project.write(
        "pipelines/datasets/plain.toml",
        "summary = \"Numbers\"\nimport = \"plain\"\n[sources.raw]\npath = \"data/raw/toy/*.{txt,csv}\"\n",
    );
    project.write("pipelines/datasets/none.toml", "summary = \"None\"\nimport = \"invented\"\n");
    project
}

fn stages(project: &Project, dataset: &str) -> Vec<String> {
    let plan = project.json(&["plan", "-p", "sums", "-d", dataset, "--json"]);
    let stages = plan["stages"].as_array().expect("stages").iter();
    stages.map(|stage| stage["stage"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_dataset_s_import_makes_the_pipeline_s_input() {
    let project = project();
    assert_eq!(stages(&project, "plain"), ["make", "numbers", "sum"]);
    assert_eq!(stages(&project, "none"), ["invent", "numbers", "sum"]);
    project.run(&["-p", "sums", "-d", "plain"]);
}

#[test]
fn a_profile_may_set_stages_of_any_dataset_but_no_unknown_ones() {
    let project = project();
    let set = ["plan", "-p", "sums", "-d", "plain", "--set", "invent.count=2"];
    assert_output!(project.refused("unknown_name", &set));
    let declared = project.read("stages/invent/stage.toml");
    let params = "[params.count]\ntype = \"int\"\ndefault = 3\ndoc = \"Number of numbers\"\n";
    project.write("stages/invent/stage.toml", &format!("{declared}\n{params}"));
    project.write("pipelines/profiles/small.toml", SMALL);
    project.json(&["plan", "-p", "sums", "-d", "plain", "--profile", "small", "--json"]);
    project.json(&["plan", "-p", "sums", "-d", "none", "--profile", "small", "--json"]);
    project.write("pipelines/profiles/small.toml", &SMALL.replace("invent", "invemt"));
    let plan = ["plan", "-p", "sums", "-d", "plain", "--profile", "small"];
    assert_output!(project.refused("declaration", &plan));
}

#[test]
fn a_dataset_adds_a_stage_by_naming_its_declaration() {
    let project = project();
    let dataset = "summary = \"Numbers\"\nimport = \"plain\"\n[sources.raw]\n\
                   fallback = { artifact = \"invent.numbers\", label = \"invented\" }\n[stages.invent]\n";
    project.write("pipelines/datasets/more.toml", dataset);
    assert_output!(project.refused("declaration", &["plan", "-p", "sums", "-d", "more"]));
    project.write("pipelines/datasets/more.toml", &format!("{dataset}use = \"invent\"\n"));
    assert_eq!(stages(&project, "more"), ["invent", "make", "numbers", "sum"]);
}

#[test]
fn unknown_imports_and_imports_outside_datasets_are_refused() {
    let project = project();
    project.write("pipelines/datasets/typo.toml", "summary = \"Typo\"\nimport = \"plein\"\n");
    assert_output!(project.refused("declaration", &["plan", "-p", "sums", "-d", "typo"]));
    for file in ["pipelines/sums.toml", "pipelines/profiles/small.toml", "pipelines/imports/plain.toml"] {
        let whole =
            if project.exists(file) { project.read(file) } else { "summary = \"Small\"\n".to_owned() };
        project.write(file, &whole.replacen('\n', "\nimport = \"invented\"\n", 1));
        let plan = ["plan", "-p", "sums", "-d", "plain", "--profile", "small"];
        assert_output!(project.refused("declaration", &plan));
        project.write(file, &whole);
    }
}

#[test]
fn a_dataset_may_set_stages_of_other_pipelines() {
    let project = project();
    let chain = "summary = \"Another\"\n[sources.raw]\npath = \"data/raw/toy/*.txt\"\n\
                 [stages.again]\nuse = \"make\"\ninputs.numbers = \"raw\"\n";
    project.write("pipelines/another.toml", chain);
    let dataset = project.read("pipelines/datasets/plain.toml");
    project.write("pipelines/datasets/plain.toml", &format!("{dataset}[stages.again.params]\nmore = 1\n"));
    assert_eq!(stages(&project, "plain"), ["make", "numbers", "sum"]);
    project.write("pipelines/datasets/plain.toml", &format!("{dataset}[stages.agein.params]\nmore = 1\n"));
    assert_output!(project.refused("declaration", &["plan", "-p", "sums", "-d", "plain"]));
    // An unknown instance is refused even if other stages of the file belong to another pipeline.
    let more = "[stages.again.params]\nmore = 1\n[stages.\"sum@5\".params]\nmore = 1\n";
    project.write("pipelines/datasets/plain.toml", &format!("{dataset}{more}"));
    assert_output!(project.refused("declaration", &["plan", "-p", "sums", "-d", "plain"]));
}

#[test]
fn layers_override_resources_without_invalidating_results() {
    let project = project();
    let run = ["-p", "sums", "-d", "plain", "--profile", "small"];
    project.write("pipelines/profiles/small.toml", "summary = \"Small\"\n");
    assert!(!project.run(&run).ran().is_empty());
    let adjusted = |line: &str| {
        let text = format!("summary = \"Small\"\n[stages.sum.resources]\n{line}\n");
        project.write("pipelines/profiles/small.toml", &text);
    };
    adjusted("cpus = \"all\"\ntimeout_seconds = 60");
    assert!(project.run(&run).ran().is_empty());
    let config = project.json(&[&["config"], &run[..], &["--json"]].concat());
    let cpus = &config["stages"]["sum"]["resources"]["cpus"];
    assert_eq!(cpus["value"], "all");
    assert!(cpus["from"].as_str().is_some_and(|from| from.contains("small.toml:3")), "{cpus}");
    let said = ["cups = 1", "cpus = 0", "gpus = -1", "memory = \"much\""].map(|line| {
        adjusted(line);
        project.refused("declaration", &[&["plan"], &run[..]].concat())
    });
    assert_output!(said.join("\n"));
    adjusted("gpus = 1");
    let without = [&run[..], &["--gpus", "", "--force", "sum"]].concat();
    assert_output!(project.run_failing("resources", &without));
}
