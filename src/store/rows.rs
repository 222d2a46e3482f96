//! Rows of row-wise stages. A segment is a sorted Parquet object; the digests of its rows are in
//! `rows/<pool>/<segment>`. A pool contains the rows that actions with different input tables can share.
//!
//! A large table of rows is a folder of hard links to segments, so rows that two tables share are stored once. A small
//! one is a single file.
//! Deleting a pool is safe: its rows are computed again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result};

use super::digest::digest_file;
use super::digest::digest_named;
use super::files::{create_below, entries, remove};
use super::half::draft;
use super::object::Object;
use super::place::object_name;
use super::root::Store;
use super::seal::seal;
use super::stored_tree::StoredTree;
use crate::declare::ArtifactKind;

/// First bytes of a file of row digests.
const MAGIC: &[u8; 16] = b"callsheet rows1\n";

/// Digests of the input and the output of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDigests {
    /// Digest of the input row.
    pub input: Digest,
    /// Digest of the output row.
    pub output: Digest,
}

/// A sorted file of rows in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Digest of the file's bytes.
    pub bytes: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Digests of the rows, in the order of the rows' key.
    pub rows: Vec<RowDigests>,
}

impl Segment {
    /// Description of the segment as an object.
    pub fn object(&self) -> Object {
        let rows = Some(self.rows.len() as u64);
        let (bytes, size) = (self.bytes, self.size);
        let kind = ArtifactKind::Table;
        Object { kind, content: bytes, bytes, size, files: 1, links: None, rows, parts: Vec::new() }
    }
}

impl Store {
    /// Intact segments of a pool ([`Store::intact`]), in the order of their digests.
    ///
    /// # Errors
    /// Returns an error if the pool cannot be listed.
    pub fn segments(&self, pool: &Digest) -> Result<Vec<Segment>> {
        let mut segments: BTreeMap<PathBuf, Segment> = BTreeMap::new();
        for half in self.results() {
            for path in entries(&half.path(pool_name(pool)))? {
                let name = path.file_name().unwrap_or_default().into();
                segments.extend(read_segment(&path).map(|segment| (name, segment)));
            }
        }
        if let Some(sharing) = &self.sharing {
            sharing.intend(segments.values().map(|segment| segment.bytes.to_string()))?;
        }
        Ok(segments.into_values().filter(|segment| self.intact(&segment.object())).collect())
    }

    /// Moves a finished file of sorted rows into the store, and adds it to a pool.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or the store cannot be written.
    pub fn add_segment(&self, pool: &Digest, from: &Path, rows: Vec<RowDigests>) -> Result<Segment> {
        let segment = self.place_segment(from, rows)?;
        self.add_to_pool(pool, &segment)?;
        Ok(segment)
    }

    /// Moves a finished file of sorted rows into the store. Its rows are not looked up before it is added to a pool.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or the store cannot be written.
    pub fn place_segment(&self, from: &Path, rows: Vec<RowDigests>) -> Result<Segment> {
        let bytes = digest_file(from)?;
        let tree = StoredTree::read(from, false)?;
        let size = tree.size();
        let segment = Segment { bytes, size, rows };
        seal(&segment.object(), from, &tree.files)?;
        self.place(from, &segment.object())?;
        Ok(segment)
    }

