//! Files of bounded length.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file as text, no matter what kind of file it is.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] when it has more than `bytes_max` bytes, [`io::ErrorKind::InvalidData`] when it is no UTF-8;
/// whatever else the system says.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    // The length that the system tells may change, and some files have none.
    File::open(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_a_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let check = |content: &[u8], expected: Result<&str, io::ErrorKind>| {
            std::fs::write(&path, content).unwrap();
            let read = read(&path, 4).map_err(|error| error.kind());
            assert_eq!(read.as_deref().map_err(|kind| *kind), expected);
        };
        check(b"", Ok(""));
        check("aé1".as_bytes(), Ok("aé1"));
        check(b"abcde", Err(io::ErrorKind::FileTooLarge));
        // Cut within a character, it is too long all the same.
        check("abcé".as_bytes(), Err(io::ErrorKind::FileTooLarge));
        check(b"\xff", Err(io::ErrorKind::InvalidData));
        assert!(super::read(Path::new("/dev/zero"), 4).is_err());
        let missing = super::read(&directory.path().join("g"), 4).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
