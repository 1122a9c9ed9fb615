//! Patterns of SQL.

/// Tells whether the whole text fits a pattern, in which `%` stands for any text and `_` for any one character; nothing else is
/// special. Time is at most proportional to pattern length times text length.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    // Where to go on when a character doesn't fit: behind the last `%`, and the text it should be tried at next.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(position)) {
            (Some('%'), _) => {
                retry = Some((at + 1, position + 1));
                at += 1;
            }
            (Some(wanted), Some(found)) if *wanted == '_' || wanted == found => {
                at += 1;
                position += 1;
            }
            (None, None) => return true,
            _ => match retry {
                Some((after, next)) if next <= text.len() => {
                    retry = Some((after, next + 1));
                    at = after;
                    position = next;
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern, text), expected, "{pattern} against {text}");
        };
        check("", "", true);
        check("", "a", false);
        check("%", "", true);
        check("%", "abc", true);
        check("a%", "abc", true);
        check("%c", "abc", true);
        check("a_c", "aéc", true);
        check("a_c", "ac", false);
        check("A%", "abc", false);
        check("%b%d%", "abcde", true);
        check("%b%b%", "abc", false);
        check("a\\%", "a%", false);
        check("a*", "abc", false);
        check("50%%", "50", true);
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        assert!(!fits(&"%a".repeat(200), &"b".repeat(10_000)));
    }
}
