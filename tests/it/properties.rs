//! Properties of all pipelines and keys, tested on generated ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet::declare::{Layer, Project, StageDecl};
use callsheet::key::ActionKey;
use callsheet::plan::{Plan, Request, Selection, resolve};
use callsheet::target::Target;
use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, SourceText};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tempfile::TempDir;

const STAGE: &str = "summary = \"Any\"\nversion = 1\ncommand = [\"true\"]\n\
    [inputs.a]\nkind = \"file\"\noptional = true\ndoc = \"Any\"\n\
    [inputs.b]\nkind = \"file\"\noptional = true\ndoc = \"Any\"\n\
    [outputs.out]\nkind = \"file\"\npath = \"out\"\ndoc = \"Any\"\n";

/// A project with one pipeline: stage `i` reads from `reads[i]`; stages are written in the order of `places`.
fn project(reads: &[Vec<usize>], places: &[usize]) -> (TempDir, Project) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    };
    let mut tables: Vec<(usize, String)> = Vec::new();
    for (stage, reads) in reads.iter().enumerate() {
        let wires = reads.iter().zip(["a", "b"]);
        let wires: String =
            wires.map(|(from, input)| format!("inputs.{input} = \"s{from}.out\"\n")).collect();
        tables.push((places[stage], format!("[stages.s{stage}]\nuse = \"any\"\n{wires}")));
    }
    tables.sort();
    let tables: String = tables.into_iter().map(|(_, table)| table).collect();
    write("callsheet.toml", "");
    write("stages/any/stage.toml", STAGE);
    write("pipelines/any.toml", &format!("summary = \"Any\"\n{tables}"));
    let project = Project::open(folder.path()).expect("a project");
    (folder, project)
}

fn plan(project: &Project) -> Result<Plan, Error> {
    resolve(project, &Request { target: Target::new("any", "", ""), ..Request::default() })
}

/// Producers of each stage: at most two of those with a lower number.
fn graphs() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<usize>)> {
    vec((vec(any::<Index>(), 0..3), any::<usize>()), 1..40).prop_map(|stages| {
        let reads = stages.iter().enumerate().map(|(stage, (reads, _))| match stage {
            0 => Vec::new(),
            _ => reads.iter().map(|index| index.index(stage)).collect(),
        });
        (reads.collect(), stages.iter().map(|(_, place)| *place).collect())
    })
}

