//! A bound on how often an event is logged that clients or a failing back-end may cause all the time.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Lets one event pass for each interval, and counts those that it holds back.
#[derive(Debug)]
pub(crate) struct LogLimit {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    passed: Option<Instant>,
    held_back: usize,
}

impl LogLimit {
    /// Lets one event pass for each `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Mutex::default(),
        }
    }

    /// Returns how many were held back since the last event that passed, if this one may pass. It counts as `weight`.
    pub(crate) fn pass(&self, weight: usize) -> Option<usize> {
        let mut state = self.state.lock();
        if state
            .passed
            .is_some_and(|passed| passed.elapsed() < self.interval)
        {
            state.held_back = state.held_back.saturating_add(weight);
            return None;
        }
        state.passed = Some(Instant::now());
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_passes_for_each_interval_and_the_others_are_counted() {
        let limit = LogLimit::new(Duration::from_secs(10));
        let pass = |weight| limit.pass(weight);
        assert_eq!([pass(1), pass(2), pass(3)], [Some(0), None, None]);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(pass(1), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([pass(1), pass(7)], [Some(6), None]);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(pass(1), Some(7));
    }
}
