//! A whole store in one directory: measures and aggregates, the indexer, and a lock around both.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gnocchi_core::clock::{Clock, SystemClock};
use gnocchi_core::driver::BacklogDetails;
use gnocchi_core::error::{BackendErrorKind, IndexerError};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use tracing::warn;
use uuid::Uuid;

use super::data_directory::DataDirectory;
use super::error::EmbeddedError;
use super::identity::{Claims, Expected, IDENTITY_FILE, InUse, Mismatch, StoreIdentity};
use super::indexer_log::IndexerLog;
use super::indexer_sums;
use super::inspection::{Inspection, Stage};
use super::keys::Pairing;
use super::parts::{COMPLETE, INDEXER, MEASURES, Mark, Parts, mark};
use super::preparation::Prepared;
use super::progress::PROGRESS_FILE;
use super::store_error::StoreError;
use super::{Damage, Embedded, EmbeddedConfig, EmbeddedIncoming, EmbeddedStorage};
use crate::sql::{Glance, SqlIndexer, SqliteConfig, file_log, glance, log_path};

/// How a whole store in one directory is set up.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The directory of the store; created when absent.
    pub path: PathBuf,
    /// How the database of measures and aggregates is set up. Its own path is set by where the store is.
    pub embedded: EmbeddedConfig,
    /// How the store behaves.
    pub settings: Settings,
    /// Whether a fresh store gets the default archive policies.
    pub default_policies: DefaultPolicies,
}

impl StoreConfig {
    /// Describes a store with default settings and the default archive policies.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            embedded: EmbeddedConfig::new(path.join(MEASURES)),
            path,
            settings: Settings::default(),
            default_policies: DefaultPolicies::Create,
        }
    }
}

/// A whole store in one directory, which belongs to this process until the store is closed or dropped.
///
/// Nothing acknowledged is lost when it is dropped, but [`close`](Self::close) waits until the files are let go.
///
/// It is the same directory that the program `gnocchi serve` works on.
#[derive(Debug)]
pub struct Store {
    /// Goes first: the log beside the indexer goes away with the indexer.
    in_use: Option<InUse>,
    gnocchi: Gnocchi,
    indexer: Arc<SqlIndexer>,
    incoming: Arc<EmbeddedIncoming>,
    storage: Arc<EmbeddedStorage>,
    path: PathBuf,
    /// How often the store was opened and closed, this time included.
    pairing: u64,
    _directory: DataDirectory,
}

impl Deref for Store {
    type Target = Gnocchi;

    fn deref(&self) -> &Gnocchi {
        &self.gnocchi
    }
}

/// Opens the store of a directory with default settings, after creating what is absent.
///
/// Measures are folded when [`Gnocchi::process`] is called, or as they arrive while a task runs [`Gnocchi::run`].
///
/// # Errors
/// [`StoreError`] when another process works in the directory, or what it holds cannot be used.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// let store = gnocchi_drivers::embedded::open(directory.path()).await?;
/// assert_eq!(store.archive_policies().await?.len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn open(path: impl Into<PathBuf>) -> Result<Store, StoreError> {
    Store::open(StoreConfig::new(path)).await
}

