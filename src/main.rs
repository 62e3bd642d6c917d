//! The program `onesided`: parse, dispatch, one exit point.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}
