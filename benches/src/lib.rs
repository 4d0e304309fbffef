//! What the measuring programs share: a blocking HTTP client with nothing in the way, and medians.
//!
//! The programs go to an engine's own socket, past the recorder: they are what shellproof is measured against, and no
//! part of it.

pub mod http;

use std::time::Duration;

/// The median; of an even number of times the upper one of the two in the middle.
///
/// # Panics
/// There are no times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_time_does_not_move_the_median() {
        let times = [3, 1, 900].map(Duration::from_millis);
        assert_eq!(median(times.to_vec()), Duration::from_millis(3));
    }
}
