//! Protocol buffers: fields of a message, borrowed from its bytes.
//!
//! Why not a decoder that fills structs? Each empty label of two bytes would become two texts of 24 bytes each before anything
//! could count them. Here nothing is allocated, whatever comes.

use std::fmt;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// They end within a field.
    Truncated,
    /// A number has more than 64 bits.
    Varint,
    /// A field has a number or kind that does not exist.
    Tag,
    /// A field is of another kind than its definition says.
    Kind,
    /// A string is not UTF-8.
    Utf8,
    /// A series has more samples than a request may hold.
    TooManySamples,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message ends within a field",
            Self::Varint => "a number of the message has more than 64 bits",
            Self::Tag => "a field of the message has a number or kind that does not exist",
            Self::Kind => "a field of the message is of another kind than its definition says",
            Self::Utf8 => "a string in the message is not UTF-8",
            Self::TooManySamples => "a series of the message has too many samples",
        })
    }
}

impl std::error::Error for WireError {}

/// The content of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// Of four bytes, which no field that we know has.
    Fixed32,
}

impl<'a> Content<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Kind),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Utf8)
    }

    pub(super) fn double(self) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(WireError::Kind),
        }
    }

    pub(super) fn int64(self) -> Result<i64, WireError> {
        match self {
            Self::Varint(number) => Ok(number.cast_signed()),
            _ => Err(WireError::Kind),
        }
    }
}

/// Iterates over the fields of a message: number and content. It ends after an error.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Content<'a>), WireError> {
        let tag = u32::try_from(self.varint()?).map_err(|_| WireError::Tag)?;
        let content = match tag & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(*self.chunk()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                let (bytes, rest) =
                    (self.rest.split_at_checked(length)).ok_or(WireError::Truncated)?;
                self.rest = rest;
                Content::Bytes(bytes)
            }
            5 => {
                self.chunk::<4>()?;
                Content::Fixed32
            }
            _ => return Err(WireError::Tag),
        };
        match tag >> 3 {
            0 => Err(WireError::Tag),
            number => Ok((number, content)),
        }
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(chunk)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(WireError::Truncated)?;
            self.rest = rest;
            // Only one bit is left for the tenth byte.
            if shift == 63 && *byte > 1 {
                return Err(WireError::Varint);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::Varint)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Content<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind() {
        let message = [
            0x08, 0xac, 0x02, 0x11, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x1a, 0x02, b'h', b'i', 0x25, 1, 2,
            3, 4,
        ];
        let fields: Result<Vec<_>, _> = Fields::of(&message).collect();
        let fields = fields.unwrap();
        let numbers: Vec<u32> = fields.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(fields[0].1.int64(), Ok(300));
        assert_eq!(fields[1].1.double(), Ok(2.0));
        assert_eq!(fields[2].1.text(), Ok("hi"));
        assert_eq!(fields[3].1.bytes(), Err(WireError::Kind));
        assert_eq!(fields[2].1.int64(), Err(WireError::Kind));
        assert_eq!(fields[2].1.double(), Err(WireError::Kind));
    }

    #[test]
    fn negative_numbers_take_ten_bytes() {
        let message = [
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        let (_, content) = Fields::of(&message).next().unwrap().unwrap();
        assert_eq!(content.int64(), Ok(-1));
    }

    #[test]
    fn what_is_no_message() {
        let check = |message: &[u8], expected: WireError| {
            let mut fields = Fields::of(message);
            assert_eq!(fields.next(), Some(Err(expected)), "{message:?}");
            assert_eq!(fields.next(), None);
        };
        check(&[0x08], WireError::Truncated);
        check(&[0x08, 0x80], WireError::Truncated);
        check(&[0x11, 1, 2, 3], WireError::Truncated);
        check(&[0x1a, 5, b'x'], WireError::Truncated);
        check(&[0x25, 1], WireError::Truncated);
        check(&[0x00, 0], WireError::Tag);
        check(&[0x0b], WireError::Tag);
        check(&[0x0e], WireError::Tag);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], WireError::Tag);
        let mut long = [0xff; 11];
        long[0] = 0x08;
        check(&long, WireError::Varint);
        check(
            &[
                0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
            WireError::Truncated,
        );
    }
}
