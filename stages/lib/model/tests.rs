//! Tests of models that are saved to files and loaded again.

use tch::{Device, Kind, Tensor};

use super::*;
use crate::lib::nn::best::Best;
use crate::lib::objective::Objective;
use crate::lib::objective::tests::all;

const SIDE: i64 = 32;

fn model(objective: &Objective) -> Model {
    Model::new(&Spec::new(objective, SIDE, [2, 4], 1), Compute::CPU)
}

#[test]
fn a_trained_model_uses_its_averaged_weights() {
    let images = Tensor::randint(256, [3, 3, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
    for (name, objective) in all(|_| false) {
        let folder = tempfile::tempdir().expect("a folder");
        let (averaged, raw) = (model(&objective), model(&objective));
        raw.save(
            folder.path(),
            &objective,
            7,
            (&averaged.shadows(), &Best::new(&named(&averaged.shadows()))),
            &[],
        )
        .expect("saved");
        let found = Model::trained(folder.path(), Weights::Last).expect("a model");
        assert_eq!(found.spec, raw.spec, "{name}");
        let remake = |model: &Model| model.outputs(&images, &model.codes(&images, 2).expect("codes"), 2);
        assert_eq!(remake(&found), remake(&averaged), "{name}");
        let continued = model(&objective);
        let trained = Trained::load(folder.path()).expect("a model");
        assert_eq!((trained.step, &trained.spec), (7, &raw.spec), "{name}");
        continued.load(&trained.weights, |_| true).expect("weights");
        assert_eq!(remake(&continued), remake(&raw), "{name}");
    }
}

#[test]
fn weights_of_other_networks_are_refused() {
    let all = all(|_| false);
    let folder = tempfile::tempdir().expect("a folder");
    let trained = model(&all["step_v4"]);
    trained
        .save(
            folder.path(),
            &all["step_v4"],
            7,
            (&trained.shadows(), &Best::new(&named(&trained.shadows()))),
            &[],
        )
        .expect("saved");
    let weights = Trained::load(folder.path()).expect("a model").weights;
    let other =
        model(&all["bicyclegan_v0"]).load(&weights, |_| true).expect_err("other networks").to_string();
    assert!(other.contains("shape") || other.contains("no tensor"), "{other}");
    let wider = Model::new(&Spec::new(&all["step_v4"], SIDE, [4, 4], 1), Compute::CPU);
    let error = wider.load(&weights, |_| true).expect_err("another width").to_string();
    assert!(error.contains("has shape"), "{error}");
}

#[test]
fn a_variational_models_codes_are_means_and_need_no_draw() {
    let all = all(|_| false);
    let images = Tensor::randint(256, [2, 3, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
    for (name, objective) in all {
        let model = model(&objective);
        let posterior = model.posterior(&normalised(&images));
        let wanted = if objective.variational { posterior.mean } else { posterior.code() };
        assert_eq!(model.codes(&images, 2).expect("codes"), wanted, "{name}");
    }
}

#[test]
fn one_content_under_many_codes_is_as_if_it_were_repeated() {
    tch::manual_seed(0);
    let a = Tensor::randint(256, [1, 3, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
    let codes = Tensor::randn([5, 8], (Kind::Float, Device::Cpu));
    for (name, objective) in all(|_| false) {
        let model = model(&objective);
        let repeated = model.outputs(&a.repeat([5, 1, 1, 1]), &codes, 2).to_kind(Kind::Int);
        let off = (model.outputs(&a, &codes, 2).to_kind(Kind::Int) - repeated).abs();
        // Batches of another size may be rounded differently.
        assert!(off.size() == [5, 3, SIDE, SIDE] && off.max().int64_value(&[]) <= 1, "{name}: {off:?}");
    }
}
