//! Measures the time to read single images: `read_cells TABLE COLUMN [COUNT]` reads random rows one by one. Prints the
//! milliseconds for opening the table, for each image, and for reading the whole column.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement that is started by hand")]

use std::path::Path;
use std::time::Instant;

use callsheet_worker::error::Result;
use callsheet_worker::table::{Cells, read_batches};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (table, column) = (Path::new(&arguments[1]), arguments[2].as_str());
    let count: u64 = arguments.get(3).map_or(100, |count| count.parse().expect("a number"));
    let clock = Instant::now();
    let cells = Cells::open(table, column)?;
    let opened = clock.elapsed();
    let rows: Vec<u64> = (0..count).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % cells.rows()).collect();
    let clock = Instant::now();
    let mut bytes = 0;
    for row in &rows {
        bytes += cells.get(*row)?.map_or(0, |value| value.len());
    }
    let each = clock.elapsed().as_secs_f64() * 1e3 / count as f64;
    let clock = Instant::now();
    read_batches(table, &[column], 1024, |_| -> Result<()> { Ok(()) })?;
    let whole = clock.elapsed().as_secs_f64() * 1e3;
    println!(
        "{{\"rows\": {}, \"open_ms\": {:.2}, \"image_ms\": {each:.3}, \"bytes_per_image\": {}, \"whole_column_ms\": {whole:.1}}}",
        cells.rows(),
        opened.as_secs_f64() * 1e3,
        bytes as u64 / count
    );
    Ok(())
}
