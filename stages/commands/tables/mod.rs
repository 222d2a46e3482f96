//! `callsheet tables`: tables of a Markdown page, from Parquet files.

mod block;
mod markdown;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::print::print_text;
use callsheet_worker::table::{TableWriter, read_columns};
use callsheet_worker::user_error;
use clap::Args;

use super::exit::FOUND;
use super::project::data_folder;
use block::{Block, Part, parts};

/// Write the tables of a Markdown page from Parquet files
///
/// A page marks a table with an HTML comment, which readers of the page do not see. The lines up to
/// `<!-- end of table -->` are replaced:
///
///   <!-- table
///   file = "evidence/methods.parquet"     # next to the page
///   from = "synthesis/mine/demo/compare_methods/methods.parquet"  # result in data/out, for --update
///   columns = ["method", "psnr"]          # as in the file; if there are `psnr_low` and `psnr_high`, they
///                                         # are shown as an interval
///   where.training = ["fine-tuned"]       # rows with these values
///   titles.psnr = "PSNR (dB)"
///   digits.psnr = 2                       # after the decimal point [default: 3]
///   -->
///   <!-- end of table -->
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  \
    callsheet tables docs/evidence.md             # writes the tables from the files next to the page\n  \
    callsheet tables docs/evidence.md --update    # first replaces these files with the latest results\n  \
    callsheet tables docs/evidence.md --check     # in CI: does the page show what the files contain?"
)]
pub(super) struct Tables {
    /// Markdown page
    page: PathBuf,
    /// Replace the files with the latest results
    #[arg(long)]
    update: bool,
    /// Change nothing; the exit code is 1 if the page differs from its files
    #[arg(long, conflicts_with = "update")]
    check: bool,
}

impl Tables {
    /// # Errors
    /// Returns an error if the page or a file cannot be read or written, or the description of a table is
    /// invalid.
    pub(super) fn execute(&self) -> Result<u8> {
        let page = self.page.display();
        let text = fs::read_to_string(&self.page).with_context(|| format!("cannot read `{page}`"))?;
        let folder = self.page.parent().unwrap_or(Path::new(""));
        let mut written = String::with_capacity(text.len());
        let mut tables = 0;
        for part in parts(&text, &self.page)? {
            match part {
                Part::Text(text) => written.push_str(text),
                Part::Table(block) => {
                    if self.update {
                        update(&block, folder)?;
                    }
                    let table = markdown::table(&block, &folder.join(&block.file))
                        .with_context(|| format!("line {} of `{page}`", block.line))?;
                    written.push_str(&table);
                    tables += 1;
                }
            }
        }
        if self.check && written != text {
            print_text(&format!("`{page}` differs from its files: run `callsheet tables {page}`"));
            return Ok(FOUND);
        }
        if written != text {
            // A page that is cut off by an interruption would lose its text.
            let draft = self.page.with_extension("md.new");
            fs::write(&draft, &written).with_context(|| format!("cannot write `{}`", draft.display()))?;
            fs::rename(&draft, &self.page).with_context(|| format!("cannot replace `{page}`"))?;
        }
        let state = if written == text { "is up to date" } else { "is written" };
        print_text(&format!("`{page}` {state}: {tables} tables"));
        Ok(0)
    }
}

/// Replaces the file of a table with the latest result.
fn update(block: &Block, folder: &Path) -> Result<()> {
    let Some(from) = &block.from else { return Ok(()) };
    let result = data_folder()?.join("out").join(from);
    if !result.exists() {
        return Err(user_error(
            format!("there is no result `{}`", result.display()),
            "run the pipeline first, or correct `from`: PIPELINE/DATASET/PROFILE/STAGE/FILE",
        ));
    }
    let rows = read_columns(&result, &[])?;
    let file = folder.join(&block.file);
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create `{}`", parent.display()))?;
    }
    let mut table = TableWriter::create(&file, rows.schema().as_ref().clone(), &Default::default())?;
    table.write(&rows)?;
    Ok(table.finish()?)
}
