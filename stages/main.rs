//! Runs one stage and exits: `callsheet-stages <stage> <request.json>`.

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

// mimalloc replaces `malloc` for libtorch too: a step of a small training allocates thousands of tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Number of mimalloc's option `purge_delay`, in milliseconds; -1 is never.
const PURGE_DELAY: c_int = 15;

/// Lets mimalloc keep freed memory. Networks free and allocate megabytes at every layer, and pages that the kernel clears
/// each time were a fifth of the time of LPIPS on 512 pixels.
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
