//! Preview of a run: stages that are cached, that must run, and that may turn out unchanged.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use callsheet_worker::code::Code;
use callsheet_worker::curation;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, list};
use litemap::LiteMap;
use serde::Serialize;

use super::changed_inputs::input_contents;
use super::rows::{Compute, Files, PredictedTable};
use super::snapshot::{LOST, NEVER, StoreSnapshot, changed_outputs};
use crate::declare::ArtifactKind;
use crate::key::ActionKey;
use crate::plan::{Input, Plan, StageInstance, gathered};
use crate::reason::differences_of;
use crate::store::{LatestResult, Object, Sources, Store, digest_named, name_below};
use crate::trace;

/// Predicted state of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Its result is in the store.
    Cached {
        /// Its key.
        key: Digest,
    },
    /// Its inputs are known and its result is not in the store.
    Run {
        /// Its key.
        key: Digest,
        /// Reasons, one per line.
        reasons: Vec<String>,
    },
    /// Other stages must run first. After that its result may turn out to be cached.
    Maybe {
        /// Stages that it waits for.
        after: Vec<String>,
        /// Reasons that are known already, one per line.
        reasons: Vec<String>,
    },
    /// It cannot run, because raw files or its own files are missing or cannot be read.
    Fails {
        /// The reason.
        reason: String,
    },
}

/// Preview of one stage instance.
#[derive(Clone, Debug, Serialize)]
pub struct StagePreview {
    /// The stage instance.
    pub stage: String,
    /// Its predicted state.
    #[serde(flatten)]
    pub state: State,
    /// Seconds that its cached result or, without one, its latest action took, if it ever ran for this target.
    pub seconds: Option<f64>,
    /// Seconds that its latest action on CPUs of this machine's kind took.
    pub seconds_here: Option<f64>,
    /// Number of rows of each table in its cached result or, without one, in its latest result.
    pub rows: BTreeMap<String, u64>,
    /// Number of rows that it would compute, if it is row-wise and its inputs are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// Reason why it cannot run on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its key, if its inputs are known.
    #[serde(skip)]
    pub key: Option<ActionKey>,
    /// Its outputs, if it is cached.
    #[serde(skip)]
    pub objects: Option<LiteMap<String, Object>>,
}

impl StagePreview {
    /// Returns the reason why the result is not in the store: `stale: margin: 0.1 → 0.2`, `not computed yet` or
    /// `cannot run: ..`. Returns none if it is cached.
    pub fn lacks(&self) -> Option<String> {
        let (text, reasons) = match &self.state {
            State::Cached { .. } => return None,
            State::Fails { reason } => return Some(format!("cannot run: {reason}")),
            State::Run { reasons, .. } => ("stale: ".to_owned(), reasons),
            State::Maybe { after, reasons } if reasons.is_empty() => {
                let after = list(after.iter().map(String::as_str));
                (format!("stale, unless {after} computes equal content"), reasons)
            }
            State::Maybe { reasons, .. } => ("stale: ".to_owned(), reasons),
        };
        let ran = self.seconds.is_some();
        Some(if ran { text + &reasons.join("; ") } else { "not computed yet".to_owned() })
    }
}

/// Looks up every stage of a plan, in order.
///
/// # Errors
/// Returns an error if a raw file cannot be read.
pub fn preview(
    store: &Store,
    sources: &mut Sources,
    snapshot: &StoreSnapshot,
    plan: &Plan,
) -> Result<Vec<StagePreview>> {
    let mut found: Vec<StagePreview> = Vec::with_capacity(plan.stages.len());
    let mut planned: HashMap<Digest, &str> = HashMap::new();
    for stage in &plan.stages {
        let last = snapshot.last(&stage.name);
        let waits: Vec<String> = stage
            .upstream()
            .into_iter()
            .filter(|producer| found[*producer].objects.is_none())
            .map(|producer| plan.stages[producer].name.clone())
            .collect();
        let seconds_here = snapshot.seconds_here(&stage.name);
        let rows = last.map(|head| rows(&head.outputs)).unwrap_or_default();
        let mut seconds = last.map(|head| head.seconds);
        let objects = |producer: usize| found[producer].objects.as_ref();
        let key = waits.is_empty().then(|| key_of(sources, plan, stage, objects));
        let (state, key, objects) = if let Some(Err(error)) = key {
            (State::Fails { reason: error.to_string() }, None, None)
        } else if let Some(missing) = stage.missing.values().next() {
            (State::Fails { reason: missing.message.clone() }, None, None)
        } else if let Some(Ok(key)) = key {
            let digest = key.digest();
            let hit = snapshot.find(store, stage, &digest);
            let state = match &hit {
                Some(_) => State::Cached { key: digest },
                None => match planned.insert(digest, &stage.name) {
                    // If two stage instances have one key, the first runs and the second uses its result.
                    Some(same) => State::Maybe {
                        after: vec![same.to_owned()],
                        reasons: vec!["computes an identical result".into()],
                    },
                    None => {
                        let contents = || input_contents(sources, plan, stage, objects);
                        State::Run { key: digest, reasons: snapshot.reasons(store, stage, &key, contents) }
                    }
                },
            };
            seconds = hit.as_ref().map(|head| head.seconds).or(seconds);
            (state, Some(key), hit.map(|head| head.outputs.clone()))
        } else {
            let reasons = match last {
                Some(head) => changed_params(store, sources, stage, head).unwrap_or_default(),
                None => vec![NEVER.into()],
            };
            (State::Maybe { after: waits, reasons }, None, None)
        };
        let rows = objects.as_ref().map(self::rows).unwrap_or(rows);
        let stage = stage.name.clone();
        found.push(StagePreview {
            stage,
            state,
            seconds,
            seconds_here,
            rows,
            compute: None,
            problem: None,
            key,
            objects,
        });
    }
    Ok(found)
}

