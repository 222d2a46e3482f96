//! Output of a row-wise stage. It consists of files with some rows each, so that complete files survive a
//! killed worker.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use callsheet_worker::Job;
use callsheet_worker::table::{TableWriter, batch_bytes};

/// Size of a file in bytes before encoding. A file ends with the row that reaches it.
const BYTES: usize = 64 << 20;

/// Largest number of rows in a file.
const ROWS: usize = 1024;

/// Writer of a table's rows. The rows of each file are in the order of their key.
pub(crate) struct Parts {
    folder: PathBuf,
    schema: Schema,
    footer: BTreeMap<String, String>,
    number: usize,
    open: Option<TableWriter>,
    rows: usize,
    bytes: usize,
}

impl Parts {
    /// Creates the output's folder. Nothing is written yet.
    ///
    /// # Errors
    /// Returns an error if stage.toml declares no such output, or the folder cannot be created.
    pub(crate) fn create(job: &Job, output: &str, schema: Schema) -> Result<Self> {
        let folder = job.output(output)?.to_owned();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        let footer = job.request.footer.clone();
        Ok(Self { folder, schema, footer, number: 0, open: None, rows: 0, bytes: 0 })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// Returns an error if the batch has another schema, or the file cannot be written (e.g. the disk is
    /// full).
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let draft = self.folder.join("draft");
        let writer = match &mut self.open {
            Some(writer) => writer,
            none => none.insert(TableWriter::create(&draft, self.schema.clone(), &self.footer)?),
        };
        writer.write(rows)?;
        self.rows += rows.num_rows();
        self.bytes += batch_bytes(rows);
        if self.rows >= ROWS || self.bytes >= BYTES { self.end() } else { Ok(()) }
    }

    /// Completes the file that is being written, if there is one.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written (e.g. the disk is full).
    pub(crate) fn end(&mut self) -> Result<()> {
        let Some(writer) = self.open.take() else { return Ok(()) };
        writer.finish()?;
        let path = self.folder.join(format!("{:05}.parquet", self.number));
        fs::rename(self.folder.join("draft"), &path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        self.number += 1;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}
