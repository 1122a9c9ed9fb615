//! The complete name of a metric whose stored name ends with a digest.

use std::fmt;
use std::sync::Arc;

/// The texts around the names of all metrics of one series: a line with thousands of fields has them once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesKey {
    /// What stands before the own text of a metric.
    pub prefix: String,
    /// What stands behind it.
    pub suffix: String,
}

/// A complete name, the longest part of which may be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName {
    /// What stands around `own`; `None` when nothing does.
    pub key: Option<Arc<SeriesKey>>,
    /// What only this metric has.
    pub own: String,
}

impl FullName {
    /// Returns the texts that make the name in this order.
    #[must_use]
    pub fn parts(&self) -> [&str; 3] {
        let key = self.key.as_deref();
        let (prefix, suffix) = key.map_or(("", ""), |key| (&key.prefix, &key.suffix));
        [prefix, &self.own, suffix]
    }

    /// Returns the first bytes of the name, at most so many, cut between characters.
    #[must_use]
    pub fn beginning(&self, bytes_max: usize) -> String {
        let mut beginning = String::new();
        for part in self.parts() {
            let room = bytes_max - beginning.len();
            beginning.push_str(&part[..part.floor_char_boundary(room)]);
            if part.len() > room {
                break;
            }
        }
        beginning
    }

    /// Returns the length of the name in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_one_name() {
        let key = SeriesKey {
            prefix: "cpu.".to_owned(),
            suffix: "@core=é".to_owned(),
        };
        let name = FullName {
            key: Some(Arc::new(key)),
            own: "idle".to_owned(),
        };
        assert_eq!(name.to_string(), "cpu.idle@core=é");
        assert_eq!(name.length(), name.to_string().len());
        for (bytes_max, expected) in [
            (0, ""),
            (3, "cpu"),
            (6, "cpu.id"),
            (15, "cpu.idle@core="),
            (16, "cpu.idle@core=é"),
            (99, "cpu.idle@core=é"),
        ] {
            assert_eq!(name.beginning(bytes_max), expected, "{bytes_max}");
        }
    }
}
