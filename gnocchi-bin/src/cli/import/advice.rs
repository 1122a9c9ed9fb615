//! What can be done about points that are older than the back window of their metrics.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carbonara::constants::NANOSECONDS_PER_SECOND;

use super::client::{MetricWindow, Target};
use super::timestamp::shown;

/// The reason that the server gives for points that are too old.
pub(super) const TOO_LATE: &str = "too_late";

/// The first file with points that were too old, and how many there were in all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLate {
    pub(super) file: PathBuf,
    /// What was sent together, of which at least one metric had points that were too old.
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

impl MetricWindow {
    /// Returns whether the metric takes no point of this timestamp any more.
    pub(super) fn is_too_late(&self, timestamp_ns: i64) -> bool {
        u64::try_from(buckets_back(timestamp_ns, self)).unwrap_or_default() > self.back_window
    }
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
    let (file, points) = (late.file.display(), late.points);
    let plural = if points == 1 {
        "point was"
    } else {
        "points were"
    };
    let _ = writeln!(
        text,
        "{points} {plural} older than the back window of the metric and not taken (too_late). A metric takes points until its newest point is further ahead than the back window of its archive policy."
    );
    if let Some(Explained { span, window }) = explained {
        let seconds = window.granularity.as_nanosecond() / NANOSECONDS_PER_SECOND;
        let _ = writeln!(
            text,
            "  {file}: metric {} has archive policy {} (back_window {} of {seconds} s) and a point of {} or newer; the file begins at {}.",
            span.metric,
            window.policy,
            window.back_window,
            shown(window.newest_block.as_nanosecond()),
            shown(span.oldest_ns),
        );
    }
    let policy = target.policy.as_deref().unwrap_or("POLICY");
    let file = shell_word(&late.file);
    let _ = writeln!(text, "What helps:");
    if late.goes_back {
        let _ = writeln!(
            text,
            "  - {file} is too long to be sorted at once and not in the order of time: sort it first (for example: sort -t, -k1,1 {file} > sorted.csv), and import it into metrics that have no points yet."
        );
    }
    let _ = writeln!(
        text,
        "  - metrics that have no points yet take points of any age: gnocchi import --create --policy {policy} --resource {}-history {file}",
        target.resource
    );
    let needed = explained.map_or_else(
        || "N".to_owned(),
        |Explained { span, window }| buckets_back(span.oldest_ns, window).to_string(),
    );
    let _ = write!(
        text,
        "  - to go on with old and new points in turn, create the metrics with an archive policy that has \"back_window\": {needed} or more (it counts buckets of the coarsest granularity, and is fixed by the first points): gnocchi import --create --policy THAT_POLICY --resource OTHER {file}"
    );
    text
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
        assert!(window(100).is_too_late(99 * HOUR_NS));
        assert!(!window(100).is_too_late(100 * HOUR_NS));
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
            "metric cpu has archive policy medium (back_window 0 of 3600 s)",
            "--create --policy POLICY --resource web-1-history 'old data.csv'",
            "\"back_window\": 11 or more",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("sort "), "{text}");
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
