//! Rows of the table of frames.

use anyhow::Result;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::table::image_type;
use image::RgbImage;

use crate::lib::columns::{batch, float64s, images, int32s, int64s, schema, strings};

/// A frame that is wanted.
pub(super) struct Frame {
    /// Its key.
    pub id: String,
    /// Name of the file that it is in.
    pub file: String,
    /// Place in its video.
    pub position: usize,
    /// Presentation time in seconds.
    pub time_s: f64,
}

/// Frames of one video, or images of one folder, that are wanted, by their position in it.
pub(super) struct Wanted {
    pub video: String,
    pub damaged: bool,
    pub frames: Vec<Frame>,
}

/// A decoded frame by its place among the wanted ones of its video.
pub(super) type Decoded = (usize, RgbImage);

/// A frame as it is written.
pub(super) struct Encoded {
    /// Place among the wanted frames of its video.
    pub place: usize,
    pub width: u32,
    pub height: u32,
    pub png: Vec<u8>,
    /// Of its pixels.
    pub digest: String,
}

/// Frames of a video as rows.
///
/// # Errors
/// When they make no batch.
pub(super) fn rows(video: &Wanted, frames: Vec<Encoded>) -> Result<RecordBatch> {
    let of = || frames.iter().map(|frame| &video.frames[frame.place]);
    let files: Vec<String> = of().map(|frame| format!("{}.png", frame.id)).collect();
    let mut columns = vec![
        ("frame_id", strings(of().map(|frame| &frame.id))),
        ("video", strings(of().map(|_| &video.video))),
        ("frame_index", int64s(of().map(|frame| frame.position as i64))),
        ("time_s", float64s(of().map(|frame| frame.time_s))),
        ("width", int32s(frames.iter().map(|frame| frame.width as i32))),
        ("height", int32s(frames.iter().map(|frame| frame.height as i32))),
        ("content_digest", strings(frames.iter().map(|frame| &frame.digest))),
    ];
    let pngs: Vec<Vec<u8>> = frames.into_iter().map(|frame| frame.png).collect();
    columns.push(("image", images(&pngs, &files)?));
    batch(columns)
}

/// The columns of [`rows`].
pub(super) fn frame_schema() -> Schema {
    schema(&[
        ("frame_id", DataType::Utf8),
        ("video", DataType::Utf8),
        ("frame_index", DataType::Int64),
        ("time_s", DataType::Float64),
        ("width", DataType::Int32),
        ("height", DataType::Int32),
        ("content_digest", DataType::Utf8),
        ("image", image_type()),
    ])
}
