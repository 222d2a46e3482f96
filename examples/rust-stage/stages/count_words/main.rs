//! Counts the words of text files.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use callsheet_worker::Job;
use callsheet_worker::arrow::array::{Int64Array, RecordBatch, StringArray};
use callsheet_worker::arrow::datatypes::{DataType, Field, Schema};

/// Parameters as declared in stage.toml.
#[derive(serde::Deserialize)]
struct Params {
    min_letters: usize,
}

/// Number of words with at least `min_letters` letters.
fn count_words(text: &str, min_letters: usize) -> usize {
    text.split_whitespace().filter(|word| word.chars().count() >= min_letters).count()
}

fn run(job: &Job) -> Result<()> {
    let Params { min_letters } = job.params()?;
    let texts = job.files("texts")?;
    let mut words = Vec::new();
    for (done, path) in texts.paths.iter().enumerate() {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        words.push(count_words(&text, min_letters) as i64);
        job.progress(done + 1, texts.paths.len(), "files");
    }
    let field = |name: &str, kind| Field::new(name, kind, false);
    let schema = Schema::new(vec![field("text", DataType::Utf8), field("words", DataType::Int64)]);
    let rows = RecordBatch::try_new(
        Arc::new(schema.clone()),
        vec![Arc::new(StringArray::from(texts.names.clone())), Arc::new(Int64Array::from(words))],
    )?;
    let mut table = job.table("counts", schema)?;
    table.write(&rows)?;
    table.finish()?;
    Ok(())
}

fn main() -> ExitCode {
    callsheet_worker::main(run)
}

#[cfg(test)]
mod tests {
    use callsheet_worker::arrow::array::AsArray;
    use callsheet_worker::arrow::datatypes::Int64Type;
    use callsheet_worker::table::read_columns;
    use serde_json::json;

    use super::*;

    #[test]
    fn words_with_enough_letters_are_counted() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (text, counts) = (folder.path().join("a.txt"), folder.path().join("counts.parquet"));
        fs::write(&text, "a cat and a dog\n")?;
        run(&Job::of(json!({
            "stage": "count_words", "inputs": { "texts": { "paths": [text], "names": ["a.txt"] } },
            "params": { "min_letters": 3 }, "outputs": { "counts": counts },
            "scratch": folder.path(), "cpus": 1, "labels": [], "footer": {},
        })))?;
        let rows = read_columns(&counts, &["words"])?;
        assert_eq!(rows.column(0).as_primitive::<Int64Type>().values().as_ref(), [3]);
        Ok(())
    }
}
