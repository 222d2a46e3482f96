//! Tests of the published formats, on files of six values that torch and numpy wrote.

use std::fs;
use std::path::PathBuf;

use super::network::Convolution;
use super::{Format, read};
use crate::lib::data::values;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/weights")).join(name)
}

fn convolution(shape: [i64; 4]) -> Vec<Convolution> {
    vec![Convolution {
        name: "conv1_1".into(),
        shape,
        torch: vec!["features.0".into()],
        keras: vec!["layers/block1_conv1".into()],
        numpy: vec!["conv1_1".into(), "VGG16_0/Conv_0".into()],
    }]
}

#[test]
fn every_format_gives_the_same_weights() {
    for (name, format) in [
        ("zip.pth", Format::TorchZip),
        ("legacy.pth", Format::Torch),
        ("dict.npy", Format::Npy),
        ("arrays.npz", Format::Npz),
        ("dicts.pickle", Format::Pickle),
        ("keras.h5", Format::Hdf5),
    ] {
        let (tensors, found) = read(&fixture(name), &convolution([2, 3, 1, 1])).expect(name);
        assert_eq!(found, format, "{name}");
        let weight: Vec<f32> = values(&tensors["conv1_1.weight"]).expect("floats");
        let bias: Vec<f32> = values(&tensors["conv1_1.bias"]).expect("floats");
        assert_eq!(weight, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
        assert_eq!(bias, [0.5, -1.0], "{name}");
    }
}

#[test]
fn safetensors_whose_length_looks_like_a_pickle_are_not_read_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    for length in [640u64, 648, 896, 1152, 1408] {
        let path = folder.path().join(length.to_string());
        let header = format!("{{{}}}", " ".repeat(length as usize - 2));
        fs::write(&path, [&length.to_le_bytes(), header.as_bytes()].concat()).expect("written");
        assert_eq!(Format::of(&path).expect("a file"), Some(Format::Safetensors), "{length}");
    }
}

#[test]
fn a_dict_that_holds_itself_or_one_many_times_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dicts.pickle");
    // {"a": <itself>}
    let itself = b"\x80\x03}q\x00X\x01\0\0\0ah\x00s.".to_vec();
    // Ten dicts. Each contains the previous one ten times.
    let mut many = b"\x80\x03}q\x00".to_vec();
    for depth in 0..10u8 {
        many.extend([b'0', b'}', b'q', depth + 1]);
        (0..10u8).for_each(|name| many.extend([b'X', 1, 0, 0, 0, b'a' + name, b'h', depth, b's']));
    }
    many.push(b'.');
    for bytes in [itself, many] {
        fs::write(&path, bytes).expect("written");
        let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("too many").to_string();
        assert!(error.contains("entries than any network"), "{error}");
    }
}

#[test]
fn a_shape_that_no_tensor_has_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shape.npy");
    for fortran in ["False", "True"] {
        let header =
            format!("{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': (0, {}, 2), }}", 1u64 << 62);
        let file =
            [&b"\x93NUMPY\x01\0"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
        fs::write(&path, file).expect("written");
        let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("a shape").to_string();
        assert!(error.contains("no weights of `conv1_1`"), "{error}");
    }
}

#[test]
fn another_shape_and_another_network_are_named() {
    let error = read(&fixture("zip.pth"), &convolution([4, 3, 1, 1])).expect_err("a shape").to_string();
    assert!(error.contains("`conv1_1` has shape [2, 3, 1, 1], not [4, 3, 1, 1]"), "{error}");
    let mut other = convolution([2, 3, 1, 1]);
    other[0].torch = vec!["features.1".into()];
    let error = read(&fixture("zip.pth"), &other).expect_err("a network").to_string();
    assert!(error.contains("does not fit the network: it has no weights of `conv1_1`"), "{error}");
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nan.pth");
    let mut bytes = std::fs::read(fixture("legacy.pth")).expect("bytes");
    let five = bytes.windows(4).rposition(|b| b == 5f32.to_le_bytes()).expect("the last weight");
    bytes[five..five + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).expect("written");
    let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("NaN").to_string();
    assert!(error.contains("`conv1_1` contains NaN or infinity"), "{error}");
}

