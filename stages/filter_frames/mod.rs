//! Frames under filters: recordings in known styles.

mod filter;

use std::path::Path;

use anyhow::Result;
use arrow::record_batch::RecordBatch;
use callsheet_worker::table::{TableWriter, read_batches, row_count};
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{
    Column, batch, float64s, images, int32s, read_images, read_strings, schema_of, strings, write_table,
};
use crate::lib::picture::{content_digest, decode, encode_png, square_crop};
use filter::{Applied, Filter};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    filters: Vec<Filter>,
    side: u32,
    seed: i64,
}

/// Columns of the table of frames.
const COLUMNS: [&str; 8] =
    ["frame_id", "video", "frame_index", "time_s", "width", "height", "content_digest", "image"];

/// Runs the stage.
///
/// # Errors
/// Returns an error if `filters` or the table of frames is empty, or if a frame cannot be decoded.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    if params.filters.is_empty() {
        return Err(user_error("`filters` is empty", "name at least one filter"));
    }
    let path = job.input("frames")?;
    let total = row_count(path)? as usize;
    let mut table: Option<TableWriter> = None;
    let mut styles: Vec<(String, Applied)> = Vec::with_capacity(total);
    read_batches(path, &COLUMNS, rayon::current_num_threads(), |rows| -> Result<()> {
        let ids = read_strings(&rows, "frame_id")?;
        let drawn: Vec<Applied> =
            ids.iter().map(|id| Applied::draw(&params.filters, params.seed, id)).collect();
        let columns = columns(&rows, &ids, &pictures(&rows, &ids, &drawn, &params, path)?)?;
        let table = match &mut table {
            Some(table) => table,
            none => none.insert(job.table("frames", schema_of(&columns))?),
        };
        table.write(&batch(columns)?)?;
        styles.extend(ids.into_iter().zip(drawn));
        job.progress(styles.len(), total, "frames");
        Ok(())
    })?;
    let Some(table) = table else {
        return Err(user_error(format!("`{}` has no frames", path.display()), "extract frames of a video"));
    };
    table.finish()?;
    write_table(
        job,
        "styles",
        vec![
            ("frame_id", strings(styles.iter().map(|(id, _)| id))),
            ("mode", strings(styles.iter().map(|(_, applied)| applied.filter.name()))),
            ("strength", float64s(styles.iter().map(|(_, applied)| applied.strength))),
        ],
    )
}

/// Pictures of the rows with their filters.
fn pictures(
    rows: &RecordBatch,
    ids: &[String],
    drawn: &[Applied],
    params: &Params,
    path: &Path,
) -> Result<Vec<RgbImage>> {
    let read = read_images(rows, "image")?.into_par_iter().zip(ids).zip(drawn);
    let filtered = read.map(|((bytes, id), applied)| {
        let picture = decode(bytes, id, path)?;
        let picture = if params.side > 0 { square_crop(&picture, 0, 1, params.side)? } else { picture };
        Ok(applied.to(picture, params.seed, id))
    });
    filtered.collect()
}

/// The rows with other pictures.
fn columns(rows: &RecordBatch, ids: &[String], pictures: &[RgbImage]) -> Result<Vec<Column>> {
    let names: Vec<String> = ids.iter().map(|id| format!("{id}.png")).collect();
    let pngs: Vec<Vec<u8>> = pictures.par_iter().map(encode_png).collect::<Result<_>>()?;
    let digests: Vec<String> = pictures.par_iter().map(content_digest).collect();
    let column = |name: &'static str| {
        let column = match name {
            "width" => int32s(pictures.iter().map(|picture| picture.width() as i32)),
            "height" => int32s(pictures.iter().map(|picture| picture.height() as i32)),
            "content_digest" => strings(&digests),
            "image" => images(&pngs, &names)?,
            _ => rows[name].clone(),
        };
        Ok((name, column))
    };
    COLUMNS.into_iter().map(column).collect()
}
