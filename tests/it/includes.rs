//! Included files and variables of pipelines, datasets and profiles, through the real binary.

use crate::snapshot::assert_output;
use crate::support::Project;

const PART: &str = "summary = \"Numbers, kept and doubled\"\n[vars]\ntimes = 2\nnote = \"\"\n\
                    [sources.numbers]\nfallback = { artifact = \"invent.numbers\", label = \"invented numbers\" }\n\
                    [stages.invent]\n[stages.make]\ninputs.numbers = \"numbers\"\nparams.comment = \"{times} times {note}\"\n\
                    [stages.double]\ninputs.numbers = \"make.kept\"\nparams.times = \"{times}\"\n";
const SUMS: &str = "summary = \"Sums\"\ninclude = [\"parts/doubled.toml\"]\n[stages.sum]\ninputs.numbers = \"double.doubled\"\n";

/// The toy project with a pipeline that includes a part.
fn project() -> Project {
    let project = Project::new();
    project.write("pipelines/parts/doubled.toml", PART);
    project.write("pipelines/sums.toml", SUMS);
    project
}

fn sum(project: &Project) -> String {
    project.latest("sum.total").trim().to_owned()
}

#[test]
fn an_included_file_is_a_layer_below_the_one_that_includes_it() {
    let project = project();
    assert_eq!(project.run(&["-p", "sums"]).ran(), ["make", "double", "sum"]);
    assert_eq!(sum(&project), "12", "1, 2 and 3, doubled");
    project.write("pipelines/sums.toml", &format!("{SUMS}[stages.double]\nparams.times = 3\n"));
    assert_eq!(project.run(&["-p", "sums"]).ran(), ["double", "sum"]);
    assert_eq!(sum(&project), "18");
    // Keys do not depend on the file that declares a stage.
    let joined = PART.replace("summary = \"Numbers, kept and doubled\"", "summary = \"One file\"");
    project.write(
        "pipelines/sums.toml",
        &format!("{joined}{}", "[stages.sum]\ninputs.numbers = \"double.doubled\"\n"),
    );
    project.run(&["-p", "sums"]);
    project.write("pipelines/sums.toml", SUMS);
    assert_eq!(project.run(&["-p", "sums"]).ran(), [""; 0]);
}

#[test]
fn a_file_that_two_others_include_is_read_once() {
    let project = project();
    project.write(
        "pipelines/parts/twice.toml",
        "summary = \"Twice\"\ninclude = [\"doubled.toml\", \"./doubled.toml\"]\n",
    );
    let both =
        SUMS.replace("\"parts/doubled.toml\"", "\"parts/twice.toml\", \"parts/../parts/doubled.toml\"");
    project.write("pipelines/sums.toml", &both);
    assert_eq!(project.run(&["-p", "sums"]).ran(), ["make", "double", "sum"]);
}

#[test]
fn a_variable_reruns_the_stages_whose_values_it_changes() {
    let project = project();
    project.run(&["-p", "sums"]);
    assert_eq!(
        project.run(&["-p", "sums", "--set", "vars.note=again"]).ran(),
        ["make"],
        "the output of make is unchanged"
    );
    project.write("pipelines/profiles/large.toml", "summary = \"Large\"\n[vars]\ntimes = 10\n");
    project.run(&["-p", "sums", "-P", "large"]);
    assert_eq!(sum(&project), "60");
    let dataset = project.read("pipelines/datasets/toy.toml");
    project.write("pipelines/datasets/toy.toml", &format!("{dataset}\n[vars]\ntimes = 4\n"));
    project.run(&["-p", "sums"]);
    assert_eq!(sum(&project), "24");
    project.run(&["-p", "sums", "-P", "large", "--set", "vars.times=5"]);
    assert_eq!(sum(&project), "30", "the command line overrides the profile, which overrides the dataset");
    assert_output!(project.stdout(&["config", "-p", "sums", "-P", "large", "double"]));
}

