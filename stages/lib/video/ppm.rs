//! Frames that ffmpeg writes to a pipe as PPM.

use std::io::{BufRead, BufReader, Read as _};
use std::process::ChildStdout;

use anyhow::{Context as _, Result, bail, ensure};
use image::RgbImage;

/// Reads one binary PPM with 8 bits per channel; `None` at the end of the stream.
///
/// # Errors
/// Returns an error if the stream ends within a frame, or is not PPM.
pub(super) fn read_ppm(stream: &mut BufReader<ChildStdout>) -> Result<Option<RgbImage>> {
    let mut header = String::new();
    for line in 0..3 {
        if stream.read_line(&mut header)? == 0 {
            ensure!(line == 0, "the header of the last frame is incomplete");
            return Ok(None);
        }
    }
    let fields: Vec<&str> = header.split_whitespace().collect();
    let [_, width, height, "255"] = fields[..] else { bail!("`{header}` is not a PPM header") };
    let (width, height): (u32, u32) = (width.parse()?, height.parse()?);
    let mut pixels = vec![0; width as usize * height as usize * 3];
    stream.read_exact(&mut pixels).context("the last frame is incomplete")?;
    RgbImage::from_raw(width, height, pixels).context("a frame has no size").map(Some)
}
