//! Videos with ffmpeg as a child process: index, decoding, encoding.

mod decode;
mod encode;
mod index;

pub(crate) use decode::{Decoded, Decoding, decode};
pub(crate) use encode::{Encoder, Format, film};
pub(crate) use index::{Index, index, places};

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
