//! Failed logins are counted, and named in the log at a bounded rate.

use std::fs;

use crate::support::{Server, write};
use crate::wait_for;

/// `U*U`
const USERS: &str = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";

#[tokio::test]
async fn failed_logins_are_logged_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let users = write(at, "users", USERS);
    let config = write(
        at,
        "gnocchi.conf",
        &format!("[basic]\npassword_file = {users}\n"),
    );
    let log = at.join("log");
    let arguments = [
        "--config-file",
        &config,
        "--log-file",
        log.to_str().unwrap(),
    ];
    let server = Server::start(&at.join("data"), &arguments);
    let http = gnocchi_server::outgoing::client().build().unwrap();
    let url = format!("{}/v1/metric", server.url);
    let status = async |user: &str, password: &str| {
        let response = http.get(&url).basic_auth(user, Some(password)).send().await;
        response.unwrap().status().as_u16()
    };
    for attempt in 0..20 {
        assert_eq!(status("jd", &format!("hunter{attempt}")).await, 401);
    }
    assert_eq!(status("no\nbody \"x\" \u{1b}[31m", "hunter2").await, 401);
    assert_eq!(status("jd", "U*U").await, 200);
    // Neither of them is an attempt: most clients ask without credentials first.
    assert_eq!(http.get(&url).send().await.unwrap().status(), 401);
    let version = format!("{}/", server.url);
    assert_eq!(http.get(version).send().await.unwrap().status(), 200);
    let garbled = http
        .get(&url)
        .header("Authorization", "Basic !")
        .send()
        .await;
    assert_eq!(garbled.unwrap().status(), 401);

    let metrics = server.client().text("/metrics").await;
    for line in [
        "gnocchi_logins_total{result=\"failure\"} 22",
        "gnocchi_logins_total{result=\"success\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    wait_for(&log, "a login failed");
    server.stop();
    let content = fs::read_to_string(&log).unwrap();
    let lines = content
        .lines()
        .filter(|line| line.contains("a login failed"));
    let lines: Vec<&str> = lines.collect();
    assert!((5..=7).contains(&lines.len()), "{content}");
    assert!(
        lines[0].contains(" WARN ")
            && lines[0].contains("user=\"jd\" client=\"127.0.0.1\" held_back=0"),
        "{content}"
    );
    assert!(
        !content.contains("hunter") && !content.contains('\u{1b}'),
        "{content}"
    );
}

#[tokio::test]
async fn each_client_behind_a_proxy_has_its_own_lines() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let users = write(at, "users", USERS);
    let config =
        format!("[basic]\npassword_file = {users}\n[api]\nenable_proxy_headers_parsing = true\n");
    let config = write(at, "gnocchi.conf", &config);
    let log = at.join("log");
    let arguments = [
        "--config-file",
        &config,
        "--log-file",
        log.to_str().unwrap(),
    ];
    let server = Server::start(&at.join("data"), &arguments);
    let http = gnocchi_server::outgoing::client().build().unwrap();
    for client in ["10.0.0.1", "10.0.0.2"] {
        for _ in 0..10 {
            let request = http.get(format!("{}/v1/metric", server.url));
            let request = request.header("X-Forwarded-For", client);
            let response = request.basic_auth("jd", Some("wrong")).send().await;
            assert_eq!(response.unwrap().status(), 401);
        }
    }
    server.stop();
    let content = fs::read_to_string(&log).unwrap();
    for client in ["10.0.0.1", "10.0.0.2"] {
        let lines = content.matches(&format!("client=\"{client}\"")).count();
        assert!((5..=7).contains(&lines), "{content}");
    }
}
