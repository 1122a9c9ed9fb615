//! Saving what is readable of a damaged store into a new one. The damaged one is not changed.
//!
//! Saved is what is intact by its own checksum and whose place is certain. What is damaged, and what may be older than something that is
//! damaged, is named. Nothing is made up: where it is not known whether pending measures were folded already, they are left out.

mod measures;
mod report;

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use gnocchi_core::driver::{Indexer, MetricFilter, MetricIndexer, StoredFrame};
use gnocchi_core::model::{MetricId, Page};
use uuid::Uuid;

use super::config::EmbeddedConfig;
use super::data_directory::{DataDirectoryError, create_durably};
use super::identity::StoreIdentity;
use super::parts::{INDEXER, MEASURES, mark};
use super::progress::PROGRESS_FILE;
use super::store_error::StoreError;
use super::store_files::StoreFiles;
use crate::disk::synchronize_parent;
use crate::sql::{SqlIndexer, SqliteConfig, salvage};
pub use report::{MetricReport, RepairReport};

/// What is added to the name of a new directory until it is whole: a server does not take a part for all.
const UNFINISHED: &str = ".unfinished";

/// How many metrics are listed at a time.
const METRICS_PER_PAGE: usize = 1000;

/// Checks that the bytes of a frame are what its key says; the error is the reason why they are not.
pub type CheckFrame = fn(&StoredFrame) -> Result<(), String>;

/// Saves what is readable of a store into a new directory.
///
/// # Errors
/// [`StoreError`] when the directory exists and is not empty, or cannot be written to, or the store changes meanwhile. What could not be
/// saved is part of the report.
pub async fn repair(
    files: StoreFiles,
    target: &Path,
    check: CheckFrame,
) -> Result<RepairReport, StoreError> {
    if files.is_in_use() {
        let path = files.path.clone();
        return Err(DataDirectoryError::InUse { path }.into());
    }
    // Parts of different times fit together without a complaint, and miss what only the other part knew.
    let identity = files.check_identity().await;
    // The new directory is written beside this one first. A link to it may be where nothing must be written.
    let target = &fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let staging = begin(&files.path, target)?;
    let mut report = RepairReport::default();
    for damage in files.damage().iter().chain(identity.iter().flatten()) {
        report.note(damage.to_string());
    }
    if let Err(error) = identity {
        report.note(with_causes(&error));
    }
    let remarks = files.harmless_damage().iter();
    report.remarks.extend(remarks.map(ToString::to_string));
    let metrics = save_indexer(&files, &staging, &mut report).await?;
    let config = EmbeddedConfig::new(staging.join(MEASURES));
    let progress = staging.join(PROGRESS_FILE);
    let saved = tokio::task::spawn_blocking(move || {
        measures::save(&files, config, &progress, &metrics, check, &mut report)
            .map(|identity| (identity, report))
    });
    let (identity, report) = saved.await.map_err(|error| StoreError::Unreadable {
        path: staging.clone(),
        source: io::Error::other(error),
    })??;
    finish(&staging, target, identity).await?;
    Ok(report)
}

/// Joins an error and its causes.
fn with_causes(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    |source| StoreError::Mark {
        path: path.to_owned(),
        source,
    }
}

/// Makes the directory that becomes the new one when it is whole.
fn begin(source: &Path, target: &Path) -> Result<PathBuf, StoreError> {
    require_outside(source, target)?;
    let is_free = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if !is_free {
        let path = target.to_owned();
        return Err(StoreError::NotEmpty { path });
    }
    let name = target.file_name().ok_or_else(|| StoreError::Mark {
        path: target.to_owned(),
        source: io::ErrorKind::InvalidInput.into(),
    })?;
    let mut staging = name.to_owned();
    staging.push(UNFINISHED);
    let staging = target.with_file_name(staging);
    if staging.exists() {
        return Err(StoreError::Unfinished { path: staging });
    }
    create_durably(&staging).map_err(unwritable(&staging))?;
    Ok(staging)
}

/// Refuses a target in the directory that is repaired: nothing in it is changed.
fn require_outside(source: &Path, target: &Path) -> Result<(), StoreError> {
    let source = fs::canonicalize(source).map_err(|error| StoreError::Unreadable {
        path: source.to_owned(),
        source: error,
    })?;
    let absolute = std::path::absolute(target).map_err(unwritable(target))?;
    // Folders that do not exist yet are created as they are named, so that links matter in those that exist only.
    let mut resolved = PathBuf::new();
    for component in absolute.components() {
        if component == Component::ParentDir {
            resolved.pop();
        } else {
            resolved.push(component);
        }
        resolved = fs::canonicalize(&resolved).unwrap_or(resolved);
    }
    if resolved.starts_with(&source) {
        return Err(StoreError::TargetInside {
            path: target.to_owned(),
            source_path: source,
        });
    }
    Ok(())
}

/// Saves archive policies, metrics and resources. Returns the ids of the metrics.
async fn save_indexer(
    files: &StoreFiles,
    staging: &Path,
    report: &mut RepairReport,
) -> Result<Vec<MetricId>, StoreError> {
    let failed = |source: gnocchi_core::Error| StoreError::Prepare {
        path: staging.to_owned(),
        source,
    };
    let path = staging.join(INDEXER);
    match files.indexer_path() {
        Some(source) => {
            let salvaged = salvage(source, &path).await;
            report.indexer = salvaged.map_err(|error| failed(error.into()))?;
        }
        None => report.indexer.push(format!(
            "{INDEXER} is missing: no metric has a name any more"
        )),
    }
    let indexer = SqlIndexer::open(SqliteConfig::new(&path));
    indexer
        .upgrade()
        .await
        .map_err(|error| failed(error.into()))?;
    let mut metrics: Vec<MetricId> = Vec::new();
    loop {
        let page = Page {
            marker: metrics.last().map(ToString::to_string),
            ..Page::first(METRICS_PER_PAGE)
        };
        let listed = indexer.list_metrics(&MetricFilter::default(), &page).await;
        let listed = listed.map_err(|error| failed(error.into()))?;
        if listed.is_empty() {
            break;
        }
        metrics.extend(listed.iter().map(|metric| metric.id));
    }
    metrics.sort_unstable();
    indexer.close().await;
    Ok(metrics)
}

/// Has all parts of the new store say which store they belong to, and puts it in its place.
async fn finish(staging: &Path, target: &Path, identity: Uuid) -> Result<(), StoreError> {
    let identity = StoreIdentity {
        store: identity,
        pairing: measures::PAIRING,
    };
    let indexer = SqlIndexer::open(SqliteConfig::new(staging.join(INDEXER)));
    let noted = indexer.set_store(identity.store, identity.pairing).await;
    noted.map_err(|error| StoreError::Prepare {
        path: staging.to_owned(),
        source: error.into(),
    })?;
    indexer.close().await;
    identity.write(staging).map_err(unwritable(staging))?;
    mark(staging).map_err(unwritable(staging))?;
    if target.exists() {
        fs::remove_dir(target).map_err(unwritable(target))?;
    }
    fs::rename(staging, target).map_err(unwritable(target))?;
    synchronize_parent(target).map_err(unwritable(target))
}
