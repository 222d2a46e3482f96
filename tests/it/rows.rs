//! Row-wise stages: rows that are computed, kept and dropped. The tests run the real binary; the worker is in
//! Python, and reads and writes JSON lines.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use crate::snapshot::assert_output;
use crate::support::{Project, Run, until};
use serde_json::Value;

/// The toy project with the items `numbers` in the dataset `few`.
fn project(numbers: Range<usize>) -> Project {
    let project = Project::new();
    items(&project, "few/a", numbers);
    project
}

/// Writes a file of items; the value of an item is its number.
fn items(project: &Project, file: &str, numbers: Range<usize>) {
    let lines = numbers.map(|n| format!("item{n:05},g{},{n}\n", n % 3));
    project.write(&format!("data/raw/{file}.csv"), &lines.collect::<String>());
}

const FEW: [&str; 4] = ["-p", "rows", "-d", "few"];

fn run(project: &Project, more: &[&str]) -> Run {
    project.run(&[&FEW, more].concat())
}

/// Number of computed rows, and number of rows of the table.
fn rows(run: &Run) -> (u64, u64) {
    let event = run.events().iter().find(|e| e["event"] == "rows").expect("a row-wise stage ran");
    assert_eq!(event["stage"], "power");
    (event["compute"].as_u64().expect("a number"), event["of"].as_u64().expect("a number"))
}

fn shown(project: &Project, more: &[&str]) -> Value {
    project.json(&[&["show", "power.powers", "--json"], &FEW[..], more].concat())
}

/// Digest of the table's rows.
fn content(project: &Project) -> String {
    shown(project, &[])["object"]["content"].as_str().expect("a digest").to_owned()
}

fn total(project: &Project) -> Value {
    serde_json::from_str(&project.read("data/out/rows/few/small/total/total.json")).expect("JSON")
}

/// Number of files of the table. A large table is a folder.
fn parts(project: &Project) -> usize {
    let folder = project.path("data/out/rows/few/small/power/powers");
    if folder.is_dir() {
        return fs::read_dir(folder).expect("a folder").count();
    }
    usize::from(project.path("data/out/rows/few/small/power/powers.parquet").is_file())
}

#[test]
fn only_new_rows_are_computed_and_removed_rows_are_dropped() {
    let project = project(0..20);
    assert_eq!(rows(&run(&project, &[])), (20, 20));
    items(&project, "few/b", 20..25);
    assert_eq!(rows(&run(&project, &[])), (5, 25));
    items(&project, "few/a", 5..20);
    let shrunk = run(&project, &[]);
    assert_eq!((rows(&shrunk), shrunk.ran()), ((0, 20), vec!["items", "power", "total"]));
    assert_eq!(total(&project)["sum"], (5..25).map(|n| f64::from(n * n)).sum::<f64>());
    assert!(run(&project, &[]).ran().is_empty());
}

#[test]
fn a_plan_prints_how_many_rows_would_be_computed() {
    let project = project(0..20);
    run(&project, &[]);
    items(&project, "few/b", 20..25);
    run(&project, &["items"]);
    assert_output!(project.stdout(&[&["plan"], &FEW[..]].concat()));
    let planned = &project.json(&[&["plan", "--json"], &FEW[..]].concat())["stages"];
    assert_eq!(planned[1]["compute"], serde_json::json!({ "rows": 5, "of": 25 }));
    assert_eq!(rows(&run(&project, &[])), (5, 25));
}

#[test]
fn a_row_is_recomputed_only_if_a_column_that_the_worker_reads_changed() {
    let project = project(0..9);
    run(&project, &[]);
    let list = project.read("data/raw/few/a.csv");
    project.write("data/raw/few/a.csv", &list.replace("item00004,g1,4", "item00004,g2,4"));
    let regrouped = run(&project, &[]);
    assert_eq!(
        (rows(&regrouped), regrouped.ran()),
        ((0, 9), vec!["items", "power"]),
        "the powers are unchanged, so total does not run"
    );
    project.write("data/raw/few/a.csv", &list.replace("item00004,g1,4", "item00004,g1,40"));
    assert_eq!(rows(&run(&project, &[])), (1, 9));
}

