//! Videos with ffmpeg as a child process: index, decoding, encoding.
//!
//! Nothing depends on the wording of ffmpeg's log. Packets and frames come from its muxer `framecrc`, and every
//! byte of the log at level `error` counts as damage.

mod decode;
mod encode;
mod framecrc;
mod index;
mod part;
mod parts;
mod payload;
mod ppm;
mod select;
mod suspects;
mod whole;

pub(crate) use decode::{Decoded, Decoding, decode};
pub(crate) use encode::{Encoder, Format, film};
pub(crate) use index::{Index, index, places};
pub(crate) use parts::intact_parts;
pub(crate) use select::expression;
pub(crate) use whole::{SAME_TIME, damage, damaged};

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

/// First line of ffmpeg's log without the names of components, such as `[h264 @ 0x55d1]`. Returns none if the
/// log has no error that concerns frames.
fn complaint(log: &[u8]) -> Option<String> {
    if log.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(log);
    let is_harmless = |line: &&str| HARMLESS.iter().any(|message| line.contains(message));
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
        assert_eq!(complaint(b""), None);
        assert_eq!(complaint(b"[mov @ 0x1] Referenced QT chapter track not found\n"), None);
        assert_eq!(complaint(b"\n[a @ 0x1] [b @ 0x2] no frame!\nmore").as_deref(), Some("no frame!"));
        assert_eq!(complaint(b"\xff[x\r").as_deref(), Some("\u{fffd}[x"));
        assert_eq!(complaint(b"\n").as_deref(), Some("an empty line"));
    }
}
