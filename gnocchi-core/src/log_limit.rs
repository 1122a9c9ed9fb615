//! A bound on how often one message is logged, for events that clients or a failing back-end cause all the time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets a few messages pass at once, and then one for each interval; counts those that it holds back.
#[derive(Debug)]
pub struct LogLimit {
    at_once: u32,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// How many may pass now.
    left: u32,
    /// When the next one is added; `None` while all are there.
    next_at: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    /// Lets `at_once` messages pass, and one more for each `interval`.
    #[must_use]
    pub const fn new(at_once: u32, interval: Duration) -> Self {
        Self {
            at_once,
            interval,
            state: Mutex::new(State {
                left: at_once,
                next_at: None,
                held_back: 0,
            }),
        }
    }

    /// Returns how many messages were held back since the last one that passed, if this one may pass.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refill(now, self.at_once, self.interval);
        if state.left == 0 {
            state.held_back = state.held_back.saturating_add(1);
            return None;
        }
        state.left -= 1;
        state.next_at.get_or_insert(now + self.interval);
        Some(std::mem::take(&mut state.held_back))
    }
}

impl State {
    fn refill(&mut self, now: Instant, at_once: u32, interval: Duration) {
        while let Some(next_at) = self.next_at.filter(|next_at| *next_at <= now) {
            self.left += 1;
            self.next_at = (self.left < at_once).then(|| next_at + interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_pass_at_once_and_then_one_for_each_interval() {
        let limit = LogLimit::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let at = |second| limit.pass_at(start + Duration::from_secs(second));
        assert_eq!([at(0), at(1)], [Some(0), Some(0)]);
        assert_eq!([at(2), at(9)], [None, None]);
        assert_eq!(at(10), Some(2));
        assert_eq!(at(11), None);
        // A long pause fills it up, and no further.
        assert_eq!([at(1000), at(1000), at(1000)], [Some(1), Some(0), None]);
        assert_eq!(at(1009), None);
        assert_eq!(at(1010), Some(2));
    }
}
