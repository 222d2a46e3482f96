//! `callsheet guard`, a hidden command that each run starts for itself.

use std::path::PathBuf;

use callsheet_worker::error::Result;
use clap::Args;

use super::exit::SUCCESS;
use crate::run::supervise;

/// Wait for the end of a run, then end its remaining workers and remove its staging folder
#[derive(Args)]
pub(super) struct Supervise {
    /// Id of the run
    run: String,
    /// Staging folder of the run
    staging: PathBuf,
}

impl Supervise {
    pub(super) fn execute(&self) -> Result<u8> {
        supervise(&self.run, &self.staging);
        Ok(SUCCESS)
    }
}
