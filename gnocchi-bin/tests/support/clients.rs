//! Client programs of other projects, installed by `.ci/clients` from the lists in `tests/clients`.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a command that runs a Python script of `tests/clients/NAME` in the environment of that name.
///
/// `None` when it is not installed; `service` is what `GNOCCHI_TEST_REQUIRE` calls it.
pub(crate) fn python(name: &str, script: &str, service: &str) -> Option<Command> {
    let mut command = Command::new(installed(name, service)?.join("bin/python"));
    command.arg(script_of(name, script));
    Some(command)
}

/// Returns a command that runs a script of `tests/clients/NAME` with Node.js and the packages of that name.
///
/// `None` when they are not installed; `service` is what `GNOCCHI_TEST_REQUIRE` calls them.
pub(crate) fn node(name: &str, script: &str, service: &str) -> Option<Command> {
    let packages = installed(name, service)?.join("node_modules");
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", packages)
        .arg(script_of(name, script));
    Some(command)
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    let (out, errors) = crate::support::texts(&output);
    assert!(
        output.status.success(),
        "{command:?} failed:\n{out}\n{errors}"
    );
}

/// Returns the folder with the packages of a list, unless they are not installed.
pub(crate) fn installed(name: &str, service: &str) -> Option<PathBuf> {
    let folder = root()?.join(name);
    // Written last.
    if folder.join("installed").exists() {
        return Some(folder);
    }
    let required = std::env::var("GNOCCHI_TEST_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|named| named.trim() == service);
    assert!(
        !is_required,
        "{} is missing, and GNOCCHI_TEST_REQUIRE asks for {service}: run .ci/clients",
        folder.display()
    );
    eprintln!(
        "skipped: {} is missing, .ci/clients installs it",
        folder.display()
    );
    None
}

fn root() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(root) = folder("GNOCCHI_TEST_CLIENTS") {
        return Some(root.into());
    }
    let cache = folder("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&folder("HOME")?).join(".cache")));
    Some(cache?.join("gnocchi-test-clients"))
}

fn script_of(name: &str, script: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    tests.join(name).join(script)
}
