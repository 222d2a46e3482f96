//! How well a model remakes each validation image from its content and its own style.

use anyhow::Result;

use crate::metrics::{BATCH, Measures, measure};
use crate::model::Model;
use crate::worker::Context;

/// Runs the stage.
///
/// # Errors
/// When the model is damaged, or an image unreadable.
pub fn run(context: &Context) -> Result<()> {
    let measures = Measures::load(context, context.params()?)?;
    let model = Model::averaged(context.input("model")?)?;
    measure(context, &measures, |a, b| Ok(model.outputs(a, &model.codes(b, BATCH as i64)?, BATCH as i64)))
}
