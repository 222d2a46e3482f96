//! Pages of artifacts.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::project::Project;
use crate::server::Answer;

/// A picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\x01\
\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

/// Project with a table of 120 orders, and one of three images, the second of which is damaged.
fn project() -> Project {
    let project = Project::new();
    let stage = "summary = \"Counts rows\"\nversion = 1\ncommand = [\"sh\", \"-c\", 'echo counted > \"$1\"', \"count\", \"{outputs.count}\"]\n\
                 [inputs.rows]\nkind = \"table\"\ndoc = \"Any table\"\n[outputs.count]\nkind = \"file\"\npath = \"count.txt\"\n\
                 doc = \"A text\"\n";
    project.write("stages/count/stage.toml", stage);
    project.write(
        "pipelines/main.toml",
        "summary = \"Tables\"\n[sources.orders]\npath = \"data/raw/orders.csv\"\n\
         [sources.photos]\npath = \"data/raw/photos/*.png\"\n\
         [stages.count_orders]\nuse = \"count\"\ninputs.rows = \"orders\"\n\
         [stages.count_photos]\nuse = \"count\"\ninputs.rows = \"photos\"\n",
    );
    let orders: String = (1..=120).map(|n| format!("{n},<i>product {n}</i>,{n}.5\n")).collect();
    project.write("data/raw/orders.csv", &format!("order,product,price\n{orders}"));
    for name in ["a", "b", "c"] {
        project.write(&format!("data/raw/photos/{name}.png"), "");
        let bytes = if name == "b" { b"<svg onload=alert(1)>" } else { PNG };
        fs::write(project.path(&format!("data/raw/photos/{name}.png")), bytes).expect("written");
    }
    project
}

/// Returns the version of the table that the page shows.
fn version(page: &str) -> String {
    let start = page.split("&quot;version&quot;:&quot;").nth(1).expect("a description");
    start.split("&quot;").next().expect("a version").to_owned()
}

/// Answers about one table, as the script of its page requests them.
struct Table<'a> {
    browser: &'a Browser,
    address: &'static str,
    version: String,
}

impl<'a> Table<'a> {
    fn of(browser: &'a Browser, address: &'static str) -> Self {
        Self { browser, address, version: version(&browser.page(address)) }
    }

    fn answer(&self, part: &str, query: &str) -> Answer {
        self.browser.answer(&format!("{}/{part}?v={}&{query}", self.address, self.version))
    }

    fn json(&self, part: &str, query: &str) -> Value {
        let answer = self.answer(part, query);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json")),
            "{}",
            answer.body
        );
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Names of the columns, and how their values are shown.
    fn columns(&self) -> Vec<(String, String)> {
        let page = self.browser.page(self.address).replace("&quot;", "\"");
        let start = page.split("data-table=\"").nth(1).expect("a description");
        let mut values = serde_json::Deserializer::from_str(start).into_iter::<Value>();
        let description = values.next().expect("a description").expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let columns = description["columns"].as_array().expect("columns").iter();
        columns.map(|column| (text(&column["name"]), text(&column["shown"]))).collect()
    }

    /// Number of selected rows, and the first cells of the rows in the answer.
    fn rows(&self, query: &str) -> (u64, Vec<String>) {
        let answer = self.json("rows", query);
        let rows = answer["rows"].as_array().expect("rows");
        let first = |row: &Value| row["cells"][0].as_str().expect("a text").to_owned();
        (answer["total"].as_u64().expect("a number"), rows.iter().map(first).collect())
    }
}

#[test]
fn rows_of_a_table_are_answered_in_windows() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    assert!(browser.page("/").contains("/data/read_table@orders/table"));
    let page = browser.page("/data/read_table@orders/table");
    assert!(page.contains("120 rows") && page.contains("src=\"/assets/data/main.js\""), "{page}");
    let orders = Table::of(&browser, "/data/read_table@orders/table");
    let answer = orders.json("rows", "");
    assert_eq!(answer["rows"][1], json!({ "row": 1, "cells": ["2", "<i>product 2</i>", ["2.50", "2.5"]] }));
    for (query, length) in [("", 64), ("at=64", 56), ("at=119", 1), ("at=120", 0), ("at=4294967295", 0)] {
        let (total, rows) = orders.rows(query);
        assert_eq!((total, rows.len()), (120, length), "{query}");
    }
}

