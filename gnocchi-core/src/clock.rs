//! The only place that reads the wall clock.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use carbonara::Timestamp;
use parking_lot::Mutex;

/// The source of the current time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that may read the clock of the machine"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let nanoseconds = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::EPOCH)
    }
}

/// Adds [`now`](Self::now) to a time, so that programs need no clock of their own; `Timestamp::now()` then works as with other types
/// of times.
///
/// # Examples
/// ```
/// use carbonara::Timestamp;
/// use gnocchi_core::clock::Now as _;
///
/// assert!(Timestamp::now() > Timestamp::EPOCH);
/// ```
pub trait Now {
    /// Returns the current time of the machine.
    fn now() -> Self;
}

impl Now for Timestamp {
    fn now() -> Self {
        SystemClock.now()
    }
}

/// A clock that stands still until it is told otherwise; for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

impl ManualClock {
    /// Makes a clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: Mutex::new(now),
        }
    }

    /// Sets what it shows.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock() = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }
}
