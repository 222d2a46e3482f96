//! `callsheet completions`.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::print_text;
use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use super::exit::SUCCESS;

/// Environment variable by which the script asks this program for completions.
pub(super) const VARIABLE: &str = "CALLSHEET_COMPLETE";

/// Print a script that completes commands, stages, artifacts, runs and parameters in a shell
///
/// The script asks this program for the names of the project in the current folder.
#[derive(Args)]
#[command(after_help = "\
Examples:
  echo 'source <(callsheet completions bash)' >> ~/.bashrc
  echo 'source <(callsheet completions zsh)' >> ~/.zshrc
  echo 'callsheet completions fish | source' > ~/.config/fish/completions/callsheet.fish")]
pub(super) struct Completions {
    /// Shell that will load the script
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn execute(&self) -> Result<u8> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        };
        let shells = Shells::builtins();
        let shell = shells.completer(name).expect("clap_complete has these shells");
        let mut text = Vec::new();
        let written = shell.write_registration(VARIABLE, "callsheet", "callsheet", "callsheet", &mut text);
        written
            .map_err(|error| Error::user_error(Code::Io, format!("cannot write the script: {error}"), ""))?;
        if matches!(self.shell, Shell::Bash) {
            // Else bash completes `stage@instance` and `--set=stage.param` as several words.
            print_text("COMP_WORDBREAKS=${COMP_WORDBREAKS//[=@:]/}");
        }
        print_text(String::from_utf8_lossy(&text).trim_end());
        Ok(SUCCESS)
    }
}