#[test]
fn rows_are_reused_after_a_value_returns_and_in_other_datasets() {
    let project = project(0..10);
    run(&project, &[]);
    assert_eq!(rows(&run(&project, &["--set", "power.exponent=3"])), (10, 10));
    items(&project, "few/b", 10..12);
    assert_eq!(rows(&run(&project, &[])), (2, 12), "the first value again");
    assert_eq!(rows(&run(&project, &["--set", "power.exponent=3"])), (2, 12));
    items(&project, "more/a", 7..15);
    let other = project.run(&["-p", "rows", "-d", "more"]);
    assert_eq!(rows(&other), (3, 8), "items 7 to 11 are in both");
}

#[test]
fn a_table_that_grew_equals_one_computed_at_once_and_is_sorted() {
    let grown = project(10..100);
    run(&grown, &[]);
    items(&grown, "few/z", 0..10);
    assert_eq!(rows(&run(&grown, &[])), (10, 100));
    let at_once = project(0..100);
    run(&at_once, &[]);
    assert_eq!(content(&grown), content(&at_once));
    assert_eq!((parts(&grown), parts(&at_once)), (1, 1));
    assert_eq!(total(&grown), total(&at_once));
    let names = total(&grown)["names"].as_array().expect("names").clone();
    assert!(names.iter().map(|n| n.as_str().expect("text")).is_sorted() && names.len() == 100);
}

/// Makes each row of the table `bytes` long.
fn widen(project: &Project, bytes: usize) {
    let stage = project.read("stages/power/stage.toml");
    project.write("stages/power/stage.toml", &stage.replace("digits = \"list<int32>\"", "wide = \"string\""));
    let script = project.read("stages/power/power.py");
    let wide = format!("\"wide\": random.Random(power).randbytes({bytes} // 2).hex()}}");
    project.write(
        "stages/power/power.py",
        &script
            .replace("\"digits\": [int(d) for d in str(power)]}", &wide)
            .replace("import json", "import random, json"),
    );
}

#[test]
fn a_large_table_is_a_folder_whose_name_does_not_end_in_parquet() {
    let project = project(0..10);
    widen(&project, 1 << 20);
    run(&project, &[]);
    let folder = "data/out/rows/few/small/power";
    assert!(project.path(&format!("{folder}/powers.parquet")).is_file(), "5 MB are one file");
    let names: Vec<String> = (0..5).map(|step| format!("few/b{step}")).collect();
    for (step, name) in names.iter().enumerate() {
        items(&project, name, 10 + 10 * step..20 + 10 * step);
        assert_eq!(rows(&run(&project, &[])), (10, 20 + 10 * step as u64));
    }
    assert!(!project.exists(&format!("{folder}/powers.parquet")) && parts(&project) > 1);
    let listed = project.stdout(&[&["ls", "--json"], &FEW[..]].concat());
    assert!(listed.contains("power/powers\""), "{listed}");
    names.iter().for_each(|name| project.remove_file(&project.path(&format!("data/raw/{name}.csv"))));
    assert!(!run(&project, &[]).ran().contains(&"power"), "the result is cached");
    assert!(
        project.path(&format!("{folder}/powers.parquet")).is_file()
            && !project.exists(&format!("{folder}/powers"))
    );
    assert_eq!(total(&project)["names"].as_array().map(Vec::len), Some(10));
}

