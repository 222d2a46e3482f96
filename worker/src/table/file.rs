//! Access to one Parquet file. All readers of tables use this module, so that every failure of the Parquet
//! library, a panic included, is an error that names the file.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use callsheet_panics::caught;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::kind::other_format;
use super::plain::{plain_batch, plain_schema};
use crate::code::Code;
use crate::error::{Error, IoContext, Result, suggest};

/// Parquet file that is open for reading.
pub(super) struct TableFile {
    path: PathBuf,
    builder: ParquetRecordBatchReaderBuilder<File>,
    /// Number of rows that will be read; `None` if rows are selected.
    rows: Option<u64>,
}

impl TableFile {
    /// Opens a file and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).io_context("cannot open", path)?;
        let builder = guarded(path, || ParquetRecordBatchReaderBuilder::try_new(file))
            .map_err(|error| other_format(path).unwrap_or(error))?;
        let rows = row_count(builder.metadata()).io_context("cannot read", path)?;
        Ok(Self { path: path.to_owned(), builder, rows: Some(rows) })
    }

    /// Reads the footer of a file with the places of its pages, for [`Self::with_footer`].
    pub(super) fn footer_with_pages(path: &Path) -> Result<ArrowReaderMetadata> {
        let file = File::open(path).io_context("cannot open", path)?;
        // Files of other programs may have no such index.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let footer = guarded(path, || ArrowReaderMetadata::load(&file, options))
            .map_err(|error| other_format(path).unwrap_or(error))?;
        row_count(footer.metadata()).io_context("cannot read", path)?;
        Ok(footer)
    }

    /// Opens a file whose footer was read before.
    pub(super) fn with_footer(path: &Path, footer: &ArrowReaderMetadata) -> Result<Self> {
        let file = File::open(path).io_context("cannot open", path)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone());
        Ok(Self { path: path.to_owned(), builder, rows: None })
    }

    /// Number of rows of the file.
    pub(super) fn row_count(&self) -> u64 {
        self.builder.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// Names and types of all columns, in the plain encodings.
    pub(super) fn schema(&self) -> SchemaRef {
        plain_schema(self.builder.schema())
    }

    /// Names and types of all columns, in the encodings of the file.
    pub(super) fn encoded_schema(&self) -> &SchemaRef {
        self.builder.schema()
    }

    /// Content of the footer.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.builder.metadata()
    }

    /// Restricts the file to these columns. Without names, all columns are read.
    pub(super) fn project(mut self, columns: &[&str]) -> Result<Self> {
        if columns.is_empty() {
            return Ok(self);
        }
        let names: Vec<&str> = self.builder.schema().fields().iter().map(|f| f.name().as_str()).collect();
        let mut roots = Vec::new();
        for column in columns {
            let Some(root) = names.iter().position(|name| name == column) else {
                return Err(Error::user_error(
                    Code::UnknownName,
                    format!("{} has no column `{column}`", self.path.display()),
                    suggest(column, names.iter().copied()),
                ));
            };
            roots.push(root);
        }
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), roots);
        self.builder = self.builder.with_projection(mask);
        Ok(self)
    }

    /// Restricts the file to these rows.
    pub(super) fn select(mut self, rows: RowSelection) -> Self {
        self.builder = self.builder.with_row_selection(rows);
        self.rows = None;
        self
    }

    /// Restricts the file to one row group.
    pub(super) fn group(mut self, index: usize) -> Result<Self> {
        let rows = self.metadata().row_groups().get(index).map(|group| group.num_rows().unsigned_abs());
        let gone = || ParquetError::General(format!("the file has no row group {index}"));
        self.rows = Some(rows.ok_or_else(gone).io_context("cannot read", &self.path)?);
        self.builder = self.builder.with_row_groups(vec![index]);
        Ok(self)
    }

    /// Reads batches of at most `rows` rows. Text, binary and lists are in the plain encodings.
    pub(super) fn batches(self, rows: usize) -> Result<Batches> {
        self.read(rows, true)
    }

    /// Reads batches of at most `rows` rows, in the encodings of the file.
    pub(super) fn encoded_batches(self, rows: usize) -> Result<Batches> {
        self.read(rows, false)
    }

    fn read(self, rows: usize, plain: bool) -> Result<Batches> {
        let Self { path, builder, rows: left } = self;
        check_compression(&path, builder.metadata())?;
        let reader = guarded(&path, || builder.with_batch_size(rows).build())?;
        Ok(Batches { path, reader, plain, left, done: false })
    }
}

/// Batches of rows of one file. There are none after an error.
pub(super) struct Batches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    plain: bool,
    /// Number of rows that are not read yet, if it is known.
    left: Option<u64>,
    done: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = guarded(&self.path, || {
            let batch = self.reader.next().transpose()?;
            let read = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
            self.left = match self.left {
                Some(left) if left < read || (batch.is_none() && left > 0) => {
                    return Err(ParquetError::General("a column lacks rows that the footer states".into()));
                }
                left => left.map(|left| left - read),
            };
            Ok(if self.plain { batch.map(plain_batch).transpose()? } else { batch })
        });
        self.done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// Number of rows of a file, if it is that of its row groups.
fn row_count(metadata: &ParquetMetaData) -> Result<u64, ParquetError> {
    let mut groups = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).ok());
    let sum = groups.try_fold(0u64, |sum, rows| sum.checked_add(rows?));
    let rows = metadata.file_metadata().num_rows();
    sum.filter(|sum| u64::try_from(rows) == Ok(*sum)).ok_or_else(|| {
        ParquetError::General(format!(
            "the footer states {rows} rows, which is not the sum of its row groups"
        ))
    })
}

/// Calls the Parquet library. Its errors and panics become errors that name the file.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let failed = |panic| Err(ParquetError::General(format!("the Parquet reader failed: {panic}")));
    caught(read).unwrap_or_else(failed).io_context("cannot read", path)
}

/// Returns an error for a column whose compression the reader does not support.
fn check_compression(path: &Path, metadata: &ParquetMetaData) -> Result<()> {
    let mut columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    let Some(column) = columns.find(|column| column.compression() == Compression::LZO) else {
        return Ok(());
    };
    Err(Error::user_error(
        Code::Parquet,
        format!(
            "cannot read {}: column `{}` is compressed with LZO, which callsheet does not support",
            path.display(),
            column.column_path().string()
        ),
        "write the file without compression, or with zstd, snappy, gzip, brotli or LZ4",
    ))
}
