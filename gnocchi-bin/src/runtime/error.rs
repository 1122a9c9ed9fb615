//! Why a server cannot start, or ends by itself.

use std::io;

use gnocchi_drivers::embedded::StoreError;
use thiserror::Error;

use super::access::AccessError;
use super::tls::TlsError;

/// Why a server cannot start, or ends by itself.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The port cannot be listened on.
    #[error("cannot listen on {host}:{port}; choose another port (--port) or host (--host)")]
    Listen {
        /// The host of the configuration.
        host: String,
        /// The port of the configuration.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The configured authentication cannot work.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// TLS cannot be spoken as the configuration wants it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The access log cannot be opened.
    #[error("cannot open the access log {target} ([api] access_log)")]
    AccessLog {
        /// The file, or the standard output.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("{0} (--data-dir chooses the directory)")]
    Store(#[from] StoreError),
    /// Processing in the background failed.
    #[error("processing failed")]
    Processing(#[source] gnocchi_core::Error),
    /// Processing in the background panicked.
    #[error("processing panicked; this is a bug")]
    Panic,
}