/// Counts the rows that row-wise stages would compute. It reads their tables to do so.
///
/// # Errors
/// Returns an error if a raw file cannot be read.
pub fn count_rows(
    store: &Store,
    sources: &mut Sources,
    plan: &Plan,
    found: &mut [StagePreview],
) -> Result<()> {
    let mut predicted: HashMap<usize, PredictedTable> = HashMap::new();
    for (position, stage) in plan.stages.iter().enumerate() {
        if found[position].objects.is_none()
            && let Some((compute, table)) = count(store, sources, plan, stage, found, &predicted)?
        {
            found[position].compute = Some(compute);
            predicted.insert(position, table);
        }
    }
    Ok(())
}

/// Predicts the number of rows that a row-wise stage would compute, and the table that it would write.
/// Returns `None` if that cannot be known before the stages that it reads from have run. Errors in input
/// tables are ignored here, because the run reports them.
fn count(
    store: &Store,
    sources: &mut Sources,
    plan: &Plan,
    stage: &StageInstance,
    found: &[StagePreview],
    predicted: &HashMap<usize, PredictedTable>,
) -> Result<Option<(Compute, PredictedTable)>> {
    let Some(rows) = stage.decl.rows.as_ref().filter(|_| stage.missing.is_empty()) else { return Ok(None) };
    let Some(Input::Artifact { stage: producer, output }) = stage.inputs.get(&rows.input) else {
        return Ok(None);
    };
    let objects = |producer: usize| found[producer].objects.as_ref();
    let unknown = |(name, input): (&String, &Input)| {
        let made = input.producers().iter().all(|producer| found[*producer].objects.is_some());
        !made && (!rows.tells(name) || rows.files.contains_key(name))
    };
    if stage.inputs.iter().any(unknown) {
        return Ok(None);
    }
    let there = match objects(*producer).and_then(|made| made.get(output)) {
        Some(table) => PredictedTable::there(&store.materialize(table)).ok(),
        None => None,
    };
    let Some(table) = there.as_ref().or_else(|| predicted.get(producer)) else { return Ok(None) };
    let inputs = inputs_of(sources, plan, stage, objects, |name| !rows.tells(name))?;
    let key = ActionKey::new(stage, code(sources, stage)?, inputs);
    let Some(pool) = key.pool() else { return Ok(None) };
    let files = row_files(sources, plan, stage, objects)?;
    Ok(table.count(store, &pool, rows, &files).ok())
}

/// Digests of the files that single rows of a stage depend on, by the names that the worker sees.
pub(super) fn row_files<'a>(
    sources: &mut Sources,
    plan: &Plan,
    stage: &StageInstance,
    objects: impl Fn(usize) -> Option<&'a LiteMap<String, Object>>,
) -> Result<Files> {
    let mut files = Files::new();
    for name in stage.decl.rows.iter().flat_map(|rows| rows.files.keys()) {
        let digests = match stage.inputs.get(name) {
            Some(Input::Source { files, base, .. }) => {
                let (_, each) = sources.digest_all(files, base)?;
                each.into_iter().map(|(file, digest)| (name_below(Path::new(&file), base), digest)).collect()
            }
            Some(input @ Input::Artifact { stage: producer, output }) => {
                let object = objects(*producer).and_then(|made| made.get(output));
                file_name(plan, stage, name, input)
                    .into_iter()
                    .zip(object.map(|object| object.content))
                    .collect()
            }
            _ => BTreeMap::new(),
        };
        files.insert(name.clone(), digests);
    }
    Ok(files)
}

