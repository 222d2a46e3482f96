//! `callsheet metrics`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::{print_json_list, print_text};
use clap::Args;
use glob::Pattern;
use serde_json::json;
use textplots::{Chart as Plot, LabelBuilder, LabelFormat, Plot as _, Shape};

use super::exit::SUCCESS;
use super::which::store;
use crate::declare::Project;
use crate::metrics::{Chart, Curve, Curves, Series, charts, curves, drawable, smooth};
use crate::store::{Store, position};
use callsheet_figures::label::number;

/// Dots of a curve in the terminal: a character is two wide and four high.
const DOTS: (u32, u32) = (140, 32);

/// Draw the metrics of stages as curves, in the terminal or as a picture
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet metrics                                   the latest run, also while it goes on
  callsheet metrics --metric 'error/*' --smooth 0.9   some curves, as means that forget
  callsheet metrics -o curves.svg                     as a picture; .png, too
  callsheet metrics latest~1 latest -o both.png       two runs in the same panels
  callsheet metrics --stage 'train_jointly@*' --json  every value, for programs

TensorBoard reads what each run itself told from data/store/runs/<run>/tensorboard.")]
pub(super) struct Metrics {
    /// Runs: an id, the beginning of it, `latest`, or `latest~1` for the one before
    #[arg(default_value = "latest")]
    runs: Vec<String>,
    /// Only stages of this name or pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    stage: Vec<String>,
    /// Only what is called so, or like this pattern; may be repeated
    #[arg(long, value_name = "PATTERN")]
    metric: Vec<String>,
    /// Weight of the past in a moving average, from 0 (none) to below 1
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    smooth: f64,
    /// Write a picture instead: PNG or SVG, as its name says
    #[arg(short, long, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Print as JSON: values by run, stage, metric and step
    #[arg(long)]
    json: bool,
}

impl Metrics {
    pub(super) fn execute(&self) -> Result<u8> {
        if !(0.0..1.0).contains(&self.smooth) {
            return Err(Error::refused(
                Code::InvalidValue,
                format!("--smooth {} is no weight", self.smooth),
                "say a number from 0 to below 1, such as 0.9",
            ));
        }
        let found = self.find(&store(&Project::find()?)?)?;
        if self.json {
            let runs: Vec<_> =
                found.iter().map(|(run, stages)| json!({ "run": run, "stages": stages })).collect();
            print_json_list("runs", &runs);
            return Ok(SUCCESS);
        }
        let charts = charts(&found);
        if let Some(path) = &self.output {
            Chart::write(&charts, path)?;
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

    /// The curves that are asked for.
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
        let runs = self.runs.join(", ");
        if known.0.is_empty() {
            let help = "stages report metrics while they run; `callsheet ls --runs` lists the runs";
            return Err(Error::refused(
                Code::Unsupported,
                format!("no stage of {runs} measured anything"),
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
        Err(Error::refused(
            Code::UnknownName,
            format!("nothing that {runs} measured is called so"),
            help.join("; "),
        ))
    }
}

fn patterns(words: &[String]) -> Result<Vec<Pattern>> {
    let pattern = |word: &String| {
        Pattern::new(word).map_err(|error| {
            Error::refused(Code::InvalidValue, format!("`{word}` is not a valid pattern: {error}"), "")
        })
    };
    words.iter().map(pattern).collect()
}

fn wanted(patterns: &[Pattern], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
}

/// A curve in characters, in the ranges of its chart, so that those of several stages compare; nothing of a point.
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
