//! Whole and damaged files of every format.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage};
use mozjpeg::{ColorSpace, Compress};

use crate::complete::bits_of_png_pixel;
use crate::limits::check;
use crate::{DecodeError, Format, decode};

/// A picture with noise, so that every part of its file matters.
fn noise() -> RgbImage {
    let mut state = 1u32;
    RgbImage::from_fn(120, 88, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(x * 2) as u8, (y * 2) as u8, (state >> 24) as u8])
    })
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    noise().write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// A progressive JPEG with halved chroma.
fn progressive() -> Vec<u8> {
    let mut encoder = Compress::new(ColorSpace::JCS_RGB);
    encoder.set_size(120, 88);
    encoder.set_quality(90.0);
    encoder.set_chroma_sampling_pixel_sizes((2, 2), (2, 2));
    encoder.set_progressive_mode();
    let mut encoder = encoder.start_compress(Vec::new()).expect("started");
    encoder.write_scanlines(noise().as_raw()).expect("written");
    encoder.finish().expect("encoded")
}

fn baseline() -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder.write_image(noise().as_raw(), 120, 88, ExtendedColorType::Rgb8).expect("encoded");
    bytes
}

/// Files of all formats; the flag is true if the format has checksums or codes in which damage shows.
fn files() -> [(&'static str, bool, Vec<u8>); 5] {
    [
        ("png", true, encoded(ImageFormat::Png)),
        ("jpeg", true, baseline()),
        ("progressive", true, progressive()),
        ("webp", false, encoded(ImageFormat::WebP)),
        ("tiff", false, encoded(ImageFormat::Tiff)),
    ]
}

fn pixels(bytes: &[u8]) -> RgbImage {
    decode(bytes).expect("a whole file").0
}

#[test]
fn whole_files_of_every_format_are_decoded() {
    let wanted = noise();
    for (name, _, bytes) in files() {
        let found = pixels(&bytes);
        let apart = found.as_raw().iter().zip(wanted.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = apart.sum::<u64>() as f64 / found.as_raw().len() as f64;
        assert!(mean < if name == "progressive" || name == "jpeg" { 30.0 } else { 1e-9 }, "{name}: {mean}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for (name, _, bytes) in files() {
        for length in (0..bytes.len()).step_by(7).chain(bytes.len().saturating_sub(9)..bytes.len() - 1) {
            assert!(decode(&bytes[..length]).is_err(), "{name}, cut to {length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_file_whose_transfer_was_resumed_at_the_wrong_place_is_refused() {
    for (name, _, bytes) in files() {
        for (end, begin) in [(60, 50), (50, 60), (40, 39), (80, 20)] {
            let at = |percent: usize| bytes.len() * percent / 100;
            let resumed = [&bytes[..at(end)], &bytes[at(begin)..]].concat();
            assert!(decode(&resumed).is_err(), "{name}: to {end} %, then from {begin} %");
        }
    }
}

#[test]
fn a_jpeg_that_is_closed_early_is_refused() {
    for bytes in [baseline(), progressive()] {
        for percent in [40, 60, 90] {
            let closed = [&bytes[..bytes.len() * percent / 100], &[0xff, 0xd9]].concat();
            assert!(matches!(decode(&closed), Err(DecodeError::Damaged(_))), "{percent} %");
        }
    }
}

#[test]
fn a_jpeg_with_stray_bytes_before_its_end_marker_is_read() {
    for bytes in [baseline(), progressive()] {
        let end = bytes.len() - 2;
        let wanted = pixels(&bytes);
        for stray in [&b"\0"[..], b"\x12\x34\x56\x78", b"0123456789abcdef", &[0; 700], &[0x20; 4096]] {
            let found = pixels(&[&bytes[..end], stray, &bytes[end..]].concat());
            assert!(found == wanted, "{} stray bytes", stray.len());
        }
        let part = [&bytes[..end], &bytes[end - 400..]].concat();
        assert!(matches!(decode(&part), Err(DecodeError::Damaged(_))), "a part that occurs twice");
        let mut zeroed = bytes.clone();
        zeroed[end - 600..end].fill(0);
        assert!(decode(&zeroed).is_err(), "zeros up to the end marker");
    }
}

#[test]
fn bytes_after_a_webp_are_ignored_unless_a_part_of_the_file_occurs_twice() {
    let bytes = encoded(ImageFormat::WebP);
    let wanted = pixels(&bytes);
    for surplus in [&b"\n"[..], b"0123456789abcdef0", &[0; 4096], &bytes[..20]] {
        let found = pixels(&[&bytes[..], surplus].concat());
        assert!(found == wanted, "{} surplus bytes", surplus.len());
    }
    let half = bytes.len() / 2;
    let error = decode(&[&bytes[..half], &bytes[half - 64..]].concat()).expect_err("refused").to_string();
    assert!(error.contains("64 bytes occur twice"), "{error}");
}

#[test]
fn equal_neighbours_in_the_metadata_of_a_webp_are_not_a_part_that_occurs_twice() {
    let chunk = |name: &[u8], data: &[u8]| {
        let padding = &[0][..data.len() % 2];
        [name, &(data.len() as u32).to_le_bytes(), data, padding].concat()
    };
    // Three equal curves of 40 bytes with zeros in a colour profile, and the padding of XMP: spaces and line breaks.
    let profile = [[&b"para"[..], &[0; 32], b"1234"].concat().repeat(3), vec![0; 200]].concat();
    let xmp = [b"<x/>".to_vec(), [vec![b' '; 99], vec![b'\n']].concat().repeat(20)].concat();
    let header = [0x24, 0, 0, 0, 119, 0, 0, 87, 0, 0];
    let image = encoded(ImageFormat::WebP);
    let chunks =
        [chunk(b"VP8X", &header), chunk(b"ICCP", &profile), image[12..].to_vec(), chunk(b"XMP ", &xmp)];
    let whole = chunk(b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat());
    let wanted = pixels(&whole);
    for surplus in [16, 40, 44, 100, 128, 300] {
        let found = pixels(&[&whole[..], &vec![b'#'; surplus]].concat());
        assert!(found == wanted, "{surplus} surplus bytes");
    }
}

#[test]
fn zeros_in_the_middle_are_refused_where_the_format_shows_them() {
    for (name, shows, bytes) in files() {
        for (percent, length) in [(30, 64), (50, 512), (60, 2048)] {
            let at = bytes.len() * percent / 100;
            let mut zeroed = bytes.clone();
            zeroed[at..bytes.len().min(at + length)].fill(0);
            assert!(!shows || decode(&zeroed).is_err(), "{name}: {length} bytes at {percent} %");
        }
    }
}

#[test]
fn a_changed_byte_of_a_png_never_changes_the_picture() {
    let whole = encoded(ImageFormat::Png);
    let picture = pixels(&whole);
    for at in (0..whole.len()).step_by(5) {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        assert!(decode(&changed).is_err() || pixels(&changed) == picture, "byte {at}");
    }
}

#[test]
fn a_flat_mask_may_be_small_and_a_checksum_covers_transparency_and_rotation() {
    let header = |depth: u8, color: u8| [&[0; 24][..], &[depth, color]].concat();
    let bits = [(1, 0), (1, 3), (8, 3), (8, 2), (16, 6)]
        .map(|(depth, color)| bits_of_png_pixel(&header(depth, color)));
    assert_eq!(bits, [1, 1, 8, 24, 64]);
    check((3000, 3000), Format::Png, 1, 1173).expect("a mask of one colour");
    check((3000, 3000), Format::Png, 24, 1173).expect_err("too short for colours");
    let whole = encoded(ImageFormat::Png);
    for name in [b"tRNS", b"eXIf"] {
        let after_header = 8 + 25;
        let chunk = [&4_u32.to_be_bytes()[..], name, &[0; 4], &[1; 4]].concat();
        let bytes = [&whole[..after_header], &chunk, &whole[after_header..]].concat();
        assert!(matches!(decode(&bytes), Err(DecodeError::Damaged(_))), "{name:?}");
    }
}

#[test]
fn no_changed_byte_makes_a_decoder_panic() {
    for (name, _, bytes) in files() {
        for at in (0..bytes.len()).step_by(11) {
            let mut changed = bytes.clone();
            changed[at] = changed[at].wrapping_add(0x81);
            let decoded = std::panic::catch_unwind(|| decode(&changed).is_ok());
            assert!(decoded.is_ok(), "{name}: byte {at}");
        }
    }
}

#[test]
fn scans_of_single_components_with_halved_chroma_give_the_right_colours() {
    let picture = pixels(include_bytes!("../../tests/fixtures/images/scans.jpg"));
    for (x, _, Rgb(found)) in picture.enumerate_pixels().filter(|(x, ..)| x.abs_diff(32) > 4) {
        let wanted = if x < 32 { [0, 80, 200] } else { [200, 80, 0] };
        assert!(found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 8), "{found:?} at {x}");
    }
}

#[test]
fn a_photograph_of_108_megapixels_is_read() {
    let (width, height) = (12_000, 9_000);
    let mut bytes = Vec::new();
    let flat = vec![90; width as usize * height as usize];
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 50);
    encoder.write_image(&flat, width, height, ExtendedColorType::L8).expect("encoded");
    let (picture, traits) = decode(&bytes).expect("read");
    assert_eq!((picture.dimensions(), traits.grey), ((width, height), true));
}

#[test]
fn a_small_file_that_declares_many_pixels_is_refused_before_memory_is_allocated() {
    let mut bomb = baseline();
    let frame = bomb.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a header");
    bomb[frame + 5..frame + 9].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    let error = decode(&bomb).expect_err("too few bytes").to_string();
    assert!(error.contains("declares 10000x10000 pixels, but the file has only"), "{error}");
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_eq!(decode(&bomb).expect_err("too large"), DecodeError::TooLarge(60_000, 60_000));
}

#[test]
fn further_pages_and_orientations_are_noticed() {
    let mut pages = encoded(ImageFormat::Tiff);
    assert!(!decode(&pages).expect("read").1.several);
    // The second page is a copy of the first.
    let first = u32::from_le_bytes([pages[4], pages[5], pages[6], pages[7]]) as usize;
    let entries = usize::from(u16::from_le_bytes([pages[first], pages[first + 1]]));
    let next = first + 2 + entries * 12;
    let copy = pages[first..next].to_vec();
    let end = pages.len() as u32;
    pages[next..next + 4].copy_from_slice(&end.to_le_bytes());
    pages.extend(copy);
    pages.extend([0; 4]);
    assert!(decode(&pages).expect("read").1.several);
}
