//! Bodies compressed with Snappy, in its block format.

use std::fmt;

/// No element of a block makes more bytes of one than this: three bytes copy up to 64.
const EXPANSION_MAX: usize = 22;

/// Why a body cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnappyError {
    /// It would become longer than is allowed.
    TooLong,
    /// It is no block; the text says why.
    Malformed(String),
}

impl fmt::Display for SnappyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the decompressed body is too long"),
            Self::Malformed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for SnappyError {}

/// Returns how long a block says that it becomes, which is checked before anything is allocated.
///
/// # Errors
/// [`SnappyError::TooLong`] when that is more than `bytes_max`, [`SnappyError::Malformed`] when it does not say, or more than so
/// few bytes can become.
pub(in crate::ingest::prometheus) fn length(
    block: &[u8],
    bytes_max: usize,
) -> Result<usize, SnappyError> {
    if block.is_empty() {
        return Err(SnappyError::Malformed("the body is empty".to_owned()));
    }
    let length = snap::raw::decompress_len(block).map_err(malformed)?;
    if length > bytes_max {
        return Err(SnappyError::TooLong);
    }
    if length / EXPANSION_MAX > block.len() {
        let text = format!(
            "the body is not a block of Snappy: its {} bytes announce {length}, more than they can hold",
            block.len()
        );
        return Err(SnappyError::Malformed(text));
    }
    Ok(length)
}

/// Decompresses a block that becomes at most `bytes_max` bytes.
///
/// # Errors
/// [`SnappyError`] when it is not compressed by snappy, or becomes longer.
pub fn decompress(block: &[u8], bytes_max: usize) -> Result<Vec<u8>, SnappyError> {
    length(block, bytes_max)?;
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(malformed)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn malformed(error: snap::Error) -> SnappyError {
    SnappyError::Malformed(format!("the body is not a block of Snappy: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compress(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for bytes in [Vec::new(), vec![b'a'], vec![7; 100_000]] {
            assert_eq!(decompress(&compress(&bytes), 100_000).unwrap(), bytes);
        }
    }

    #[test]
    fn lengths_are_checked_first() {
        let block = compress(&[7; 1000]);
        assert_eq!(decompress(&block, 999), Err(SnappyError::TooLong));
        assert!(decompress(&block, 1000).is_ok());
        // Four bytes that claim to be the beginning of 60 MiB.
        let bomb = [0x80, 0x80, 0x80, 0x1e];
        assert!(matches!(
            decompress(&bomb, 64 << 20),
            Err(SnappyError::Malformed(_))
        ));
        assert_eq!(decompress(&bomb, 1 << 20), Err(SnappyError::TooLong));
    }

    #[test]
    fn what_is_no_block() {
        for block in [&b""[..], b"\xff", b"\x05abc", b"\xff\xff\xff\xff\xff\xff"] {
            assert!(
                matches!(decompress(block, 1000), Err(SnappyError::Malformed(_))),
                "{block:?}"
            );
        }
    }
}
