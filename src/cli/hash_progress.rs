//! Progress in bytes of results that are hashed, for example in a copy of a project, or copied.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use callsheet_worker::print::say;

use super::log_reporter::LogReporter;
use super::progress_reporter::ProgressReporter;
use crate::declare::Bytes;

/// Number of bytes between two steps of the bar.
const STEP: u64 = 64 << 20;

/// Time between two lines without a terminal, and before the first one.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress that is shown as a bar on a terminal, otherwise as lines. Dropping it removes the bar.
pub(super) struct HashProgress {
    /// Name of the bar.
    name: &'static str,
    /// Created with the first step: usually nothing is hashed.
    bar: Option<ProgressReporter<'static>>,
    shown: u64,
    last_line: Instant,
}

impl HashProgress {
    /// Returns a progress that shows nothing yet.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, bar: None, shown: 0, last_line: Instant::now() }
    }

    /// Shows the number of bytes that are done, from time to time.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        if std::io::stderr().is_terminal() {
            if done >= self.shown + STEP {
                self.shown = done;
                let bar = self.bar.get_or_insert_with(|| ProgressReporter::new(LogReporter::default()));
                bar.hashing(self.name, done, total);
            }
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            say(&format!("{}: {} of {}", self.name, Bytes(done), Bytes(total)));
        }
    }
}

impl Drop for HashProgress {
    fn drop(&mut self) {
        self.bar.iter_mut().for_each(ProgressReporter::clear);
    }
}
