//! TLS on the port of the API, with the clients that operators have: curl, openssl, and `gnocchi import`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

use crate::support::{Server, program, run, texts, write};
use crate::{raw, wait_for};

/// An authority, and the files of certificates that it issues.
struct Authority {
    directory: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(directory: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        write(directory, &format!("{name}.pem"), &issuer.pem());
        Self {
            directory: directory.to_owned(),
            issuer,
        }
    }

    /// Writes `NAME.pem` and `NAME.key`, for this machine.
    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) {
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(hosts).unwrap();
        params.extended_key_usages = vec![purpose];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.directory, &format!("{name}.pem"), &certificate.pem());
        write(
            &self.directory,
            &format!("{name}.key"),
            &key.serialize_pem(),
        );
    }
}

/// A directory with an authority called `ca` and a certificate of the server.
struct Place {
    directory: tempfile::TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new(directory.path(), "ca");
        authority.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        Self {
            directory,
            authority,
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// Starts a server with further lines of `[api]`.
    fn start(&self, lines: &str) -> Server {
        let config = format!(
            "[api]\ntls_cert = {}\ntls_key = {}\n{lines}",
            self.path("server.pem"),
            self.path("server.key")
        );
        let config = write(self.directory.path(), "gnocchi.conf", &config);
        let arguments = ["--config-file", &config, "--log-file", &self.path("log")];
        let data = self.directory.path().join("data");
        let server = Server::start(&data, &[&arguments[..], &["--verbose"]].concat());
        assert!(
            server.url.starts_with("https://127.0.0.1:"),
            "{}",
            server.url
        );
        server
    }

    /// Runs curl, and returns its exit status and what it wrote.
    fn curl(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "-u", "admin:", "--cacert"])
            .arg(self.path("ca.pem"))
            .args(arguments)
            .output()
            .unwrap();
        let (out, errors) = texts(&output);
        (output.status.code().unwrap(), out + &errors)
    }

    /// Returns the name on the certificate that a server shows.
    fn shown(&self, server: &Server) -> String {
        let output = openssl(server, &["-CAfile", &self.path("ca.pem")]);
        let line = output.lines().find(|line| line.contains("subject="));
        line.unwrap_or_else(|| panic!("{output}")).to_owned()
    }
}

/// Connects with `openssl s_client`, and returns what it says.
fn openssl(server: &Server, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            server.url.trim_start_matches("https://"),
        ])
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let (out, errors) = texts(&output);
    out + &errors
}

#[test]
fn curl_speaks_both_versions_of_http() {
    let place = Place::new();
    let server = place.start("");
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let format = "%{http_version} %{http_code} %{ssl_verify_result}";
        let (status, text) = place.curl(&[
            option,
            "-w",
            format,
            "-o",
            "/dev/null",
            &format!("{}/v1/status", server.url),
        ]);
        assert_eq!((status, text), (0, format!("{version} 200 0")), "{option}");
    }
    // Addresses in responses say how the server is reached.
    let (_, text) = place.curl(&[&format!("{}/", server.url)]);
    assert!(text.contains(&format!("{}/v1/", server.url)), "{text}");
    let body = r#"{"archive_policy_name": "low"}"#;
    let (_, head) = place.curl(&[
        "-D",
        "-",
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
        &format!("{}/v1/metric", server.url),
    ]);
    let location = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("location:"));
    assert!(location.unwrap().contains(&server.url), "{head}");
    // Without the authority the certificate is not trusted, and plain HTTP is told what is missing.
    let (status, text) = place.curl(&["--cacert", "/dev/null", &server.url]);
    assert_ne!(status, 0, "{text}");
    let plain = server.url.replace("https://", "http://");
    let (status, text) = place.curl(&["-w", "%{http_code}", &plain]);
    assert_eq!(status, 0, "{text}");
    assert_eq!(
        text,
        "This port speaks https only, and this was no https\n400"
    );
    server.stop();
}

