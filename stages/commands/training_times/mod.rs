//! `callsheet training_times`: training times per step, and until a quality that all trainings reach.
//!
//! A training is a stage that reports losses, under the names `loss/..`. Its quality consists of the metrics
//! under the names `held_out/..`, which it measures on data that it does not train on.

mod claim;
mod estimate;
mod pace;
mod quality;
mod tables;
mod tested;
mod training;

use std::io::{Read, stdin};

use anyhow::{Context as _, Result};
use callsheet_worker::code::Code;
use callsheet_worker::print::{plain, print_document, print_text};
use callsheet_worker::report::{Cell, Run, Section, Sections, Table, VERSION};
use callsheet_worker::user_error_with_code;
use clap::Args;

use super::exit::REFUSED;
use super::project::ask;
use claim::claims;
use tables::section;
use training::trainings;

/// Compare training times: seconds per step, and time to a quality that all trainings reached
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet training_times             # the latest run\n  \
    callsheet training_times latest~1    # the run before the latest\n  \
    callsheet run --report               # these tables as a section of the report\n\n\
    To test whether one training is faster than another, add [[metadata.faster]] to the pipeline's file:\n  \
    claim = \"Training is faster\"\n  \
    stages = [\"finetune@v4-*\"]          # matching instances are repetitions of one training\n  \
    than = [\"train@v1-*\"]\n  \
    pretraining = [\"train_encoder\"]     # the time of train_encoder is added to the time to a quality")]
pub(super) struct TrainingTimes {
    /// Run whose trainings are compared: its id, a prefix of its id, `latest`, or `latest~1` for the run
    /// before the latest; `-` reads the output of `callsheet report --json` from stdin
    #[arg(default_value = "latest")]
    run: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl TrainingTimes {
    /// # Errors
    /// Returns an error if the run cannot be described, or a claim of its pipeline is malformed.
    pub(super) fn execute(&self) -> Result<u8> {
        let Some(run) = self.described()? else { return Ok(REFUSED) };
        let trainings = trainings(&run);
        let sections: Vec<Section> = section(&trainings, &claims(&run)?).into_iter().collect();
        if self.json {
            print_document(&Sections { version: VERSION, sections });
        } else if sections.is_empty() {
            print_text("nothing was trained in this run");
        } else {
            sections.iter().for_each(print);
        }
        Ok(0)
    }

    /// Returns the description of the run, from the engine or from stdin; none if the engine refused.
    fn described(&self) -> Result<Option<Run>> {
        let text = if self.run == "-" {
            let mut text = Vec::new();
            stdin().lock().read_to_end(&mut text).context("cannot read stdin")?;
            text
        } else {
            let Some(answer) = ask(&["report", &self.run, "--json"])? else { return Ok(None) };
            answer
        };
        let run: Run = serde_json::from_slice(&text).context("malformed description of a run")?;
        if run.version != VERSION {
            let message = format!("the description of the run has version {}, not {VERSION}", run.version);
            return Err(user_error_with_code(
                Code::Unsupported,
                message,
                "build both programs from one revision: run `make build`",
            ));
        }
        Ok(Some(run))
    }
}

fn print(section: &Section) {
    section.notes.iter().for_each(|note| print_text(note));
    for Table { columns, rows } in &section.tables {
        let cell = |Cell { value, detail }: &Cell| match detail.as_str() {
            "" => plain(value),
            detail => format!("{} ({})", plain(value), plain(detail)),
        };
        let header = columns.iter().map(|column| plain(&column.name)).collect();
        let lines = [header].into_iter().chain(rows.iter().map(|row| row.iter().map(cell).collect()));
        let lines: Vec<Vec<String>> = lines.collect();
        let width =
            |n: usize| lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max();
        print_text("");
        for line in &lines {
            let cells = line.iter().enumerate().map(|(n, cell)| format!("{cell:0$}", width(n).unwrap_or(0)));
            print_text(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}
