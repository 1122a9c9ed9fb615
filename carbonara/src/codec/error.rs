//! What can be wrong with encoded bytes.

use std::error::Error;
use std::fmt;

/// Why bytes were not decoded.
///
/// The three cases ask for different reactions: more input, an alarm, a newer program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends before the payload that it announces.
    Truncated,
    /// The input cannot have been written by any version of this program.
    Corrupt(Corruption),
    /// The payload is intact, and of a version that this program does not know.
    UnsupportedVersion(u8),
}

/// What gave a corrupt payload away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Corruption {
    /// The first byte is not that of the expected kind of payload.
    Kind,
    /// The checksum differs from the one written with the payload.
    Checksum,
    /// Lengths, tags or counts contradict each other, or bytes are left over.
    Layout,
    /// A number is outside the range that the format allows.
    Limit,
    /// Timestamps or buckets do not ascend, or leave the range of a timestamp.
    Order,
    /// A compressed column does not decompress to the announced rows.
    Column,
}

impl fmt::Display for Corruption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kind => "not a payload of the expected kind",
            Self::Checksum => "checksum mismatch",
            Self::Layout => "contradictory layout",
            Self::Limit => "number outside its limits",
            Self::Order => "timestamps out of order",
            Self::Column => "undecodable column",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("truncated payload"),
            Self::Corrupt(corruption) => write!(formatter, "corrupt payload: {corruption}"),
            Self::UnsupportedVersion(version) => {
                write!(formatter, "unsupported payload version {version}")
            }
        }
    }
}

impl Error for DecodeError {}

impl From<Corruption> for DecodeError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_thing_in_lower_case() {
        let check = |error: DecodeError, expected: &str| assert_eq!(error.to_string(), expected);
        check(DecodeError::Truncated, "truncated payload");
        check(
            Corruption::Checksum.into(),
            "corrupt payload: checksum mismatch",
        );
        check(
            DecodeError::UnsupportedVersion(9),
            "unsupported payload version 9",
        );
    }
}
