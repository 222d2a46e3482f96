//! Videos with ffmpeg as a child process: index, decoding, encoding.
//!
//! Nothing depends on the wording of ffmpeg's log. Packets and frames come from its muxer `framecrc`, and every
//! byte of the log at level `error` counts as damage.

mod decode;
mod encode;
mod framecrc;
mod index;
mod length;
mod missing_times;
mod part;
mod parts;
mod payload;
mod ppm;
mod select;
mod suspects;
mod whole;

pub(crate) use decode::{Decoded, Decoding, decode};
pub(crate) use encode::{Encoder, Format, film};
pub(crate) use index::{Index, SAME_TIME, index, places};
pub(crate) use part::Part;
pub(crate) use parts::{intact_parts, shown_part};
pub(crate) use select::expression;
pub(crate) use suspects::pauses;
pub(crate) use whole::{damage, damage_of_shown, damaged};

use std::process::{Command, Stdio};

use callsheet_worker::user_error;

/// Creates an ffmpeg command that asks no questions and does not read the terminal. It opens only files,
/// because a playlist in place of a video could make it fetch addresses.
fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-protocol_whitelist", "file,pipe,fd"]).stdin(Stdio::null());
    command
}

fn cannot_start(error: &std::io::Error) -> anyhow::Error {
    user_error(format!("cannot start ffmpeg: {error}"), "run `make setup`, or install ffmpeg")
}

/// Errors of ffmpeg that do not concern frames.
const HARMLESS: [&str; 1] = ["Referenced QT chapter track not found"];

/// Decoders of sound, which ffmpeg tries at the beginning of every file.
const SOUND: [&str; 14] = [
    "aac", "aac_latm", "ac3", "alac", "dca", "eac3", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus",
    "truehd", "vorbis",
];

/// Error of the H.264 decoder for a frame that releases an earlier frame, which was not decoded. It follows if a
/// part begins within an open group of pictures, and concerns no frame of the part.
const RELEASE: &str = "mmco: unref short failure";

/// First line of ffmpeg's log that concerns frames, without the names of components, such as `[h264 @ 0x55d1]`.
/// Returns none if the log has no such line. `harmless` is a further message that does not concern frames.
fn complaint(log: &[u8], harmless: Option<&str>) -> Option<String> {
    if log.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(log);
    let component = |line: &str| Some(line.strip_prefix('[')?.split_once(" @ ")?.0.to_owned());
    let is_harmless = |line: &&str| {
        HARMLESS.iter().copied().chain(harmless).any(|message| line.contains(message))
            || component(line).is_some_and(|name| SOUND.contains(&name.as_str()))
            || line.trim_start().starts_with("Last message repeated")
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    if lines.peek().is_some() && lines.clone().all(|line| is_harmless(&line)) {
        return None;
    }
    let mut line = lines.find(|line| !is_harmless(line)).unwrap_or("an empty line");
    while let Some((_, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
        line = rest;
    }
    Some(line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn the_first_line_of_a_log_is_the_complaint_whatever_its_bytes() {
        let complaint_of = |log: &[u8]| complaint(log, None);
        assert_eq!(complaint_of(b""), None);
        assert_eq!(complaint_of(b"[mov @ 0x1] Referenced QT chapter track not found\n"), None);
        assert_eq!(complaint_of(b"\n[a @ 0x1] [b @ 0x2] no frame!\nmore").as_deref(), Some("no frame!"));
        assert_eq!(complaint_of(b"\xff[x\r").as_deref(), Some("\u{fffd}[x"));
        assert_eq!(complaint_of(b"\n").as_deref(), Some("an empty line"));
    }

    #[test]
    fn errors_of_sound_are_not_about_frames() {
        let sound = "[mp2 @ 0x1] Header missing\n    Last message repeated 2 times\n";
        assert_eq!(complaint(sound.as_bytes(), None), None);
        let both = format!("{sound}[mpeg2video @ 0x2] ac-tex damaged\n");
        assert_eq!(complaint(both.as_bytes(), None).as_deref(), Some("ac-tex damaged"));
        let release = b"[h264 @ 0x1] mmco: unref short failure\n";
        assert!(complaint(release, None).is_some() && complaint(release, Some(super::RELEASE)).is_none());
    }
}
