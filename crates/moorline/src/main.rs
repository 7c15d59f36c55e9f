//! The `moorline` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    moorline::cli::main()
}
