//! OpenLineage events of a run, through the real binary.

use std::collections::BTreeSet;

use crate::snapshot::assert_output;
use crate::support::Project;
use serde_json::Value;

/// Events in `lineage.ndjson`, without the first `skip`.
fn told(project: &Project, skip: usize) -> Vec<Value> {
    let text = project.read("lineage.ndjson");
    text.lines()
        .skip(skip)
        .map(|line| serde_json::from_str(line).expect("one JSON object per line"))
        .collect()
}

fn of<'a>(events: &'a [Value], job: &str, state: &str) -> &'a Value {
    let wanted = |event: &&Value| {
        event["job"]["name"].as_str() == Some(job) && event["eventType"].as_str() == Some(state)
    };
    events.iter().find(wanted).unwrap_or_else(|| panic!("no {state} of {job}"))
}

const LINEAGE: [&str; 2] = ["--lineage", "lineage.ndjson"];

#[test]
fn every_action_starts_and_completes_under_the_pipeline_s_run() {
    let project = Project::new();
    project.run(&LINEAGE);
    let events = told(&project, 0);
    assert_eq!(events.len(), 8, "START and COMPLETE of the pipeline and of three stages");
    let (first, last) = (&events[0], &events[7]);
    assert_eq!((&first["eventType"], &last["eventType"]), (&"START".into(), &"COMPLETE".into()));
    assert_eq!(first["job"]["name"], "chain.toy.small");
    let ids: BTreeSet<&str> = events.iter().filter_map(|event| event["run"]["runId"].as_str()).collect();
    assert_eq!(ids.len(), 4, "one id for each run");
    for event in &events {
        for part in ["eventTime", "producer", "schemaURL"] {
            assert!(event[part].is_string(), "{part} is required: {event}");
        }
        assert!(event["schemaURL"].as_str().is_some_and(|url| url.ends_with("/RunEvent")), "{event}");
        if event["job"]["name"] != "chain.toy.small" {
            assert_eq!(event["run"]["facets"]["parent"]["run"]["runId"], first["run"]["runId"]);
        }
    }
    let double = of(&events, "chain.toy.small.double", "COMPLETE");
    let parameters = double["run"]["facets"]["jobRunParameters"]["parameters"].as_array().expect("some");
    assert!(parameters.iter().any(|p| p["key"] == "times" && p["value"] == 2), "{parameters:?}");
}

#[test]
fn an_output_is_the_input_of_the_next_stage_with_its_version() {
    let project = Project::new();
    project.run(&LINEAGE);
    let events = told(&project, 0);
    let made = &of(&events, "chain.toy.small.double", "COMPLETE")["outputs"][0];
    let read = &of(&events, "chain.toy.small.sum", "START")["inputs"][0];
    assert_eq!(made["namespace"], "file");
    assert!(
        made["name"].as_str().is_some_and(|n| n.ends_with("data/out/chain/toy/small/double/doubled.txt"))
    );
    assert_eq!((&made["name"], &made["facets"]), (&read["name"], &read["facets"]));
    assert_eq!(made["facets"]["version"]["datasetVersion"].as_str().map(str::len), Some(64));
    assert_eq!(made["outputFacets"]["outputStatistics"]["size"], 6);
    let raw = &of(&events, "chain.toy.small.make", "COMPLETE")["inputs"][0];
    assert!(raw["name"].as_str().is_some_and(|name| name.ends_with("data/raw/toy/numbers.txt")), "{raw}");
    assert_eq!(raw["facets"]["version"]["datasetVersion"].as_str().map(str::len), Some(64));
}

#[test]
fn a_cached_result_is_a_job_event_and_not_a_run_event() {
    let project = Project::new();
    project.run(&LINEAGE);
    project.run(&LINEAGE);
    let events = told(&project, 8);
    let jobs: Vec<&Value> = events.iter().filter(|event| event["run"].is_null()).collect();
    assert_eq!((jobs.len(), events.len()), (3, 5), "the file is appended to");
    for job in jobs {
        assert!(job["schemaURL"].as_str().is_some_and(|url| url.ends_with("/JobEvent")), "{job}");
        assert!(job["outputs"][0]["facets"]["version"]["datasetVersion"].is_string(), "{job}");
    }
}

#[test]
fn a_failure_is_recorded_with_its_message_and_fails_the_pipeline() {
    let project = Project::new();
    project.run_failing("worker_failed", &[&LINEAGE[..], &["--set", "double.times=13"]].concat());
    let events = told(&project, 0);
    let failed = of(&events, "chain.toy.small.double", "FAIL");
    let message = failed["run"]["facets"]["errorMessage"]["message"].as_str().expect("a message");
    assert!(message.contains("thirteen is unlucky"), "{message}");
    of(&events, "chain.toy.small", "FAIL");
    assert!(!events.iter().any(|event| event["job"]["name"] == "chain.toy.small.sum"));
}

#[test]
fn gathered_instances_are_each_read() {
    let project = Project::new();
    project.run(&[&["-p", "fan"], &LINEAGE[..]].concat());
    let events = told(&project, 0);
    let table = of(&events, "fan.toy.small.table", "COMPLETE");
    assert_eq!(table["inputs"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let project = Project::new();
    assert_output!(project.refused("io", &["run", "--lineage", "no/such/folder.ndjson"]));
    assert!(!project.exists("data/store/actions"), "the run is refused before any action starts");
    assert_output!(project.run_failing("io", &["--lineage", "/dev/full"]));
    assert_eq!(project.run(&[]).ran(), [""; 0], "the results are stored in spite of the error");
}
