//! Stamps of files.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Attributes that the file system records. A file with an equal stamp is the same file with unchanged content, unless it
/// was changed again within the resolution of the file system's clock. No program can set the change time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
    ctime: i64,
    ctime_nsec: i64,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.len(),
            mtime: found.mtime(),
            mtime_nsec: found.mtime_nsec(),
            ctime: found.ctime(),
            ctime_nsec: found.ctime_nsec(),
        }
    }

    /// Returns the stamp of the file at `path`, if it exists.
    pub(super) fn read(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self::of(&found))
    }
}
