//! Pairs from images with two halves side by side.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use arrow::datatypes::DataType;
use callsheet::table::{image_type, read_columns};
use image::RgbImage;
use serde::Deserialize;

use crate::columns::{batch, bools, float64s, images, int32s, read_bools, read_strings, schema, strings};
use crate::nn::generator::SIDE_MULTIPLE;
use crate::overlap::overlap;
use crate::parts::Parts;
use crate::picture::{content_digest, encode_png, halves, read, square_crop};
use crate::worker::{Context, refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    content: String,
    side: u32,
}

/// Rows written together: enough for the writer, few enough for the memory.
const ROWS: usize = 64;

/// A row of the list.
struct Image {
    id: String,
    file: String,
    split: String,
    for_style: bool,
}

/// A picture's file, and the digest of its pixels.
type Encoded = (Vec<u8>, String);

/// A row of the table.
struct Pair {
    image: Image,
    a: Encoded,
    b: Encoded,
}

/// Runs the stage.
///
/// # Errors
/// When a file is unreadable, or does not halve.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    if !params.side.is_multiple_of(SIDE_MULTIPLE as u32) {
        return Err(refusal(
            format!("side = {} cannot be halved as often as the generator does", params.side),
            format!("set pair_images.side to a multiple of {SIDE_MULTIPLE}, or to 0"),
        ));
    }
    let listed = list(context.input("images")?)?;
    let total = listed.len();
    let files = context.files("files")?;
    let paths: HashMap<&str, &Path> =
        files.names.iter().map(String::as_str).zip(files.paths.iter().map(|path| path.as_path())).collect();
    let mut parts = Parts::create(context, "pairs", pair_schema())?;
    let (mut pending, mut done): (Vec<Pair>, usize) = (Vec::with_capacity(ROWS), 0);
    let workers = (0..context.request.cpus.max(1)).map(|_| {
        |image: Image| {
            let path = paths.get(image.file.as_str());
            let path = path.ok_or_else(|| anyhow!("no file is named `{}`", image.file))?;
            pair(image, path, &params)
        }
    });
    let list = |give: &mut dyn FnMut(Image) -> Result<()>| listed.into_iter().try_for_each(give);
    overlap(list, workers.collect(), |pair| {
        pending.push(pair);
        done += 1;
        if pending.len() == ROWS {
            write(&mut parts, std::mem::take(&mut pending))?;
            context.progress(done, total, "images");
        }
        Ok(())
    })?;
    write(&mut parts, pending)?;
    parts.end()
}

fn list(path: &Path) -> Result<Vec<Image>> {
    let rows = read_columns(path, &["image_id", "file", "split", "for_style"])?;
    let (ids, files) = (read_strings(&rows, "image_id")?, read_strings(&rows, "file")?);
    let (splits, for_style) = (read_strings(&rows, "split")?, read_bools(&rows, "for_style")?);
    let names = ids.into_iter().zip(files).zip(splits.into_iter().zip(for_style));
    Ok(names.map(|((id, file), (split, for_style))| Image { id, file, split, for_style }).collect())
}

fn pair(image: Image, path: &Path, params: &Params) -> Result<Pair> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (left, right) = halves(&read(&bytes, path)?, path)?;
    let (a, b) = if params.content == "left" { (left, right) } else { (right, left) };
    let encode = |half: RgbImage| -> Result<Encoded> {
        let half = if params.side > 0 { square_crop(&half, 0, 1, params.side)? } else { half };
        Ok((encode_png(&half)?, content_digest(&half)))
    };
    Ok(Pair { a: encode(a)?, b: encode(b)?, image })
}

fn write(parts: &mut Parts, pairs: Vec<Pair>) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let (listed, halves): (Vec<Image>, Vec<(Encoded, Encoded)>) =
        pairs.into_iter().map(|pair| (pair.image, (pair.a, pair.b))).unzip();
    let (a, b): (Vec<Encoded>, Vec<Encoded>) = halves.into_iter().unzip();
    let (a, a_digests): (Vec<_>, Vec<_>) = a.into_iter().unzip();
    let (b, digests): (Vec<_>, Vec<_>) = b.into_iter().unzip();
    let ids = || listed.iter().map(|image| &image.id);
    let names = |half: &str| ids().map(|id| format!("{id}.{half}.png")).collect::<Vec<_>>();
    parts.write(&batch(vec![
        ("image_id", strings(ids())),
        ("frame_id", strings(ids())),
        ("crop", int32s(listed.iter().map(|_| 0))),
        ("split", strings(listed.iter().map(|image| &image.split))),
        ("time_s", float64s(listed.iter().map(|_| 0.0))),
        ("for_style", bools(listed.iter().map(|image| image.for_style))),
        ("content_digest", strings(&digests)),
        ("a_digest", strings(&a_digests)),
        ("a", images(&a, &names("a"))?),
        ("b", images(&b, &names("b"))?),
    ])?)
}

fn pair_schema() -> arrow::datatypes::Schema {
    schema(&[
        ("image_id", DataType::Utf8),
        ("frame_id", DataType::Utf8),
        ("crop", DataType::Int32),
        ("split", DataType::Utf8),
        ("time_s", DataType::Float64),
        ("for_style", DataType::Boolean),
        ("content_digest", DataType::Utf8),
        ("a_digest", DataType::Utf8),
        ("a", image_type()),
        ("b", image_type()),
    ])
}
