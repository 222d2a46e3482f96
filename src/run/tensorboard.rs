//! TensorBoard event files with the metrics and images of workers.
//!
//! A file is a sequence of TFRecords (length, checksum of the length, bytes, checksum of the bytes). Each
//! contains an `Event` message (tensorflow/core/util/event.proto and framework/summary.proto). The structs
//! here declare only the fields in use.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use callsheet_worker::protocol::WorkerEvent;
use prost::Message;

use crate::event::Event;

#[derive(Message)]
struct Record {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, tag = "3")]
    file_version: String,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
}

#[derive(Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

/// File version in the first record of a file.
const VERSION: &str = "brain.Event:2";
/// Value of `colorspace` for RGB.
const RGB: i32 = 3;

/// Writer of event files in the folder of a run, one file for each stage.
pub(super) struct TensorBoard {
    run: PathBuf,
    files: BTreeMap<String, BufWriter<File>>,
}

impl TensorBoard {
    /// Returns a writer for the run in folder `run`; the first metric or image of a stage creates its file.
    pub(super) fn new(run: PathBuf) -> Self {
        Self { run, files: BTreeMap::new() }
    }

    /// Writes a metric or an image, which is in the file after [`Self::flush`]. Ignores other events.
    ///
    /// # Errors
    /// Returns an error if the disk is full, or an image cannot be read.
    pub(super) fn tell(&mut self, event: &Event) -> Result<()> {
        let Event::Worker { stage, said } = event else { return Ok(()) };
        let (tag, step, simple_value, image) = match said {
            WorkerEvent::Metric { name, step, value } => (name, step, Some(*value as f32), None),
            WorkerEvent::Image { name, step, path } => (name, step, None, Some(self.image(path)?)),
            _ => return Ok(()),
        };
        let value = Value { tag: tag.clone(), simple_value, image };
        let record = Record {
            wall_time: now(),
            step: *step as i64,
            file_version: String::new(),
            summary: Some(Summary { value: vec![value] }),
        };
        write(self.file(stage)?, &record)
    }

    /// Writes buffered records to the files.
    ///
    /// # Errors
    /// Returns an error if the disk is full.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.files.values_mut().try_for_each(Write::flush)
    }

    fn image(&self, path: &Path) -> Result<Image> {
        let path = self.run.join(path);
        let (width, height) = image::image_dimensions(&path).map_err(std::io::Error::other)?;
        let (width, height) = (width as i32, height as i32);
        Ok(Image { height, width, colorspace: RGB, encoded_image_string: fs::read(path)? })
    }

    fn file(&mut self, stage: &str) -> Result<&mut BufWriter<File>> {
        if !self.files.contains_key(stage) {
            let folder = self.run.join("tensorboard").join(stage);
            fs::create_dir_all(&folder)?;
            // TensorBoard recognizes its files by `tfevents` in their names, and sorts them by time.
            let name = format!("events.out.tfevents.{:010}.callsheet", now() as u64);
            let mut file = BufWriter::new(File::create(folder.join(name))?);
            let first = Record { wall_time: now(), step: 0, file_version: VERSION.to_owned(), summary: None };
            write(&mut file, &first)?;
            self.files.insert(stage.to_owned(), file);
        }
        Ok(self.files.get_mut(stage).expect("it was inserted"))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn write(file: &mut impl Write, record: &Record) -> Result<()> {
    let bytes = record.encode_to_vec();
    let length = (bytes.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked(&length).to_le_bytes())?;
    file.write_all(&bytes)?;
    file.write_all(&masked(&bytes).to_le_bytes())
}

/// Masked CRC-32C of TFRecords: rotated by 15 bits, plus a constant.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
