//! A run as OpenLineage events (<https://openlineage.io/spec/2-0-2/OpenLineage.json>), one JSON
//! object each. They name the inputs and outputs of each stage, for catalogues that draw lineage.
//!
//! The run of a pipeline and each of its actions are runs with START and COMPLETE, FAIL or ABORT;
//! an action names the pipeline's run as its parent. A stage whose result is cached does not run: it
//! is reported as a job with its datasets. The name of a dataset is the absolute path of its file, and
//! its version is the digest of the content.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use callsheet_worker::digest::Digest;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::declare::Project;
use crate::event::Event;
use crate::plan::{Input, Plan, StageInstance};
use crate::store::{Record, Store};

const SPEC: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs";
const PRODUCER: &str = concat!("pkg:cargo/callsheet@", env!("CARGO_PKG_VERSION"));

/// Converter of the events of one run.
pub struct Lineage<'a> {
    project: &'a Project,
    store: &'a Store,
    plan: &'a Plan,
    positions: HashMap<&'a str, usize>,
    run: String,
    stopped: bool,
    /// Records of the finished stages, by position in the plan.
    records: HashMap<usize, Record>,
}

impl<'a> Lineage<'a> {
    /// Creates the converter of a run that has not started yet.
    pub fn new(project: &'a Project, store: &'a Store, plan: &'a Plan) -> Self {
        let names = plan.stages.iter().enumerate();
        let positions = names.map(|(position, stage)| (stage.name.as_str(), position)).collect();
        Self { project, store, plan, positions, run: String::new(), stopped: false, records: HashMap::new() }
    }

    /// Returns the OpenLineage event for an event at `time` (RFC 3339), if there is one.
    pub fn tell(&mut self, event: &Event, time: &str) -> Option<Value> {
        match event {
            Event::RunStarted { run, .. } => {
                self.run.clone_from(run);
                Some(self.of_pipeline("START", time, None))
            }
            Event::RunFinished { failed, .. } => {
                let outcome = if self.stopped { "ABORT" } else { "FAIL" };
                Some(self.of_pipeline(if *failed == 0 { "COMPLETE" } else { outcome }, time, None))
            }
            Event::Stopping { .. } => {
                self.stopped = true;
                None
            }
            Event::Cached { stage, key } => {
                let position = self.done(stage, key)?;
                let mut told = self.datasets(position);
                let of = json!({
                    "eventTime": time, "producer": PRODUCER, "schemaURL": format!("{SPEC}/JobEvent"),
                    "job": self.job(position),
                });
                told.as_object_mut()?.extend(of.as_object().cloned()?);
                Some(told)
            }
            Event::Started { stage, .. } => self.of_stage("START", stage, time, None),
            Event::Finished { stage, key, .. } => {
                self.done(stage, key)?;
                self.of_stage("COMPLETE", stage, time, None)
            }
            Event::Failed { stage, message, .. } => self.of_stage("FAIL", stage, time, Some(message)),
            Event::Stopped { stage } => self.of_stage("ABORT", stage, time, None),
            _ => None,
        }
    }

    /// Returns the OpenLineage event for a run that failed as a whole, not in one of its stages.
    pub fn refused(&self, message: &str, time: &str) -> Value {
        self.of_pipeline("FAIL", time, Some(message))
    }

    fn done(&mut self, stage: &str, key: &Digest) -> Option<usize> {
        let position = *self.positions.get(stage)?;
        self.records.insert(position, self.store.record(key)?);
        Some(position)
    }

    fn of_pipeline(&self, state: &str, time: &str, error: Option<&str>) -> Value {
        let mut facets = json!({ "processing_engine": facet("1-1-1/ProcessingEngineRunFacet", json!({
            "name": "callsheet", "version": env!("CARGO_PKG_VERSION"),
        })) });
        add_error(&mut facets, error);
        json!({
            "eventType": state, "eventTime": time, "producer": PRODUCER, "schemaURL": format!("{SPEC}/RunEvent"),
            "run": { "runId": self.run_id(""), "facets": facets },
            "job": {
                "namespace": self.namespace(), "name": self.pipeline_name(),
                "facets": job_facets("DAG", &self.plan.summary),
            },
            "inputs": [], "outputs": [],
        })
    }

    fn of_stage(&self, state: &str, stage: &str, time: &str, error: Option<&str>) -> Option<Value> {
        let position = *self.positions.get(stage)?;
        let params = self.plan.stages[position].params.iter();
        let params: Vec<Value> =
            params.map(|(name, param)| json!({ "key": name, "value": param.value })).collect();
        let mut facets = json!({
            "parent": facet("1-2-0/ParentRunFacet", json!({
                "run": { "runId": self.run_id("") },
                "job": { "namespace": self.namespace(), "name": self.pipeline_name() },
            })),
            "jobRunParameters": facet("1-0-0/JobRunParametersFacet", json!({ "parameters": params })),
        });
        add_error(&mut facets, error);
        let mut told = self.datasets(position);
        told["eventType"] = json!(state);
        told["eventTime"] = json!(time);
        told["producer"] = json!(PRODUCER);
        told["schemaURL"] = json!(format!("{SPEC}/RunEvent"));
        told["run"] = json!({ "runId": self.run_id(stage), "facets": facets });
        told["job"] = self.job(position);
        Some(told)
    }

