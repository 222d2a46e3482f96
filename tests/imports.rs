//! Datasets whose raw files become the pipeline's input in ways of their own. Through the real binary.

mod support;

use support::Project;

const PIPELINE: &str = "summary = \"Sums\"\n[stages.sum]\ninputs.numbers = \"numbers.doubled\"\n";
const PLAIN: &str = "summary = \"As they are\"\n[sources.raw]\n[stages.make]\ninputs.numbers = \"raw\"\n\
                     [stages.numbers]\nuse = \"double\"\ninputs.numbers = \"make.kept\"\n";
const INVENTED: &str = "summary = \"Invented\"\n[stages.invent]\n[stages.numbers]\nuse = \"double\"\n\
                        inputs.numbers = \"invent.numbers\"\n";
const SMALL: &str = "summary = \"Small\"\n[stages.invent.params]\ncount = 2\n";

/// The toy project with two imports, and a dataset of each.
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
    let stages = plan.as_array().expect("stages").iter();
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
fn a_profile_speaks_of_every_dataset_s_stages_and_of_no_others() {
    let project = project();
    let said = project.refused(&["plan", "-p", "sums", "-d", "plain", "--set", "invent.count=2"]);
    assert!(said.contains("the pipeline has no stage `invent`"), "{said}");
    let declared = project.read("stages/invent/stage.toml");
    let params = "[params.count]\ntype = \"int\"\ndefault = 3\ndoc = \"How many\"\n";
    project.write("stages/invent/stage.toml", &format!("{declared}\n{params}"));
    project.write("pipelines/profiles/small.toml", SMALL);
    project.json(&["plan", "-p", "sums", "-d", "plain", "--profile", "small", "--json"]);
    project.json(&["plan", "-p", "sums", "-d", "none", "--profile", "small", "--json"]);
    project.write("pipelines/profiles/small.toml", &SMALL.replace("invent", "invemt"));
    let said = project.refused(&["plan", "-p", "sums", "-d", "plain", "--profile", "small"]);
    assert!(said.contains("the pipeline has no stage `invemt`"), "{said}");
}

#[test]
fn a_dataset_adds_a_stage_by_saying_which_it_uses() {
    let project = project();
    let dataset = "summary = \"Numbers\"\nimport = \"plain\"\n[sources.raw]\n\
                   otherwise = { artifact = \"invent.numbers\", label = \"invented\" }\n[stages.invent]\n";
    project.write("pipelines/datasets/more.toml", dataset);
    let said = project.refused(&["plan", "-p", "sums", "-d", "more"]);
    assert!(said.contains("the pipeline has no stage `invent`"), "{said}");
    project.write("pipelines/datasets/more.toml", &format!("{dataset}use = \"invent\"\n"));
    assert_eq!(stages(&project, "more"), ["invent", "make", "numbers", "sum"]);
}

#[test]
fn an_import_that_is_not_there_or_not_a_dataset_s_is_refused() {
    let project = project();
    project.write("pipelines/datasets/typo.toml", "summary = \"Typo\"\nimport = \"plein\"\n");
    let said = project.refused(&["plan", "-p", "sums", "-d", "typo"]);
    assert!(said.contains("no import `plein`") && said.contains("did you mean `plain`?"), "{said}");
    for file in ["pipelines/sums.toml", "pipelines/profiles/small.toml", "pipelines/imports/plain.toml"] {
        let whole =
            if project.exists(file) { project.read(file) } else { "summary = \"Small\"\n".to_owned() };
        project.write(file, &whole.replacen('\n', "\nimport = \"invented\"\n", 1));
        let said = project.refused(&["plan", "-p", "sums", "-d", "plain", "--profile", "small"]);
        assert!(said.contains("is not in a dataset's file") && said.contains(file), "{said}");
        project.write(file, &whole);
    }
}
