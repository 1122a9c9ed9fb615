//! The messages of remote write 1.0: requests, series, labels, samples.

use super::wire::{Fields, WireError};

/// The most labels of a series; an empty label takes two bytes of a message and 16 times as much memory.
const LABELS_MAX: usize = 1000;

/// A request: series, read one after the other.
#[derive(Debug, Clone)]
pub struct WriteRequest<'a> {
    fields: Fields<'a>,
    samples_max: usize,
}

/// One series of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeSeries<'a> {
    /// What names the series: sorted, none empty.
    pub labels: Vec<Label<'a>>,
    /// What was measured.
    pub samples: Vec<Sample>,
    /// How many histograms came; they are no measures.
    pub histograms: usize,
    /// What is wrong with the labels.
    pub fault: Option<LabelFault>,
    /// The message of the series, from which it can be read again.
    pub(in crate::ingest::prometheus) message: &'a [u8],
}

/// Why the labels of a series name no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelFault {
    /// One of them is not UTF-8.
    NotUtf8,
    /// There are too many of them.
    TooMany,
    /// Two have the same name.
    Duplicate,
}

/// A label. Labels are ordered by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Label<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
}

impl<'a> WriteRequest<'a> {
    /// Begins to read a message whose series have at most so many samples each.
    #[must_use]
    pub fn of(message: &'a [u8], samples_max: usize) -> Self {
        Self {
            fields: Fields::of(message),
            samples_max,
        }
    }

