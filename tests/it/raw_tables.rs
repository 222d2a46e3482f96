//! CSV files, JSON lines and images that a stage reads as a table. The tests run the real binary; the worker is in
//! Python, and reads and writes JSON lines.

use serde_json::{Value, json};

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project, Run};

/// A project with one stage `echo`, which copies the rows of the source `rows`. `source` is its declaration.
fn project(source: &str) -> Project {
    let project = Project::minimal();
    project.write(
        "pipelines/main.toml",
        &format!("summary = \"Copies\"\n[sources.rows]\n{source}\n[stages.echo]\ninputs.rows = \"rows\"\n"),
    );
    project.write(
        "stages/echo/stage.toml",
        "summary = \"Copies\"\nversion = 1\ncommand = [\"cp\", \"{inputs.rows}\", \"{outputs.copy}\"]\n\
         [inputs.rows]\nkind = \"table\"\nformat = \"json\"\ndoc = \"Rows\"\n\
         [outputs.copy]\nkind = \"file\"\npath = \"copy.ndjson\"\nallow_empty = true\ndoc = \"The rows\"\n",
    );
    project
}

fn csv(text: &str) -> Project {
    let project = project("path = \"data/raw/*.csv\"");
    project.write("data/raw/a.csv", text);
    project
}

fn run(project: &Project, more: &[&str]) -> Run {
    project.run(&[&MAIN, more].concat())
}

