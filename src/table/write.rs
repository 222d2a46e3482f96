//! Writing artifacts: fixed settings, so that the same rows of the same action are the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::{Doing, Result};

/// Prefix of the footer's names that callsheet writes.
pub const FOOTER_PREFIX: &str = "callsheet.";

/// Row groups hold about this many bytes, so that a reader can take part of a wide table.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// The type of an image column: what Hugging Face `datasets` calls an Image feature.
pub fn image_type() -> DataType {
    let bytes = Field::new("bytes", DataType::Binary, false);
    DataType::Struct(Fields::from(vec![bytes, Field::new("path", DataType::Utf8, false)]))
}

/// An image column.
pub fn image_field(name: &str) -> Field {
    Field::new(name, image_type(), false)
}

/// The type of a vector column of `length` values.
pub fn vector_type(element: DataType, length: i32) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new("element", element, false)), length)
}

/// Writes one table.
pub struct TableWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl TableWriter {
    /// Creates the file at `path`; `footer` is written sorted by name.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, schema: Schema, footer: &BTreeMap<String, String>) -> Result<Self> {
        let schema: SchemaRef = Arc::new(schema);
        let pairs = footer.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by("callsheet".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_key_value_metadata(Some(pairs));
        for field in schema.fields() {
            properties = tune(properties, vec![field.name().clone()], field.data_type());
        }
        let file = File::create(path).doing("cannot create", path)?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties.build()));
        Ok(Self { path: path.to_owned(), writer: writer.doing("cannot create", path)? })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// When the batch has another schema, or the disk is full.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).doing("cannot write", &self.path)
    }

    /// Adds a pair to the footer, known only when the rows are: a count, say.
    pub fn note(&mut self, name: &str, value: String) {
        let name = format!("{FOOTER_PREFIX}{name}");
        self.writer.append_key_value_metadata(KeyValue::new(name, value));
    }

    /// Writes the footer.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<()> {
        let file = self.writer.into_inner().doing("cannot write", &self.path)?;
        file.sync_all().doing("cannot write", &self.path)
    }
}

/// Floats repeat no values: their bytes are grouped by significance before compression.
/// Binary columns are compressed already, and their minimum tells nobody anything.
fn tune(
    properties: WriterPropertiesBuilder,
    path: Vec<String>,
    data_type: &DataType,
) -> WriterPropertiesBuilder {
    let inside = |name: &str| {
        let mut path = path.clone();
        path.push(name.to_owned());
        path
    };
    match data_type {
        DataType::FixedSizeList(field, _) | DataType::List(field) => {
            let mut path = inside("list");
            path.push(field.name().clone());
            tune(properties, path, field.data_type())
        }
        DataType::Struct(fields) => fields
            .iter()
            .fold(properties, |properties, field| tune(properties, inside(field.name()), field.data_type())),
        DataType::Float32 | DataType::Float64 => {
            let column = ColumnPath::from(path);
            properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT)
        }
        DataType::Binary => {
            let column = ColumnPath::from(path);
            properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::None)
        }
        _ => properties,
    }
}
