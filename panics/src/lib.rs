//! Panics of libraries that read files of other programs. A malformed file must end in an error that names
//! the file, so a panic is caught where the file is known.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls `read` and returns the message of its panic as the error. The panic itself is not printed.
///
/// Values that `read` changes must not be used after a panic.
///
/// # Errors
/// Returns an error if `read` panics on this thread.
pub fn caught<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                print(panic);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    CAUGHT.set(outer);
    result.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_the_next_call_succeeds() {
        assert_eq!(caught(|| panic!("row {} is missing", 7)), Err::<(), _>("row 7 is missing".to_owned()));
        assert_eq!(caught(|| 7), Ok(7));
    }
}
