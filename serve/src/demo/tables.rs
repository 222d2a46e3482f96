//! Tables of the demonstration.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Float32Array, Int32Array, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use callsheet_worker::Job;
use callsheet_worker::table::{Cells, image_field, read_columns};
use image::RgbImage;

/// Column of a table to write.
pub(super) struct Column(Field, ArrayRef);

impl Column {
    pub(super) fn texts(name: &str, values: Vec<String>) -> Self {
        Self(Field::new(name, DataType::Utf8, false), Arc::new(StringArray::from(values)))
    }

    pub(super) fn floats(name: &str, values: Vec<f32>) -> Self {
        Self(Field::new(name, DataType::Float32, false), Arc::new(Float32Array::from(values)))
    }

    pub(super) fn integers(name: &str, values: Vec<i32>) -> Self {
        Self(Field::new(name, DataType::Int32, false), Arc::new(Int32Array::from(values)))
    }

    /// Images as the bytes of their files.
    pub(super) fn images(name: &str, values: Vec<Vec<u8>>) -> Self {
        let field = image_field(name);
        let DataType::Struct(fields) = field.data_type() else { unreachable!("images are structures") };
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(&values));
        let paths: ArrayRef = Arc::new(StringArray::new_null(values.len()));
        let images = StructArray::new(fields.clone(), vec![bytes, paths], None);
        Self(field, Arc::new(images))
    }
}

/// Writes the output `name`.
pub(super) fn write<const N: usize>(job: &Job, name: &str, columns: [Column; N]) -> Result<()> {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) =
        columns.into_iter().map(|Column(field, values)| (field, values)).unzip();
    let schema = Schema::new(fields);
    let rows = RecordBatch::try_new(Arc::new(schema.clone()), columns)?;
    let mut table = job.table(name, schema)?;
    table.write(&rows)?;
    table.finish()?;
    Ok(())
}

/// Reads a column of texts.
pub(super) fn texts(table: &Path, column: &str) -> Result<Vec<String>> {
    let rows = read_columns(table, &[column])?;
    Ok(rows.column(0).as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

/// Reads a column of 32-bit floats.
pub(super) fn floats(table: &Path, column: &str) -> Result<Vec<f32>> {
    Ok(read_columns(table, &[column])?.column(0).as_primitive::<Float32Type>().values().to_vec())
}

/// Photos that are read one by one.
pub(super) struct Photos {
    cells: Cells,
    pub ids: Vec<String>,
}

impl Photos {
    pub(super) fn open(table: &Path) -> Result<Self> {
        Ok(Self { cells: Cells::open(table, "image")?, ids: texts(table, "photo_id")? })
    }

    /// Reads the photo in a row.
    pub(super) fn get(&self, row: usize) -> Result<RgbImage> {
        let bytes = self.cells.get(row as u64)?.context("the photo is missing")?;
        Ok(image::load_from_memory(&bytes)?.to_rgb8())
    }

    /// Reads the photo `id`.
    pub(super) fn named(&self, id: &str) -> Result<RgbImage> {
        let row = self.ids.binary_search_by(|known| known.as_str().cmp(id));
        self.get(row.ok().with_context(|| format!("unknown photo {id}"))?)
    }
}