    /// Adds a segment to a pool.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn add_to_pool(&self, pool: &Digest, segment: &Segment) -> Result<()> {
        let mut text = Vec::with_capacity(MAGIC.len() + 8 + segment.rows.len() * 64);
        text.extend_from_slice(MAGIC);
        text.extend_from_slice(&segment.size.to_le_bytes());
        for row in &segment.rows {
            text.extend_from_slice(row.input.as_bytes());
            text.extend_from_slice(row.output.as_bytes());
        }
        let pool = self.shared.path(pool_name(pool));
        create_below(self.shared.root(), &pool)?;
        let mut file = draft(&self.staging_of_run())?;
        let path = pool.join(segment.bytes.to_string());
        file.write_all(&text).io_context("cannot write", &path)?;
        file.persist(&path).map_err(|e| e.error).io_context("cannot write", &path)?;
        Ok(())
    }

    /// Copies segments that only the project's own store has to the shared store, so that others can use their rows.
    ///
    /// # Errors
    /// Returns an error if a segment cannot be copied.
    pub fn share_segments(&self, pool: &Digest, segments: &[Segment]) -> Result<()> {
        let Some(own) = &self.earlier else { return Ok(()) };
        for segment in segments {
            let name = object_name(&segment.bytes);
            if self.shared.path(&name).symlink_metadata().is_ok() {
                continue;
            }
            let copy = self.staging()?;
            let (from, to) = (own.path(name), copy.path().join("segment.parquet"));
            fs::copy(&from, &to).io_context("cannot copy", from)?;
            self.add_segment(pool, &to, segment.rows.clone())?;
        }
        Ok(())
    }

    /// Forgets the rows of a pool, so that they are recomputed. Tables keep their rows. Rows in a shared store stay.
    ///
    /// # Errors
    /// Returns an error if the files of row digests cannot be removed.
    pub fn forget_rows(&self, pool: &Digest) -> Result<()> {
        let own = if self.sharing.is_some() { &self.workspace } else { &self.shared };
        remove(&own.path(pool_name(pool)))
    }

    /// Removes a new segment whose rows are in other segments now. It stays in a shared store, where others may use it.
    ///
    /// # Errors
    /// Returns an error if a file cannot be removed.
    pub fn remove_segment(&self, pool: &Digest, segment: &Segment) -> Result<()> {
        if self.sharing.is_some() {
            return Ok(());
        }
        remove(&self.shared.path(pool_name(pool)).join(segment.bytes.to_string()))?;
        remove(&self.object_path(&segment.object()))
    }

    /// Publishes a table that consists of segments. The table of a single segment is its file. `content` is the digest
    /// of the table's rows in the order of their key.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn publish_parts(&self, segments: &[Segment], content: Digest) -> Result<Object> {
        if let [segment] = segments {
            return Ok(Object { content, ..segment.object() });
        }
        let name = |number| format!("part-{number:05}.parquet");
        let object = Object {
            kind: ArtifactKind::Table,
            content,
            bytes: digest_named(segments.iter().enumerate().map(|(n, s)| (name(n), s.bytes))),
            size: segments.iter().map(|segment| segment.size).sum(),
            files: segments.len() as u64,
            links: None,
            rows: Some(segments.iter().map(|segment| segment.rows.len() as u64).sum()),
            parts: segments.iter().map(|segment| segment.bytes).collect(),
        };
        let staging = self.staging()?;
        for (number, segment) in segments.iter().enumerate() {
            let (from, to) =
                (self.shared.path(object_name(&segment.bytes)), staging.path().join(name(number)));
            if fs::hard_link(&from, &to).is_err() && self.sharing.is_some() {
                if !self.is_shared(&segment.object()) && !self.is_restored(&segment.object()) {
                    return Err(Error::user_error(
                        Code::NotComputed,
                        format!("rows in {} were removed during this action", from.display()),
                        "run again to recompute them",
                    ));
                }
                // The kernel may forbid hard links to files of other users.
                let from = Path::new("../..")
                    .join(object_name(&segment.bytes).strip_prefix("objects").unwrap_or(&from));
                symlink(from, &to).io_context("cannot link", &to)?;
            } else if !to.exists() {
                // The file system has no hard links, or the segment has too many of them.
                fs::copy(&from, &to).io_context("cannot copy", &from)?;
                seal(&segment.object(), &to, &StoredTree::read(&to, false)?.files)?;
            }
        }
        self.place(&staging.keep(), &object)?;
        Ok(object)
    }

    /// Object of a table's segment; `None` if the segment does not exist.
    pub(super) fn segment_object(&self, bytes: &Digest) -> Option<Object> {
        let segment = Segment { bytes: *bytes, size: 0, rows: Vec::new() };
        let size = StoredTree::read(&self.object_path(&segment.object()), false).ok()?.size();
        Some(Segment { size, ..segment }.object())
    }
}

/// Folder of a pool below a half of a store.
pub(super) fn pool_name(pool: &Digest) -> PathBuf {
    Path::new("rows").join(pool.to_string())
}

fn read_segment(path: &Path) -> Option<Segment> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let bytes = serde_json::from_value(name.into()).ok()?;
    let text = fs::read(path).ok()?;
    let (size, rows) = text.strip_prefix(MAGIC)?.split_first_chunk()?;
    let digests = |pair: &[u8]| {
        let (input, output) = pair.split_at(32);
        let digest = |half: &[u8]| Some(Digest::from(<[u8; 32]>::try_from(half).ok()?));
        Some(RowDigests { input: digest(input)?, output: digest(output)? })
    };
    let rows: Vec<RowDigests> =
        rows.chunks(64).map(|p| if p.len() == 64 { digests(p) } else { None }).collect::<Option<_>>()?;
    Some(Segment { bytes, size: u64::from_le_bytes(*size), rows })
}
