//! Printing for commands.

use std::io::{ErrorKind, Write as _};
use std::process;

use serde::Serialize;

/// Exit code of a command that cannot print what it was asked for.
const FAILED: i32 = 1;

/// Prints a value to stdout as JSON.
pub fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("what is printed is plain data");
    print_text(&text);
}

/// Prints a line to stdout; a reader that has gone away (`| head`) is no error. Where it cannot be written otherwise, as on
/// a full disk, the program ends here.
pub fn print_text(text: &str) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("cannot write to stdout: {error}"));
            process::exit(FAILED);
        }
        _ => {}
    }
}

/// Returns a text without control characters, which could control the terminal: a line of a stranger stays one line.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// Prints a line to stderr; a log on a full disk is no reason to panic.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
