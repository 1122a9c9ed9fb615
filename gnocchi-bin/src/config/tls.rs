//! The options of `[api]` for TLS on the port of the API.

use std::path::PathBuf;

use super::error::ConfigError;
use super::option::OptionSpec;
use super::reader::{Section, defaulted};

/// The options, in the order of the documentation.
pub(super) static OPTIONS: [OptionSpec; 4] = [
    OptionSpec::new(
        "tls_cert",
        "certificate of the server, with intermediate certificates, in PEM; the port then \
         accepts https only. Reloaded when it changes",
    )
    .path(),
    OptionSpec::new("tls_key", "private key of the certificate, in PEM").path(),
    OptionSpec::new("tls_min_version", "oldest version of TLS")
        .one_of(&["1.2", "1.3"])
        .or("1.2"),
    OptionSpec::new(
        "tls_client_ca",
        "issuers of client certificates, in PEM; clients must then present a certificate",
    )
    .path(),
];

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    V1_2,
    /// 1.3
    V1_3,
}

/// TLS on the port of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate of the server, and those that lead to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
    /// The issuers of client certificates; without, clients need none.
    pub client_ca: Option<PathBuf>,
}

pub(super) fn read(section: Section<'_>) -> Result<Option<ServerTls>, ConfigError> {
    let version_min = match section.text("tls_min_version").map(defaulted)?.as_str() {
        "1.2" => TlsVersion::V1_2,
        "1.3" => TlsVersion::V1_3,
        _ => return Err(section.misfit("tls_min_version")),
    };
    let client_ca = section.path("tls_client_ca")?;
    match (section.path("tls_cert")?, section.path("tls_key")?) {
        (Some(certificate), Some(key)) => Ok(Some(ServerTls {
            certificate,
            key,
            version_min,
            client_ca,
        })),
        (Some(_), None) => Err(section.refuse("tls_cert", "needs tls_key, the file of its key")),
        (None, Some(_)) => Err(section.refuse("tls_key", "needs tls_cert, its certificate")),
        // With client certificates configured, a port that accepts any client would be a surprise.
        (None, None) if client_ca.is_some() => {
            Err(section.refuse("tls_client_ca", "needs tls_cert and tls_key"))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixture;
    use super::*;

    #[test]
    fn what_belongs_together() {
        let read = |text: &str| {
            let file = format!("[api]\n{text}");
            Fixture::new().file("a.conf", &file).try_load()
        };
        let tls = read("tls_cert = c\ntls_key = k\ntls_min_version = 1.3\ntls_client_ca = a\n");
        let expected = ServerTls {
            certificate: "c".into(),
            key: "k".into(),
            version_min: TlsVersion::V1_3,
            client_ca: Some("a".into()),
        };
        assert_eq!(tls.unwrap().api.tls, Some(expected));
        assert_eq!(read("").unwrap().api.tls, None);
        for (text, expected) in [
            ("tls_cert = c\n", "[api] tls_cert = c: needs tls_key"),
            ("tls_key = k\n", "[api] tls_key = k: needs tls_cert"),
            (
                "tls_client_ca = a\n",
                "[api] tls_client_ca = a: needs tls_cert and tls_key",
            ),
            ("tls_min_version = 1.1\n", "must be 1.2 or 1.3"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
