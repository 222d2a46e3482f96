//! Error for unreadable weight files.

use std::fmt::Display;
use std::path::Path;

use callsheet_worker::user_error;

/// Returns the error for a published weight file that cannot be read.
pub(crate) fn unreadable(path: &Path, why: impl Display) -> anyhow::Error {
    user_error(
        format!("`{}` is not a readable weight file: {why}", path.display()),
        "remove the file and fetch it again; `make setup` fetches the weight files that the pipelines use",
    )
}

/// Returns the error for a weight file whose tensors are not those of the expected network.
pub(super) fn unsuitable(path: &Path, why: impl Display) -> anyhow::Error {
    user_error(
        format!("`{}` does not fit the network: {why}", path.display()),
        "use a weight file of the network, or select the network of this file (import_weights.network; \
         --network of `callsheet measure`)",
    )
}