/// Rows that the stage got.
fn rows(project: &Project) -> Vec<Value> {
    run(project, &[]);
    let text = project.read("data/out/main/echo/copy.ndjson");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Errors of a run whose raw files are refused.
fn refused(project: &Project) -> String {
    project.run_failing("worker_failed", &MAIN)
}

#[test]
fn types_of_columns_are_inferred_from_all_rows() {
    let text = "id,price,exact,known,zip,big,note\n\
                1,2.5,1,true,01234,12345678901234567890,\"a, b\"\n\
                2,3,2.5,FALSE,99999,12345678901234567891,\n\
                3,n/a,NaN,,00001,2,x\n";
    let found = rows(&csv(text));
    let first = json!({
        "id": 1, "price": 2.5, "exact": 1.0, "known": true, "zip": "01234", "big": "12345678901234567890", "note": "a, b",
    });
    assert_eq!(found[0], first);
    assert_eq!(
        found[1],
        json!({ "id": 2, "price": 3.0, "exact": 2.5, "known": false, "zip": "99999", "big": "12345678901234567891" })
    );
    assert_eq!(
        found[2],
        json!({ "id": 3, "zip": "00001", "big": "2", "note": "x" }),
        "missing values are null"
    );
}

#[test]
fn a_byte_order_mark_other_line_ends_separators_and_quoted_line_breaks_are_read() {
    let wanted = vec![json!({ "id": 1, "note": "two\nlines" }), json!({ "id": 2, "note": "a \"b\"" })];
    for text in [
        "\u{feff}id,note\r\n1,\"two\nlines\"\r\n2,\"a \"\"b\"\"\"\r\n",
        "id;note\n1;\"two\nlines\"\n2;\"a \"\"b\"\"\"",
        "id\tnote\n1\t\"two\nlines\"\n2\t\"a \"\"b\"\"\"\n",
        " id , note\n1,\"two\nlines\"\n2,\"a \"\"b\"\"\"\n",
    ] {
        assert_eq!(rows(&csv(text)), wanted, "{text:?}");
    }
}

#[test]
fn declared_types_that_nothing_reads_are_refused() {
    let project = project("path = \"data/raw/*.csv\"\ncolumns = { id = \"string\" }");
    project.write("data/raw/a.csv", "id,price\n1,2\n");
    let stage = project.read("stages/echo/stage.toml").replacen(
        "kind = \"table\"\nformat = \"json\"",
        "kind = \"files\"",
        1,
    );
    project.write("stages/echo/stage.toml", &stage);
    assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
}

#[test]
fn declared_types_take_precedence() {
    let project = project("path = \"data/raw/*.csv\"\ncolumns = { id = \"string\", price = \"float64\" }");
    project.write("data/raw/a.csv", "id,price\n1,2\n");
    assert_eq!(rows(&project), [json!({ "id": "1", "price": 2.0 })]);
    project.write("data/raw/a.csv", "id,price\n1,2\n2,cheap\n");
    let said = refused(&project);
    assert!(said.contains("a.csv: `cheap` in line 3, column `price`, is not a valid float64"), "{said}");
    project.write("data/raw/a.csv", "id,pricE\n1,2\n");
    let said = refused(&project);
    assert!(said.contains("the file has no column `price`, although its type is declared"), "{said}");
    assert!(said.contains("did you mean `pricE`?"), "{said}");
}

#[test]
fn a_type_that_no_column_can_have_is_refused_with_the_known_types() {
    let project = project("path = \"data/raw/*.csv\"\ncolumns = { id = \"image\" }");
    project.write("data/raw/a.csv", "id\n1\n");
    let said = project.refused("declaration", &[&["plan"], &MAIN[..]].concat());
    assert!(said.contains("source `rows` declares column `id` with the unknown type `image`"), "{said}");
    assert!(said.contains("use one of: string, bool, int32, int64, float32, float64"), "{said}");
}

#[test]
fn malformed_csv_files_are_refused_with_the_line_and_the_remedy() {
    let cases = [
        ("", "a.csv: the file is empty"),
        ("id,id\n1,2\n", "a.csv: columns 1 and 2 have the name `id`"),
        (",price\n0,1\n", "a.csv: column 1 has no name in the header"),
        ("id,price\n1\n", "a.csv: line 2 has 1 fields, but the header has 2"),
        ("id,price\n1,2\n\"x,3\n", "a.csv: the quote that opens in line 3 is not closed"),
        ("a,b\n1,\"foo\n2,bar\n3,baz\n", "a.csv: the quote that opens in line 2 is not closed"),
        ("a,b\n1,\"5\" inch\n", "a.csv: line 2 has text after the closing quote of a field"),
        ("id\n9007199254740993\n1.5\n", "a.csv: column `id` contains "),
        (
            "id\n1\n2\n1e400\n",
            "a.csv: column `id` contains numbers (2 of 3 values), but line 4 contains `1e400`",
        ),
        ("id\n1\nx\n3\n", "a.csv: column `id` contains numbers (2 of 3 values), but line 3 contains `x`"),
        ("id\nx\n2\n3\n", "a.csv: column `id` contains numbers (2 of 3 values), but line 2 contains `x`"),
        (
            "id\n1.5\n007\n3\n",
            "a.csv: column `id` contains numbers (2 of 3 values), but line 3 contains `007`",
        ),
        (
            "id\ntrue\n1\ntrue\n",
            "a.csv: column `id` contains true and false (2 of 3 values), but line 3 contains `1`",
        ),
    ];
    for (text, wanted) in cases {
        let said = refused(&csv(text));
        assert!(said.contains(wanted), "{text:?}: {said}");
        assert!(said.contains("help: "), "{said}");
    }
    let project = csv("id\n1\n");
    std::fs::write(project.path("data/raw/a.csv"), b"id\ncaf\xe9\n").expect("written");
    assert!(refused(&project).contains("a.csv: line 2 is not UTF-8"));
}

#[test]
fn a_mixed_column_can_be_declared_as_text() {
    assert_eq!(rows(&csv("id\n1\nx\ny\n"))[0], json!({ "id": "1" }), "most values are texts");
    let project = csv("id\n1\nx\n");
    assert!(
        refused(&project)
            .contains("declare the type under [sources.NAME] in the pipeline: columns.id = \"string\"")
    );
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &pipeline.replace("[stages", "columns.id = \"string\"\n[stages"));
    assert_eq!(rows(&project), [json!({ "id": "1" }), json!({ "id": "x" })]);
}

