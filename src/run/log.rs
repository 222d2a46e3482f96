//! Log of a worker's stdout and stderr, limited in size: it keeps the beginning and the end.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::print::plain;

/// Bytes kept from the beginning of a log.
const HEAD: usize = 8 << 20;
/// Bytes kept from the end of a longer log.
const TAIL: usize = 1 << 20;

/// Characters of a line that an error message shows.
const LONGEST_LINE: usize = 300;

/// A log being written.
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Log {
    /// Returns an empty log. The log of an earlier attempt at `path`, e.g. `train.log`, becomes `train.1.log`.
    pub(super) fn new(path: &Path) -> Self {
        if path.exists() {
            let numbered = |n: u32| path.with_extension(format!("{n}.log"));
            let free = (1..).map(numbered).find(|earlier| !earlier.exists());
            let _ = free.map(|earlier| fs::rename(path, earlier));
        }
        Self { path: path.to_owned(), file: None, written: 0, tail: VecDeque::new(), left_out: 0 }
    }

    /// Appends output of the worker.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written, for example because the disk is full.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (head, tail) = bytes.split_at(bytes.len().min(HEAD - self.written));
        self.written += head.len();
        self.append(head)?;
        self.tail.extend(tail);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.left_out += surplus as u64;
        Ok(())
    }

    /// Writes the end of the log, after a note on the number of bytes that are left out.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written, for example because the disk is full.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.left_out > 0 {
            let note = format!("\n[{} bytes are left out here]\n", self.left_out);
            self.append(note.as_bytes())?;
        }
        let tail = std::mem::take(&mut self.tail);
        self.append(tail.as_slices().0)?;
        self.append(tail.as_slices().1)
    }

    /// Writes to the file, which is created with the first byte.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path).io_context("cannot create", &self.path)?),
        };
        file.write_all(bytes).io_context("cannot write", &self.path)
    }
}

/// Returns the last `count` lines of a log as a terminal shows them, for an error message: of a line with progress
/// bars the last one, of a long line the end, and no escape sequences.
pub(super) fn last_lines(log: &Path, count: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = strip_str(&String::from_utf8_lossy(&bytes)).to_string();
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines[end.saturating_sub(count)..end].join("\n")
}

fn shown(line: &str) -> String {
    let last = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    let surplus = last.chars().count().saturating_sub(LONGEST_LINE);
    let end: String = last.chars().skip(surplus).collect();
    plain(&if surplus > 0 { format!("…{end}") } else { end }.replace('\t', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_shown_without_progress_bars_and_escapes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let bar = "10 %\r20 %\r30 %";
        let text = format!("{bar}\rerror: no x\n\x1b[31mred\x1b[0m\r\n{}end\n\n", "x".repeat(1000));
        fs::write(&path, text).expect("written");
        let lines = last_lines(&path, 3);
        assert!(lines.starts_with("error: no x\nred\n…xxx") && lines.ends_with("xend"), "{lines}");
    }

    #[test]
    fn the_log_of_an_earlier_attempt_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.b.log");
        for attempt in ["one", "two", "three"] {
            let mut log = Log::new(&path);
            log.write(attempt.as_bytes()).expect("written");
            log.finish().expect("finished");
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a log");
        assert_eq!([read("a.b.1.log"), read("a.b.2.log"), read("a.b.log")], ["one", "two", "three"]);
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("long.log");
        let mut log = Log::new(&path);
        log.write(b"first line\n").expect("written");
        for _ in 0..20 {
            log.write(&vec![b'.'; 1 << 20]).expect("written");
        }
        log.write(b"\nlast line\n").expect("written");
        log.finish().expect("finished");
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.starts_with("first line") && text.contains("bytes are left out here"));
        assert_eq!(last_lines(&path, 1), "last line");
        assert!(text.len() < HEAD + TAIL + 100);
    }
}
