//! Tests on tables of four images of two frames.

use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use callsheet_worker::Job;
use callsheet_worker::table::{TableWriter, read_columns};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::run;
use crate::lib::columns::{
    batch, float64s, int32s, read_float64s, read_int32s, read_strings, schema, strings,
};
use crate::lib::metrics::columns;

const IDS: [&str; 4] = ["a/c0", "a/c1", "b/c0", "b/c1"];

/// Contents in which the tables of the tests differ.
struct Measured<'a> {
    ids: &'a [&'a str],
    psnr: [f64; 4],
    distance: f64,
    side: i32,
    name: &'a str,
}

const PLAIN: Measured = Measured { ids: &IDS, psnr: [20.0; 4], distance: 0.5, side: 64, name: "LPIPS" };

fn write(path: &Path, measured: &Measured) {
    let count = measured.ids.len();
    let all = |value: f64| float64s(vec![value; count]);
    let rows = batch(vec![
        ("image_id", strings(measured.ids)),
        ("psnr", float64s(measured.psnr[..count].to_vec())),
        ("ssim", all(0.5)),
        ("l1", all(3.0)),
        ("perceptual", all(0.1)),
        ("distance", all(measured.distance)),
        ("side", int32s(vec![measured.side; count])),
        ("distance_name", strings(vec![measured.name; count])),
        ("distance_weights", strings(vec!["somewhere"; count])),
    ]);
    let mut table = TableWriter::create(path, columns(), &Default::default()).expect("created");
    table.write(&rows.expect("rows")).expect("written");
    table.finish().expect("finished");
}

/// Runs the stage on tables of `frozen`, each with the values over which it was fanned out, and on published
/// figures if the folder contains any. Returns the path of the result.
fn compared(folder: &TempDir, tables: &[(Value, Measured)]) -> anyhow::Result<PathBuf> {
    let at = |name: &str| folder.path().join(name);
    let mut pairs = TableWriter::create(
        &at("pairs"),
        schema(&[("image_id", DataType::Utf8), ("frame_id", DataType::Utf8)]),
        &Default::default(),
    )?;
    pairs.write(&batch(vec![("image_id", strings(IDS)), ("frame_id", strings(["a", "a", "b", "b"]))])?)?;
    pairs.finish()?;
    let paths: Vec<PathBuf> = (0..tables.len()).map(|n| at(&format!("table-{n}"))).collect();
    paths.iter().zip(tables).for_each(|(path, (_, measured))| write(path, measured));
    let values: Vec<&Value> = tables.iter().map(|(values, _)| values).collect();
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let mut inputs = json!({
        "pairs": { "paths": [at("pairs")], "names": ["pairs"] },
        "frozen": { "paths": paths, "names": names, "values": values },
    });
    if at("published").exists() {
        inputs["published"] = json!({ "paths": [at("published")], "names": ["published"] });
    }
    run(&Job::of(json!({
        "stage": "compare_methods",
        "inputs": inputs,
        "params": { "resamples": 200, "seed": 0 },
        "outputs": { "comparison": at("comparison") },
        "scratch": folder.path(), "cpus": 1, "labels": [], "footer": {},
    })))?;
    Ok(at("comparison"))
}

#[test]
fn seeds_are_repetitions_of_one_method_and_identical_images_are_counted_and_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let seed = |objective: &str, seed: i64| json!({ "objective": objective, "seed": seed });
    let tables = [
        (seed("b", 0), Measured { psnr: [20.0, 22.0, f64::INFINITY, 24.0], ..PLAIN }),
        (seed("b", 1), Measured { psnr: [30.0; 4], ..PLAIN }),
        (seed("a", 0), Measured { psnr: [f64::INFINITY; 4], ..PLAIN }),
    ];
    let rows = read_columns(&compared(&folder, &tables).expect("compared"), &[]).expect("a table");
    assert_eq!(read_strings(&rows, "method").expect("names"), ["a", "b"]);
    assert_eq!(read_int32s(&rows, "repetitions").expect("counts"), [1, 2]);
    assert_eq!(read_int32s(&rows, "identical").expect("counts"), [4, 1]);
    let psnr = read_float64s(&rows, "psnr").expect("means");
    assert_eq!(psnr[0], f64::INFINITY);
    assert!((psnr[1] - (20.0 + 22.0 + 24.0 + 4.0 * 30.0) / 7.0).abs() < 1e-12);
    let deviations = read_float64s(&rows, "psnr_deviation").expect("deviations");
    // The deviation is that of the means 22 and 30.
    assert!(deviations[0].is_nan() && (deviations[1] - 32f64.sqrt()).abs() < 1e-12, "{deviations:?}");
    assert_eq!(read_strings(&rows, "term_perceptual").expect("terms"), ["", ""], "no objective is wired");
}

