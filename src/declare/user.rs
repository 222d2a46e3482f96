//! Settings of the user for all projects: `callsheet/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, SourceText};
use serde::Deserialize;

use super::parse_toml;
use crate::trace;

/// Settings of the user, which take precedence over those of a project.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserFile {
    /// Folder of the shared store of all projects of this user.
    pub store: Option<PathBuf>,
}

/// Path of the settings; `None` without a home folder.
pub(super) fn user_file() -> Option<PathBuf> {
    Some(user_folder()?.join("config.toml"))
}

/// Folder of the user's own files: `callsheet` in `$XDG_CONFIG_HOME` or `~/.config`; `None` without a home folder.
pub(super) fn user_folder() -> Option<PathBuf> {
    let set = |name: &str| trace::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("callsheet"))
}

impl UserFile {
    /// Reads the settings, which may be missing.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is malformed.
    pub(super) fn read() -> Result<Self> {
        let Some(path) = user_file() else { return Ok(Self::default()) };
        match trace::read_to_string(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Self::default())
            }
            text => {
                let text = text.io_context("cannot read", &path)?;
                let file: Self = parse_toml(&Arc::new(SourceText::new(path.clone(), text)))?;
                match file.store.as_ref().filter(|store| !store.is_absolute()) {
                    None => Ok(file),
                    Some(store) => Err(Error::user_error(
                        Code::InvalidValue,
                        format!("{}: `{}` is not an absolute path", path.display(), store.display()),
                        "write the path of `store` from the root, e.g. \"/project/group/callsheet\"",
                    )),
                }
            }
        }
    }
}
