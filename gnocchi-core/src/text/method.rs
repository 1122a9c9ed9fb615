//! Aggregation methods as other systems call them.

use carbonara::AggregationMethod;

use super::nearest::nearest;

/// Names of other systems for our methods.
const SYNONYMS: [(&str, &str); 17] = [
    ("avg", "mean"),
    ("average", "mean"),
    ("maximum", "max"),
    ("minimum", "min"),
    ("total", "sum"),
    ("stddev", "std"),
    ("stdev", "std"),
    ("std_dev", "std"),
    ("deviation", "std"),
    ("cnt", "count"),
    ("num", "count"),
    ("number", "count"),
    ("samples", "count"),
    ("latest", "last"),
    ("newest", "last"),
    ("oldest", "first"),
    ("med", "median"),
];

/// The prefix of methods that aggregate differences, and how else it is written.
const RATE: &str = "rate:";
const RATES: [&str; 5] = ["rate_", "rate-", "rate.", "rate(", "rate "];

/// Returns the method that a text was probably meant to be: `p95`, `95th` and `percentile_95` are `95pct`, `avg` is `mean`. `None`
/// for a text that is a method, or that resembles none.
///
/// # Examples
/// ```
/// use gnocchi_core::text::method::meant;
///
/// assert_eq!(meant("p95").map(|method| method.to_string()).as_deref(), Some("95pct"));
/// assert_eq!(meant("mean"), None);
/// ```
#[must_use]
pub fn meant(text: &str) -> Option<AggregationMethod> {
    if text.parse::<AggregationMethod>().is_ok() {
        return None;
    }
    let lower = text.trim().to_lowercase();
    let (prefix, statistic) = match RATES.iter().find_map(|rate| lower.strip_prefix(rate)) {
        Some(statistic) => (RATE, statistic.trim_end_matches(')')),
        None => match lower.strip_prefix(RATE) {
            Some(statistic) => (RATE, statistic),
            None => ("", lower.as_str()),
        },
    };
    let name = known(statistic)?;
    format!("{prefix}{name}").parse().ok()
}

/// Returns the name of the statistic that a text means.
fn known(text: &str) -> Option<String> {
    if text.parse::<AggregationMethod>().is_ok() {
        return Some(text.to_owned());
    }
    if let Some((_, name)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == text) {
        return Some((*name).to_owned());
    }
    if let Some(percent) = percent(text) {
        return Some(format!("{percent}pct"));
    }
    let statistics = [
        "mean", "median", "count", "first", "last", "sum", "max", "min", "std",
    ];
    nearest(text, statistics).map(ToOwned::to_owned)
}

/// Reads the number of a percentile: `p95`, `95th`, `95%`, `perc95`, `percentile_95`, `q0.95`.
fn percent(text: &str) -> Option<u8> {
    let words = text.trim_matches(|character: char| !character.is_ascii_digit());
    let around = text.replacen(words, " ", 1);
    let is_percentile = around.split_whitespace().all(|word| {
        let word = word.trim_matches(['_', '-', '(', ')', '.']);
        matches!(
            word,
            "p" | "q"
                | "th"
                | "%"
                | "pc"
                | "pct"
                | "pctl"
                | "perc"
                | "percent"
                | "percentile"
                | "quantile"
                | ""
        )
    });
    if words.is_empty() || around.trim().is_empty() || !is_percentile {
        return None;
    }
    let percent = match words.split_once('.') {
        None => words.parse().ok()?,
        Some(("0", hundredths)) if hundredths.len() == 2 => hundredths.parse().ok()?,
        Some(("0", tenths)) if tenths.len() == 1 => tenths.parse::<u8>().ok()? * 10,
        Some(_) => return None,
    };
    (1..=99).contains(&percent).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = meant(text).map(|method| method.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn names_of_other_systems_are_understood() {
        for text in [
            "p95",
            "P95",
            "95th",
            "95%",
            "perc95",
            "percentile_95",
            "95percentile",
            "q0.95",
            "percentile(95)",
        ] {
            check(text, Some("95pct"));
        }
        check("quantile0.5", Some("50pct"));
        check("avg", Some("mean"));
        check("Average", Some("mean"));
        check("MAX", Some("max"));
        check("maximum", Some("max"));
        check("stddev", Some("std"));
        check("cuont", Some("count"));
        check("meen", None);
        check("meann", Some("mean"));
        check("rate_mean", Some("rate:mean"));
        check("rate(max)", Some("rate:max"));
        check("rate:p99", Some("rate:99pct"));
    }

    #[test]
    fn methods_and_other_words_are_left_alone() {
        for text in [
            "mean",
            "95pct",
            "rate:mean",
            "",
            "x",
            "wtf",
            "p",
            "95",
            "p0",
            "p100",
            "p99.9",
            "100%",
            "rate",
            "mode",
            "%",
        ] {
            check(text, None);
        }
    }
}
