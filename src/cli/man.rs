//! `callsheet man`.

use std::fs;
use std::path::PathBuf;

use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::print::print_text;
use clap::{Args, Command};
use clap_mangen::generate_to;

use super::exit::SUCCESS;
use super::external::with_commands;

/// Write the man pages of all commands
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet man ~/.local/share/man/man1 && man callsheet-run")]
pub(super) struct Man {
    /// Folder for the pages; created if it does not exist
    folder: PathBuf,
}

impl Man {
    pub(super) fn execute(&self, own: Command) -> Result<u8> {
        fs::create_dir_all(&self.folder).io_context("cannot create", &self.folder)?;
        generate_to(with_commands(own), &self.folder).io_context("cannot write to", &self.folder)?;
        print_text(&format!("written to {}", self.folder.display()));
        Ok(SUCCESS)
    }
}
