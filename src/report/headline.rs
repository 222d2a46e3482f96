//! First sentence of a report, and its comparison: the best own method against the best baseline.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use callsheet_figures::label::number;
use callsheet_worker::error::Result;
use callsheet_worker::table::as_text;
use maud::{Markup, html};

use super::cells::{NONE, spread};
use crate::declare::{Direction, HeadlineDecl, LABEL, MeasureDecl};

/// Largest number of rows that are compared; a larger table has no comparison.
const MOST: u64 = 10_000;
/// Largest number of rows that are shown, the best ones by the first measure.
const SHOWN: usize = 24;

/// Comparison that a table declares.
pub(super) struct Headline {
    /// First sentence of the report.
    pub sentence: String,
    rows: Vec<Row>,
    measures: Vec<Measure>,
    baselines: Vec<String>,
    note: String,
}

/// Row of the comparison.
struct Row {
    label: String,
    group: String,
    /// Value and interval of each measure.
    values: Vec<(f64, Option<[f64; 2]>)>,
}

struct Measure {
    name: String,
    unit: String,
    better: Direction,
}

impl Headline {
    /// Reads the comparison from the table at `path`. Returns none if it has no own row, or no value.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read.
    pub(super) fn read(path: &Path, decl: &HeadlineDecl) -> Result<Option<Self>> {
        let (batches, total) = spread(path, MOST)?;
        if total > MOST {
            return Ok(None);
        }
        let rows: Vec<Row> = batches.iter().flat_map(|batch| rows(batch, decl)).collect();
        let measures = decl.measures.iter().map(|measure| Measure {
            name: name_of(&batches, measure),
            unit: measure.unit.clone(),
            better: measure.better,
        });
        let measures: Vec<Measure> = measures.collect();
        let own = decl.own.iter().find(|group| rows.iter().any(|row| row.group == **group));
        let Some(own) = own else { return Ok(None) };
        let is_baseline = |row: &&Row| decl.baselines.contains(&row.group);
        let of_own: Vec<&Row> = rows.iter().filter(|row| row.group == *own).collect();
        let baselines: Vec<&Row> = rows.iter().filter(is_baseline).collect();
        let by_first = (0..measures.len()).find_map(|n| best(&of_own, &measures, n));
        let Some(subject) = by_first else { return Ok(None) };
        let name = decl.subject.replace(LABEL, &subject.label);
        let sentence = sentence((&name, subject), &baselines, &measures);
        Ok(Some(Self {
            sentence,
            rows,
            measures,
            baselines: decl.baselines.clone(),
            note: decl.note.clone(),
        }))
    }

    /// Table of the rows; the best value of each measure is marked.
    pub(super) fn table(&self) -> Markup {
        let all: Vec<&Row> = self.rows.iter().collect();
        let best: Vec<Option<f64>> = (0..self.measures.len())
            .map(|n| best(&all, &self.measures, n).map(|row| row.values[n].0))
            .collect();
        html! {
            div.wide tabindex="0" role="region" aria-label="comparison" {
                table.comparison {
                    thead { tr {
                        th scope="col" { "method" }
                        @for measure in &self.measures { th scope="col" { (measure.title()) } }
                    } }
                    tbody { @for row in self.shown() { tr {
                        th scope="row" {
                            (row.label)
                            @if self.baselines.contains(&row.group) { " " small { "baseline" } }
                        }
                        @for ((value, interval), best) in row.values.iter().zip(&best) {
                            td.best[Some(*value) == *best] {
                                (shown(*value))
                                @if let Some([low, high]) = interval { " " small { (shown(*low)) "–" (shown(*high)) } }
                            }
                        }
                    } } }
                }
            }
            @if !self.note.is_empty() { p.note { (self.note) } }
            @if all.len() > SHOWN { p.note { "The best " (SHOWN) " of " (all.len()) " rows by the first measure." } }
        }
    }

