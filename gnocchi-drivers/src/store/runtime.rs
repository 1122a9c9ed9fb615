//! What the store needs of the runtime, checked before something would panic without it.

use std::panic::catch_unwind;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;

/// A call from a place where the store cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The call does not run on a Tokio runtime.
    #[error(
        "got a call outside of a Tokio runtime; expected one inside, for example below #[tokio::main], or the blocking interface of feature `blocking`"
    )]
    Missing,
    /// The runtime has no timers.
    #[error(
        "got a Tokio runtime without timers; expected one that is built with enable_time() or enable_all()"
    )]
    NoTimers,
    /// A blocking call runs on a thread that serves a runtime, which would stop the tasks of that thread.
    #[error(
        "got a blocking call on a thread of a Tokio runtime; expected one on another thread, for example in spawn_blocking, or the async interface"
    )]
    Nested,
}

/// Checks that the current task runs on a runtime with timers.
pub(super) fn require_runtime() -> Result<(), RuntimeError> {
    Handle::try_current().map_err(|_| RuntimeError::Missing)?;
    // Why not ask the runtime? It does not tell; making a timer costs little and panics without them.
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).map_err(|_| RuntimeError::NoTimers)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn only_a_runtime_with_timers_will_do() {
        assert_eq!(require_runtime(), Err(RuntimeError::Missing));
        let bare = Builder::new_current_thread().build().unwrap();
        let checked = bare.block_on(async { require_runtime() });
        assert_eq!(checked, Err(RuntimeError::NoTimers));
        let timed = Builder::new_current_thread().enable_time().build().unwrap();
        assert_eq!(timed.block_on(async { require_runtime() }), Ok(()));
    }
}
