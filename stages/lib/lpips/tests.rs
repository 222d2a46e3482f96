//! Tests that compare distances with those of PyPI's lpips, on weights from a formula.
//! `tests/parity/test_lpips.py` writes the fixture, and compares distances on published weights.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::heads::LpipsWeights;
use super::trunk::Trunk;
use super::{Distance, Features, LARGEST_BATCH};

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn distance(net: &str, version: &str) -> Distance {
    let network = match net {
        "alex" => "alexnet",
        "vgg" => "vgg16",
        _ => "squeezenet1_1",
    };
    let trunk = Trunk::waves(network);
    let heads = LpipsWeights::read(&repository(&format!("data/weights/lpips/v{version}/{net}.pth")), &trunk);
    Distance::new(trunk, Some(heads.expect("heads that `make setup` fetches")), 0)
}

fn noise(seed: u64, shape: [i64; 4]) -> Tensor {
    let count = shape.iter().product::<i64>() as u64;
    let byte = |k: u64| ((((k + seed * 1_000_003) * 2_654_435_761) & 0xFFFF_FFFF) >> 24) as u8;
    Tensor::from_slice(&(0..count).map(byte).collect::<Vec<u8>>()).view(shape)
}

/// Two pairs of images: noise and other noise, and noise and its mean with other noise.
fn pictures([height, width]: [i64; 2]) -> (Tensor, Tensor) {
    let shape = [2, 3, height, width];
    let (x, other) = (noise(0, shape), noise(1, shape));
    let mean = (x.to_kind(Kind::Int) + &other).divide_scalar_mode(2, "floor").to_kind(Kind::Uint8);
    (x, Tensor::cat(&[other.narrow(0, 0, 1), mean.narrow(0, 1, 1)], 0))
}

fn compared(distance: &Distance, images: &Tensor) -> Features {
    distance.features(images).expect("features")
}

#[test]
fn distances_on_every_network_are_those_of_lpips() {
    let fixture = fs::read(repository("tests/fixtures/lpips.json")).expect("the fixture");
    let fixture: BTreeMap<String, Vec<f64>> = serde_json::from_slice(&fixture).expect("JSON");
    assert_eq!(fixture.len(), 3 * 2 * 2);
    for (name, wanted) in fixture {
        let [net, version, size] = name.split(' ').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let sides: Vec<i64> = size.split('x').map(|side| side.parse().expect("a side")).collect();
        let (x, y) = pictures([sides[0], sides[1]]);
        let distance = distance(net, version);
        let found = distance.of(&x, &y).expect("distances");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-5 * wanted.max(0.1), "{name}: {found}, not {wanted}");
        }
        assert!(distance.name.starts_with(&format!("LPIPS v{version} (")), "{}", distance.name);
    }
}

#[test]
fn a_distance_is_symmetric_independent_of_others_and_0_for_equal_images() {
    let distance = distance("alex", "0.1");
    let (x, y) = pictures([64, 64]);
    let of = |x: &Tensor, y: &Tensor| distance.of(x, y).expect("distances");
    assert_eq!(of(&x, &x), [0.0, 0.0]);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * a.max(b);
    let (there, back) = (of(&x, &y), of(&y, &x));
    assert!(there.iter().zip(&back).all(|(a, b)| close(*a, *b)));
    let alone = of(&x.narrow(0, 1, 1), &y.narrow(0, 1, 1));
    assert!(close(alone[0], there[1]), "{alone:?} {there:?}");
    let many = |of: &Tensor| Tensor::cat(&vec![of; LARGEST_BATCH as usize], 0);
    let found = of(&many(&x), &many(&y));
    assert_eq!(found.len() as i64, 2 * LARGEST_BATCH);
    assert!(found.iter().zip(there.iter().cycle()).all(|(a, b)| close(*a, *b)), "{found:?}");
    let flat = |value: i64| Tensor::full([1, 3, 64, 64], value, (Kind::Uint8, tch::Device::Cpu));
    assert!(of(&flat(0), &flat(255))[0] > 0.0);
}

#[test]
fn distances_between_all_are_those_of_pairs() {
    let distance = distance("squeeze", "0.1");
    let (x, y) = pictures([64, 64]);
    let all = compared(&distance, &Tensor::cat(&[&x, &y], 0)).between();
    let pairs = distance.of(&x, &y).expect("distances");
    for (n, wanted) in (0..2).zip(pairs) {
        let found = all.double_value(&[n, n + 2]);
        assert!((found - wanted).abs() < 1e-6 && all.double_value(&[n, n]) < 1e-9, "{found}, not {wanted}");
    }
}

#[test]
fn images_of_other_sizes_have_no_distance() {
    let of = |side: i64| pictures([side, 64]).0;
    assert!(distance("alex", "0.1").of(&of(64), &of(96)).is_err());
}

#[test]
fn batches_are_small_enough_to_reuse_the_memory_of_the_first_layer() {
    for (net, side, wanted) in [
        ("vgg", 256, 1),
        ("vgg", 128, 4),
        ("squeeze", 256, 4),
        ("alex", 256, 16),
        ("alex", 2048, 1),
        ("alex", 64, 16),
    ] {
        let images = Tensor::zeros([1, 3, side, side], (Kind::Uint8, tch::Device::Cpu));
        assert_eq!(distance(net, "0.1").batch(&images), wanted, "{net} at {side} px");
    }
}
