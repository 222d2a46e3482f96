//! `callsheet init`.

use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::print_text;
use clap::Args;

use super::exit::SUCCESS;
use super::fresh::write_all;

/// Write a small working pipeline into a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet init && callsheet run
  callsheet init my-project")]
pub(super) struct Init {
    /// The folder; made if it is not there
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Every file of the new project, and what is in it.
const FILES: [(&str, &str); 7] = [
    ("callsheet.toml", include_str!("init/callsheet.toml")),
    (".gitignore", "data/store/\ndata/out/\n"),
    ("pipelines/words.toml", include_str!("init/words.toml")),
    ("stages/count_words/stage.toml", include_str!("init/count_words.toml")),
    ("stages/count_words/count_words.sh", include_str!("init/count_words.sh")),
    ("stages/most_common/stage.toml", include_str!("init/most_common.toml")),
    ("data/raw/text.txt", "the quick brown fox jumps over the lazy dog\nthe dog sleeps\n"),
];

impl Init {
    pub(super) fn execute(&self) -> Result<u8> {
        let files = FILES.map(|(name, text)| (self.folder.join(name), text.to_owned()));
        if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
            return Err(Error::refused(
                Code::Conflict,
                format!("{} is there already: nothing is written", path.display()),
                "name an empty folder: callsheet init my-project",
            ));
        }
        write_all(Path::new(""), &files)?;
        print_text("\nNow `callsheet run`, then `callsheet run --set most_common.words=3`.");
        Ok(SUCCESS)
    }
}
