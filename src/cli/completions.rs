//! `callsheet completions`.

use callsheet_worker::error::Result;
use callsheet_worker::print::print_text;
use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::exit::SUCCESS;
use super::external::with_commands;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet completions bash > ~/.local/share/bash-completion/completions/callsheet
  callsheet completions zsh > ~/.zfunc/_callsheet
  callsheet completions fish > ~/.config/fish/completions/callsheet.fish")]
pub(super) struct Completions {
    /// Shell that will load the script
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(&self, own: Command) -> Result<u8> {
        let mut text = Vec::new();
        generate(self.shell, &mut with_commands(own), "callsheet", &mut text);
        print_text(String::from_utf8_lossy(&text).trim_end());
        Ok(SUCCESS)
    }
}
