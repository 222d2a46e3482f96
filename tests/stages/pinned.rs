//! Outputs of each stage, pinned for its version: a changed output with an unchanged version is a forgotten bump.
//!
//! `pinned.json` has a summary of the outputs of each stage instance that the tests run. Numbers are compared with a
//! tolerance, because CPUs round differently. After a change of versions, parameters or fixtures, record it again:
//! `CALLSHEET_RECORD_PINS=1 cargo test --workspace --test stages -- --include-ignored --test-threads 1`. Recording
//! refuses an output that changed although nothing that identifies the result did.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use callsheet_worker::table::read_columns;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flagship::{project, ran, repository};
use crate::pairs::fixture;
use crate::shared::finished;

/// Difference that different CPUs may cause, relative to the size of the values.
const TOLERANCE: f64 = 0.02;
/// The same for stages that measure a trained model: a training enlarges differences of rounding.
const OF_TRAINED: f64 = 0.2;
/// Stages that measure a trained model.
const TRAINED: [&str; 6] = [
    "compare_diversity",
    "compare_methods",
    "evaluate_diversity",
    "evaluate_other_style",
    "evaluate_reconstruction",
    "probe_style",
];
/// Stages of which only numbers of values are compared: t-SNE moves points far apart after a small difference.
const COUNTED: [&str; 1] = ["project_embeddings"];
/// Numbers below this size count as equal.
const SMALL: f64 = 1e-3;

/// Pinned outputs of a stage instance.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Pin {
    stage: String,
    version: u64,
    /// Digest of everything that identifies the result: versions and parameters of the stage and of all stages that
    /// it depends on, and its raw files.
    identity: String,
    /// Summaries of the outputs by name.
    outputs: BTreeMap<String, Summary>,
}

/// Summary of a column or a file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Summary {
    /// Numbers that depend on rounding.
    Numbers(Vec<f64>),
    /// Digest of texts.
    Texts(String),
}

type Pins = BTreeMap<String, Pin>;

fn path() -> PathBuf {
    repository().join("tests/stages/pinned.json")
}

fn pins() -> Pins {
    serde_json::from_str(&fs::read_to_string(path()).unwrap_or_else(|_| "{}".to_owned())).expect("pins")
}

/// Compares the outputs of all stages that ran for a pipeline and dataset, such as `synthesis/facades`, with their
/// pins.
#[expect(clippy::disallowed_methods, reason = "a person who records pins says so")]
pub(crate) fn check_outputs(project: &Path, target: &str) {
    let found = of_project(project, target);
    if std::env::var_os("CALLSHEET_RECORD_PINS").is_none() {
        let pins = pins();
        let problems: Vec<String> =
            found.iter().filter_map(|(name, now)| problem(name, pins.get(name), now)).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        return;
    }
    let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("pins.lock")).expect("created");
    lock.lock().expect("locked");
    let mut pins = pins();
    let forgotten = found.iter().filter_map(|(name, now)| {
        let before = pins.get(name).filter(|before| before.identity == now.identity);
        before.and_then(|before| problem(name, Some(before), now))
    });
    let forgotten: Vec<String> = forgotten.collect();
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
    pins.extend(found);
    fs::write(path(), serde_json::to_string_pretty(&pins).expect("plain data") + "\n").expect("written");
}

/// Difference between the pin of a stage instance and its outputs now, if there is one.
fn problem(name: &str, pin: Option<&Pin>, now: &Pin) -> Option<String> {
    let Some(pin) = pin.filter(|pin| pin.identity == now.identity) else {
        return Some(format!("{name}: version {} with these inputs is not pinned; record it", now.version));
    };
    let is_of = |stages: &[&str]| stages.contains(&now.stage.as_str());
    let tolerance = if is_of(&TRAINED) { OF_TRAINED } else { TOLERANCE };
    let equal = |a: &Summary, b: &Summary| match (a, b) {
        (Summary::Numbers(a), Summary::Numbers(b)) if is_of(&COUNTED) && a.len() > 1 => a[0] == b[0],
        (Summary::Numbers(a), Summary::Numbers(b)) => a.len() == b.len() && are_close(a, b, tolerance),
        (a, b) => a == b,
    };
    let names: BTreeSet<&String> = pin.outputs.keys().chain(now.outputs.keys()).collect();
    let changed =
        names.into_iter().find(|output| match (pin.outputs.get(*output), now.outputs.get(*output)) {
            (Some(before), Some(now)) => !equal(before, now),
            _ => true,
        })?;
    let (before, after) = (pin.outputs.get(changed), now.outputs.get(changed));
    Some(format!(
        "{name}: {changed} changed from {before:?} to {after:?}, but `{}` still has version {}: raise `version` in its \
         stage.toml, and give the reason under [history]",
        now.stage, now.version
    ))
}

