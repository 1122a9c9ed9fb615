//! The log beside the indexer's database, after a process that did not close it.

use std::io;
use std::path::{Path, PathBuf};

use super::Damage;
use super::identity::StoreIdentity;
use super::inspection::Tail;
use super::parts::{INDEXER, MEASURES, Mark, Parts};
use super::preparation::report_tail;
use crate::sql::{LogState, Proof, check_log, log_path};

/// SQLite itself deletes the log when the last program that has the database open closes it.
const DELETED: &str = "is missing, and the store was not closed. If another program, such as sqlite3, opened indexer.db since, the log was moved into it: nothing is lost, and `gnocchi repair` saves everything";

/// The state of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct IndexerLog {
    /// Why SQLite must not open the database: it would forget what was acknowledged.
    pub(super) damage: Option<Damage>,
    /// What is left of an unfinished transaction, and what proves that it was not acknowledged.
    pub(super) tail: Option<(Tail, Proof)>,
}

impl IndexerLog {
    /// Checks the log of a store that no process uses. Nothing is changed.
    ///
    /// # Errors
    /// [`io::Error`] with the file that cannot be read.
    pub(super) fn check(path: &Path, parts: Parts) -> Result<Self, (PathBuf, io::Error)> {
        let mut found = Self::default();
        // Nothing is acknowledged before a new store is complete.
        if parts.mark == Mark::Absent || !parts.indexer {
            return Ok(found);
        }
        let log = log_path(&path.join(INDEXER));
        let state = check_log(&path.join(INDEXER)).map_err(|error| (log.clone(), error))?;
        // A damaged identity is reported where it is compared.
        let was_open = StoreIdentity::is_in_use(path).unwrap_or(false);
        match state {
            LogState::Missing if was_open => {
                found.damage = Some(Damage::of(log, DELETED));
            }
            LogState::Empty if was_open => {
                found.damage = Some(Damage::of(log, "is empty, and the store was not closed"));
            }
            LogState::Missing | LogState::Empty | LogState::Sound => {}
            LogState::Damaged { offset, problem } => {
                found.damage = Some(Damage::at(log, offset, problem));
            }
            LogState::Torn {
                offset,
                bytes,
                proof,
            } => {
                let tail = Tail {
                    journal: log,
                    offset,
                    bytes,
                };
                found.tail = Some((tail, proof));
            }
        }
        Ok(found)
    }

    /// Cuts an unfinished transaction off the log, after a copy of it was kept aside.
    ///
    /// # Errors
    /// [`io::Error`] when the log cannot be read or cut.
    pub(super) fn cut_tail(&self, path: &Path) -> io::Result<()> {
        if let Some((tail, proof)) = &self.tail {
            let what = match proof {
                Proof::Index => {
                    "an unfinished transaction of the indexer is cut off; nothing of it was acknowledged"
                }
                Proof::None => {
                    "an unfinished transaction of the indexer is cut off; without the index of the log (-shm) it is not known whether it was acknowledged"
                }
            };
            report_tail(tail, tail.cut(&path.join(MEASURES))?, what);
        }
        Ok(())
    }
}
