//! Writes tables with fixed settings, so that the equal rows with an equal footer result in equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::footer::{FOOTER_PREFIX, KEY};
use super::types::{image_type, type_name};
use crate::error::{IoContext, Result};

/// Size of a row group, in bytes before encoding. A group ends with the row that reaches it, so that a reader
/// can read a part of a table with large rows.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Largest number of rows in a row group, so that several threads can share the reading of a table with small
/// rows.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// Returns a schema in which other programs recognise image columns. Hugging Face `datasets` reads its
/// features from the metadata, but only if the column's type equals the one that it writes itself, with nulls
/// allowed.
fn annotated(schema: &Schema) -> Schema {
    let plain = image_type();
    let fields =
        schema.fields().iter().map(|field| match type_name(field.data_type()) == type_name(&plain) {
            true => Arc::new(Field::new(field.name(), plain.clone(), true)),
            false => field.clone(),
        });
    let fields: Vec<Arc<Field>> = fields.collect();
    let images = fields.iter().filter(|field| *field.data_type() == plain);
    let images: serde_json::Map<_, _> =
        images.map(|field| (field.name().clone(), serde_json::json!({ "_type": "Image" }))).collect();
    let some = !images.is_empty();
    let features = serde_json::json!({ "info": { "features": images } }).to_string();
    let metadata = some.then(|| ("huggingface".to_owned(), features));
    Schema::new_with_metadata(fields, metadata.into_iter().collect::<HashMap<_, _>>())
}

/// Writer of one table. The bytes of the file depend on the rows, but not on their division into batches.
pub struct TableWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
    /// Rows of the next row group.
    pending: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl TableWriter {
    /// Creates the file at `path`. The pairs of `footer` are written in the order of their names.
    ///
    /// # Errors
    /// Returns an error if the file cannot be created.
    pub fn create(path: &Path, schema: Schema, footer: &BTreeMap<String, String>) -> Result<Self> {
        let schema: SchemaRef = Arc::new(annotated(&schema));
        let pairs = footer.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by("callsheet".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(None)
            .set_max_row_group_bytes(None)
            .set_key_value_metadata(Some(pairs));
        // A key column contains no value twice, so a dictionary would only take space.
        if let Some(key) = footer.get(&format!("{FOOTER_PREFIX}{KEY}")) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(key.as_str()), false);
        }
        for field in schema.fields() {
            properties = tune(properties, vec![field.name().clone()], field.data_type(), false);
        }
        let file = File::create(path).io_context("cannot create", path)?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties.build()));
        let writer = writer.io_context("cannot create", path)?;
        Ok(Self { path: path.to_owned(), writer, pending: Vec::new(), rows: 0, bytes: 0 })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// Returns an error if the batch has another schema, or the file cannot be written (e.g. the disk is
    /// full).
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rest = batch.clone();
        loop {
            let fit = rows_within(&rest, ROW_GROUP_BYTES - self.bytes).min(ROW_GROUP_ROWS - self.rows);
            if fit == rest.num_rows() {
                self.rows += fit;
                self.bytes += batch_bytes(&rest);
                self.pending.push(rest);
                return Ok(());
            }
            // The row that fills the group becomes its last row.
            let head = (fit + 1).min(ROW_GROUP_ROWS - self.rows);
            self.pending.push(rest.slice(0, head));
            self.end_group()?;
            rest = rest.slice(head, rest.num_rows() - head);
        }
    }

    fn end_group(&mut self) -> Result<()> {
        if let Some(first) = self.pending.first() {
            let rows = concat_batches(&first.schema(), &self.pending).map_err(ParquetError::from);
            let rows = rows.io_context("cannot write", &self.path)?;
            self.writer
                .write(&rows)
                .and_then(|()| self.writer.flush())
                .io_context("cannot write", &self.path)?;
        }
        self.pending.clear();
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Adds a pair to the footer whose value is known only after the rows, such as a count.
    pub fn note(&mut self, name: &str, value: String) {
        let name = format!("{FOOTER_PREFIX}{name}");
        self.writer.append_key_value_metadata(KeyValue::new(name, value));
    }

    /// Writes the remaining rows and the footer.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written (e.g. the disk is full).
    pub fn finish(mut self) -> Result<()> {
        self.end_group()?;
        let file = self.writer.into_inner().io_context("cannot write", &self.path)?;
        file.sync_all().io_context("cannot write", &self.path)
    }
}

/// Size of a batch's values in bytes before encoding. The size of two batches is the sum of their sizes.
pub fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| array_bytes(column)).sum()
}

/// Returns the largest number of first rows of a batch whose total size is less than `bytes`.
pub fn rows_within(batch: &RecordBatch, bytes: usize) -> usize {
    let (mut low, mut high) = (0, batch.num_rows() + 1);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if batch_bytes(&batch.slice(0, middle)) < bytes { low = middle } else { high = middle }
    }
    low
}

fn array_bytes(array: &dyn Array) -> usize {
    let span = |offsets: &[i32]| (offsets[0] as usize, (offsets[offsets.len() - 1] - offsets[0]) as usize);
    match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()).1,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()).1,
        DataType::FixedSizeList(_, length) => {
            let (lists, length) = (array.as_fixed_size_list(), *length as usize);
            array_bytes(&lists.values().slice(lists.value_offset_at(0), lists.len() * length))
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let (start, length) = span(lists.value_offsets());
            array_bytes(&lists.values().slice(start, length))
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| array_bytes(column)).sum(),
        other => array.len() * other.primitive_width().unwrap_or(8),
    }
}

/// Sets the encoding of a column. Floats rarely repeat, so they have no dictionary. Floats in vectors are
/// grouped by significance of their bytes before compression; for single floats, this gains too little for
/// the longer reading time. Binary columns contain compressed data and are stored uncompressed; their
/// statistics are useless and are left out.
fn tune(
    properties: WriterPropertiesBuilder,
    path: Vec<String>,
    data_type: &DataType,
    in_vector: bool,
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
            tune(properties, path, field.data_type(), true)
        }
        DataType::Struct(fields) => fields
            .iter()
            .fold(properties, |rest, field| tune(rest, inside(field.name()), field.data_type(), in_vector)),
        DataType::Float32 | DataType::Float64 => {
            let column = ColumnPath::from(path);
            let encoding = if in_vector { Encoding::BYTE_STREAM_SPLIT } else { Encoding::PLAIN };
            properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, encoding)
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
