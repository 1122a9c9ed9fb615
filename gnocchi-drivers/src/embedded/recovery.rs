//! How a failed engine comes back: the thread that tries, how often it tries, and what must be there afterwards.

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::warn;

use super::database::Database;
use super::engine::{Engine, damaged};
use super::error::EmbeddedError;
use super::keys::SackRecord;

/// How often the disk is tried.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait at most before an engine that fails again and again is closed and opened once more: readers wait meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// After working for so long an engine counts as healthy.
const HEALTHY_AFTER: Duration = Duration::from_mins(1);

/// Starts a thread that tries to open the engine again until that succeeds or the database is dropped.
pub(super) fn start(database: &Arc<Database>) -> io::Result<()> {
    let (weak, wakeup) = (Arc::downgrade(database), Arc::clone(database.wakeup()));
    std::thread::Builder::new()
        .name("gnocchi-recovery".to_owned())
        .spawn(move || run(&weak, &wakeup))
        .map(drop)
}

fn run(database: &Weak<Database>, wakeup: &Wakeup) {
    let mut logged = String::new();
    loop {
        wakeup.wait(INTERVAL);
        let Some(database) = database.upgrade() else {
            return;
        };
        match database.reopen() {
            Ok(()) if database.has_recovered() => return,
            Ok(()) => {}
            Err(error) => {
                let text = error.to_string();
                if text != logged {
                    warn!(
                        error = &*error as &dyn std::error::Error,
                        "the database cannot be opened for writing yet; trying on"
                    );
                    logged = text;
                }
            }
        }
    }
}

/// Ends the wait of the thread early.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    called: Mutex<bool>,
    condition: Condvar,
}

impl Wakeup {
    pub(super) fn call(&self) {
        *self.called.lock() = true;
        self.condition.notify_all();
    }

    fn wait(&self, timeout: Duration) {
        let mut called = self.called.lock();
        self.condition
            .wait_while_for(&mut called, |called| !*called, timeout);
    }
}

/// How often in a row the engine was opened again, and when the last time was.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// Returns whether the next attempt may begin.
    pub(super) fn is_due(&self) -> bool {
        let pause = match self.attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => (INTERVAL * (1 << doublings.min(16))).min(PAUSE_MAX),
        };
        self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// Notes an attempt.
    pub(super) fn note(&mut self) {
        if self
            .last
            .is_some_and(|last| last.elapsed() >= HEALTHY_AFTER)
        {
            self.attempts = 0;
        }
        self.attempts += 1;
        self.last = Some(Instant::now());
    }
}

/// What stood last in the journal, as far as the engine that wrote it knows.
///
/// The journal is read up to its first gap. So when these are found by the next engine, nothing before them is missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    /// The record of each sack, by its key.
    sacks: Vec<(Vec<u8>, SackRecord)>,
}

impl Tail {
    /// Asks a failed engine.
    pub(super) fn of(engine: &Engine) -> Result<Self, EmbeddedError> {
        let mut sacks = Vec::new();
        for guard in engine.sacks.iter() {
            let (key, value) = guard.into_inner()?;
            let record = SackRecord::decode(&value).ok_or_else(|| damaged("sack"))?;
            sacks.push((key.to_vec(), record));
        }
        Ok(Self { sacks })
    }

    /// Fails when the engine that follows lacks some of it. It may have more: a write that was complete although it failed. Entries of
    /// the log say nothing here, because such a write may also have deleted the last one.
    pub(super) fn check(&self, next: &Engine) -> Result<(), EmbeddedError> {
        for (key, record) in &self.sacks {
            let found = next.sacks.get(key)?;
            let found = found.and_then(|bytes| SackRecord::decode(&bytes));
            let is_there = found.is_some_and(|found| {
                found.fence >= record.fence && found.state.sequence >= record.state.sequence
            });
            if !is_there {
                return Err(EmbeddedError::LostWrites);
            }
        }
        Ok(())
    }
}
