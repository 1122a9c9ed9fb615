//! Passwords and access rules of the real program: read at the start, and again when they change.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::{PATIENCE, Server, program, texts, write};

/// `U*U`
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// Writes a configuration that names the files beside it.
fn configure(directory: &Path) -> String {
    let users = directory.join("users").display().to_string();
    let text =
        format!("[basic]\npassword_file = {users}\n[oslo_policy]\npolicy_file = rules.yaml\n");
    write(directory, "gnocchi.conf", &text)
}

/// Asks for what rules open or close, and returns the status.
async fn status(server: &Server, user: &str, password: &str) -> u16 {
    let http = gnocchi_server::outgoing::client().build().unwrap();
    let request = http.get(format!("{}/v1/status", server.url));
    let response = request.basic_auth(user, Some(password)).send().await;
    response.unwrap().status().as_u16()
}

/// Asks until the status is the expected one.
async fn becomes(server: &Server, user: &str, expected: u16) {
    let began = Instant::now();
    loop {
        let found = status(server, user, "U*U").await;
        if found == expected {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{user}: {found}, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn changed_files_count_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let config = configure(at);
    write(at, "users", &format!("jd:{HASH}\n"));
    write(at, "rules.yaml", "\"get status\": \"user:jd\"\n");
    let server = Server::start(&at.join("data"), &["--config-file", &config]);
    assert_eq!(status(&server, "jd", "U*U").await, 200);
    assert_eq!(status(&server, "jd", "wrong").await, 401);
    assert_eq!(status(&server, "admin", "U*U").await, 401);

    write(at, "users", &format!("jd:{HASH}\nadmin:{HASH}\n"));
    becomes(&server, "admin", 403).await;
    write(at, "rules.yaml", "\"get status\": \"role:admin\"\n");
    becomes(&server, "admin", 200).await;
    becomes(&server, "jd", 403).await;
    // A broken file changes nothing; the next whole one does. All files are looked at in one turn, so two later turns show
    // that this one has been looked at.
    write(at, "rules.yaml", "\"get status\": \"(user:jd\"\n");
    for name in ["a", "b"] {
        let users = format!("jd:{HASH}\nadmin:{HASH}\n{name}:{HASH}\n");
        write(at, "users", &users);
        becomes(&server, name, 403).await;
    }
    assert_eq!(status(&server, "admin", "U*U").await, 200);
    assert_eq!(status(&server, "jd", "U*U").await, 403);
    write(at, "rules.yaml", "\"get status\": \"@\"\n");
    becomes(&server, "jd", 200).await;
    server.stop();
}

#[test]
fn broken_files_are_refused_at_the_start() {
    let check = |users: &str, rules: Option<&str>, expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let config = configure(directory.path());
        write(directory.path(), "users", users);
        if let Some(rules) = rules {
            write(directory.path(), "rules.yaml", rules);
        }
        let data = directory.path().join("data");
        let arguments = [
            "serve",
            "--port",
            "0",
            "--config-file",
            &config,
            "--data-dir",
        ];
        let output = program(&arguments).arg(&data).output().unwrap();
        let (_, errors) = texts(&output);
        assert!(!output.status.success());
        assert!(errors.contains(expected), "{errors}");
        assert!(!errors.contains("CCCC"), "{errors}");
        assert!(!data.exists(), "nothing was made");
    };
    let users = format!("jd:{HASH}\n");
    let rules = Some("a: '@'\n\"get status\": (role:a\n");
    check(
        &users,
        rules,
        "rules.yaml:2: rule `get status` cannot be read",
    );
    check(&users, None, "there is no file or directory rules.yaml");
    let broken = format!("# users\njd:{HASH}x\n");
    check(&broken, Some("{}"), "users:2: the bcrypt hash is damaged");
}
