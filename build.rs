//! Compiles the probe as a static program, so that its image needs nothing but this one file.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

const SOURCE: &str = "src/run/probe_guest.rs";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SOURCE}");
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    let program = PathBuf::from(variable("OUT_DIR")).join("probe");
    let compiled = Command::new(variable("RUSTC"))
        .args([
            "--edition=2024",
            "--crate-name=probe",
            "-O",
            "-Cpanic=abort",
            "-Cstrip=symbols",
        ])
        .args(["-Ctarget-feature=+crt-static", "--target"])
        .arg(variable("TARGET"))
        .arg("-o")
        .args([program.as_os_str(), SOURCE.as_ref()])
        .status();
    match compiled {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            println!(
                "cargo::error=the probe did not compile: {status}; a static C library is needed (Debian: libc6-dev)"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("cargo::error=the compiler cannot be started for the probe: {error}");
            ExitCode::FAILURE
        }
    }
}
