//! Numbers with their nouns.

/// Writes how many there are of something, whose plural ends in `s`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let counts = [0, 1, 2].map(|count| counted(count, "line"));
        assert_eq!(counts, ["0 lines", "1 line", "2 lines"]);
    }
}
