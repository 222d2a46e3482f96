//! `callsheet init`.

use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::print_text;
use clap::Args;

use super::exit::SUCCESS;
use super::fresh::{is_python_package, write_all};
use super::schema;

/// Create a project with a small working pipeline
///
/// The pipeline has two stages: in Python if callsheet is installed as a Python package, otherwise as shell commands.
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet init && callsheet run    create a project in this folder and run it
  callsheet init my-project          create a project in a new folder
  callsheet init --shell             write the stages as shell commands")]
pub(super) struct Init {
    /// Folder of the new project; created if it does not exist
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Write the stages in Python, with the package callsheet
    #[arg(long)]
    python: bool,
    /// Write the stages as shell commands
    #[arg(long, conflicts_with = "python")]
    shell: bool,
}

/// Path and content of a file of a new project.
type File = (&'static str, &'static str);

/// File with the folders that git ignores.
const IGNORED: File = (".gitignore", "data/store/\ndata/out/\ndata/debug/\n");

/// Orders of a shop, with stages in Python.
const PYTHON: [File; 8] = [
    ("callsheet.toml", include_str!("init/python/callsheet.toml")),
    IGNORED,
    ("pipelines/shop.toml", include_str!("init/python/shop.toml")),
    ("stages/price_orders/stage.toml", include_str!("init/python/price_orders.toml")),
    ("stages/price_orders/price_orders.py", include_str!("init/python/price_orders.py")),
    ("stages/sum_orders/stage.toml", include_str!("init/python/sum_orders.toml")),
    ("stages/sum_orders/sum_orders.py", include_str!("init/python/sum_orders.py")),
    ("data/raw/orders.csv", include_str!("init/python/orders.csv")),
];

/// Words of a text, with shell commands.
const SHELL: [File; 8] = [
    ("callsheet.toml", include_str!("init/shell/callsheet.toml")),
    IGNORED,
    ("pipelines/words.toml", include_str!("init/shell/words.toml")),
    ("stages/count_words/stage.toml", include_str!("init/shell/count_words.toml")),
    ("stages/count_words/count_words.sh", include_str!("init/shell/count_words.sh")),
    ("stages/most_common/most_common.sh", include_str!("init/shell/most_common.sh")),
    ("stages/most_common/stage.toml", include_str!("init/shell/most_common.toml")),
    ("data/raw/text.txt", "the quick brown fox jumps over the lazy dog\nthe dog sleeps\n"),
];

impl Init {
    pub(super) fn execute(&self) -> Result<u8> {
        let python = self.python || !self.shell && is_python_package();
        let (files, change): (&[File], _) =
            if python { (&PYTHON, "price_orders.tax=0.07") } else { (&SHELL, "most_common.words=3") };
        let files: Vec<(PathBuf, String)> = files
            .iter()
            .map(|(name, text)| (PathBuf::from(name), schema::with_reference(Path::new(name), text)))
            .chain(schema::files())
            .map(|(name, text)| (self.folder.join(name), text))
            .collect();
        if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
            return Err(Error::user_error(
                Code::Conflict,
                format!("`{}` already exists; nothing was written", path.display()),
                "name an empty folder, e.g. `callsheet init my-project`",
            ));
        }
        write_all(Path::new(""), &files)?;
        let enter = match self.folder.as_path() {
            here if here == Path::new(".") => String::new(),
            folder => format!("`cd {}`, then ", shell_words::quote(&folder.to_string_lossy())),
        };
        print_text(&format!("\nNext: {enter}`callsheet run`, then `callsheet run --set {change}`."));
        Ok(SUCCESS)
    }
}
