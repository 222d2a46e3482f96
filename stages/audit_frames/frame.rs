//! Frames with their measures.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::read_batches;

use crate::lib::columns::{read_float64s, read_int32s, read_int64s, read_strings, read_vectors};

/// Number of rows that are read at once.
const BATCH: usize = 4096;

/// Measures of a frame, about 2 KB. The columns of `measure_frames` describe them.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub frame_id: String,
    pub video: String,
    pub time_s: f64,
    /// Width times height.
    pub pixels: f64,
    pub content_digest: String,
    pub sharpness: f64,
    pub black_share: f64,
    pub clipped_low_share: f64,
    pub clipped_high_share: f64,
    pub perceptual_hash: u64,
    pub features: Vec<f32>,
}

/// Reads a table of measures, in the order of videos and times.
///
/// # Errors
/// Returns an error if the table cannot be read, or lacks a column of measures.
pub(super) fn read_frames(path: &Path) -> Result<Vec<Frame>> {
    let columns = [
        "frame_id",
        "video",
        "time_s",
        "width",
        "height",
        "content_digest",
        "sharpness",
        "black_share",
        "clipped_low_share",
        "clipped_high_share",
        "perceptual_hash",
        "features",
    ];
    let mut frames: Vec<Frame> = Vec::new();
    read_batches(path, &columns, BATCH, |rows| -> Result<()> {
        let text = |name| Ok::<_, anyhow::Error>(read_strings(&rows, name)?.into_iter());
        let (mut ids, mut videos) = (text("frame_id")?, text("video")?);
        let mut digests = text("content_digest")?;
        let number = |name| read_float64s(&rows, name);
        let (times, sharpness, black) = (number("time_s")?, number("sharpness")?, number("black_share")?);
        let (low, high) = (number("clipped_low_share")?, number("clipped_high_share")?);
        let (widths, heights) = (read_int32s(&rows, "width")?, read_int32s(&rows, "height")?);
        let hashes = read_int64s(&rows, "perceptual_hash")?;
        let features = read_vectors(&rows, "features")?;
        let width = features.len() / rows.num_rows().max(1);
        for row in 0..rows.num_rows() {
            frames.push(Frame {
                frame_id: ids.next().unwrap_or_default(),
                video: videos.next().unwrap_or_default(),
                time_s: times[row],
                pixels: f64::from(widths[row]) * f64::from(heights[row]),
                content_digest: digests.next().unwrap_or_default(),
                sharpness: sharpness[row],
                black_share: black[row],
                clipped_low_share: low[row],
                clipped_high_share: high[row],
                perceptual_hash: hashes[row].cast_unsigned(),
                features: features[row * width..][..width].to_vec(),
            });
        }
        Ok(())
    })?;
    frames.sort_by(|a, b| {
        a.video.cmp(&b.video).then(a.time_s.total_cmp(&b.time_s)).then_with(|| a.frame_id.cmp(&b.frame_id))
    });
    Ok(frames)
}
