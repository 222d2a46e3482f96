//! Progress on the terminal.

use std::io::{IsTerminal, Write, stderr};

/// Shows progress on stderr if it is a terminal, and clears the line when all is done.
pub(super) fn progress(done: usize, total: usize, what: &str) {
    let mut terminal = stderr().lock();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r{done} of {total} {what}{}", if done == total { "\r\x1b[K" } else { "" });
    }
}
