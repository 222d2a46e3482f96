//! Changes between runs for readers: parameters, and last values of metrics with their differences.

use std::collections::{BTreeMap, BTreeSet};

use callsheet_figures::label::{letter, number};
use maud::{Markup, html};

use super::differences::{differences, last_values};
use super::subject::{Done, Subject};
use crate::store::Store;

/// Text of a value that a run does not have.
const NONE: &str = "–";

/// Tables of changed parameters and of metrics, and the complete differences with digests, which are folded.
pub(super) fn changes(store: &Store, subjects: &[Subject]) -> Markup {
    let changed = parameters(subjects);
    html! {
        h2 { "Changed parameters" }
        @if changed.is_empty() { p { "No parameter differs between results that these runs have." } } @else {
            (table("stage and parameter", subjects.len(), changed.iter().map(|(name, values)| {
                let cells = values.iter().map(|value| html! { (value.as_deref().unwrap_or(NONE)) });
                (name.as_str(), cells.collect())
            })))
        }
        (metrics(subjects))
        details {
            summary { "All differences, with digests of contents" }
            @for (n, other) in subjects.iter().enumerate().skip(1) {
                h3 { "From " (letter(0)) " to " (letter(n)) }
                @let found = differences(store, (&subjects[0].run, &other.run), [&letter(0), &letter(n)]);
                @if found.is_empty() { p { "The results do not differ." } }
                dl { @for (stage, lines) in found {
                    dt { (stage) }
                    dd { @for line in lines { code { (line) } br; } }
                } }
            }
        }
    }
}

/// Parameters that differ between runs, with their values, by stage and name.
fn parameters(subjects: &[Subject]) -> BTreeMap<String, Vec<Option<String>>> {
    let of_stage = |stage: &Done| {
        let key = stage.record.as_ref().map(|record| &record.key);
        let values = key.into_iter().flat_map(|key| {
            let version = [("version".to_owned(), key.version.to_string())];
            let values =
                key.params.iter().chain(&key.budget).map(|(name, value)| (name.clone(), value.to_string()));
            version.into_iter().chain(values)
        });
        values.map(|(name, value)| (format!("{}: {name}", stage.name), value)).collect::<Vec<_>>()
    };
    let all: Vec<BTreeMap<String, String>> =
        subjects.iter().map(|subject| subject.stages.iter().flat_map(of_stage).collect()).collect();
    // A stage without a result has no parameters, which is not a change.
    let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let row = |name: &String| all.iter().map(|values| values.get(name).cloned()).collect::<Vec<_>>();
    let rows = names.into_iter().map(|name| (name.clone(), row(name)));
    let differs = |values: &Vec<Option<String>>| values.iter().flatten().collect::<BTreeSet<_>>().len() > 1;
    rows.filter(|(_, values)| differs(values)).collect()
}

/// Last values of metrics, with the difference from the first run.
fn metrics(subjects: &[Subject]) -> Markup {
    let last: Vec<_> = subjects.iter().map(|subject| last_values(&subject.curves)).collect();
    let names: BTreeSet<&String> = last.iter().flat_map(|values| values.keys()).collect();
    let cells = |name: &String| -> Vec<Markup> {
        let first = last[0].get(name);
        let cell = |(n, values): (usize, &BTreeMap<String, f64>)| {
            let value = values.get(name);
            let change =
                first.zip(value).map(|(first, value)| value - first).filter(|change| n > 0 && *change != 0.0);
            html! {
                (value.map_or(NONE.into(), |value| number(*value)))
                @if let Some(change) = change { " " small { (if change > 0.0 { "+" } else { "−" }) (number(change.abs())) } }
            }
        };
        last.iter().enumerate().map(cell).collect()
    };
    html! {
        @if !names.is_empty() {
            h2 { "Metrics" }
            p.note { "Last values, with the difference from run " (letter(0)) "." }
            (table("metric", subjects.len(), names.iter().map(|name| (name.as_str(), cells(name)))))
        }
    }
}

fn table<'a>(head: &str, runs: usize, rows: impl Iterator<Item = (&'a str, Vec<Markup>)>) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="table" {
            table {
                thead { tr { th scope="col" { (head) } @for n in 0..runs { th scope="col" { (letter(n)) } } } }
                tbody { @for (name, cells) in rows {
                    tr { th scope="row" { (name) } @for cell in cells { td { (cell) } } }
                } }
            }
        }
    }
}
