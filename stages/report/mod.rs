//! The report: figures and pictures of what came out.

mod agreement;
mod page;
mod sheets;

use std::fs;

use anyhow::{Context as _, Result};
use callsheet_sheet::Sheet;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::data::Pairs;
use crate::model::Model;
use crate::nn::encoder::STYLE_DIM;
use crate::nn::mapper::Mapper;
use crate::picture::encode_png;
use crate::random::torch_seed;
use crate::worker::Context;
use agreement::Agreement;
use sheets::{BATCH, Styled};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    rows: usize,
    note: String,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// When an input is damaged, or tables speak of images that the pairs lack.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let metrics = fs::read(context.input("metrics")?)?;
    let metrics: Value = serde_json::from_slice(&metrics).context("malformed metrics")?;
    let labels = &context.request.labels;
    let note = labels.iter().chain([&params.note]).filter(|text| !text.is_empty());
    let note = note.map(String::as_str).collect::<Vec<_>>().join(" \u{b7} ");
    let sheets = sheets(context, &params)?;
    let agreement = context.optional("factors").map(|factors| -> Result<Agreement> {
        Agreement::of(context.input("clusters")?, context.input("pairs")?, factors)
    });
    let agreement = agreement.transpose()?;

    let folder = context.output("report")?;
    fs::create_dir_all(folder)?;
    for (done, sheet) in sheets.iter().enumerate() {
        let png = encode_png(&sheet.draw(&note)?)?;
        fs::write(folder.join(format!("{}.png", sheet.name)), png)?;
        context.progress(done + 1, sheets.len(), "sheets");
    }
    let summary = json!({
        "note": params.note,
        "rests_on": labels,
        "reconstruction": metrics,
        "style_modes": agreement.as_ref().map(Agreement::summary),
        "sheets": sheets.iter().map(|sheet| format!("{}.png", sheet.name)).collect::<Vec<_>>(),
    });
    fs::write(folder.join("summary.json"), format!("{summary:#}\n"))?;
    Ok(fs::write(folder.join("index.html"), page::page(&note, &metrics, agreement.as_ref(), &sheets))?)
}

fn sheets(context: &Context, params: &Params) -> Result<Vec<Sheet>> {
    let (pairs, rows) = (context.input("pairs")?, params.rows);
    let val = Pairs::sample(pairs, "val", rows)?.context("there is no validation image")?;
    let model = Model::averaged(context.input("model")?)?;
    let codes = model.codes(&val.b, BATCH)?;
    let outputs = model.outputs(&val.a, &codes, BATCH);
    let styled = Styled { model, codes };
    let mapper = Mapper::load(context.input("mapper")?)?;
    tch::manual_seed(torch_seed(params.seed, "samples", 0));
    let noise = Tensor::randn([val.len() as i64, rows as i64, STYLE_DIM], (Kind::Float, Device::Cpu));
    Ok(vec![
        sheets::reconstruction(&val, &outputs)?,
        sheets::transfers(&styled, &val),
        sheets::samples(&styled, &mapper, &val, &noise),
        sheets::interpolation(&styled, &val, rows),
        sheets::clusters(context.input("clusters")?, pairs, rows)?,
        sheets::triplets(context.input("triplets")?, pairs, rows)?,
    ])
}