#[test]
fn integers_are_keys_and_sort_by_value() {
    let project = project(0..0);
    let numbers: String = (5..12).rev().map(|n| format!("{n},g,{n}\n")).collect();
    project.write("data/raw/few/a.csv", &numbers);
    for stage in ["items", "power"] {
        let text = project.read(&format!("stages/{stage}/stage.toml"));
        project.write(
            &format!("stages/{stage}/stage.toml"),
            &text.replace("name = \"string\"", "name = \"int64\""),
        );
    }
    let script = project.read("stages/items/items.py");
    project.write("stages/items/items.py", &script.replace("\"name\": name", "\"name\": int(name)"));
    assert_eq!(rows(&run(&project, &[])), (7, 7));
    let names = total(&project)["names"].clone();
    assert_eq!(names, serde_json::json!([5, 6, 7, 8, 9, 10, 11]));
    project.write("data/raw/few/b.csv", "3,g,3\n100,g,100\n");
    assert_eq!(rows(&run(&project, &[])), (2, 9));
    assert_eq!(total(&project)["names"][8], 100);
    project.write("data/raw/few/c.csv", "3,g,4\n");
    let refused = project.run_failing("unsupported", &FEW);
    assert!(refused.contains("duplicate values in its key column `name`: 3"), "{refused}");
}

#[test]
fn many_additions_to_a_large_table_leave_few_files() {
    let project = project(0..40);
    widen(&project, 1 << 19);
    run(&project, &[]);
    let mut most = 0;
    for step in 0..24 {
        items(&project, &format!("few/b{step:02}"), 40 + 2 * step..42 + 2 * step);
        assert_eq!(rows(&run(&project, &[])), (2, 42 + 2 * step as u64));
        most = most.max(parts(&project));
    }
    assert!((2..=15).contains(&most), "{most} files");
    let at_once = self::project(0..88);
    widen(&at_once, 1 << 19);
    run(&at_once, &[]);
    assert_eq!(content(&project), content(&at_once));
}

#[test]
fn rows_that_a_killed_run_had_computed_are_not_computed_again() {
    let project = project(0..40);
    let slow = [&FEW[..], &["-P", "small", "--set", "power.seconds=0.05"]].concat();
    let mut engine = project.start(&slow);
    let written = || {
        let spool = fs::read_dir(project.path("data/store/scratch")).ok()?.flatten().next()?.path();
        Some(fs::read_to_string(spool.join("out/powers.parquet.ndjson")).ok()?.lines().count())
    };
    until("some rows are computed", || written().is_some_and(|lines| lines >= 15));
    engine.kill().expect("killed");
    engine.wait().expect("ended");
    let (computed, of) = rows(&run(&project, &[]));
    assert!(of == 40 && computed <= 25, "{computed} of {of} were computed after the kill");
    let at_once = self::project(0..40);
    run(&at_once, &[]);
    assert_eq!(content(&project), content(&at_once));
}

#[test]
fn a_worker_that_returns_other_rows_than_it_was_given_is_refused_and_the_table_stays() {
    let project = project(0..5);
    run(&project, &[]);
    let before = content(&project);
    items(&project, "few/b", 5..9);
    for wrong in ["forget", "add", "repeat", "no key", "rename", "type", "not a number", "garbage"] {
        let set = format!("power.misbehave={wrong}");
        assert_output!(project.run_failing("worker_output", &[&FEW[..], &["--set", &set]].concat()));
        assert_eq!(total(&project)["names"].as_array().expect("names").len(), 5, "{wrong}");
    }
    let reversed = run(&project, &["--set", "power.misbehave=reverse"]);
    assert_eq!(rows(&reversed), (4, 9), "no row of a refused worker is kept");
    assert_ne!(content(&project), before);
    let at_once = self::project(0..9);
    run(&at_once, &[]);
    assert_eq!(content(&project), content(&at_once), "the order of the returned rows does not matter");
}

#[test]
fn a_forced_stage_computes_every_row_again() {
    let project = project(0..5);
    run(&project, &[]);
    assert_eq!(rows(&run(&project, &["--force", "power"])), (5, 5));
    items(&project, "few/b", 5..6);
    assert_eq!(rows(&run(&project, &[])), (1, 6));
}