    fn job(&self, position: usize) -> Value {
        let stage = &self.plan.stages[position];
        let name = format!("{}.{}", self.pipeline_name(), stage.name);
        json!({
            "namespace": self.namespace(), "name": name, "facets": job_facets("TASK", &stage.decl.summary),
        })
    }

    /// Returns `inputs` and `outputs` of a stage; `outputs` are empty until the stage is finished.
    fn datasets(&self, position: usize) -> Value {
        let stage = &self.plan.stages[position];
        let sources = self.records.get(&position).map(|record| &record.provenance.sources);
        let mut inputs = Vec::new();
        for input in stage.inputs.values() {
            match input {
                Input::Source { files, .. } => inputs.extend(files.iter().map(|file| {
                    let version = sources.and_then(|known| known.get(&*file.to_string_lossy()));
                    dataset(&self.project.root.join(file), version, &BTreeMap::new())
                })),
                Input::Artifact { output, .. } | Input::Gather { output, .. } => {
                    let made = input.producers().iter().map(|producer| self.artifact(*producer, output));
                    inputs.extend(made);
                }
            }
        }
        let outputs: Vec<Value> = match self.records.get(&position) {
            None => Vec::new(),
            Some(record) => record
                .outputs
                .iter()
                .map(|(name, object)| {
                    let mut told = self.artifact(position, name);
                    let mut counts = json!({ "size": object.size, "fileCount": object.files });
                    if let Some(rows) = object.rows {
                        counts["rowCount"] = json!(rows);
                    }
                    let statistics = facet("1-0-2/OutputStatisticsOutputDatasetFacet", counts);
                    told["outputFacets"] = json!({ "outputStatistics": statistics });
                    told
                })
                .collect(),
        };
        json!({ "inputs": inputs, "outputs": outputs })
    }

    fn artifact(&self, position: usize, output: &str) -> Value {
        let StageInstance { name, decl, .. } = &self.plan.stages[position];
        let declared = &decl.outputs[output];
        let folder = self.plan.request.target.out(&self.project.data);
        let made = self.records.get(&position).and_then(|record| record.outputs.get(output));
        let version = made.map(|object| &object.content);
        let file = made.map_or(&*declared.path, |object| object.shown_as(&declared.path));
        dataset(&folder.join(name).join(file), version, &declared.columns)
    }

    fn namespace(&self) -> String {
        let folder = self.project.root.file_name().unwrap_or_default();
        format!("callsheet/{}", folder.to_string_lossy())
    }

    fn pipeline_name(&self) -> String {
        let target = &self.plan.request.target;
        let parts = [&target.pipeline, &target.dataset, &target.profile];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(".")
    }

    /// Returns the OpenLineage id of a stage in this run: a hash, so all events of an action have one id.
    fn run_id(&self, stage: &str) -> String {
        let hash = blake3::hash(format!("{}\0{}\0{stage}", self.namespace(), self.run).as_bytes());
        let bytes = *hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
        Uuid::new_v8(bytes).to_string()
    }
}

fn facet(schema: &str, mut fields: Value) -> Value {
    let name = schema.split('/').next_back().unwrap_or_default();
    fields["_producer"] = json!(PRODUCER);
    fields["_schemaURL"] = json!(format!("https://openlineage.io/spec/facets/{schema}.json#/$defs/{name}"));
    fields
}

fn job_facets(kind: &str, doc: &str) -> Value {
    json!({
        "jobType": facet("2-0-4/JobTypeJobFacet", json!({
            "processingType": "BATCH", "integration": "CALLSHEET", "jobType": kind,
        })),
        "documentation": facet("1-1-0/DocumentationJobFacet", json!({ "description": doc })),
    })
}

fn add_error(facets: &mut Value, error: Option<&str>) {
    if let Some(message) = error {
        let fields = json!({ "message": message, "programmingLanguage": "rust" });
        facets["errorMessage"] = facet("1-0-1/ErrorMessageRunFacet", fields);
    }
}

fn dataset(path: &Path, version: Option<&Digest>, columns: &BTreeMap<String, String>) -> Value {
    let mut facets = json!({});
    if let Some(version) = version {
        let fields = json!({ "datasetVersion": version });
        facets["version"] = facet("1-0-1/DatasetVersionDatasetFacet", fields);
    }
    if !columns.is_empty() {
        let fields = columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind }));
        let fields = json!({ "fields": fields.collect::<Vec<_>>() });
        facets["schema"] = facet("1-2-0/SchemaDatasetFacet", fields);
    }
    json!({ "namespace": "file", "name": path.display().to_string(), "facets": facets })
}