/// Compares summaries of numbers. If the last two are a mean and a deviation, differences of the deviation are relative to
/// the mean if that is larger.
fn are_close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let size = |at: usize| {
        let first = if at + 1 == a.len() && a.len() > 2 { at - 1 } else { at };
        a[first..=at].iter().chain(&b[first..=at]).fold(0f64, |size, value| size.max(value.abs()))
    };
    let close = |at: usize| {
        let (a, b) = (a[at], b[at]);
        a == b || a.is_nan() && b.is_nan() || size(at) < SMALL || (a - b).abs() <= tolerance * size(at)
    };
    (0..a.len()).all(close)
}

/// Pins of the stages that ran in a project for a pipeline and dataset, by stage instance.
fn of_project(project: &Path, target: &str) -> Pins {
    let actions = fs::read_dir(project.join("data/store/actions")).expect("records").flatten();
    let mut records: Vec<Value> = actions
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        .map(|entry| serde_json::from_slice(&fs::read(entry.path()).expect("a record")).expect("JSON"))
        .collect();
    // Two stages may write equal contents, so the order decides which of them an input is made by.
    records.sort_by_cached_key(|record| record["key"].to_string());
    let mut identities = BTreeMap::new();
    let named = |record: &Value| {
        let made = &record["provenance"];
        format!("{}/{}: {}", text(&made["pipeline"]), text(&made["dataset"]), text(&made["stage"]))
    };
    let pin = |record: &Value| Pin {
        stage: text(&record["key"]["stage"]).to_owned(),
        version: record["key"]["version"].as_u64().expect("a version"),
        identity: identity(record, &records, &mut identities)[..16].to_owned(),
        outputs: summaries(project, record),
    };
    let mut pin = pin;
    let own = records.iter().filter(|record| named(record).starts_with(&format!("{target}: ")));
    own.map(|record| (named(record), pin(record))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Digest of what identifies a result, without the contents of the results that it depends on.
fn identity(record: &Value, all: &[Value], known: &mut BTreeMap<String, String>) -> String {
    let key = &record["key"];
    let own = key.to_string();
    if let Some(known) = known.get(&own) {
        return known.clone();
    }
    let mut hasher = blake3::Hasher::new();
    for part in ["stage", "version", "command", "params", "budget", "columns", "rows", "code"] {
        hasher.update(key[part].to_string().as_bytes());
    }
    for (name, digest) in key["inputs"].as_object().expect("inputs") {
        let makes = |record: &&Value| outputs(record).any(|(_, object)| object["content"] == *digest);
        hasher.update(name.as_bytes());
        match all.iter().find(makes) {
            Some(maker) => hasher.update(identity(maker, all, known).as_bytes()),
            // A raw file.
            None => hasher.update(text(digest).as_bytes()),
        };
    }
    let identity = hasher.finalize().to_hex().to_string();
    known.insert(own, identity.clone());
    identity
}

fn outputs(record: &Value) -> impl Iterator<Item = (&String, &Value)> {
    record["outputs"].as_object().expect("outputs").iter()
}

/// Summaries of all outputs of a record.
fn summaries(project: &Path, record: &Value) -> BTreeMap<String, Summary> {
    let mut all = BTreeMap::new();
    for (name, object) in outputs(record) {
        let bytes = text(&object["bytes"]);
        let path = project.join("data/store/objects").join(&bytes[..2]).join(bytes);
        if text(&object["kind"]) == "table" {
            let table = read_columns(&path, &[]).expect("a table");
            let columns =
                table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
            let summaries = columns.into_iter().map(|column| {
                let texts = texts(&table[&*column]).map(Summary::Texts);
                (
                    format!("{name}.{column}"),
                    texts.unwrap_or_else(|| Summary::Numbers(numbers(&table[&*column]))),
                )
            });
            all.extend(summaries);
        } else {
            let files = files(&path).into_iter();
            all.extend(files.map(|(file, values)| (format!("{name}{file}"), Summary::Numbers(values))));
        }
    }
    all
}

/// Digest of a column of texts; `None` if it contains none, or digests of results, which differ between CPUs.
fn texts(column: &ArrayRef) -> Option<String> {
    let mut texts: Vec<&str> = column.as_string_opt::<i32>()?.iter().flatten().collect();
    texts.sort_unstable();
    let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!texts.iter().all(is_digest))
        .then(|| blake3::hash(texts.join("\n").as_bytes()).to_hex()[..16].to_owned())
}

/// Number of rows, mean and standard deviation of a column of numbers; the number of rows of another one.
fn numbers(column: &ArrayRef) -> Vec<f64> {
    let rows = column.len() as f64;
    match column.data_type() {
        DataType::Float64 => moments(column.as_primitive::<Float64Type>().iter().flatten()),
        DataType::Float32 => moments(column.as_primitive::<Float32Type>().iter().flatten().map(f64::from)),
        DataType::Int64 => moments(column.as_primitive::<Int64Type>().iter().flatten().map(|v| v as f64)),
        DataType::Int32 => moments(column.as_primitive::<Int32Type>().iter().flatten().map(f64::from)),
        DataType::Boolean => moments(column.as_boolean().iter().flatten().map(f64::from)),
        DataType::FixedSizeList(..) => [vec![rows], numbers(column.as_fixed_size_list().values())].concat(),
        DataType::List(_) => [vec![rows], numbers(column.as_list::<i32>().values())].concat(),
        _ => vec![rows],
    }
}

fn moments(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    vec![values.len() as f64, mean, variance.sqrt()]
}

/// Summaries of the files of an artifact by their names in it: of weights their mean size, of others their length.
fn files(path: &Path) -> Vec<(String, Vec<f64>)> {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("listed").map(|entry| entry.expect("an entry"));
        let below = entries.flat_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            files(&entry.path()).into_iter().map(move |(inside, values)| (format!("/{name}{inside}"), values))
        });
        return below.collect();
    }
    let bytes = fs::read(path).expect("readable");
    let weights = path.extension().is_some_and(|extension| extension == "safetensors");
    let numbers = |bytes: &[u8]| {
        let (header, _) = bytes.split_first_chunk().expect("a header");
        let values = bytes[8 + u64::from_le_bytes(*header) as usize..].chunks_exact(4);
        moments(
            values.map(|value| f64::from(f32::from_le_bytes([value[0], value[1], value[2], value[3]])).abs()),
        )
    };
    vec![(String::new(), if weights { numbers(&bytes) } else { vec![bytes.len() as f64] })]
}

