//! Tables in raw files: CSV, JSON lines, and images.
//!
//! | format | suffixes of the files | columns |
//! |---|---|---|
//! | CSV | `.csv`, `.tsv`, `.tab` | those of the header; types are declared or inferred from all rows |
//! | JSON lines | `.jsonl`, `.ndjson` | the keys of the objects; types are declared or inferred from all rows |
//! | images | `.jpg`, `.png`, `.webp`, `.tif`, .. | `path`, `size` (bytes), `digest` (BLAKE3) and `bytes` (an image) |
//!
//! Several files of one format become one table, in the order of their names.

mod csv;
mod images;
mod json_lines;
mod kinds;
mod quotes;
mod raw_file;

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, list};
use callsheet_worker::table::TableWriter;

pub use raw_file::RawFile;

/// Suffixes of each format.
const SUFFIXES: [(Format, &[&str]); 3] = [
    (Format::Csv, &["csv", "tsv", "tab"]),
    (Format::JsonLines, &["jsonl", "ndjson"]),
    (Format::Images, &["jpg", "jpeg", "png", "webp", "tif", "tiff", "gif", "bmp"]),
];

/// Format of raw files that contain a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with separators.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// Image files, each of which is a row.
    Images,
}

/// Returns the format of files by their suffixes; `None` if all of them have other suffixes, such as `.parquet`.
///
/// # Errors
/// Returns the problem if the files have several formats.
pub fn format_of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<Option<Format>, String> {
    let mut found: Option<(Option<Format>, &Path)> = None;
    for path in files {
        let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let known = SUFFIXES.iter().find(|(_, suffixes)| suffixes.contains(&suffix.as_str()));
        let format = known.map(|(format, _)| *format);
        match found {
            Some((other, first)) if other != format => {
                let (first, path) = (first.display(), path.display());
                return Err(format!(
                    "`{first}` and `{path}` have different formats, so they are not one table"
                ));
            }
            Some(_) => {}
            None => found = Some((format, path)),
        }
    }
    Ok(found.and_then(|(format, _)| format))
}

/// Writes the rows of raw files to a table at `to`, and returns their number. Calls `progress` with the number of files that
/// are read.
///
/// # Errors
/// Returns an error if a file cannot be read, is malformed, or contradicts the declared types of `columns`.
pub fn read_table(
    files: &[RawFile],
    columns: &BTreeMap<String, String>,
    to: &Path,
    footer: &BTreeMap<String, String>,
    mut progress: impl FnMut(usize),
) -> Result<u64> {
    let format = format_of(files.iter().map(|file| file.path.as_path()));
    let format = format.map_err(|problem| Error::user_error(Code::Unsupported, problem, "use one format"))?;
    let schema: SchemaRef = match format {
        Some(Format::Csv) => csv::schema(files, columns)?,
        Some(Format::JsonLines) => json_lines::schema(files, columns)?,
        Some(Format::Images) => images::schema(columns)?,
        None => {
            let known = SUFFIXES.iter().flat_map(|(_, suffixes)| suffixes.iter().copied());
            let message = "the files are of an unknown format".to_owned();
            return Err(Error::user_error(
                Code::Unsupported,
                message,
                format!("use one of: {}", list(known)),
            ));
        }
    };
    let mut writer = TableWriter::create(to, schema.as_ref().clone(), footer)?;
    let mut count = 0;
    for (done, file) in files.iter().enumerate() {
        let mut write = |rows: RecordBatch| {
            count += rows.num_rows() as u64;
            writer.write(&rows)
        };
        match format {
            Some(Format::Csv) => csv::read(file, &schema, &mut write)?,
            Some(Format::JsonLines) => json_lines::read(file, &schema, &mut write)?,
            _ => images::read(file, &schema, &mut write)?,
        }
        progress(done + 1);
    }
    writer.finish()?;
    Ok(count)
}