/// The toy project with four items, each of which depends on the file of its group.
fn with_files() -> Project {
    let project = project(0..4);
    let stage = project.read("stages/power/stage.toml");
    let stage = stage.replace(
        "[rows]",
        "[inputs.lists]\nkind = \"files\"\ndoc = \"Lists\"\n\n[rows]\nfiles.lists = \"group\"",
    );
    project.write("stages/power/stage.toml", &stage);
    let script = project.read("stages/power/power.py");
    project.write(
        "stages/power/power.py",
        &script.replace("{\"name\", \"value\"}", "{\"name\", \"value\", \"group\"}"),
    );
    let pipeline = project.read("pipelines/rows.toml");
    let pipeline = pipeline
        .replace("inputs.items = \"items.items\"", "inputs.items = \"items.items\"\ninputs.lists = \"logs\"");
    project.write(
        "pipelines/rows.toml",
        &(pipeline + "\n[sources.logs]\npath = \"data/raw/logs/*\"\nhint = \"write log files there\"\n"),
    );
    for group in 0..3 {
        project.write(&format!("data/raw/logs/g{group}"), "one");
    }
    project
}

#[test]
fn a_row_that_names_a_file_depends_on_that_file_alone() {
    let project = with_files();
    assert_eq!(rows(&run(&project, &[])), (4, 4));
    project.write("data/raw/logs/g0", "two");
    assert_eq!(rows(&run(&project, &[])), (2, 4), "items 0 and 3 are of g0");
    project.write("data/raw/logs/g7", "one");
    assert_output!(project.stdout(&[&["plan"], &FEW[..]].concat()));
    assert_eq!(rows(&run(&project, &[])), (0, 4));
    fs::remove_file(project.path("data/raw/logs/g1")).expect("removed");
    assert_output!(project.run_failing("unknown_name", &FEW));
}

#[test]
fn rows_computed_while_their_file_changed_are_not_kept() {
    for kill in [false, true] {
        let project = with_files();
        let mut engine = project.start(&[&FEW[..], &["-P", "small", "--set", "power.seconds=0.5"]].concat());
        let begun = || {
            let spool = fs::read_dir(project.path("data/store/scratch")).ok()?.flatten().next()?.path();
            fs::read_to_string(spool.join("out/powers.parquet.ndjson")).ok().filter(|text| !text.is_empty())
        };
        until("a row is computed", || begun().is_some());
        project.write("data/raw/logs/g0", "other");
        if kill {
            engine.kill().expect("killed");
        }
        assert!(!engine.wait().expect("ended").success());
        project.write("data/raw/logs/g0", "one");
        assert_eq!(rows(&run(&project, &[])), (4, 4), "killed: {kill}");
    }
}

#[test]
fn keys_of_rows_must_be_unique() {
    let project = project(0..5);
    items(&project, "few/b", 3..6);
    assert_output!(project.run_failing("unsupported", &FEW));
    let project = self::project(0..5);
    let stage = project.read("stages/power/stage.toml");
    project.write("stages/power/stage.toml", &stage.replace("columns = [\"value\"]", "columns = [\"vale\"]"));
    assert_output!(project.run_failing("unknown_name", &FEW));
}

#[test]
fn only_rows_that_match_where_are_computed() {
    let project = project(0..9);
    let stage = project.read("stages/power/stage.toml");
    project.write("stages/power/stage.toml", &(stage.clone() + "\n[rows.where]\ngroup = \"g1\"\n"));
    assert_eq!(rows(&run(&project, &[])), (3, 3));
    assert_eq!(total(&project)["names"], serde_json::json!(["item00001", "item00004", "item00007"]));
    project.write("stages/power/stage.toml", &stage);
    assert_eq!(rows(&run(&project, &[])), (6, 9), "`where` does not change the key of a row");
}

