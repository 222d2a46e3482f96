//! Gram matrices of VGG features: the style of every image B.

use anyhow::Result;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use callsheet::table::row_count;
use tch::{Tensor, no_grad};

use crate::columns::{Column, batch, schema, strings, vector, vectors};
use crate::data::{normalised, read_padded, values};
use crate::nn::vgg::{CHANNELS, Taps, Vgg, gram};
use crate::parts::Parts;
use crate::style::{GRAM_COLUMNS, triangle};
use crate::worker::Context;

/// Images that go through the network together. Another number may round otherwise.
const BATCH: usize = 8;

/// Runs the stage.
///
/// # Errors
/// When an image is unreadable, or the weights are not a VGG-16's.
pub fn run(context: &Context) -> Result<()> {
    let vgg = Vgg::load(context.input("vgg")?)?;
    let path = context.input("pairs")?;
    let total = row_count(path)? as usize;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(GRAM_COLUMNS.iter().zip(CHANNELS).map(|(name, c)| (*name, vector(triangle(c)))));
    let mut parts = Parts::create(context, "grams", schema(&columns))?;
    let indices: Vec<Tensor> = CHANNELS.iter().map(|c| upper_triangle(*c)).collect();
    let mut done = 0;
    read_padded(path, &["b"], BATCH, |ids, images| {
        let taps = no_grad(|| vgg.taps(&normalised(&images[0]), Taps::Second));
        let mut columns: Vec<Column> = vec![("image_id", strings(ids))];
        for (tap, features) in taps.iter().enumerate() {
            let features = features.narrow(0, 0, ids.len() as i64);
            columns.push((GRAM_COLUMNS[tap], gram_column(&features, &indices[tap])?));
        }
        parts.write(&batch(columns)?)?;
        done += ids.len();
        context.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}

/// Positions of the upper triangle, row after row, in a flattened matrix.
fn upper_triangle(channels: usize) -> Tensor {
    let positions: Vec<i64> =
        (0..channels).flat_map(|r| (r..channels).map(move |c| (r * channels + c) as i64)).collect();
    Tensor::from_slice(&positions)
}

fn gram_column(features: &Tensor, indices: &Tensor) -> Result<ArrayRef> {
    let flat = gram(features).flatten(1, 2).index_select(1, indices);
    vectors(indices.numel(), values(&flat)?)
}
