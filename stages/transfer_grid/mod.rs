//! Grid of all combinations of content images and styles.

use std::iter;

use anyhow::Result;
use callsheet_figures::sheet::{Cell, Row, Sheet};
use callsheet_worker::Job;
use serde::Deserialize;

use crate::lib::figures::{Shown, cells, pictures, remade, save};
use crate::lib::model::{Model, Weights};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    contents: usize,
    styles: usize,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, or there is no validation image.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let model = Model::trained(job.input("model")?, params.weights)?;
    let contents = Shown::sample(job, &model, params.contents)?;
    let styles = Shown::sample(job, &model, params.styles)?;
    let header = pictures(&styles.pairs.b).into_iter().map(|style| Cell::new(style, "style"));
    let mut rows = vec![Row::plain(iter::once(Cell::gap()).chain(header).collect())];
    let count = contents.pairs.len();
    for (n, content) in pictures(&contents.pairs.a).into_iter().enumerate() {
        let outputs = cells(remade(&model, &contents.pairs.a.get(n as i64), &styles.codes));
        rows.push(Row::plain(iter::once(Cell::new(content, "A")).chain(outputs).collect()));
        job.progress(n + 1, count, "contents");
    }
    save(job, "grid", &params.note, &Sheet { title: "Style transfer on validation images".into(), rows })
}
