//! What is open to whom: addresses, and files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Server, program, run, texts, write};

/// `U*U`
const USERS: &str = "jd:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";

/// A directory with a configuration, and the log of the server that runs on it.
struct Place {
    directory: tempfile::TempDir,
    config: String,
}

impl Place {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = write(directory.path(), "gnocchi.conf", config);
        let place = Self { directory, config };
        place.close("gnocchi.conf");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file unreadable for others.
    fn close(&self, name: &str) {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    /// The command that serves on any port, and where the configuration says.
    fn command(&self) -> Command {
        let mut command = program(&["serve", "--port", "0", "--noverbose"]);
        command
            .args(["--config-file", &self.config])
            .arg("--data-dir")
            .arg(self.path("data"))
            .arg("--log-file")
            .arg(self.path("log"));
        command
    }

    fn start(&self, configure: impl FnOnce(&mut Command)) -> Server {
        let mut command = self.command();
        configure(&mut command);
        Server::spawn_program(command).wait_until_it_listens()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// Returns the address that a process listens on, as the system tells it.
fn listening_address(pid: u32) -> Vec<String> {
    let sockets = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let sockets: Vec<String> = sockets
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let mut addresses = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is "listening".
            if fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]) {
                addresses.push(fields[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    addresses
}

const LOOPBACK: &str = "0100007F";
const ANY: &str = "00000000";

#[test]
fn a_server_that_accepts_any_password_listens_on_loopback_unless_told_otherwise() {
    let check = |config: &str,
                 host: Option<&str>,
                 variable: Option<&str>,
                 address: &str,
                 warning: Option<&str>| {
        let place = Place::new(config);
        fs::write(place.path("users"), USERS).unwrap();
        place.close("users");
        let server = place.start(|command| {
            command.current_dir(place.directory.path());
            if let Some(host) = host {
                command.args(["--host", host]);
            }
            if let Some(host) = variable {
                command.env("GNOCCHI_API__HOST", host);
            }
        });
        assert_eq!(listening_address(server.pid()), [address], "{config}");
        server.stop();
        let log = place.log();
        match warning {
            Some(warning) => {
                let warnings = log.matches(" WARN ").count();
                assert!(log.contains(warning) && warnings == 1, "{config}: {log}");
            }
            None => assert_eq!(log, "", "{config}"),
        }
    };
    let local = "any password is accepted: every user of this machine can be the administrator";
    let open =
        "any password is accepted: everyone who can reach this address can be the administrator";
    check("", None, None, LOOPBACK, Some(local));
    check("[api]\nhost =\n", None, None, LOOPBACK, Some(local));
    check("[api]\nhost = 0.0.0.0\n", None, None, ANY, Some(open));
    check("", Some("0.0.0.0"), None, ANY, Some(open));
    check("", None, Some("0.0.0.0"), ANY, Some(open));
    check(
        "[api]\nhost = 0.0.0.0\n",
        Some("127.0.0.1"),
        None,
        LOOPBACK,
        Some(local),
    );
    let passwords = "[basic]\npassword_file = users\n";
    check(passwords, None, None, ANY, None);
    check(passwords, Some("127.0.0.1"), None, LOOPBACK, None);
    let remote = "[api]\nauth_mode = remoteuser\n";
    check(remote, None, None, ANY, Some("header=\"X-Remote-User\""));
    check(
        remote,
        Some("127.0.0.1"),
        None,
        LOOPBACK,
        Some("every user of this machine"),
    );
    let headers = "[api]\nauth_mode = keystone\ntrusted_identity_headers = true\n";
    check(headers, None, None, ANY, Some("callers are who X-User-Id"));
}

/// Returns everything below a directory, with its mode.
fn modes(directory: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::metadata(&path).unwrap();
        found.push((path.clone(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

#[test]
fn what_the_program_creates_is_private() {
    let place = Place::new("[api]\naccess_log = json:logs/access\n");
    let server = place.start(|command| {
        command.current_dir(place.directory.path());
    });
    server.stop();
    for name in ["data", "log", "logs"] {
        let path = place.path(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{name}");
    }
    let created = [modes(&place.path("data")), modes(&place.path("logs"))].concat();
    assert!(created.len() > 5, "{created:?}");
    for (path, mode) in created {
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
}

#[test]
fn files_that_others_can_read_are_warned_about() {
    let place = Place::new("[api]\nhost = 127.0.0.1\n[basic]\npassword_file = users\n");
    let at = place.directory.path();
    write(at, "users", USERS);
    write(at, "policy.yaml", "{}");
    write(at, "policy.d/a", "{}");
    fs::create_dir(place.path("data")).unwrap();
    let files = ["gnocchi.conf", "users", "policy.yaml", "policy.d/a"];
    let set = |mode: u32, directory: u32| {
        for name in files {
            fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(place.path("data"), Permissions::from_mode(directory)).unwrap();
        fs::write(place.path("log"), "").unwrap();
        let server = place.start(|command| {
            command.current_dir(at);
        });
        server.stop();
        place.log()
    };
    let log = set(0o644, 0o755);
    for name in files {
        let line = log.lines().find(|line| line.contains(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing in {log}"));
        assert!(
            line.contains(" WARN ")
                && line.contains("mode=\"0644\"")
                && line.contains("other users of this machine can read this file"),
            "{line}"
        );
    }
    assert!(log.contains("look into the data directory"), "{log}");
    assert_eq!(log.lines().count(), files.len() + 1, "{log}");
    let log = set(0o642, 0o701);
    let changed = "other users of this machine can change this file";
    assert_eq!(log.matches(changed).count(), files.len(), "{log}");
    // A group is chosen on purpose.
    assert_eq!(set(0o640, 0o750), "");
}

#[test]
fn pipes_and_empty_files_are_refused_in_place_of_passwords_and_rules() {
    let check = |config: &str, prepare: &dyn Fn(&Path), expected: &str| {
        let place = Place::new(config);
        prepare(&place.path("f"));
        let output = place
            .command()
            .current_dir(place.directory.path())
            .output()
            .unwrap();
        let (_, errors) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{config}: {errors}");
        assert!(errors.contains(expected), "{config}: {errors}");
        assert!(!place.path("data").exists(), "nothing is created");
    };
    let passwords = "[basic]\npassword_file = f\n";
    let rules = "[oslo_policy]\npolicy_file = f\n";
    let access = "[api]\naccess_log = json:f\n";
    let empty = |path: &Path| fs::write(path, "# no users\n\n").unwrap();
    let is_pipe = "it is a named pipe, not a regular file";
    check(passwords, &|path| super::pipe(path), is_pipe);
    check(rules, &|path| super::pipe(path), is_pipe);
    check(
        passwords,
        &|path| fs::create_dir(path).unwrap(),
        "it is a directory",
    );
    check(
        passwords,
        &empty,
        "gnocchi: the password file f has no user; add one with `gnocchi passwd`",
    );
    check(
        access,
        &|path| super::pipe(path),
        "cannot open the access log",
    );
}

#[test]
fn pipes_in_place_of_the_files_of_a_running_server_hold_nothing_up() {
    let place = Place::new("[basic]\npassword_file = users\n");
    let at = place.directory.path();
    for (name, text) in [("users", USERS), ("policy.yaml", "{}")] {
        write(at, name, text);
        place.close(name);
    }
    let server = place.start(|command| {
        command.current_dir(at);
    });
    for (name, expected) in [
        ("users", "the earlier passwords stay in use"),
        ("policy.yaml", "the earlier ones stay in use"),
    ] {
        super::pipe(&place.path("pipe"));
        fs::rename(place.path("pipe"), place.path(name)).unwrap();
        super::wait_for(&place.path("log"), expected);
    }
    // Those of before still count, and the end is prompt.
    let request = "GET /v1/metric HTTP/1.1\r\nHost: h\r\nAuthorization: Basic amQ6VSpV\r\nConnection: close\r\n\r\n";
    assert!(super::raw(&server, request).starts_with("HTTP/1.1 200"));
    server.stop();
}

#[test]
fn a_log_that_cannot_be_opened_is_named_and_never_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    super::pipe(&file);
    let output = run(&["serve", "--port", "0", "--log-file", file.to_str().unwrap()]);
    let expected = format!("gnocchi: cannot write the log file {}", file.display());
    assert!(texts(&output).1.starts_with(&expected), "{output:?}");
}
