//! `callsheet study`: what people answered in a user study.

mod answers;
mod count;
mod print;
mod statistics;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::user_study::Key;
use answers::{bounded, participants};
use count::Tally;

/// Tell what people answered in a user study: preferences, intervals, agreement
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet study tally key.json answers/                # every .json file of a folder\n  \
    callsheet study tally key.json a.json b.json --json    # for programs\n\n\
    The stage user_study makes the page and the key; a participant's browser saves a file of answers.")]
pub(super) struct Study {
    #[command(subcommand)]
    command: StudyCommands,
}

#[derive(Subcommand)]
enum StudyCommands {
    /// Count how often one method is preferred to each other: intervals, ties, agreement
    Tally {
        /// key.json of the study
        key: PathBuf,
        /// Files that participants saved, or folders of them
        #[arg(required = true)]
        answers: Vec<PathBuf>,
        /// Keep participants who failed a check of attention
        #[arg(long)]
        keep_inattentive: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Study {
    /// # Errors
    /// When the key is none, or a file holds no answers to its study.
    pub(super) fn execute(&self) -> Result<u8> {
        let StudyCommands::Tally { key: path, answers, keep_inattentive, json } = &self.command;
        let key = Key::parse(&bounded(path)?, path)?;
        let participants = participants(&key, path, answers)?;
        let tally = Tally::new(&key, &participants, *keep_inattentive);
        print::tally(&tally, *json)?;
        Ok(0)
    }
}
