//! The open database: its keyspaces, and the facts that it keeps about itself.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::config::{CompressionPolicy, FilterPolicy};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode,
};
use gnocchi_core::driver::{Sack, SackCount};

use super::config::EmbeddedConfig;
use super::error::EmbeddedError;
use super::files::KEYSPACES_FOLDER;
use super::inspection::Inspection;
use super::keys::{self, Identity, SackRecord};
use super::preparation::Prepared;
use crate::disk::{synchronize, synchronize_parent};

/// The version of the layout that this program writes. Version 1 had no notes beside the files of the engine.
pub(super) const FORMAT: u32 = 2;

/// How many sequence numbers are set aside at a time; a crash skips at most so many.
pub(super) const SEQUENCES_RESERVED: u64 = 1 << 20;

/// Before the engine itself would halt a writer, without looking whether the threads it waits for still live.
const SEALED_TABLES_MAX: usize = 3;
const UNMERGED_FILES_MAX: usize = 28;

/// How often the engine is asked whether there is room again, and for how long.
const ROOM_INTERVAL: Duration = Duration::from_millis(2);
const ROOM_PATIENCE: Duration = Duration::from_mins(1);

/// How often and for how long a directory that is still open elsewhere is tried: one dropped without being closed first lets go of it soon.
pub(super) const LOCK_INTERVAL: Duration = Duration::from_millis(5);
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// An open database.
pub(super) struct Engine {
    pub(super) database: Database,
    pub(super) log: Keyspace,
    pub(super) frames: Keyspace,
    pub(super) sacks: Keyspace,
    pub(super) meta: Keyspace,
    /// Counts the openings within this process.
    pub(super) epoch: u64,
}

/// What a database says about itself when it is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) sacks: SackCount,
    pub(super) identity: Identity,
    /// How often it was opened, this time included.
    pub(super) generation: u64,
    /// No entry of the log has this number or a larger one.
    pub(super) next_sequence: u64,
    /// Numbers below this one may be used before more are reserved.
    pub(super) sequence_limit: u64,
}

impl Engine {
    /// Opens a directory after looking at it. How far its log was synchronized is noted in `progress`.
    pub(super) fn open(
        config: &EmbeddedConfig,
        epoch: u64,
        progress: &Path,
    ) -> Result<Self, EmbeddedError> {
        let inspection = Prepared::take(&config.path, progress)?.make_ready()?;
        Self::open_ready(config, epoch, &inspection)
    }

