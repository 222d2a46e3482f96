//! Runs one stage and exits: `callsheet-stages <stage> <request.json>`.

use std::process::ExitCode;

// It takes the place of the system's for libtorch too: a step of a small training makes thousands of tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    callsheet_stages::main()
}