#[test]
fn a_variable_fills_paths_of_sources_and_keeps_alternatives() {
    let project = project();
    project.write(
        "pipelines/sums.toml",
        "summary = \"Sums\"\n[vars]\nfolder = \"toy\"\n[sources.raw]\npath = \"data/raw/{folder}/*.{txt,csv}\"\n\
         [stages.make]\ninputs.numbers = \"raw\"\n[stages.sum]\ninputs.numbers = \"make.kept\"\n",
    );
    project.run(&["-p", "sums"]);
    assert_eq!(project.run(&["-p", "sums", "--set", "vars.folder=toy"]).ran(), [""; 0]);
}

#[test]
fn a_dataset_may_set_variables_of_other_pipelines_but_no_unknown_ones() {
    let project = project();
    let dataset = project.read("pipelines/datasets/toy.toml");
    project.write("pipelines/datasets/toy.toml", &format!("{dataset}\n[vars]\ntimes = 4\n"));
    project.run(&["-p", "fan"]);
    project.write("pipelines/datasets/toy.toml", &format!("{dataset}\n[vars]\ntimse = 4\n"));
    assert_output!(project.refused("declaration", &["plan", "-p", "sums"]));
}

#[test]
fn wrong_includes_and_variables_are_refused_with_their_line() {
    let refused = |part: &str, sums: &str| {
        let project = project();
        project.write("pipelines/parts/doubled.toml", part);
        project.write("pipelines/sums.toml", sums);
        project.refused("declaration", &["plan", "-p", "sums"])
    };
    let including = |name: &str| SUMS.replace("parts/doubled.toml", name);
    assert_output!(refused(PART, &including("parts/doubeld.toml")));
    assert_output!(refused(PART, &including("../../outside.toml")));
    assert_output!(refused(PART, &including("/etc/passwd")));
    assert_output!(refused(
        &PART.replace("kept and doubled\"\n", "kept\"\ninclude = [\"../sums.toml\"]\n"),
        SUMS
    ));
    assert_output!(refused(&PART.replace("{times}", "{tmies}"), SUMS));
    assert_output!(refused(&PART.replace("times = 2", "times = [2]"), SUMS));
    assert_output!(refused(&PART.replace("times = 2", "times = 2\ndataset = \"a\""), SUMS));
    assert_output!(refused(&PART.replace("[stages.double]", "[stages.double]\nforeach.times = [2]"), SUMS));
    assert_output!(refused(
        &PART.replace("[stages.invent]", "[stages.vars]\nuse = \"invent\"\n[stages.invent]"),
        SUMS
    ));
    assert_output!(refused(&PART.replace("times = 2", "times = \"{note}\""), SUMS));
    assert_output!(refused(PART, &format!("{SUMS}[sources.raw]\npath = \"data/{{datset}}/*.txt\"\n")));
    let project = project();
    let set = |set: &str| ["plan", "-p", "sums", "--set", set].map(str::to_owned);
    let refused =
        |code: &str, option: &str| project.refused(code, &set(option).each_ref().map(String::as_str));
    assert_output!(refused("unknown_name", "vars.tmies=3"));
    assert_output!(refused("invalid_value", "vars.times=[1]"));
    for depth in 0..40 {
        let next = format!("summary = \"Deep\"\ninclude = [\"deep{}.toml\"]\n", depth + 1);
        project.write(&format!("pipelines/parts/deep{depth}.toml"), &next);
    }
    project.write("pipelines/parts/deep40.toml", PART);
    project.write("pipelines/sums.toml", &including("parts/deep0.toml"));
    assert_output!(project.refused("declaration", &["plan", "-p", "sums"]));
}

#[test]
fn a_profile_that_includes_a_file_of_the_pipeline_overrides_the_pipeline() {
    let project = project();
    project.write("pipelines/parts/ten.toml", "summary = \"Ten\"\n[stages.double]\nparams.times = 10\n");
    let both = SUMS.replace("[\"parts/doubled.toml\"]", "[\"parts/doubled.toml\", \"parts/ten.toml\"]");
    project.write("pipelines/sums.toml", &format!("{both}[stages.double]\nparams.times = 3\n"));
    project.write("pipelines/profiles/ten.toml", "summary = \"Ten\"\ninclude = [\"../parts/ten.toml\"]\n");
    project.run(&["-p", "sums"]);
    assert_eq!(sum(&project), "18");
    project.run(&["-p", "sums", "-P", "ten"]);
    assert_eq!(sum(&project), "60");
}