    /// Rows in the order of the table or, if there are many, the best ones by the first measure.
    fn shown(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        if rows.len() > SHOWN {
            let value = |row: &Row| {
                let value = row.values[0].0;
                let value = if self.measures[0].better == Direction::Higher { -value } else { value };
                if value.is_nan() { f64::INFINITY } else { value }
            };
            rows.sort_by(|a, b| value(a).total_cmp(&value(b)));
            rows.truncate(SHOWN);
        }
        rows
    }
}

impl Measure {
    /// Name with unit and direction: `PSNR in dB ↑`.
    fn title(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" in {}", self.unit) };
        let arrow = if self.better == Direction::Higher { "↑" } else { "↓" };
        format!("{}{unit} {arrow}", self.name)
    }

    /// Name without details in parentheses.
    fn short(&self) -> &str {
        self.name.split_once(" (").map_or(&self.name, |(name, _)| name)
    }

    fn is_better(&self, one: f64, other: f64) -> bool {
        if self.better == Direction::Higher { one > other } else { one < other }
    }

    fn with_unit(&self, value: f64) -> String {
        format!("{} {}", shown(value), self.unit).trim_end().to_owned()
    }
}

/// Row with the best value of the n-th measure.
fn best<'a>(rows: &[&'a Row], measures: &[Measure], n: usize) -> Option<&'a Row> {
    let mut found: Option<&Row> = None;
    for row in rows.iter().filter(|row| !row.values[n].0.is_nan()) {
        if found.is_none_or(|found| measures[n].is_better(row.values[n].0, found.values[n].0)) {
            found = Some(row);
        }
    }
    found
}