#[test]
fn a_digest_column_identifies_the_content_of_another_column() {
    let project = project(0..4);
    let stage = project.read("stages/power/stage.toml");
    let stage =
        stage.replace("columns = [\"value\"]", "columns = [\"value\", \"group\"]\ndigests.value = \"group\"");
    project.write("stages/power/stage.toml", &stage);
    let script = project
        .read("stages/power/power.py")
        .replace("{\"name\", \"value\"}", "{\"name\", \"value\", \"group\"}");
    project.write("stages/power/power.py", &script);
    run(&project, &[]);
    let list = project.read("data/raw/few/a.csv");
    project.write("data/raw/few/a.csv", &list.replace("g0,3", "g0,33"));
    assert_eq!(rows(&run(&project, &[])), (0, 4), "the digest column is unchanged");
    project.write("data/raw/few/a.csv", &list.replace("g0,3", "g9,33"));
    assert_eq!(rows(&run(&project, &[])), (1, 4));
}

#[test]
fn a_table_without_rows_is_valid() {
    let project = project(0..0);
    assert_eq!(rows(&run(&project, &[])), (0, 0));
    assert_eq!(total(&project)["names"], serde_json::json!([]));
    items(&project, "few/a", 0..3);
    assert_eq!(rows(&run(&project, &[])), (3, 3));
}

#[test]
fn a_damaged_segment_is_found_and_its_rows_alone_are_computed_again() {
    let project = project(0..5);
    run(&project, &[]);
    items(&project, "few/b", 5..8);
    run(&project, &[]);
    let table = project.path("data/out/rows/few/small/power/powers.parquet");
    let mut bytes = fs::read(&table).expect("a file");
    bytes[40] ^= 1;
    project.overwrite_in_place(&table, &bytes);
    project.status(&["verify"], 1);
    project.status(&["verify", "--heal"], 0);
    assert_eq!(rows(&run(&project, &[])), (3, 8), "the other rows are in an earlier file, too");
    project.status(&["verify"], 0);
}

#[test]
fn garbage_collection_keeps_the_segments_of_what_is_needed() {
    let project = project(0..5);
    run(&project, &[]);
    run(&project, &["--set", "power.exponent=3"]);
    run(&project, &[]);
    let deleted = project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(deleted.contains("power"), "{deleted}");
    assert!(run(&project, &[]).ran().is_empty());
    project.status(&["verify"], 0);
    items(&project, "few/b", 5..6);
    assert_eq!(rows(&run(&project, &[])), (1, 6));
    assert_eq!(
        rows(&run(&project, &["--set", "power.exponent=3"])),
        (6, 6),
        "the cubes were unused and are removed"
    );
    let pools = fs::read_dir(project.path("data/store/rows")).expect("listed");
    let segments: BTreeSet<_> = pools
        .flatten()
        .flat_map(|p| fs::read_dir(p.path()).expect("listed"))
        .flatten()
        .map(|f| f.path())
        .collect();
    assert_eq!(segments.len(), 3);
}

#[test]
fn a_declaration_of_rows_that_cannot_work_is_refused() {
    let cases = [
        ("input = \"items\"", "input = \"itms\""),
        ("output = \"powers\"", "output = \"power\""),
        ("key = \"name\"", "key = \"nam\""),
        ("kind = \"table\"\nformat = \"json\"\ndoc", "kind = \"table\"\nmany = true\ndoc"),
        ("list<int32>", "list<int33>"),
        ("columns = [\"value\"]", "columns = [\"value\"]\ndigests.valu = \"group\""),
        ("columns = [\"value\"]", "columns = [\"value\"]\nwhere.group = [1]"),
        ("role = \"execution\"\ndoc = \"Time", "role = \"budget\"\ndoc = \"Time"),
        (
            "path = \"powers.parquet\"\nformat = \"json\"\ncolumns = { name = \"string\", power = \"float64\", digits = \"list<int32>\" }",
            "path = \"powers.parquet\"\nformat = \"json\"",
        ),
    ];
    let said = cases.map(|(from, to)| {
        let project = project(0..3);
        let stage = project.read("stages/power/stage.toml");
        assert!(stage.contains(from), "{from}");
        project.write("stages/power/stage.toml", &stage.replace(from, to));
        project.refused("declaration", &["plan", "-p", "rows", "-d", "few"])
    });
    assert_output!(said.join("\n"));
}
