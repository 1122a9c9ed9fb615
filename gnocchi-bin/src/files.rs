//! Files named by the configuration or on the command line: only regular ones are read, and logs are never waited for.

use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Opens a regular file for reading, never waiting for a writer as opening a pipe does.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for anything but a regular file; whatever else the system says.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = without_waiting(File::options().read(true)).open(path)?;
    match irregular(file.metadata()?.file_type()) {
        None => Ok(file),
        Some(kind) => Err(not_regular(kind)),
    }
}

/// Reads a regular file.
///
/// # Errors
/// As [`open_regular`].
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file as text.
///
/// # Errors
/// As [`open_regular`], [`io::ErrorKind::FileTooLarge`] when it has more than `bytes_max` bytes and
/// [`io::ErrorKind::InvalidData`] when it is not UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    // A file may grow after its length was asked for.
    open_regular(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Creates a file or replaces its content, so that a reader sees either the old or the new content in full, also after a power
/// cut. A new file is for this user alone; an existing one keeps its owner and its mode.
///
/// # Errors
/// Whatever the system says. The file is then as it was.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // What is replaced is what a link leads to, not the link.
    let path = match before {
        Some(_) => path.canonicalize()?,
        None => path.to_owned(),
    };
    let directory = directory_of(&path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut staging = OsString::from(".");
    staging.push(name);
    staging.push(format!(".{}.new", std::process::id()));
    let staging = directory.join(staging);
    let written = stage(&staging, content, before.as_ref());
    let renamed = written.and_then(|()| fs::rename(&staging, &path));
    if renamed.is_err() {
        // What the caller must know is why the first step failed.
        let _ = fs::remove_file(&staging);
        return renamed;
    }
    File::open(directory)?.sync_all()
}

fn stage(staging: &Path, content: &str, before: Option<&Metadata>) -> io::Result<()> {
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(staging)?;
    if let Some(before) = before {
        let created = file.metadata()?;
        if (created.uid(), created.gid()) != (before.uid(), before.gid()) {
            fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        file.set_permissions(before.permissions())?;
    }
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// Returns the directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Opens a file for appending, after creating it and its directory. A pipe is taken if it has a reader, as the standard output of
/// a container has.
///
/// # Errors
/// Whatever the system says; among others for a pipe without a reader.
pub(crate) fn open_for_appending(path: &Path) -> io::Result<File> {
    fs::create_dir_all(directory_of(path))?;
    let file = without_waiting(File::options().create(true).append(true)).open(path)?;
    // Opened, it may be waited for again: half a line is worse than a late one.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    options.custom_flags(flags)
}

/// Returns what a file is, if it is not a regular one.
fn irregular(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else {
        Some("a device")
    }
}

fn not_regular(kind: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {kind}, not a regular file"),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "text").unwrap();
        assert_eq!(read_regular(&file).unwrap(), b"text");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_regular(&link).unwrap(), b"text");

        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let check = |path: &Path, expected: &str| {
            let error = read_regular(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&pipe, "it is a named pipe, not a regular file");
        check(directory.path(), "it is a directory");
        check(Path::new("/dev/zero"), "it is a device");
        let missing = read_regular(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn texts_are_read_up_to_a_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let check = |content: &[u8], expected: Result<&str, io::ErrorKind>| {
            fs::write(&path, content).unwrap();
            let read = read_text(&path, 4).map_err(|error| error.kind());
            assert_eq!(read.as_deref().map_err(|kind| *kind), expected);
        };
        check(b"", Ok(""));
        check("aé1".as_bytes(), Ok("aé1"));
        check(b"abcde", Err(io::ErrorKind::FileTooLarge));
        // Cut within a character, it is too long all the same.
        check("abcé".as_bytes(), Err(io::ErrorKind::FileTooLarge));
        check(b"\xff", Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn files_are_replaced_whole_and_keep_their_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        replace(&path, "one").unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("f", &link).unwrap();
        let reader = open_regular(&path).unwrap();
        replace(&link, "two").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), mode()),
            ("two".into(), 0o640)
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(io::read_to_string(reader).unwrap(), "one");

        // Nothing is left behind where it fails.
        fs::create_dir(directory.path().join("d")).unwrap();
        replace(&directory.path().join("d"), "x").unwrap_err();
        replace(&directory.path().join("none/f"), "x").unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn logs_are_appended_and_a_pipe_without_a_reader_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("logs/file");
        for text in ["a", "b"] {
            let mut opened = open_for_appending(&file).unwrap();
            opened.write_all(text.as_bytes()).unwrap();
            let flags = fcntl_getfl(&opened).unwrap();
            assert!(!flags.contains(OFlags::NONBLOCK), "{flags:?}");
        }
        assert_eq!(fs::read(&file).unwrap(), b"ab");

        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        open_for_appending(&pipe).unwrap_err();
    }
}
