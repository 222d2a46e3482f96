//! A folder with one of the two halves of a store: its subfolders, its format, and its JSON files.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files::create_below;
use crate::target::Target;
use crate::trace;

/// Prefix of the file that marks a store's format; the number of the format follows.
const MARKER: &str = "format-";

/// Format of the stores of one project.
pub(super) const OWN: u32 = 1;

/// One of the two halves of a store; on one machine, both are in the same folder.
#[derive(Debug)]
pub(super) struct Half {
    root: PathBuf,
    format: u32,
}

impl Half {
    pub(super) fn new(root: &Path, format: u32) -> Self {
        Self { root: root.to_owned(), format }
    }

    /// Path of the half itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Path of a folder or file of this half.
    pub(super) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Creates the folder itself.
    pub(super) fn create_root(&self) -> Result<()> {
        fs::create_dir_all(&self.root).io_context("cannot create", &self.root)
    }

    /// Creates these folders, and the marker of the format.
    pub(super) fn create(&self, folders: &[&str]) -> Result<()> {
        for folder in folders {
            create_below(&self.root, &self.path(folder))?;
        }
        let marker = self.marker();
        match fs::File::create_new(&marker) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).io_context("cannot create", marker)
            }
            _ => Ok(()),
        }
    }

    fn marker(&self) -> PathBuf {
        self.path(format!("{MARKER}{}", self.format))
    }

    /// Returns true if the marker of the format exists. Stores without any marker have the oldest format.
    pub(super) fn check_format(&self) -> Result<bool> {
        if self.marker().exists() {
            return Ok(true);
        }
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let formats = names.filter_map(|name| name.strip_prefix(MARKER).map(str::to_owned));
        match formats.max_by_key(|format| format.parse::<u32>().unwrap_or(u32::MAX)) {
            None => Ok(false),
            // Another run has created the store in the meantime.
            Some(format) if format == self.format.to_string() => Ok(true),
            Some(format) => Err(self.unknown(&format)),
        }
    }

    fn unknown(&self, format: &str) -> Error {
        let (folder, own) = (self.root.display(), self.format);
        let key = if self.format == OWN { "data" } else { "store" };
        Error::user_error(
            Code::Unsupported,
            format!(
                "the store {folder} has format `{format}`, but this version of callsheet reads only format {own}"
            ),
            format!(
                "use the version of callsheet that wrote the store, or set `{key}` in callsheet.toml to another folder"
            ),
        )
    }

    /// Path of a target's JSON file in `folder`.
    pub(super) fn path_of_target(&self, folder: &str, target: &Target) -> PathBuf {
        let mut path = self.path(folder).join(target.folder()).into_os_string();
        path.push(".json");
        path.into()
    }

    /// Writes `value` as JSON so that a reader sees all of it or none.
    pub(super) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let staging = self.path("staging");
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).io_context("cannot create", folder)?;
        let mut file = draft(&staging)?;
        let mut text = serde_json::to_vec(value).expect("records are plain data");
        text.push(b'\n');
        // The temporary file would add its own path to the error.
        file.as_file_mut().write_all(&text).io_context("cannot write", path)?;
        file.persist(path).map_err(|e| e.error).io_context("cannot write", path)?;
        Ok(())
    }
}

/// Creates a temporary file in `staging`, which other users of the store can read if the umask allows it.
pub(super) fn draft(staging: &Path) -> Result<tempfile::NamedTempFile> {
    let rights = fs::Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().permissions(rights).tempfile_in(staging);
    file.io_context("cannot write in", staging)
}

/// Creates a folder in `staging`, which is removed when dropped. Other users of the store can use it if the umask allows it.
pub(super) fn draft_folder(staging: &Path) -> Result<tempfile::TempDir> {
    let rights = fs::Permissions::from_mode(0o777);
    let folder = tempfile::Builder::new().permissions(rights).tempdir_in(staging);
    folder.io_context("cannot create a folder in", staging)
}

/// Reads a JSON file. Returns `None` if the file is missing or malformed, which the cache treats as a miss.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&trace::read(path).ok()?).ok()
}
