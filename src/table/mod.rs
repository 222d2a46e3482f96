//! Tabular artifacts: Parquet files with deterministic bytes, a logical digest and a traceable footer.

mod columns;
mod digest;
mod read;
mod write;

pub use columns::{check_columns, type_name};
pub use digest::digest;
pub use read::{footer, read_batches, read_columns, row_count};
pub use write::{FOOTER_PREFIX, TableWriter, image_field, image_type, vector_type};