/// Sentence that names the measures in which the subject is better than every baseline, and those in which it is not.
fn sentence((label, subject): (&str, &Row), baselines: &[&Row], measures: &[Measure]) -> String {
    let (mut ahead, mut behind, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for (n, measure) in measures.iter().enumerate() {
        let (own, interval) = subject.values[n];
        if own.is_nan() {
            continue;
        }
        let Some(rival) = best(baselines, measures, n) else {
            alone.push(format!("{} {}", measure.short(), measure.with_unit(own)));
            continue;
        };
        let (value, other) = rival.values[n];
        let overlaps = interval.zip(other).is_some_and(|(a, b)| a[0] <= b[1] && b[0] <= a[1]);
        let note = if overlaps { "; the intervals overlap" } else { "" };
        let facts = format!(
            "{} ({}; {}: {}{note})",
            measure.short(),
            measure.with_unit(own),
            rival.label,
            measure.with_unit(value)
        );
        if measure.is_better(own, value) { ahead.push(facts) } else { behind.push(facts) }
    }
    let compared = match (ahead.is_empty(), behind.is_empty()) {
        (true, true) => return format!("{label}: {}.", alone.join(", ")),
        (false, true) => format!("{label} is better than every baseline in {}", joined(&ahead)),
        (false, false) => {
            let (ahead, behind) = (joined(&ahead), joined(&behind));
            format!("{label} is better than every baseline in {ahead}, but not in {behind}")
        }
        (true, false) => format!("{label} is not better than the best baseline in {}", joined(&behind)),
    };
    if alone.is_empty() {
        return format!("{compared}.");
    }
    format!("{compared}. Without a value of a baseline: {}.", alone.join(", "))
}

/// Texts in a sentence: `a`, `a and b`, `a, b and c`.
fn joined(texts: &[String]) -> String {
    match texts {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => texts.concat(),
    }
}

fn shown(value: f64) -> String {
    match value {
        value if value.is_nan() => NONE.to_owned(),
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        value => number(value),
    }
}

fn rows(batch: &RecordBatch, decl: &HeadlineDecl) -> Vec<Row> {
    let text = |name: &str, row: usize| cell(batch, name, row);
    let value = |name: &str, row: usize| {
        let column = batch.column_by_name(name).and_then(|column| cast(column, &DataType::Float64).ok());
        let column = column.filter(|column| column.is_valid(row));
        column.map_or(f64::NAN, |column| column.as_primitive::<Float64Type>().value(row))
    };
    let values = |row: usize| {
        decl.measures.iter().map(move |measure| {
            let end = |end: &str| value(&format!("{}_{end}", measure.column), row);
            let interval = [end("low"), end("high")];
            (value(&measure.column, row), interval.iter().all(|end| !end.is_nan()).then_some(interval))
        })
    };
    let label = |row: usize| {
        let named =
            decl.label.iter().map(|name| (name, text(name, row))).filter(|(_, text)| !text.is_empty());
        let all: Vec<(&String, String)> = named.collect();
        // A name does not say that a row is a baseline, unless nothing else names the row.
        let is_group = |name: &String, text: &String| *name == decl.group && decl.baselines.contains(text);
        let own: Vec<&str> =
            all.iter().filter(|(name, text)| !is_group(name, text)).map(|(_, text)| text.as_str()).collect();
        match (own.is_empty(), all.first()) {
            (false, _) => own.join(", "),
            (true, Some((_, text))) => text.clone(),
            (true, None) => "(unnamed)".to_owned(),
        }
    };
    (0..batch.num_rows())
        .map(|row| Row { label: label(row), group: text(&decl.group, row), values: values(row).collect() })
        .collect()
}

/// Text of a cell; empty if the column or the value is missing.
pub(super) fn cell(batch: &RecordBatch, name: &str, row: usize) -> String {
    let texts = batch.column_by_name(name).and_then(|column| as_text(column).ok());
    let texts = texts.filter(|texts| texts.is_valid(row));
    texts.map(|texts| texts.as_string::<i32>().value(row).to_owned()).unwrap_or_default()
}

fn name_of(batches: &[RecordBatch], measure: &MeasureDecl) -> String {
    let told = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let told = told.map(|(batch, row)| cell(batch, &measure.name_column, row)).find(|name| !name.is_empty());
    let named = Some(measure.name.clone()).filter(|name| !name.is_empty());
    told.or(named).unwrap_or_else(|| measure.column.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, group: &str, values: &[f64]) -> Row {
        let values = values.iter().map(|value| (*value, Some([value - 0.1, value + 0.1]))).collect();
        Row { label: label.into(), group: group.into(), values }
    }

    fn measures() -> Vec<Measure> {
        let measure =
            |name: &str, unit: &str, better| Measure { name: name.into(), unit: unit.into(), better };
        vec![measure("accuracy", "%", Direction::Higher), measure("error", "", Direction::Lower)]
    }

    #[test]
    fn the_sentence_says_in_which_measures_a_baseline_is_better() {
        let constant = row("constant", "baseline", &[50.0, 0.3]);
        let other = row("nearest", "baseline", &[60.0, 0.9]);
        let told = |values: &[f64]| {
            sentence(("ours", &row("ours", "own", values)), &[&constant, &other], &measures())
        };
        assert_eq!(
            told(&[70.0, 2.0]),
            "ours is better than every baseline in accuracy (70.00 %; nearest: 60.00 %), but not in error (2.00; \
             constant: 0.3000)."
        );
        assert_eq!(
            told(&[60.05, 0.05]),
            "ours is better than every baseline in accuracy (60.05 %; nearest: 60.00 %; the intervals overlap) and error \
             (0.0500; constant: 0.3000)."
        );
        assert!(
            told(&[10.0, 2.0]).starts_with("ours is not better than the best baseline in accuracy (10.00 %")
        );
        let alone = sentence(("ours", &row("ours", "own", &[70.0, f64::NAN])), &[], &measures());
        assert_eq!(alone, "ours: accuracy 70.00 %.");
        let unmeasured = row("unmeasured", "baseline", &[f64::NAN, 0.3]);
        let half = sentence(("ours", &row("ours", "own", &[70.0, 0.2])), &[&unmeasured], &measures());
        assert_eq!(
            half,
            "ours is better than every baseline in error (0.2000; unmeasured: 0.3000; the intervals overlap). Without a \
             value of a baseline: accuracy 70.00 %."
        );
    }
}
