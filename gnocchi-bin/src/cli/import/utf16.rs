//! UTF-16 as UTF-8, for files that spreadsheets save as "Unicode text".

use std::io::{self, BufRead, Read};

/// Which byte of a unit comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    LittleEndian,
    BigEndian,
}

/// Decodes UTF-16; what is no character becomes U+FFFD.
pub(super) struct Utf16Reader<R> {
    input: R,
    order: ByteOrder,
    /// A byte whose unit is not complete.
    half_unit: Option<u8>,
    /// The first unit of a pair whose second one is still to come.
    half_pair: Option<u16>,
    /// What is decoded and not handed over.
    decoded: Vec<u8>,
    handed_over: usize,
}

impl<R: BufRead> Utf16Reader<R> {
    pub(super) fn new(input: R, order: ByteOrder) -> Self {
        Self {
            input,
            order,
            half_unit: None,
            half_pair: None,
            decoded: Vec::new(),
            handed_over: 0,
        }
    }

    /// Decodes what the input has ready; nothing only at its end.
    fn decode_more(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.handed_over = 0;
        while self.decoded.is_empty() {
            let bytes = self.input.fill_buf()?;
            let used = bytes.len();
            if used == 0 {
                let is_cut = self.half_unit.take().is_some() | self.half_pair.take().is_some();
                if is_cut {
                    push(&mut self.decoded, char::REPLACEMENT_CHARACTER);
                }
                return Ok(());
            }
            let all = self
                .half_unit
                .take()
                .into_iter()
                .chain(bytes.iter().copied());
            let mut units = Vec::with_capacity(used / 2 + 2);
            units.extend(self.half_pair.take());
            let mut first = None;
            for byte in all {
                match first.take() {
                    None => first = Some(byte),
                    Some(before) => units.push(match self.order {
                        ByteOrder::LittleEndian => u16::from_le_bytes([before, byte]),
                        ByteOrder::BigEndian => u16::from_be_bytes([before, byte]),
                    }),
                }
            }
            self.half_unit = first;
            if units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
            {
                self.half_pair = units.pop();
            }
            for character in char::decode_utf16(units) {
                push(
                    &mut self.decoded,
                    character.unwrap_or(char::REPLACEMENT_CHARACTER),
                );
            }
            self.input.consume(used);
        }
        Ok(())
    }
}

fn push(bytes: &mut Vec<u8>, character: char) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

impl<R: BufRead> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed_over == self.decoded.len() {
            self.decode_more()?;
        }
        let ready = &self.decoded[self.handed_over..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.handed_over += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn decode(bytes: &[u8], order: ByteOrder, capacity: usize) -> String {
        let mut text = String::new();
        let input = BufReader::with_capacity(capacity, bytes);
        Utf16Reader::new(input, order)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn every_cut_gives_the_same_text() {
        let text = "zeit;wert\r\n1;2,5 € 𝄞\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for capacity in 1..9 {
            assert_eq!(decode(&little, ByteOrder::LittleEndian, capacity), text);
            assert_eq!(decode(&big, ByteOrder::BigEndian, capacity), text);
        }
    }

    #[test]
    fn what_is_no_character_is_replaced() {
        for capacity in 1..5 {
            // A lonely half of a pair, a letter, half of a unit.
            let bytes = [0x34, 0xd8, 0x61, 0x00, 0x62];
            let decoded = decode(&bytes, ByteOrder::LittleEndian, capacity);
            assert_eq!(decoded, "\u{fffd}a\u{fffd}");
        }
        assert_eq!(decode(&[], ByteOrder::BigEndian, 4), "");
    }
}
