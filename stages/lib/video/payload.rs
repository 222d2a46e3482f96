//! Checks of the bytes of packets that need no decoder.

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};

use super::{cannot_start, ffmpeg};

/// Property of a packet's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Payload {
    /// True if the packet's frame is only a reference for later frames and is never shown.
    pub reference_only: bool,
    /// True if a part of the packet was overwritten with zeros.
    pub zeroed: bool,
}

/// Number of successive zero bytes that coded data never contains.
const ZEROS: usize = 64;

/// True for codecs whose data never contain long runs of zeros: H.264 and HEVC escape them, and the other
/// codecs code arithmetically. An incomplete download often has zeros in place of the missing parts, and
/// decoders accept them.
fn is_checked(codec: &str) -> bool {
    matches!(codec, "h264" | "hevc" | "vp8" | "vp9" | "av1")
}

/// Reads the packets of the first video stream, whose sizes in bytes are known.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started, or delivers fewer bytes than before.
pub(super) fn payloads(path: &Path, codec: &str, sizes: &[usize]) -> Result<Vec<Payload>> {
    if !is_checked(codec) {
        return Ok(vec![Payload::default(); sizes.len()]);
    }
    let mut child = ffmpeg()
        .args(["-loglevel", "quiet", "-an", "-sn", "-dn", "-i"])
        .arg(path)
        .args(["-map", "0:V:0", "-c", "copy", "-copyts", "-f", "data", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(&error))?;
    let mut stream = BufReader::with_capacity(1 << 20, child.stdout.take().context("no output from ffmpeg")?);
    let mut payloads: Vec<Payload> = Vec::with_capacity(sizes.len());
    let mut read = || -> Result<()> {
        let (mut packet, mut zeros_before) = (Vec::new(), 0);
        for size in sizes {
            packet.resize(*size, 0);
            stream.read_exact(&mut packet)?;
            let zeros = zeros(&packet);
            if zeros.first >= ZEROS && zeros_before >= ZEROS {
                payloads.last_mut().into_iter().for_each(|before| before.zeroed = true);
            }
            let reference_only = reference_only(codec, &packet);
            payloads.push(Payload { reference_only, zeroed: zeros.first.max(zeros.inner) >= ZEROS });
            zeros_before = zeros.last;
        }
        Ok(())
    };
    let result = read();
    drop(stream);
    child.wait().context("cannot wait for ffmpeg")?;
    result.with_context(|| format!("`{}` changed while it was read", path.display()))?;
    Ok(payloads)
}

/// Lengths of runs of zero bytes in a packet.
struct Zeros {
    /// Length of the run that the packet begins with.
    first: usize,
    /// Length of the longest run between other bytes.
    inner: usize,
    /// Length of the run at the end. Some encoders append zeros as padding.
    last: usize,
}

fn zeros(packet: &[u8]) -> Zeros {
    let mut zeros = Zeros { first: packet.len(), inner: 0, last: 0 };
    let mut end = None;
    for (position, _) in packet.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        match end {
            None => zeros.first = position,
            Some(end) => zeros.inner = zeros.inner.max(position - end),
        }
        end = Some(position + 1);
    }
    zeros.last = packet.len() - end.unwrap_or_default();
    zeros
}

/// Reads the bit of a VP8 or VP9 frame header that marks mere references. Of VP9, a superframe
/// contains exactly one frame that is shown.
fn reference_only(codec: &str, packet: &[u8]) -> bool {
    let (Some(first), Some(last)) = (packet.first(), packet.last()) else { return false };
    match codec {
        "vp8" => first & 0x10 == 0,
        "vp9" => {
            let superframe = last & 0xe0 == 0xc0;
            // Of profile 3, one reserved bit precedes the flags.
            let flags = if first & 0x30 == 0x30 { first << 1 } else { *first };
            let (shows_existing, is_shown) = (flags & 0x08 != 0, flags & 0x02 != 0);
            !superframe && !shows_existing && !is_shown
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_within_a_packet_are_damage_and_padding_is_not() {
        let packet = [vec![0; 3], vec![1], vec![0; 70], vec![1, 1], vec![0; 5]].concat();
        let Zeros { first, inner, last } = zeros(&packet);
        assert_eq!((first, inner, last), (3, 70, 5));
        let Zeros { first, inner, last } = zeros(&[0; 8]);
        assert_eq!((first, inner, last), (8, 0, 8));
    }

    #[test]
    fn references_are_distinguished_from_frames_that_are_shown() {
        assert!(reference_only("vp8", &[0x00, 1]) && !reference_only("vp8", &[0x10, 1]));
        // Frame marker 2, profile 0: existing frame, frame type, shown.
        assert!(reference_only("vp9", &[0x84, 1]) && !reference_only("vp9", &[0x86, 1]));
        assert!(!reference_only("vp9", &[0x88, 1]) && !reference_only("vp9", &[0x84, 0xc1]));
        assert!(!reference_only("h264", &[0]) && !reference_only("vp8", &[]));
    }
}
