//! Runs one stage and exits: `callsheet-stages <stage> <request.json>`.

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

// mimalloc also replaces `malloc` in libtorch, because a step of a small training allocates thousands of
// tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Number of mimalloc's option `purge_delay`, whose value is in milliseconds; -1 disables purging.
const PURGE_DELAY: c_int = 15;

/// Configures mimalloc to keep freed memory. Networks free and allocate megabytes at every layer. For LPIPS
/// on 512 pixels, the kernel spent a fifth of the time on clearing pages.
#[expect(unsafe_code, reason = "the crate mimalloc has no wrapper; the call sets a number")]
fn keep_freed_memory() {
    unsafe extern "C" {
        fn mi_option_set(option: c_int, value: c_long);
    }
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}

fn main() -> ExitCode {
    keep_freed_memory();
    callsheet_stages::main()
}
