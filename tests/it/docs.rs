//! Generated pages must match the current declarations; `make docs` writes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use callsheet_worker::code::Code;

/// Output of a command in this repository's own project.
fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let output =
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("callsheet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn assert_current(page: &str, arguments: &[&str]) {
    let written = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect(page);
    assert!(written == printed(arguments), "{page} is not current: run `make docs`");
}

#[test]
fn the_page_of_all_stages_is_current() {
    assert_current("docs/stages.md", &["stages", "--markdown"]);
}

#[test]
fn the_schemas_that_editors_use_are_current() {
    for name in ["stage", "pipeline", "project"] {
        assert_current(&format!("docs/schemas/{name}.schema.json"), &["schema", name]);
    }
}

#[test]
fn the_page_of_error_codes_has_every_code_and_no_other() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).expect("a page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let codes: Vec<&str> = rows.map(|(code, _)| code).collect();
    assert_eq!(codes, Code::ALL.map(|code| code.to_string()));
}