    /// Reads the next series in place of another one, whose memory is used again; `false` at the end.
    ///
    /// # Errors
    /// [`WireError`] when the message cannot be decoded.
    pub fn read(&mut self, series: &mut TimeSeries<'a>) -> Result<bool, WireError> {
        for field in self.fields.by_ref() {
            // Others describe metrics; they are not stored.
            if let (1, content) = field? {
                series.read(content.bytes()?, self.samples_max)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'a> TimeSeries<'a> {
    fn read(&mut self, message: &'a [u8], samples_max: usize) -> Result<(), WireError> {
        self.labels.clear();
        self.samples.clear();
        self.histograms = 0;
        self.fault = None;
        self.message = message;
        for field in Fields::of(message) {
            match field? {
                (1, content) => self.read_label(content.bytes()?)?,
                (2, _) if self.samples.len() == samples_max => {
                    return Err(WireError::TooManySamples);
                }
                (2, content) => self.samples.push(Sample::read(content.bytes()?)?),
                (4, content) => {
                    content.bytes()?;
                    self.histograms += 1;
                }
                _ => {}
            }
        }
        if !self.labels.is_sorted() {
            self.labels.sort_unstable();
        }
        let mut pairs = self.labels.windows(2);
        if pairs.any(|pair| pair[0].name == pair[1].name) {
            self.fault.get_or_insert(LabelFault::Duplicate);
        }
        // A label with an empty value counts as absent, as everywhere in Prometheus.
        self.labels.retain(|label| !label.value.is_empty());
        Ok(())
    }

    /// Reads a label. What is wrong with its text is wrong with this series only.
    fn read_label(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        match Label::read(message) {
            Ok(_) if self.labels.len() == LABELS_MAX => {
                self.fault.get_or_insert(LabelFault::TooMany);
            }
            Ok(label) => self.labels.push(label),
            Err(WireError::Utf8) => {
                self.fault.get_or_insert(LabelFault::NotUtf8);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns the labels of the series that has this message.
    pub(in crate::ingest::prometheus) fn labels_of(
        message: &'a [u8],
    ) -> Result<Vec<Label<'a>>, WireError> {
        let mut series = Self::default();
        series.read(message, usize::MAX)?;
        Ok(series.labels)
    }

    /// Returns the value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&'a str> {
        let label = self.labels.iter().find(|label| label.name == name)?;
        Some(label.value)
    }
}

impl<'a> Label<'a> {
    fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut label = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, content) => label.name = content.text()?,
                (2, content) => label.value = content.text()?,
                _ => {}
            }
        }
        Ok(label)
    }
}

impl Sample {
    fn read(message: &[u8]) -> Result<Self, WireError> {
        let mut sample = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, content) => sample.value = content.double()?,
                (2, content) => sample.timestamp_ms = content.int64()?,
                _ => {}
            }
        }
        Ok(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_two_series() {
        let label = b"\x0a\x01a\x12\x01b";
        let sample = b"\x09\0\0\0\0\0\0\0\x40\x10\x05";
        let mut one = vec![0x0a, 6];
        one.extend(label);
        one.extend([0x12, 11]);
        one.extend(sample);
        one.extend([0x22, 0]);
        let mut message = vec![0x1a, 1, b'?'];
        message.extend([0x0a, u8::try_from(one.len()).unwrap()]);
        message.extend(&one);
        message.extend([0x0a, 0]);

        let mut request = WriteRequest::of(&message, 1);
        let mut series = TimeSeries::default();
        assert_eq!(request.read(&mut series), Ok(true));
        assert_eq!(series.label("a"), Some("b"));
        let expected = Sample {
            value: 2.0,
            timestamp_ms: 5,
        };
        assert_eq!(series.samples, [expected]);
        assert_eq!(series.histograms, 1);
        assert_eq!(request.read(&mut series), Ok(true));
        assert_eq!(series, TimeSeries::default());
        assert_eq!(request.read(&mut series), Ok(false));
    }

    #[test]
    fn kinds_and_texts_are_checked() {
        let read = |message: &[u8]| WriteRequest::of(message, 1).read(&mut TimeSeries::default());
        assert_eq!(read(&[0x08, 1]), Err(WireError::Kind));
        assert_eq!(read(&[0x0a, 2, 0x08, 1]), Err(WireError::Kind));
        assert_eq!(read(&[0x0a, 4, 0x12, 2, 0x08, 1]), Err(WireError::Kind));
    }

    /// Reads a series.
    fn read_series(series: &[u8]) -> Result<(usize, Option<LabelFault>), WireError> {
        let mut message = vec![0x0a];
        message.extend([0x80 | u8::try_from(series.len() & 0x7f).unwrap()]);
        message.extend([u8::try_from(series.len() >> 7).unwrap()]);
        message.extend(series);
        let mut read = TimeSeries::default();
        WriteRequest::of(&message, 2).read(&mut read)?;
        Ok((read.labels.len(), read.fault))
    }

    #[test]
    fn labels_and_samples_are_limited() {
        let labels = |count: usize| {
            let label = |index: usize| {
                let name = u16::try_from(index).unwrap() + 0x100;
                let [high, low] = name.to_be_bytes();
                [0x0a, 7, 0x0a, 2, b'a' + high, low & 0x7f, 0x12, 1, b'x']
            };
            (0..count).flat_map(label).collect::<Vec<u8>>()
        };
        assert_eq!(read_series(&labels(100)), Ok((100, None)));
        let empty = [0x0a, 0];
        let (_, fault) = read_series(&empty.repeat(1001)).unwrap();
        assert_eq!(fault, Some(LabelFault::TooMany));
        assert_eq!(read_series(&[0x12, 0].repeat(2)), Ok((0, None)));
        assert_eq!(
            read_series(&[0x12, 0].repeat(3)),
            Err(WireError::TooManySamples)
        );
    }

    #[test]
    fn bad_labels_are_told() {
        let a = [0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'x'];
        let empty_a = [0x0a, 3, 0x0a, 1, b'a'];
        let not_utf8 = [0x0a, 3, 0x0a, 1, 0xff];
        assert_eq!(
            read_series(&[&a[..], &empty_a].concat()),
            Ok((1, Some(LabelFault::Duplicate)))
        );
        assert_eq!(
            read_series(&[&a[..], &a].concat()),
            Ok((2, Some(LabelFault::Duplicate)))
        );
        assert_eq!(
            read_series(&[&not_utf8[..], &a].concat()),
            Ok((1, Some(LabelFault::NotUtf8)))
        );
        assert_eq!(read_series(&a), Ok((1, None)));
    }
}
