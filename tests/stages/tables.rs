//! Tables as pandas, polars, DuckDB and pyarrow write them: stages read every encoding of a type and every
//! common compression.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use callsheet_worker::table::TableWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::flagship::{callsheet, latest, project_of, repository, stderr};

const PIPELINE: &str = "summary = \"A table of another program\"\n\
    [sources.table]\npath = \"data/raw/pairs.parquet\"\n\
    [stages.copy]\ninputs.table = \"table\"\n\
    [stages.average_images]\ninputs.pairs = \"copy.pairs\"\n";

const COPY: &str = r#"
summary = "Publishes a table of another program"
version = 1
command = ["sh", "-c", 'cp "$1" "$2"', "cp", "{inputs.table}", "{outputs.pairs}"]
[inputs.table]
kind = "file"
doc = "Table of another program"
[outputs.pairs]
kind = "table"
path = "pairs.parquet"
columns = { image_id = "string", frame_id = "string", split = "string", a = "image", b = "image" }
doc = "The table"
"#;

/// Project whose stages publish a table of another program and average its images.
fn project() -> TempDir {
    let project = project_of("tables", PIPELINE);
    let stages = project.path().join("stages");
    fs::create_dir_all(stages.join("copy")).expect("created");
    fs::write(stages.join("copy/stage.toml"), COPY).expect("written");
    let own = repository().join("stages");
    symlink(own.join("average_images"), stages.join("average_images")).expect("linked");
    let file = project.path().join("callsheet.toml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(file, text.replace(&format!("stages = \"{}\"", own.display()), "stages = \"stages\""))
        .expect("written");
    fs::create_dir_all(project.path().join("data/raw")).expect("created");
    project
}

/// Rows of a table of pairs with these types of text and bytes.
fn pairs(text: &DataType, bytes: &DataType) -> RecordBatch {
    let texts = |values: [&str; 3]| {
        let values: ArrayRef = Arc::new(arrow::array::StringArray::from(values.to_vec()));
        cast(&values, text).expect("cast")
    };
    let images = |shade: u8| -> ArrayRef {
        let png = |row: u8| {
            let mut bytes = Vec::new();
            let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([shade, row * 40, 7]));
            picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).expect("a PNG");
            bytes
        };
        let encoded: ArrayRef = Arc::new(arrow::array::BinaryArray::from_iter_values((0..3).map(png)));
        let encoded = cast(&encoded, bytes).expect("cast");
        let fields = Fields::from(vec![
            Field::new("bytes", encoded.data_type().clone(), true),
            Field::new("path", text.clone(), true),
        ]);
        Arc::new(StructArray::new(fields, vec![encoded, texts(["1", "2", "3"])], None))
    };
    RecordBatch::try_from_iter([
        ("image_id", texts(["x", "y", "z"])),
        ("frame_id", texts(["f", "f", "g"])),
        ("split", texts(["train", "train", "val"])),
        ("a", images(20)),
        ("b", images(90)),
    ])
    .expect("a table")
}

fn write(path: &Path, rows: &RecordBatch, compression: Compression) {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = fs::File::create(path).expect("created");
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).expect("a writer");
    writer.write(rows).expect("written");
    writer.close().expect("closed");
}

/// Mean image that the stage computes from the project's table.
fn mean(project: &TempDir) -> Vec<u8> {
    let output = callsheet(project, &["run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    fs::read(latest(project, "average_images/mean.png")).expect("the mean")
}

#[test]
fn text_and_images_in_the_encodings_of_other_programs_are_read() {
    let project = project();
    let raw = project.path().join("data/raw/pairs.parquet");
    let rows = pairs(&DataType::Utf8, &DataType::Binary);
    let schema = rows.schema().as_ref().clone();
    let mut writer = TableWriter::create(&raw, schema, &Default::default()).expect("created");
    writer.write(&rows).expect("written");
    writer.finish().expect("finished");
    let wanted = mean(&project);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for (text, bytes) in [
        (DataType::LargeUtf8, DataType::LargeBinary),
        (DataType::Utf8View, DataType::BinaryView),
        (dictionary, DataType::Binary),
    ] {
        let rows = pairs(&text, &bytes);
        assert_eq!(rows["b"].as_struct().column(0).data_type(), &bytes);
        write(&raw, &rows, Compression::SNAPPY);
        assert_eq!(mean(&project), wanted, "{text}, {bytes}");
    }
}

#[test]
fn every_common_compression_is_read() {
    let project = project();
    let raw = project.path().join("data/raw/pairs.parquet");
    let rows = pairs(&DataType::Utf8, &DataType::Binary);
    write(&raw, &rows, Compression::UNCOMPRESSED);
    let wanted = mean(&project);
    for compression in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        write(&raw, &rows, compression);
        assert_eq!(mean(&project), wanted, "{compression}");
    }
}

#[test]
fn a_compression_that_is_not_supported_is_named_with_its_column_and_file() {
    let project = project();
    let raw = project.path().join("data/raw/pairs.parquet");
    write(&raw, &pairs(&DataType::Utf8, &DataType::Binary), Compression::SNAPPY);
    let bytes = with_codec(&fs::read(&raw).expect("the table"), LZO);
    fs::write(&raw, bytes).expect("written");
    let output = callsheet(&project, &["run"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("pairs.parquet: column `image_id` is compressed with LZO"), "{said}");
    assert!(said.contains("with zstd, snappy, gzip, brotli or LZ4"), "{said}");
}

/// Number of the codec LZO in Parquet's format.
const LZO: u8 = 3;

/// Replaces the codec of every column in a footer, which is a field of type i32 (0x15) after the column's path
/// (a list of texts, 0x19).
fn with_codec(table: &[u8], codec: u8) -> Vec<u8> {
    let snappy = 1u8;
    let mut bytes = table.to_vec();
    let footer = u32::from_le_bytes(table[table.len() - 8..table.len() - 4].try_into().expect("a length"));
    let start = table.len() - 8 - footer as usize;
    for name in ["image_id", "frame_id", "split", "bytes", "path"] {
        let pattern = [&[name.len() as u8][..], name.as_bytes(), &[0x15, snappy << 1]].concat();
        let found = bytes[start..].windows(pattern.len()).enumerate();
        let ends: Vec<usize> = found
            .filter(|(_, window)| *window == pattern)
            .map(|(at, _)| start + at + pattern.len())
            .collect();
        assert!(!ends.is_empty(), "no column `{name}`");
        ends.into_iter().for_each(|end| bytes[end - 1] = codec << 1);
    }
    bytes
}
