//! TIFF files with a palette, and with colours that are multiplied by alpha. The expected pixels are Pillow's.

use image::{Rgb, RgbImage};

use crate::{DecodeError, Traits, decode};

/// A file with the tags `tags`, whose values are short integers. The samples are at byte 8.
fn file(width: u16, height: u16, big_endian: bool, tags: &[(u16, &[u16])], samples: &[u8]) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long =
        |value: usize| if big_endian { (value as u32).to_be_bytes() } else { (value as u32).to_le_bytes() };
    let length = samples.len() as u16;
    let common: [(u16, &[u16]); 4] = [(256, &[width]), (257, &[height]), (273, &[8]), (279, &[length])];
    let mut tags = [&common[..], tags].concat();
    tags.sort_unstable();
    let mut bytes = [if big_endian { b"MM\0*" } else { b"II*\0" }, &[0; 4], samples].concat();
    let mut directory = short(tags.len() as u16).to_vec();
    for (tag, values) in tags {
        let mut packed: Vec<u8> = values.iter().flat_map(|value| short(*value)).collect();
        directory.extend([short(tag), short(3)].concat());
        directory.extend(long(values.len()));
        if packed.len() > 4 {
            directory.extend(long(bytes.len()));
            bytes.append(&mut packed);
        } else {
            packed.resize(4, 0);
            directory.extend(packed);
        }
    }
    let start = long(bytes.len());
    bytes[4..8].copy_from_slice(&start);
    [bytes, directory, vec![0; 4]].concat()
}

/// Tags of a file with a palette of indices of `bits` bits: index `n` has the colour `(n, 2 n, 255 - n)`.
fn palette(bits: u16) -> Vec<u16> {
    let channel = |color: fn(u16) -> u16| (0..1 << bits).map(move |index| color(index) << 8 | 7);
    channel(|n| n).chain(channel(|n| 2 * n % 256)).chain(channel(|n| 255 - n)).collect()
}

fn color(index: u8) -> Rgb<u8> {
    Rgb([index, index.wrapping_mul(2), 255 - index])
}

#[test]
fn the_colours_of_a_palette_are_read_for_every_size_of_its_indices() {
    for big_endian in [false, true] {
        // Rows of five indices end with unused bits.
        for (bits, samples, indices) in [
            (8, &[0, 9, 200, 255, 3, 1, 2, 3, 4, 5][..], [0, 9, 200, 255, 3, 1, 2, 3, 4, 5]),
            (4, &[0x0f, 0x91, 0x20, 0x12, 0x34, 0x50], [0, 15, 9, 1, 2, 1, 2, 3, 4, 5]),
            (2, &[0b0011_0110, 0b1100_0000, 0b1110_0100, 0], [0, 3, 1, 2, 3, 3, 2, 1, 0, 0]),
            (1, &[0b0101_1000, 0b1110_0000], [0, 1, 0, 1, 1, 1, 1, 1, 0, 0]),
        ] {
            let colors = palette(bits);
            let tags: [(u16, &[u16]); 3] = [(258, &[bits]), (262, &[3]), (320, &colors)];
            let (found, traits) = decode(&file(5, 2, big_endian, &tags, samples)).expect("read");
            let wanted = RgbImage::from_fn(5, 2, |x, y| color(indices[(y * 5 + x) as usize]));
            assert_eq!((found, traits), (wanted, Traits::default()), "{bits} bits");
        }
    }
}

#[test]
fn a_palette_may_have_alpha_and_an_orientation() {
    let colors = palette(8);
    let tags: [(u16, &[u16]); 6] =
        [(258, &[8, 8]), (262, &[3]), (274, &[3]), (277, &[2]), (320, &colors), (338, &[2])];
    let (found, traits) = decode(&file(2, 1, false, &tags, &[10, 255, 10, 0])).expect("read");
    assert_eq!(found.as_raw(), &[255, 255, 255, 10, 20, 245]);
    assert!(traits.transparent && traits.rotated, "{traits:?}");
}

#[test]
fn a_palette_that_is_too_short_or_indexed_in_another_way_is_refused_with_the_reason() {
    let colors = palette(8);
    let refused = |bits, colors: &[u16]| {
        let tags: [(u16, &[u16]); 3] = [(258, &[bits]), (262, &[3]), (320, colors)];
        decode(&file(2, 1, false, &tags, &[1, 2, 3, 4])).expect_err("refused")
    };
    assert_eq!(
        refused(8, &colors[..30]),
        DecodeError::Damaged("its palette has 10 of 256 colours".to_owned())
    );
    let variant = "its palette is indexed by 1 samples of 16 bits";
    assert_eq!(refused(16, &colors), DecodeError::Variant(variant.to_owned()));
}

#[test]
fn colours_that_are_multiplied_by_alpha_are_divided_by_it() {
    let samples = [64, 32, 128, 128, 200, 100, 0, 255, 9, 9, 9, 0];
    let read = |kind, bits, samples: &[u8]| {
        let depths = [bits; 4];
        let tags: [(u16, &[u16]); 4] = [(258, &depths), (262, &[2]), (277, &[4]), (338, &[kind])];
        decode(&file(3, 1, true, &tags, samples)).expect("read").0.into_raw()
    };
    assert_eq!(read(1, 8, &samples), [191, 159, 255, 200, 100, 0, 255, 255, 255], "multiplied");
    assert_eq!(read(2, 8, &samples), [159, 143, 191, 200, 100, 0, 255, 255, 255], "not multiplied");
    let deep = samples.map(|sample| [sample, sample]).concat();
    assert_eq!(read(1, 16, &deep), [191, 159, 255, 200, 100, 0, 255, 255, 255], "16 bits");
}
