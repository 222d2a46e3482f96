//! `callsheet metrics`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::{print_json_list, print_text, say};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use glob::Pattern;
use serde_json::json;
use textplots::{Chart as Plot, LabelBuilder, LabelFormat, Plot as _, Shape};

use super::candidates;
use super::exit::SUCCESS;
use crate::declare::Project;
use crate::metrics::{Chart, Curve, Curves, Series, charts, curves, drawable, smooth};
use crate::store::{Store, position};
use callsheet_figures::label::number;

/// Width and height of a curve in the terminal, in dots; a character is two dots wide and four dots high.
const DOTS: (u32, u32) = (140, 32);

/// Plot the metrics of stages as curves, in the terminal or as an image
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet metrics                                   the latest run, even while it is running
  callsheet metrics --metric 'error/*' --smooth 0.9   some curves, smoothed by a moving average
  callsheet metrics -o curves.svg                     as an SVG image; .png works, too
  callsheet metrics latest~1 latest -o both.png       two runs in the same panels
  callsheet metrics --stage 'train_jointly@*' --json  all values as JSON

To view a run in TensorBoard: `tensorboard --logdir data/store/runs/RUN/tensorboard`. This folder contains
only the metrics of stages that ran in this run, without those of cached stages.")]
pub(super) struct Metrics {
    /// Runs to plot: ids, prefixes of ids, `latest`, or `latest~1` for the run before the latest
    #[arg(default_value = "latest", add = ArgValueCompleter::new(candidates::runs))]
    runs: Vec<String>,
    /// Plot only stages with this name or pattern, e.g. `train@*`. Repeatable
    #[arg(long, value_name = "PATTERN", add = ArgValueCompleter::new(candidates::stages))]
    stage: Vec<String>,
    /// Plot only metrics with this name or pattern, e.g. `error/*`. Repeatable
    #[arg(long, value_name = "PATTERN")]
    metric: Vec<String>,
    /// Weight of earlier values in an exponential moving average, from 0 (no smoothing) to below 1
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    smooth: f64,
    /// Write the curves to this image file, FILE.png or FILE.svg, instead of the terminal
    #[arg(short, long, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Print the values as JSON, by run, stage, metric and step
    #[arg(long)]
    json: bool,
}

impl Metrics {
    pub(super) fn execute(&self) -> Result<u8> {
        if !(0.0..1.0).contains(&self.smooth) {
            return Err(Error::user_error(
                Code::InvalidValue,
                format!("`{}` is not a valid weight for --smooth", self.smooth),
                "choose a number from 0 to below 1, e.g. 0.9",
            ));
        }
        let found = self.find(&Store::of(&Project::find()?)?)?;
        if self.json {
            let runs: Vec<_> =
                found.iter().map(|(run, stages)| json!({ "run": run, "stages": stages })).collect();
            print_json_list("runs", &runs);
            return Ok(SUCCESS);
        }
        let charts = charts(&found);
        if let Some(path) = &self.output {
            Chart::write(&charts, path)?;
            say(&format!("written to {}", path.display()));
            return Ok(SUCCESS);
        }
        for chart in &charts {
            for Series { name, curve } in &chart.series {
                let last = curve.last_key_value();
                let last = last.map(|(step, value)| format!("{} at {step}", number(*value)));
                print_text(&format!(
                    "{} of {name}: {}\n{}",
                    chart.title.replace(char::is_control, "?"),
                    last.unwrap_or_default(),
                    drawn(chart, curve)
                ));
            }
        }
        Ok(SUCCESS)
    }

    /// Returns the selected curves of each run.
    fn find(&self, store: &Store) -> Result<Vec<(String, Curves)>> {
        let (stages, metrics) = (patterns(&self.stage)?, patterns(&self.metric)?);
        let ids = store.run_ids();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        let mut known = (BTreeSet::new(), BTreeSet::new());
        for run in &self.runs {
            let id = &ids[position(run, &names)?];
            let mut all = curves(store, id, store.run(id).as_ref());
            known.0.extend(all.keys().cloned());
            known.1.extend(all.values().flat_map(|curves| curves.keys().cloned()));
            all.retain(|stage, _| wanted(&stages, stage));
            for curves in all.values_mut() {
                curves.retain(|metric, _| wanted(&metrics, metric));
                curves.values_mut().for_each(|curve| smooth(curve, self.smooth));
            }
            all.retain(|_, curves| !curves.is_empty());
            found.push((id.clone(), all));
        }
        if found.iter().any(|(_, stages)| !stages.is_empty()) {
            return Ok(found);
        }
        let noun = if self.runs.len() == 1 { "run" } else { "runs" };
        let runs = format!("{noun} `{}`", self.runs.join("`, `"));
        if known.0.is_empty() {
            let reported = |id: &&String| !curves(store, id, store.run(id).as_ref()).is_empty();
            let help = match ids.iter().find(reported) {
                Some(id) => format!("the latest run with metrics is {id}: `callsheet metrics {id}`"),
                None => "no run has metrics; a stage in Python reports one by `job.metric(NAME, VALUE)`"
                    .to_owned(),
            };
            return Err(Error::user_error(
                Code::Unsupported,
                format!("no stage of {runs} reported metrics"),
                help,
            ));
        }
        let asked = [("--stage", &self.stage, &known.0), ("--metric", &self.metric, &known.1)];
        let asked = asked.into_iter().filter(|(_, patterns, _)| !patterns.is_empty());
        let help: Vec<String> = asked
            .map(|(option, patterns, known)| {
                format!("{option}: {}", suggest(&patterns[0], known.iter().map(String::as_str)))
            })
            .collect();
        Err(Error::user_error(
            Code::UnknownName,
            format!("no metric of {runs} matches the options"),
            help.join("; "),
        ))
    }
}

fn patterns(words: &[String]) -> Result<Vec<Pattern>> {
    let pattern = |word: &String| {
        Pattern::new(word).map_err(|error| {
            Error::user_error(
                Code::InvalidValue,
                format!("`{word}` is not a valid pattern: {}", error.msg),
                "correct the pattern; its wildcards are `*`, `?` and [abc]",
            )
        })
    };
    words.iter().map(pattern).collect()
}

fn wanted(patterns: &[Pattern], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
}

/// Draws a curve in characters, with the axis ranges of its chart, so that curves of several stages are
/// comparable. Returns an empty text for fewer than two points.
fn drawn(chart: &Chart, curve: &Curve) -> String {
    let (steps, values) = chart.ranges();
    let points: Vec<(f32, f32)> = drawable(curve).map(|(step, value)| (step as f32, value as f32)).collect();
    if points.len() < 2 {
        return String::new();
    }
    let [first, last, low, high] = [steps.start, steps.end, values.start, values.end].map(|v| v as f32);
    let shape = Shape::Lines(&points);
    let mut plot = Plot::new_with_y_range(DOTS.0, DOTS.1, first, last, low, high);
    let plot = plot
        .lineplot(&shape)
        .x_label_format(LabelFormat::Custom(Box::new(|step| format!("{step:.0}"))))
        .y_label_format(LabelFormat::Custom(Box::new(|value| number(f64::from(value)))));
    plot.figures();
    plot.to_string()
}