#[test]
fn several_files_are_one_table_if_they_have_equal_columns() {
    let project = csv("id,price\n1,2\n");
    project.write("data/raw/b.csv", "price,id\n4.5,3\n");
    assert_eq!(rows(&project), [json!({ "id": 1, "price": 2.0 }), json!({ "id": 3, "price": 4.5 })]);
    project.write("data/raw/b.csv", "price,number\n4,3\n");
    assert!(refused(&project).contains("b.csv: the file lacks the column `id` of the first file"));
}

#[test]
fn json_lines_are_read_as_a_table() {
    let project = project("path = \"data/raw/rows.jsonl\"");
    let write = |text: &str| project.write("data/raw/rows.jsonl", text);
    write("\u{feff}{\"id\": 1, \"tags\": [\"a\"]}\n\n{\"id\": 2.5, \"tags\": [], \"ok\": true}\n");
    let wanted = [json!({ "id": 1.0, "tags": ["a"] }), json!({ "id": 2.5, "tags": [], "ok": true })];
    assert_eq!(rows(&project), wanted);
    write("{\"id\": [1, 2.5]}\n{\"id\": [3]}\n");
    assert_eq!(rows(&project), [json!({ "id": [1.0, 2.5] }), json!({ "id": [3.0] })]);
    let cases = [
        ("{\"id\": 9223372036854775808}\n", "`id` in line 1 is an integer outside the range of int64"),
        ("{\"id\": 100000000000000000000001}\n", "`id` in line 1 is an integer outside the range of int64"),
        ("{\"id\": 9007199254740993}\n{\"id\": 1.5}\n", "column `id` contains "),
        ("{\"id\": [1, \"x\"]}\n", "`id` in line 1 is a list with items of several types"),
        ("", "rows.jsonl: the file has no rows"),
        ("{\"a\": 1, \"a\": 2}\n", "rows.jsonl: line 1 is not a row: the key `a` occurs twice"),
        ("{\"\": 1}\n", "rows.jsonl: line 1 is not a row: a key has no name"),
        (
            "{\"id\": 1}\n[2]\n",
            "rows.jsonl: line 2 is not a row: invalid type: sequence, expected a JSON object",
        ),
        (
            "{\"id\": 1}\n{\"id\": \"x\"}\n",
            "column `id` contains numbers (1 of 2 values), but line 2 contains `\"x\"`",
        ),
        ("{\"id\": {\"a\": 1}}\n", "`id` in line 1 is an object, which a column cannot contain"),
    ];
    for (text, wanted) in cases {
        write(text);
        let said = refused(&project);
        assert!(said.contains(wanted), "{text:?}: {said}");
    }
}

#[test]
fn declared_types_of_json_lines_accept_texts_of_numbers_and_no_fractions() {
    let project = project("path = \"data/raw/rows.jsonl\"\ncolumns.id = \"string\"");
    project.write("data/raw/rows.jsonl", "{\"id\": 1}\n{\"id\": \"x\"}\n");
    assert_eq!(rows(&project), [json!({ "id": "1" }), json!({ "id": "x" })]);
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &pipeline.replace("\"string\"", "\"int64\""));
    project.write("data/raw/rows.jsonl", "{\"id\": 1.0}\n{\"id\": 2.5}\n");
    let said = refused(&project);
    assert!(said.contains("column `id` has the type int64, but 2.5 is not an integer"), "{said}");
}

#[test]
fn numbers_that_a_float32_cannot_contain_are_refused() {
    let project = project("path = \"data/raw/rows.jsonl\"\ncolumns.x = \"float32\"");
    project.write("data/raw/rows.jsonl", "{\"x\": 1.5}\n{\"x\": 1e300}\n");
    let said = refused(&project);
    assert!(said.contains("rows.jsonl: the value of `x` in row 2 exceeds the range of float32"), "{said}");
}

