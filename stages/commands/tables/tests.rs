//! Tests of pages with tables.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use callsheet_worker::table::TableWriter;
use tempfile::TempDir;

use super::Tables;
use crate::lib::columns::{batch, bools, float64s, int32s, schema_of, strings};

const PAGE: &str = "# Findings\n\nText.\n\n<!-- table\nfile = \"files/a.parquet\"\n\
    columns = [\"method\", \"psnr\", \"images\", \"holds\"]\nwhere.training = [\"tuned\"]\n\
    titles.psnr = \"PSNR|dB\"\ndigits.psnr = 1\n-->\n| old |\n\n<!-- end of table -->\n\nMore text.\n";

const TABLE: &str = "\n| method | PSNR\\|dB | images | holds |\n| --- | --- | --- | --- |\n\
    | a\\|b | 27.3 (26.0 to 28.0) | 96 | yes |\n| d | - | 12 | no |\n| e | \u{221e} (0.0 to \u{221e}) | 3 | no |\n\n";

/// A page, and a table next to it.
fn page(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("files")).expect("created");
    let infinite = f64::INFINITY;
    let columns = vec![
        ("method", strings(["a|b", "c", "d", "e"])),
        ("training", strings(["tuned", "frozen", "tuned", "tuned"])),
        ("psnr", float64s([27.34, 1.0, f64::NAN, infinite])),
        ("psnr_low", float64s([26.0, 1.0, f64::NAN, -0.01])),
        ("psnr_high", float64s([28.0, 1.0, f64::NAN, infinite])),
        ("images", int32s([96, 96, 12, 3])),
        ("holds", bools([true, false, false, false])),
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

fn read(page: &Path) -> String {
    fs::read_to_string(page).expect("a page")
}

#[test]
fn a_page_shows_the_rows_of_its_files() {
    let (_folder, page) = page(PAGE);
    assert_eq!(run(&page, true).expect("checked"), 1, "the page is old");
    assert_eq!(read(&page), PAGE, "a check changes nothing");
    assert_eq!(run(&page, false).expect("written"), 0);
    assert_eq!(read(&page), PAGE.replace("| old |\n\n", TABLE));
    assert_eq!(run(&page, true).expect("checked"), 0);
}

#[test]
fn a_page_keeps_its_line_ends_its_last_line_its_link_and_its_examples() {
    let dos = PAGE.replace('\n', "\r\n");
    let (_folder, page_of_dos) = page(&dos);
    run(&page_of_dos, false).expect("written");
    assert_eq!(read(&page_of_dos), dos.replace("| old |\r\n\r\n", &TABLE.replace('\n', "\r\n")));

    let ends = PAGE.trim_end_matches("\n\nMore text.\n");
    let (folder, page_that_ends) = page(ends);
    let link = folder.path().join("link.md");
    symlink(&page_that_ends, &link).expect("linked");
    run(&link, false).expect("written");
    assert!(link.is_symlink());
    assert_eq!(read(&page_that_ends), ends.replace("| old |\n\n", TABLE));

    let example = format!("```\n{PAGE}```\n{PAGE}");
    let (_folder, page) = page(&example);
    run(&page, false).expect("written");
    assert_eq!(read(&page), format!("```\n{PAGE}```\n{}", PAGE.replace("| old |\n\n", TABLE)));
}

#[test]
fn the_page_of_evidence_shows_what_its_files_contain() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/evidence.md");
    assert_eq!(run(&page, true).expect("checked"), 0, "run `callsheet tables docs/evidence.md`");
}

#[test]
fn rows_are_chosen_by_their_values() {
    for (filter, shown) in [
        ("where.method = [\"a|b\"]", vec!["a\\|b"]),
        ("where.images = [12, 3]", vec!["d", "e"]),
        ("where.holds = [true]", vec!["a\\|b"]),
        ("where.psnr = [27.34]", vec!["a\\|b"]),
    ] {
        let (_folder, page) = page(&PAGE.replace("where.training = [\"tuned\"]", filter));
        run(&page, false).expect("written");
        let text = read(&page);
        let rows = text.lines().filter(|line| line.starts_with("| ")).skip(2);
        let cells: Vec<&str> = rows.map(|row| row.split(' ').nth(1).unwrap_or("")).collect();
        assert_eq!(cells, shown, "{filter}");
    }
}

#[test]
fn mistakes_in_a_page_are_named_with_their_line_and_change_nothing() {
    let table = &PAGE[PAGE.find("<!--").expect("a table")..];
    for (text, wanted) in [
        (PAGE.replace("<!-- end of table -->\n", ""), "is not one of the table in line 5"),
        (PAGE.replace("| old |\n", "My text.\n"), "is not one of the table in line 5"),
        (PAGE.replace("<!-- end of table -->\n\nMore text.\n", ""), "a table without an end"),
        (PAGE.replace("<!-- end of table -->\n\nMore text.", table), "is not one of the table in line 5"),
        (PAGE.replace("<!-- table\n", "<!--table\n"), "resembles the begin of a table"),
        (PAGE.replace("\n-->\n", "\n"), "a line `-->`"),
        (PAGE.replace("columns = [", "column = ["), "unknown field `column`"),
        (PAGE.replace("\"images\"", "\"image\""), "has no column `image`"),
        (PAGE.replace("files/a.parquet", "files/b.parquet"), "b.parquet"),
        (PAGE.replace("files/a.parquet", "../a.parquet"), "`../a.parquet` is not such a file"),
        (PAGE.replace("files/a.parquet", "page.md"), "`page.md` is not such a file"),
        (PAGE.replace("\"tuned\"", "\"tunes\""), "has no row that the table in line 5 shows"),
        (PAGE.replace("digits.psnr", "digits.pnsr"), "it shows no column `pnsr`"),
        (PAGE.replace("digits.psnr = 1", "digits.psnr = 99999"), "`psnr` has 99999 digits"),
        ("No table.\n".to_owned(), "has no table"),
    ] {
        let (_folder, page) = page(&text);
        let said = format!("{:#}", run(&page, false).expect_err(wanted));
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert_eq!(read(&page), text, "{wanted}");
    }
}
