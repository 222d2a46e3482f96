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
    for (fortran, wanted) in [("False", "no array has the shape"), ("True", "no weights of `conv1_1`")] {
        let header =
            format!("{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': (0, {}, 2), }}", 1u64 << 62);
        let file =
            [&b"\x93NUMPY\x01\0"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
        fs::write(&path, file).expect("written");
        let error = read(&path, &convolution([2, 3, 1, 1])).expect_err("a shape").to_string();
        assert!(error.contains(wanted), "{error}");
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
fn files_cut_short_or_with_any_byte_changed_do_not_panic() {
    for name in ["zip.pth", "legacy.pth", "dict.npy", "arrays.npz", "dicts.pickle", "keras.h5"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let bytes = std::fs::read(fixture(name)).expect("bytes");
        for at in (0..bytes.len()).step_by(5) {
            std::fs::write(&path, &bytes[..at]).expect("written");
            assert!(read(&path, &convolution([2, 3, 1, 1])).is_err(), "{name} cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            std::fs::write(&path, changed).expect("written");
            let _ = read(&path, &convolution([2, 3, 1, 1]));
        }
    }
}