#[test]
fn images_are_answered_many_at_a_time_and_a_damaged_one_does_not_hide_the_others() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    let photos = Table::of(&browser, "/data/read_table@photos/table");
    let column = photos.columns().into_iter().find(|(_, shown)| shown == "image").expect("a column").0;
    let pack =
        browser.raw(&format!("{}/thumbnails/{column}?v={}&rows=2,1,0", photos.address, photos.version));
    let start = pack.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a body") + 4;
    let length = (PNG.len() as u32).to_le_bytes();
    let expected = [&length[..], PNG, &u32::MAX.to_le_bytes(), &length, PNG].concat();
    assert_eq!(&pack[start..], expected, "the second image is not sent");
    for row in 0..3 {
        let bytes = browser.raw(&format!("{}/image/{column}/{row}?v={}", photos.address, photos.version));
        let text = String::from_utf8_lossy(&bytes);
        let kind = if row == 1 { "image/svg+xml" } else { "image/png" };
        assert!(text.contains(&format!("content-type: {kind}")), "{text}");
        assert!(!text.contains("onload"), "bytes of other types are never sent: {text}");
        assert_eq!(text.starts_with("HTTP/1.1 404"), row == 1, "{text}");
    }
    for (answer, status, help) in [
        (photos.answer("thumbnails/nothing", "rows=0"), 404, "has no column `nothing`"),
        (photos.answer("thumbnails/path", "rows=0"), 422, "has the type `string`"),
        (photos.answer(&format!("thumbnails/{column}"), ""), 422, "is not a list of rows"),
        (photos.answer(&format!("thumbnails/{column}"), "rows=0,x"), 422, "is not a list of rows"),
    ] {
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")));
        assert!(answer.body.contains(help), "{}", answer.body);
    }
}

#[test]
fn files_are_shown_and_wrong_addresses_are_explained() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    assert!(browser.page("/data/count_orders/count").contains("counted"));
    for (path, help) in [
        ("/data/count_order/count", "did you mean `count_orders`?"),
        ("/data/count_orders/cont", "did you mean `count`?"),
        ("/data/..%2F..%2Fstore/count", "there is no result of stage"),
    ] {
        let answer = browser.answer(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(help), "{path}: {}", answer.body);
    }
    let photos = Table::of(&browser, "/data/read_table@photos/table");
    let column = photos.columns().into_iter().find(|(_, shown)| shown == "image").expect("a column").0;
    for (column, row, status, help) in [
        ("nothing", "0", 404, "has no column `nothing`"),
        ("path", "0", 422, "has the type `string`"),
        (&column, "3", 404, "row 3 does not exist"),
        (&column, "-1", 400, "the address has a value that is not valid"),
    ] {
        let answer = photos.answer(&format!("image/{column}/{row}"), "");
        assert_eq!(answer.status, status, "{help}");
        assert!(answer.body.contains(help), "{help}: {}", answer.body);
    }
    for nonsense in ["at=-1", "at=x", "at=99999999999999999999999", "where=a:1&where=b:1"] {
        assert_eq!(photos.answer("rows", nonsense).status, 400, "{nonsense}");
    }
    project.write("data/raw/photos/d.png", "another");
    project.run();
    for part in [
        "rows".to_owned(),
        "histograms".to_owned(),
        format!("image/{column}/0"),
        format!("thumbnails/{column}"),
    ] {
        let answer = photos.answer(&part, "");
        assert_eq!((answer.status, answer.header("cache-control")), (404, Some("no-store")), "{part}");
        assert!(answer.body.contains("reload the page"), "{}", answer.body);
        assert_eq!(
            browser.answer(&format!("{}/{part}", photos.address)).status,
            404,
            "{part} without a version"
        );
    }
}

#[test]
fn rows_are_selected_by_conditions_and_sorted() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    let orders = Table::of(&browser, "/data/read_table@orders/table");
    assert_eq!(
        orders.rows("where=price:100..,order:..102&sort=-order"),
        (3, ["102", "101", "100"].map(str::to_owned).into())
    );
    let (total, rows) = orders.rows("where=product:*product%201*&sort=price");
    assert_eq!((total, &*rows[0]), (32, "1"), "product 1, 10 to 19, and 100 to 120");
    assert_eq!(orders.rows("where=product:%22%3Ci%3Eproduct%201%3C/i%3E%22%7C*%202%3C*").0, 2);
    assert_eq!(orders.rows("where=price:0..0"), (0, Vec::new()));
    assert_eq!(orders.rows("where=price:2.5..%3C4.5").1, ["2", "3"]);
    for (query, status, help) in [
        ("where=prise:3", 404, "did you mean `price`?"),
        ("where=price", 422, "write conditions as COLUMN:VALUE"),
        ("where=price:cheap", 422, "has numbers, and `cheap` is not one"),
        ("sort=%3Cb%3E", 404, "no column `<b>`"),
    ] {
        let answer = orders.answer("rows", query);
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.body.contains(help), "{query}: {}", answer.body);
    }
    assert_eq!(orders.answer("histograms", "where=prise:3").status, 404);
}

