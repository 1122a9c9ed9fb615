//! A store that another process has open, as it is now.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use carbonara::Timestamp;
use gnocchi_core::clock::{Clock, SystemClock};
use gnocchi_core::{DefaultPolicies, Settings};
use tempfile::TempDir;

use super::error::Error;
use super::metric::{MetricHandle, MetricsRequest};
use super::read::ReadRequest;
use super::runtime::require_runtime;
use super::{Processing, Store, StoreBuilder};
use crate::embedded::{StoreConfig, StoreError, copy_store};

/// How often a copy is begun anew because the store changed meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// A store as it was when the snapshot was taken, to be read while another process works on it.
///
/// It holds at least everything that was acknowledged before [`StoreBuilder::open_snapshot`] was called, and never changes afterwards: take
/// another one to see later measures. The original is only read.
///
/// It is a copy below the folder for temporary files, which is removed with the snapshot. Tables of aggregates, the bulk of a store, are
/// linked instead of copied where that folder is on the file system of the store; pending measures, archive policies, metrics and
/// resources are copied.
///
/// # Examples
/// ```
/// use gnocchi_drivers::prelude::*;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), gnocchi_drivers::Error> {
/// # let directory = tempfile::tempdir().expect("a directory for temporary files");
/// # let path = directory.path();
/// # let store = Store::builder(path).open().await?;
/// # let cpu = store.metric("host", "cpu").policy("medium").ensure().await?;
/// # let report = store.append([(&cpu, Timestamp::now(), 0.4)]).await?;
/// // `path` is in use by another process.
/// let snapshot = Store::builder(path).open_snapshot().await?;
/// if let Some(cpu) = snapshot.metric("host", "cpu").await? {
///     let rows = snapshot.read([&cpu]).methods(["mean"]).every(MINUTE).last(HOUR).await?;
/// #   assert_eq!(rows.len(), 1);
/// }
/// snapshot.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Snapshot {
    store: Store,
    taken_at: Timestamp,
    folder: TempDir,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("taken_at", &self.taken_at)
            .finish_non_exhaustive()
    }
}

impl StoreBuilder {
    /// Takes a snapshot of the store and opens that, to be read; another process may have the store open. The settings of this builder apply
    /// to the snapshot.
    ///
    /// The time that this takes grows with the measures that are pending and with the number of metrics and resources.
    ///
    /// # Errors
    /// [`Error::Open`] when there is no store in the directory, [`Error::Snapshot`] when it is damaged, changes faster than it can be
    /// copied, or the folder for temporary files cannot be written; [`Error::Runtime`] without a runtime that will do.
    pub async fn open_snapshot(self) -> Result<Snapshot, Error> {
        self.open_snapshot_in(std::env::temp_dir()).await
    }

    /// Takes a snapshot as [`open_snapshot`](Self::open_snapshot) does, in another folder than that for temporary files. One on the file system
    /// of the store saves the space and time to copy tables.
    ///
    /// # Errors
    /// As [`open_snapshot`](Self::open_snapshot).
    pub async fn open_snapshot_in(self, folder: impl Into<PathBuf>) -> Result<Snapshot, Error> {
        require_runtime()?;
        let folder = folder.into();
        let mut attempt = 1;
        loop {
            let taken_at = SystemClock.now();
            match self.snapshot(&folder).await {
                Ok((folder, store)) => {
                    return Ok(Snapshot {
                        store,
                        taken_at,
                        folder,
                    });
                }
                Err(error @ StoreError::NoStore { .. }) => return Err(error.into()),
                Err(error) if attempt < ATTEMPTS_MAX && may_be_a_change(&error) => attempt += 1,
                Err(source) => {
                    return Err(Error::Snapshot {
                        path: self.config.path,
                        source: Box::new(source),
                    });
                }
            }
        }
    }

    async fn snapshot(&self, folder: &Path) -> Result<(TempDir, Store), StoreError> {
        let (path, parent) = (self.config.path.clone(), folder.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(&path, &parent)).await;
        let unfinished = |error| unwritable(folder, io::Error::other(error));
        let copy = copied.map_err(unfinished)??;
        let config = StoreConfig {
            embedded: self.config.embedded.clone(),
            settings: Settings {
                // It is a store of its own, and does nothing that would have to be seen.
                reporting_delay: None,
                ..self.config.settings.clone()
            },
            default_policies: DefaultPolicies::Skip,
            ..StoreConfig::new(copy.path())
        };
        let opened = crate::embedded::Store::open(config).await?;
        let processing = Processing::Manual;
        Ok((
            copy,
            Store::over_opened(opened, self.creator.clone(), processing),
        ))
    }
}

fn unwritable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn copy(path: &Path, parent: &Path) -> Result<TempDir, StoreError> {
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("gnocchi-snapshot-").tempdir_in(parent);
    let folder = folder.map_err(|error| unwritable(parent, error))?;
    copy_store(path, folder.path())?;
    Ok(folder)
}

/// Returns whether a change of the files while they were copied can be the reason of a failure.
fn may_be_a_change(error: &StoreError) -> bool {
    match error {
        StoreError::Unreadable { source, .. } => matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::WouldBlock
        ),
        StoreError::Damaged { .. } | StoreError::Incomplete { .. } => true,
        _ => false,
    }
}

