//! The command line. Everything that can be tested is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything that has threads.
    if shellproof::cli::is_stub() {
        return ExitCode::SUCCESS;
    }
    shellproof::cli::main().into()
}
