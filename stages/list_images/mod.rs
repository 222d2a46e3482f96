//! List of the images to cut from frames.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use callsheet_worker::curation::Verdict;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::lib::columns::{
    batch, bools, float64s, int32s, read_float64s, read_int32s, read_strings, schema, strings,
};
use crate::lib::picture::auto_crops;
use crate::lib::splits::{choose, drawn};
use crate::lib::verdicts::verdicts;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    exclude: Vec<String>,
    crops: u32,
    window: usize,
    val_fraction: f64,
    max_style_images: usize,
    seed: i64,
}

/// Frame from which images are cut.
struct Frame {
    id: String,
    video: String,
    time_s: f64,
    /// Width and height in pixels.
    size: (i32, i32),
    digest: String,
    split: &'static str,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if frames differ in size, a split would be empty, or a verdict refers to an unknown
/// frame.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    if params.window.is_multiple_of(2) {
        return Err(user_error(
            format!("window = {} is even, so there is no middle frame", params.window),
            "set list_images.window to an odd number",
        ));
    }
    let path = job.input("frames")?;
    let mut frames = read(path, params.val_fraction)?;
    let verdicts = verdicts(job, &frames.iter().map(|frame| frame.id.as_str()).collect())?;
    let faulty = faulty(job, &params.exclude)?;
    frames.retain(|frame| match verdicts.get(&frame.id) {
        Some(verdict) => *verdict == Verdict::Include,
        None => !faulty.contains(&frame.id),
    });
    let crops = crops(&frames, &params)?;
    for wanted in ["train", "val"] {
        if !frames.iter().any(|frame| frame.split == wanted) {
            let (total, share) = (frames.len(), params.val_fraction);
            return Err(user_error(
                format!(
                    "no frame is in the split `{wanted}` with val_fraction = {share}; number of frames: \
                     {total}"
                ),
                "use more frames, or change list_images.val_fraction",
            ));
        }
    }
    let mut table = job.table("images", images_schema())?;
    for rows in list(&frames, crops, &params).chunks(1024) {
        table.write(&images(rows)?)?;
    }
    Ok(table.finish()?)
}

/// Frames with one of these findings.
fn faulty(job: &Job, findings: &[String]) -> Result<BTreeSet<String>> {
    if findings.is_empty() {
        return Ok(BTreeSet::new());
    }
    let path = job.optional("findings").ok_or_else(|| {
        user_error(
            format!("exclude = [{}], but the input `findings` is not wired", findings.join(", ")),
            "wire it: inputs.findings = \"audit_frames.findings\"",
        )
    })?;
    let rows = read_columns(path, &["frame_id", "finding"])?;
    let listed = read_strings(&rows, "frame_id")?.into_iter().zip(read_strings(&rows, "finding")?);
    let faulty: BTreeSet<String> =
        listed.filter(|(_, finding)| findings.contains(finding)).map(|(id, _)| id).collect();
    if !faulty.is_empty() {
        job.info(format!("{} frames are left out because of their findings", faulty.len()));
    }
    Ok(faulty)
}

/// Reads the frames, sorted by video and time.
fn read(path: &Path, val_fraction: f64) -> Result<Vec<Frame>> {
    let rows = read_columns(path, &["frame_id", "video", "time_s", "width", "height", "content_digest"])?;
    let (ids, videos) = (read_strings(&rows, "frame_id")?, read_strings(&rows, "video")?);
    let (times, digests) = (read_float64s(&rows, "time_s")?, read_strings(&rows, "content_digest")?);
    let sizes = read_int32s(&rows, "width")?.into_iter().zip(read_int32s(&rows, "height")?);
    let mut frames = Vec::with_capacity(ids.len());
    let named = ids.into_iter().zip(videos).zip(sizes);
    for (((id, video), size), (time_s, digest)) in named.zip(times.into_iter().zip(digests)) {
        frames.push(Frame { split: drawn(&id, val_fraction), id, video, time_s, size, digest });
    }
    frames.sort_by(|a, b| a.video.cmp(&b.video).then(a.time_s.total_cmp(&b.time_s)).then(a.id.cmp(&b.id)));
    Ok(frames)
}

