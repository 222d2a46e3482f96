//! Tables of codes for tests.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::Job;
use callsheet_worker::table::TableWriter;
use image::{Rgb, RgbImage};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::lib::columns::{batch, float32s, int32s, int64s, list, lists, schema, strings};
use crate::lib::pairs::{Encoded, Pair, pair_schema, rows};

/// An image with its code.
#[derive(Clone)]
pub(crate) struct Image {
    pub frame: i32,
    pub crop: i32,
    pub split: &'static str,
    pub code: [f32; 8],
    /// Colour of every pixel of B.
    pub colour: [u8; 3],
    pub cluster: Option<i32>,
}

impl Default for Image {
    fn default() -> Self {
        Self { frame: 0, crop: 0, split: "train", code: [0.0; 8], colour: [0; 3], cluster: None }
    }
}

impl Image {
    /// Id of its frame.
    pub(crate) fn frame_id(&self) -> String {
        format!("a.mp4#{:06}", self.frame)
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        format!("{}/c{}", self.frame_id(), self.crop)
    }
}

/// Tables of embeddings, pairs, clusters and factors.
pub(crate) struct Tables(TempDir);

impl Tables {
    /// Writes the tables of images in the order of their ids, and of frames 0, 1, .. with these modes and
    /// factors.
    pub(crate) fn write(images: &[Image], styles: &[(&str, [f32; 4])]) -> Self {
        let tables = Self(tempfile::tempdir().expect("a folder"));
        let ids: Vec<String> = images.iter().map(Image::id).collect();
        let codes = images.iter().flat_map(|image| image.code).collect();
        tables.put(
            "embeddings",
            schema(&[("image_id", DataType::Utf8), ("z", list())]),
            batch(vec![("image_id", strings(&ids)), ("z", lists(8, codes).expect("lists"))]),
        );
        let pair = |image: &Image| {
            let b = Encoded::new(&RgbImage::from_pixel(16, 8, Rgb(image.colour))).expect("encoded");
            let (image_id, frame_id, split) = (image.id(), image.frame_id(), image.split.to_owned());
            Pair {
                image_id,
                frame_id,
                crop: image.crop,
                split,
                time_s: 0.0,
                for_style: true,
                a: b.clone(),
                b,
            }
        };
        tables.put("pairs", pair_schema(), rows(images.iter().map(pair).collect()));
        let clusters = || images.iter().filter(|image| image.cluster.is_some());
        tables.put(
            "clusters",
            schema(&[("image_id", DataType::Utf8), ("cluster", DataType::Int32)]),
            batch(vec![
                ("image_id", strings(clusters().map(Image::id))),
                ("cluster", int32s(clusters().filter_map(|image| image.cluster))),
            ]),
        );
        let names = ["time_of_day", "cloud", "haze", "season"];
        let mut kinds = vec![("frame_index", DataType::Int64), ("mode", DataType::Utf8)];
        kinds.extend(names.map(|name| (name, DataType::Float32)));
        let mut columns = vec![
            ("frame_index", int64s(0..styles.len() as i64)),
            ("mode", strings(styles.iter().map(|(mode, _)| mode))),
        ];
        for (n, name) in names.into_iter().enumerate() {
            columns.push((name, float32s(styles.iter().map(|(_, factors)| factors[n]))));
        }
        tables.put("factors", schema(&kinds), batch(columns));
        tables
    }

    /// Writes another table.
    pub(crate) fn put(&self, name: &str, schema: Schema, rows: anyhow::Result<RecordBatch>) {
        let mut table = TableWriter::create(&self.path(name), schema, &Default::default()).expect("created");
        table.write(&rows.expect("rows")).expect("written");
        table.finish().expect("finished");
    }

    /// Path of a table or an output.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Job of a stage that is wired to these tables, with the defaults of its stage.toml except for `params`.
    pub(crate) fn job(&self, stage: &str, inputs: &[&str], outputs: &[&str], params: Value) -> Job {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(stage).join("stage.toml");
        let declared: Value =
            toml::from_str(&std::fs::read_to_string(path).expect("readable")).expect("TOML");
        let defaults = declared["params"].as_object().expect("parameters").iter();
        let mut all: Map<String, Value> = defaults.map(|(k, v)| (k.clone(), v["default"].clone())).collect();
        all.extend(params.as_object().expect("parameters").clone());
        let wired = |name: &&str| (name.to_string(), json!({ "paths": [self.path(name)], "names": [name] }));
        let made = |name: &&str| (name.to_string(), json!(self.path(name)));
        Job::of(json!({
            "stage": stage,
            "inputs": inputs.iter().map(wired).collect::<Map<_, _>>(),
            "params": all,
            "outputs": outputs.iter().map(made).collect::<Map<_, _>>(),
            "scratch": self.0.path(), "cpus": 1, "labels": [], "footer": {},
        }))
    }
}
