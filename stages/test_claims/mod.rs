//! Tests of claims about methods that were evaluated on the same images.

mod claim;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::compare_methods::bootstrap::{Group, interval};
use crate::compare_methods::{Method, check, frames};
use crate::lib::columns::{Column, batch, float64s, int32s, schema_of, strings};
use crate::lib::metrics::METRICS;
use callsheet_worker::Job;
use claim::{Claim, Side, Slack};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    resamples: usize,
    seed: i64,
}

/// Metric by which claims are tested: its name, true if larger values are better, and its slack.
type Measure = (&'static str, bool, fn(Slack) -> f64);

const MEASURES: [Measure; 2] =
    [("psnr", true, |slack| slack.psnr), ("distance", false, |slack| slack.distance)];

/// Verdict on a claim by one metric.
struct Tested {
    claim: String,
    metric: &'static str,
    sides: [String; 2],
    /// Mean difference and ends of its interval.
    difference: [f64; 3],
    slack: f64,
    holds: &'static str,
    images: i32,
    /// Number of repetitions of the side that has fewer.
    repetitions: i32,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a claim names a method that was not measured, or if methods were measured differently.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let methods = Method::all(job)?;
    check(&methods)?;
    let frames = frames(job)?;
    let mut tested = Vec::new();
    for path in &job.files("claims")?.paths {
        for claim in Claim::read(path)? {
            for measure in MEASURES {
                tested.push(test((path, &claim), measure, &methods, &frames, &params)?);
            }
        }
    }
    let strings_of = |of: fn(&Tested) -> &str| strings(tested.iter().map(of));
    let floats_of = |of: fn(&Tested) -> f64| float64s(tested.iter().map(of));
    let columns: Vec<Column> = vec![
        ("claim", strings_of(|t| &t.claim)),
        ("holds", strings_of(|t| t.holds)),
        ("metric", strings_of(|t| t.metric)),
        ("better", strings_of(|t| &t.sides[0])),
        ("than", strings_of(|t| &t.sides[1])),
        ("difference", floats_of(|t| t.difference[0])),
        ("difference_low", floats_of(|t| t.difference[1])),
        ("difference_high", floats_of(|t| t.difference[2])),
        ("slack", floats_of(|t| t.slack)),
        ("images", int32s(tested.iter().map(|t| t.images))),
        ("repetitions", int32s(tested.iter().map(|t| t.repetitions))),
    ];
    let mut table = job.table("claims", schema_of(&columns))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

fn test(
    (path, claim): (&Path, &Claim),
    (metric, up, slack): Measure,
    methods: &[Method],
    frames: &BTreeMap<String, String>,
    params: &Params,
) -> Result<Tested> {
    let at = METRICS.iter().position(|known| *known == metric).context("unknown metric")?;
    let find = |side: &Side| side.find(methods, at, up).with_context(|| format!("`{}`", path.display()));
    let sides = [&claim.better, &claim.than].map(find);
    let [better, than] = sides;
    let (better, than) = (better?, than?);
    let (ours, theirs) = (better.means(at), than.means(at));
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    let mut images = 0;
    for (id, value) in &ours {
        // If one method reconstructed an image exactly, its PSNR is infinite and the image has no finite
        // difference.
        let Some(other) = theirs.get(id) else { continue };
        let frame = frames.get(*id).with_context(|| format!("image {id} is not among the pairs"))?;
        let group = groups.entry(frame).or_default();
        *group = (group.0 + value - other, group.1 + 1);
        images += 1;
    }
    let groups: Vec<Group> = groups.into_values().collect();
    let difference = interval(&groups, params.resamples, params.seed);
    let slack = slack(claim.slack);
    let sides = [better, than].map(Method::shown);
    let holds = verdict(difference, up, slack);
    let repetitions = better.tables.len().min(than.tables.len()) as i32;
    Ok(Tested { claim: claim.claim.clone(), metric, sides, difference, slack, holds, images, repetitions })
}

/// Returns the verdict on a difference with the ends of its interval: an improvement must exceed `-slack`.
fn verdict([_, low, high]: [f64; 3], up: bool, slack: f64) -> &'static str {
    let (worst, best) = if up { (low, high) } else { (-high, -low) };
    match (worst > -slack, best < -slack) {
        (true, _) => "yes",
        (_, true) => "no",
        // This includes the case without an interval.
        _ => "undecided",
    }
}
