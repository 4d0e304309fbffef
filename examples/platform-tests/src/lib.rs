//! Your platform's own code would be here. The tests in `tests/platform.rs` need none of it.
