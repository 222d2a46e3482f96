//! Tabular artifacts: Parquet files with deterministic bytes, a logical digest and a traceable footer.

mod cells;
mod columns;
#[cfg(test)]
mod damage;
mod digest;
mod file;
mod footer;
mod gather;
mod groups;
mod indexed;
mod json;
mod keys;
mod kind;
mod parts;
mod plain;
mod read;
mod rows;
mod types;
mod write;

pub use cells::Cells;
pub use columns::check_columns;
pub use digest::digest;
pub use footer::{FOOTER_PREFIX, KEY, SCHEMA_VERSION, footer};
pub use gather::{Rows, gather};
pub use groups::{RowGroup, row_groups};
pub use indexed::IndexedTable;
pub use json::{JsonOptions, declared_schema, read_json, write_json};
pub use keys::{RowKey, row_keys};
pub use parts::part_files;
pub use plain::{as_text, with_offsets};
pub use read::{read_batches, read_columns, row_count, rows_at_once, schema};
pub use rows::{digest_of_rows, field_names, row_digests};
pub use types::{image_field, image_type, parse_type, type_name, vector_type};
pub use write::{TableWriter, batch_bytes, rows_within};
