//! Decoding of videos. ffmpeg's filter graph selects and scales frames, which are read from a pipe.
//!
//! ffmpeg exits with code 0 for truncated and damaged files, and rescales silently if the size changes within
//! a video. Therefore a second output of the graph lists the time and size of every decoded frame before any
//! scaling, and every byte of the log counts as damage.

use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};
use image::RgbImage;
use tempfile::NamedTempFile;

use super::framecrc::{Entry, Listing, listing};
use super::part::Part;
use super::ppm::read_ppm;
use super::{cannot_start, complaints, ffmpeg};

/// Options of both outputs. Frames keep their own times and sizes. In the time base of a constant rate, frames
/// that are closer would get equal times.
const OUTPUT: [&str; 5] = ["-noautoscale", "-fps_mode", "passthrough", "-enc_time_base", "1/90000"];

/// Error of the H.264 decoder for a frame that unreferences an earlier frame, which was not decoded. It follows if a
/// part begins within an open group of pictures, and concerns no frame of the part.
const UNREFERENCE: &str = "mmco: unref short failure";

/// Number of bytes of the log that are kept.
const LOG: u64 = 1 << 16;

/// Selection and filters for the decoding of a video.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoding {
    /// Time in seconds at which to begin; `None` begins at the first frame.
    pub from: Option<f64>,
    /// Number of frames to read from there on; `None` reads all.
    pub frames: Option<usize>,
    /// Packets to give to the decoder; `None` gives all.
    pub part: Option<Part>,
    /// Decodes only frames that need no earlier frames (key frames).
    pub keys_only: bool,
    /// Times in seconds of all frames in order, for a container that stores no times.
    pub counted_times: Option<Vec<f64>>,
    /// Expression of ffmpeg's select filter that is not 0 for frames to return; empty returns all.
    pub select: String,
    /// Filters that come before decoded frames are listed.
    pub before: String,
    /// Number of frames over which brightness is averaged; 0 does not change it.
    pub deflicker: u32,
    /// Height to scale to in pixels, with the width in proportion; 0 keeps the size.
    pub height: u32,
    /// Continues after damage instead of stopping.
    pub tolerant: bool,
}

impl Decoding {
    /// Decodes every frame, and reduces it to a height of 16 pixels so that passing it on costs little.
    pub(crate) fn check() -> Self {
        Self { height: 16, ..Self::default() }
    }

    /// Selects the first frame, and frames that differ from the previous one by more than `threshold` (0..1).
    /// Only these are listed as decoded.
    pub(crate) fn scenes(threshold: f64) -> Self {
        let before = format!("scale=-2:180,select='eq(n,0)+gt(scene,{threshold})'");
        Self { before, tolerant: true, ..Self::check() }
    }

    /// Selects key frames by decoding all frames. Only key frames are listed as decoded.
    pub(crate) fn keys() -> Self {
        Self { before: "select='eq(key,1)'".to_owned(), tolerant: true, ..Self::check() }
    }

    /// Filter graph. It has the output `out` for pictures, and the outputs `width` and `height` for the list
    /// of frames: one row and one column of each frame in grey, so that the size of a packet in bytes is the
    /// width or height in pixels. Their filter `scale` keeps ffmpeg from converting all frames to grey before they are
    /// split, which it does after a seek.
    fn graph(&self) -> String {
        let mut graph = "[0:V:0]".to_owned();
        if self.counted_times.is_some() {
            // Times must increase, and the number restarts if the size changes.
            let start = if self.before.is_empty() { "if(isnan(STARTPTS),0,STARTPTS)" } else { "0" };
            graph += &format!("settb=1/90000,setpts='N+{start}',");
        }
        if !self.before.is_empty() {
            graph += &format!("{},", self.before);
        }
        if let Some(frames) = self.frames {
            graph += &format!("trim=end_frame={frames},");
        }
        graph += "split=3[row][column][all];[row]crop=iw:1:0:0:exact=1,scale,format=gray[width];\
                  [column]crop=1:ih:0:0:exact=1,scale,format=gray[height];[all]";
        if self.deflicker > 1 {
            graph += &format!("deflicker=size={},", self.deflicker);
        }
        if !self.select.is_empty() {
            graph += &format!("select='{}',", self.select);
        }
        if self.height > 0 {
            graph += &format!("scale=-2:{}:flags=bicubic+accurate_rnd,", self.height);
        }
        // Two frames may have one time, which the output of pictures does not take. The number restarts if the size
        // changes.
        graph + "settb=1/90000,setpts='N+if(isnan(STARTPTS),0,STARTPTS)'[out]"
    }

    /// Command of ffmpeg that writes the list of frames to the file `list`, and pictures to its output.
    fn command(&self, path: &Path, list: &Path) -> Command {
        let mut command = ffmpeg();
        // Checksums that the codec stores are checked.
        command.args([
            "-loglevel",
            "repeat+error",
            "-copyts",
            "-err_detect",
            "crccheck",
            "-an",
            "-sn",
            "-dn",
        ]);
        if !self.tolerant {
            // Without this option, frames that the decoder knows to be wrong are only a warning.
            command.arg("-xerror");
        }
        if self.keys_only {
            command.args(["-skip_frame", "nokey"]);
        }
        if let Some(from) = self.from {
            // Times are those of the container, as without this option.
            command.args(["-seek_timestamp", "1", "-ss", &format!("{from:.6}")]);
        }
        if self.part.is_some() {
            // With several threads, it depends on their timing which frames a decoder marks as corrupt.
            command.args(["-threads", "1", "-i", "pipe:0"])
        } else {
            command.arg("-i").arg(path)
        };
        let mut file = OsString::from("file:");
        file.push(list);
        command.args(["-filter_complex", &self.graph(), "-map", "[width]", "-map", "[height]"]);
        command.args(OUTPUT).args(["-c:v", "rawvideo", "-f", "framecrc", "-y"]).arg(file);
        command.args(["-map", "[out]"]).args(OUTPUT);
        command.args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"]);
        command
    }

