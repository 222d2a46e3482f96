//! Verdicts of people on frames: written files, refused verdicts, and the rows that are then computed.
//! The tests run the real binary; a worker in Python leaves excluded frames out.

use std::collections::BTreeMap;
use std::ops::Range;

use callsheet::curation::{Curation, VerdictChange};
use callsheet::plan::{Request, resolve};
use callsheet::store::Store;
use callsheet_worker::curation::{Line, Verdict};

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project, Run};
use serde_json::json;

const FEW: [&str; 4] = ["-p", "curated", "-d", "few"];
const FILE: &str = "pipelines/curation/few.csv";

/// The toy project with the frames `numbers`.
fn project(numbers: Range<usize>) -> Project {
    let project = Project::new();
    frames(&project, "a", numbers);
    project
}

fn frames(project: &Project, file: &str, numbers: Range<usize>) {
    let lines = numbers.map(|n| format!("{file}.csv#{n:06},{n}\n"));
    project.write(&format!("data/raw/few/{file}.csv"), &lines.collect::<String>());
}

fn run(project: &Project) -> Run {
    project.run(&FEW)
}

/// Number of computed rows and of all rows, for each row-wise stage that ran.
fn rows(run: &Run) -> BTreeMap<&str, (u64, u64)> {
    let counted = run.events().iter().filter(|event| event["event"] == "rows");
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    counted
        .map(|e| (e["stage"].as_str().expect("a name"), (number(&e["compute"]), number(&e["of"]))))
        .collect()
}

fn curate(project: &Project, words: &[&str]) -> String {
    let author = ["--author", "a curator"];
    project.stdout(&[&["curate"], words, &author[..], &FEW[..]].concat())
}

fn refused(project: &Project, code: &str, words: &[&str]) -> String {
    let author = ["--author", "a curator"];
    project.refused(code, &[&["curate"], words, &author[..], &FEW[..]].concat())
}

/// Time of the first verdict in the file.
fn date(project: &Project) -> String {
    let text = project.read(FILE);
    text.lines().nth(1).and_then(|line| line.rsplit_once(',')).expect("a line").1.to_owned()
}

#[test]
fn excluding_frames_recomputes_no_row_and_the_plan_predicts_that() {
    let project = project(0..20);
    run(&project);
    curate(&project, &["exclude", "a.csv#000003", "a.csv#000007", "--reason", "a bird, near"]);
    assert_output!(project.stdout(&[&["plan"], &FEW[..]].concat()));
    let planned = &project.json(&[&["plan", "--json"], &FEW[..]].concat())["stages"];
    let counts = |stage: usize| planned[stage]["compute"].clone();
    assert_eq!(planned[1]["state"], "cached", "the plan ran the listing stage");
    assert_eq!([counts(2), counts(3)], [json!({ "rows": 0, "of": 36 }), json!({ "rows": 0, "of": 36 })]);
    assert_eq!(
        project.json(&["ls", "--runs", "--json"])["runs"].as_array().map(Vec::len),
        Some(1),
        "a plan is not listed as a run"
    );

    let excluded = run(&project);
    assert_eq!(rows(&excluded), BTreeMap::from([("gauge", (0, 36)), ("render", (0, 36))]));
    curate(&project, &["include", "a.csv#000003", "--reason", "a kite, far away"]);
    assert_eq!(
        rows(&run(&project)),
        BTreeMap::from([("gauge", (0, 38)), ("render", (0, 38))]),
        "the rows of the frame are still in the store"
    );
    assert!(run(&project).ran().is_empty());
}

#[test]
fn new_frames_compute_only_their_images_and_a_plan_counts_open_rows() {
    let project = project(0..20);
    run(&project);
    frames(&project, "b", 0..10);
    project.run(&[&FEW[..], &["shots"]].concat());
    let planned = &project.json(&[&["plan", "--json"], &FEW[..]].concat())["stages"];
    assert_eq!(planned[2]["compute"], json!({ "rows": 20, "of": 60 }));
    assert_eq!(planned[3]["compute"], json!({ "rows": 0, "open": 20, "of": 60 }));
    assert_output!(project.stdout(&[&["plan"], &FEW[..]].concat()));
    // The new images equal rendered ones in content, but their names differ, so gauge computes them.
    assert_eq!(rows(&run(&project)), BTreeMap::from([("gauge", (20, 60)), ("render", (20, 60))]));
}

