//! Files that the pattern of a source matches.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

fn project(pattern: &str, files: &[&str]) -> Project {
    let project = Project::minimal();
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &pipeline.replace("data/raw/*.txt", pattern));
    project.write(
        "stages/copy/copy.sh",
        "out=$1; shift; for f; do echo \"${f##*/data/raw/}\"; done > \"$out\"\n",
    );
    files.iter().for_each(|file| project.write(file, "1\n"));
    project
}

fn seen(project: &Project) -> String {
    project.run(&MAIN);
    project.read("data/out/main/copy/copy.txt")
}

#[test]
fn hidden_files_match_only_a_pattern_that_names_them() {
    let files = [
        "data/raw/a.txt",
        "data/raw/._a.txt",
        "data/raw/.cache/b.txt",
        "data/raw/c/.d/e.txt",
        "data/raw/c/f.txt",
    ];
    assert_eq!(seen(&project("data/raw/*.txt", &files)), "a.txt\n");
    assert_eq!(seen(&project("data/raw/**/*.txt", &files)), "a.txt\nc/f.txt\n");
    assert_eq!(seen(&project("data/raw/._*.txt", &files)), "._a.txt\n");
    assert_eq!(seen(&project("data/raw/.cache/*.txt", &files)), ".cache/b.txt\n");
}

#[test]
fn a_hidden_alternative_and_a_link_to_nothing_that_does_not_match_are_no_obstacle() {
    let project = project("data/raw/{.hid,sub}/*.txt", &["data/raw/.hid/h.txt", "data/raw/sub/s.txt"]);
    project.link("nowhere", "data/raw/sub/notes.bak");
    assert_eq!(seen(&project), ".hid/h.txt\nsub/s.txt\n");
}

#[test]
fn folders_that_all_link_to_each_other_are_visited_once() {
    let project = project("data/raw/**/*.txt", &[]);
    for folder in 0..9 {
        project.write(&format!("data/raw/d{folder}/{folder}.txt"), "1");
        (0..9).for_each(|to| project.link(&format!("../d{to}"), &format!("data/raw/d{folder}/to{to}")));
    }
    assert_eq!(seen(&project).lines().count(), 9);
}

#[test]
fn loops_of_links_are_not_followed() {
    let project = project("data/raw/**/*.txt", &["data/raw/a/1.txt", "data/raw/b/2.txt"]);
    project.link("..", "data/raw/a/up");
    project.link("../b", "data/raw/a/other");
    project.link("../a", "data/raw/b/other");
    assert_eq!(seen(&project), "a/1.txt\nb/2.txt\n");
}

#[test]
fn names_that_are_not_utf8_are_refused_at_every_depth() {
    for folder in ["data/raw", "data/raw/a/b"] {
        let project = project("data/raw/**/*.txt", &["data/raw/a/b/c.txt"]);
        let name = OsStr::from_bytes(b"odd\xff.txt");
        fs::write(project.path(folder).join(name), "1").expect("written");
        assert_output!(project.refused("unreadable", &[&["plan"], &MAIN[..]].concat()));
    }
}

#[test]
fn a_pattern_that_matches_results_is_refused() {
    let project = project("data/*/**/*.txt", &["data/raw/a/1.txt", "data/out/old/x.txt"]);
    assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
    let literal = self::project("data/out/main/copy/copy.txt", &["data/out/main/copy/copy.txt"]);
    literal.refused("declaration", &[&["plan"], &MAIN[..]].concat());
    let linked = self::project("data/raw/**/*.txt", &["data/out/old/x.txt", "data/raw/a.txt"]);
    linked.link("../out", "data/raw/old");
    linked.refused("declaration", &[&["plan"], &MAIN[..]].concat());
}

#[test]
fn folders_and_names_with_special_characters_are_refused_with_the_way_to_write_them() {
    for pattern in ["data/raw", "data/raw/[x]/*.txt", "data/raw/a[1].txt"] {
        let project = project(pattern, &["data/raw/[x]/1.txt", "data/raw/a[1].txt"]);
        assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
    }
    assert_eq!(seen(&project("data/raw/[[]x]/*.txt", &["data/raw/[x]/1.txt"])), "[x]/1.txt\n");
}

#[test]
fn a_path_may_begin_with_a_dot() {
    assert_eq!(seen(&project("./data/./raw/*.txt", &["data/raw/a.txt"])), "a.txt\n");
    assert_eq!(seen(&project("./data/raw/a.txt", &["data/raw/a.txt"])), "a.txt\n");
}
