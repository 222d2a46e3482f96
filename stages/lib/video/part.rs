//! Part of a video that is decoded alone.

use std::path::Path;
use std::process::{Command, Stdio};

use super::missing_times::has_filled_times;
use super::{Index, expression, ffmpeg};

/// Packets that the decoder gets, and the frames that it returns for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// Positions of the returned frames in the video, in the order of presentation; none for a frame that is
    /// not used.
    pub positions: Vec<Option<usize>>,
    /// True if only frames that an edit list hides come before the part.
    pub after_hidden: bool,
    /// Expression for the packets among those of the stream.
    packets: String,
    /// True if the packets have no times of presentation.
    timeless: bool,
    /// True if ffmpeg must fill in times of presentation, as for the index.
    filled: bool,
    /// Container in which the packets are passed to the decoder, and its options. It must keep the rotation,
    /// which Matroska does only from ffmpeg 6.1 on; mov supports few codecs.
    container: &'static [&'static str],
}

impl Part {
    /// Part with these packets, which are ascending. Of its frames, those are used for which `uses` is true.
    /// Returns none if the packets are scattered too widely for an expression.
    pub(super) fn of(index: &Index, packets: &[usize], uses: impl Fn(usize) -> bool) -> Option<Self> {
        let mut frames: Vec<usize> =
            packets.iter().copied().filter(|packet| index.packets[*packet].returns_frame).collect();
        frames.sort_by(|a, b| index.packets[*a].time.total_cmp(&index.packets[*b].time));
        let position = |packet: &usize| index.packets[*packet].position.filter(|_| uses(*packet));
        Some(Self {
            positions: frames.iter().map(position).collect(),
            after_hidden: false,
            packets: expression(packets)?,
            timeless: index.numbered,
            filled: has_filled_times(&index.codec),
            container: match index.codec.as_str() {
                "h264" | "hevc" => &["-f", "mov", "-movflags", "frag_keyframe+empty_moov"],
                _ => &["-f", "matroska"],
            },
        })
    }

    /// Command of ffmpeg that writes the packets to its output.
    pub(super) fn reader(&self, path: &Path) -> Command {
        let mut filter = format!("noise=drop='not({})'", self.packets);
        if self.timeless {
            filter += ",setts=pts=DTS";
        }
        let mut command = ffmpeg();
        if self.filled {
            command.args(["-fflags", "+genpts"]);
        }
        command.args(["-loglevel", "quiet", "-an", "-sn", "-dn", "-i"]).arg(path);
        command.args(["-map", "0:V:0", "-c", "copy", "-copyts", "-bsf:v", &filter]);
        command.args(self.container).arg("-").stdout(Stdio::piped());
        command
    }
}