#[test]
fn large_floats_and_long_texts_of_digits_are_no_integers() {
    let project = project("path = \"data/raw/rows.jsonl\"");
    project.write("data/raw/rows.jsonl", "{\"x\": 1e30, \"id\": \"100000000000000000000001\"}\n");
    assert_eq!(rows(&project), [json!({ "x": 1e30, "id": "100000000000000000000001" })]);
}

#[test]
fn lines_are_counted_as_editors_count_them_and_files_are_named() {
    for (end, wanted) in
        [("\r\n", "line 4 contains `x`"), ("\r", "line 4 contains `x`"), ("\n", "line 4 contains `x`")]
    {
        let project = csv(&["id", "1", "2", "x", ""].join(end));
        let said = refused(&project);
        assert!(said.contains(wanted), "{end:?}: {said}");
        project.write("data/raw/a.csv", &["id,n", "1,2", "2,3", "3", ""].join(end));
        let said = refused(&project);
        assert!(said.contains("line 4 has 1 fields"), "{end:?}: {said}");
    }
    let project = csv("n\n1\n2\n3\n");
    project.write("data/raw/b.csv", "n\n1\nabc\n");
    let said = refused(&project);
    assert!(
        said.contains("b.csv: column `n` contains numbers (4 of 5 values), but line 3 contains `abc`"),
        "{said}"
    );
}

#[test]
fn postal_codes_with_and_without_leading_zeros_are_texts() {
    let wanted = vec![json!({ "zip": "80331" }), json!({ "zip": "01067" }), json!({ "zip": "10115" })];
    assert_eq!(rows(&csv("zip\n80331\n01067\n10115\n")), wanted);
}

#[test]
fn files_that_are_no_tables_are_refused_before_the_run() {
    for name in ["rows.txt", "rows.csv.gz", "rows.json"] {
        let project = project(&format!("path = \"data/raw/{name}\""));
        project.write(&format!("data/raw/{name}"), "id,n\n1,2\n");
        let said = project.refused("declaration", &[&["plan"], &MAIN[..]].concat());
        assert!(said.contains(&format!("source `rows`: data/raw/{name} is not a table")), "{said}");
        assert!(said.contains("JSON lines (.jsonl, .ndjson)"), "{said}");
    }
}

#[test]
fn blank_lines_before_the_header_are_skipped() {
    assert_eq!(rows(&csv("\n\nid;n\n1;2\n")), [json!({ "id": 1, "n": 2 })]);
}

#[test]
fn a_table_without_rows_is_warned_of() {
    let project = csv("id,n\n");
    let output = project.command(&[&["run"], &MAIN[..]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("a.csv has no rows"), "{stderr}");
}

#[test]
fn the_stage_that_reads_tables_cannot_be_used_in_a_pipeline() {
    let project = csv("id\n1\n");
    let pipeline = project.read("pipelines/main.toml");
    let used =
        "[stages.mine]\nuse = \"read_table\"\ninputs.files = \"rows\"\nparams.columns = [\"n: nonsense\"]\n";
    project.write("pipelines/main.toml", &(pipeline + used));
    assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
}

#[test]
fn a_folder_of_images_is_a_table_with_path_size_digest_and_bytes() {
    let project = project("path = \"data/raw/photos/**/*.png\"");
    project.write("data/raw/photos/b/2.png", "second");
    project.write("data/raw/photos/1.png", "first");
    let found = rows(&project);
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["path"], &found[0]["size"]), (&json!("1.png"), &json!(5)));
    assert_eq!(found[1]["path"], "b/2.png");
    assert_eq!(found[0]["digest"], blake3::hash(b"first").to_hex().as_str());
    assert_eq!(found[1]["bytes"], json!({ "bytes": "7365636f6e64", "path": "2.png" }));
}

#[test]
fn files_of_several_formats_are_not_one_table() {
    let project = csv("id\n1\n");
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &pipeline.replace("*.csv", "*"));
    project.write("data/raw/b.jsonl", "{\"id\": 1}\n");
    let said = project.refused("declaration", &[&["plan"], &MAIN[..]].concat());
    assert!(said.contains("have different formats, so they are not one table"), "{said}");
}

