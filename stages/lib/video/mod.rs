//! Video by ffmpeg, as a child process: what a file contains, decoding, encoding.

mod decode;
mod encode;
mod index;

pub(crate) use decode::{Decoded, Decoding, decode};
pub(crate) use encode::{Encoder, Format, film};
pub(crate) use index::{Index, index, places};

use std::process::{Command, Stdio};

use callsheet_worker::refusal;

/// An ffmpeg command that asks nothing and reads no terminal. What it opens are files: a playlist
/// that plays a video's part can make it fetch nothing.
fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-protocol_whitelist", "file,pipe,fd"]).stdin(Stdio::null());
    command
}

fn cannot_start(error: &std::io::Error) -> anyhow::Error {
    refusal(format!("cannot start ffmpeg: {error}"), "run `make setup`, or install ffmpeg")
}
