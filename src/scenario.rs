//! The scenario language: what to run in which image mode, and what to expect of it.
//!
//! A scenario is one YAML file. Reading it goes through stages, and each stage reports all the
//! mistakes it can see, at the line and column that made them:
//!
//! 1. [`load`] reads the file (size, kind and encoding are checked first);
//! 2. `source::yaml` turns the text into a tree whose every node has a [`Span`];
//! 3. `decode` turns the tree into a [`Scenario`];
//! 4. `check` compares the parts of the scenario with each other;
//! 5. `host` looks for the host paths that it mounts, where it was read from a file;
//! 6. [`Scenario::for_mode`] merges a container's `layered:` or `prebuilt:` block into it.
//!
//! Deliberately absent: serde, anchors, aliases, tags and variables. What a file says is what
//! stands in it.
//!
//! ```
//! use shellproof::scenario;
//! use shellproof::vocabulary::Mode;
//!
//! let text = "
//! schema: 1
//! name: hello
//! containers:
//!   hello:
//!     role: python
//!     args: [-c, print('hello')]
//!     layered: { command: [sh, -c, python -c 'print(1)'] }
//!     expect: { exit: 0 }
//! ";
//! let scenario = scenario::parse("hello.yaml", text)?;
//! let plan = scenario.for_mode(Mode::Prebuilt).expect("both modes are the default");
//! assert_eq!(plan.containers[0].name.value, "hello");
//! assert!(matches!(plan.containers[0].kind, scenario::ContainerKind::Job { .. }));
//!
//! let mistakes = scenario::parse("hello.yaml", &text.replace("role", "rol")).unwrap_err();
//! assert!(mistakes.to_string().contains("did you mean `role`?"));
//! # Ok::<(), shellproof::source::Diagnostics>(())
//! ```

mod check;
mod decode;
mod host;
mod keys;
mod load;
mod resolve;
mod schema;

pub use crate::source::MAX_FILE_BYTES;
pub use decode::duration;
pub use load::{discover, load, load_all, parse};
pub use resolve::{ContainerKind, ContainerPlan, Plan};
pub use schema::*;
