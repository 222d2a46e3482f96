//! Runs the Python tests of `setup/`, whose programs fetch and install.

use std::path::Path;
use std::process::Command;

#[test]
fn datasets_and_tools_are_fetched_completely_or_not_at_all() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.args(["-m", "unittest", "discover", "-s", "tests/setup"]).current_dir(root);
    let output = command.output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
