//! Every style on every content.

use std::iter;

use anyhow::Result;
use callsheet_sheet::{Cell, Row, Sheet};
use serde::Deserialize;

use crate::figures::{Shown, cells, pictures, remade, save};
use crate::model::Model;
use crate::worker::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    contents: usize,
    styles: usize,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// When the model is damaged, or there is no validation image.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let model = Model::averaged(context.input("model")?)?;
    let contents = Shown::sample(context, &model, params.contents)?;
    let styles = Shown::sample(context, &model, params.styles)?;
    let header = pictures(&styles.pairs.b).into_iter().map(|style| Cell::new(style, "style"));
    let mut rows = vec![Row::plain(iter::once(Cell::gap()).chain(header).collect())];
    let count = contents.pairs.len();
    for (n, content) in pictures(&contents.pairs.a).into_iter().enumerate() {
        let outputs = cells(remade(&model, &contents.pairs.a.get(n as i64), &styles.codes));
        rows.push(Row::plain(iter::once(Cell::new(content, "A")).chain(outputs).collect()));
        context.progress(n + 1, count, "contents");
    }
    save(context, "grid", &params.note, &Sheet { title: "Style transfer on validation images".into(), rows })
}
