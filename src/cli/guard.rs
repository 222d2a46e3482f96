//! `callsheet guard`, which callsheet starts itself.

use std::path::PathBuf;

use callsheet_worker::error::Result;
use clap::Args;

use super::exit::SUCCESS;
use crate::run::supervise;

/// Wait for the end of a run, then end every worker that is left and remove its folder
#[derive(Args)]
pub(super) struct Guard {
    /// The run's name
    run: String,
    /// The run's staging folder
    staging: PathBuf,
}

impl Guard {
    pub(super) fn execute(&self) -> Result<u8> {
        supervise(&self.run, &self.staging);
        Ok(SUCCESS)
    }
}