/// Returns the number of crops of each frame.
fn crops(frames: &[Frame], params: &Params) -> Result<u32> {
    let Some((width, height)) = frames.first().map(|frame| frame.size) else {
        return Err(user_error(
            "there is no frame",
            "check the videos, list_frames, and the excluded frames",
        ));
    };
    if let Some(Frame { id, size, .. }) = frames.iter().find(|frame| frame.size != (width, height)) {
        return Err(user_error(
            format!(
                "frame `{id}` has {}x{} pixels, but the first frame has {width}x{height}",
                size.0, size.1
            ),
            "scale all videos or images to one size; if their aspect ratios are equal, set \
             extract_frames.height",
        ));
    }
    let crops = if params.crops == 0 { auto_crops(width as u32, height as u32) } else { params.crops };
    if crops > width as u32 {
        return Err(user_error(
            format!("{crops} crops do not fit into a picture {width} pixels wide"),
            "lower list_images.crops, or set it to 0 for as many square crops as fit",
        ));
    }
    Ok(crops)
}

/// One row of the table.
struct Image<'a> {
    id: String,
    frame: &'a Frame,
    crop: u32,
    crops: u32,
    for_style: bool,
    /// Frames of the video around the image's frame.
    window: &'a [Frame],
}

/// Lists the images of all frames.
fn list<'a>(frames: &'a [Frame], crops: u32, params: &Params) -> Vec<Image<'a>> {
    let mut images = Vec::with_capacity(frames.len() * crops as usize);
    for video in frames.chunk_by(|a, b| a.video == b.video) {
        for (at, frame) in video.iter().enumerate() {
            let half = params.window / 2;
            let window = &video[at.saturating_sub(half)..video.len().min(at + half + 1)];
            let image = |crop| Image {
                id: format!("{}/c{crop}", frame.id),
                frame,
                crop,
                crops,
                for_style: true,
                window,
            };
            images.extend((0..crops).map(image));
        }
    }
    let training = images.iter().filter(|image| image.frame.split == "train");
    let ids: Vec<String> = training.map(|image| image.id.clone()).collect();
    let chosen = choose(ids.iter().map(String::as_str), params.max_style_images, params.seed);
    for image in images.iter_mut().filter(|image| image.frame.split == "train") {
        image.for_style = chosen.contains(image.id.as_str());
    }
    images
}

fn images(rows: &[Image]) -> Result<arrow::record_batch::RecordBatch> {
    let digest = |image: &Image| {
        let mut hasher = blake3::Hasher::new();
        image.window.iter().for_each(|frame| _ = hasher.update(frame.digest.as_bytes()));
        hasher.finalize().to_hex().to_string()
    };
    let windows = rows.iter().flat_map(|image| image.window.iter().map(|frame| frame.id.as_str()));
    let windows: ArrayRef = Arc::new(StringArray::from_iter_values(windows));
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|image| image.window.len()));
    let element = Arc::new(Field::new("element", DataType::Utf8, false));
    let windows = ListArray::try_new(element, offsets, windows, None)?;
    batch(vec![
        ("image_id", strings(rows.iter().map(|image| &image.id))),
        ("frame_id", strings(rows.iter().map(|image| &image.frame.id))),
        ("crop", int32s(rows.iter().map(|image| image.crop as i32))),
        ("crops", int32s(rows.iter().map(|image| image.crops as i32))),
        ("split", strings(rows.iter().map(|image| image.frame.split))),
        ("time_s", float64s(rows.iter().map(|image| image.frame.time_s))),
        ("for_style", bools(rows.iter().map(|image| image.for_style))),
        ("frame_digest", strings(rows.iter().map(|image| &image.frame.digest))),
        ("window_ids", Arc::new(windows)),
        ("window_digest", strings(rows.iter().map(digest))),
    ])
}

fn images_schema() -> arrow::datatypes::Schema {
    schema(&[
        ("image_id", DataType::Utf8),
        ("frame_id", DataType::Utf8),
        ("crop", DataType::Int32),
        ("crops", DataType::Int32),
        ("split", DataType::Utf8),
        ("time_s", DataType::Float64),
        ("for_style", DataType::Boolean),
        ("frame_digest", DataType::Utf8),
        ("window_ids", DataType::List(Arc::new(Field::new("element", DataType::Utf8, false)))),
        ("window_digest", DataType::Utf8),
    ])
}
