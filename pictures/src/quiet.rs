//! Panics of decoders as errors. The crate tiff panics at some damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::DecodeError;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static INSTALLED: Once = Once::new();

/// Runs a decoder. A panic of the decoder is an error, and prints nothing.
///
/// # Errors
/// Returns the error of the decoder, or an error if it panics.
pub(crate) fn quietly<T>(decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    INSTALLED.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                hook(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    QUIET.set(before);
    decoded
        .unwrap_or_else(|_| Err(DecodeError::Variant("its decoder fails at the data of the file".to_owned())))
}