    /// Opens a directory that was made ready.
    pub(super) fn open_ready(
        config: &EmbeddedConfig,
        epoch: u64,
        inspection: &Inspection,
    ) -> Result<Self, EmbeddedError> {
        let database = open_database(config)?;
        // The next batch gets a larger sequence than all that are there, or the engine has not read them.
        if Some(database.seqno()) <= inspection.last_sequence {
            return Err(EmbeddedError::Incomplete);
        }
        let ranged = |memory_bytes| {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memory_bytes)
                // Frames and entries are found by range, for which a filter of keys is of no use.
                .filter_policy(FilterPolicy::disabled())
                // What stays is compressed by the engine of frames; a second attempt costs a tenth of the time and gains nothing.
                .data_block_compression_policy(CompressionPolicy::disabled())
        };
        let small = || KeyspaceCreateOptions::default().max_memtable_size(1 << 20);
        let engine = Self {
            log: database.keyspace(keys::LOG, || ranged(config.log_memory_bytes))?,
            frames: database.keyspace(keys::FRAMES, || ranged(config.frames_memory_bytes))?,
            sacks: database.keyspace(keys::SACKS, small)?,
            meta: database.keyspace(keys::META, small)?,
            database,
            epoch,
        };
        synchronize_folders(&config.path).map_err(EmbeddedError::Directory)?;
        Ok(engine)
    }

    /// Reads what the database says about itself, or writes it into a new one, and counts this opening. A new database gets the
    /// identity `identity`.
    pub(super) fn begin(
        &self,
        config: &EmbeddedConfig,
        identity: Identity,
    ) -> Result<Facts, EmbeddedError> {
        let mut batch = self.batch(8).durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, keys::META_FORMAT, FORMAT.to_be_bytes());
        let (sacks, identity) = match self.meta.get(keys::META_FORMAT)? {
            None => {
                let sacks = config.sack_count();
                batch.insert(&self.meta, keys::META_SACKS, sacks.count().to_be_bytes());
                batch.insert(&self.meta, keys::META_IDENTITY, identity);
                (sacks, identity)
            }
            Some(format) => {
                let found = u32::from_be_bytes(exactly(&format, keys::META_FORMAT)?);
                if !(1..=FORMAT).contains(&found) {
                    return Err(EmbeddedError::Format {
                        found,
                        known: FORMAT,
                    });
                }
                let sacks = u16::from_be_bytes(self.fact(keys::META_SACKS)?);
                let sacks = SackCount::new(sacks).ok_or_else(|| damaged(keys::META_SACKS))?;
                (sacks, self.fact(keys::META_IDENTITY)?)
            }
        };
        let generation = self.counter(keys::META_GENERATION)?.saturating_add(1);
        let last_entry = self
            .log
            .last_key_value()
            .map(fjall::Guard::key)
            .transpose()?;
        let last_entry = last_entry
            .map(|key| keys::number(&key).ok_or_else(|| damaged("log")))
            .transpose()?;
        // Zero is no sequence: a receipt of it would name nothing.
        let next_sequence = self
            .counter(keys::META_SEQUENCE_LIMIT)?
            .max(last_entry.unwrap_or(0).saturating_add(1));
        let sequence_limit = next_sequence.saturating_add(SEQUENCES_RESERVED);
        batch.insert(&self.meta, keys::META_GENERATION, generation.to_be_bytes());
        batch.insert(
            &self.meta,
            keys::META_SEQUENCE_LIMIT,
            sequence_limit.to_be_bytes(),
        );
        batch.commit()?;
        Ok(Facts {
            sacks,
            identity,
            generation,
            next_sequence,
            sequence_limit,
        })
    }

    /// Starts an atomic write, which is handed to the operating system unless it is told to be more durable.
    pub(super) fn batch(&self, capacity: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), capacity)
            .durability(Some(PersistMode::Buffer))
    }

    pub(super) fn sack(&self, sack: Sack) -> Result<SackRecord, EmbeddedError> {
        let Some(bytes) = self.sacks.get(keys::sack_key(sack))? else {
            return Ok(SackRecord::default());
        };
        SackRecord::decode(&bytes).ok_or_else(|| damaged(&format!("sack {sack}")))
    }

    /// Waits until the threads in the background have caught up.
    ///
    /// The engine would wait by itself, but forever when those threads ended because of a failure.
    pub(super) fn wait_for_room(&self) -> Result<(), EmbeddedError> {
        if self.has_room() {
            return Ok(());
        }
        let begin = Instant::now();
        while !self.has_room() {
            // Fails when the threads do.
            self.database.persist(PersistMode::Buffer)?;
            if begin.elapsed() > ROOM_PATIENCE {
                return Err(EmbeddedError::Overloaded {
                    waited: ROOM_PATIENCE,
                });
            }
            std::thread::sleep(ROOM_INTERVAL);
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        [&self.log, &self.frames, &self.sacks]
            .into_iter()
            .all(|keyspace| {
                keyspace.sealed_memtable_count() < SEALED_TABLES_MAX
                    && keyspace.l0_table_count() < UNMERGED_FILES_MAX
            })
    }

    fn fact<const BYTES: usize>(&self, name: &str) -> Result<[u8; BYTES], EmbeddedError> {
        let value = self.meta.get(name)?.ok_or_else(|| damaged(name))?;
        exactly(&value, name)
    }

    fn counter(&self, name: &str) -> Result<u64, EmbeddedError> {
        let value = self.meta.get(name)?;
        value.map_or(Ok(0), |value| exactly(&value, name).map(u64::from_be_bytes))
    }
}

/// Opens the database; waits a little for one that is being closed.
fn open_database(config: &EmbeddedConfig) -> Result<Database, fjall::Error> {
    let begin = Instant::now();
    loop {
        let opened = Database::builder(&config.path)
            .cache_size(config.cache_bytes)
            .max_journaling_size(config.journal_bytes())
            // Doubles hardly shrink, and frames that stay are compressed by themselves.
            .journal_compression(CompressionType::None)
            .worker_threads(usize::from(config.background_threads.get()))
            .open();
        match opened {
            Err(fjall::Error::Locked) if begin.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_INTERVAL);
            }
            opened => return opened,
        }
    }
}

/// Makes the folders of keyspaces survive a power failure.
///
/// The engine synchronizes what is in such a folder, but not the entry of the folder itself; without
/// that entry a power failure takes away everything that was flushed into the keyspace. It also
/// never synchronizes the entry of its own directory.
fn synchronize_folders(path: &Path) -> io::Result<()> {
    synchronize(&path.join(KEYSPACES_FOLDER))?;
    synchronize(path)?;
    synchronize_parent(path)
}

pub(super) fn damaged(name: &str) -> EmbeddedError {
    EmbeddedError::DamagedRecord {
        name: name.to_owned(),
    }
}

fn exactly<const BYTES: usize>(value: &[u8], name: &str) -> Result<[u8; BYTES], EmbeddedError> {
    value.try_into().map_err(|_| damaged(name))
}
