//! The report: figures and pictures of what came out.

mod agreement;
mod comparison;
mod page;
mod sheets;

use std::fs;

use anyhow::Result;
use callsheet_sheet::Sheet;
use serde::Deserialize;
use serde_json::json;

use crate::figures::{BATCH, Shown, noted};
use crate::model::Model;
use crate::picture::encode_png;
use crate::worker::Context;
use agreement::Agreement;
use comparison::Comparison;
use page::Figure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    rows: usize,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// When an input is damaged, or tables speak of images that the pairs lack.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let comparison = Comparison::read(context.input("comparison")?)?;
    let labels = &context.request.labels;
    let note = noted(context, &params.note);
    let figures = figures(context, &params, &note)?;
    let agreement = context.optional("factors").map(|factors| -> Result<Agreement> {
        Agreement::of(context.input("clusters")?, context.input("pairs")?, factors)
    });
    let agreement = agreement.transpose()?;

    let folder = context.output("report")?;
    fs::create_dir_all(folder)?;
    for figure in &figures {
        fs::write(folder.join(figure.file()), &figure.png)?;
    }
    let summary = json!({
        "note": params.note,
        "rests_on": labels,
        "reconstruction": comparison,
        "style_modes": agreement.as_ref().map(Agreement::summary),
        "sheets": figures.iter().map(Figure::file).collect::<Vec<_>>(),
    });
    fs::write(folder.join("summary.json"), format!("{summary:#}\n"))?;
    Ok(fs::write(folder.join("index.html"), page::page(&note, &comparison, agreement.as_ref(), &figures))?)
}

/// Pictures in the order of the page.
fn figures(context: &Context, params: &Params, note: &str) -> Result<Vec<Figure>> {
    let pairs = context.input("pairs")?;
    let model = Model::averaged(context.input("model")?)?;
    let val = Shown::sample(context, &model, params.rows)?;
    let outputs = model.outputs(&val.pairs.a, &val.codes, BATCH);
    let drawn = |name, sheet: Sheet| -> Result<Figure> {
        let png = encode_png(&sheet.draw(note)?)?;
        Ok(Figure { name, title: sheet.title, png })
    };
    let made = |name, title: &str| -> Result<Figure> {
        Ok(Figure { name, title: title.to_owned(), png: fs::read(context.input(name)?)? })
    };
    Ok(vec![
        drawn("reconstruction", sheets::reconstruction(&val.pairs, &outputs)?)?,
        made("transfers", "Style transfer on validation images")?,
        made("samples", "Styles sampled through the mapper")?,
        made("interpolation", "Between two styles")?,
        drawn("clusters", sheets::clusters(context.input("clusters")?, pairs, params.rows)?)?,
        drawn("triplets", sheets::triplets(context.input("triplets")?, pairs, params.rows)?)?,
    ])
}
