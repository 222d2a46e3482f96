//! `callsheet study`: evaluation of a user study.

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

/// Evaluate the answers of a user study: preferences, confidence intervals, agreement
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    callsheet study tally key.json answers/                # all .json files of a folder\n  \
    callsheet study tally key.json a.json b.json --json    # JSON output\n\n\
    The stage user_study creates the page and the key. Each participant's browser saves a file of answers.")]
pub(super) struct Study {
    #[command(subcommand)]
    command: StudyCommands,
}

#[derive(Subcommand)]
enum StudyCommands {
    /// Count how often one method is preferred to each other method, with confidence intervals, ties, and the
    /// agreement of participants
    Tally {
        /// File key.json that the stage user_study created with the page
        key: PathBuf,
        /// Files that participants saved, or folders of such files
        #[arg(required = true)]
        answers: Vec<PathBuf>,
        /// Also count participants who failed an attention check
        #[arg(long)]
        keep_inattentive: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Study {
    /// # Errors
    /// Returns an error if the key is invalid, or a file does not contain answers to its study.
    pub(super) fn execute(&self) -> Result<u8> {
        let StudyCommands::Tally { key: path, answers, keep_inattentive, json } = &self.command;
        let key = Key::parse(&bounded(path)?, path)?;
        let participants = participants(&key, path, answers)?;
        let tally = Tally::new(&key, &participants, *keep_inattentive);
        print::tally(&tally, *json)?;
        Ok(0)
    }
}
