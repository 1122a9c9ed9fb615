//! Metrics.

use std::sync::Arc;

use super::Gnocchi;
use crate::driver::MetricFilter;
use crate::error::{Error, IndexerError};
use crate::model::{Metric, MetricId, NewMetric, Page, ResourceId, SeenResource};

impl Gnocchi {
    /// Creates metrics, all or none.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchArchivePolicy`], [`IndexerError::NoSuchResource`], [`IndexerError::NamedMetricExists`].
    pub async fn create_metrics(&self, metrics: Vec<NewMetric>) -> Result<Vec<Arc<Metric>>, Error> {
        self.create_metrics_on(metrics, &[]).await
    }

    /// Creates metrics, all or none, if those of their resources that are among `seen` are still as they were seen.
    ///
    /// # Errors
    /// As [`create_metrics`](Self::create_metrics), and [`IndexerError::RevisionChanged`].
    pub async fn create_metrics_on(
        &self,
        metrics: Vec<NewMetric>,
        seen: &[SeenResource],
    ) -> Result<Vec<Arc<Metric>>, Error> {
        let ticket = self.inner.directory.ticket();
        let created = self.indexer().create_metrics(&metrics, seen).await?;
        Ok(created
            .into_iter()
            .map(|metric| self.inner.directory.remember_created(metric, ticket))
            .collect())
    }

    /// Returns an active metric.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchMetric`] when there is none with this id.
    pub async fn metric(&self, id: MetricId) -> Result<Arc<Metric>, Error> {
        let found = self.metrics(&[id]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .ok_or(Error::Indexer(IndexerError::NoSuchMetric { id }))
    }

    /// Returns the active metrics with these ids; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn metrics(&self, ids: &[MetricId]) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        self.inner.directory.metrics(ids).await
    }

    /// Returns the active metrics with these names on these resources; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn named_metrics(
        &self,
        names: &[(ResourceId, String)],
    ) -> Result<Vec<Option<Arc<Metric>>>, Error> {
        let found = self.indexer().named_metrics(names).await?;
        Ok(found
            .into_iter()
            .map(|metric| metric.map(Arc::new))
            .collect())
    }

    /// Lists metrics.
    ///
    /// # Errors
    /// [`IndexerError::InvalidMarker`], [`IndexerError::InvalidSortKey`].
    pub async fn list_metrics(
        &self,
        filter: &MetricFilter,
        page: &Page,
    ) -> Result<Vec<Metric>, Error> {
        Ok(self.indexer().list_metrics(filter, page).await?)
    }

    /// Deletes metrics: they are gone for readers at once, their data goes when the janitor comes, which a running
    /// store calls at once. Absent metrics are fine.
    ///
    /// # Errors
    /// [`Error::Indexer`] when the indexer fails.
    pub async fn delete_metrics(&self, ids: &[MetricId]) -> Result<(), Error> {
        self.indexer().delete_metrics(ids).await?;
        self.inner.directory.forget(ids);
        self.inner.processor.call_janitor();
        Ok(())
    }
}