#[test]
fn other_float_formats_and_the_names_that_programs_add_are_read() {
    for (name, format) in [
        ("half.pth", Format::TorchZip),
        ("bfloat16.pth", Format::Torch),
        ("double.pth", Format::TorchZip),
        ("half.npz", Format::Npz),
        ("half.h5", Format::Hdf5),
        ("bfloat16.safetensors", Format::Safetensors),
        ("archive.keras", Format::Keras),
    ] {
        let (tensors, found) = read(&fixture(name), &convolution([2, 3, 1, 1])).expect(name);
        assert_eq!(found, format, "{name}");
        let weight: Vec<f32> = values(&tensors["conv1_1.weight"]).expect("floats");
        let bias: Vec<f32> = values(&tensors["conv1_1.bias"]).expect("floats");
        assert_eq!((weight, bias), (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], vec![0.5, -1.0]), "{name}");
    }
}

#[test]
fn several_sets_of_weights_and_integers_are_refused_by_name() {
    let error = |name: &str| read(&fixture(name), &convolution([2, 3, 1, 1])).expect_err(name).to_string();
    let two = error("two.pth");
    assert!(two.contains("contains several sets of weights of this network: ema/, model/"), "{two}");
    let integers = error("int32.pth");
    assert!(
        integers.contains("`features.0.weight`: its storage is a torch.IntStorage, not float16, bfloat16"),
        "{integers}"
    );
}

#[test]
fn one_flipped_bit_in_a_member_of_an_archive_is_found_by_its_checksum() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, member) in
        [("zip.pth", "data/0"), ("arrays.npz", "conv1_1_W.npy"), ("half.npz", "conv1_1_W.npy")]
    {
        let bytes = fs::read(fixture(name)).expect("bytes");
        let path = folder.path().join(name);
        let (start, length) = data_of(&bytes, member);
        for bit in 0..length * 8 {
            let mut changed = bytes.clone();
            changed[start + bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, changed).expect("written");
            match read(&path, &convolution([2, 3, 1, 1])) {
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(name) && error.contains(member), "{name}, bit {bit}: {error}");
                }
                // A compressed member has unused bits.
                Ok((tensors, _)) => {
                    assert_eq!(name, "arrays.npz", "bit {bit}");
                    let weight: Vec<f32> = values(&tensors["conv1_1.weight"]).expect("floats");
                    assert_eq!(weight, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
                }
            }
        }
    }
}

/// Position and length of a member's data in a zip archive.
fn data_of(bytes: &[u8], member: &str) -> (usize, usize) {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let name = names.iter().find(|name| name.ends_with(member)).expect("the member");
    let file = archive.by_name(name).expect("the member");
    (file.data_start() as usize, file.compressed_size() as usize)
}

#[test]
fn values_that_no_trained_network_has_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("legacy.pth");
    let bytes = fs::read(fixture("legacy.pth")).expect("bytes");
    let five = bytes.windows(4).rposition(|b| b == 5f32.to_le_bytes()).expect("the last weight");
    for (value, wanted) in [(-2.55e37f32, "contains 2.55e37, but no weight"), (0.0, "are zero")] {
        let mut changed = bytes.clone();
        changed[five - 20..five].fill(0);
        changed[five..five + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, changed).expect("written");
        let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("damaged").to_string();
        assert!(error.contains("legacy.pth") && error.contains(wanted), "{error}");
    }
}

/// Files of all formats.
const FILES: [&str; 13] = [
    "zip.pth",
    "legacy.pth",
    "dict.npy",
    "arrays.npz",
    "dicts.pickle",
    "keras.h5",
    "half.pth",
    "bfloat16.pth",
    "double.pth",
    "half.npz",
    "half.h5",
    "bfloat16.safetensors",
    "archive.keras",
];

#[test]
fn files_cut_short_zeroed_or_with_any_byte_changed_do_not_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in FILES {
        let path = folder.path().join(name);
        let bytes = fs::read(fixture(name)).expect("bytes");
        for at in (0..bytes.len()).step_by(13) {
            fs::write(&path, &bytes[..at]).expect("written");
            let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("cut").to_string();
            assert!(error.contains(name), "{name} cut at {at}: {error}");
            let [mut changed, mut zeroed] = [bytes.clone(), bytes.clone()];
            changed[at] ^= 0xff;
            zeroed[at..(at + 64).min(bytes.len())].fill(0);
            for damaged in [changed, zeroed] {
                fs::write(&path, damaged).expect("written");
                if let Err(error) = read(&path, &convolution([2, 3, 1, 1])) {
                    assert!(error.to_string().contains(name), "{name}, byte {at}: {error}");
                }
            }
        }
    }
}
