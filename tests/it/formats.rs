//! Stores of all formats up to the current one are opened; stores of later formats are refused.
//! `docs/formats.md` lists the stable formats.

use std::fs;
use std::path::Path;

use crate::snapshot::assert_output;
use crate::support::Project;

/// All formats of stores, up to the current one.
const FORMATS: &[&str] = &["1"];

/// A project with a store of this format, written by a version with this format.
fn fixture(format: &str) -> Project {
    Project::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores").join(format))
}

const WORDS: [&str; 6] = ["-p", "words", "-d", "", "-P", ""];

fn words(project: &Project, command: &[&str]) -> String {
    project.stdout(&[command, &WORDS].concat())
}

#[test]
fn results_of_every_format_are_found_and_can_be_looked_at() {
    for format in FORMATS {
        let project = fixture(format);
        assert_output!(words(&project, &["plan"]));
        assert_output!(words(&project, &["ls"]));
        assert_output!(project.stdout(&["ls", "--runs"]));
        assert_output!(project.stdout(&["compare", "latest~1", "latest"]));
        assert_output!(project.stdout(&["pin", "--list"]));
        assert_output!(project.stdout(&["verify"]));
        words(&project, &["plan", "--set", "most_common.words=3", "--check"]);
    }
}

#[test]
fn the_first_run_in_a_store_of_an_earlier_version_shows_only_its_own_results() {
    let project = fixture("1");
    project.write("pipelines/profiles/small.toml", "summary = \"Small\"\n");
    let small = ["run", "-p", "words", "-d", "", "-P", "small"];
    assert!(project.exists("data/out/words/most_common/words.txt"));
    project.status(&small, 0);
    assert!(!project.exists("data/out/words/most_common"));
    assert!(project.exists("data/out/words/_/small/most_common/words.txt"));
}

#[test]
fn a_store_of_a_later_format_is_refused_by_every_command_that_opens_it() {
    let project = fixture("1");
    fs::rename(project.path("data/store/format-1"), project.path("data/store/format-2")).expect("renamed");
    assert_output!(project.refused("unsupported", &[&["plan"], &WORDS[..]].concat()));
    for command in [
        &["ls", "--runs"][..],
        &["gc"],
        &["verify"],
        &["du"],
        &["compare", "latest~1", "latest"],
        &["metrics"],
        &["report"],
    ] {
        project.refused("unsupported", command);
    }
    for command in
        [&["run"][..], &["ls"], &["show", "most_common"], &["explain", "most_common"], &["pin", "kept"]]
    {
        project.refused("unsupported", &[command, &WORDS].concat());
    }
    // The marker with the highest number counts; a marker without a number belongs to a later version.
    fs::write(project.path("data/store/format-10"), "").expect("written");
    assert_output!(project.refused("unsupported", &["du"]));
}

#[test]
fn a_store_whose_folder_of_locks_is_gone_can_be_used() {
    let project = fixture("1");
    fs::remove_dir_all(project.path("data/store/locks")).expect("removed");
    project.run(&[&WORDS[..], &["--force", "most_common"]].concat());
}

#[test]
fn a_store_without_a_marker_is_used_and_gets_one() {
    let project = fixture("1");
    fs::remove_file(project.path("data/store/format-1")).expect("removed");
    project.stdout(&[&["plan", "--check"], &WORDS[..]].concat());
    project.run(&[&WORDS[..], &["--force", "most_common"]].concat());
    assert!(project.exists("data/store/format-1"));
}

#[test]
fn everything_that_is_printed_as_json_has_a_version() {
    let project = fixture("1");
    let commands: [&[&str]; 12] = [
        &["plan", "--json"],
        &["config", "--json"],
        &["ls", "--json"],
        &["explain", "--json", "most_common"],
        &["show", "--json", "most_common"],
        &["run", "--dry-run", "--json"],
        &["verify", "--json"],
        &["ls", "--runs", "--json"],
        &["report", "--json"],
        &["gc", "--json"],
        &["du", "--json"],
        &["compare", "--json", "latest~1", "latest"],
    ];
    for command in commands {
        let of_pipeline = ["plan", "config", "ls", "explain", "show", "run"].contains(&command[0]);
        let words: &[&str] = if of_pipeline { &WORDS } else { &[] };
        assert_eq!(project.json(&[command, words].concat())["version"], 1, "{command:?}");
    }
    assert_eq!(project.json(&["datasets", "--json"])["version"], 1);
    assert_eq!(project.run(&WORDS).events()[0]["version"], 1);
}
