//! Servers behind TLS, and callers with tokens.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::support::{Server, program, run, texts, write};

/// Ends TLS in front of a server, as proxies do; returns the address and the certificate in PEM.
async fn tls_in_front_of(server: &Server) -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = server.url.strip_prefix("http://").unwrap().to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inside = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (address, cert.pem())
}

fn file(directory: &Path) -> String {
    write(directory, "cpu.csv", "timestamp,value\n2024-05-01,1\n")
}

async fn import(arguments: Vec<String>) -> (bool, String) {
    let output = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&[&["import", "--create"][..], &arguments].concat())
    });
    let output = output.await.unwrap();
    (output.status.success(), texts(&output).1)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_spoken_to_servers_whose_certificate_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    let (address, certificate) = tls_in_front_of(&server).await;
    let certificate = write(directory.path(), "ca.pem", &certificate);
    let file = file(directory.path());
    let url = format!("https://localhost:{}", address.port());

    let (good, stderr) = import(words(&[
        "--endpoint",
        &url,
        "--cacert",
        &certificate,
        &file,
    ]))
    .await;
    assert!(good, "{stderr}");
    let (good, stderr) = import(words(&["--endpoint", &url, "--insecure", &file])).await;
    assert!(good, "{stderr}");
    let (good, stderr) = import(words(&["--endpoint", &url, &file])).await;
    assert!(!good);
    let expected = format!(
        "gnocchi: cannot talk to {url}; its certificate is not trusted; --cacert names a file"
    );
    assert!(stderr.starts_with(&expected), "{stderr}");

    let plain = server.url.replace("http://", "https://");
    let (good, stderr) = import(words(&["--endpoint", &plain, &file])).await;
    assert!(!good);
    assert!(
        stderr.contains("does it speak https, or only http?"),
        "{stderr}"
    );
    let (good, stderr) = import(words(&["--endpoint", &url, "--cacert", &file, &file])).await;
    assert!(!good);
    assert!(
        stderr.contains("cpu.csv has no certificates in PEM"),
        "{stderr}"
    );
    server.stop();
}

/// Refuses every request, and hands over the lines of its head.
fn recording_server() -> (String, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let _ = heads.send(head);
            let refusal =
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(refusal.as_bytes()).unwrap();
        }
    });
    (url, received)
}

#[test]
fn tokens_and_passwords_come_from_files_and_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = file(directory.path());
    let token = directory.path().join("token");
    fs::write(&token, "from-a-file\n").unwrap();
    let (url, heads) = recording_server();
    let check = |options: &[&str], variables: &[(&str, &str)], expected: &str| {
        let arguments = [&["import", "--endpoint", &url][..], options, &[&file]].concat();
        let mut import = program(&arguments);
        import.envs(variables.iter().copied());
        let (_, stderr) = texts(&import.output().unwrap());
        let head = heads.recv().unwrap();
        let sent = head.iter().any(|line| line.eq_ignore_ascii_case(expected));
        assert!(sent, "{expected}: {head:?}");
        assert!(stderr.contains("the server responded 401"), "{stderr}");
        assert!(stderr.contains("--token-file"), "{stderr}");
    };
    check(&[], &[], "authorization: Basic YWRtaW46");
    let password = [("GNOCCHI_PASSWORD", "secret")];
    check(
        &["--user", "bob"],
        &password,
        "authorization: Basic Ym9iOnNlY3JldA==",
    );
    let variable = [("GNOCCHI_TOKEN", "from-the-environment")];
    check(&[], &variable, "x-auth-token: from-the-environment");
    let path = token.to_str().unwrap();
    check(
        &["--token-file", path],
        &variable,
        "x-auth-token: from-a-file",
    );
}

#[test]
fn redirections_are_named_and_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let file = file(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines().map(Result::unwrap);
        assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
        let moved = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://metrics.example.org/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(moved.as_bytes()).unwrap();
    });
    let (_, stderr) = texts(&run(&["import", "--endpoint", &url, &file]));
    let expected =
        format!("{url} redirects to https://metrics.example.org/; name the right address");
    assert!(stderr.contains(&expected), "{stderr}");
}