#[test]
fn measurements_that_differ_between_methods_or_repetitions_are_refused() {
    let method = |seed: i64| json!({ "objective": "a", "seed": seed });
    for (other, wanted) in [
        (Measured { ids: &IDS[..3], ..PLAIN }, "were measured on different images"),
        (
            Measured { side: 32, ..PLAIN },
            "(a, encoder frozen) was measured on 64 pixels, (a, encoder frozen) on 32",
        ),
        (Measured { name: "vgg16 feature distance", ..PLAIN }, "by vgg16 feature distance; somewhere"),
        (
            Measured { distance: f64::NAN, ..PLAIN },
            "distance of a/c0 by the method (a, encoder frozen) is NaN in",
        ),
        (
            Measured { distance: f64::INFINITY, ..PLAIN },
            "distance of a/c0 by the method (a, encoder frozen) is inf",
        ),
        (Measured { psnr: [20.0, f64::NAN, 1.0, 1.0], ..PLAIN }, "psnr of a/c1 by the method"),
        (Measured { ids: &[], ..PLAIN }, "nothing was measured for the method (a, encoder frozen)"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let error =
            compared(&folder, &[(method(0), PLAIN), (method(1), other)]).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert!(
        compared(&folder, &[]).expect_err("nothing").to_string().contains("there is no method to compare")
    );
}

#[test]
fn published_figures_are_listed_next_to_measurements_of_their_method() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = r#"
        [[published]]
        method = "b"
        training = "encoder frozen"
        psnr = 21.5
        distance = { value = 0.25, name = "LPIPS" }
        source = "table 1"
    "#;
    std::fs::write(folder.path().join("published"), published).expect("written");
    let tables = [(json!({ "objective": "a" }), PLAIN), (json!({ "objective": "b" }), PLAIN)];
    let rows = read_columns(&compared(&folder, &tables).expect("compared"), &[]).expect("a table");
    for (column, wanted) in [("psnr_published", 21.5), ("distance_published", 0.25)] {
        let found = read_float64s(&rows, column).expect("figures");
        assert!(found[0].is_nan() && found[1] == wanted, "{column}: {found:?}");
    }
    assert_eq!(read_strings(&rows, "published_in").expect("sources"), ["", "table 1"]);
    assert_eq!(read_float64s(&rows, "psnr").expect("means"), [20.0; 2]);

    for (figures, wanted) in [
        (
            published.replace("\"b\"", "\"c\""),
            "no method `c` with training = \"encoder frozen\" was measured",
        ),
        (
            published.replace("encoder frozen", "frozen"),
            "no method `b` with training = \"frozen\" was measured",
        ),
        (published.replace("LPIPS", "L2"), "the published distance is L2, the measured one is LPIPS"),
        (published.replace("21.5", "nan"), "`table 1` has no figure, or one that is not a finite number"),
        (published.repeat(2), "figures of (b, encoder frozen) are given twice"),
        (published.replace("source", "sources"), "unknown field `sources`"),
        (published.replace("21.5", "\"high\""), "invalid type: string \"high\""),
    ] {
        std::fs::write(folder.path().join("published"), figures).expect("written");
        let error = format!("{:#}", compared(&folder, &tables).expect_err(wanted));
        assert!(error.contains(wanted) && error.contains("published`: "), "{error}");
    }
}
