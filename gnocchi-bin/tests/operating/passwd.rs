//! `gnocchi passwd`, and the servers that use what it writes.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{PATIENCE, Server, program, run, texts, write};

/// Runs the tool with a text as its standard input.
fn passwd(arguments: &[&str], input: &str) -> Output {
    let mut child = program(&["passwd"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn succeeds(arguments: &[&str], input: &str, expected: &str) {
    let output = passwd(arguments, input);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(texts(&output), (format!("{expected}\n"), String::new()));
}

fn fails(arguments: &[&str], input: &str, expected: &str) {
    let output = passwd(arguments, input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (printed, error) = texts(&output);
    assert_eq!(
        (printed, error),
        (String::new(), format!("gnocchi: {expected}\n"))
    );
}

/// Returns the status that a user gets.
async fn status(server: &Server, user: &str, password: &str) -> u16 {
    let http = gnocchi_server::outgoing::client().build().unwrap();
    let request = http.get(format!("{}/v1/metric", server.url));
    let response = request.basic_auth(user, Some(password)).send().await;
    response.unwrap().status().as_u16()
}

#[tokio::test]
async fn users_are_added_changed_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let path = at.join("users");
    let file = path.to_str().unwrap();
    succeeds(
        &[file, "admin"],
        "secret\n",
        &format!("added user admin to {file}"),
    );
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    succeeds(
        &["--bcrypt", file, "jd"],
        "U*U",
        &format!("added user jd to {file}"),
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("admin:$argon2id$v=19$m=19456,t=2,p=1$"),
        "{text}"
    );
    assert!(text.contains("\njd:$2b$12$"), "{text}");
    assert!(!text.contains("secret"), "{text}");

    let config = write(
        at,
        "gnocchi.conf",
        &format!("[basic]\npassword_file = {file}\n"),
    );
    let server = Server::start(&at.join("data"), &["--config-file", &config]);
    assert_eq!(status(&server, "admin", "secret").await, 200);
    assert_eq!(status(&server, "jd", "U*U").await, 200);
    assert_eq!(status(&server, "jd", "secret").await, 401);

    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let changed = format!("changed the password of user jd in {file}");
    succeeds(&[file, "jd"], "other\r\n", &changed);
    assert_eq!(mode(), 0o640, "an existing file keeps its mode");
    let becomes = async |user: &str, password: &str, expected: u16| {
        let began = Instant::now();
        while status(&server, user, password).await != expected {
            assert!(began.elapsed() < PATIENCE, "{user}: no {expected}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    becomes("jd", "other", 200).await;
    assert_eq!(status(&server, "jd", "U*U").await, 401);
    succeeds(
        &["--delete", file, "jd"],
        "",
        &format!("deleted user jd from {file}"),
    );
    becomes("jd", "other", 401).await;
    let none = "no user is left in it: no login can succeed, and a server will not start with it";
    succeeds(
        &[file, "admin", "--delete"],
        "",
        &format!("deleted user admin from {file}; {none}"),
    );
    becomes("admin", "secret", 401).await;
    server.stop();
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    let file = path.to_str().unwrap();
    let text = "# users\na:$2b$05$x\n";
    let unchanged = || assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, text).unwrap();
    let damaged = format!("{file}:2: the bcrypt hash is damaged; nothing was changed");
    fails(&[file, "b"], "secret", &damaged);
    fails(
        &["--delete", file, "b"],
        "",
        &format!("there is no user b in {file}"),
    );
    fails(&[file, "a"], "\n", "the password is empty");
    fails(
        &[file, "a", "--bcrypt"],
        &"x".repeat(72),
        "bcrypt takes no more than 71 bytes, and the password has 72; use argon2id or a shorter one",
    );
    fails(
        &[file, "a"],
        "a\tb\n",
        "the password has control characters, or is not UTF-8",
    );
    fails(
        &[file, "a:b"],
        "x",
        "\"a:b\": a user name must not contain a colon",
    );
    fails(
        &[file, ""],
        "x",
        "\"\": a user name must have 1 to 255 characters",
    );
    unchanged();
    // The one that is damaged can be mended.
    succeeds(
        &[file, "a"],
        "x",
        &format!("changed the password of user a in {file}"),
    );

    let pipe = directory.path().join("pipe");
    super::pipe(&pipe);
    let pipe = pipe.to_str().unwrap();
    let refused = "it is a named pipe, not a regular file";
    fails(
        &[pipe, "a"],
        "x",
        &format!("cannot read the password file {pipe}: {refused}"),
    );
    let missing = directory.path().join("none/users");
    let output = passwd(&[missing.to_str().unwrap(), "a"], "x");
    assert!(
        texts(&output).1.contains("none for the password file"),
        "{output:?}"
    );
}

#[test]
fn passwords_are_never_part_of_the_command_line() {
    let output = run(&["passwd", "users", "jd", "secret"]);
    assert_eq!(output.status.code(), Some(2));
    let help = texts(&run(&["passwd", "--help"])).0;
    assert!(!help.contains("--password"), "{help}");
}

#[test]
fn several_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    let file = path.to_str().unwrap();
    std::thread::scope(|scope| {
        for number in 0..6 {
            scope.spawn(move || {
                let name = format!("user{number}");
                succeeds(&[file, &name], "x", &format!("added user {name} to {file}"));
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 6);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// A terminal that a program is started on.
struct Terminal {
    keyboard: File,
    shown: String,
}

impl Terminal {
    fn new() -> (Self, OwnedFd) {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap();
        let far = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap());
        let terminal = Self {
            keyboard: near.into(),
            shown: String::new(),
        };
        (terminal, far.unwrap().into())
    }

    /// Reads on until a text is shown.
    fn wait_for(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let mut bytes = [0; 1024];
            let length = self.keyboard.read(&mut bytes).unwrap();
            self.shown
                .push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
    }

    fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }
}

/// Types two passwords on a terminal, and returns what it showed, and whether they were taken.
fn typed(file: &Path, first: &str, second: &str) -> (String, bool) {
    let (mut terminal, far) = Terminal::new();
    let mut child = program(&["passwd", file.to_str().unwrap(), "jd"])
        .stdin(far.try_clone().unwrap())
        .stdout(far.try_clone().unwrap())
        .stderr(far.try_clone().unwrap())
        .spawn()
        .unwrap();
    terminal.wait_for("New password for jd: ");
    terminal.type_in(&format!("{first}\n"));
    terminal.wait_for("Again: ");
    terminal.type_in(&format!("{second}\n"));
    let status = child.wait().unwrap();
    // The end is shown, and shown again what is typed.
    terminal.type_in("echoed\n");
    terminal.wait_for("echoed");
    drop(far);
    (terminal.shown, status.success())
}

#[test]
fn a_terminal_does_not_show_what_is_typed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    let (shown, success) = typed(&path, "hunter2", "hunter3");
    assert!(
        !success && shown.contains("the passwords differ"),
        "{shown}"
    );
    assert!(!path.exists());
    let (shown, success) = typed(&path, "hunter2", "hunter2");
    assert!(success && shown.contains("added user jd to"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .starts_with("jd:$argon2id$")
    );
}
