//! Comparison of probes of several variants.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};

use crate::compare_methods::{deviation, name};
use crate::lib::columns::{float64s, int32s, read_float64s, read_int32s, read_strings, strings, write_table};

/// Text columns that, with the variant, identify a measured value.
const KEY: [&str; 4] = ["code", "probe", "target", "measure"];

/// A measured value, with one entry per repetition.
struct Measured {
    variant: String,
    key: [String; KEY.len()],
    values: Vec<f64>,
    ends: [Vec<f64>; 2],
    chance: f64,
    images: i32,
    frames: i32,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a table cannot be read, or repetitions were evaluated on different images.
pub(crate) fn run(job: &Job) -> Result<()> {
    let input = job.files("probes")?;
    let names = input.values.iter().map(name).chain(std::iter::repeat(String::new()));
    let mut all: Vec<Measured> = Vec::new();
    for (path, variant) in input.paths.iter().zip(names) {
        for found in read(path, &variant)? {
            match all.iter_mut().find(|one| one.variant == variant && one.key == found.key) {
                Some(one) => one.repeat(found)?,
                None => all.push(found),
            }
        }
    }
    let [low, high] = [0, 1].map(|end| float64s(all.iter().map(|one| mean(&one.ends[end]))));
    let mut columns = vec![("variant", strings(all.iter().map(|one| &one.variant)))];
    columns.extend(
        KEY.into_iter().enumerate().map(|(at, name)| (name, strings(all.iter().map(|one| &one.key[at])))),
    );
    columns.extend([
        ("repetitions", int32s(all.iter().map(|one| one.values.len() as i32))),
        ("value", float64s(all.iter().map(|one| mean(&one.values)))),
        ("value_low", low),
        ("value_high", high),
        ("value_deviation", float64s(all.iter().map(|one| deviation(&one.values)))),
        ("chance", float64s(all.iter().map(|one| one.chance))),
        ("images", int32s(all.iter().map(|one| one.images))),
        ("frames", int32s(all.iter().map(|one| one.frames))),
    ]);
    write_table(job, "probes", columns)
}

/// Values of a table of probe_style.
fn read(path: &Path, variant: &str) -> Result<Vec<Measured>> {
    let rows = read_columns(path, &[])?;
    let texts = KEY.map(|name| read_strings(&rows, name));
    let [codes, probes, targets, measures] = texts;
    let (codes, probes, targets, measures) = (codes?, probes?, targets?, measures?);
    let [values, lows, highs, chances] =
        ["value", "value_low", "value_high", "chance"].map(|name| read_float64s(&rows, name));
    let (values, lows, highs, chances) = (values?, lows?, highs?, chances?);
    let (images, frames) = (read_int32s(&rows, "images")?, read_int32s(&rows, "frames")?);
    let measured = |n: usize| Measured {
        variant: variant.to_owned(),
        key: [&codes, &probes, &targets, &measures].map(|texts| texts[n].clone()),
        values: vec![values[n]],
        ends: [vec![lows[n]], vec![highs[n]]],
        chance: chances[n],
        images: images[n],
        frames: frames[n],
    };
    Ok((0..values.len()).map(measured).collect())
}

impl Measured {
    /// Adds the entries of a repetition.
    ///
    /// # Errors
    /// Returns an error if it was evaluated on other images.
    fn repeat(&mut self, other: Self) -> Result<()> {
        let evaluated_on = |one: &Self| (one.images, one.frames, one.chance.to_bits());
        if evaluated_on(self) != evaluated_on(&other) {
            let [code, _, target, measure] = &self.key;
            return Err(user_error(
                format!(
                    "repetitions of `{}` differ in their images: {code}, {target}, {measure} was measured on {} images of \
                     {} frames, and on {} images of {} frames",
                    self.variant, self.images, self.frames, other.images, other.frames
                ),
                "let repetitions differ only in `seed`",
            ));
        }
        self.values.extend(other.values);
        self.ends.iter_mut().zip(other.ends).for_each(|(ends, more)| ends.extend(more));
        Ok(())
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
