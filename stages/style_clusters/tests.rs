//! Tests on six images of three styles in two crops.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, ListArray};
use arrow::datatypes::Float32Type;
use callsheet_worker::Job;
use callsheet_worker::table::{TableWriter, read_columns};
use serde_json::json;

use super::run;
use crate::lib::columns::{Column, batch, int32s, read_float64s, read_int32s, schema_of, strings};

const IDS: [&str; 6] = ["a/c0", "a/c1", "b/c0", "b/c1", "c/c0", "c/c1"];
const CROPS: [i32; 6] = [0, 1, 0, 1, 0, 1];

/// Clusters images at these points of a line. Returns the cluster and the distance of each.
fn clustered(
    points: [f32; 6],
    ids: &[&str],
    crops: &[i32],
    standardize: bool,
) -> Result<(Vec<i32>, Vec<f64>)> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let row = |a: &f32| Some(points.map(|b| Some((a - b) * (a - b))));
    let distances: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(points.iter().map(row)));
    let split = vec!["train"; ids.len()];
    let pairs: Vec<Column> =
        vec![("image_id", strings(ids)), ("split", strings(split)), ("crop", int32s(crops.iter().copied()))];
    let tables =
        [("distances", vec![("image_id", strings(IDS)), ("distances", distances)]), ("pairs", pairs)];
    for (name, columns) in tables {
        let mut table = TableWriter::create(&at(name), schema_of(&columns), &Default::default())?;
        table.write(&batch(columns)?)?;
        table.finish()?;
    }
    let input = |name: &str| json!({ "paths": [at(name)], "names": [name] });
    run(&Job::of(json!({
        "stage": "style_clusters",
        "inputs": { "distances": input("distances"), "pairs": input("pairs") },
        "params": { "clusters": 3, "standardize_crops": standardize, "restarts": 4, "most_clusters": 1, "seed": 0 },
        "outputs": { "clusters": at("clusters"), "scores": at("scores") },
        "scratch": folder.path(), "cpus": 1, "labels": [], "footer": {},
    })))?;
    let rows = read_columns(&at("clusters"), &[])?;
    Ok((read_int32s(&rows, "cluster")?, read_float64s(&rows, "distance")?))
}

#[test]
fn clusters_follow_the_light_and_not_the_content_of_crops() {
    let points = [0.0, 100.0, 1.0, 120.0, 2.0, 140.0];
    let (clusters, distances) = clustered(points, &IDS, &CROPS, true).expect("clustered");
    assert_eq!(clusters, [0, 0, 1, 1, 2, 2]);
    assert!(distances.iter().all(|distance| *distance < 1e-6), "{distances:?}");
    let (clusters, _) = clustered(points, &IDS, &CROPS, false).expect("clustered");
    assert_eq!(clusters, [0, 1, 0, 2, 0, 2], "without standardization, crops form clusters");
}

#[test]
fn a_crop_of_images_that_are_alike_does_no_harm_unless_all_are() {
    let some = [0.0, 50.0, 1.0, 50.0, 2.0, 50.0];
    assert_eq!(clustered(some, &IDS, &CROPS, true).expect("clustered").0, [0, 1, 1, 1, 2, 1]);
    let all = [0.0, 50.0, 0.0, 50.0, 0.0, 50.0];
    let said = clustered(all, &IDS, &CROPS, true).expect_err("refused").to_string();
    assert_eq!(said, "images of the same crop do not differ in any of 2 crops");
    assert!(clustered(all, &IDS, &CROPS, false).is_ok());
}

#[test]
fn an_image_that_the_pairs_lack_is_named() {
    let said = clustered([0.0; 6], &IDS[..5], &CROPS[..5], true).expect_err("refused").to_string();
    assert!(said.starts_with("image `c/c1` has distances, but is not in "), "{said}");
}
