//! Information in style codes: about the style, which is desired, and about the content, which is not.

pub(crate) mod agreement;
mod probes;
mod ridge;
mod sample;
mod scores;
mod spaces;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Result;
use image::RgbImage;
use serde::Deserialize;

use crate::lib::codes::factors::{self, FACTORS, Style};
use crate::lib::codes::{Codes, Points};
use crate::lib::columns::{float64s, int32s, strings, write_table};
use callsheet_worker::{Job, user_error};
use probes::{Probe, Subject};
use sample::Sample;
use scores::Bootstrap;
use spaces::Space;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    lambda: f64,
    weighting: String,
    neighbours: usize,
    resamples: usize,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a code is not finite, an image or its frame is unknown, or a split has fewer than two
/// frames.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let codes = Codes::read(job.input("embeddings")?, job.input("pairs")?)?;
    let sample = Sample::of(&codes)?;
    let styles = job.optional("factors").map(|path| factors::read(path, &codes.frame_ids)).transpose()?;
    if styles.is_none() {
        job.info("no factors are wired: the style itself is not known, so it is not probed");
    }
    let colours = codes.map_styles(job, |picture| Ok(mean_colour(&picture)))?;
    let colours = Points::new(3, colours.into_iter().flatten().collect());
    let spaces = if styles.is_some() { other_spaces(job, &params.weighting, &codes)? } else { Vec::new() };
    let searched = searched(&spaces, &codes, &sample)?;
    let bootstrap = Bootstrap { resamples: params.resamples, seed: params.seed };
    let subject = |code, points| Subject {
        code,
        points,
        codes: &codes,
        sample: &sample,
        searched: &searched,
        lambda: params.lambda,
        bootstrap,
    };
    // Without styles, no retrieval is probed.
    let findable = styles.as_ref().map(|_| subject("style", &codes.points).findable());
    let neighbours = findable.map_or(params.neighbours, |found| neighbours(job, params.neighbours, found));
    let pretrained = job.optional("pretrained").map(|path| pretrained(path, job, &codes)).transpose()?;
    let pretrained = pretrained.as_ref().map(|points| ("pre-trained style", points));
    let mut probes = Vec::new();
    for (code, points) in
        [("style", &codes.points)].into_iter().chain(pretrained).chain([("mean colour", &colours)])
    {
        probes.extend(of_code(job, &subject(code, points), styles.as_deref(), neighbours)?);
    }
    for (code, space) in spaces {
        let styles = styles.as_deref().unwrap_or_default();
        probes.push(subject(code, &codes.points).retrieval(&space, styles, neighbours));
    }
    if let (Some(styles), Some(path)) = (&styles, job.optional("clusters")) {
        probes.extend(probes::clusters(&codes, &codes.clusters(path)?, styles));
    }
    write(job, &probes)
}

/// Codes of the pre-trained encoder, in the order of the other codes.
///
/// # Errors
/// Returns an error if the table cannot be read, or has codes of other images.
fn pretrained(path: &Path, job: &Job, codes: &Codes) -> Result<Points> {
    let found = Codes::read(path, job.input("pairs")?)?;
    if found.image_ids == codes.image_ids {
        return Ok(found.points);
    }
    Err(user_error(
        format!("`{}` has codes of other images than `embeddings`", path.display()),
        "compute both with embed_styles from the same pairs",
    ))
}

/// Representations that only the probe `retrieval` is applied to.
fn other_spaces(job: &Job, weighting: &str, codes: &Codes) -> Result<Vec<(&'static str, Space)>> {
    let mut found = Vec::new();
    if let Some(grams) = job.optional("grams") {
        found.push(("style distance", spaces::style(job, grams, codes, weighting)?));
    }
    if let Some(features) = job.optional("features") {
        found.extend(spaces::references(features, codes)?);
    }
    Ok(found)
}

/// Images that are in all spaces, so that every retrieval searches the same images.
///
/// # Errors
/// Returns an error if a validation image is missing.
fn searched(spaces: &[(&str, Space)], codes: &Codes, sample: &Sample) -> Result<Vec<bool>> {
    let mut searched = vec![true; codes.len()];
    for (name, space) in spaces {
        let known = space.known();
        if let Some(row) = sample.val.iter().find(|row| !known[**row]) {
            return Err(user_error(
                format!("the image {} has no {name}", codes.image_ids[*row]),
                "compute features and codes from the same pairs",
            ));
        }
        searched.iter_mut().zip(known).for_each(|(searched, known)| *searched &= known);
    }
    Ok(searched)
}

/// Number of neighbours in retrievals: at most the number of images that can be found, and at least one.
fn neighbours(job: &Job, wanted: usize, findable: usize) -> usize {
    if wanted > findable {
        job.warn(format!("neighbours is {wanted}, but only {findable} images are of other frames"));
    }
    wanted.min(findable).max(1)
}

fn of_code(job: &Job, subject: &Subject, styles: Option<&[Style]>, k: usize) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    if let Some(styles) = styles {
        let known = |factor: usize| styles.iter().any(|style| !style.factors[factor].is_nan());
        for (factor, (name, _)) in FACTORS.into_iter().enumerate().filter(|(factor, _)| known(*factor)) {
            match subject.factor(factor, styles)? {
                Some(probe) => probes.push(probe),
                None => job.warn(format!("{name} does not vary in the split val, so it is not probed")),
            }
        }
        probes.push(subject.retrieval(&Space::of_points(subject.points), styles, k));
    }
    match subject.leakage()? {
        Some(probe) => probes.push(probe),
        None => job.info("the splits have no crop in common, so the content is not probed"),
    }
    Ok(probes)
}

/// Baseline that describes very little of a style: the mean of each channel, 0 to 255.
fn mean_colour(picture: &RgbImage) -> [f64; 3] {
    let mut sums = [0u64; 3];
    for pixel in picture.pixels() {
        sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += u64::from(value));
    }
    let pixels = f64::from(picture.width()) * f64::from(picture.height());
    sums.map(|sum| sum as f64 / pixels)
}

fn write(job: &Job, probes: &[Probe]) -> Result<()> {
    write_table(
        job,
        "probes",
        vec![
            ("code", strings(probes.iter().map(|probe| probe.code))),
            ("probe", strings(probes.iter().map(|probe| probe.probe))),
            ("target", strings(probes.iter().map(|probe| probe.target))),
            ("measure", strings(probes.iter().map(|probe| &probe.measure))),
            ("evaluated_on", strings(probes.iter().map(|probe| probe.evaluated_on))),
            ("value", float64s(probes.iter().map(|probe| probe.figure[0]))),
            ("value_low", float64s(probes.iter().map(|probe| probe.figure[1]))),
            ("value_high", float64s(probes.iter().map(|probe| probe.figure[2]))),
            ("chance", float64s(probes.iter().map(|probe| probe.chance))),
            ("images", int32s(probes.iter().map(|probe| probe.images as i32))),
            ("frames", int32s(probes.iter().map(|probe| probe.frames as i32))),
        ],
    )
}
