//! The program `onesided`.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesided::cli::main(std::env::args_os())
}
