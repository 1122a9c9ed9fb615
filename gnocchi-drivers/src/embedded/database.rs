//! The database that incoming and storage share, and how it comes back after a failed write.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fjall::PersistMode;
use metrics::counter;
use parking_lot::{Mutex, RwLock};
use tracing::{error, info};
use uuid::Uuid;

use super::config::EmbeddedConfig;
use super::engine::{Engine, FORMAT, Facts};
use super::error::EmbeddedError;
use super::keeper::Keeper;
use super::preparation::Prepared;
use super::recovery::{self, Backoff, Tail, Wakeup};
use super::renewal::{renew, wait_until_closed};
use crate::disk::{Disk, Purpose};

/// An engine that is opened again when it has failed.
///
/// After a failed write (a full disk, mostly) the engine takes no more writes, because what the file holds is uncertain. It still
/// knows everything that was acknowledged, so reads go on. A thread tries the disk until it takes writes again, makes sure that what
/// was written before is really there (see [`renew`]), and opens the engine again, which keeps what was complete and removes the
/// rest.
pub(super) struct Database {
    config: EmbeddedConfig,
    disk: Arc<Disk>,
    facts: Facts,
    state: RwLock<State>,
    /// Held by the thread that opens the engine again.
    reopening: Mutex<Backoff>,
    /// Whether a thread tries to open the engine again.
    recovers: AtomicBool,
    wakeup: Arc<Wakeup>,
    #[cfg(test)]
    stays_failed: AtomicBool,
    /// Where it is noted how far the log was synchronized.
    progress_path: PathBuf,
    /// Goes after the engine, whose threads may still change files.
    keeper: Keeper,
}

enum State {
    Open(Engine),
    /// It takes no more writes; it is read until it can be opened again.
    Failed {
        engine: Engine,
        cause: Arc<EmbeddedError>,
    },
    /// It was closed to be opened again, and that failed.
    Closed {
        epoch: u64,
        tail: Tail,
        cause: Arc<EmbeddedError>,
    },
}

impl State {
    fn epoch(&self) -> u64 {
        match self {
            Self::Open(engine) | Self::Failed { engine, .. } => engine.epoch,
            Self::Closed { epoch, .. } => *epoch,
        }
    }
}

impl Database {
    #[cfg(test)]
    pub(super) fn open(config: EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let prepared = Prepared::take_alone(&config.path)?;
        Self::open_prepared(config, prepared)
    }

    /// Opens a directory that was looked at.
    pub(super) fn open_prepared(
        config: EmbeddedConfig,
        prepared: Prepared,
    ) -> Result<Self, EmbeddedError> {
        let inspection = prepared.make_ready()?;
        let known = inspection.facts.map(|facts| facts.identity);
        let identity = known.unwrap_or_else(|| *Uuid::new_v4().as_bytes());
        if inspection.facts.is_none_or(|facts| facts.format < FORMAT) {
            Keeper::begin(&config.path, &inspection.progress_path, identity)
                .map_err(EmbeddedError::Directory)?;
        }
        let engine = Engine::open_ready(&config, 0, &inspection)?;
        let facts = engine.begin(&config, identity)?;
        let progress_path = inspection.progress_path;
        let keeper = Keeper::start(
            &config.path,
            &progress_path,
            facts.identity,
            facts.generation,
        )
        .map_err(EmbeddedError::Directory)?;
        Ok(Self {
            disk: Arc::new(Disk::new(&config.path, config.disk_reserve_bytes)),
            config,
            facts,
            state: RwLock::new(State::Open(engine)),
            reopening: Mutex::default(),
            recovers: AtomicBool::new(false),
            wakeup: Arc::default(),
            #[cfg(test)]
            stays_failed: AtomicBool::new(false),
            progress_path,
            keeper,
        })
    }

    /// Returns what keeps the notes beside the files of the engine.
    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Returns what the database said about itself when it was opened.
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    pub(super) fn config(&self) -> &EmbeddedConfig {
        &self.config
    }

    /// Returns what watches the file system.
    pub(super) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// Returns what the thread that opens the engine again waits for.
    pub(super) fn wakeup(&self) -> &Arc<Wakeup> {
        &self.wakeup
    }

    /// Changes whether the engine is opened again after a failure.
    #[cfg(test)]
    pub(super) fn set_stays_failed(&self, stays: bool) {
        self.stays_failed.store(stays, Ordering::Relaxed);
    }

    /// Returns whether new data would be accepted now. Finds out whether the threads of the engine have failed meanwhile.
    pub(super) fn accepts_writes(self: &Arc<Self>) -> Result<(), EmbeddedError> {
        self.disk.check(Purpose::Growth)?;
        let state = self.state.read();
        let (engine, tried) = match &*state {
            State::Open(engine) => (engine, engine.database.persist(PersistMode::Buffer)),
            State::Failed { cause, .. } | State::Closed { cause, .. } => {
                return Err(EmbeddedError::Stopped(Arc::clone(cause)));
            }
        };
        let epoch = engine.epoch;
        drop(state);
        tried.map_err(|error| self.fail(epoch, error.into()))
    }

