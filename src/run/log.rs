//! What a worker wrote to stdout and stderr: its beginning and its end, however much it was.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};

/// Bytes kept of a log's beginning.
const HEAD: usize = 8 << 20;
/// Bytes kept of the end of a longer log.
const TAIL: usize = 1 << 20;

/// A log being written.
pub struct Log {
    path: PathBuf,
    file: File,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Log {
    /// Creates the file.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).doing("cannot create", path)?;
        Ok(Self { path: path.to_owned(), file, written: 0, tail: VecDeque::new(), left_out: 0 })
    }

    /// Takes what the worker wrote.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (head, tail) = bytes.split_at(bytes.len().min(HEAD - self.written));
        self.written += head.len();
        self.file.write_all(head).doing("cannot write", &self.path)?;
        self.tail.extend(tail);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.left_out += surplus as u64;
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<()> {
        if self.left_out > 0 {
            let note = format!("\n[{} bytes are left out here]\n", self.left_out);
            self.file.write_all(note.as_bytes()).doing("cannot write", &self.path)?;
        }
        self.file.write_all(self.tail.make_contiguous()).doing("cannot write", &self.path)
    }
}

/// The last lines of a log, for an error message.
pub fn last_lines(log: &Path, count: usize) -> String {
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
        let mut log = Log::create(&path).expect("created");
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
