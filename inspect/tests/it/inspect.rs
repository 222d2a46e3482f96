//! Tests of `callsheet inspect` with the real binaries: statistics, queries, errors.

use std::fs;

use crate::project::{Project, callsheet_in, callsheet_to};
use crate::snapshot::assert_output;
use serde_json::Value;

const CLUSTERS: (&str, &str) =
    ("clusters", "image_id = \"string\", cluster = \"int32\", distance = \"float64\", z = \"float32[2]\"");
const FRAMES: (&str, &str) = ("frames", "image_id = \"string\", frame_id = \"string\"");

/// Images in four clusters, at distances 0, 0.5, 1, ..
fn clusters(count: usize) -> String {
    let row = |n: usize| {
        let distance = n as f64 / 2.0;
        format!(
            "{{\"image_id\":\"i{n:03}\",\"cluster\":{},\"distance\":{distance},\"z\":[{n},0.5]}}\n",
            n % 4
        )
    };
    (0..count).map(row).collect()
}

fn frames(count: usize) -> String {
    (0..count).map(|n| format!("{{\"image_id\":\"i{n:03}\",\"frame_id\":\"f{}\"}}\n", n / 10)).collect()
}

fn project() -> Project {
    let project = Project::new(&[(CLUSTERS.0, CLUSTERS.1, &clusters(40)), (FRAMES.0, FRAMES.1, &frames(40))]);
    project.run();
    project
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_table_is_shown_with_its_columns_statistics_and_origin() {
    let project = project();
    assert_output!(project.shown(&["inspect", "make_clusters.clusters"]));
    let found = json(&project.shown(&["inspect", "clusters", "--format", "json"]));
    assert_eq!(
        (found["rows"].clone(), found["made_by"]["stage"].clone()),
        (40.into(), "make_clusters".into())
    );
    let z = &found["columns"].as_array().expect("columns")[3];
    assert_eq!((z["type"].clone(), z["max"].clone()), ("float32[2]".into(), 39.0.into()));
    assert_eq!(found["columns"][1]["histogram"].as_array().expect("bars").len(), 16);
}

#[test]
fn a_copied_file_still_names_its_origin() {
    let project = project();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let shown = json(&project.shown(&["show", "make_clusters", "--json"]));
    fs::copy(shown["path"].as_str().expect("a path"), elsewhere.path().join("mine.parquet")).expect("copied");
    let said = callsheet_in(elsewhere.path(), &["inspect", "mine.parquet"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains(shown["key"].as_str().expect("a key")), "{}", said.out);
    assert_output!(said.out);
    let said = callsheet_in(
        elsewhere.path(),
        &["inspect", "mine.parquet", "--sql", "select max(distance) as m from mine", "--format", "csv"],
    );
    assert_eq!(said.out, "m\n19.5\n", "{}", said.err);
}

#[test]
fn rows_are_chosen_by_an_expression_their_key_or_chance() {
    let project = project();
    let chosen = project.shown(&[
        "inspect",
        "clusters",
        "--where",
        "cluster = 3 and distance > 15",
        "--columns",
        "image_id,distance",
        "--head",
        "--format",
        "csv",
    ]);
    assert_eq!(chosen, "image_id,distance\ni031,15.5\ni035,17.5\ni039,19.5\n");
    let head = project.shown(&["inspect", "clusters", "--head", "2", "--format", "ndjson"]);
    assert_eq!(head.lines().count(), 2);
    assert_eq!(
        json(head.lines().next().expect("a row")),
        json("{\"image_id\":\"i000\",\"cluster\":0,\"distance\":0.0,\"z\":[0.0,0.5]}")
    );
    let sample = |seed: &str| {
        let words = [
            "inspect",
            "clusters",
            "--sample",
            "5",
            "--seed",
            seed,
            "--columns",
            "image_id",
            "--format",
            "csv",
        ];
        project.shown(&words)
    };
    assert_eq!(sample("1").lines().count(), 6);
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
    assert_output!(project.shown(&["inspect", "clusters", "--where", "cluster = 0"]));
}

#[test]
fn a_query_joins_artifacts_and_files_by_name_in_any_format() {
    let project = project();
    let query = "select f.frame_id, count(*) as n, max(c.distance) as far from frames f \
                 join clusters c using (image_id) group by f.frame_id order by f.frame_id";
    let answer = project.shown(&["inspect", "--sql", query, "--format", "csv"]);
    assert_eq!(answer, "frame_id,n,far\nf0,10,4.5\nf1,10,9.5\nf2,10,14.5\nf3,10,19.5\n");
    let file = project.path("far.parquet").display().to_string();
    let far = "select image_id, z from clusters where distance > 18";
    project.shown(&["inspect", "--sql", far, "--format", "parquet", "--output", &file]);
    let both = project.shown(&[
        "inspect",
        &format!("mine={file}"),
        "--sql",
        "select image_id, frame_id from mine join frames using (image_id) order by 1",
        "--format",
        "json",
    ]);
    assert_eq!(json(&both)[0], json("{\"image_id\":\"i037\",\"frame_id\":\"f3\"}"));
    let full = project.shown(&[
        "inspect",
        "--sql",
        "select count(*) as n from \"make_clusters.clusters\"",
        "--format",
        "csv",
    ]);
    assert_eq!(full, "n\n40\n");
    let wide = project.shown(&["inspect", "--sql", far, "--format", "csv"]);
    assert!(wide.starts_with("image_id,z\ni037,37.0;0.5\n"), "{wide}");
    assert_output!(project.shown(&["inspect", "--sql", "select * from clusters", "--limit", "3"]));
}

#[test]
fn wrong_names_and_queries_are_refused_with_the_available_names() {
    let project = project();
    let unknown_join = "select a.cluster from self a join self b on a.distance > b.distance";
    let told = [
        &["inspect", "clutsers"][..],
        &["inspect", "none.parquet"],
        &["inspect"],
        &["inspect", "clusters", "--where", "clster = 1"],
        &["inspect", "clusters", "--where", "cluster = "],
        &["inspect", "clusters", "--columns", "distnce"],
        &["inspect", "--sql", "selec 1"],
        &["inspect", "--sql", "select nothing from clusters"],
        &["inspect", "--sql", "select * from clutsers"],
        &["inspect", "--sql", "drop table clusters; select 1"],
        &["inspect", "clusters", "--head", "--format", "parquet"],
        &["inspect", "clusters", "--sql", unknown_join],
    ]
    .map(|words| format!("$ callsheet {}\n{}", words.join(" "), project.refused(words)));
    assert_output!(told.concat());
    let early = Project::new(&[(CLUSTERS.0, CLUSTERS.1, &clusters(3))]);
    assert_output!(early.refused(&["inspect", "clusters"]));
}

#[test]
fn damaged_empty_and_foreign_files_get_different_errors() {
    let project = Project::new(&[(CLUSTERS.0, CLUSTERS.1, &clusters(40)), ("none", FRAMES.1, "")]);
    // An empty file of rows is a table without rows.
    let ran = project.callsheet(&["run", "make_clusters"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let path = json(&project.shown(&["show", "make_clusters", "--json"]))["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    let whole = fs::read(&path).expect("readable");
    let told = [
        ("cut.parquet", &whole[..whole.len() / 2]),
        ("text.parquet", &b"image_id,cluster\n"[..]),
        ("empty.parquet", &b""[..]),
    ]
    .map(|(name, bytes)| {
        fs::write(project.path(name), bytes).expect("written");
        project.refused(&["inspect", name])
    });
    assert_output!(told.concat());
    let mut torn = whole.clone();
    torn[8..200].fill(0xff);
    fs::write(project.path("torn.parquet"), torn).expect("written");
    // Footers are whole, so only the rows show the damage.
    let said = project.refused(&["inspect", "torn.parquet", "--head"]);
    assert!(said.contains("cannot read torn.parquet"), "{said}");
    fs::create_dir(project.path("folder")).expect("created");
    assert_output!(project.refused(&["inspect", "folder/"]));
    let no_rows = project.path("no-rows.parquet").display().to_string();
    project.shown(&[
        "inspect",
        "--sql",
        "select * from clusters where false",
        "--format",
        "parquet",
        "--output",
        &no_rows,
    ]);
    assert_output!(project.shown(&["inspect", &no_rows]));
    // The files of this folder have different columns.
    fs::copy(&path, project.path("folder/a.parquet")).expect("copied");
    let other = project.path("folder/b.parquet").display().to_string();
    project.shown(&[
        "inspect",
        "--sql",
        "select image_id, 'x' as cluster from clusters",
        "--format",
        "parquet",
        "--output",
        &other,
    ]);
    project.refused(&["inspect", "folder/", "--head", "100"]);
}

#[test]
fn nan_and_nulls_are_counted() {
    let rows = "{\"id\":\"a\",\"x\":1.5}\n{\"id\":\"b\",\"x\":null}\n{\"id\":null,\"x\":2.5}\n";
    let project = Project::new(&[("odd", "id = \"string\", x = \"float64\"", rows)]);
    project.run();
    let nan = project.path("nan.parquet").display().to_string();
    project.shown(&[
        "inspect",
        "--sql",
        "select id, case when id = 'a' then sqrt(0 - x) else x end as x from odd",
        "--format",
        "parquet",
        "--output",
        &nan,
    ]);
    assert_output!(project.shown(&["inspect", &nan]));
}

#[test]
fn two_tables_are_compared_by_key_and_by_how_they_are_distributed() {
    let project = project();
    let changed = clusters(50).replace("\"i001\",\"cluster\":1", "\"i001\",\"cluster\":2");
    let kept: String = changed.lines().skip(1).map(|line| format!("{line}\n")).collect();
    project.rows("clusters", &kept);
    project.run();
    let words = ["inspect", "--diff", "latest~1:make_clusters.clusters", "clusters"];
    let said = project.callsheet(&words);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_output!(said.out);
    let found = project.callsheet(&[&words[..], &["--format", "json"]].concat());
    let drift = json(&found.out)["drift"].as_array().expect("columns").clone();
    let distance = drift.iter().find(|column| column["column"] == "distance").expect("compared");
    assert!(distance["psi"].as_f64().expect("a number") > 0.01 && distance["b"]["q50"] == 12.5, "{distance}");
    assert_eq!(project.callsheet(&[&words[..], &["--max-psi", "5"]].concat()).code, Some(0));
    assert_eq!(project.callsheet(&[&words[..], &["--max-psi", "0.001"]].concat()).code, Some(1));
    let same = project.callsheet(&["inspect", "--diff", "clusters", "clusters"]);
    assert_eq!(same.code, Some(0), "{}{}", same.out, same.err);
    let told = ["cluster", "imag_id"]
        .map(|key| project.refused(&["inspect", "--diff", "clusters", "clusters", "--key", key]));
    assert_output!(told.concat());
    let message = project.refused(&["inspect", "--diff", "tomorrow:clusters", "clusters"]);
    assert!(message.contains("callsheet::unknown_name") && message.contains("`tomorrow`"), "{message}");
}

#[test]
fn any_number_of_rows_can_be_asked_for() {
    let project = project();
    let csv = ["--columns", "image_id", "--format", "csv"];
    let table = |many| project.shown(&["inspect", "clusters", "--head", "40", "--limit", many]);
    let whole = table("40");
    assert_output!(whole);
    for many in ["40", "4294967295", "4294967296", "18446744073709551615"] {
        for option in ["--head", "--sample"] {
            let rows = project.shown(&[&["inspect", "clusters", option, many], &csv[..]].concat());
            assert_eq!(rows.lines().count(), 41, "{option} {many}");
        }
        assert_eq!(table(many), whole, "{many}");
    }
    for option in ["--head", "--sample"] {
        assert_eq!(project.shown(&[&["inspect", "clusters", option, "0"], &csv[..]].concat()), "image_id\n");
    }
    let some = ["inspect", "clusters", "--where", "distance > 4", "--sample", "3"];
    assert_eq!(project.shown(&[&some[..], &csv[..]].concat()).lines().count(), 4);
}

#[test]
fn tables_of_a_query_need_unique_names_and_aliases_are_not_tables() {
    let project = Project::new(&[(CLUSTERS.0, CLUSTERS.1, &clusters(4)), (FRAMES.0, FRAMES.1, &frames(4))]);
    assert_eq!(project.callsheet(&["run", "make_clusters"]).code, Some(0));
    let renamed = "select image_id as frames from clusters order by 1 limit 1";
    assert_eq!(project.shown(&["inspect", "--sql", renamed, "--format", "csv"]), "frames\ni000\n");
    assert_output!(project.refused(&["inspect", "--sql", "select * from frames"]));
    for folder in ["a", "dt=2024"] {
        fs::create_dir(project.path(folder)).expect("created");
        let file = project.path(&format!("{folder}/t.parquet")).display().to_string();
        let query = format!("select '{folder}' as f from clusters limit 1");
        project.shown(&["inspect", "--sql", &query, "--format", "parquet", "--output", &file]);
    }
    let query = ["--sql", "select f from t", "--format", "csv"];
    let twice = [&["inspect", "a/t.parquet", "dt=2024/t.parquet"], &query[..]].concat();
    assert_output!(project.refused(&twice));
    let one = project.shown(&[&["inspect", "dt=2024/t.parquet"], &query[..]].concat());
    assert_eq!(one, "f\ndt=2024\n");
    let named = project.shown(&["inspect", "t=dt=2024/t.parquet", query[0], query[1], query[2], query[3]]);
    assert_eq!(named, one);
    fs::create_dir(project.path("clusters")).expect("created");
    // The name means the artifact, not the folder.
    assert_output!(project.shown(&["inspect", "clusters"]));
}

#[test]
fn a_column_that_lost_its_values_exceeds_the_maximum_drift() {
    let rows = |x: &str| (0..50).map(|n| format!("{{\"id\":\"{n}\",\"x\":{x}}}\n")).collect::<String>();
    let columns = "id = \"string\", x = \"float64\"";
    let project = Project::new(&[("a", columns, &rows("5.0")), ("b", columns, &rows("null"))]);
    project.run();
    let words = ["inspect", "--diff", "a", "b", "--key", "id", "--max-psi", "0.2"];
    assert_eq!(project.callsheet(&words).code, Some(1));
    let file = project.path("c.parquet").display().to_string();
    project.shown(&["inspect", "--sql", "select id from a", "--format", "parquet", "--output", &file]);
    let words = ["inspect", "--diff", "a", &file, "--key", "id", "--max-psi", "0.2"];
    let said = project.callsheet(&words);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_output!(said.out);
}

#[test]
fn a_reader_may_go_away_but_a_full_disk_is_an_error() {
    let project = project();
    for arguments in [&["inspect", "clusters"][..], &["inspect", "clusters", "--head", "--format", "csv"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let said = callsheet_to(writer, &project.path(""), arguments);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments:?}");
        let full = fs::File::options().write(true).open("/dev/full").expect("a full disk");
        let said = callsheet_to(full, &project.path(""), arguments);
        assert_ne!(said.code, Some(0), "{arguments:?}");
        assert_output!(said.err);
    }
}
