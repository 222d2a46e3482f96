//! Error for unreadable weight files.

use std::fmt::Display;
use std::path::Path;

use callsheet_worker::user_error;

/// Returns the error for a published weight file that cannot be read.
pub(crate) fn unreadable(path: &Path, why: impl Display) -> anyhow::Error {
    user_error(
        format!("{} is not a readable weight file: {why}", path.display()),
        "remove it and fetch it again (`make setup` fetches those of the pipelines); run `callsheet \
         weights` to list the files",
    )
}