impl Store {
    /// Opens a store; creates or migrates what is missing. Nothing is changed when something of it is damaged.
    ///
    /// # Errors
    /// [`StoreError`] when another process works in the directory, or what it holds cannot be used.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let path = config.path.as_path();
        let (directory, parts, prepared, log) = on_files(path, |path| {
            let directory = DataDirectory::create(path)?;
            let parts = Parts::find(path)?;
            let prepared = prepare(path, parts)?;
            let log = sound_log(path, parts)?;
            Ok((directory, parts, prepared, log))
        })
        .await?;
        let claims = claims_of(path, parts, &prepared.inspection, &path.join(INDEXER)).await?;
        on_files(path, unchanged_indexer).await?;
        let embedded = EmbeddedConfig {
            path: path.join(MEASURES),
            ..config.embedded
        };
        let store = Self::with(path, directory, embedded, config.settings, prepared).await?;
        if parts.measures && !parts.indexer {
            store.require_no_measures(path).await?;
        }
        on_files(path, move |path| {
            let unusable = |path| |source| StoreError::Mark { path, source };
            log.cut_tail(path)
                .map_err(unusable(log_path(&path.join(INDEXER))))?;
            InUse::take_back(path).map_err(unusable(path.join(IDENTITY_FILE)))?;
            indexer_sums::forget(path).map_err(unusable(path.join(indexer_sums::SUMS_FILE)))
        })
        .await?;
        let prepared = store.gnocchi.upgrade(config.default_policies).await;
        prepared.map_err(|source| StoreError::Prepare {
            path: path.to_owned(),
            source,
        })?;
        let identity = claims.next(store.storage.identity());
        // Before and after: the file never gets more than one opening behind its log, however often a start is interrupted.
        store.file_log().await?;
        store.agree(identity).await?;
        store.file_log().await?;
        if parts.mark != Mark::Present {
            on_files(path, |path| {
                mark(path).map_err(|source| StoreError::Mark {
                    path: path.join(COMPLETE),
                    source,
                })
            })
            .await?;
        }
        let in_use = store.note_in_use(identity).await?;
        Ok(Self {
            in_use: Some(in_use),
            pairing: identity.pairing,
            ..store
        })
    }

    async fn file_log(&self) -> Result<(), StoreError> {
        let filed = file_log(&self.path.join(INDEXER)).await;
        filed.map_err(|error| StoreError::Prepare {
            path: self.path.clone(),
            source: error.into(),
        })
    }

    /// Notes that the store is open, so that the loss of the log beside the indexer is noticed.
    async fn note_in_use(&self, identity: StoreIdentity) -> Result<InUse, StoreError> {
        // From here on the log is never empty.
        let noted = self.indexer.set_store(identity.store, identity.pairing);
        noted.await.map_err(|error| StoreError::Prepare {
            path: self.path.clone(),
            source: error.into(),
        })?;
        on_files(&self.path, move |path| {
            InUse::note(path, identity).map_err(|source| StoreError::Mark {
                path: path.join(IDENTITY_FILE),
                source,
            })
        })
        .await
    }

    /// Has all parts say which store they belong to and how often it was opened and closed, the measures first and last.
    async fn agree(&self, identity: StoreIdentity) -> Result<(), StoreError> {
        let path = self.path.as_path();
        let prepare = |source| StoreError::Prepare {
            path: path.to_owned(),
            source,
        };
        let pairing = |settled| Pairing {
            number: identity.pairing,
            settled,
        };
        let noted = self.storage.note_pairing(pairing(false)).await;
        noted.map_err(|error| prepare(error.into()))?;
        let noted = self
            .indexer
            .set_store(identity.store, identity.pairing)
            .await;
        noted.map_err(|error| prepare(error.into()))?;
        on_files(path, move |path| {
            identity.write(path).map_err(|source| StoreError::Mark {
                path: path.join(IDENTITY_FILE),
                source,
            })
        })
        .await?;
        let noted = self.storage.note_pairing(pairing(true)).await;
        noted.map_err(|error| prepare(error.into()))
    }

    /// Returns the facade, to be held for as long as the store is.
    #[must_use]
    pub fn gnocchi(&self) -> &Gnocchi {
        &self.gnocchi
    }

    /// Returns the indexer, for what only this back-end can do.
    #[must_use]
    pub fn indexer(&self) -> &SqlIndexer {
        &self.indexer
    }

    async fn with(
        path: &Path,
        directory: DataDirectory,
        embedded: EmbeddedConfig,
        settings: Settings,
        prepared: Prepared,
    ) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (measures, for_measures) = (embedded, Arc::clone(&clock));
        let embedded = on_files(path, move |path| {
            let opened = Embedded::open_prepared(measures, for_measures, prepared);
            opened.map_err(|error| open_error(path, error))
        })
        .await?;
        let indexer = SqlIndexer::open(SqliteConfig::new(path.join(INDEXER)));
        let indexer = Arc::new(indexer.with_disk(embedded.disk));
        let drivers = Drivers {
            indexer: Arc::<SqlIndexer>::clone(&indexer),
            incoming: Arc::<EmbeddedIncoming>::clone(&embedded.incoming),
            storage: Arc::<EmbeddedStorage>::clone(&embedded.storage),
            coordinator: embedded.coordinator,
            clock,
        };
        Ok(Self {
            in_use: None,
            gnocchi: Gnocchi::new(drivers, settings),
            indexer,
            incoming: embedded.incoming,
            storage: embedded.storage,
            path: path.to_owned(),
            pairing: 0,
            _directory: directory,
        })
    }

    /// Tells the end of an interrupted first start, which left nothing, from the loss of the indexer.
    async fn require_no_measures(&self, path: &Path) -> Result<(), StoreError> {
        let prepare = |source| StoreError::Prepare {
            path: path.to_owned(),
            source,
        };
        let drivers = self.gnocchi.drivers();
        let backlog = drivers
            .incoming
            .backlog(BacklogDetails::Summary)
            .await
            .map_err(|error| prepare(error.into()))?;
        let stored = drivers
            .storage
            .metrics(None, 1)
            .await
            .map_err(|error| prepare(error.into()))?;
        if backlog.points > 0 || !stored.is_empty() {
            return Err(StoreError::Incomplete {
                path: path.to_owned(),
                missing: INDEXER,
            });
        }
        Ok(())
    }

    /// Waits for the calls in hand and leaves files that need no repair at the next opening.
    ///
    /// The directory is free then, unless a copy of the facade is still held somewhere.
    pub async fn close(self) {
        self.close_within(None).await;
    }

    /// Closes the store as [`close`](Self::close) does, but leaves out what takes long when it is not done by `deadline`: the checksums by
    /// which the next opening notices that the database of the indexer was changed meanwhile.
    pub async fn close_by(self, deadline: Instant) {
        self.close_within(Some(deadline)).await;
    }

    async fn close_within(mut self, deadline: Option<Instant>) {
        let closed = StoreIdentity {
            store: self.storage.identity(),
            pairing: self.pairing + 1,
        };
        if let Err(error) = self.agree(closed).await {
            // The next opening finds parts that fit, and goes on from there.
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(%error, cause, "cannot note that the store was closed; nothing is lost");
        }
        let in_use = self.in_use.take();
        tokio::task::spawn_blocking(move || drop(in_use)).await.ok();
        self.indexer.close().await;
        let noted = on_files(&self.path, move |path| {
            indexer_sums::note(path, closed, deadline).map_err(|source| StoreError::Mark {
                path: path.join(indexer_sums::SUMS_FILE),
                source,
            })
        });
        if let Err(error) = noted.await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(%error, cause, "cannot note the checksums of the indexer; nothing is lost");
        }
        self.incoming.close().await;
        // The last one waits for threads of the engine. Lost is nothing when the runtime shuts down meanwhile.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }
}