    /// Times and sizes in a list of frames.
    fn frames(&self, list: &Listing) -> Vec<(f64, (u32, u32))> {
        let of = |stream| list.entries.iter().filter(move |entry| entry.stream == stream);
        let time = |position: usize, ticks: i64| match &self.counted_times {
            Some(times) => {
                let number = if self.before.is_empty() { position } else { ticks as usize };
                times.get(number).copied().unwrap_or(f64::INFINITY)
            }
            None => ticks as f64 * list.unit,
        };
        let frames = of(0).zip(of(1)).enumerate();
        let size = |(row, column): (&Entry, &Entry)| (row.size as u32, column.size as u32);
        frames.map(|(n, pair)| (time(n, pair.0.shown.unwrap_or_default()), size(pair))).collect()
    }
}

/// Result of decoding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    /// Time in seconds and size in pixels of every decoded frame, selected or not.
    pub frames: Vec<(f64, (u32, u32))>,
    /// Complaints of ffmpeg in its own words; empty if it ended without an error.
    pub(super) complaints: Vec<String>,
}

impl Decoded {
    /// First complaint of ffmpeg.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.complaints.first().map(String::as_str)
    }

    /// First complaint that concerns a frame of the part that was decoded.
    pub(crate) fn damage_of(&self, part: &Part) -> Option<&str> {
        let concerns = |complaint: &&String| !part.after_hidden || !complaint.contains(UNREFERENCE);
        self.complaints.iter().find(concerns).map(String::as_str)
    }
}

/// Decodes the first video stream, and calls `each` with every selected frame in order.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started, or `each` fails.
pub(crate) fn decode(
    path: &Path,
    how: &Decoding,
    mut each: impl FnMut(RgbImage) -> Result<()>,
) -> Result<Decoded> {
    let list = NamedTempFile::new().context("cannot create a temporary file for the list of frames")?;
    let mut command = how.command(path, list.path());
    let mut packets = None;
    if let Some(part) = &how.part {
        let mut reader = part.reader(path).spawn().map_err(|error| cannot_start(&error))?;
        command.stdin(reader.stdout.take().context("no output from ffmpeg")?);
        packets = Some(reader);
    }
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // The command holds the pipe to the reader of packets, which would wait for it.
    drop(command);
    let mut child = spawned.map_err(|error| cannot_start(&error))?;
    let log = child.stderr.take().context("no log from ffmpeg")?;
    let listener = thread::spawn(move || beginning(log));
    let result = pictures(&mut child, &mut each);
    let status = child.wait().context("cannot wait for ffmpeg")?;
    if let Some(mut packets) = packets {
        packets.wait().context("cannot wait for ffmpeg")?;
    }
    let Ok(log) = listener.join() else { bail!("the reader of ffmpeg's log failed") };
    let broken = result?;
    let list = listing(&std::fs::read(list.path()).context("cannot read the list of frames")?);
    let exit = (!status.success()).then(|| status.to_string());
    let complaints = complaints(&log?).into_iter().chain(exit).chain(broken).collect();
    Ok(Decoded { frames: how.frames(&list), complaints })
}

/// Passes the pictures to `each`. Returns the reason if they end within a picture, because ffmpeg failed. Closes
/// the pipe at the end, which ends ffmpeg if more pictures would follow.
fn pictures(child: &mut Child, each: &mut impl FnMut(RgbImage) -> Result<()>) -> Result<Option<String>> {
    let stream = child.stdout.take().context("no output from ffmpeg")?;
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    loop {
        match read_ppm(&mut stream) {
            Ok(Some(picture)) => each(picture)?,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(format!("{error:#}"))),
        }
    }
}

/// Reads a log to its end, and returns its beginning.
fn beginning(mut log: impl Read) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    log.by_ref().take(LOG).read_to_end(&mut kept)?;
    std::io::copy(&mut log, &mut std::io::sink())?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_from_two_streams() {
        let text =
            b"#tb 0: 1/90000\n0, 0, 3600, 1, 64, 0x1\n1, 0, 3600, 1, 32, 0x1\n0, 1, 7200, 1, 64, 0x1\n";
        assert_eq!(Decoding::default().frames(&listing(text)), [(0.04, (64, 32))]);
        let text = b"#tb 0: 1/90000\n0, 0, 1, 1, 64, 0x1\n1, 0, 1, 1, 32, 0x1\n";
        let counted = Decoding { counted_times: Some(vec![0.0, 0.5]), ..Decoding::default() };
        assert_eq!(counted.frames(&listing(text)), [(0.0, (64, 32))]);
        let selected = Decoding { counted_times: Some(vec![0.0, 0.5]), ..Decoding::keys() };
        assert_eq!(selected.frames(&listing(text)), [(0.5, (64, 32))]);
    }
}
