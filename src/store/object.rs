//! Objects: artifacts under the digest of their content.

use callsheet_worker::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::declare::ArtifactKind;

/// Facts about an object, apart from its bytes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Object {
    /// Kind of the artifact.
    pub kind: ArtifactKind,
    /// Digest of what it means; for a table of its schema and rows.
    pub content: Digest,
    /// Digest of its bytes.
    pub bytes: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Files in it; 1 unless it is a folder.
    pub files: u64,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Digests of the bytes of its segments, of a table that is a folder of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Digest>,
}

impl Object {
    /// Returns true if it is a folder on the disk.
    pub fn is_folder(&self) -> bool {
        self.kind == ArtifactKind::Directory || !self.parts.is_empty()
    }

    /// Names of everything in the store that it is made of.
    pub fn names(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.bytes).chain(&self.parts).map(Digest::to_string)
    }
}
