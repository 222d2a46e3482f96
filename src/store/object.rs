//! Objects: artifacts, stored under the digest of their bytes.

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::declare::ArtifactKind;

/// Description of an object, without its bytes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Object {
    /// Kind of the artifact.
    pub kind: ArtifactKind,
    /// Digest of the content; for a table, of its schema and rows.
    pub content: Digest,
    /// Digest of the bytes.
    pub bytes: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Number of files; 1 unless the object is a folder.
    pub files: u64,
    /// Digest of the links and empty folders, if the object is a folder with any: they have no seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Digest>,
    /// Number of rows, if the object is a table.
    pub rows: Option<u64>,
    /// Digests of the bytes of the segments, if the object is a table that consists of several segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Digest>,
}

impl Object {
    /// Returns true if the object is a folder on disk.
    pub fn is_folder(&self) -> bool {
        self.kind == ArtifactKind::Directory || !self.parts.is_empty()
    }

    /// Name under which the object is shown, for an output with this path. Programs that open `x.parquet` expect a file,
    /// so the folder of a table that consists of segments has the name `x`.
    pub fn shown_as<'p>(&self, path: &'p str) -> &'p str {
        if self.parts.is_empty() { path } else { path.strip_suffix(".parquet").unwrap_or(path) }
    }

    /// Names in the store of the object and of its segments.
    pub fn names(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.bytes).chain(&self.parts).map(Digest::to_string)
    }
}
