//! Rows of the table of frames.

use anyhow::Result;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::table::image_type;
use image::RgbImage;

use crate::lib::columns::{batch, float64s, images, int32s, int64s, schema, strings};

/// A frame to extract.
pub(super) struct Frame {
    /// Key of the frame.
    pub id: String,
    /// Name of the file that contains the frame.
    pub file: String,
    /// Position in its video.
    pub position: usize,
    /// Presentation time in seconds.
    pub time_s: f64,
}

/// Frames of one video, or images of one folder, to extract, in the order of their positions.
pub(super) struct SelectedFrames {
    pub video: String,
    pub damaged: bool,
    pub frames: Vec<Frame>,
}

/// A decoded frame, with its place among the frames to extract from its video.
pub(super) type Decoded = (usize, RgbImage);

/// An encoded frame, ready to be written.
pub(super) struct Encoded {
    /// Place among the frames to extract from its video.
    pub place: usize,
    pub width: u32,
    pub height: u32,
    pub png: Vec<u8>,
    /// Digest of the pixels.
    pub digest: String,
}

/// Converts frames of a video to rows.
///
/// # Errors
/// Returns an error if the columns do not form a batch.
pub(super) fn rows(video: &SelectedFrames, frames: Vec<Encoded>) -> Result<RecordBatch> {
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

/// Returns the columns of [`rows`].
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
