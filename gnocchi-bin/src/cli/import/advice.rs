//! What can be done about points that are older than the back window of their metrics.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carbonara::constants::NANOSECONDS_PER_SECOND;

use super::client::Target;
use super::timestamp::shown;
use super::window::MetricWindow;
use crate::plural::counted;

/// The reason that the server gives for points that are too old.
pub(super) const TOO_LATE: &str = "too_late";

/// The first file with points that were too old, and how many there were in all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLate {
    pub(super) file: PathBuf,
    /// The id of a metric that had some.
    pub(super) metric: String,
    /// What was sent together with them.
    pub(super) sent: Vec<Span>,
    pub(super) points: usize,
    /// Whether the file was sent in pieces that are not in the order of time.
    pub(super) goes_back: bool,
}

/// The points of one metric in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) metric: Arc<str>,
    /// The oldest and the newest timestamp, in nanoseconds.
    pub(super) oldest_ns: i64,
    pub(super) newest_ns: i64,
}

/// A metric whose points were too old, and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Explained<'a> {
    pub(super) span: &'a Span,
    pub(super) window: MetricWindow,
}

/// Returns how many buckets of the coarsest granularity the back window must have for a point.
fn buckets_back(oldest_ns: i64, window: &MetricWindow) -> i64 {
    let distance = window.newest_block.as_nanosecond() - oldest_ns;
    let granularity = window.granularity.as_nanosecond();
    distance.max(0) / granularity + i64::from(distance.max(0) % granularity > 0)
}

/// Says why points were too old, and what to do, with the options that do it.
pub(super) fn about(late: &TooLate, explained: Option<&Explained<'_>>, target: &Target) -> String {
    let mut text = String::new();
    let were = if late.points == 1 { "was" } else { "were" };
    let _ = writeln!(
        text,
        "{} {were} older than the back window of the metric and not stored (too_late). A metric accepts points that are older than its newest one by no more than the back window of its archive policy.",
        counted(late.points, "point")
    );
    if let Some(explained) = explained {
        let _ = writeln!(text, "{}", about_metric(late, explained));
    }
    let policy = target.policy.as_deref().unwrap_or("POLICY");
    let file = shell_word(&late.file);
    let _ = writeln!(text, "What helps:");
    if late.goes_back {
        let _ = writeln!(
            text,
            "  - {file} is too long to be sorted at once and is not in the order of time: sort it first (for example: sort -t, -k1,1 {file} > sorted.csv), and import it into metrics that have no points yet."
        );
    }
    let _ = writeln!(
        text,
        "  - metrics that have no points yet accept points of any age: gnocchi import --create --policy {policy} --resource {}-history {file}",
        target.resource
    );
    let needed = explained.map_or_else(
        || "N".to_owned(),
        |Explained { span, window }| buckets_back(span.oldest_ns, window).to_string(),
    );
    let _ = write!(
        text,
        "  - metrics that are to accept old and new points in turn need an archive policy with \"back_window\": {needed} or more (it counts buckets of the coarsest granularity): gnocchi import --create --policy THAT_POLICY --resource OTHER {file}\n    The back window of an existing policy can be enlarged (PATCH /v1/archive_policy/NAME), but what its metrics reject by now they keep rejecting: their window grows with the points that come after the change."
    );
    text
}

/// Says what a metric accepts.
fn about_metric(late: &TooLate, Explained { span, window }: &Explained<'_>) -> String {
    let seconds = window.granularity.as_nanosecond() / NANOSECONDS_PER_SECOND;
    let MetricWindow {
        policy,
        back_window,
        ..
    } = window;
    let reaches = i64::try_from(*back_window).unwrap_or(i64::MAX);
    let grown = if buckets_back(span.oldest_ns, window) <= reaches {
        "; that back window would be long enough, but was shorter when the metric got its points"
    } else {
        ""
    };
    format!(
        "  {}: metric {} has archive policy {policy} (back_window {back_window} of {seconds} s) and a point of {} or newer; the file begins at {}{grown}.",
        late.file.display(),
        span.metric,
        shown(window.newest_block.as_nanosecond()),
        shown(span.oldest_ns),
    )
}

/// Quotes a path for a shell if it needs that.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use carbonara::{Timespan, Timestamp};

    use super::*;

    const HOUR_NS: i64 = 3600 * NANOSECONDS_PER_SECOND;

    fn window(newest_hour: i64) -> MetricWindow {
        MetricWindow {
            newest_block: Timestamp::from_nanosecond(newest_hour * HOUR_NS).unwrap(),
            granularity: Timespan::from_second(3600).unwrap(),
            policy: "medium".into(),
            back_window: 0,
        }
    }

    fn late(goes_back: bool) -> TooLate {
        TooLate {
            file: "old data.csv".into(),
            metric: "id".into(),
            sent: vec![Span {
                metric: "cpu".into(),
                oldest_ns: 90 * HOUR_NS - 1,
                newest_ns: 91 * HOUR_NS,
            }],
            points: 3,
            goes_back,
        }
    }

    fn target() -> Target {
        Target {
            resource: "web-1".into(),
            policy: None,
            create: false,
        }
    }

    #[test]
    fn the_back_window_that_fits_is_counted_in_buckets() {
        let needed = |oldest_ns| buckets_back(oldest_ns, &window(100));
        assert_eq!(needed(90 * HOUR_NS), 10);
        assert_eq!(needed(90 * HOUR_NS - 1), 11);
        assert_eq!(needed(200 * HOUR_NS), 0);
    }

    #[test]
    fn the_options_that_help_are_named() {
        let late_once = late(false);
        let explained = Explained {
            span: &late_once.sent[0],
            window: window(100),
        };
        let text = about(&late_once, Some(&explained), &target());
        for part in [
            "3 points were older than the back window",
            "stored (too_late)",
            "metric cpu has archive policy medium (back_window 0 of 3600 s)",
            "--create --policy POLICY --resource web-1-history 'old data.csv'",
            "\"back_window\": 11 or more",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("sort "), "{text}");
        assert!(!text.contains("long enough"), "{text}");
        let explained = Explained {
            window: MetricWindow {
                back_window: 11,
                ..window(100)
            },
            ..explained
        };
        let text = about(&late_once, Some(&explained), &target());
        assert!(text.contains("(back_window 11 of 3600 s)"), "{text}");
        assert!(
            text.contains("would be long enough, but was shorter"),
            "{text}"
        );
        let text = about(&late(true), None, &target());
        assert!(text.contains("sort it first"), "{text}");
        assert!(text.contains("\"back_window\": N or more"), "{text}");
    }

    #[test]
    fn paths_are_quoted_for_shells() {
        assert_eq!(shell_word(Path::new("a/b-1.csv")), "a/b-1.csv");
        assert_eq!(shell_word(Path::new("it's.csv")), r"'it'\''s.csv'");
    }
}
