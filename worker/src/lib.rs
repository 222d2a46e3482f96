//! Library for stages written in Rust, and for formats that stages and the engine share.
//!
//! A stage is a program. It reads its request, computes, and writes its outputs. For example:
//!
//! ```
//! use std::sync::Arc;
//!
//! use anyhow::Result;
//! use callsheet_worker::arrow::array::{AsArray, Float64Array, RecordBatch};
//! use callsheet_worker::arrow::datatypes::{DataType, Field, Float64Type, Schema};
//! use callsheet_worker::Job;
//! use callsheet_worker::table::read_columns;
//!
//! /// Parameters, as declared in stage.toml.
//! #[derive(serde::Deserialize)]
//! struct Params {
//!     rate: f64,
//! }
//!
//! /// Adds a tax to the price of every order.
//! fn add_tax(job: &Job) -> Result<()> {
//!     let Params { rate } = job.params()?;
//!     let orders = read_columns(job.input("orders")?, &["order_id", "price"])?;
//!     let taxed: Float64Array = orders.column(1).as_primitive::<Float64Type>().unary(|price| price * (1.0 + rate));
//!     let name = |name: &str, kind| Field::new(name, kind, false);
//!     let schema = Schema::new(vec![name("order_id", DataType::Utf8), name("taxed", DataType::Float64)]);
//!     let rows = RecordBatch::try_new(Arc::new(schema.clone()), vec![orders.column(0).clone(), Arc::new(taxed)])?;
//!     let mut table = job.table("taxed", schema)?;
//!     table.write(&rows)?;
//!     table.finish()?;
//!     job.metric("orders", 0, rows.num_rows() as f64);
//!     Ok(())
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let (input, output) = (folder.path().join("orders.parquet"), folder.path().join("taxed.parquet"));
//! # let fields = vec![Field::new("order_id", DataType::Utf8, false), Field::new("price", DataType::Float64, false)];
//! # let mut orders = callsheet_worker::table::TableWriter::create(&input, Schema::new(fields.clone()), &Default::default())?;
//! # let ids = callsheet_worker::arrow::array::StringArray::from(vec!["a", "b"]);
//! # let prices = Float64Array::from(vec![100.0, 200.0]);
//! # orders.write(&RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(ids), Arc::new(prices)])?)?;
//! # orders.finish()?;
//! # let job = Job::of(serde_json::json!({
//! #     "stage": "add_tax", "inputs": { "orders": { "paths": [input], "names": ["orders.parquet"] } },
//! #     "params": { "rate": 0.5 }, "outputs": { "taxed": output }, "scratch": folder.path(), "cpus": 1,
//! #     "labels": [], "footer": {},
//! # }));
//! # add_tax(&job)?;
//! # let taxed = read_columns(&output, &["taxed"])?;
//! # assert_eq!(taxed.column(0).as_primitive::<Float64Type>().values().as_ref(), [150.0, 300.0]);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! The program's main function is `fn main() -> ExitCode { callsheet_worker::main(add_tax) }`. Its stage.toml
//! contains `command = ["add-tax"]`.
//!
//! | module | purpose |
//! |---|---|
//! | [`Job`], [`main()`], [`user_error`] | interface of a stage to the engine: request, events, errors |
//! | [`table`] | tables: Parquet files with deterministic bytes, a logical digest and a traceable footer |
//! | [`protocol`] | formats of the request and of the events |
//! | [`report`] | protocol between reports and commands of a project |
//! | [`curation`] | verdicts of people on the rows of a table |
//! | [`digest`] | BLAKE3 hashes |
//! | [`error`], [`code`] | errors with a code, the file, the value and a remedy |
//! | [`print`] | output of commands: text, tables, JSON |

pub mod code;
pub mod curation;
pub mod digest;
pub mod error;
mod event_line;
mod job;
mod numbers;
pub mod print;
pub mod protocol;
pub mod report;
pub mod table;

pub use arrow;
pub use callsheet_panics::caught;
pub use error::{help_of, user_error, user_error_with_code, with_code};
pub use job::{Job, main, perform};