#[test]
fn outputs_of_a_version_never_change() {
    check_outputs(finished().path(), "synthesis/space_needle");
}

#[test]
fn every_stage_is_pinned() {
    let pinned: BTreeSet<String> = pins().into_values().map(|pin| pin.stage).collect();
    let folders =
        fs::read_dir(repository().join("stages")).expect("listed").map(|entry| entry.expect("an entry"));
    let stages = folders.filter(|entry| entry.path().join("stage.toml").exists());
    let stages: BTreeSet<String> =
        stages.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    let missing: Vec<&String> = stages.difference(&pinned).collect();
    assert!(missing.is_empty(), "no test pins the outputs of {missing:?}");
}

#[test]
fn a_forgotten_version_is_found() {
    let pin = |version, identity: &str, mean| Pin {
        stage: "s".into(),
        version,
        identity: identity.into(),
        outputs: [("t.a".to_owned(), Summary::Numbers(vec![10.0, mean, 1.0]))].into(),
    };
    let before = pin(1, "a", 0.5);
    assert_eq!(problem("s", Some(&before), &pin(1, "a", 0.501)), None, "rounding");
    let forgotten = problem("s", Some(&before), &pin(1, "a", 0.6)).expect("a problem");
    assert!(forgotten.contains("still has version 1: raise `version`"), "{forgotten}");
    assert!(problem("s", Some(&before), &pin(2, "b", 0.6)).is_some_and(|text| text.contains("record it")));
}

#[test]
fn outputs_of_stages_for_image_pairs_never_change() {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    ran(&project, &["--dataset", "facades", "pair_images"]);
    check_outputs(project.path(), "synthesis/facades");
}
