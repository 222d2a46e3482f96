//! `callsheet explain`.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list};
use callsheet_worker::print::{print_json, print_text, table};
use clap::Args;
use serde_json::{Value, json};

use super::exit::SUCCESS;
use super::which::{Which, sources};
use crate::key::ActionKey;
use crate::run::{State, outlook};

/// Show the stored and the wanted key of a stage side by side
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet explain train
  callsheet explain train --set train.rate=0.2
  callsheet explain evaluate --json")]
pub(super) struct Explain {
    /// The stage
    stage: String,
    #[command(flatten)]
    which: Which,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, store, plan, survey) = self.which.survey()?;
        let meant: Vec<usize> = plan.positions(slice::from_ref(&self.stage))?.into_iter().collect();
        let [position] = meant[..] else {
            let names = meant.iter().map(|position| plan.stages[*position].name.as_str());
            let message = format!("`{}` is {} stages", self.stage, meant.len());
            return Err(Error::refused(
                Code::InvalidValue,
                message,
                format!("name one of them: {}", list(names)),
            ));
        };
        let name = &plan.stages[position].name;
        let mut sources = sources(&project, &store, &plan);
        let prospect = outlook(&store, &mut sources, &survey, &plan)?.swap_remove(position);
        let stored = survey.last(name).and_then(|head| store.record(&head.key)).map(|record| record.key);
        let wanted = prospect.key;
        if self.json {
            print_json(
                &json!({ "stage": name, "stored": stored, "wanted": wanted, "outlook": prospect.state }),
            );
            return Ok(SUCCESS);
        }
        let (left, right) = (rows(stored.as_ref()), rows(wanted.as_ref()));
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        let header = ["", "", "stored", "wanted"].map(str::to_owned);
        let line = |name: &String| {
            let (old, new) = (left.get(name), right.get(name));
            // Without its inputs there is no wanted key to differ from.
            let mark = if wanted.is_some() && old != new { "≠" } else { "" };
            let show = |value: Option<&String>| value.map_or("-", String::as_str).to_owned();
            [mark.to_owned(), name.clone(), show(old), show(new)]
        };
        let (long, short): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| {
            [left.get(*name), right.get(*name)]
                .into_iter()
                .flatten()
                .any(|value| value.chars().count() > WIDEST)
        });
        let rows = [header].into_iter().chain(short.into_iter().map(line));
        print_text(&table(rows.map(Vec::from), &[]));
        for [mark, name, old, new] in long.into_iter().map(line) {
            print_text(&format!("{mark:<2} {name}\n   stored {old}\n   wanted {new}"));
        }
        print_text(&match &prospect.state {
            State::Cached { .. } => "\ncached: the wanted result is in the store".to_owned(),
            State::Run { reasons, .. } => format!("\nwill run: {}", reasons.join("; ")),
            State::Maybe { after, reasons } if reasons.is_empty() => {
                format!("\nmaybe: {} must run first, and may turn out to change nothing", after.join(", "))
            }
            State::Maybe { after, reasons } => {
                format!("\nwill run after {}: {}", after.join(", "), reasons.join("; "))
            }
        });
        Ok(SUCCESS)
    }
}

/// Characters of a value that still fits into a column.
const WIDEST: usize = 50;

/// Every part of a key under its name, as text.
fn rows(key: Option<&ActionKey>) -> BTreeMap<String, String> {
    let Some(key) = key else { return BTreeMap::new() };
    let mut rows = BTreeMap::from([
        ("key".to_owned(), key.digest().short()),
        ("stage".to_owned(), key.stage.clone()),
        ("version".to_owned(), key.version.to_string()),
        ("command".to_owned(), key.command.join(" ")),
        ("rests on".to_owned(), key.labels.iter().cloned().collect::<Vec<_>>().join(", ")),
    ]);
    let values = key.params.iter().map(|(name, value)| ("param", name, value));
    for (kind, name, value) in values.chain(key.budget.iter().map(|(name, value)| ("budget", name, value))) {
        rows.insert(format!("{kind} {name}"), Value::to_string(value));
    }
    let digests = key.inputs.iter().map(|(name, digest)| ("input", name, digest));
    for (kind, name, digest) in digests.chain(key.code.iter().map(|(name, digest)| ("file", name, digest))) {
        rows.insert(format!("{kind} {name}"), digest.short());
    }
    rows
}
