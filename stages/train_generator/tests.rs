//! Tests of the losses and updates of one step, for every objective.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::forward::{Outputs, noise, outputs};
use super::gradients::{Gradients, gradients};
use super::lanes::Lanes;
use super::losses::{Networks, Value, total, values};
use super::optimizers::Optimizers;
use super::sampler::Batch;
use crate::lib::model::{Model, Spec};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::file;
use crate::lib::nn::vgg::{BLOCKS, Vgg, conv_name};
use crate::lib::objective::tests::all;
use crate::lib::objective::{GanMean, Network, Objective, Output, Start, Term};

const SIDE: i64 = 32;
const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Returns a VGG with random weights, scaled so that activations do not vanish.
fn vgg() -> Vgg {
    tch::manual_seed(5);
    let mut tensors = BTreeMap::new();
    let mut inputs = 3;
    for (block, (count, outputs)) in (1..).zip(BLOCKS) {
        for index in 1..=count {
            let name = conv_name(block, index);
            let scale = (2.0 / (9.0 * inputs as f64)).sqrt();
            tensors.insert(format!("{name}.weight"), Tensor::randn([outputs, inputs, 3, 3], FLOAT) * scale);
            tensors.insert(format!("{name}.bias"), Tensor::zeros([outputs], FLOAT));
            inputs = outputs;
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vgg.safetensors");
    let origin = json!({ "name": "random", "convention": "torchvision", "source": "a test" });
    file::save(&path, &tensors, &origin).expect("saved");
    Vgg::load(&path).expect("a network")
}

fn batches() -> Vec<Batch> {
    tch::manual_seed(7);
    let image = || Tensor::rand([2, 3, SIDE, SIDE], FLOAT) * 2.0 - 1.0;
    (0..2).map(|_| Batch { rows: vec![0, 1], a: image(), b: image() }).collect()
}

fn model(objective: &Objective) -> Model {
    tch::manual_seed(3);
    Model::new(&Spec::new(objective, SIDE, [2, 4], 1), Compute::CPU)
}

fn forward(model: &Model, objective: &Objective, vgg: &Vgg) -> (Outputs, BTreeMap<Term, Value>) {
    tch::manual_seed(11);
    let batches = batches();
    let noise = noise(model, 2);
    let outputs = outputs(model, objective, &batches, None, &noise);
    let wanted: Vec<_> = batches.iter().map(|batch| vgg.taps(&batch.b)).collect();
    let terms: Vec<Term> = Term::ALL.into_iter().filter(|term| objective.has(*term)).collect();
    let values = values(Networks { model, vgg }, objective, &terms, &batches, &wanted, &outputs);
    (outputs, values)
}

/// Losses and gradients of a step on the images of [`forward`].
fn step(lanes: &Lanes, model: &Model, objective: &Objective, vgg: &Vgg) -> Gradients {
    tch::manual_seed(11);
    let batches = batches();
    let wanted: Vec<_> = batches.iter().map(|batch| vgg.taps(&batch.b)).collect();
    gradients(lanes, Networks { model, vgg }, objective, &batches, &wanted, None)
}

#[test]
fn codes_that_are_known_give_the_gradients_of_codes_that_are_computed() {
    let vgg = vgg();
    let two = Lanes::new(Device::Cpu, 2).expect("threads");
    for (name, objective) in all(|objective| objective.encoder == Start::Pretrained) {
        if objective.variational || objective.trains(Network::Encoder) {
            continue;
        }
        let model = model(&objective);
        tch::manual_seed(13);
        // Three images form parts of two sizes.
        let image = || Tensor::rand([3, 3, SIDE, SIDE], FLOAT) * 2.0 - 1.0;
        let batches: Vec<Batch> =
            (0..2).map(|_| Batch { rows: vec![0, 1, 2], a: image(), b: image() }).collect();
        let wanted: Vec<_> = batches.iter().map(|batch| vgg.taps(&batch.b)).collect();
        let codes = batches.iter().map(|batch| model.posterior(&batch.b).code().detach()).collect();
        let of = |lanes: &Lanes, known: Option<Vec<Tensor>>| {
            tch::manual_seed(11);
            gradients(lanes, Networks { model: &model, vgg: &vgg }, &objective, &batches, &wanted, known)
        };
        let (computed, known) = (of(&Lanes::one(), None), of(&two, Some(codes)));
        for (of, wanted) in &computed.by_network {
            let (mut apart, mut length) = (0.0, 0.0);
            for (wanted, found) in wanted.iter().zip(&known.by_network[of]).filter(|(w, _)| w.defined()) {
                apart += (found - wanted).square().sum(Kind::Double).double_value(&[]);
                length += wanted.square().sum(Kind::Double).double_value(&[]);
            }
            assert!(apart.sqrt() <= 1e-3 * length.sqrt(), "{name}: {of:?}: {apart} of {length}");
        }
    }
}

#[test]
fn gradients_on_two_lanes_are_those_of_the_totals() {
    let vgg = vgg();
    let two = Lanes::new(Device::Cpu, 2).expect("threads");
    for (name, objective) in all(|_| false) {
        let model = model(&objective);
        let (_, values) = forward(&model, &objective, &vgg);
        let found = step(&two, &model, &objective, &vgg);
        for (at, (of, optimizer)) in objective.optimizers.iter().enumerate() {
            let total = total(optimizer, objective.gan_mean, &values);
            let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
            let apart = |a: &Tensor, b: &Tensor| largest(&(a - b));
            assert_eq!(found.totals[at].0, *of);
            assert!(apart(&found.totals[at].1, &total) <= 1e-5 * largest(&total), "{name}: {of}");
            for network in &optimizer.updates {
                let tensors = model.vars(*network).tensors();
                let wanted = Tensor::run_backward(&[&total], &tensors, true, false);
                let found = &found.by_network[&(of.clone(), *network)];
                let square = |tensor: &Tensor| tensor.square().sum(Kind::Double).double_value(&[]);
                let (mut apart, mut length) = (0.0, 0.0);
                for ((tensor, wanted), found) in model.vars(*network).named().keys().zip(&wanted).zip(found) {
                    assert_eq!(found.defined(), wanted.defined(), "{name}: {of}, {tensor}");
                    if wanted.defined() {
                        apart += square(&(found - wanted));
                        length += square(wanted);
                    }
                }
                // VGG rounds differently with one image at a time, and a ReLU or a maximum may switch.
                assert!(
                    apart.sqrt() <= 5e-3 * length.sqrt(),
                    "{name}: {of}, {network:?}: {apart} of {length}"
                );
            }
        }
    }
}

fn networks(model: &Model) -> Vec<Network> {
    let second = model.spec.second_discriminator.then_some(Network::SecondDiscriminator);
    [Network::Encoder, Network::Generator, Network::Discriminator].into_iter().chain(second).collect()
}

/// Networks that one step of `objective` changes.
fn changed(objective: &Objective, vgg: &Vgg) -> BTreeSet<Network> {
    changed_within(objective, objective, vgg)
}

#[test]
fn one_step_changes_exactly_the_networks_that_the_objective_updates() {
    let vgg = vgg();
    for frozen in [false, true] {
        for (name, objective) in all(|objective| frozen && objective.encoder == Start::Pretrained) {
            let wanted: BTreeSet<Network> =
                objective.optimizers.values().flat_map(|optimizer| optimizer.updates.clone()).collect();
            assert_eq!(wanted.contains(&Network::Encoder), !(frozen && name.starts_with("step")), "{name}");
            assert_eq!(changed(&objective, &vgg), wanted, "{name}, frozen: {frozen}");
        }
    }
}

#[test]
fn each_network_is_changed_by_the_optimizers_that_list_it_alone() {
    let vgg = vgg();
    for (name, objective) in all(|_| false) {
        for (of, optimizer) in &objective.optimizers {
            // The other optimizers are removed, and with them their terms.
            let alone =
                Objective { optimizers: [(of.clone(), optimizer.clone())].into(), ..objective.clone() };
            assert_eq!(changed_within(&objective, &alone, &vgg), optimizer.updates, "{name}: {of}");
        }
    }
}

/// Networks of a model built for `objective` that `alone` changes.
fn changed_within(objective: &Objective, alone: &Objective, vgg: &Vgg) -> BTreeSet<Network> {
    let model = model(objective);
    let copies = |network| model.vars(network).copies();
    let before: Vec<_> = networks(&model).into_iter().map(|n| (n, copies(n))).collect();
    let found = step(&Lanes::one(), &model, alone, vgg);
    Optimizers::new(&model, alone).update(&Lanes::one(), &model, alone, &found, |_| 1.0);
    before.into_iter().filter(|(network, before)| copies(*network) != *before).map(|(n, _)| n).collect()
}

#[test]
fn gradients_flow_through_a_frozen_encoder_into_the_generator() {
    let vgg = vgg();
    let frozen = all(|objective| objective.encoder == Start::Pretrained);
    let mut objective = frozen["step_v1"].clone();
    // Only the reconstruction of swapped codes remains.
    objective.optimizers.retain(|name, _| name == "g2");
    objective.optimizers.values_mut().for_each(|g2| g2.terms.retain(|term, _| *term == Term::SwapCode));
    assert_eq!(changed(&objective, &vgg), [Network::Generator].into());
}

/// Loss that each optimizer minimises, by the formulas of the objectives: all terms are sums over the
/// batches.
#[test]
fn totals_are_those_of_the_formulas() {
    let vgg = vgg();
    for (name, objective) in all(|_| false) {
        let model = model(&objective);
        let (_, values) = forward(&model, &objective, &vgg);
        let v = |term: Term| values[&term].sum.double_value(&[]);
        let found = |optimizer: &str| {
            total(&objective.optimizers[optimizer], objective.gan_mean, &values).double_value(&[])
        };
        use Term::*;
        let near = |found: f64, wanted: f64, of: &str| {
            assert!((found - wanted).abs() <= 1e-5 * wanted.abs(), "{name} {of}: {found}, not {wanted}");
        };
        if name == "bicyclegan_v0" {
            let shared = 10.0 * v(L1) + v(GanReconstruction);
            near(found("generator"), shared + v(GanRandom) + 0.5 * v(RandomCode), "G");
            near(found("encoder"), shared + 0.01 * v(Kl), "E");
            near(found("discriminator"), v(Real) + v(FakeReconstruction), "D");
            near(found("second_discriminator"), v(SecondReal) + v(FakeRandom), "D2");
            continue;
        }
        // S is the sum over one batch or two, averaged together with a constant zero.
        let direct = if objective.crosses() { 3.0 } else { 2.0 };
        let mut g = 0.02 * v(Perceptual) + v(GanReconstruction) / direct;
        for (term, weight) in [(Cycle, 0.02), (Kl, 0.01), (CodeL2, 0.01)] {
            g += if objective.has(term) { weight * v(term) } else { 0.0 };
        }
        near(found("g1"), g, "loss_G");
        let (g2, fakes) = if objective.has(GanRandom) {
            (v(GanRandom) / direct + 10.0 * v(RandomCode), v(FakeReconstruction) + v(FakeRandom))
        } else if objective.has(GanSwap) {
            (v(GanSwap) / direct + 10.0 * v(SwapCode), v(FakeReconstruction) + v(FakeSwap))
        } else {
            (0.0, v(FakeReconstruction))
        };
        if g2 > 0.0 {
            near(found("g2"), g2, "loss_G2");
        }
        // One fake or two, of one batch or two, are averaged with the zero.
        let of_fakes = (direct - 1.0) * if g2 > 0.0 { 2.0 } else { 1.0 } + 1.0;
        near(found("d"), v(Real) / direct + fakes / of_fakes, "loss_D");
    }
}

#[test]
fn gan_terms_are_averaged_with_a_zero_unless_they_are_summed() {
    let of = |term, value: f64, count| (term, Value { sum: Tensor::from(value), count });
    let values: BTreeMap<Term, Value> =
        [of(Term::GanReconstruction, 6.0, 2), of(Term::GanSwap, 8.0, 2), of(Term::CodeL2, 3.0, 2)].into();
    let optimizer = crate::lib::objective::Optimizer {
        updates: [Network::Generator].into(),
        learning_rate: 1.0,
        betas: [0.0, 0.99],
        terms: [(Term::GanReconstruction, 1.0), (Term::GanSwap, 0.5), (Term::CodeL2, 10.0)].into(),
    };
    let found = |mean| total(&optimizer, mean, &values).double_value(&[]);
    assert_eq!(found(GanMean::WithZero), 2.0 + 30.0);
    assert_eq!(found(GanMean::Sum), 6.0 + 4.0 + 30.0);
}

#[test]
fn swaps_and_cycles_use_the_styles_that_the_method_prescribes() {
    let objective = &all(|_| false)["step_v1"];
    let (model, vgg) = (model(objective), vgg());
    let (outputs, values) = forward(&model, objective, &vgg);
    let batches = batches();
    let z: Vec<Tensor> = batches.iter().map(|batch| model.posterior(&batch.b).code()).collect();
    let g = |a: &Tensor, z: &Tensor| model.decode(&model.content(a), z, true);
    let (u, v) = (g(&batches[0].a, &z[1]), g(&batches[1].a, &z[0]));
    assert_eq!(outputs.images[&Output::Swap], [u.shallow_clone(), v.shallow_clone()]);
    let (of_u, of_v) = (model.posterior(&u).code(), model.posterior(&v).code());
    let cycled = [g(&batches[0].a, &of_v), g(&batches[1].a, &of_u)];
    assert_eq!(outputs.images[&Output::Cycle], cycled);
    let apart = |x: &Tensor, y: &Tensor| (x - y).abs().mean(Kind::Float).double_value(&[]);
    let wanted = apart(&of_v, &z[0]) + apart(&of_u, &z[1]);
    assert!((values[&Term::SwapCode].sum.double_value(&[]) - wanted).abs() < 1e-6 * wanted.max(1.0));
}

#[test]
fn a_variational_encoder_draws_its_codes_and_is_compared_by_its_mean() {
    let objective = &all(|_| false)["munit_p_v1"];
    let (model, vgg) = (model(objective), vgg());
    let (outputs, values) = forward(&model, objective, &vgg);
    let styles = &outputs.styles[0];
    let posterior = styles.posterior.as_ref().expect("a posterior");
    assert_ne!(styles.z, posterior.code());
    let apart = |image: &Tensor| {
        let mean = model.posterior(image).mean;
        (mean - &outputs.noise).abs().mean(Kind::Float).double_value(&[])
    };
    let wanted: f64 = outputs.images[&Output::Random].iter().map(apart).sum();
    assert!((values[&Term::RandomCode].sum.double_value(&[]) - wanted).abs() < 1e-5);
}

#[test]
fn two_lanes_update_the_tensors_of_two_optimizers_as_one_lane_does() {
    let vgg = vgg();
    let objective = all(|_| false)["step_v1"].clone();
    let updated = |lanes: &Lanes| {
        let model = model(&objective);
        let found = step(&Lanes::one(), &model, &objective, &vgg);
        let mut optimizers = Optimizers::new(&model, &objective);
        (0..3).for_each(|_| optimizers.update(lanes, &model, &objective, &found, |_| 1.0));
        networks(&model).into_iter().map(|network| model.vars(network).copies()).collect::<Vec<_>>()
    };
    let both =
        |network: &Network| objective.optimizers.values().filter(|o| o.updates.contains(network)).count();
    assert_eq!(both(&Network::Generator), 2, "with one optimizer, the order does not matter");
    assert_eq!(updated(&Lanes::new(Device::Cpu, 2).expect("threads")), updated(&Lanes::one()));
}
