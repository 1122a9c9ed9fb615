//! A whole store in one directory: measures and aggregates, the indexer, and a lock around both.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gnocchi_core::clock::{Clock, SystemClock};
use gnocchi_core::driver::BacklogDetails;
use gnocchi_core::error::{BackendError, BackendErrorKind};
use gnocchi_core::{DefaultPolicies, Drivers, Gnocchi, Settings};
use thiserror::Error;

use super::data_directory::{DataDirectory, DataDirectoryError};
use super::{Embedded, EmbeddedConfig, EmbeddedIncoming};
use crate::sql::{SqlIndexer, SqliteConfig};

/// The directory of pending measures and aggregates.
const MEASURES: &str = "measures";

/// The file of archive policies, metrics and resources. It is created after the measures.
const INDEXER: &str = "indexer.db";

/// The file that is written once all of a new data directory stands. Its content is the version of the layout.
const COMPLETE: &str = "complete";

/// The version of the layout that this program writes.
const LAYOUT: &str = "1\n";

/// A store that cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DataDirectoryError),
    /// A part is missing. Starting afresh would hide the loss.
    #[error("the data directory {} is incomplete: {missing} is missing; restore the whole directory from a backup, or choose an empty one", path.display())]
    Incomplete {
        /// The data directory.
        path: PathBuf,
        /// The missing part.
        missing: &'static str,
    },
    /// There is nothing to inspect.
    #[error("there is no store in the directory {}", path.display())]
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// A program with another idea of the layout wrote it.
    #[error("the data directory {} was written by a later version of this program", path.display())]
    LaterVersion {
        /// The data directory.
        path: PathBuf,
    },
    /// The mark of completeness holds something else than a version.
    #[error("{} is damaged: it names no version of the layout; restore the whole directory from a backup", path.display())]
    DamagedMark {
        /// The file.
        path: PathBuf,
    },
    /// The back-end cannot open its part.
    #[error("cannot open the store in {}{}", path.display(), advice(source))]
    Open {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: BackendError,
    },
    /// What is missing cannot be created, or what is old cannot be migrated.
    #[error("cannot prepare the store in {}", path.display())]
    Prepare {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: gnocchi_core::Error,
    },
    /// The mark of completeness cannot be read or written.
    #[error("cannot use {}", path.display())]
    Mark {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn advice(error: &BackendError) -> &'static str {
    match error.kind() {
        BackendErrorKind::Corrupt => "; it is damaged, restore it from a backup",
        BackendErrorKind::Denied => "; make it readable and writable for this user",
        BackendErrorKind::Full => "; there is no room left on the disk",
        _ => "",
    }
}

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
    gnocchi: Gnocchi,
    indexer: Arc<SqlIndexer>,
    incoming: Arc<EmbeddedIncoming>,
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
    /// Opens a store; creates or migrates what is missing.
    ///
    /// # Errors
    /// [`StoreError`] when another process works in the directory, or what it holds cannot be used.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let path = config.path.as_path();
        let (directory, parts) = on_files(path, |path| {
            let directory = DataDirectory::create(path)?;
            Ok((directory, Parts::find(path)?))
        })
        .await?;
        if let Some(missing) = parts.missing() {
            return Err(StoreError::Incomplete {
                path: path.to_owned(),
                missing,
            });
        }
        let embedded = EmbeddedConfig {
            path: path.join(MEASURES),
            ..config.embedded
        };
        let store = Self::with(path, directory, embedded, config.settings).await?;
        if parts.measures && !parts.indexer {
            store.require_no_measures(path).await?;
        }
        let prepared = store.gnocchi.upgrade(config.default_policies).await;
        prepared.map_err(|source| StoreError::Prepare {
            path: path.to_owned(),
            source,
        })?;
        if !parts.marked {
            on_files(path, |path| {
                mark(path).map_err(|source| StoreError::Mark {
                    path: path.join(COMPLETE),
                    source,
                })
            })
            .await?;
        }
        Ok(store)
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

    /// Opens the store of a data directory as it is.
    ///
    /// # Errors
    /// [`StoreError`] when the directory holds none, or what it holds cannot be used.
    pub async fn open_for_inspection(path: &Path) -> Result<Self, StoreError> {
        let directory = on_files(path, |path| {
            let parts = Parts::find(path)?;
            if let Some(missing) = parts.missing() {
                return Err(StoreError::Incomplete {
                    path: path.to_owned(),
                    missing,
                });
            }
            if !parts.measures {
                return Err(StoreError::NoStore {
                    path: path.to_owned(),
                });
            }
            Ok(DataDirectory::take(path)?)
        })
        .await?;
        Self::with(
            path,
            directory,
            EmbeddedConfig::new(path.join(MEASURES)),
            Settings::default(),
        )
        .await
    }

    async fn with(
        path: &Path,
        directory: DataDirectory,
        embedded: EmbeddedConfig,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let opened = Embedded::open(embedded, Arc::clone(&clock)).await;
        let embedded = opened.map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
        let indexer = SqlIndexer::open(SqliteConfig::new(path.join(INDEXER)));
        let indexer = Arc::new(indexer.with_disk(embedded.disk));
        let drivers = Drivers {
            indexer: Arc::<SqlIndexer>::clone(&indexer),
            incoming: Arc::<EmbeddedIncoming>::clone(&embedded.incoming),
            storage: embedded.storage,
            coordinator: embedded.coordinator,
            clock,
        };
        Ok(Self {
            gnocchi: Gnocchi::new(drivers, settings),
            indexer,
            incoming: embedded.incoming,
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
        self.indexer.close().await;
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

/// Which parts of a data directory are there.
#[derive(Debug, Clone, Copy)]
struct Parts {
    marked: bool,
    measures: bool,
    indexer: bool,
}

impl Parts {
    fn find(path: &Path) -> Result<Self, StoreError> {
        let file = path.join(COMPLETE);
        let marked = match fs::read(&file) {
            Ok(layout) if layout == LAYOUT.as_bytes() => true,
            Ok(layout) if names_later_version(&layout) => {
                return Err(StoreError::LaterVersion {
                    path: path.to_owned(),
                });
            }
            Ok(_) => return Err(StoreError::DamagedMark { path: file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(StoreError::Mark { path: file, source }),
        };
        // An empty directory is what the loss of its files leaves.
        let measures =
            fs::read_dir(path.join(MEASURES)).is_ok_and(|mut entries| entries.next().is_some());
        Ok(Self {
            marked,
            measures,
            indexer: path.join(INDEXER).is_file(),
        })
    }

    /// Returns a part that must have been there before.
    fn missing(self) -> Option<&'static str> {
        match self {
            // New, or an interrupted first start: the measures are created before the indexer.
            Self {
                marked: false,
                indexer: false,
                ..
            } => None,
            Self {
                measures: false, ..
            } => Some(MEASURES),
            Self { indexer: false, .. } => Some(INDEXER),
            Self { .. } => None,
        }
    }
}

/// Tells whether this is a mark that a program with a newer layout wrote.
fn names_later_version(mark: &[u8]) -> bool {
    let version = |mark: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(mark).ok()?.strip_suffix('\n')?;
        digits.parse().ok()
    };
    version(mark) > version(LAYOUT.as_bytes())
}

/// Writes the mark of completeness so that it survives a power failure whole or not at all.
fn mark(path: &Path) -> io::Result<()> {
    let staging = path.join(format!("{COMPLETE}.new"));
    let mut file = File::create(&staging)?;
    file.write_all(LAYOUT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staging, path.join(COMPLETE))?;
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_missing_only_where_they_were() {
        let check = |marked, measures, indexer, expected| {
            assert_eq!(
                Parts {
                    marked,
                    measures,
                    indexer
                }
                .missing(),
                expected,
                "{marked} {measures} {indexer}"
            );
        };
        check(false, false, false, None);
        check(false, true, false, None);
        check(false, true, true, None);
        check(true, true, true, None);
        check(false, false, true, Some(MEASURES));
        check(true, false, false, Some(MEASURES));
        check(true, false, true, Some(MEASURES));
        check(true, true, false, Some(INDEXER));
    }

    #[test]
    fn a_mark_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        mark(directory.path()).unwrap();
        assert!(Parts::find(directory.path()).unwrap().marked);
        fs::write(directory.path().join(COMPLETE), "2\n").unwrap();
        let error = Parts::find(directory.path()).unwrap_err().to_string();
        assert!(error.contains("later version"), "{error}");
        let garbled: [&[u8]; 5] = [b"", b"\0\0", b"x\n", b"0\n", &[0xff, 0xfe]];
        for mark in garbled {
            fs::write(directory.path().join(COMPLETE), mark).unwrap();
            let error = Parts::find(directory.path()).unwrap_err();
            assert!(matches!(error, StoreError::DamagedMark { .. }), "{error}");
        }
    }
}