/// Works on the files of a data directory, away from the threads that serve requests.
async fn on_files<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&owned)).await;
    done.unwrap_or_else(|error| {
        Err(StoreError::Mark {
            path: path.to_owned(),
            source: io::Error::other(error),
        })
    })
}

fn open_error(path: &Path, error: EmbeddedError) -> StoreError {
    match error {
        EmbeddedError::Damaged(damage) => StoreError::Damaged {
            path: path.to_owned(),
            damage,
        },
        error => StoreError::Open {
            path: path.to_owned(),
            source: error.into_backend(format!("open {}", path.join(MEASURES).display())),
        },
    }
}

/// Looks at the parts of a data directory and its measures. Nothing is changed.
fn prepare(path: &Path, parts: Parts) -> Result<Prepared, StoreError> {
    if let Some(missing) = parts.missing() {
        return Err(StoreError::Incomplete {
            path: path.to_owned(),
            missing,
        });
    }
    let measures = path.join(MEASURES);
    let prepared = Prepared::take(&measures, &path.join(PROGRESS_FILE));
    let prepared = prepared.map_err(|error| open_error(path, error))?;
    prepared
        .require_sound()
        .map_err(|error| open_error(path, error))?;
    if parts.were_complete() && prepared.inspection.stage != Stage::Whole {
        let damage = Damage::of(measures, "holds no measures, although it did once");
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            damage: vec![damage],
        });
    }
    Ok(prepared)
}

