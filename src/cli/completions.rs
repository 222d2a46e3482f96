//! `callsheet completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, SUCCESS};
use crate::error::Result;

/// Print what a shell needs to complete callsheet's words
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet completions bash > ~/.local/share/bash-completion/completions/callsheet
  callsheet completions zsh > ~/.zfunc/_callsheet
  callsheet completions fish > ~/.config/fish/completions/callsheet.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn execute(&self) -> Result<u8> {
        let mut text = Vec::new();
        generate(self.shell, &mut Cli::command(), "callsheet", &mut text);
        super::print_text(String::from_utf8_lossy(&text).trim_end());
        Ok(SUCCESS)
    }
}
