//! `callsheet tables`: tables of a Markdown page, from Parquet files.

mod block;
mod markdown;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arrow::record_batch::RecordBatch;
use callsheet_worker::print::print_text;
use callsheet_worker::table::{TableWriter, footer, part_files, read_columns};
use callsheet_worker::user_error;
use clap::Args;
use tempfile::{Builder, NamedTempFile};

use super::exit::FOUND;
use super::project::data_folder;
use block::Block;
use page::{Part, parts};

/// Write the tables of a Markdown page from Parquet files
///
/// A page marks a table with an HTML comment, which readers of the page do not see. The rows up to
/// `<!-- end of table -->` are replaced:
///
///   <!-- table
///   file = "evidence/methods.parquet"     # below the folder of the page
///   from = "synthesis/mine/demo/compare_methods/methods.parquet"  # result in data/out, for --update
///   columns = ["method", "psnr"]          # if the file has `psnr_low` and `psnr_high`, they are shown
///                                         # as an interval
///   where.training = ["fine-tuned"]       # rows with one of these values
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

/// Rows of a file.
struct Rows {
    /// Result that they are read from, and that the file will be a copy of.
    result: Option<PathBuf>,
    rows: RecordBatch,
}

impl Tables {
    /// # Errors
    /// Returns an error if the page or a file cannot be read or written, or the description of a table is
    /// invalid. Nothing is written then.
    pub(super) fn execute(&self) -> Result<u8> {
        let shown = self.page.display();
        // A link stays a link.
        let page = fs::canonicalize(&self.page).with_context(|| format!("cannot read `{shown}`"))?;
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read `{shown}`"))?;
        let folder = page.parent().unwrap_or(Path::new("/")).to_owned();
        let parts = parts(&text, &self.page)?;
        let mut files: BTreeMap<PathBuf, Rows> = BTreeMap::new();
        let (mut written, mut tables) = (String::with_capacity(text.len()), 0);
        for part in &parts {
            match part {
                Part::Text(text) => written.push_str(text),
                Part::Table(block, end) => {
                    let file = folder.join(&block.file);
                    let result = self.result(block)?;
                    let path = result.as_ref().unwrap_or(&file).clone();
                    let found = match files.entry(file) {
                        Entry::Occupied(found) => found.into_mut(),
                        Entry::Vacant(none) => {
                            none.insert(Rows { result: result.clone(), rows: read_columns(&path, &[])? })
                        }
                    };
                    if found.result != result {
                        return Err(user_error(
                            format!(
                                "two tables of `{shown}` have the file `{}`, but another `from`",
                                block.file
                            ),
                            "give each result a file of its own",
                        ));
                    }
                    let lines = markdown::table(block, &found.rows, &path)?;
                    lines.into_iter().for_each(|line| written.push_str(&format!("{end}{line}")));
                    written.push_str(&format!("{end}{end}"));
                    tables += 1;
                }
            }
        }
        if self.check {
            let same = written == text;
            print_text(&if same {
                format!("`{shown}` shows what its files contain, tables: {tables}")
            } else {
                format!("`{shown}` differs from its files: run `callsheet tables {shown}`")
            });
            return Ok(if same { 0 } else { FOUND });
        }
        files.iter().try_for_each(|(file, rows)| rows.copy_to(file))?;
        replace(&page, |draft| Ok(draft.write_all(written.as_bytes())?))?;
        print_text(&format!("`{shown}` is up to date, tables: {tables}"));
        Ok(0)
    }

    /// Result that replaces the file of a table.
    fn result(&self, block: &Block) -> Result<Option<PathBuf>> {
        let Some(from) = block.from.as_ref().filter(|_| self.update) else { return Ok(None) };
        let result = data_folder()?.join("out").join(from);
        if result.exists() {
            return Ok(Some(result));
        }
        Err(user_error(
            format!("the result `{}` does not exist", result.display()),
            "run the pipeline first, or correct `from`: PIPELINE/DATASET/PROFILE/STAGE/FILE",
        ))
    }
}

impl Rows {
    /// Writes the rows of a result to a file, with the footer that describes their origin.
    fn copy_to(&self, file: &Path) -> Result<()> {
        let Some(result) = &self.result else { return Ok(()) };
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create `{}`", parent.display()))?;
        }
        let origin = footer(&part_files(result)?[0])?;
        replace(file, |draft| {
            let mut table = TableWriter::create(draft.path(), self.rows.schema().as_ref().clone(), &origin)?;
            table.write(&self.rows)?;
            Ok(table.finish()?)
        })
    }
}

/// Replaces a file at once, so that an interruption or a full disk leaves the old one. Its permissions stay.
fn replace(file: &Path, write: impl FnOnce(&mut NamedTempFile) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write `{}`", file.display());
    // A new file gets the usual permissions, without those that `umask` removes.
    let permissions = fs::metadata(file).map_or(Permissions::from_mode(0o666), |old| old.permissions());
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut draft = Builder::new().permissions(permissions).tempfile_in(folder).with_context(failed)?;
    write(&mut draft).with_context(failed)?;
    draft.persist(file).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}
