//! Decoding of videos. ffmpeg's filter graph selects and scales frames, which are read from a pipe.
//!
//! ffmpeg exits with code 0 for truncated and damaged files, and rescales silently if the size changes within
//! a video. Therefore its log is read, too. The log lists every decoded frame with time and size, before any
//! scaling, and marks errors.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};
use image::RgbImage;

use super::{cannot_start, ffmpeg};

/// Selection and filters for the decoding of a video.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoding {
    /// Time in seconds at which to begin; `None` begins at the first frame.
    pub from: Option<f64>,
    /// Number of frames to read from there on; `None` reads all.
    pub frames: Option<usize>,
    /// Decodes only frames that need no earlier frames (key frames).
    pub keys_only: bool,
    /// Expression of ffmpeg's select filter that is not 0 for frames to return; empty returns all.
    pub select: String,
    /// Filters that come before decoded frames are listed.
    pub before: String,
    /// Number of frames over which brightness is averaged; 0 does not change it.
    pub deflicker: u32,
    /// Height to scale to in pixels, with the width in proportion; 0 keeps the size.
    pub height: u32,
    /// Leaves out damaged frames instead of concealing the damage.
    pub skip_damaged: bool,
}

impl Decoding {
    /// Selects the first frame, and frames that differ from the previous one by more than `threshold` (0..1).
    /// Only these are listed as decoded.
    pub(crate) fn scenes(threshold: f64) -> Self {
        let before = format!("scale=-2:180,select='eq(n,0)+gt(scene,{threshold})'");
        Self { before, height: 16, ..Self::default() }
    }

    /// Filters for frames, in order.
    fn filters(&self) -> Vec<String> {
        let mut filters = vec!["showinfo=checksum=0".to_owned()];
        if let Some(frames) = self.frames {
            filters.insert(0, format!("trim=end_frame={frames}"));
        }
        if !self.before.is_empty() {
            filters.insert(0, self.before.clone());
        }
        if self.deflicker > 1 {
            filters.push(format!("deflicker=size={}", self.deflicker));
        }
        if !self.select.is_empty() {
            filters.push(format!("select='{}'", self.select));
        }
        if self.height > 0 {
            filters.push(format!("scale=-2:{}:flags=bicubic+accurate_rnd", self.height));
        }
        filters
    }

    /// Command of ffmpeg with the options before the input.
    fn command(&self) -> Command {
        let mut command = ffmpeg();
        command.args(["-loglevel", "level+info", "-copyts"]);
        if self.skip_damaged {
            // With frame threads, ffmpeg 9.0 does not exit after an error if `explode` is set.
            command.args(["-err_detect", "explode", "-threads", "1"]);
        }
        if self.keys_only {
            command.args(["-skip_frame", "nokey"]);
        }
        if let Some(from) = self.from {
            // Times are those of the container, as without this option.
            command.args(["-seek_timestamp", "1", "-ss", &format!("{from:.6}")]);
        }
        command
    }
}

/// Report of ffmpeg about what it decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    /// Time in seconds and size in pixels of every decoded frame, selected or not.
    pub frames: Vec<(f64, (u32, u32))>,
    /// Errors in the wording of ffmpeg.
    pub errors: Vec<String>,
    /// True if ffmpeg exited with code 0.
    pub success: bool,
}

/// Decodes the first video stream, and calls `each` with every selected frame in order.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started, its output ends within a frame, or `each` fails.
pub(crate) fn decode(
    path: &Path,
    how: &Decoding,
    mut each: impl FnMut(RgbImage) -> Result<()>,
) -> Result<Decoded> {
    let mut command = how.command();
    let mut child = command
        .arg("-i")
        .arg(path)
        .args(["-map", "0:V:0", "-vf", &how.filters().join(","), "-fps_mode", "passthrough"])
        // In the time base of a constant rate, frames that are closer would get equal times.
        .args(["-enc_time_base", "1/90000", "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(&error))?;
    let log = child.stderr.take().context("no log from ffmpeg")?;
    let listener = thread::spawn(move || listen(BufReader::new(log)));
    let mut pictures =
        BufReader::with_capacity(1 << 20, child.stdout.take().context("no output from ffmpeg")?);
    let result = loop {
        match read_ppm(&mut pictures) {
            Ok(Some(picture)) => {
                if let Err(error) = each(picture) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.context(format!("`{}`: broken output of ffmpeg", path.display()))),
        }
    };
    // Closing the pipe ends ffmpeg if its output is no longer read.
    drop(pictures);
    let status = child.wait().context("cannot wait for ffmpeg")?;
    let Ok(mut decoded) = listener.join() else { bail!("the reader of ffmpeg's log failed") };
    result?;
    decoded.success = status.success();
    Ok(decoded)
}

/// Reads one binary PPM with 8 bits per channel; `None` at the end of the stream.
fn read_ppm(stream: &mut BufReader<ChildStdout>) -> Result<Option<RgbImage>> {
    let mut header = String::new();
    for line in 0..3 {
        if stream.read_line(&mut header)? == 0 {
            anyhow::ensure!(line == 0, "the header of the last frame is incomplete");
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

fn listen(log: impl BufRead) -> Decoded {
    let mut decoded = Decoded::default();
    for line in log.lines().map_while(Result::ok) {
        if line.contains("showinfo") {
            decoded.frames.extend(shown_frame(&line));
        } else if line.contains("[error]") || line.contains("[fatal]") {
            decoded.errors.push(line.rsplit("] ").next().unwrap_or(&line).to_owned());
        }
    }
    decoded
}

/// Time and size in a line such as `.. n:   3 pts:  300 pts_time:0.3 .. s:1472x192 ..`.
fn shown_frame(line: &str) -> Option<(f64, (u32, u32))> {
    let field = |name: &str| {
        let rest = line.split_once(name)?.1.trim_start();
        Some(rest.split_whitespace().next().unwrap_or_default())
    };
    let time = field(" pts_time:")?.parse().ok()?;
    let (width, height) = field(" s:")?.split_once('x')?;
    Some((time, (width.parse().ok()?, height.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_errors_are_read_from_the_log() {
        let log = "[Parsed_showinfo_0 @ 0x1] [info] n:   0 pts:      0 pts_time:0.04    duration:1 fmt:yuv420p s:64x32 i:P\n\
                   [h264 @ 0x2] [error] error while decoding MB 3 4\n\
                   [out#0 @ 0x3] [info] video:1kB\n";
        let decoded = listen(log.as_bytes());
        assert_eq!(decoded.frames, [(0.04, (64, 32))]);
        assert_eq!(decoded.errors, ["error while decoding MB 3 4"]);
    }
}