impl Snapshot {
    /// Returns the time before which every acknowledged measure is included.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// Returns the metric of that name of a resource, or `None` when there is none.
    ///
    /// # Errors
    /// [`Error::ResourceName`] when a name cannot be used, [`Error::Store`] when the snapshot cannot be read.
    pub async fn metric(
        &self,
        resource: impl Into<String>,
        name: impl Into<String>,
    ) -> Result<Option<MetricHandle>, Error> {
        self.store.metric(resource, name).find().await
    }

    /// Returns metrics in the order of their names; `None` where there is none.
    ///
    /// # Errors
    /// As [`metric`](Self::metric).
    pub async fn metrics<R: Into<String>, N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = (R, N)>,
    ) -> Result<Vec<Option<MetricHandle>>, Error> {
        let request: MetricsRequest<'_> = self.store.metrics(names);
        request.find().await
    }

    /// Begins a request for aggregates of metrics, as [`Store::read`] does.
    pub fn read<'m>(&self, metrics: impl IntoIterator<Item = &'m MetricHandle>) -> ReadRequest {
        self.store.read(metrics)
    }

    /// Returns the copy as a store, for its [complete interface](Store::gnocchi). What is written to it is lost with the snapshot.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Closes the snapshot and removes it.
    ///
    /// # Errors
    /// [`Error::Snapshot`] when files cannot be removed.
    pub async fn close(self) -> Result<(), Error> {
        self.store.close().await?;
        let path = self.folder.path().to_owned();
        let removed = tokio::task::spawn_blocking(move || self.folder.close()).await;
        let removed = removed
            .map_err(io::Error::other)
            .and_then(|removed| removed);
        removed.map_err(|error| Error::Snapshot {
            source: Box::new(unwritable(&path, error)),
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::prelude::{Policy, SECOND, days};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn open(path: &Path) -> (Store, MetricHandle) {
        let store = Store::builder(path).open().await.unwrap();
        let policy = Policy::named("seconds").keep(SECOND, days(1));
        store.ensure_policy(policy).await.unwrap();
        let metric = store.metric("host", "cpu").policy("seconds");
        let metric = metric.ensure().await.unwrap();
        (store, metric)
    }

    /// Returns the length and content of every file but the locks.
    fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(self::files(&path));
            } else if !path.ends_with("lock") {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
        files
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_of_a_store_in_use_has_what_was_acknowledged_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (store, metric) = open(directory.path()).await;
        let points = (0..100).map(|second| (&metric, at(second), 1.0));
        assert_eq!(store.append(points).await.unwrap().accepted, 100);
        store.process().await.unwrap();
        let report = store.append([(&metric, at(100), 1.0)]).await.unwrap();
        assert!(report.is_complete());

        let folder = tempfile::tempdir().unwrap();
        let builder = Store::builder(directory.path());
        let snapshot = builder.open_snapshot_in(folder.path()).await.unwrap();
        let report = store.append([(&metric, at(200), 1.0)]).await.unwrap();
        assert!(report.is_complete());
        let found = snapshot.metric("host", "cpu").await.unwrap().unwrap();
        assert_eq!(found, metric);
        let rows = snapshot.read([&found]).every(SECOND).await.unwrap();
        assert_eq!(rows.len(), 101);
        let found = snapshot.metrics([("host", "x")]).await.unwrap();
        assert_eq!(found, [None]);
        snapshot.close().await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        // The original goes on, and is whole afterwards.
        assert_eq!(
            store.read([&metric]).every(SECOND).await.unwrap().len(),
            102
        );
        store.close().await.unwrap();
        let before = files(directory.path());
        let builder = Store::builder(directory.path());
        builder
            .open_snapshot()
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        assert!(files(directory.path()) == before, "reading changes nothing");
        open(directory.path()).await.0.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn snapshots_of_a_busy_store_never_lose_what_was_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let (store, metric) = open(directory.path()).await;
        let stop = Arc::new(AtomicBool::new(false));
        let (acknowledged, last) = tokio::sync::watch::channel(0_i64);
        let writing = tokio::spawn({
            let (store, metric, stop) = (store.clone(), metric.clone(), Arc::clone(&stop));
            async move {
                for second in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let report = store.append([(&metric, at(second), 1.0)]).await.unwrap();
                    assert!(report.is_complete(), "{report}");
                    acknowledged.send_replace(second);
                }
            }
        });
        for _ in 0..5 {
            let expected = *last.borrow();
            let builder = Store::builder(directory.path());
            let snapshot = builder.open_snapshot().await.unwrap();
            let request = snapshot.read([&metric]).methods(["count"]).every(SECOND);
            let rows = request.await.unwrap();
            let rows = i64::try_from(rows.len()).unwrap();
            assert!(rows >= expected, "{rows} of {expected}");
            snapshot.close().await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        writing.await.unwrap();
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn without_a_store_there_is_no_snapshot_and_nothing_is_created() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent");
        let error = Store::builder(&path).open_snapshot().await.unwrap_err();
        assert!(matches!(error, Error::Open(_)), "{error}");
        assert!(error.to_string().contains("no store"), "{error}");
        assert!(!path.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_damaged_store_has_no_snapshot() {
        let directory = tempfile::tempdir().unwrap();
        let (store, metric) = open(directory.path()).await;
        let report = store.append([(&metric, at(1), 1.0)]).await.unwrap();
        assert!(report.is_complete());
        store.close().await.unwrap();
        fs::remove_file(directory.path().join("measures/version")).unwrap();
        let builder = Store::builder(directory.path());
        let error = builder.open_snapshot().await.unwrap_err();
        assert!(matches!(error, Error::Snapshot { .. }), "{error}");
    }
}
