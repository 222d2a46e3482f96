//! Tests with damaged Parquet files. Each reading ends in rows or in an error that names the file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, FixedSizeListArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;
use crate::error::Result;

/// Damaged copies of each file.
const COPIES: u64 = 400;

/// Rows of every kind of column: text, text in a dictionary, numbers with nulls, lists, vectors, bytes.
fn rows() -> RecordBatch {
    let texts = (0..200).map(|row| format!("row {}", row % 40));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..200).map(|row| (row % 5 > 0).then(|| (0..row % 4).map(|n| (n > 0).then_some(n)))),
    );
    let element = Arc::new(Field::new("element", DataType::Float32, false));
    let values: ArrayRef = Arc::new(Float32Array::from_iter_values((0..400).map(|n| n as f32)));
    let columns: [(&str, ArrayRef); 6] = [
        ("dictionary", cast(&texts, &dictionary).expect("cast")),
        ("text", texts),
        ("numbers", Arc::new((0..200).map(|row| (row % 3 > 0).then_some(row)).collect::<Int64Array>())),
        ("lists", Arc::new(lists)),
        ("vectors", Arc::new(FixedSizeListArray::new(element, 2, values, None))),
        ("bytes", Arc::new(BinaryArray::from_iter_values((0..200u8).map(|row| [row, row])))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("a batch")
}

/// A file of these rows, with a compression and an encoding that other programs use.
fn file(compression: Compression, version: WriterVersion, encoding: Encoding) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_writer_version(version)
        .set_data_page_row_count_limit(64)
        .set_write_batch_size(64)
        .set_column_dictionary_enabled("text".into(), false)
        .set_column_encoding("text".into(), encoding)
        .build();
    let rows = rows();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).expect("a writer");
    writer.write(&rows).expect("written");
    writer.into_inner().expect("finished")
}

fn files() -> Vec<Vec<u8>> {
    let [old, new] = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    vec![
        file(Compression::UNCOMPRESSED, old, Encoding::PLAIN),
        file(Compression::SNAPPY, new, Encoding::DELTA_BYTE_ARRAY),
        file(Compression::GZIP(GzipLevel::default()), old, Encoding::DELTA_LENGTH_BYTE_ARRAY),
        file(Compression::BROTLI(BrotliLevel::default()), new, Encoding::PLAIN),
        file(Compression::LZ4, old, Encoding::PLAIN),
        file(Compression::LZ4_RAW, new, Encoding::PLAIN),
        file(Compression::ZSTD(ZstdLevel::default()), new, Encoding::DELTA_BYTE_ARRAY),
    ]
}

/// Deterministic random numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Damages bytes as a cut, a bad disk or a bad program does. Half of the damages lie in the footer.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.len();
    let from = if random.below(2) == 0 { length.saturating_sub(3000) } else { 0 };
    let at = from + random.below(length - from);
    let end = (at + 1 + random.below(24)).min(length);
    match random.below(5) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes[at..end].fill([0, 0xff, 0x7f][random.below(3)]),
        3 => drop(bytes.drain(at..end)),
        _ => bytes.truncate(at),
    }
}

/// Reads everything that the engine and stages read of a table.
fn read_all(path: &Path) -> Result<()> {
    footer(path)?;
    rows_at_once(&[path])?;
    let (digest, rows) = (digest(path), row_count(path)?);
    let whole = read_columns(path, &[])?;
    // A damaged type may have no digest.
    let _ = row_digests(&whole);
    assert_eq!(whole.schema(), schema(path)?);
    assert_eq!((whole.num_rows() as u64, digest?.1), (rows, rows), "the footer has the number of rows");
    Ok(())
}

#[test]
fn a_damaged_table_is_read_or_refused_by_name_but_never_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged.parquet");
    let mut panics = 0;
    for (number, whole) in (1..).zip(files()) {
        fs::write(&path, &whole).expect("written");
        read_all(&path).expect("a whole file");
        let mut random = Random(number);
        for copy in 0..COPIES {
            let mut bytes = whole.clone();
            (0..=random.below(3)).for_each(|_| damage(&mut bytes, &mut random));
            fs::write(&path, &bytes).expect("written");
            if let Err(error) = read_all(&path) {
                let error = error.to_string();
                assert!(error.contains("damaged.parquet"), "file {number}, copy {copy}: {error}");
                panics += u32::from(error.contains("the Parquet reader failed"));
            }
        }
    }
    assert!(panics > 0, "no copy made the reader panic, so the test needs other damages");
}