#[test]
fn verdicts_are_lines_with_author_and_date_one_per_frame() {
    let project = project(0..9);
    run(&project);
    curate(&project, &["exclude", "a.csv#000003", "--reason", "a bird, \"near\""]);
    curate(&project, &["include", "a.csv#000004", "--reason", "looks dark, is dusk"]);
    let date = date(&project);
    assert!(date.len() == 20 && date.starts_with("20") && date.ends_with('Z'), "{date}");
    let text = project.read(FILE);
    let lines: Vec<&str> = text.lines().map(|line| line.rsplit_once(',').expect("a time").0).collect();
    assert_eq!(
        lines,
        [
            "key,verdict,reason,author",
            "a.csv#000003,exclude,\"a bird, \"\"near\"\"\",a curator",
            "a.csv#000004,include,\"looks dark, is dusk\",a curator",
        ]
    );
    curate(&project, &["include", "a.csv#000003", "--reason", "a kite"]);
    assert_eq!(
        project.read(FILE).lines().count(),
        3,
        "the later verdict replaces the line of the earlier one"
    );
    let log = project.stdout(&[&["curate", "log"], &FEW[..]].concat());
    assert_output!(log);
    let log = project.json(&[&["curate", "log", "--json"], &FEW[..]].concat());
    assert_eq!((&log["version"], &log["verdicts"][1]["verdict"]), (&json!(1), &json!("include")));
}

#[test]
fn unknown_frames_and_repeated_verdicts_are_refused_and_nothing_is_written() {
    let project = project(0..9);
    assert_output!(refused(&project, "not_computed", &["exclude", "a.csv#000003", "--reason", "x"]));
    run(&project);
    let cases: [(&str, &[&str], &str); 5] = [
        ("unknown_name", &["a.csv#000003", "a.csv#00004"], "x"),
        ("unknown_name", &["a.csv#000003/c1"], "x"),
        ("invalid_value", &["a.csv#000003", "a.csv#000003"], "x"),
        ("invalid_value", &["a.csv#000003"], " "),
        ("invalid_value", &["a.csv#000003"], "a\nb"),
    ];
    let said = cases.map(|(code, frames, reason)| {
        refused(&project, code, &[&["exclude"], frames, &["--reason", reason]].concat())
    });
    assert_output!(said.join("\n"));
    assert!(!project.exists(FILE));
    curate(&project, &["exclude", "a.csv#000003", "--reason", "a bird"]);
    let before = project.read(FILE);
    let words = ["exclude", "a.csv#000005", "a.csv#000003", "--reason", "x"];
    assert_output!(refused(&project, "conflict", &words).replace(&date(&project), "[date]"));
    assert_eq!(project.read(FILE), before);
}

#[test]
fn a_malformed_file_of_verdicts_is_refused_with_its_line() {
    let project = project(0..9);
    run(&project);
    for line in ["a.csv#000001,exlude,x,a,2026-01-01", "a.csv#000001,exclude,x"] {
        project.write(FILE, &format!("key,verdict,reason,author,time\n{line}\n"));
        assert_output!(refused(&project, "invalid_value", &["exclude", "a.csv#000003", "--reason", "x"]));
        assert_eq!(project.read(FILE).lines().nth(1), Some(line), "the file is unchanged");
    }
}

#[test]
fn a_pipeline_that_reads_no_verdicts_refuses_them() {
    let project = project(0..3);
    let words = ["curate", "exclude", "x", "--reason", "y", "--author", "z", "-p", "rows", "-d", "few"];
    assert_output!(project.refused("declaration", &words));
    assert_output!(project.refused("unknown_name", &["curate", "log", "-p", "curated", "-d", "fwe"]));
}

#[test]
fn verdicts_given_concurrently_are_all_kept() {
    let project = project(0..20);
    run(&project);
    std::thread::scope(|scope| {
        for n in 0..20 {
            let project = &project;
            scope.spawn(move || curate(project, &["exclude", &format!("a.csv#{n:06}"), "--reason", "x"]));
        }
    });
    assert_eq!(project.read(FILE).lines().count(), 21);
}

#[test]
fn verdicts_that_nothing_would_read_are_refused() {
    let project = project(0..3);
    run(&project);
    let pipeline = project.read("pipelines/curated.toml");
    let words = ["exclude", "a.csv#000001", "--reason", "x"];
    project.write("pipelines/curated.toml", &pipeline.replace("inputs.curation = \"curation\"\n", ""));
    assert_output!(refused(&project, "declaration", &words));
    project.write("pipelines/curated.toml", &pipeline.replace("curation/{dataset}.csv", "curation/*.csv"));
    assert_output!(refused(&project, "declaration", &words));
    project.write(
        "pipelines/curated.toml",
        &pipeline.replace("curation/{dataset}.csv", "{curation,more}/few.csv"),
    );
    project.write("pipelines/more/few.csv", "key,verdict,reason,author,time\n");
    project.write("pipelines/curation/few.csv", "key,verdict,reason,author,time\n");
    assert_output!(refused(&project, "declaration", &words));
}