/// Checks the log beside the indexer, of which SQLite forgets what is behind damage. Nothing is changed.
fn sound_log(path: &Path, parts: Parts) -> Result<IndexerLog, StoreError> {
    let log = IndexerLog::check(path, parts)
        .map_err(|(path, source)| StoreError::Unreadable { path, source })?;
    match log.damage {
        Some(damage) => Err(StoreError::Damaged {
            path: path.to_owned(),
            damage: vec![damage],
        }),
        None => Ok(log),
    }
}

/// Checks that the indexer is the same as when the store was closed. Nothing is changed.
fn unchanged_indexer(path: &Path) -> Result<(), StoreError> {
    let checked = indexer_sums::check(path)
        .map_err(|(path, source)| StoreError::Unreadable { path, source })?;
    checked.warn();
    if checked.database.is_empty() {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path.to_owned(),
        damage: checked.database,
    })
}

/// Returns whether a log can be that of a file, by what the file says with it and without it. Each opening and closing notes its number in
/// the log, then files the log.
fn is_log_of(whole: Option<(Uuid, u64)>, filed: Option<(Uuid, u64)>) -> bool {
    match (whole, filed) {
        (Some((store, pairing)), Some((filed_store, filed_pairing))) => {
            store == filed_store
                && (pairing == filed_pairing || pairing == filed_pairing.saturating_add(1))
        }
        _ => false,
    }
}

/// Compares what the parts of a data directory say about the store they belong to. Nothing is changed.
///
/// `indexer` is where its indexer can be read, if there is one.
pub(super) async fn claims_of(
    path: &Path,
    parts: Parts,
    measures: &Inspection,
    indexer: &Path,
) -> Result<Claims, StoreError> {
    let damaged = |file: PathBuf, problem: String| StoreError::Damaged {
        path: path.to_owned(),
        damage: vec![Damage::of(file, problem)],
    };
    let (file, indexer) = (path.join(IDENTITY_FILE), indexer.to_owned());
    let directory = match on_files(path, |path| Ok(StoreIdentity::read(path))).await? {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged(file, "is damaged".into()));
        }
        Err(source) => return Err(StoreError::Mark { path: file, source }),
    };
    let mut found = Glance::default();
    if parts.indexer {
        found = glance(&indexer).await.map_err(|error| match error {
            IndexerError::Backend(error) if error.kind() == BackendErrorKind::Corrupt => {
                damaged(indexer.clone(), "is damaged".into())
            }
            error => StoreError::Prepare {
                path: path.to_owned(),
                source: error.into(),
            },
        })?;
        if !found.has_schema && parts.were_complete() {
            let problem = "holds no archive policies, metrics and resources, although it did once";
            return Err(damaged(indexer, problem.into()));
        }
    }
    if parts.mark == Mark::Present
        && let Some(filed) = found.filed
        && !is_log_of(found.store, filed)
    {
        let problem =
            "and the log beside it do not belong together: they are of different stores or times";
        return Err(damaged(indexer, problem.into()));
    }
    let facts = measures.facts;
    let claims = Claims {
        measures: facts.map(|facts| (Uuid::from_bytes(facts.identity), facts.pairing)),
        directory: (file, directory),
        indexer: (
            indexer,
            found
                .store
                .map(|(store, pairing)| StoreIdentity { store, pairing }),
        ),
    };
    let expected = match parts.mark {
        Mark::Present => Expected::All,
        _ => Expected::Some,
    };
    match claims.compare(expected) {
        Ok(()) => Ok(claims),
        Err(Mismatch { file, problem }) => Err(damaged(file, problem)),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
