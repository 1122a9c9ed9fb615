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
    pub(super) full: Option<String>,
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

impl Name {
    /// Shortens what does not fit.
    pub(super) fn fit(full: String, room: Room) -> Self {
        let fits = match room {
            Room::Bytes(bytes) => full.len() <= bytes,
            // A text has at least as many bytes as characters.
            Room::Characters(count) => full.len() <= count || full.chars().count() <= count,
        };
        if fits && !ends_with_digest(&full) {
            return Self {
                text: full,
                full: None,
            };
        }
        let text = format!("{}~{}", beginning(&full, room), digest(&full));
        Self {
            text,
            full: Some(full),
        }
    }
}

/// Returns as much of a name as leaves room for a digest.
fn beginning(full: &str, room: Room) -> &str {
    let end = match room {
        Room::Bytes(bytes) => full.floor_char_boundary(bytes.saturating_sub(END_LENGTH)),
        Room::Characters(count) => {
            let mut ends = full.char_indices().map(|(at, _)| at);
            (ends.nth(count.saturating_sub(END_LENGTH))).unwrap_or(full.len())
        }
    };
    &full[..end]
}

fn digest(text: &str) -> String {
    let mut digest = format!("{:x}", Sha256::digest(text.as_bytes()));
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
