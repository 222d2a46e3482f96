//! Runs one stage and exits: `callsheet-stages <stage> <request.json>`.

use std::process::ExitCode;

// mimalloc replaces `malloc` for libtorch too: a step of a small training allocates thousands of tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    callsheet_stages::main()
}