    /// Runs a read.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, EmbeddedError>,
    ) -> Result<T, EmbeddedError> {
        match &*self.state.read() {
            State::Open(engine) | State::Failed { engine, .. } => work(engine),
            State::Closed { cause, .. } => Err(EmbeddedError::Stopped(Arc::clone(cause))),
        }
    }

    /// Runs a write, which must be one batch.
    ///
    /// It runs a second time when the engine refused it because of an earlier failure, after the engine was opened again.
    pub(super) fn write<T>(
        self: &Arc<Self>,
        work: impl Fn(&Engine) -> Result<T, EmbeddedError>,
    ) -> Result<T, EmbeddedError> {
        self.disk.check(Purpose::Upkeep)?;
        let attempt = || {
            let state = self.state.read();
            let engine = match &*state {
                State::Open(engine) => engine,
                State::Failed { engine, cause } => {
                    return Err((engine.epoch, EmbeddedError::Stopped(Arc::clone(cause))));
                }
                State::Closed { epoch, cause, .. } => {
                    return Err((*epoch, EmbeddedError::Stopped(Arc::clone(cause))));
                }
            };
            let done = engine.wait_for_room().and_then(|()| work(engine));
            done.map_err(|error| (engine.epoch, error))
        };
        let (epoch, error) = match attempt() {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if !error.stops_the_engine() {
            return Err(error);
        }
        let is_poisoned = error.is_poisoned();
        let stopped = self.fail(epoch, error);
        if !is_poisoned {
            return Err(stopped);
        }
        // Nothing of this write was stored; what failed before is not known here, and it may have passed.
        self.reopen().map_err(EmbeddedError::Stopped)?;
        attempt().map_err(|(epoch, error)| {
            if error.stops_the_engine() {
                self.fail(epoch, error)
            } else {
                error
            }
        })
    }

    /// Gives up writing with the engine of this epoch, and has it opened again.
    fn fail(self: &Arc<Self>, epoch: u64, error: EmbeddedError) -> EmbeddedError {
        let cause = Arc::new(error);
        {
            let mut state = self.state.write();
            if matches!(&*state, State::Open(engine) if engine.epoch == epoch) {
                error!(path = %self.config.path.display(), error = &*cause as &dyn std::error::Error, "a write failed: writes are refused until the database is opened again, reads go on");
                counter!("gnocchi_storage_failures_total").increment(1);
                let closed = State::Closed {
                    epoch,
                    tail: Tail::default(),
                    cause: Arc::clone(&cause),
                };
                *state = match std::mem::replace(&mut *state, closed) {
                    State::Open(engine) => State::Failed {
                        engine,
                        cause: Arc::clone(&cause),
                    },
                    other => other,
                };
            }
        }
        self.recover();
        EmbeddedError::Stopped(cause)
    }

    /// Starts the thread that opens the engine again, unless it runs.
    fn recover(self: &Arc<Self>) {
        if self.recovers.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = recovery::start(self) {
            error!(%error, "cannot start the thread that opens the database again");
            self.recovers.store(false, Ordering::Release);
        }
    }

    /// Notes that the thread ends; returns whether it must go on because the engine failed again meanwhile.
    pub(super) fn has_recovered(&self) -> bool {
        self.recovers.store(false, Ordering::Release);
        let is_open = matches!(&*self.state.read(), State::Open(_));
        is_open || self.recovers.swap(true, Ordering::AcqRel)
    }

    /// Opens the engine again after it failed, as soon as the disk takes writes.
    pub(super) fn reopen(&self) -> Result<(), Arc<EmbeddedError>> {
        let mut backoff = self.reopening.lock();
        match &*self.state.read() {
            State::Open(_) => return Ok(()),
            State::Failed { cause, .. } | State::Closed { cause, .. } if !backoff.is_due() => {
                return Err(Arc::clone(cause));
            }
            State::Failed { .. } | State::Closed { .. } => {}
        }
        let reopened = self.try_to_reopen(&mut backoff);
        reopened.map_err(|error| {
            let error = Arc::new(error);
            match &mut *self.state.write() {
                State::Open(_) => {}
                // The last reason is what matters to those who look for it.
                State::Failed { cause, .. } | State::Closed { cause, .. } => {
                    *cause = Arc::clone(&error);
                }
            }
            error
        })
    }

    fn try_to_reopen(&self, backoff: &mut Backoff) -> Result<(), EmbeddedError> {
        #[cfg(test)]
        if self.stays_failed.load(Ordering::Relaxed) {
            return Err(EmbeddedError::Disk(std::io::ErrorKind::StorageFull.into()));
        }
        self.disk.check(Purpose::Upkeep)?;
        self.disk.probe().map_err(EmbeddedError::Disk)?;
        backoff.note();
        renew(&self.config.path).map_err(EmbeddedError::Disk)?;
        let mut state = self.state.write();
        let epoch = state.epoch();
        let tail = match &*state {
            State::Open(_) => return Ok(()),
            State::Failed { engine, .. } => Tail::of(engine)?,
            State::Closed { tail, .. } => tail.clone(),
        };
        // The lock of the directory is free only once the engine is gone.
        *state = State::Closed {
            epoch,
            tail: tail.clone(),
            cause: Arc::new(EmbeddedError::Closed),
        };
        wait_until_closed(&self.config.path).map_err(EmbeddedError::Disk)?;
        // What the engine still had in its buffer has been written when it was closed.
        renew(&self.config.path).map_err(EmbeddedError::Disk)?;
        let engine = Engine::open(&self.config, epoch + 1, &self.progress_path)?;
        tail.check(&engine)?;
        info!(path = %self.config.path.display(), "the database was opened again after a failure: writes are accepted");
        counter!("gnocchi_storage_recoveries_total").increment(1);
        *state = State::Open(engine);
        drop(state);
        self.keeper.refresh();
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.wakeup.call();
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
