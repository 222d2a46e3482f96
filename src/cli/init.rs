//! `callsheet init`.

use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::print_text;
use clap::Args;

use super::exit::SUCCESS;
use super::fresh::write_all;

/// Create a project with a small working pipeline
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet init && callsheet run    create a project in this folder and run it
  callsheet init my-project          create a project in a new folder")]
pub(super) struct Init {
    /// Folder of the new project; created if it does not exist
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Paths and contents of the files of a new project.
const FILES: [(&str, &str); 7] = [
    ("callsheet.toml", include_str!("init/callsheet.toml")),
    (".gitignore", "data/store/\ndata/out/\ndata/debug/\n"),
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
            return Err(Error::user_error(
                Code::Conflict,
                format!("`{}` already exists; nothing was written", path.display()),
                "name an empty folder, e.g. `callsheet init my-project`",
            ));
        }
        write_all(Path::new(""), &files)?;
        print_text("\nNext: run `callsheet run`, then `callsheet run --set most_common.words=3`.");
        Ok(SUCCESS)
    }
}
