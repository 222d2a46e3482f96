//! Errors of the file system about paths of the command line.

use std::io;
use std::path::Path;

use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;

/// Returns an error of the file system with the operation and the path. If nothing has this path, the error
/// also has a remedy.
pub(super) fn path_error(doing: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let message = format!("{doing} `{}`", path.display());
    if error.kind() == io::ErrorKind::NotFound {
        return user_error_with_code(Code::Io, format!("{message}: {error}"), "name a path that exists");
    }
    anyhow::Error::new(error).context(message)
}
