//! Measures the time to write a table in the format of artifacts: `write_table TABLE`, a file or a folder.
//! Prints seconds and bytes before and after encoding; the time of reading is excluded.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement that is started by hand")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use callsheet_worker::error::Result;
use callsheet_worker::table::{TableWriter, batch_bytes, part_files, read_batches, rows_at_once, schema};

fn main() -> Result<()> {
    let table = std::env::args().nth(1).expect("usage: write_table TABLE");
    let table = Path::new(&table);
    let to = std::env::temp_dir().join(format!("write_table-{}.parquet", std::process::id()));
    let mut writer = TableWriter::create(&to, schema(table)?.as_ref().clone(), &BTreeMap::new())?;
    let (mut took, mut bytes) = (Duration::ZERO, 0);
    read_batches(table, &[], rows_at_once(&part_files(table)?)?, |rows| -> Result<()> {
        bytes += batch_bytes(&rows);
        let clock = Instant::now();
        writer.write(&rows)?;
        took += clock.elapsed();
        Ok(())
    })?;
    let clock = Instant::now();
    writer.finish()?;
    took += clock.elapsed();
    let written = fs::metadata(&to).map_or(0, |found| found.len());
    let _ = fs::remove_file(&to);
    println!("{{\"seconds\": {:.3}, \"bytes\": {bytes}, \"written\": {written}}}", took.as_secs_f64());
    Ok(())
}
