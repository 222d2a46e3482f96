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

/// Lines of ffmpeg's log that concern frames, without the names of components, such as `[h264 @ 0x55d1]`.
fn complaints(log: &[u8]) -> Vec<String> {
    if log.is_empty() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(log);
    let component = |line: &str| Some(line.strip_prefix('[')?.split_once(" @ ")?.0.to_owned());
    let is_harmless = |line: &&str| {
        HARMLESS.iter().any(|message| line.contains(message))
            || component(line).is_some_and(|name| SOUND.contains(&name.as_str()))
            || line.trim_start().starts_with("Last message repeated")
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return vec!["an empty line".to_owned()];
    }
    lines.into_iter().filter(|line| !is_harmless(line)).map(message).collect()
}

/// Message of a line of ffmpeg's log, without the names of components.
fn message(mut line: &str) -> String {
    while let Some((_, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
        line = rest;
    }
    line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn every_line_of_a_log_is_a_complaint_whatever_its_bytes() {
        assert!(complaints(b"").is_empty());
        assert!(complaints(b"[mov @ 0x1] Referenced QT chapter track not found\n").is_empty());
        assert_eq!(complaints(b"\n[a @ 0x1] [b @ 0x2] no frame!\nmore"), ["no frame!", "more"]);
        assert_eq!(complaints(b"\xff[x\r"), ["\u{fffd}[x"]);
        assert_eq!(complaints(b"\n"), ["an empty line"]);
    }

    #[test]
    fn errors_of_sound_are_not_about_frames() {
        let sound = "[mp2 @ 0x1] Header missing\n    Last message repeated 2 times\n";
        assert!(complaints(sound.as_bytes()).is_empty());
        let both = format!("{sound}[mpeg2video @ 0x2] ac-tex damaged\n");
        assert_eq!(complaints(both.as_bytes()), ["ac-tex damaged"]);
    }
}
