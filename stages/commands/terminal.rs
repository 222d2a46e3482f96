//! Lines for people.

use std::io::{IsTerminal, Write, stderr};

/// A line of a stranger's, or with names of a stranger's files, that stays one and does nothing to a terminal.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// Shows a person who waits how far it is; once all is done the line is free again.
pub fn progress(done: usize, total: usize, what: &str) {
    let mut terminal = stderr().lock();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r{done} of {total} {what}{}", if done == total { "\r\x1b[K" } else { "" });
    }
}
