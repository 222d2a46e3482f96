//! Runs one stage and exits: `callsheet-stages <stage> <request.json>`.

use std::process::ExitCode;

fn main() -> ExitCode {
    callsheet_stages::main()
}
