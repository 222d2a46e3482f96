//! Logs that grow while they are read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;

use callsheet_worker::error::{IoContext, Result};

/// Position up to which a log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Number of the file. A worker that is started again has a new file.
    inode: u64,
    bytes: u64,
}

impl Tail {
    /// Returns the position `most` bytes before the end of a log, at the beginning of a line. A log that does not exist is
    /// empty.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub fn near_end(log: &Path, most: u64) -> Result<Self> {
        let Some((mut file, inode, size)) = open(log)? else { return Ok(Self::default()) };
        let Some(start) = size.checked_sub(most).filter(|start| *start > 0) else {
            return Ok(Self { inode, bytes: 0 });
        };
        file.seek(SeekFrom::Start(start - 1)).io_context("cannot read", log)?;
        let mut last = Vec::new();
        file.take(most + 1).read_to_end(&mut last).io_context("cannot read", log)?;
        let line = last.iter().position(|byte| *byte == b'\n').map_or(1, |end| end + 1);
        Ok(Self { inode, bytes: start - 1 + line as u64 })
    }

    /// Reads what was written after this position, at most `most` bytes. Reads from the beginning if the log is another file
    /// now. A log that does not exist is empty.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub fn read(&mut self, log: &Path, most: u64) -> Result<Vec<u8>> {
        let Some((mut file, inode, size)) = open(log)? else { return Ok(Vec::new()) };
        if inode != self.inode || size < self.bytes {
            *self = Self { inode, bytes: 0 };
        }
        file.seek(SeekFrom::Start(self.bytes)).io_context("cannot read", log)?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).io_context("cannot read", log)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// Reads as [`Self::read`] does, without a character at the end that is not complete yet. Bytes that are not UTF-8 are
    /// replaced.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub fn read_text(&mut self, log: &Path, most: u64) -> Result<String> {
        let mut bytes = self.read(log, most)?;
        let end = bytes.utf8_chunks().last().filter(|last| {
            // Such a part is the beginning of a character.
            std::str::from_utf8(last.invalid()).is_err_and(|error| error.error_len().is_none())
        });
        let cut = end.map_or(0, |last| last.invalid().len());
        bytes.truncate(bytes.len() - cut);
        self.bytes -= cut as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.inode, self.bytes)
    }
}

impl FromStr for Tail {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (inode, bytes) = text.split_once('-').ok_or(())?;
        Ok(Self { inode: inode.parse().map_err(|_| ())?, bytes: bytes.parse().map_err(|_| ())? })
    }
}

/// Opens a log; returns it with the number of the file and its size.
fn open(log: &Path) -> Result<Option<(File, u64, u64)>> {
    let file = match File::open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.io_context("cannot open", log)?,
    };
    let found = file.metadata().io_context("cannot read", log)?;
    Ok(Some((file, found.ino(), found.len())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_is_read_on_from_its_last_position_and_a_new_log_from_its_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.log");
        let mut tail = Tail::default();
        let mut read = || String::from_utf8(tail.read(&log, 1000).expect("read")).expect("text");
        assert_eq!(read(), "");
        fs::write(&log, "one\n").expect("written");
        assert_eq!(read(), "one\n");
        fs::write(&log, "one\ntwo\n").expect("written");
        assert_eq!((read(), read()), ("two\n".to_owned(), String::new()));
        fs::rename(&log, folder.path().join("a.1.log")).expect("renamed");
        fs::write(&log, "a new and longer log\n").expect("written");
        assert_eq!(read(), "a new and longer log\n");
    }

    #[test]
    fn a_long_log_is_read_from_a_line_near_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.log");
        let lines: Vec<String> = (0..10_000).map(|n| format!("line {n}\n")).collect();
        fs::write(&log, lines.concat()).expect("written");
        for most in [1, 11, 12, 1000, 1_000_000] {
            let mut tail = Tail::near_end(&log, most).expect("found");
            let bytes = tail.read(&log, u64::MAX).expect("read");
            assert!(bytes.len() as u64 <= most, "{most}");
            let text = String::from_utf8(bytes).expect("text");
            assert!(text.is_empty() || text.starts_with("line ") && text.ends_with("line 9999\n"), "{text}");
        }
        assert_eq!(Tail::near_end(&folder.path().join("none"), 9).expect("found"), Tail::default());
    }
}
