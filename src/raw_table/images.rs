//! Image files: each is a row.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::table::{image_field, image_type};

use super::raw_file::{RawFile, malformed};

/// Largest size of a value in a column, in bytes.
const MOST_BYTES: u64 = i32::MAX as u64;

/// Returns the columns of a table of images.
///
/// # Errors
/// Returns an error if types are declared.
pub(super) fn schema(columns: &BTreeMap<String, String>) -> Result<SchemaRef> {
    if let Some(name) = columns.keys().next() {
        let message = format!("the type of `{name}` is declared, but a table of images has fixed columns");
        let help = "remove `columns` from the source; its columns are path, size, digest and bytes";
        return Err(Error::user_error(Code::Declaration, message, help));
    }
    let field = |name, kind| Field::new(name, kind, false);
    Ok(Arc::new(Schema::new(vec![
        field("path", DataType::Utf8),
        field("size", DataType::Int64),
        field("digest", DataType::Utf8),
        image_field("bytes"),
    ])))
}

/// Calls `write` with the row of a file.
///
/// # Errors
/// Returns an error if the file cannot be read, or `write` fails.
pub(super) fn read(
    file: &RawFile,
    schema: &SchemaRef,
    write: &mut impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let size = fs::metadata(&file.path).io_context("cannot read", &file.path)?.len();
    if size > MOST_BYTES {
        let problem =
            format!("the image has {size} bytes; a table contains images of at most {MOST_BYTES} bytes");
        return Err(malformed(
            file,
            &problem,
            "reduce the image, or read the files with an input of kind `files`",
        ));
    }
    let bytes = fs::read(&file.path).io_context("cannot read", &file.path)?;
    let DataType::Struct(fields) = image_type() else { unreachable!("an image is a struct") };
    let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let image: Vec<ArrayRef> =
        vec![Arc::new(BinaryArray::from(vec![bytes.as_slice()])), Arc::new(StringArray::from(vec![name]))];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![file.name.as_str()])),
        Arc::new(Int64Array::from(vec![bytes.len() as i64])),
        Arc::new(StringArray::from(vec![blake3::hash(&bytes).to_hex().to_string()])),
        Arc::new(StructArray::new(fields, image, None)),
    ];
    write(RecordBatch::try_new(schema.clone(), columns).expect("columns of one length"))
}
