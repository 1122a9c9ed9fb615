//! Texts that every back-end keeps.

/// Returns whether every back-end keeps a text as it is.
///
/// U+0000 is the one character that they differ in: `PostgreSQL` refuses it, and functions of
/// `SQLite` take it for the end of the text, so that what was stored is not found again.
#[must_use]
pub fn is_storable(text: &str) -> bool {
    !text.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_character_is_refused() {
        for text in ["", "a b", "é\u{301}", "\u{1}\u{7f}\u{ffff}", "\u{10ffff}"] {
            assert!(is_storable(text), "{text:?}");
        }
        for text in ["\0", "a\0", "\0a"] {
            assert!(!is_storable(text), "{text:?}");
        }
    }
}
