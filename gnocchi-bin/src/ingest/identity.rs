//! Names that are made of several texts: measurement, field and tags, or the labels of a series.
//!
//! Two different sets of texts never make the same name. A name without special characters is the
//! one that the Python Gnocchi makes, `measurement.field@tag=value,tag=value`, so existing metrics
//! go on. Where its rules would let two sets meet, a backslash distinguishes them:
//!
//! | in | written with a backslash before it |
//! |---|---|
//! | every text | a backslash |
//! | measurement, field, `__name__` | `@`; in a field also `.`, because the last one separates |
//! | name of a tag or label | `,` and `=` |
//! | value of a tag or label | `,` |
//! | `job` in the id of a resource | `@` |
//!
//! A slash would divide the address of a metric. It becomes `\_`, except in a value that begins
//! with a slash or an underscore: there `_` is a slash and `\_` an underscore. So the path
//! `/var/lib` is `_var_lib`, as before.
//!
//! What is too long keeps its beginning and ends with `~` and a digest of the whole. A name that
//! only looks like that is treated as one that is too long.

use std::sync::Arc;

use gnocchi_core::intake::{FullName, SeriesKey};
use sha2::{Digest as _, Sha256};

/// How many bytes of the digest are written, two characters each. Finding two names that meet in
/// 128 bits takes 2^64 attempts.
const DIGEST_BYTES: usize = 16;

/// The length of the end of a name with a digest, all of it ASCII.
const END_LENGTH: usize = 1 + 2 * DIGEST_BYTES;

/// How long a name may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// In bytes of UTF-8.
    Bytes(usize),
    /// In characters.
    Characters(usize),
}

/// A name that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// What is stored.
    pub(super) text: String,
    /// The whole name when `text` ends with a digest.
    pub(super) full: Option<FullName>,
}

/// Appends a text. A backslash is written before itself and every character in `special`.
pub(super) fn push_text(name: &mut String, text: &str, special: &[char]) {
    push(name, text, special, Slash::AsEscape);
}

/// Appends the value of a tag or label, which may be a path.
pub(super) fn push_value(name: &mut String, value: &str, special: &[char]) {
    let slash = if value.starts_with(['/', '_']) {
        Slash::AsUnderscore
    } else {
        Slash::AsEscape
    };
    push(name, value, special, slash);
}

/// How a slash is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slash {
    /// As `_`; an underscore is `\_`.
    AsUnderscore,
    /// As `\_`; an underscore is itself.
    AsEscape,
}

fn push(name: &mut String, text: &str, special: &[char], slash: Slash) {
    let is_plain = |c: char| c != '\\' && c != '/' && c != '_' && !special.contains(&c);
    if text.chars().all(is_plain) {
        name.push_str(text);
        return;
    }
    for c in text.chars() {
        match (c, slash) {
            ('/', Slash::AsUnderscore) | ('_', Slash::AsEscape) => name.push('_'),
            ('/', Slash::AsEscape) | ('_', Slash::AsUnderscore) => name.push_str("\\_"),
            _ => {
                if c == '\\' || special.contains(&c) {
                    name.push('\\');
                }
                name.push(c);
            }
        }
    }
}

impl Room {
    /// Returns how many bytes fit at most.
    fn bytes_max(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Characters(count) => count.saturating_mul(char::MAX_LEN_UTF8),
        }
    }

    /// Returns whether a name is short enough.
    fn holds(self, name: &str) -> bool {
        match self {
            Self::Bytes(bytes) => name.len() <= bytes,
            // A text has at least as many bytes as characters.
            Self::Characters(count) => name.len() <= count || name.chars().count() <= count,
        }
    }
}

impl Name {
    /// Shortens what does not fit.
    pub(super) fn fit(full: String, room: Room) -> Self {
        if room.holds(&full) && !ends_with_digest(&full) {
            return Self {
                text: full,
                full: None,
            };
        }
        Self::shortened(
            FullName {
                key: None,
                own: full,
            },
            room,
        )
    }

    /// Puts the name of a metric of a series together, or shortens it when it does not fit. Names that do not fit share the key.
    pub(super) fn fit_in_series(key: &Arc<SeriesKey>, own: String, room: Room) -> Self {
        let length = key.prefix.len() + own.len() + key.suffix.len();
        if length <= room.bytes_max() {
            let mut name = String::with_capacity(length);
            name.push_str(&key.prefix);
            name.push_str(&own);
            name.push_str(&key.suffix);
            if room.holds(&name) && !ends_with_digest(&name) {
                return Self {
                    text: name,
                    full: None,
                };
            }
        }
        Self::shortened(
            FullName {
                key: Some(Arc::clone(key)),
                own,
            },
            room,
        )
    }

    fn shortened(full: FullName, room: Room) -> Self {
        let start = full.beginning(room.bytes_max());
        Self {
            text: format!("{}~{}", beginning(&start, room), digest(&full)),
            full: Some(full),
        }
    }
}

/// Returns as much of the start of a name as leaves room for a digest.
fn beginning(start: &str, room: Room) -> &str {
    let end = match room {
        Room::Bytes(bytes) => start.floor_char_boundary(bytes.saturating_sub(END_LENGTH)),
        Room::Characters(count) => {
            let mut ends = start.char_indices().map(|(at, _)| at);
            (ends.nth(count.saturating_sub(END_LENGTH))).unwrap_or(start.len())
        }
    };
    &start[..end]
}

fn digest(name: &FullName) -> String {
    let mut hash = Sha256::new();
    for part in name.parts() {
        hash.update(part.as_bytes());
    }
    let mut digest = format!("{:x}", hash.finalize());
    digest.truncate(2 * DIGEST_BYTES);
    digest
}

fn ends_with_digest(name: &str) -> bool {
    let Some(start) = name.len().checked_sub(END_LENGTH) else {
        return false;
    };
    match name.as_bytes()[start..].split_first() {
        Some((b'~', digits)) => digits
            .iter()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
        _ => false,
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