#[test]
fn malformed_verdicts_fail_the_stages_that_read_them() {
    let project = project(0..3);
    run(&project);
    let header = "key,verdict,reason,author,time\n";
    let cases = [
        "1,exlude,t,ann,2026-11-29T19:19:15Z\n",
        "1, exclude,t,ann,2026-11-29T19:19:15Z\n",
        "1,exclude,t,ann,2026-11-29\n1,include,t,ann,2026-11-29\n",
        "1\n",
    ];
    for lines in cases {
        project.write(FILE, &format!("{header}{lines}"));
        let plan = project.json(&[&["plan", "--json"], &FEW[..]].concat());
        assert_eq!(plan["stages"][1]["state"], "fails", "{plan}");
    }
    assert_output!(project.run_failing("invalid_value", &FEW));
    project.write(FILE, "");
    assert!(project.run_failing("invalid_value", &FEW).contains("unknown header"));
}

#[test]
fn a_misspelt_file_of_verdicts_is_warned_of() {
    let project = project(0..3);
    run(&project);
    curate(&project, &["exclude", "a.csv#000001", "--reason", "x"]);
    let pipeline = project.read("pipelines/curated.toml");
    project.write("pipelines/curated.toml", &pipeline.replace("{dataset}.csv", "fwe.csv"));
    for command in ["plan", "run"] {
        let output = project.command(&[&[command], &FEW[..]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let warning = "warning: the file of verdicts pipelines/curation/fwe.csv does not exist, so nothing is excluded; \
                       did you mean pipelines/curation/few.csv?";
        assert!(stderr.contains(warning), "{command}: {stderr}");
    }
}

#[test]
fn verdicts_on_several_columns_and_among_results_are_refused() {
    let project = project(0..3);
    let pipeline = project.read("pipelines/curated.toml");
    project.write(
        "pipelines/curated.toml",
        &pipeline.replace("pipelines/curation/{dataset}.csv", "data/out/v.csv"),
    );
    let words = ["exclude", "a.csv#000001", "--reason", "x"];
    assert_output!(refused(&project, "declaration", &words));
    assert!(!project.exists("data/out/v.csv"));
    let declaration = project.read("stages/pick/stage.toml");
    project.write("pipelines/curated.toml", &pipeline);
    project.write("stages/pick/stage.toml", &declaration.replace("key = \"frame_id\"", "key = \"frame_di\""));
    assert_output!(project.refused("declaration", &[&["plan"], &FEW[..]].concat()));
    project.write("stages/pick/stage.toml", &declaration);
    let again = declaration.replace("key = \"frame_id\"", "key = \"shows\"");
    project.write("stages/pick_again/stage.toml", &again);
    project.write("stages/pick_again/pick.py", &project.read("stages/pick/pick.py"));
    let stage =
        pipeline[pipeline.find("[stages.pick]").expect("a stage")..].split("\n\n").next().expect("a table");
    let stage = stage.replace("[stages.pick]", "[stages.pick_again]");
    project.write("pipelines/curated.toml", &format!("{pipeline}\n{stage}\n"));
    assert_output!(refused(&project, "declaration", &words));
}

#[test]
fn verdicts_go_to_the_file_that_the_pipeline_reads() {
    let project = project(0..3);
    let pipeline = project.read("pipelines/curated.toml");
    project.write(
        "pipelines/curated.toml",
        &pipeline.replace("pipelines/curation/{dataset}.csv", "verdicts.csv"),
    );
    run(&project);
    curate(&project, &["exclude", "a.csv#000001", "--reason", "x"]);
    assert_eq!(project.read("verdicts.csv").lines().count(), 2);
    assert!(!project.exists(FILE));
    assert_eq!(rows(&run(&project)), BTreeMap::from([("gauge", (0, 4)), ("render", (0, 4))]));
}

#[test]
fn a_pipeline_without_datasets_has_verdicts_and_integers_are_keys() {
    let project = Project::minimal();
    project.write("data/raw/orders.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":13}\n");
    project.write(
        "stages/keep/stage.toml",
        "summary = \"Keeps orders\"\nversion = 1\ncommand = [\"sh\", \"keep.sh\", \"{outputs.kept}\", \"{inputs.verdicts}\"]\n\
         [inputs.orders]\nkind = \"table\"\ndoc = \"Orders\"\n\
         [inputs.verdicts]\nkind = \"files\"\noptional = true\nverdicts = { input = \"orders\", key = \"id\" }\ndoc = \"Verdicts\"\n\
         [outputs.kept]\nkind = \"file\"\npath = \"kept\"\nallow_empty = true\ndoc = \"Verdicts\"\n",
    );
    project.write("stages/keep/keep.sh", "out=$1; shift; cat \"$@\" /dev/null | cut -d, -f1,2 > \"$out\"\n");
    project.write(
        "pipelines/main.toml",
        "summary = \"Orders\"\n[sources.orders]\npath = \"data/raw/orders.ndjson\"\n\
         [sources.verdicts]\npath = \"pipelines/curation/orders.csv\"\n\
         [stages.keep]\ninputs = { orders = \"orders\", verdicts = \"verdicts\" }\n",
    );
    let words = ["curate", "exclude", "--reason", "a test", "--author", "a"];
    let curate = |key: &'static str| [&words[..], &MAIN, &[key]].concat();
    project.run(&MAIN);
    project.stdout(&curate("13"));
    assert_output!(project.refused("unknown_name", &curate("14")));
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/keep/kept"), "key,verdict\n13,exclude\n");
    std::fs::remove_file(project.path("pipelines/curation/orders.csv")).expect("removed");
    let declaration = project.read("stages/keep/stage.toml").replace("optional = true\n", "");
    project.write("stages/keep/stage.toml", &declaration);
    project.stdout(&curate("2"));
    let needs_one = project.read("pipelines/main.toml").replace("orders.csv", "{dataset}.csv");
    project.write("pipelines/main.toml", &needs_one);
    assert_output!(project.refused("missing_argument", &curate("1")));
    project.write("pipelines/main.toml", &needs_one.replace("raw/orders.ndjson", "raw/{dataset}.ndjson"));
    assert_output!(project.refused("declaration", &[&["run"], &MAIN[..]].concat()));
}

#[test]
fn a_plan_prints_the_error_of_a_listing_stage() {
    let project = project(0..3);
    run(&project);
    project.write(FILE, "key,verdict,reason,author,time\n");
    project.write("stages/pick/pick.py", "import sys\nsys.exit('line 1 is not a header')\n");
    assert_output!(project.stdout(&[&["plan"], &FEW[..]].concat()));
    let runs = std::fs::read_dir(project.path("data/store/runs")).expect("a folder").count();
    assert_eq!(runs, 1, "a plan leaves no run in the store");
}

/// A stage that lists files without those that verdicts on its own table exclude.
const OWN: &str = "summary = \"Lists files\"\nversion = 1\ncommand = [\"python3\", \"own.py\"]\n\
    [inputs.files]\nkind = \"files\"\ndoc = \"Files\"\n\
    [inputs.curation]\nkind = \"files\"\noptional = true\nverdicts = { output = \"list\", key = \"file\" }\ndoc = \"Verdicts\"\n\
    [outputs.list]\nkind = \"table\"\npath = \"list.parquet\"\nformat = \"json\"\ncolumns = { file = \"string\" }\ndoc = \"One row per file\"\n";

#[test]
fn verdicts_can_be_on_the_rows_of_the_stage_that_reads_them() {
    let project = project(0..3);
    frames(&project, "b", 0..1);
    project.write("stages/own/stage.toml", OWN);
    project.write(
        "stages/own/own.py",
        "import csv, json, sys\nr = json.load(open(sys.argv[1]))\n\
         files = r['inputs'].get('curation', {'paths': []})['paths']\n\
         out = {line['key'] for f in files for line in csv.DictReader(open(f)) if line['verdict'] == 'exclude'}\n\
         rows = [n for n in r['inputs']['files']['names'] if n not in out]\n\
         open(r['outputs']['list'], 'w').write(''.join(json.dumps({'file': n}) + '\\n' for n in rows))\n",
    );
    project.write(
        "pipelines/own.toml",
        "summary = \"Files\"\n[sources.raw]\npath = \"data/raw/few/*.csv\"\n\
         [sources.curation]\npath = \"pipelines/curation/{dataset}.csv\"\n\
         [stages.own]\ninputs.files = \"raw\"\ninputs.curation = \"curation\"\n",
    );
    let own = |words: &[&str]| {
        let words = [&["curate"], words, &["--author", "a curator", "-p", "own", "-d", "few"]].concat();
        project.stdout(&words);
        project.run(&["-p", "own", "-d", "few"]).of("finished").len()
    };
    project.run(&["-p", "own", "-d", "few"]);
    assert_eq!(own(&["exclude", "a.csv", "--reason", "x"]), 1);
    let rows = || {
        callsheet_worker::table::row_count(&project.path("data/out/own/few/small/own/list.parquet"))
            .expect("a table")
    };
    assert_eq!(rows(), 1);
    // The excluded row is missing in the table; its verdict can be changed nevertheless.
    assert_eq!(own(&["include", "a.csv", "--reason", "y"]), 1);
    assert_eq!(rows(), 2);
    project.write(
        "stages/own/stage.toml",
        &OWN.replace("list\"", "names\"").replace("outputs.list", "outputs.names"),
    );
    let exclude = ["curate", "exclude", "b.csv", "--reason", "x", "--author", "a", "-p", "own", "-d", "few"];
    assert_output!(project.refused("not_computed", &exclude));
    project.write("stages/own/stage.toml", &OWN.replace("output = \"list\"", "output = \"lists\""));
    assert_output!(project.refused("declaration", &["plan", "-p", "own", "-d", "few"]));
    project.write("stages/own/stage.toml", &OWN.replace("output = \"list\", ", ""));
    assert_output!(project.refused("declaration", &["plan", "-p", "own", "-d", "few"]));
}

#[test]
fn a_verdict_is_written_only_if_the_file_contains_the_one_that_the_curator_saw() {
    let project = project(0..4);
    run(&project);
    curate(&project, &["exclude", "a.csv#000001", "--reason", "a bird"]);
    let exchange = |changes: &[VerdictChange]| {
        let opened = callsheet::declare::Project::open(&project.path("")).expect("a project");
        let request = Request::new(&opened, [Some("curated".into()), Some("few".into()), None], Vec::new());
        let plan = resolve(&opened, &request.expect("a request")).expect("a plan");
        let store = Store::of(&opened).expect("a store");
        Curation::find(&opened, &plan).expect("verdicts").exchange(&store, changes)
    };
    let line = |key: &str, reason: &str| Line {
        key: key.to_owned(),
        verdict: Verdict::Exclude,
        reason: reason.to_owned(),
        author: "another".to_owned(),
        time: "2026-11-01T08:00:00Z".to_owned(),
    };
    let text = project.read(FILE);
    let add = |key: &str| VerdictChange { key: key.to_owned(), seen: None, new: Some(line(key, "dark")) };
    let stale = [add("a.csv#000001"), add("a.csv#000002")];
    let conflicts = exchange(&stale).expect("compared");
    assert_eq!(conflicts.len(), 1);
    let found = conflicts[0].found.clone().expect("the verdict in the file");
    assert_eq!((conflicts[0].key.as_str(), found.reason.as_str()), ("a.csv#000001", "a bird"));
    assert_eq!(project.read(FILE), text, "nothing is written if one verdict differs");

    let new = Some(line("a.csv#000001", "dark"));
    let seen = VerdictChange { key: "a.csv#000001".to_owned(), seen: Some(found), new };
    assert_eq!(exchange(&[seen.clone(), add("a.csv#000002")]).expect("written"), []);
    let line_of = |key: &str| format!("{key},exclude,dark,another,2026-11-01T08:00:00Z\n");
    let header = text.lines().next().expect("a header");
    let both = format!("{header}\n{}{}", line_of("a.csv#000001"), line_of("a.csv#000002"));
    assert_eq!(project.read(FILE), both);

    let undone = |change: VerdictChange| VerdictChange { seen: change.new, new: change.seen, ..change };
    assert_eq!(exchange(&[undone(seen), undone(add("a.csv#000002"))]).expect("undone"), []);
    assert_eq!(project.read(FILE), text, "undo restores the line");

    for (reason, part) in [(" ", "reason"), ("two\nlines", "reason")] {
        let key = "a.csv#000003";
        let change = VerdictChange { key: key.to_owned(), seen: None, new: Some(line(key, reason)) };
        let error = exchange(&[change]).expect_err("refused").to_string();
        assert!(error.starts_with(&format!("the {part} ")), "{error}");
    }
    let other = VerdictChange { new: Some(line("a.csv#000003", "dark")), ..add("a.csv#000002") };
    assert!(exchange(&[other]).is_err(), "a verdict on another row than the one that the curator saw");
    assert_eq!(project.read(FILE), text);
}
