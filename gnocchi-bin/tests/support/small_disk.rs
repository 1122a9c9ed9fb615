//! A small file system of its own, in memory. Mounting needs root, or `sudo` without a password.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of this module"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What `GNOCCHI_TEST_REQUIRE` calls the right to mount.
const SERVICE: &str = "mount";

/// The file that takes room away.
const BALLAST: &str = "ballast";

/// A mounted file system; unmounted when dropped.
pub(crate) struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts a file system of this size for a test; `None`, with a message, where that is not possible.
    pub(crate) fn mount(test: &str, mebibytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let options = format!("size={mebibytes}m,mode=1777");
        if as_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", path]) {
            return Some(Self { directory });
        }
        assert!(
            !is_required(SERVICE),
            "no file system can be mounted, and GNOCCHI_TEST_REQUIRE asks for it"
        );
        eprintln!("skipped: {test} needs root to mount a file system");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Changes the size.
    pub(crate) fn resize(&self, mebibytes: u32) {
        let options = format!("remount,size={mebibytes}m");
        let path = self.path().to_str().unwrap();
        assert!(as_root(&["mount", "-o", &options, path]));
    }

    /// Takes room away until only so much is left, or all of it.
    pub(crate) fn fill(&self, left_bytes: usize) {
        let piece = vec![1; 64 << 10];
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        while ballast.write_all(&piece).is_ok() {}
        let length = ballast.metadata().unwrap().len();
        ballast
            .set_len(length.saturating_sub(left_bytes as u64))
            .unwrap();
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path().join(BALLAST)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a server that a failed test left behind may still be ending.
        as_root(&["umount", "-l", self.path().to_str().unwrap()]);
    }
}

fn as_root(command: &[&str]) -> bool {
    let run = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    run(command[0], &command[1..]) || run("sudo", &[&["-n"], command].concat())
}

/// Returns whether a test must not be skipped for want of this.
pub(crate) fn is_required(service: &str) -> bool {
    std::env::var("GNOCCHI_TEST_REQUIRE")
        .is_ok_and(|list| list.split(',').any(|name| name.trim() == service))
}