fn name(stage: usize) -> String {
    format!("s{stage}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_stage_comes_once_and_after_what_it_reads((reads, places) in graphs()) {
        let (_folder, project) = project(&reads, &places);
        let plan = plan(&project).expect("no circle");
        let names: BTreeSet<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        prop_assert_eq!(names.len(), reads.len());
        for (position, stage) in plan.stages.iter().enumerate() {
            prop_assert!(stage.upstream().iter().all(|producer| *producer < position));
            let wanted: BTreeSet<String> = reads[stage.name[1..].parse::<usize>().expect("a number")]
                .iter().map(|from| name(*from)).collect();
            let found: BTreeSet<String> =
                stage.upstream().iter().map(|producer| plan.stages[*producer].name.clone()).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn the_order_of_the_file_is_kept_where_the_graph_leaves_it_open((reads, places) in graphs()) {
        let none: Vec<Vec<usize>> = reads.iter().map(|_| Vec::new()).collect();
        let (_folder, project) = project(&none, &places);
        let plan = plan(&project).expect("no circle");
        let mut wanted: Vec<usize> = (0..places.len()).collect();
        wanted.sort_by_key(|stage| (places[*stage], format!("[stages.s{stage}]")));
        let found: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        prop_assert_eq!(found, wanted.into_iter().map(name).collect::<Vec<_>>());
    }

    #[test]
    fn a_circle_is_refused_and_named((mut reads, places) in graphs(), from in any::<Index>(), to in any::<Index>()) {
        let (a, b) = (from.index(reads.len()), to.index(reads.len()));
        let (low, high) = (a.min(b), a.max(b));
        // high reads from low, and low from high.
        reads[high].insert(0, low);
        reads[high].truncate(2);
        reads[low].insert(0, high);
        reads[low].truncate(2);
        let (_folder, project) = project(&reads, &places);
        let error = plan(&project).expect_err("a circle");
        let message = error.to_string();
        prop_assert_eq!(error.kind(), Code::Declaration, "{}", message);
        prop_assert!(message.contains(&name(low)) && message.contains(&name(high)), "{}", message);
    }

    #[test]
    fn a_selection_contains_its_stages_and_all_their_producers((reads, places) in graphs(), chosen in any::<Index>()) {
        let (_folder, project) = project(&reads, &places);
        let chosen = chosen.index(reads.len());
        let mut wanted = BTreeSet::new();
        let mut open = vec![chosen];
        while let Some(stage) = open.pop() {
            if wanted.insert(name(stage)) {
                open.extend(&reads[stage]);
            }
        }
        let until = Selection { until: vec![name(chosen)], ..Selection::default() };
        let selected = plan(&project).expect("no circle").select(&until).expect("selected");
        prop_assert_eq!(selected.stages.iter().map(|s| s.name.clone()).collect::<BTreeSet<_>>(), wanted);
        for (position, stage) in selected.stages.iter().enumerate() {
            prop_assert!(stage.upstream().iter().all(|producer| *producer < position));
        }
    }
}

/// Two random orders of one set of distinct values.
fn orders() -> impl Strategy<Value = (Vec<i64>, Vec<i64>)> {
    let values = proptest::collection::btree_set(-50i64..50, 1..9).prop_map(Vec::from_iter);
    values
        .prop_flat_map(|values: Vec<i64>| (Just(values.clone()).prop_shuffle(), Just(values).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn instances_are_gathered_once_each_in_the_order_of_their_values((one, other) in orders()) {
        let gathered = |values: &[i64]| {
            let (folder, project) = project(&[], &[]);
            let many = STAGE.replace("optional = true", "optional = true\nmany = true");
            fs::write(folder.path().join("stages/any/stage.toml"), many).expect("written");
            let pipeline = format!(
                "summary = \"Any\"\n[stages.f]\nuse = \"any\"\nforeach.n = {values:?}\n\
                 [stages.g]\nuse = \"any\"\ninputs.a = \"f.out\"\n"
            );
            fs::write(folder.path().join("pipelines/any.toml"), pipeline).expect("written");
            let plan = plan(&project).expect("no circle");
            let last = plan.stages.last().expect("g");
            let from = last.inputs.iter().flat_map(|(_, input)| input.producers());
            from.map(|producer| plan.stages[*producer].name.clone()).collect::<Vec<_>>()
        };
        let mut wanted = one.clone();
        wanted.sort_unstable();
        let wanted: Vec<String> = wanted.iter().map(|value| format!("f@{value}")).collect();
        prop_assert_eq!(&gathered(&one), &wanted);
        prop_assert_eq!(&gathered(&other), &wanted);
    }
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 8]>().prop_map(|bytes| blake3::hash(&bytes).into())
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        vec(any::<i64>(), 0..3).prop_map(Value::from),
    ]
}

fn keys() -> impl Strategy<Value = ActionKey> {
    let name = || "[a-z]{1,3}";
    let maps = (
        btree_map(name(), digests(), 0..3),
        btree_map(name(), values(), 0..4),
        btree_map(name(), values(), 0..2),
        btree_map(name(), digests(), 0..3),
    );
    let rest = ("[a-z]{0,4}", 1..4u32, vec(".{0,4}", 0..3), proptest::collection::btree_set(".{0,3}", 0..2));
    (maps, rest).prop_map(|((code, params, budget, inputs), (stage, version, command, labels))| ActionKey {
        format: 2,
        stage,
        version,
        command,
        python: None,
        code,
        columns: Default::default(),
        params,
        budget,
        inputs,
        labels,
        rows: None,
    })
}

proptest! {
    #[test]
    fn two_keys_have_equal_digests_only_if_they_are_equal(a in keys(), b in keys()) {
        prop_assert_eq!(a == b, a.digest() == b.digest());
        prop_assert_eq!(a.digest(), a.clone().digest());
    }

    #[test]
    fn a_key_read_back_from_its_record_has_the_same_digest(key in keys()) {
        let text = serde_json::to_string(&key).expect("plain data");
        let read: ActionKey = serde_json::from_str(&text).expect("a key");
        prop_assert_eq!(read.digest(), key.digest());
        prop_assert_eq!(read, key);
    }

    #[test]
    fn keys_that_differ_only_in_budget_share_a_scratch_folder(a in keys(), b in keys()) {
        let extended = ActionKey { budget: b.budget.clone(), ..a.clone() };
        prop_assert_eq!(a.scratch_digest(), extended.scratch_digest());
        let without = |key: &ActionKey| ActionKey { budget: Default::default(), ..key.clone() };
        prop_assert_eq!(without(&a) == without(&b), a.scratch_digest() == b.scratch_digest());
    }

    #[test]
    fn any_text_is_a_valid_declaration_or_is_refused_with_its_file(text in declarations()) {
        let source = Arc::new(SourceText::new(PathBuf::from("declaration.toml"), text));
        let layer = Layer::parse(&source).map(drop);
        let stage = StageDecl::parse(&source, "stage", Path::new("/nowhere")).map(drop);
        for error in [layer, stage].into_iter().filter_map(Result::err) {
            let said = format!("{:?}", miette::Report::new(error));
            prop_assert!(said.contains("declaration.toml"), "{}", said);
        }
    }
}

/// Texts similar to declarations: real files with parts removed and replaced.
fn declarations() -> impl Strategy<Value = String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real =
        ["pipelines/synthesis.toml", "stages/train_generator/stage.toml", "tests/toy/pipelines/fan.toml"];
    let real = real.map(|path| fs::read_to_string(root.join(path)).expect("readable"));
    let edits = vec((any::<Index>(), any::<Index>(), "[a-z0-9{}\\[\\]\"=.@\\-\n ]{0,6}"), 0..6);
    (proptest::sample::select(real.to_vec()), edits).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, len, new) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + len.index(40)).min(chars.len());
            chars.splice(at..end, new.chars());
        }
        chars.into_iter().collect()
    })
}