#[test]
fn each_bar_of_a_histogram_selects_as_many_rows_as_it_shows() {
    let project = project();
    let rows: String = (1..=500)
        .map(|n| {
            format!(
                "{n},{},{},\"kind {}, or\"\n",
                n % 7,
                if n % 9 == 0 { String::new() } else { format!("{}", f64::from(n) / 10.0 - 3.0) },
                n % 5
            )
        })
        .collect();
    project.write("data/raw/orders.csv", &format!("order,small,price,kind\n{rows}"));
    project.run();
    let browser = Browser::of(&project);
    let table = Table::of(&browser, "/data/read_table@orders/table");
    for conditions in ["", "order:..250"] {
        let answer = table.json("histograms", &format!("where={conditions}"));
        let mut bars = 0;
        for column in
            answer["columns"].as_array().expect("columns").iter().filter(|column| column["name"] != "order")
        {
            let (term, found) = (column["term"].as_str().expect("a name"), &column["bars"]);
            let selected: Vec<u64> = serde_json::from_value(found["selected"].clone()).expect("numbers");
            for (bar, rows) in selected.iter().enumerate() {
                let text = |list: &str, at: usize| found[list][at].as_str().expect("a text");
                let condition = match found["of"].as_str().expect("a kind") {
                    "numbers" => format!("{}..<{}", text("ends", bar), text("ends", bar + 1)),
                    _ => text("terms", bar).to_owned(),
                };
                let both = percent_encode(&format!("{conditions},{term}:{condition}"));
                assert_eq!(table.rows(&format!("where={both}")).0, *rows, "{conditions} {term}:{condition}");
                bars += 1;
            }
            let missing = if term != "price" {
                0
            } else if conditions.is_empty() {
                55
            } else {
                27
            };
            assert_eq!(column["missing"][1], missing, "{column}");
        }
        assert!(bars > 20, "{answer}");
    }
    // The bars of a column show the rows that satisfy the conditions on the other columns.
    let answer = table.json("histograms", "where=small:3");
    let small = &answer["columns"][1]["bars"];
    assert_eq!((&small["selected"], small["ends"][3].as_str()), (&small["all"], Some("3")));
}

#[test]
fn points_and_the_selected_rows_are_answered_as_bytes() {
    let project = project();
    project.write("data/raw/orders.csv", "order,price,left,kind\n1,2.5,7,b\n2,,8,a\n3,-1,9,b\n");
    project.run();
    let browser = Browser::of(&project);
    let orders = Table::of(&browser, "/data/read_table@orders/table");
    let bytes = |part: &str, query: &str| {
        let answer = browser.raw(&format!("{}/{part}?v={}&{query}", orders.address, orders.version));
        let start = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a body") + 4;
        answer[start..].to_vec()
    };
    let points = bytes("points", "x=price&y=left&colour=kind");
    let floats: Vec<f32> = points[24..48]
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect();
    assert_eq!(
        (points[..8].to_vec(), floats[0], floats[2], &floats[3..]),
        (vec![3, 0, 0, 0, 0, 0, 0, 0], 3.5, 0.0, &[0.0, 1.0, 2.0][..])
    );
    assert!(floats[1].is_nan(), "a missing value");
    assert_eq!(points[48..], [1, 0, 1], "bars of the kinds b, a, b");
    assert_eq!(bytes("mask", "where=left:8.."), [0b110]);
    let triangle = percent_encode("price&left:\"-2 6 4 6 4 8\"");
    assert_eq!(bytes("mask", &format!("where={triangle}")), [0b001]);
    assert_eq!(orders.rows(&format!("where={triangle}")), (1, vec!["1".to_owned()]));
    for (query, status, help) in [
        ("x=kind&y=left", 422, "column `kind` has no numbers"),
        ("x=prize&y=left", 404, "did you mean `price`?"),
        ("", 404, "the table has no column ``"),
    ] {
        let answer = orders.answer("points", query);
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.body.contains(help), "{}", answer.body);
    }
    assert_eq!(orders.answer("rows", "where=price%26kind:%221%202%203%204%205%206%22").status, 422);
}