/// Number of rows of each table among a stage's outputs.
pub(super) fn rows(outputs: &LiteMap<String, Object>) -> BTreeMap<String, u64> {
    outputs.iter().filter_map(|(name, object)| Some((name.clone(), object.rows?))).collect()
}

/// Error for `--only` if a result that is needed is not in the store.
pub fn left_out_by_only(stage: &str) -> Error {
    let message = format!("the result of `{stage}` is not in the store, and --only excludes this stage");
    Error::user_error(Code::NotComputed, message, format!("run `callsheet run {stage}` first"))
}

/// Returns the key of a stage whose inputs are all known.
pub(super) fn key_of<'a>(
    sources: &mut Sources,
    plan: &Plan,
    stage: &StageInstance,
    objects: impl Fn(usize) -> Option<&'a LiteMap<String, Object>>,
) -> Result<ActionKey> {
    if let Some(missing) = stage.missing.values().next() {
        return Err(missing.error());
    }
    check_verdicts(sources, stage)?;
    let inputs = inputs_of(sources, plan, stage, objects, |_| true)?;
    Ok(ActionKey::new(stage, code(sources, stage)?, inputs))
}

/// Checks the files of verdicts that a stage reads, so that a stage need not notice a misspelt verdict.
fn check_verdicts(sources: &Sources, stage: &StageInstance) -> Result<()> {
    let with_verdicts = stage.decl.inputs.iter().filter(|(_, input)| input.verdicts.is_some());
    for (name, _) in with_verdicts {
        if let Some(Input::Source { files, .. }) = stage.inputs.get(name) {
            for path in files.iter().map(|file| sources.path(file)) {
                // The content that is checked is that of the key.
                let _ = trace::metadata(&path);
                curation::read(&path)?;
            }
        }
    }
    Ok(())
}

/// Returns the content digests of the inputs that `asked` selects; these inputs must be known.
fn inputs_of<'a>(
    sources: &mut Sources,
    plan: &Plan,
    stage: &StageInstance,
    objects: impl Fn(usize) -> Option<&'a LiteMap<String, Object>>,
    asked: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Digest>> {
    let content =
        |producer: usize, output: &String| objects(producer).expect("the producer is done")[output].content;
    let mut inputs = BTreeMap::new();
    for (name, input) in stage.inputs.iter().filter(|(name, _)| asked(name)) {
        match input {
            Input::Source { files, base, .. } => {
                inputs.insert(name.clone(), sources.digest_all(files, base)?.0);
            }
            Input::Artifact { stage: producer, output } => {
                let content = content(*producer, output);
                let digest = match file_name(plan, stage, name, input) {
                    Some(file) => digest_named([(file, content)]),
                    None => content,
                };
                inputs.insert(name.clone(), digest);
            }
            Input::Gather { stages, output } => {
                let named = |stage: &usize| gathered(name, &plan.stages[*stage].values);
                inputs.extend(stages.iter().map(|stage| (named(stage), content(*stage, output))));
            }
        }
    }
    Ok(inputs)
}

/// Returns the name under which a worker sees an artifact, if the input takes files: only files have names.
pub(super) fn file_name(plan: &Plan, stage: &StageInstance, name: &str, input: &Input) -> Option<String> {
    let Input::Artifact { stage: producer, output } = input else { return None };
    let takes_files = stage.decl.inputs[name].kind == ArtifactKind::Files;
    takes_files.then(|| plan.stages[*producer].decl.outputs[output].path.clone())
}

/// Returns the digests of the files that are the stage's code.
fn code(sources: &mut Sources, stage: &StageInstance) -> Result<BTreeMap<String, Digest>> {
    let files = stage.decl.code.iter();
    files.map(|(name, path)| Ok((name.clone(), sources.digest(path)?))).collect()
}

/// Returns the differences from an older key, except those of inputs, which are not known yet.
fn changed_params(
    store: &Store,
    sources: &mut Sources,
    stage: &StageInstance,
    last: &LatestResult,
) -> Result<Vec<String>> {
    let Some(old) = store.record(&last.key).map(|record| record.key) else { return Ok(vec![LOST.into()]) };
    let new = ActionKey::new(stage, code(sources, stage)?, old.inputs.clone());
    let differences = differences_of(&old, &new);
    Ok(if differences.is_empty() { changed_outputs(&last.outputs, &stage.decl) } else { differences })
}
