//! Tests of pages with tables.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::table::TableWriter;
use tempfile::TempDir;

use super::Tables;
use crate::lib::columns::{batch, bools, float64s, int32s, schema_of, strings};

const PAGE: &str = "# Findings\n\nText.\n\n<!-- table\nfile = \"files/a.parquet\"\n\
    columns = [\"method\", \"psnr\", \"images\", \"holds\"]\nwhere.training = [\"tuned\"]\n\
    titles.psnr = \"PSNR (dB)\"\ndigits.psnr = 1\n-->\nold\n<!-- end of table -->\n\nMore text.\n";

/// A page, and a table next to it.
fn page(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("files")).expect("created");
    let columns = vec![
        ("method", strings(["a|b", "c", "d"])),
        ("training", strings(["tuned", "frozen", "tuned"])),
        ("psnr", float64s([27.34, 1.0, f64::NAN])),
        ("psnr_low", float64s([26.0, 1.0, f64::NAN])),
        ("psnr_high", float64s([28.0, 1.0, f64::NAN])),
        ("images", int32s([96, 96, 12])),
        ("holds", bools([true, false, false])),
    ];
    let path = folder.path().join("files/a.parquet");
    let mut table = TableWriter::create(&path, schema_of(&columns), &Default::default()).expect("created");
    table.write(&batch(columns).expect("rows")).expect("written");
    table.finish().expect("finished");
    let page = folder.path().join("page.md");
    fs::write(&page, text).expect("written");
    (folder, page)
}

fn run(page: &Path, check: bool) -> anyhow::Result<u8> {
    Tables { page: page.to_owned(), update: false, check }.execute()
}

#[test]
fn a_page_shows_the_rows_of_its_files() {
    let (_folder, page) = page(PAGE);
    assert_eq!(run(&page, true).expect("checked"), 1, "the page is old");
    assert_eq!(fs::read_to_string(&page).expect("a page"), PAGE, "a check changes nothing");
    assert_eq!(run(&page, false).expect("written"), 0);
    let table = "| method | PSNR (dB) | images | holds |\n| --- | --- | --- | --- |\n\
        | a\\|b | 27.3 (26.0 to 28.0) | 96 | yes |\n| d | - | 12 | no |\n";
    let wanted = PAGE.replace("-->\nold\n", &format!("-->\n\n{table}\n"));
    assert_eq!(fs::read_to_string(&page).expect("a page"), wanted);
    assert_eq!(run(&page, true).expect("checked"), 0);
}

#[test]
fn mistakes_in_a_page_are_named_with_their_line_and_change_nothing() {
    for (from, to, wanted) in [
        ("<!-- end of table -->\n", "", "the table in line 5 of `"),
        ("columns = [", "column = [", "unknown field `column`"),
        ("\"images\"", "\"image\"", "has no column `image`"),
        ("a.parquet", "b.parquet", "b.parquet"),
        ("\"tuned\"", "\"tunes\"", "has no row that the table shows"),
    ] {
        let text = PAGE.replace(from, to);
        let (_folder, page) = page(&text);
        let said = format!("{:#}", run(&page, false).expect_err(wanted));
        assert!(said.contains(wanted), "{said}");
        assert_eq!(fs::read_to_string(&page).expect("a page"), text);
    }
}