#[test]
fn a_stage_with_the_name_of_the_built_in_one_is_refused() {
    let project = csv("id\n1\n");
    let pipeline = project.read("pipelines/main.toml");
    project.write(
        "pipelines/main.toml",
        &format!("{pipeline}[stages.read_table]\nuse = \"echo\"\ninputs.rows = \"rows\"\n"),
    );
    let said = project.refused("declaration", &[&["plan"], &MAIN[..]].concat());
    assert!(
        said.contains("a stage has the name `read_table`, which callsheet uses to read source `rows`"),
        "{said}"
    );
}

#[test]
fn only_changed_rows_of_a_file_are_computed_and_equal_rows_stop_the_run() {
    let project = csv("id,price\n1,10\n2,20\n3,30\n");
    project.write(
        "stages/echo/stage.toml",
        "summary = \"Copies\"\nversion = 1\ncommand = [\"cp\", \"{inputs.rows}\", \"{outputs.copy}\"]\n\
         [inputs.rows]\nkind = \"table\"\nformat = \"json\"\ndoc = \"Rows\"\n\
         [outputs.copy]\nkind = \"table\"\npath = \"copy.parquet\"\nformat = \"json\"\n\
         columns = { id = \"int64\", price = \"int64\" }\ndoc = \"The rows\"\n\
         [rows]\nkey = \"id\"\ninput = \"rows\"\noutput = \"copy\"\n",
    );
    let computed = |run: &Run| {
        let events = run.events().iter().filter(|event| event["event"] == "rows");
        events.map(|event| event["compute"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    let first = run(&project, &[]);
    assert_eq!((first.ran(), computed(&first)), (vec!["read_table@rows", "echo"], vec![3]));
    project.write("data/raw/a.csv", "id,price\n1,10\n2,25\n3,30\n4,40\n");
    assert_eq!(computed(&run(&project, &[])), [2], "one row changed, one is new");
    project.write("data/raw/a.csv", "\"price\";\"id\"\r\n10;1\r\n25;2\r\n30;3\r\n40;4\r\n");
    let equal = run(&project, &[]);
    assert_eq!(
        (equal.ran(), computed(&equal)),
        (vec!["read_table@rows", "echo"], vec![0]),
        "the order of columns changed"
    );
    project.write("data/raw/a.csv", "price,id\n10,1\n25,2\n30,3\n40,4\n");
    assert_eq!(run(&project, &[]).ran(), ["read_table@rows"], "the rows are equal");
    let shown = project.stdout(&[&["show", "read_table@rows.table"], &MAIN[..]].concat());
    assert!(shown.contains("4 rows") && shown.contains("raw file     data/raw/a.csv"), "{shown}");
}

#[test]
fn the_table_of_a_source_is_a_result_like_any_other() {
    let project = csv("id\n1\n");
    run(&project, &[]);
    let gc = project.stdout(&[&["gc", "--undeclared", "--older-than", "0s"], &MAIN[..0]].concat());
    assert!(gc.starts_with("0 unused results"), "{gc}");
    assert!(project.path("data/out/main/read_table@rows/table.parquet").is_file());
    let doc = project.stdout(&["stages", "read_table"]);
    assert!(doc.contains("Reads raw files as a table"), "{doc}");
}

#[test]
fn plan_counts_the_rows_of_a_file_that_was_read() {
    let project = csv("id\n1\n");
    let plan = project.stdout(&[&["plan"], &MAIN[..]].concat());
    assert!(
        plan.contains("cached read_table@rows") && plan.contains("1 rows of table"),
        "`plan` reads the file: {plan}"
    );
    assert!(!plan.contains("would fail"), "{plan}");
    assert_eq!(run(&project, &[]).ran(), ["echo"]);
    assert!(run(&project, &[]).ran().is_empty());
}
