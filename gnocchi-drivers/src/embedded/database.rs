//! The database that incoming and storage share, and how it comes back after a failed write.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard};
use tracing::{error, info};

use super::config::EmbeddedConfig;
use super::engine::{Engine, Facts};
use super::error::EmbeddedError;

/// How long writes are refused after one failed, so that a full disk does not cause one recovery after the other.
const PAUSE_MS: u64 = 1_000;

/// An engine that is opened again when it has failed.
///
/// After a failed write (a full disk, mostly) the engine takes no more writes, because what the file holds is uncertain. Then it is
/// closed; the next call, after a pause, opens it again, which keeps what was complete and removes the rest.
pub(super) struct Database {
    config: EmbeddedConfig,
    facts: Facts,
    state: RwLock<State>,
    pause_ms: AtomicU64,
}

enum State {
    Open(Engine),
    Stopped {
        since: Instant,
        epoch: u64,
        cause: Arc<EmbeddedError>,
    },
}

impl Database {
    pub(super) fn open(config: EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let engine = Engine::open(&config, 0)?;
        let facts = engine.begin(&config)?;
        Ok(Self {
            config,
            facts,
            state: RwLock::new(State::Open(engine)),
            pause_ms: AtomicU64::new(PAUSE_MS),
        })
    }

    /// Returns what the database said about itself when it was opened.
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    pub(super) fn config(&self) -> &EmbeddedConfig {
        &self.config
    }

    /// Changes how long writes are refused after one failed.
    #[cfg(test)]
    pub(super) fn set_pause_ms(&self, pause_ms: u64) {
        self.pause_ms.store(pause_ms, Ordering::Relaxed);
    }

    /// Runs a read.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, EmbeddedError>,
    ) -> Result<T, EmbeddedError> {
        let state = self.opened()?;
        match &*state {
            State::Open(engine) => work(engine),
            State::Stopped { cause, .. } => Err(EmbeddedError::Stopped(Arc::clone(cause))),
        }
    }

    /// Runs a write, which must be one batch.
    ///
    /// It runs a second time when the engine refused it because of an earlier failure, after the engine was opened again.
    pub(super) fn write<T>(
        &self,
        work: impl Fn(&Engine) -> Result<T, EmbeddedError>,
    ) -> Result<T, EmbeddedError> {
        let attempt = || {
            let mut epoch = 0;
            let result = self.read(|engine| {
                epoch = engine.epoch;
                engine.wait_for_room()?;
                work(engine)
            });
            result.map_err(|error| (epoch, error))
        };
        let (epoch, error) = match attempt() {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if !error.stops_the_engine() {
            return Err(error);
        }
        if !error.is_poisoned() {
            return Err(self.stop(epoch, error));
        }
        // Nothing of this write was stored; what failed before is not known here, and it may have passed.
        self.restart(epoch)?;
        attempt().map_err(|(epoch, error)| {
            if error.stops_the_engine() {
                self.stop(epoch, error)
            } else {
                error
            }
        })
    }

    /// Returns the state with an open engine, unless it cannot be opened now.
    fn opened(&self) -> Result<RwLockReadGuard<'_, State>, EmbeddedError> {
        let state = self.state.read();
        let State::Stopped {
            since,
            epoch,
            cause,
        } = &*state
        else {
            return Ok(state);
        };
        if since.elapsed() < Duration::from_millis(self.pause_ms.load(Ordering::Relaxed)) {
            return Err(EmbeddedError::Stopped(Arc::clone(cause)));
        }
        let epoch = *epoch;
        drop(state);
        self.restart(epoch)?;
        Ok(self.state.read())
    }

    /// Closes the engine of this epoch after a failure.
    fn stop(&self, epoch: u64, error: EmbeddedError) -> EmbeddedError {
        error!(path = %self.config.path.display(), %error, "a write failed: the database is closed and will be opened again");
        let cause = Arc::new(error);
        let mut state = self.state.write();
        if matches!(&*state, State::Open(engine) if engine.epoch == epoch) {
            *state = State::Stopped {
                since: Instant::now(),
                epoch,
                cause: Arc::clone(&cause),
            };
        }
        EmbeddedError::Stopped(cause)
    }

    /// Closes the engine of this epoch if it is open, and opens the next one.
    fn restart(&self, epoch: u64) -> Result<(), EmbeddedError> {
        let mut state = self.state.write();
        let current = match &*state {
            State::Open(engine) => engine.epoch,
            State::Stopped { epoch, .. } => *epoch,
        };
        if current != epoch {
            return Ok(());
        }
        let stopped = |cause| State::Stopped {
            since: Instant::now(),
            epoch,
            cause,
        };
        // The lock of the directory is free only once the engine is gone.
        *state = stopped(Arc::new(EmbeddedError::Closed));
        match Engine::open(&self.config, epoch + 1) {
            Ok(engine) => {
                info!(path = %self.config.path.display(), "the database was opened again after a failure");
                *state = State::Open(engine);
                Ok(())
            }
            Err(error) => {
                let cause = Arc::new(error);
                *state = stopped(Arc::clone(&cause));
                Err(EmbeddedError::Stopped(cause))
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.config.path)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
