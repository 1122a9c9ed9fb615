//! [`Store`]: a metric store inside of a program, with names instead of identifiers.
//!
//! The front page of this crate shows it at work. It is a thin layer over [`Gnocchi`], the complete interface that the server uses too;
//! [`Store::gnocchi`] returns that for whatever is not here: resources with attributes, searches, expressions over many series.

mod append;
mod background;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(all(feature = "embedded", feature = "sqlite"))]
mod builder;
mod error;
mod method;
mod metric;
mod policy;
mod read;
mod rows;
mod runtime;
#[cfg(all(feature = "embedded", feature = "sqlite"))]
mod snapshot;

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use gnocchi_core::{DefaultPolicies, Gnocchi, Settings, memory};
use parking_lot::RwLock;

pub use append::{AppendReport, Batch, IntoMeasures, Refusal, RefusalReason};
#[cfg(all(feature = "embedded", feature = "sqlite"))]
pub use builder::StoreBuilder;
pub use error::Error;
pub use method::{IntoMethod, MethodNameError};
pub use metric::{MetricHandle, MetricRequest, MetricsRequest};
pub use policy::{Policy, PolicyDifference};
pub use read::ReadRequest;
pub use rows::{MetricRows, Row, Rows};
pub use runtime::RuntimeError;
#[cfg(all(feature = "embedded", feature = "sqlite"))]
pub use snapshot::Snapshot;

use background::Background;
use runtime::require_runtime;

/// Who folds measures into aggregates, and removes the data of deleted metrics.
///
/// Reads never depend on it: measures that are not folded yet are included in every read. But what is pending takes memory and is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Processing {
    /// A task of the store, from its opening to [`Store::close`].
    #[default]
    Background,
    /// The program: it calls [`Store::process`] from time to time, or [`Gnocchi::run`] in a task of its own.
    Manual,
}

/// A metric store in this process.
///
/// Cheap to clone; all clones are the same store, and every call can be made from any task at any time.
///
/// # Runtime
/// Every call runs on a Tokio runtime with timers: `#[tokio::main]`, or a runtime that is built with `enable_time()`. Elsewhere it returns
/// [`Error::Runtime`]. A runtime of several threads is better: measures are folded by tasks, which would otherwise only run while
/// the program waits. Files are read and written, and long computations done, on other threads.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once the store is closed.
    opened: RwLock<Option<Opened>>,
    creator: Option<String>,
}

/// Releases what a store was opened on.
type Release = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>;

struct Opened {
    gnocchi: Gnocchi,
    background: Option<Background>,
    release: Option<Release>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Puts this interface over a store that was opened in another way: on drivers of your own, or one that an HTTP API serves too.
    ///
    /// No background processing is started: run [`Gnocchi::run`] in a task, or call [`process`](Self::process). Closing it does not close the
    /// drivers.
    ///
    /// # Examples
    /// ```
    /// use gnocchi_drivers::Store;
    /// use gnocchi_drivers::gnocchi_core::{DefaultPolicies, Gnocchi, Settings, memory};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), gnocchi_drivers::Error> {
    /// let gnocchi = Gnocchi::new(memory::drivers(), Settings::default());
    /// gnocchi.upgrade(DefaultPolicies::Create).await?;
    /// let store = Store::over(gnocchi);
    /// let cpu = store.metric("host", "cpu").policy("low").ensure().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn over(gnocchi: Gnocchi) -> Self {
        Self::with(gnocchi, None, Processing::Manual, None)
    }

    /// Opens a store that is kept in memory, with the default archive policies: for tests, and for programs that keep nothing.
    ///
    /// # Errors
    /// [`Error::Runtime`] without a runtime that will do.
    pub async fn in_memory() -> Result<Self, Error> {
        require_runtime()?;
        let gnocchi = Gnocchi::new(memory::drivers(), Settings::default());
        gnocchi.upgrade(DefaultPolicies::Create).await?;
        Ok(Self::with(gnocchi, None, Processing::Background, None))
    }

    fn with(
        gnocchi: Gnocchi,
        creator: Option<String>,
        processing: Processing,
        release: Option<Release>,
    ) -> Self {
        let background = match processing {
            Processing::Background => Some(Background::start(gnocchi.clone())),
            Processing::Manual => None,
        };
        let opened = Opened {
            gnocchi,
            background,
            release,
        };
        Self {
            inner: Arc::new(Inner {
                opened: RwLock::new(Some(opened)),
                creator,
            }),
        }
    }

    /// Returns the complete interface of the store. It must not be kept beyond [`close`](Self::close), because files stay open until it is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Runtime`].
    pub fn gnocchi(&self) -> Result<Gnocchi, Error> {
        require_runtime()?;
        let opened = self.inner.opened.read();
        opened
            .as_ref()
            .map(|opened| opened.gnocchi.clone())
            .ok_or(Error::Closed)
    }

    /// Returns whether the store was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.opened.read().is_none()
    }

    /// Folds all measures that are pending, and returns when nothing is left. A store with [`Processing::Background`] does this by itself.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails; the measures stay pending.
    pub async fn process(&self) -> Result<(), Error> {
        Ok(self.gnocchi()?.process().await?)
    }

    /// Closes the store: ends background processing after the work in hand, and releases the directory for other processes.
    ///
    /// All clones are closed; calls that still run finish, and later ones return [`Error::Closed`]. Closing a closed store does nothing.
    ///
    /// Without this call nothing acknowledged is lost, but the next opening takes longer.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Processing`] when background processing has failed before. The store is closed all the same.
    pub async fn close(&self) -> Result<(), Error> {
        require_runtime()?;
        let opened = self.inner.opened.write().take();
        let Some(opened) = opened else {
            return Ok(());
        };
        let processed = match opened.background {
            Some(background) => background.stop().await,
            None => Ok(()),
        };
        drop(opened.gnocchi);
        if let Some(release) = opened.release {
            release().await;
        }
        processed
    }

    fn creator(&self) -> Option<&str> {
        self.inner.creator.as_deref()
    }
}

#[cfg(test)]
mod tests;