#[test]
fn columns_of_other_tables_are_added_by_their_key() {
    let project = project();
    project.write("data/raw/stock.csv", "shelf,order,left\nA,3,7\nB,2,\nA,121,1\n");
    project.write("data/raw/twice.csv", "order,note\n1,one\n1,two\n");
    project.write("data/raw/apart.csv", "number\n1\n");
    let pipeline = fs::read_to_string(project.path("pipelines/main.toml")).expect("a pipeline");
    let more = ["stock", "twice", "apart"].map(|name| {
        format!(
            "[sources.{name}]\npath = \"data/raw/{name}.csv\"\n[stages.count_{name}]\nuse = \"count\"\ninputs.rows = \"{name}\"\n"
        )
    });
    project.write("pipelines/main.toml", &(pipeline + &more.concat()));
    project.run();
    let browser = Browser::of(&project);
    let address = "/data/read_table@orders/table";
    let others = Table::of(&browser, address).json("others", "");
    let names: Vec<&str> =
        others.as_array().expect("a list").iter().filter_map(|other| other["name"].as_str()).collect();
    assert_eq!(names, ["read_table@stock.table", "read_table@twice.table"], "tables with an equal column");
    let with = "with=read_table@stock.table";
    let version = version(&browser.page(&format!("{address}?{with}")));
    let orders = Table { browser: &browser, address, version };
    let stock = "read_table@stock.table";
    let answer = orders.json("rows", &format!("{with}&where={stock}.left:1..&sort=-{stock}.left"));
    assert_eq!(
        (&answer["total"], &answer["rows"][0]),
        (&json!(1), &json!({ "row": 2, "cells": ["3", "<i>product 3</i>", ["3.50", "3.5"], "A", "7"] }))
    );
    let answer = orders.json("rows", &format!("{with}&where=price:2..3"));
    assert_eq!(
        answer["rows"][0]["cells"].as_array().expect("cells")[3..],
        [json!("B"), Value::Null],
        "order 2 has no value, and order 1 no row"
    );
    let histograms = orders.json("histograms", with);
    let shelf = &histograms["columns"][3];
    assert_eq!(
        (&shelf["name"], &shelf["bars"]["all"], &shelf["missing"][0]),
        (&json!(format!("{stock}.shelf")), &json!([1, 1]), &json!(118))
    );
    for (with, status, help) in [
        ("read_table@twice.table", 422, "has several rows with the order &quot;1&quot;"),
        ("read_table@apart.table", 422, "has no column of texts or integers in common"),
        ("read_table@nothing.table", 404, "there is no result of stage `read_table@nothing`"),
        ("count_stock.count", 422, "is not a table"),
        ("nonsense", 404, "there is no result of stage"),
        ("read_table@orders.table", 422, "names a table twice"),
        ("read_table@stock.table,read_table@stock.table", 422, "names a table twice"),
    ] {
        let answer = browser.answer(&format!("{address}?with={with}"));
        assert_eq!(answer.status, status, "{with}: {}", answer.body);
        assert!(answer.body.contains(help), "{with}: {}", answer.body);
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn names_with_any_characters_lead_to_their_pages() {
    let project = project();
    let pipeline = "summary = \"Words\"\n[sources.photo]\npath = \"data/raw/photos/a.png\"\n\
                    [stages.each]\nuse = \"copy\"\ninputs.from = \"photo\"\n\
                    foreach.word = [\"a/b\", \"x y\", \"50%\", \"0.5\", \"ü?#\"]\nparams.word = \"{word}\"\n";
    project.write("pipelines/words.toml", pipeline);
    let output = project.callsheet(&["run", "-p", "words"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let browser = Browser::of_pipeline(&project, "words");
    let hrefs = |page: &str| -> Vec<String> {
        let starts = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        starts
            .filter(|href| href.starts_with("/data/") || href.starts_with("/run/"))
            .map(str::to_owned)
            .collect()
    };
    let overview = browser.page("/");
    let data: Vec<String> = hrefs(&overview).into_iter().filter(|href| href.starts_with("/data/")).collect();
    assert_eq!(data.len(), 5, "{overview}");
    for href in &data {
        let page = browser.page(href);
        let image =
            page.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an image");
        let bytes = browser.raw(image);
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{image}");
    }
    let stages = hrefs(&browser.page("/run/latest"));
    assert_eq!(stages.len(), 5, "{stages:?}");
    stages.iter().for_each(|href| assert!(browser.page(href).contains("copies "), "{href}"));
}
