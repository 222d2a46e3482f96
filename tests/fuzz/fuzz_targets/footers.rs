//! Fuzz target: any bytes after the magic number of a Parquet file are read as a table or refused with an error
//! that names the file. The reader never panics.
#![no_main]

use std::fs;
use std::path::Path;

use callsheet_worker::table::{digest, footer, read_columns, row_count, row_digests, rows_at_once};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a file");
    fs::write(file.path(), bytes).expect("written");
    if let Err(error) = read(file.path()) {
        assert!(error.to_string().contains(".parquet"), "{error}");
    }
});

fn read(path: &Path) -> callsheet_worker::error::Result<()> {
    footer(path)?;
    row_count(path)?;
    rows_at_once(&[path])?;
    digest(path)?;
    let _ = row_digests(&read_columns(path, &[])?);
    Ok(())
}
