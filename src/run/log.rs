//! Log of a worker's stdout and stderr, limited in size: it keeps the beginning and the end.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use callsheet_worker::error::{IoContext, Result};

/// Bytes kept from the beginning of a log.
const HEAD: usize = 8 << 20;
/// Bytes kept from the end of a longer log.
const TAIL: usize = 1 << 20;

/// A log being written.
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Log {
    /// Returns an empty log, and removes an older file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        let _ = fs::remove_file(path);
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

/// Returns the last `count` lines of a log, for an error message.
pub(super) fn last_lines(log: &Path, count: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
