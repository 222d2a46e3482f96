//! Gram matrices of VGG features: the style of every image B.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet::table::{read_batches, row_count};
use image::RgbImage;
use serde::Deserialize;
use tch::{Kind, no_grad};

use crate::columns::{Column, batch, read_images, read_strings, schema, strings, vector, vectors};
use crate::data::{normalised, to_tensor};
use crate::nn::vgg::{CHANNELS, SMALLEST_SIDE, Taps, Vgg};
use crate::overlap::overlap;
use crate::parts::Parts;
use crate::picture::{decode, within};
use crate::style::{GRAM_COLUMNS, gram, triangle};
use crate::worker::{Context, refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    max_side: u32,
    precision: String,
}

/// Rows written together: enough for the writer, few enough for the memory.
const ROWS: usize = 16;

/// An image's key, and the values of its five columns.
type Style = (String, Vec<Vec<f32>>);

/// Runs the stage.
///
/// # Errors
/// When an image is unreadable or too small, or the weights are not a VGG-16's.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let kind = if params.precision == "bf16" { Kind::BFloat16 } else { Kind::Float };
    let vgg = Vgg::load(context.input("vgg")?)?.for_inference(kind);
    let path = context.input("pairs")?;
    let total = row_count(path)? as usize;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(GRAM_COLUMNS.iter().zip(CHANNELS).map(|(name, c)| (*name, vector(triangle(c)))));
    let mut parts = Parts::create(context, "grams", schema(&columns))?;
    let mut pending: Vec<Style> = Vec::with_capacity(ROWS);
    let mut done = 0;
    // An image a thread: nothing waits for the slowest of a batch, sizes may mix, and a row depends
    // on no other and not on the number of threads.
    let workers = (0..context.request.cpus.max(1)).map(|_| {
        let (vgg, max_side) = (vgg.share(), params.max_side);
        move |(id, bytes): (String, Vec<u8>)| {
            tch::set_num_threads(1);
            let picture = within(decode(&bytes, &id, path)?, max_side);
            let grams = style(&vgg, &picture, &id)?;
            Ok((id, grams))
        }
    });
    let read = |give: &mut dyn FnMut((String, Vec<u8>)) -> Result<()>| {
        read_batches(path, &["image_id", "b"], ROWS, |rows| -> Result<()> {
            let ids = read_strings(&rows, "image_id")?;
            ids.into_iter()
                .zip(read_images(&rows, "b")?)
                .try_for_each(|(id, bytes)| give((id, bytes.to_vec())))
        })
    };
    overlap(read, workers.collect(), |row| {
        pending.push(row);
        done += 1;
        if pending.len() == ROWS {
            write(&mut parts, &mut pending)?;
        }
        context.progress(done, total, "images");
        Ok(())
    })?;
    write(&mut parts, &mut pending)?;
    parts.end()
}

/// The upper triangles of an image's Gram matrices.
fn style(vgg: &Vgg, picture: &RgbImage, id: &str) -> Result<Vec<Vec<f32>>> {
    let (width, height) = picture.dimensions();
    if width.min(height) < SMALLEST_SIDE {
        return Err(refusal(
            format!("image `{id}` is {width}x{height}: the network needs {SMALLEST_SIDE} pixels each way"),
            "make the images larger",
        ));
    }
    let image = normalised(&to_tensor(picture).unsqueeze(0));
    let mut grams = Vec::with_capacity(CHANNELS.len());
    no_grad(|| vgg.each_tap(&image, Taps::Second, |features| grams.push(gram(features))));
    grams.into_iter().collect()
}

fn write(parts: &mut Parts, pending: &mut Vec<Style>) -> Result<()> {
    if pending.is_empty() {
        return Ok(());
    }
    let mut columns: Vec<Column> = vec![("image_id", strings(pending.iter().map(|(id, _)| id)))];
    for (tap, name) in GRAM_COLUMNS.into_iter().enumerate() {
        let values = pending.iter().flat_map(|(_, grams)| grams[tap].iter().copied()).collect();
        columns.push((name, vectors(triangle(CHANNELS[tap]), values)?));
    }
    pending.clear();
    parts.write(&batch(columns)?)
}
