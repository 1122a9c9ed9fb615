//! Headers that only proxies may set: who calls, and from where.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Server, write};
use crate::wait_for;

/// An address of this machine that is none of its loopback addresses by name; all of 127.0.0.0/8 lead to it.
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

struct Place {
    directory: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = write(directory.path(), "gnocchi.conf", config);
        let log = directory.path().join("log");
        let arguments = [
            "--config-file",
            &config,
            "--log-file",
            log.to_str().unwrap(),
        ];
        let server = Server::start(&directory.path().join("data"), &arguments);
        Self { directory, server }
    }

    /// Sends a request from an address, and returns its status and the text of its response.
    async fn get(&self, from: IpAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let http = gnocchi_server::outgoing::client().local_address(from);
        let mut request = http
            .build()
            .unwrap()
            .get(format!("{}{path}", self.server.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn users_are_named_by_trusted_proxies_only() {
    let trusted = "trusted_proxies = 127.0.0.1\n";
    let remote = format!("[api]\nauth_mode = remoteuser\n{trusted}");
    let headers =
        format!("[api]\nauth_mode = keystone\ntrusted_identity_headers = true\n{trusted}");
    let identity = [
        ("X-User-Id", "u"),
        ("X-Project-Id", "p"),
        ("X-Roles", "admin"),
    ];
    let user = [("X-Remote-User", "admin")];
    for (config, sent) in [(remote, &user[..]), (headers, &identity[..])] {
        let place = Place::new(&config);
        assert_eq!(
            place.get(PROXY, "/v1/status", sent).await.0,
            200,
            "{config}"
        );
        let (status, text) = place.get(OTHER, "/v1/status", sent).await;
        assert_eq!(status, 401, "{config}");
        assert!(text.contains("[api] trusted_proxies"), "{text}");
        for one in sent {
            assert_eq!(
                place.get(OTHER, "/v1/status", &[*one]).await.0,
                401,
                "{one:?}"
            );
        }
        for _ in 0..100 {
            place.get(OTHER, "/v1/status", sent).await;
        }
        let log = place.directory.path().join("log");
        wait_for(&log, "a header was ignored that only proxies may set");
        place.server.stop();
        let log = fs::read_to_string(log).unwrap();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("was ignored"))
            .collect();
        assert!((1..=10).contains(&lines.len()), "{log}");
        assert!(
            lines[0].contains("peer=127.0.0.2") && lines[0].contains("[api] trusted_proxies"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn addresses_are_named_by_trusted_proxies_only() {
    let config = "[api]\nenable_proxy_headers_parsing = true\ntrusted_proxies = 127.0.0.1\n";
    let place = Place::new(config);
    for header in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "evil.example"),
        ("X-Forwarded-Prefix", "/evil.example"),
        ("Forwarded", "host=evil.example"),
    ] {
        let (_, text) = place.get(PROXY, "/", &[header]).await;
        assert!(text.contains("evil.example"), "{header:?}: {text}");
        let (_, text) = place.get(OTHER, "/", &[header]).await;
        assert!(!text.contains("evil.example"), "{header:?}: {text}");
    }
    wait_for(
        &place.directory.path().join("log"),
        "header=\"x-forwarded-host\"",
    );
    place.server.stop();
}

#[tokio::test]
async fn the_access_log_names_clients_that_trusted_proxies_saw() {
    let directory = tempfile::tempdir().unwrap();
    let access = directory.path().join("access");
    let config = format!(
        "[api]\nenable_proxy_headers_parsing = true\ntrusted_proxies = 127.0.0.1\naccess_log = json:{}\n",
        access.display()
    );
    let place = Place::new(&config);
    let list = [("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 127.0.0.1")];
    place.get(PROXY, "/", &list).await;
    place.get(OTHER, "/", &list).await;
    place.server.stop();
    let lines = fs::read_to_string(access).unwrap();
    let clients: Vec<String> = lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["client"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(clients, ["192.0.2.7", "127.0.0.2"], "{lines}");
}
