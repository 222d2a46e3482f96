//! Rows of a table of pairs, for all stages that write one.

use anyhow::Result;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::table::image_type;
use callsheet_worker::user_error;
use image::RgbImage;

use crate::lib::columns::{batch, bools, float64s, images, int32s, schema, strings};
use crate::lib::nn::generator::SIDE_MULTIPLE;
use crate::lib::picture::{content_digest, encode_png};

/// Checks that the generator can halve images with this side. 0 stands for images in their own size.
///
/// # Errors
/// Returns an error if the side is not a multiple of [`SIDE_MULTIPLE`].
pub(crate) fn check_side(side: u32) -> Result<()> {
    if side.is_multiple_of(SIDE_MULTIPLE as u32) {
        return Ok(());
    }
    Err(user_error(
        format!(
            "side = {side} is not a multiple of {SIDE_MULTIPLE}, but the generator halves images {} times",
            SIDE_MULTIPLE.ilog2()
        ),
        format!("set pair_images.side to a multiple of {SIDE_MULTIPLE}"),
    ))
}

/// An encoded picture.
#[derive(Clone)]
pub(crate) struct Encoded {
    png: Vec<u8>,
    /// Digest of the pixels.
    digest: String,
}

impl Encoded {
    /// Encodes a picture.
    ///
    /// # Errors
    /// Returns an error if the picture is empty.
    pub(crate) fn new(picture: &RgbImage) -> Result<Self> {
        Ok(Self { png: encode_png(picture)?, digest: content_digest(picture) })
    }
}

/// A row of the table: an image A of a scene, and an image B of the scene with its style.
pub(crate) struct Pair {
    pub image_id: String,
    pub frame_id: String,
    /// Index of the crop in the frame.
    pub crop: i32,
    pub split: String,
    /// Time of the frame in seconds.
    pub time_s: f64,
    /// True if its style features are computed.
    pub for_style: bool,
    pub a: Encoded,
    pub b: Encoded,
}

/// Converts pairs to rows.
///
/// # Errors
/// Returns an error if the columns do not form a batch.
pub(crate) fn rows(pairs: Vec<Pair>) -> Result<RecordBatch> {
    let names = |half: &str| pairs.iter().map(|pair| format!("{}.{half}.png", pair.image_id)).collect();
    let (a_names, b_names): (Vec<String>, Vec<String>) = (names("a"), names("b"));
    let mut columns = vec![
        ("image_id", strings(pairs.iter().map(|pair| &pair.image_id))),
        ("frame_id", strings(pairs.iter().map(|pair| &pair.frame_id))),
        ("crop", int32s(pairs.iter().map(|pair| pair.crop))),
        ("split", strings(pairs.iter().map(|pair| &pair.split))),
        ("time_s", float64s(pairs.iter().map(|pair| pair.time_s))),
        ("for_style", bools(pairs.iter().map(|pair| pair.for_style))),
        ("content_digest", strings(pairs.iter().map(|pair| &pair.b.digest))),
        ("a_digest", strings(pairs.iter().map(|pair| &pair.a.digest))),
    ];
    let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.a.png, pair.b.png)).unzip();
    columns.extend([("a", images(&a, &a_names)?), ("b", images(&b, &b_names)?)]);
    batch(columns)
}

/// Columns of [`rows`].
pub(crate) fn pair_schema() -> Schema {
    schema(&[
        ("image_id", DataType::Utf8),
        ("frame_id", DataType::Utf8),
        ("crop", DataType::Int32),
        ("split", DataType::Utf8),
        ("time_s", DataType::Float64),
        ("for_style", DataType::Boolean),
        ("content_digest", DataType::Utf8),
        ("a_digest", DataType::Utf8),
        ("a", image_type()),
        ("b", image_type()),
    ])
}
