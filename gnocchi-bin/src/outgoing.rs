//! Requests that this server sends to other services: TLS, and answers of bounded length.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder, Identity, Response};
use thiserror::Error;

use crate::files;

/// Whether the certificate of a service is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// It is, against the certificates that are trusted.
    #[default]
    Checked,
    /// It is not: anyone on the network path can read and forge responses.
    Skipped,
}

/// How a service is reached by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// Whether the certificate of the service is checked.
    pub verification: Verification,
    /// The certificates that are trusted, in PEM; those of the system when none are named.
    pub ca_file: Option<PathBuf>,
    /// The own certificate and its key, in PEM.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// A client that cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutgoingError {
    /// A file of certificates cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of certificates cannot be understood.
    #[error("{} has no certificates or keys in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: reqwest::Error,
    },
    /// A file of certificates has none.
    #[error("{} has no certificates in PEM (-----BEGIN CERTIFICATE-----)", path.display())]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// The client cannot be made of these settings.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
}

/// Starts a client for other services.
pub fn client() -> ClientBuilder {
    // A program that embeds the server may have chosen another implementation, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// Starts a client whose requests hold secrets: it follows no redirections, since they are meant for one service.
pub(crate) fn confidential_client() -> ClientBuilder {
    client().redirect(reqwest::redirect::Policy::none())
}

/// Applies settings of TLS to a client; reads the files that they name.
///
/// # Errors
/// [`OutgoingError`] when a file cannot be read or understood.
pub fn with_tls(builder: ClientBuilder, tls: &TlsSettings) -> Result<ClientBuilder, OutgoingError> {
    let mut builder = builder;
    if tls.verification == Verification::Skipped {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(path) = &tls.ca_file {
        let trusted = Certificate::from_pem_bundle(&read(path)?);
        let trusted = trusted.map_err(|source| pem(path, source))?;
        // Without any, every certificate would be refused, and nothing would say why.
        if trusted.is_empty() {
            return Err(OutgoingError::NoCertificates {
                path: path.to_owned(),
            });
        }
        builder = builder.tls_certs_only(trusted);
    }
    if let Some((certificate, key)) = &tls.client_certificate {
        let mut both = read(certificate)?;
        both.push(b'\n');
        both.extend(read(key)?);
        let identity = Identity::from_pem(&both).map_err(|source| pem(certificate, source))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

/// Reads a body; `None` when it is longer than `bytes_max`.
///
/// # Errors
/// What the connection says when it fails.
///
/// # Cancel safety
/// May be dropped at any point; the rest of the body is lost.
pub(crate) async fn body(
    mut response: Response,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn read(path: &Path) -> Result<Vec<u8>, OutgoingError> {
    files::read_regular(path).map_err(|source| OutgoingError::Read {
        path: path.to_owned(),
        source,
    })
}

fn pem(path: &Path, source: reqwest::Error) -> OutgoingError {
    OutgoingError::Pem {
        path: path.to_owned(),
        source,
    }
}