#[test]
fn large_bodies_and_responses_pass() {
    let place = Place::new();
    let server = place.start("");
    let measures: Vec<String> = (0..50_000)
        .map(|second| format!(r#"{{"timestamp": {second}, "value": {second}.5}}"#))
        .collect();
    let body = write(
        place.directory.path(),
        "body",
        &format!("[{}]", measures.join(",")),
    );
    let metrics = format!("{}/v1/metric", server.url);
    let json = ["-H", "Content-Type: application/json"];
    let policy = r#"{"name": "second", "definition": [{"granularity": 1, "timespan": 1000000}], "aggregation_methods": ["mean"]}"#;
    let policies = format!("{}/v1/archive_policy", server.url);
    place.curl(&[&json[..], &["-d", policy, &policies]].concat());
    let (_, metric) = place.curl(
        &[
            &json[..],
            &["-d", r#"{"archive_policy_name": "second"}"#, &metrics],
        ]
        .concat(),
    );
    let metric: serde_json::Value = serde_json::from_str(&metric).unwrap();
    let measures = format!("{metrics}/{}/measures", metric["id"].as_str().unwrap());
    for version in ["--http2", "--http1.1"] {
        let file = format!("@{body}");
        let (status, text) =
            place.curl(&[&json[..], &[version, "--data-binary", &file, &measures]].concat());
        assert_eq!((status, text.as_str()), (0, ""), "{version}");
        let (status, text) = place.curl(&[version, &measures]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!((status, rows.len()), (0, 50_000), "{version}");
    }
    // A response to a body that was refused arrives, too.
    let (status, text) = place.curl(
        &[
            &json[..],
            &[
                "--http1.1",
                "-u",
                ":",
                "-w",
                "%{http_code}",
                "-o",
                "/dev/null",
            ],
        ]
        .concat()
        .into_iter()
        .chain([
            "--data-binary",
            &format!("@{body}"),
            &format!("{metrics}/none"),
        ])
        .collect::<Vec<_>>(),
    );
    assert_eq!(status, 0, "{text}");
    server.stop();
}

#[test]
fn certificates_are_read_again_when_they_change_unless_they_are_broken() {
    let place = Place::new();
    let server = place.start("");
    assert!(place.shown(&server).contains("server"));
    let log = place.directory.path().join("log");

    write(
        place.directory.path(),
        "server.pem",
        "-----BEGIN CERTIFICATE-----\n",
    );
    wait_for(
        &log,
        "the certificates cannot be used, the earlier ones stay in use",
    );
    assert!(place.shown(&server).contains("server"));

    // A new certificate without its key.
    place
        .authority
        .issue("renewed", ExtendedKeyUsagePurpose::ServerAuth);
    let rename = |from: &str, to: &str| fs::rename(place.path(from), place.path(to)).unwrap();
    rename("renewed.pem", "server.pem");
    wait_for(&log, "does not belong to the certificate in");
    assert!(place.shown(&server).contains("server"));
    rename("renewed.key", "server.key");
    wait_for(&log, "the certificates were read again and are in use");
    assert!(place.shown(&server).contains("renewed"));

    // And when SIGHUP asks for it.
    let read = || {
        fs::read_to_string(&log)
            .unwrap()
            .matches("were read again")
            .count()
    };
    let before = read();
    server.signal("HUP");
    crate::wait_until(&log, "reading again", |content| {
        content.matches("the certificates were read again").count() > before
    });
    server.stop();
}

#[test]
fn old_versions_of_tls_are_refused() {
    let place = Place::new();
    let check = |lines: &str, accepted: &[&str], refused: &[&str]| {
        let server = place.start(lines);
        for version in accepted {
            let said = openssl(&server, &[version]);
            assert!(
                said.contains("BEGIN CERTIFICATE"),
                "{lines} {version}: {said}"
            );
        }
        for version in refused {
            // The security level of the system may refuse it as well.
            let said = openssl(&server, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
            assert!(
                !said.contains("BEGIN CERTIFICATE"),
                "{lines} {version}: {said}"
            );
        }
        server.stop();
    };
    check("", &["-tls1_3", "-tls1_2"], &["-tls1_1", "-tls1"]);
    check("tls_min_version = 1.3\n", &["-tls1_3"], &["-tls1_2"]);
}

#[test]
fn clients_need_a_certificate_where_an_authority_for_them_is_named() {
    let place = Place::new();
    let other = Authority::new(place.directory.path(), "other");
    place
        .authority
        .issue("client", ExtendedKeyUsagePurpose::ClientAuth);
    other.issue("stranger", ExtendedKeyUsagePurpose::ClientAuth);
    let server = place.start(&format!("tls_client_ca = {}\n", place.path("ca.pem")));
    let url = format!("{}/v1/metric", server.url);
    let with = |name: &str| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let (certificate, key) = (place.path(&certificate), place.path(&key));
        place.curl(&["--cert", &certificate, "--key", &key, &url])
    };
    assert_eq!(with("client"), (0, "[]".to_owned()));
    assert_ne!(with("stranger").0, 0);
    // That of the server is for servers.
    assert_ne!(with("server").0, 0);
    assert_ne!(place.curl(&[&url]).0, 0);
    server.stop();
}

#[test]
fn files_are_imported_over_tls() {
    let place = Place::new();
    let server = place.start("");
    let csv = write(
        place.directory.path(),
        "cpu.csv",
        "timestamp,value\n2024-05-01,1\n",
    );
    let (url, ca) = (server.url.clone(), place.path("ca.pem"));
    let output = run(&[
        "import",
        "--create",
        "--endpoint",
        &url,
        "--cacert",
        &ca,
        &csv,
    ]);
    assert!(output.status.success(), "{output:?}");
    let output = run(&["import", "--create", "--endpoint", &url, &csv]);
    assert!(!output.status.success());
    assert!(
        texts(&output).1.contains("its certificate is not trusted"),
        "{output:?}"
    );
    server.stop();
}

#[test]
fn a_server_does_not_start_without_its_certificate() {
    let place = Place::new();
    write(place.directory.path(), "empty", "");
    place
        .authority
        .issue("other", ExtendedKeyUsagePurpose::ServerAuth);
    crate::pipe(&place.directory.path().join("pipe"));
    let check = |certificate: &str, key: &str, expected: &str| {
        let config = format!(
            "[api]\ntls_cert = {}\ntls_key = {}\n",
            place.path(certificate),
            place.path(key)
        );
        let config = write(place.directory.path(), "gnocchi.conf", &config);
        let data = place.path("none");
        let mut command = program(&["serve", "--port", "0", "--config-file", &config]);
        let output = command.args(["--data-dir", &data]).output().unwrap();
        let errors = texts(&output).1;
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(expected), "{errors}");
        assert!(!Path::new(&data).exists(), "nothing is created");
    };
    check("missing", "server.key", "([api] tls_cert)");
    check(
        "empty",
        "server.key",
        "has no certificates in PEM ([api] tls_cert)",
    );
    check(
        "server.pem",
        "server.pem",
        "has no private key in PEM ([api] tls_key)",
    );
    check(
        "server.pem",
        "other.key",
        "does not belong to the certificate in",
    );
    check(
        "pipe",
        "server.key",
        "it is a named pipe, not a regular file",
    );
}

#[test]
fn connections_that_never_shake_hands_are_no_burden() {
    let place = Place::new();
    let server = place.start("");
    let address = server.url.trim_start_matches("https://");
    let silent: Vec<_> = (0..50)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    assert!(place.shown(&server).contains("server"));
    // The end does not wait for them.
    server.stop();
    drop(silent);
}

#[test]
fn a_server_without_tls_says_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let response = raw(
        &server,
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert!(response.contains("http://h/v1/"), "{response}");
    server.stop();
}
