//! The task that folds measures while a store is open.

use gnocchi_core::{Gnocchi, Shutdown};
use tokio::task::JoinHandle;
use tracing::warn;

use super::error::Error;

/// Background processing. It ends soon after this is dropped, or when it is stopped.
#[derive(Debug)]
pub(super) struct Background {
    shutdown: Shutdown,
    task: Option<JoinHandle<Result<(), gnocchi_core::Error>>>,
}

impl Background {
    /// Starts a task on the current runtime.
    pub(super) fn start(gnocchi: Gnocchi) -> Self {
        let shutdown = Shutdown::new();
        let until = shutdown.clone();
        let task = tokio::spawn(async move {
            let ended = gnocchi.run(until).await;
            if let Err(error) = &ended {
                warn!(
                    error = error as &dyn std::error::Error,
                    "background processing has ended; measures are not folded any more"
                );
            }
            ended
        });
        Self {
            shutdown,
            task: Some(task),
        }
    }

    /// Ends the task after the work in hand, and returns the failure that ended it before, if there is one.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.shutdown.begin();
        let Some(task) = self.task.take() else {
            return Ok(());
        };
        match task.await {
            Ok(ended) => Ok(ended?),
            // The runtime on which the store was opened is gone, and the task with it.
            Err(failure) if failure.is_cancelled() => Ok(()),
            Err(_) => Err(Error::Processing),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}
