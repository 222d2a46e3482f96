//! Zip archives of arrays. Every member is compared with its CRC-32, because the values of a damaged member
//! look like weights.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::limits::{MOST_BYTES, TOO_LARGE};

/// Open archive, and the number of bytes that may still be read from it.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Archive<'a> {
    /// Opens an archive.
    ///
    /// # Errors
    /// Returns an error if its directory is damaged or missing.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        Ok(Self { zip, left: MOST_BYTES })
    }

    /// Names of the members, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.zip.file_names().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Content of a member.
    ///
    /// # Errors
    /// Returns an error if the member is missing, truncated or differs from its checksum, or if the members
    /// that were read are larger than those of any network.
    pub(super) fn member(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let file = self.zip.by_name(name).map_err(|error| failed(&error))?;
        let size = file.size();
        self.left = self.left.checked_sub(size).ok_or(TOO_LARGE)?;
        let mut bytes = Vec::new();
        // The archive compares the checksum at the end of the member, which is behind the last byte.
        let read = file.take(size + 1).read_to_end(&mut bytes);
        read.map_err(|error| match error.to_string().as_str() {
            "Invalid checksum" => format!("{name} differs from its CRC-32, so it is damaged"),
            error => failed(&error),
        })?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(format!("{name} does not have the {size} bytes that the archive states"))
        }
    }
}
