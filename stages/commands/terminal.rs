//! Lines for people.

use std::io::{IsTerminal, Write, stderr};

/// Shows a person who waits how far it is; once all is done the line is free again.
pub(super) fn progress(done: usize, total: usize, what: &str) {
    let mut terminal = stderr().lock();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r{done} of {total} {what}{}", if done == total { "\r\x1b[K" } else { "" });
    }
}
