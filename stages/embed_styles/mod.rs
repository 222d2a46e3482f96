//! Style codes of every image.

use anyhow::Result;
use arrow::datatypes::DataType;

use crate::columns::{batch, schema, strings, vector, vectors};
use crate::data::{Pairs, values};
use crate::nn::encoder::STYLE_DIM;
use crate::train_encoder::encode;
use crate::train_generator::Networks;
use crate::worker::Context;

/// Images encoded together. A code does not depend on its batch beyond rounding.
const BATCH: i64 = 32;

/// Runs the stage.
///
/// # Errors
/// When the model is damaged, or an image unreadable.
pub fn run(context: &Context) -> Result<()> {
    let nets = Networks::averaged(context.input("model")?)?;
    let text = DataType::Utf8;
    let mut table = context.table(
        "embeddings",
        schema(&[
            ("image_id", text.clone()),
            ("frame_id", text.clone()),
            ("split", text),
            ("z", vector(STYLE_DIM as usize)),
        ]),
    )?;
    for split in ["train", "val"] {
        let pairs = Pairs::load(context.input("pairs")?, split)?;
        let codes = encode(&nets.e, &pairs.b, BATCH);
        table.write(&batch(vec![
            ("image_id", strings(&pairs.image_ids)),
            ("frame_id", strings(&pairs.frame_ids)),
            ("split", strings(pairs.image_ids.iter().map(|_| split))),
            ("z", vectors(STYLE_DIM as usize, values(&codes)?)?),
        ])?)?;
    }
    Ok(table.finish()?)
}
