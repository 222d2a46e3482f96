//! Linear interpolation between two styles on content images.

use std::iter;

use anyhow::Result;
use callsheet_figures::sheet::{Cell, Row, Sheet};
use callsheet_worker::Job;
use image::RgbImage;
use serde::Deserialize;
use tch::Tensor;

use crate::lib::figures::{BATCH, Shown, between, cells, pictures, remade, save};
use crate::lib::model::{Content, Model, Weights};
use crate::lib::picture::montage;
use crate::lib::video::{Encoder, Format};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    contents: usize,
    steps: i64,
    frames: i64,
    rate: u32,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, there is no validation image, or ffmpeg fails.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let model = Model::trained(job.input("model")?, params.weights)?;
    let shown = Shown::sample(job, &model, params.contents)?;
    let count = shown.pairs.len();
    let styles = pictures(&shown.pairs.b);
    let mut rows = Vec::with_capacity(count);
    for (n, content) in pictures(&shown.pairs.a).into_iter().enumerate() {
        let a = shown.pairs.a.get(n as i64);
        let other = opposite(n, count);
        let [from, to] = [n, other].map(|k| shown.codes.get(k as i64));
        let outputs = remade(&model, &a, &between(&from, &to, params.steps));
        let outputs = cells(outputs).zip(times(params.steps));
        let outputs = outputs.map(|(cell, t)| Cell { caption: format!("t = {t:.2}"), ..cell });
        let ends = [Cell::new(content, "A"), Cell::new(styles[n].clone(), "style 1")];
        let last = iter::once(Cell::new(styles[other].clone(), "style 2"));
        rows.push(Row::plain(ends.into_iter().chain(outputs).chain(last).collect()));
    }
    save(job, "strips", &params.note, &Sheet { title: "Between two styles".into(), rows })?;
    film(job, &model, &shown, &params)
}

/// Returns the image that is half the set away.
fn opposite(n: usize, count: usize) -> usize {
    (n + count / 2) % count
}

/// Returns `steps` evenly spaced values from 0 to 1.
fn times(steps: i64) -> impl Iterator<Item = f64> {
    (0..steps).map(move |step| step as f64 / (steps - 1) as f64)
}

/// Writes the film of all content images side by side, each between two styles.
fn film(job: &Job, model: &Model, shown: &Shown, params: &Params) -> Result<()> {
    let count = shown.pairs.len();
    let columns = (count as f64).sqrt().ceil() as usize;
    let others: Vec<i64> = (0..count).map(|n| opposite(n, count) as i64).collect();
    let others = shown.codes.index_select(0, &Tensor::from_slice(&others));
    let size = [columns, count.div_ceil(columns)].map(|pictures| pictures as u32 * shown.pairs.side() as u32);
    let mut encoder = Encoder::create(job.output("film")?, Format::Mp4, size.into(), params.rate)?;
    let contents: Vec<Content> =
        shown.pairs.a.split(BATCH, 0).iter().map(|part| model.content_of_bytes(part)).collect();
    for (done, t) in times(params.frames).enumerate() {
        let codes = shown.codes.lerp(&others, t).split(BATCH, 0);
        let parts = contents.iter().zip(&codes).map(|(contents, codes)| model.output_of(contents, codes));
        let outputs = Tensor::cat(&parts.collect::<Vec<_>>(), 0);
        let rows: Vec<Vec<Option<RgbImage>>> =
            pictures(&outputs).chunks(columns).map(|row| row.iter().cloned().map(Some).collect()).collect();
        if encoder.frame(montage(&rows).as_raw()).is_err() {
            break; // `finish` returns the error
        }
        job.progress(done + 1, params.frames as usize, "frames");
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_shown_and_styles_are_half_the_set_apart() {
        assert_eq!(times(3).collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
        assert_eq!((0..4).map(|n| opposite(n, 4)).collect::<Vec<_>>(), [2, 3, 0, 1]);
        assert_eq!(opposite(0, 1), 0);
    }
}
