//! The bytes of a file as UTF-8 text: unpacked, decoded, and counted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::utf16::{ByteOrder, Utf16Reader};

/// The name of the standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// How much of a file is read at a time.
const READ_BYTES: usize = 256 << 10;

/// How much of a file is looked at to find out its format.
const HEAD_BYTES: usize = 64;

/// How files begin that are no text, and what they are.
const BINARY_FORMATS: [(&[u8], &str); 8] = [
    (
        b"PK\x03\x04",
        "a ZIP archive or a spreadsheet (.xlsx, .ods)",
    ),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet (.xls)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
];

/// A text, and how much of its file has been read.
pub(super) struct Source {
    /// The text, in what should be UTF-8, without a byte order mark.
    pub(super) text: Box<dyn BufRead + Send>,
    /// How many bytes of the file have been read.
    pub(super) bytes_read: Arc<AtomicU64>,
}

/// Opens a file, or the standard input.
///
/// # Errors
/// What the system says, and what the file is if it is no text.
pub(super) fn open(path: &Path) -> io::Result<Source> {
    if is_standard_input(path) {
        return of(io::stdin());
    }
    of(File::open(path)?)
}

/// Returns whether a path means the standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

fn of(input: impl Read + Send + 'static) -> io::Result<Source> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        input,
        bytes: Arc::clone(&bytes_read),
    };
    let (head, mut text) = look_at(buffered(counted))?;
    let mut head = head;
    if head.starts_with(b"\x1f\x8b") {
        (head, text) = look_at(buffered(MultiGzDecoder::new(text)))?;
    }
    let (mark_bytes, encoding) = encoding(&head)?;
    text.read_exact(&mut vec![0; mark_bytes])?;
    let text = match encoding {
        Encoding::Utf8 => text,
        Encoding::Utf16(order) => buffered(Utf16Reader::new(text, order)),
    };
    Ok(Source { text, bytes_read })
}

type Text = Box<dyn BufRead + Send>;

fn buffered(input: impl Read + Send + 'static) -> Text {
    Box::new(BufReader::with_capacity(READ_BYTES, input))
}

/// Returns the first bytes, and a reader that begins with them.
fn look_at(mut text: Text) -> io::Result<(Vec<u8>, Text)> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    text.by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let text: Text = Box::new(Cursor::new(head.clone()).chain(text));
    Ok((head, text))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16(ByteOrder),
}

/// Returns the length of the byte order mark and the encoding that a file with these first bytes has.
fn encoding(head: &[u8]) -> io::Result<(usize, Encoding)> {
    let refused = |what: &str| {
        let text = format!("it is {what}; export or unpack it as CSV text");
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    if let Some((_, what)) = BINARY_FORMATS
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
    {
        return Err(refused(what));
    }
    let little = Encoding::Utf16(ByteOrder::LittleEndian);
    let big = Encoding::Utf16(ByteOrder::BigEndian);
    Ok(match head {
        [0xef, 0xbb, 0xbf, ..] => (3, Encoding::Utf8),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(refused("in UTF-32")),
        [0xff, 0xfe, ..] => (2, little),
        [0xfe, 0xff, ..] => (2, big),
        // Without a mark the zeros beside letters and digits show it.
        [a, 0, b, 0, ..] if *a > 0 && *b > 0 => (0, little),
        [0, a, 0, b, ..] if *a > 0 && *b > 0 => (0, big),
        _ if head.contains(&0) => return Err(refused("not a text (it has zero bytes)")),
        _ => (0, Encoding::Utf8),
    })
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes
            .fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(bytes: &[u8]) -> Result<String, String> {
        let input = Cursor::new(bytes.to_vec());
        let read = || -> io::Result<String> {
            let mut text = String::new();
            of(input)?.text.read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error| error.to_string())
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn marks_and_encodings_are_understood() {
        let text = "time;Größe\n1;2,5\n";
        let long = text.repeat(100);
        for text in [text, &long, "", "a", "ab"] {
            let marked = format!("\u{feff}{text}");
            assert_eq!(read(text.as_bytes()).as_deref(), Ok(text));
            assert_eq!(read(marked.as_bytes()).as_deref(), Ok(text));
            assert_eq!(read(&utf16(&marked, u16::to_le_bytes)).as_deref(), Ok(text));
            assert_eq!(read(&utf16(&marked, u16::to_be_bytes)).as_deref(), Ok(text));
            assert_eq!(read(&gzip(marked.as_bytes())).as_deref(), Ok(text));
            let packed = gzip(&utf16(&marked, u16::to_le_bytes));
            assert_eq!(read(&packed).as_deref(), Ok(text));
        }
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(read(&utf16(text, bytes)).as_deref(), Ok(text));
        }
    }

    #[test]
    fn several_packed_parts_are_one_file() {
        let parts = [gzip(b"time,value\n"), gzip(b"1,2\n")].concat();
        assert_eq!(read(&parts).as_deref(), Ok("time,value\n1,2\n"));
    }

    #[test]
    fn what_is_no_text_is_named() {
        let check = |bytes: &[u8], expected: &str| {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(b"PK\x03\x04....", "a spreadsheet (.xlsx, .ods)");
        check(b"\x28\xb5\x2f\xfd..", "zstd");
        check(b"\xff\xfe\0\0a\0\0\0", "UTF-32");
        check(b"time,value\n\0\0\0", "zero bytes");
        check(&gzip(b"PAR1"), "Parquet");
    }

    #[test]
    fn a_packed_file_that_breaks_off_is_an_error() {
        let packed = gzip(&b"time,value\n1,2\n".repeat(1000));
        assert!(read(&packed[..packed.len() - 4]).is_err());
    }

    #[test]
    fn what_was_read_is_counted() {
        let packed = gzip(b"1,2\n");
        let length = packed.len();
        let mut source = of(Cursor::new(packed)).unwrap();
        source.text.read_to_string(&mut String::new()).unwrap();
        assert_eq!(
            source.bytes_read.load(Ordering::Relaxed),
            u64::try_from(length).unwrap()
        );
    }
}
