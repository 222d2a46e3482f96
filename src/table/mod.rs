//! Tabular artifacts: Parquet files with deterministic bytes, a logical digest and a traceable footer.

mod check;
mod columns;
mod digest;
mod json;
mod parts;
mod read;
mod rows;
mod write;

pub use check::{check_count, check_rows, check_table, check_unique, check_values};
pub use columns::{check_columns, parse_type, type_name};
pub use digest::digest;
pub use json::{declared_schema, read_json, write_json};
pub use parts::{KEY, Rows, gather, part_files};
pub use read::{footer, read_batches, read_columns, row_count, rows_at_once, schema};
pub use rows::{digest_of_rows, field_names, row_digests};
pub use write::{
    FOOTER_PREFIX, SCHEMA_VERSION, TableWriter, batch_bytes, image_field, image_type, rows_within,
    vector_type,
};
