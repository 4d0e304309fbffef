//! What is caught and is no shell: package managers, and what cannot be judged.

use super::{BOTH, Case, WITH, WITHOUT, caught};

pub const CASES: &[Case] = &[
    caught(
        "package-manager",
        "pip-behind-many-flags",
        WITHOUT,
        r#"run(sys.executable, *["-B"] * 1000, "-m", "pip", "install", "nothing")"#,
    ),
    caught(
        "kernel-fault",
        "pip-behind-more-flags-than-are-kept",
        WITHOUT,
        r#"run(sys.executable, *["-B"] * 5000, "-m", "pip", "install", "nothing")"#,
    ),
    caught(
        "package-manager",
        "pip",
        BOTH,
        r#"run(sys.executable, "-m", "pip", "install", "nothing")"#,
    ),
    caught(
        "package-manager",
        "dpkg-install",
        WITH,
        r#"run("dpkg", "-i", "/nothing")"#,
    ),
    caught(
        "unreadable-wrapper",
        "loader-of-an-unknown-program",
        WITH,
        r#"run("/lib64/ld-linux-x86-64.so.2", shutil.copy("/bin/dash", "/tmp/tool"), "-c", "true")"#,
    ),
];
