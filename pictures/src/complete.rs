//! Checks that a file is complete, where the decoder of its format does not check this.

use crate::error::DecodeError;
use crate::format::Format;

/// Length of a PNG's signature, and of a chunk's length, name and checksum, in bytes.
const SIGNATURE: usize = 8;
const CHUNK: usize = 12;

/// Length of the header before the first chunk of a WebP file, in bytes.
const RIFF_HEADER: usize = 12;

/// Length of the shortest part that is searched for a second time, in bytes. Shorter parts can be equal by chance.
const SHORTEST_PART: usize = 16;

/// Checks that a PNG or a WebP is complete. Other formats are not checked here.
///
/// # Errors
/// Returns an error if bytes are missing or changed.
pub(crate) fn check(bytes: &[u8], format: Format) -> Result<(), DecodeError> {
    match format {
        Format::Png => png(bytes),
        Format::WebP => webp(bytes),
        Format::Jpeg | Format::Tiff => Ok(()),
    }
}

/// Checks the checksums of all chunks that determine what a viewer shows: transparency and rotation are in ancillary
/// ones. The decoder stops at the last pixel, so that it does not reach the checksum of the last chunk.
fn png(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut rest = &bytes[SIGNATURE..];
    while rest.len() >= CHUNK {
        let length = u32_at(rest, 0, true) as usize;
        let Some(data) = length.checked_add(8).and_then(|end| rest.get(4..end)) else { break };
        let Some(found) = rest.get(length + 8..length + CHUNK) else { break };
        let shown = data[0].is_ascii_uppercase() || data.starts_with(b"tRNS") || data.starts_with(b"eXIf");
        if shown && crc32fast::hash(data) != u32_at(found, 0, true) {
            let name = String::from_utf8_lossy(&data[..4]).into_owned();
            return damaged(format!("the checksum of a chunk {name:?} is wrong"));
        }
        if data == b"IEND" {
            return Ok(());
        }
        rest = &rest[length + CHUNK..];
    }
    damaged("the file is truncated".to_owned())
}

/// Bits of a pixel in a PNG: its decoder reports those of an expanded palette. The file has a complete header.
pub(crate) fn bits_of_png_pixel(bytes: &[u8]) -> u64 {
    let [depth, color] = [24, 25].map(|at| u64::from(bytes.get(at).copied().unwrap_or_default()));
    let samples = match color {
        2 => 3,
        4 => 2,
        6 => 4,
        // Grey, or an index into a palette.
        _ => 1,
    };
    (depth * samples).max(1)
}

/// Checks the length that the header declares. A byte that pads the data to an even length may be missing. Bytes after
/// this length are not part of the image, unless they show that a part was transferred twice.
fn webp(bytes: &[u8]) -> Result<(), DecodeError> {
    let (declared, found) = (u32_at(bytes, 4, false) as usize + 8, bytes.len());
    if found + 1 < declared {
        return damaged(format!("the file is truncated: it has {found} of {declared} bytes"));
    }
    let surplus = found.saturating_sub(declared);
    if surplus >= SHORTEST_PART && is_repeated(image_data(bytes), surplus) {
        return damaged(format!("the header declares {declared} bytes, but {surplus} bytes occur twice"));
    }
    Ok(())
}

/// Bytes of a WebP file from its image data on. If a part before it occurred twice, the decoder would not find it.
fn image_data(bytes: &[u8]) -> &[u8] {
    let mut rest = &bytes[RIFF_HEADER.min(bytes.len())..];
    while rest.len() >= 8
        && ![b"VP8 ", b"VP8L", b"ALPH", b"ANMF"].contains(&&[rest[0], rest[1], rest[2], rest[3]])
    {
        let length = u32_at(rest, 4, false) as usize;
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
    }
    rest
}

/// Returns true if a part of the bytes occurs twice, with `distance` bytes from one beginning to the other and at least
/// as long. Bytes that occur more than twice, such as zeros or padding, equal their neighbours without a transfer.
fn is_repeated(bytes: &[u8], distance: usize) -> bool {
    let last = bytes.len().saturating_sub(distance);
    let mut start = 0;
    for at in 0..=last {
        if at < last && bytes[at] == bytes[at + distance] {
            continue;
        }
        let occurs_twice = (distance..2 * distance).contains(&(at - start));
        if occurs_twice && !has_shorter_period(&bytes[start..at], distance) {
            return true;
        }
        start = at + 1;
    }
    false
}

/// Returns true if bytes with this period have a shorter one. It divides the given period, because the bytes are
/// followed by as many that repeat them (theorem of Fine and Wilf).
fn has_shorter_period(bytes: &[u8], period: usize) -> bool {
    let shorter = (1..=period / 2).filter(|shorter| period.is_multiple_of(*shorter));
    shorter.into_iter().any(|shorter| bytes[shorter..] == bytes[..bytes.len() - shorter])
}

/// Number in the four bytes at `at`.
fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
}

fn damaged(why: String) -> Result<(), DecodeError> {
    Err(DecodeError::Damaged(why))
}
