//! The error of weight files.

use std::fmt::Display;
use std::path::Path;

use callsheet_worker::refusal;

/// The error for a published weight file that cannot be read.
pub(crate) fn unreadable(path: &Path, why: impl Display) -> anyhow::Error {
    refusal(
        format!("{} is no readable weight file: {why}", path.display()),
        "remove it and fetch it again (`make setup` fetches those of the pipelines); `callsheet weights` \
         lists what is there",
    )
}
