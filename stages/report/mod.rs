//! The report: figures and pictures of what came out.

mod agreement;
mod page;
mod sheets;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet::table::read_columns;
use callsheet_sheet::Sheet;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::columns::read_strings;
use crate::data::Pairs;
use crate::model::Model;
use crate::nn::encoder::STYLE_DIM;
use crate::nn::file;
use crate::nn::mapper::Mapper;
use crate::nn::vars::Vars;
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
    let val = validation(pairs, rows)?;
    let model = Model::averaged(context.input("model")?)?;
    let codes = model.codes(&val.b, BATCH)?;
    let outputs = model.outputs(&val.a, &codes, BATCH);
    let styled = Styled { model, codes };
    let (weights, _) = file::load(&context.input("mapper")?.join("mapper.safetensors"))?;
    let mut vars = Vars::default();
    let mapper = Mapper::new(&mut vars);
    vars.load(&weights, "")?;
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

/// `count` validation images, evenly spread.
fn validation(pairs: &Path, count: usize) -> Result<Pairs> {
    let columns = read_columns(pairs, &["image_id", "split"])?;
    let (ids, splits) = (read_strings(&columns, "image_id")?, read_strings(&columns, "split")?);
    let val = ids.iter().zip(&splits).filter(|(_, split)| *split == "val").map(|(id, _)| id.as_str());
    let val: Vec<&str> = val.collect();
    let chosen: Vec<&str> = sheets::spread(val.len(), count).into_iter().map(|n| val[n]).collect();
    Pairs::choose(pairs, &chosen)
}
