//! TLS on the port of the API: certificates that are read again when they change, and the beginning of a connection.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::lingering::Lingering;
use super::unfinished::Unread;
use super::watch::{Reload, Stamps, Watch};
use crate::causes::with_causes;
use crate::config::{ServerTls, TlsVersion};
use crate::files;

/// The longest file of certificates, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The first byte of a connection that begins with a handshake of TLS.
const HANDSHAKE: u8 = 22;

/// The protocols that are offered, by their names in ALPN.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
const HTTP1_0: &[u8] = b"http/1.0";

/// What a client reads that speaks HTTP without TLS.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=UTF-8\r\n\
    X-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: 51\r\n\r\nThis port speaks https only, and this was no https\n";

/// Certificates that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {} ([api] {option})", path.display())]
    Read {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has nothing of what it should have.
    #[error("{} has no {wanted} in PEM ([api] {option})", path.display())]
    Pem {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should have.
        wanted: &'static str,
        /// What is wrong with it.
        source: Option<pem::Error>,
    },
    /// The key is that of another certificate.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    OtherKey {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate in {} or its key cannot be used", certificate.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The issuers of client certificates cannot be used.
    #[error("the certificates in {} cannot be used ([api] tls_client_ca)", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

/// The certificates in use; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

/// How a connection began.
#[derive(Debug)]
pub(super) enum Accepted {
    /// With a handshake; the client wants HTTP/2 or not.
    Secured(Box<TlsStream<TcpStream>>),
    /// Without TLS. The client was told so.
    Refused,
}

impl Tls {
    /// Reads the certificates of the settings, and watches their files.
    pub(super) fn open(settings: &ServerTls, watch: &mut Watch) -> Result<Self, TlsError> {
        let stamps = Stamps::of(paths(settings));
        let tls = Self(Arc::new(RwLock::new(load(settings)?)));
        let watched = WatchedTls {
            settings: settings.clone(),
            tls: tls.clone(),
        };
        watch.add(Arc::new(watched), stamps);
        Ok(tls)
    }

    /// Begins a connection with the certificates that are in use now.
    ///
    /// # Errors
    /// Whatever the connection says, or why the handshake failed.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            // What the client still sends is read: otherwise the system resets the connection, and the response is lost.
            let mut stream = Lingering::new(stream, Unread::default());
            stream.write_all(NO_TLS).await?;
            stream.shutdown().await?;
            return Ok(Accepted::Refused);
        }
        let config = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Accepted::Secured(Box::new(stream)))
    }

    fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

/// Returns whether both sides have chosen HTTP/2.
pub(super) fn speaks_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// The certificates in use, and the files that they come from.
#[derive(Debug)]
struct WatchedTls {
    settings: ServerTls,
    tls: Tls,
}

impl Reload for WatchedTls {
    fn paths(&self) -> Vec<PathBuf> {
        paths(&self.settings)
    }

    fn reload(&self) {
        match load(&self.settings) {
            Ok(config) => {
                self.tls.replace(config);
                tracing::info!("the certificates were read again and are in use");
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(
                    error,
                    "the certificates cannot be used, the earlier ones stay in use"
                );
            }
        }
    }
}

fn paths(settings: &ServerTls) -> Vec<PathBuf> {
    let mut paths = vec![settings.certificate.clone(), settings.key.clone()];
    paths.extend(settings.client_ca.clone());
    paths
}

fn load(settings: &ServerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let (certificate, key) = (&settings.certificate, &settings.key);
    let chain = certificates("tls_cert", certificate)?;
    let private = private_key(key)?;
    let unusable = |source| match source {
        rustls::Error::InconsistentKeys(_) => TlsError::OtherKey {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        source => TlsError::Unusable {
            certificate: certificate.clone(),
            source,
        },
    };
    let versions: &[&SupportedProtocolVersion] = match settings.version_min {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).map_err(unusable)?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut issuers = RootCertStore::empty();
            for issuer in certificates("tls_client_ca", path)? {
                issuers.add(issuer).map_err(|source| TlsError::Unusable {
                    certificate: path.clone(),
                    source,
                })?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), provider).build();
            let verifier = verifier.map_err(|source| TlsError::ClientCa {
                path: path.clone(),
                source,
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(unusable)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec(), HTTP1_0.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(
    option: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(option, path)?;
    let found: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let none = |source| TlsError::Pem {
        option,
        path: path.to_owned(),
        wanted: "certificates",
        source,
    };
    match found {
        Ok(found) if found.is_empty() => Err(none(None)),
        Ok(found) => Ok(found),
        Err(error) => Err(none(Some(error))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let option = "tls_key";
    let text = read(option, path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|source| TlsError::Pem {
        option,
        path: path.to_owned(),
        wanted: "private key",
        source: Some(source),
    })
}

fn read(option: &'static str, path: &Path) -> Result<String, TlsError> {
    files::read_text(path, FILE_BYTES_MAX).map_err(|source| TlsError::Read {
        option,
        path: path.to_owned(),
        source,
    })
}
