//! Gram matrices of VGG features: the style of every image B.

use std::path::Path;

use anyhow::Result;
use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use callsheet::table::{read_batches, read_columns};
use rand::RngCore;
use serde::Deserialize;
use tch::{Tensor, no_grad};

use crate::columns::{
    Column, batch, int32s, read_images, read_int32s, read_strings, schema, strings, vector, vectors,
};
use crate::data::{to_tensor, values};
use crate::nn::vgg::{CHANNELS, Taps, Vgg, gram};
use crate::picture::decode;
use crate::random::stream;
use crate::style::{GRAM_COLUMNS, triangle};
use crate::worker::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    max_images: usize,
    batch: usize,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// When an image is unreadable, or the weights are not a VGG-16's.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let vgg = Vgg::load(context.input("vgg")?)?;
    let path = context.input("pairs")?;
    let chosen = choose(path, params.max_images, params.seed)?;
    let total = chosen.iter().filter(|taken| **taken).count();
    let mut first = 0;
    let text = DataType::Utf8;
    let mut columns = vec![
        ("image_id", text.clone()),
        ("frame_id", text.clone()),
        ("crop", DataType::Int32),
        ("split", text.clone()),
        ("content_digest", text),
    ];
    columns.extend(GRAM_COLUMNS.iter().zip(CHANNELS).map(|(name, c)| (*name, vector(triangle(c)))));
    let mut table = context.table("grams", schema(&columns))?;
    let indices: Vec<Tensor> = CHANNELS.iter().map(|c| upper_triangle(*c)).collect();
    let mut done = 0;
    let read = ["image_id", "frame_id", "crop", "split", "content_digest", "b"];
    read_batches(path, &read, params.batch, |rows| -> Result<()> {
        let taken = &chosen[first..first + rows.num_rows()];
        first += rows.num_rows();
        let rows = filter_record_batch(&rows, &BooleanArray::from(taken.to_vec()))?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let ids = read_strings(&rows, "image_id")?;
        let images = load_images(&read_images(&rows, "b")?, &ids, path)?;
        let taps = no_grad(|| vgg.taps(&images, Taps::Second));
        let count = ids.len();
        let mut columns: Vec<Column> = vec![
            ("image_id", strings(&ids)),
            ("frame_id", strings(read_strings(&rows, "frame_id")?)),
            ("crop", int32s(read_int32s(&rows, "crop")?)),
            ("split", strings(read_strings(&rows, "split")?)),
            ("content_digest", strings(read_strings(&rows, "content_digest")?)),
        ];
        for (tap, features) in taps.iter().enumerate() {
            columns.push((GRAM_COLUMNS[tap], gram_column(features, &indices[tap])?));
        }
        table.write(&batch(columns)?)?;
        done += count;
        context.progress(done, total, "images");
        Ok(())
    })?;
    Ok(table.finish()?)
}

/// Which rows are taken: at most `most` training images, chosen by a hash of seed and id, so that
/// new images displace few; all others.
fn choose(path: &Path, most: usize, seed: i64) -> Result<Vec<bool>> {
    let rows = read_columns(path, &["image_id", "split"])?;
    let (ids, splits) = (read_strings(&rows, "image_id")?, read_strings(&rows, "split")?);
    let mut training: Vec<(u64, usize)> = (0..ids.len())
        .filter(|row| splits[*row] == "train")
        .map(|row| (stream(seed, &ids[row], 0).next_u64(), row))
        .collect();
    training.sort_unstable();
    let mut taken = vec![true; ids.len()];
    training.iter().skip(most).for_each(|(_, row)| taken[*row] = false);
    Ok(taken)
}

/// Decodes images of one size to [N, 3, H, W] in [-1, 1].
fn load_images(bytes: &[&[u8]], ids: &[String], path: &Path) -> Result<Tensor> {
    let mut images = Vec::with_capacity(bytes.len());
    for (bytes, id) in bytes.iter().zip(ids) {
        let picture = decode(bytes, id, path)?;
        images.push(to_tensor(&picture));
    }
    Ok(Tensor::stack(&images, 0).to_kind(tch::Kind::Float) / 127.5 - 1.0)
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
