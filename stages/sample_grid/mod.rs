//! Content images in styles that are sampled by the mapper.

use std::iter;

use anyhow::Result;
use callsheet_figures::sheet::{Cell, Row, Sheet};
use callsheet_worker::Job;
use serde::Deserialize;
use tch::{Device, Kind, Tensor, no_grad};

use crate::lib::figures::{Shown, cells, pictures, remade, save};
use crate::lib::model::{Model, Weights};
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::mapper::Mapper;
use crate::lib::random::torch_seed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    contents: usize,
    samples: i64,
    seed: i64,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model or the mapper is damaged, or there is no validation image.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let model = Model::trained(job.input("model")?, params.weights)?;
    let mapper = Mapper::load(job.input("mapper")?)?;
    let shown = Shown::sample(job, &model, params.contents)?.pairs;
    tch::manual_seed(torch_seed(params.seed, "samples", 0));
    let size = [shown.len() as i64, params.samples, STYLE_DIM];
    let noise = Tensor::randn(size, (Kind::Float, Device::Cpu));
    let mut rows = Vec::with_capacity(shown.len());
    for (n, content) in pictures(&shown.a).into_iter().enumerate() {
        let codes = no_grad(|| mapper.forward(&noise.get(n as i64)));
        let outputs = cells(remade(&model, &shown.a.get(n as i64), &codes));
        rows.push(Row::plain(iter::once(Cell::new(content, "A")).chain(outputs).collect()));
        job.progress(n + 1, shown.len(), "contents");
    }
    save(job, "grid", &params.note, &Sheet { title: "Styles sampled through the mapper".into(), rows })
}
