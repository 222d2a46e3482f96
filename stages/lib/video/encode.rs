//! Encoding of videos as H.264 or GIF.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use anyhow::{Context as _, Result};
use callsheet_worker::{Job, user_error};
use rayon::prelude::*;

use super::{cannot_start, ffmpeg};

const H264: &[&str] = &["-c:v", "libx264", "-preset", "medium", "-crf", "12", "-pix_fmt", "yuv420p"];
/// GIF with its own palette.
const GIF: &[&str] = &["-vf", "split[all][some];[some]palettegen[palette];[all][palette]paletteuse"];

/// Format of an encoded video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// H.264 in MP4.
    Mp4,
    /// GIF.
    Gif,
}

/// Encoder that writes RGB frames to a file, one after the other.
pub(crate) struct Encoder {
    child: Child,
    pipe: ChildStdin,
}

impl Encoder {
    /// Starts a file of `width` x `height` (even numbers) at `rate` frames per second.
    ///
    /// ffmpeg uses one thread, because the bytes of the file depend on the number of threads.
    ///
    /// # Errors
    /// Returns an error if ffmpeg cannot be started.
    pub(crate) fn create(
        path: &Path,
        format: Format,
        (width, height): (u32, u32),
        rate: u32,
    ) -> Result<Self> {
        let (codec, name): (&[&str], &str) = match format {
            Format::Mp4 => (H264, "mp4"),
            Format::Gif => (GIF, "gif"),
        };
        // The prefix makes ffmpeg read a name with a colon as a file name.
        let mut file = OsString::from("file:");
        file.push(path);
        let mut child = ffmpeg()
            .args(["-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"])
            .args(["-s", &format!("{width}x{height}"), "-r", &rate.to_string(), "-i", "-"])
            .args(codec)
            .args(["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-y"])
            .args(["-f", name])
            .arg(file)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_start(&error))?;
        let pipe = child.stdin.take().context("no input to ffmpeg")?;
        Ok(Self { child, pipe })
    }

    /// Adds a frame of width * height * 3 bytes.
    ///
    /// # Errors
    /// Returns an error if ffmpeg has ended. [`Self::finish`] then returns the reason.
    pub(crate) fn frame(&mut self, rgb: &[u8]) -> Result<()> {
        self.pipe.write_all(rgb).context("ffmpeg does not accept more frames")
    }

    /// Completes the file.
    ///
    /// # Errors
    /// Returns an error with ffmpeg's message if it failed.
    pub(crate) fn finish(self) -> Result<()> {
        drop(self.pipe);
        let output = self.child.wait_with_output().context("cannot wait for ffmpeg")?;
        if output.status.success() {
            return Ok(());
        }
        Err(user_error(
            format!("ffmpeg could not encode: {}", String::from_utf8_lossy(&output.stderr).trim()),
            "install an ffmpeg with libx264; `make setup` fetches one",
        ))
    }
}

/// Draws the `frames` of a film of `size` (even numbers) at `rate` frames per second on all threads, and
/// encodes them to the output `video`.
///
/// # Errors
/// Returns an error if ffmpeg or `draw` fails.
pub(crate) fn film(
    job: &Job,
    size: (u32, u32),
    rate: u32,
    frames: usize,
    draw: impl Fn(usize) -> Result<Vec<u8>> + Sync,
) -> Result<()> {
    let mut encoder = Encoder::create(job.output("video")?, Format::Mp4, size, rate)?;
    // Only as many frames as threads are in memory, because one takes 100 MB at the paper's size.
    let at_once = rayon::current_num_threads();
    for start in (0..frames).step_by(at_once) {
        let end = (start + at_once).min(frames);
        let drawn = (start..end).into_par_iter().map(&draw).collect::<Result<Vec<Vec<u8>>>>()?;
        if drawn.iter().try_for_each(|frame| encoder.frame(frame)).is_err() {
            break;
        }
        job.progress(end, frames, "frames");
    }
    // The encoder has the reason of a failure.
    encoder.finish()
}
