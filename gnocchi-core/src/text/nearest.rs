//! Misspelt names: which known name was probably meant.

use std::cmp::min;

/// Known names shorter than this have no near misses but themselves in other letters: too many words are that close to them.
const CHARACTERS_MIN: usize = 4;

/// From this length on two slips are forgiven instead of one.
const CHARACTERS_OF_TWO_SLIPS: usize = 8;

/// How many joints between words a name may lack or have too many.
const JOINTS_MAX: usize = 4;

/// Returns the known name that `name` is a near miss of: the same but for upper and lower case, `-` or a missing `_`, or one or
/// two slips of the keyboard away. `None` for a name that is known, or that resembles none.
///
/// A slip is a character too many, too few or wrong, or two that changed places. Names of four characters forgive no wrong
/// character, since another word is then as likely (`step` is not `stop`).
///
/// # Examples
/// ```
/// use gnocchi_core::text::nearest::nearest;
///
/// let known = ["aggregation", "granularity", "stop"];
/// assert_eq!(nearest("agregation", known), Some("aggregation"));
/// assert_eq!(nearest("Granularity", known), Some("granularity"));
/// assert_eq!(nearest("step", known), None);
/// assert_eq!(nearest("stop", known), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        if candidate == name {
            return None;
        }
        let slips = slips_between(&folded, &fold(candidate));
        if let Some(slips) = slips
            && best.is_none_or(|(fewest, _)| slips < fewest)
        {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns the known name that `name` differs from by one slip or in upper and lower case only, however short the two are. `None`
/// for a name that is known.
///
/// For a place where any other name is wrong, so that a word that happens to be close is no reason to take it.
///
/// # Examples
/// ```
/// use gnocchi_core::text::nearest::one_slip_away;
///
/// assert_eq!(one_slip_away("apii", ["api", "cors"]), Some("api"));
/// assert_eq!(one_slip_away("app", ["api", "cors"]), Some("api"));
/// assert_eq!(one_slip_away("api", ["api", "cors"]), None);
/// assert_eq!(one_slip_away("map", ["api", "cors"]), None);
/// ```
pub fn one_slip_away<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(name);
    let mut best = None;
    for candidate in known {
        if candidate == name {
            return None;
        }
        let folded_candidate = fold(candidate);
        let is_near = folded.len().abs_diff(folded_candidate.len()) <= 1
            && distance(&folded, &folded_candidate, 1) <= 1;
        if is_near && best.is_none() {
            best = Some(candidate);
        }
    }
    best
}

/// Leaves out what does not count: case, how words are joined, and the brackets that some languages add to repeated parameters.
fn fold(name: &str) -> Vec<char> {
    name.trim_end_matches("[]")
        .chars()
        .flat_map(char::to_lowercase)
        .map(|character| {
            if matches!(character, '-' | ' ') {
                '_'
            } else {
                character
            }
        })
        .collect()
}

/// Returns the number of slips between a name and a known one; `None` when there are too many.
fn slips_between(name: &[char], known: &[char]) -> Option<usize> {
    let letters = |text: &[char]| {
        text.iter()
            .copied()
            .filter(|character| *character != '_')
            .collect()
    };
    let slips_max = match known.len() {
        0..CHARACTERS_MIN => 0,
        CHARACTERS_MIN..CHARACTERS_OF_TWO_SLIPS => 1,
        _ => 2,
    };
    // Names of any length may come from outside; only those of about the right length are compared.
    if name.len().abs_diff(known.len()) > slips_max.max(JOINTS_MAX) {
        return None;
    }
    let (name_letters, known_letters): (Vec<char>, Vec<char>) = (letters(name), letters(known));
    if name_letters == known_letters {
        return Some(0);
    }
    let substitution = if known.len() <= CHARACTERS_MIN { 2 } else { 1 };
    let slips = distance(name, known, substitution);
    (slips <= slips_max).then_some(slips)
}

/// Returns the least number of insertions, deletions, substitutions and exchanges of neighbours that make one text of the other.
fn distance(one: &[char], other: &[char], substitution: usize) -> usize {
    let width = other.len() + 1;
    let mut before_last = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, character) in one.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for column in 1..width {
            let is_same = *character == other[column - 1];
            let replaced = last[column - 1] + if is_same { 0 } else { substitution };
            current[column] = min(replaced, min(last[column], current[column - 1]) + 1);
            let are_exchanged = row > 0
                && column > 1
                && *character == other[column - 2]
                && one[row - 1] == other[column - 1];
            if are_exchanged {
                current[column] = min(current[column], before_last[column - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 12] = [
        "start",
        "stop",
        "aggregation",
        "granularity",
        "resample",
        "sort",
        "metric",
        "groupby",
        "create_metrics",
        "user_id",
        "q",
        "db",
    ];

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(nearest(name, KNOWN), expected, "{name}");
    }

    #[test]
    fn slips_are_forgiven() {
        for name in [
            "agregation",
            "aggregaton",
            "agregaton",
            "aggergation",
            "aggregations",
            "Aggregation",
            "AGGREGATION[]",
        ] {
            check(name, Some("aggregation"));
        }
        check("granulartiy", Some("granularity"));
        check("strat", Some("start"));
        check("stopp", Some("stop"));
        check("sotp", Some("stop"));
        check("metrics", Some("metric"));
        check("groupBy", Some("groupby"));
        check("group_by", Some("groupby"));
        check("create-metrics", Some("create_metrics"));
        check("createMetric", Some("create_metrics"));
        check("userid", Some("user_id"));
        check("DB", Some("db"));
    }

    #[test]
    fn other_words_are_other_words() {
        for name in [
            "step", "end", "from", "to", "rp", "u", "p", "x", "", "agg", "gran", "meters",
            "method", "samples", "status", "user", "create",
        ] {
            check(name, None);
        }
        for name in KNOWN {
            check(name, None);
        }
        check(&"aggregation".repeat(10_000), None);
    }

    #[test]
    fn the_nearest_of_several_is_meant() {
        assert_eq!(
            nearest("aggregatio", ["aggregates", "aggregation"]),
            Some("aggregation")
        );
        assert_eq!(nearest("nam", ["name", "names"]), Some("name"));
    }
}
