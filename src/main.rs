//! The `callsheet` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    callsheet::cli::main()
}
