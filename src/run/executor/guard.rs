//! Panics of callsheet itself in a thread of an executor.

use std::panic::{AssertUnwindSafe, catch_unwind};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

/// Returns the result of `work`; a panic becomes the error of the stage that the thread performs.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::user_error(
            Code::Internal,
            "callsheet itself failed at this stage",
            "report it with the output above",
        ))
    })
}
