//! Programs of OpenStack against the real server: gnocchiclient's own functional tests, and ceilometer's publisher.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "support/clients.rs"]
mod clients;
mod support;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use support::{Server, texts};

/// How many functional tests the pinned gnocchiclient has.
const FUNCTIONAL_TESTS: usize = 22;

/// Makes a command independent of who runs the tests, and where.
fn isolate(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars() {
        let lower = name.to_lowercase();
        let is_setting = ["os_", "gnocchi_", "python"]
            .iter()
            .any(|prefix| lower.starts_with(prefix));
        if is_setting || lower.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    // The tests compare sentences of one language, and times as they are shown in the local zone.
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC")
}

/// Puts both programs that the functional tests run into one folder.
fn gather(folder: &Path, client: &Path, openstack: &Path) {
    std::fs::create_dir(folder).unwrap();
    for (environment, program) in [(client, "gnocchi"), (openstack, "openstack")] {
        let installed = environment.join("bin").join(program);
        symlink(installed, folder.join(program)).unwrap();
    }
}

#[test]
fn gnocchiclient_passes_its_own_functional_tests() {
    let Some(client) = clients::installed("gnocchiclient", "gnocchiclient") else {
        return;
    };
    let Some(openstack) = clients::installed("openstack", "gnocchiclient") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path().join("bin");
    gather(&programs, &client, &openstack);
    let server = Server::start(&directory.path().join("data"), &[]);
    let mut pytest = Command::new(client.join("bin/python"));
    pytest
        .args(["-m", "pytest", "--quiet", "--numprocesses=2"])
        .args(["-p", "no:cacheprovider", "-W", "ignore"])
        .args(["--pyargs", "gnocchiclient.tests.functional"])
        .current_dir(directory.path());
    let output = isolate(&mut pytest)
        .env("GNOCCHI_CLIENT_EXEC_DIR", &programs)
        .env("PIFPAF_GNOCCHI_HTTP_URL", &server.url)
        .output()
        .unwrap();
    let (out, errors) = texts(&output);
    assert!(output.status.success(), "{out}\n{errors}");
    let all = format!("{FUNCTIONAL_TESTS} passed in ");
    assert!(out.contains(&all), "not all were run: {out}");
    server.stop();
}

#[test]
fn what_ceilometer_publishes_is_there() {
    let script = "publish_to_gnocchi.py";
    let Some(mut publish) = clients::python("openstack", script, "ceilometer") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&directory.path().join("data"), &[]);
    isolate(&mut publish).arg(&server.url);
    clients::succeed(publish);
    server.stop();
}
