//! The command line. Everything that can be tested is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shellproof::cli::main().into()
}
