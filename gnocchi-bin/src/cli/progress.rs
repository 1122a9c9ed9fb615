//! Progress of long work: a bar on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// How often a plain line reports the progress, in milliseconds.
const PLAIN_INTERVAL_MS: u64 = 5000;

/// What is counted beside the length of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Points sent.
    Points,
    /// Frames checked.
    Frames,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Frames => "frames",
        }
    }
}

/// How far some work is. Lines printed through it don't disturb the bar.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    unit: Unit,
    length: u64,
    position: AtomicU64,
    counted: AtomicU64,
    started: Instant,
    next_line_ms: AtomicU64,
}

impl Progress {
    /// Begins work of this length, whatever it is measured in; zero when the length is not known.
    pub(super) fn new(unit: Unit, length: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, template) = if length == 0 {
                (
                    ProgressBar::no_length(),
                    "{elapsed_precise} {spinner}  {msg}",
                )
            } else {
                let template = "{elapsed_precise} [{wide_bar}] {percent:>3}%  {msg}  {eta} left";
                (ProgressBar::new(length), template)
            };
            let style = ProgressStyle::with_template(template);
            bar.set_style(
                style
                    .expect("the template is well formed")
                    .progress_chars("=> "),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let (position, counted) = (AtomicU64::new(0), AtomicU64::new(0));
        let next_line_ms = AtomicU64::new(PLAIN_INTERVAL_MS);
        Self {
            bar,
            unit,
            length,
            position,
            counted,
            started: Instant::now(),
            next_line_ms,
        }
    }

    /// Adds finished work.
    pub(super) fn advance(&self, length: u64, counted: usize) {
        let counted = u64::try_from(counted).unwrap_or(u64::MAX);
        let position = self.position.fetch_add(length, Ordering::Relaxed) + length;
        let counted = self.counted.fetch_add(counted, Ordering::Relaxed) + counted;
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(self.rate(counted));
        } else if self.line_is_due() {
            let percent = (position.min(self.length) * 100)
                .checked_div(self.length)
                .map(|percent| format!("{percent}% · "))
                .unwrap_or_default();
            let left = self
                .time_left(position)
                .map(|left| format!(", {} left", HumanDuration(left)))
                .unwrap_or_default();
            eprintln!("{percent}{}{left}", self.rate(counted));
        }
    }

    /// Prints a line beside the bar.
    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Says that a part is done, where there is no bar to show it.
    pub(super) fn file_done(&self, text: &str) {
        if self.bar.is_none() {
            eprintln!("{text}");
        }
    }

    /// Ends the work.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let counted = self.counted.load(Ordering::Relaxed);
        eprintln!("{} in {:.1?}", self.rate(counted), self.started.elapsed());
    }

    fn rate(&self, counted: u64) -> String {
        let milliseconds = self.started.elapsed().as_millis().max(1);
        let rate = u64::try_from(u128::from(counted) * 1000 / milliseconds).unwrap_or(u64::MAX);
        format!(
            "{} {} · {}/s",
            HumanCount(counted),
            self.unit.name(),
            HumanCount(rate)
        )
    }

    fn time_left(&self, position: u64) -> Option<Duration> {
        if self.length == 0 {
            return None;
        }
        let left = u128::from(self.length.saturating_sub(position));
        let milliseconds =
            (self.started.elapsed().as_millis() * left).checked_div(u128::from(position))?;
        Some(Duration::from_millis(u64::try_from(milliseconds).ok()?))
    }

    fn line_is_due(&self) -> bool {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due_ms = self.next_line_ms.load(Ordering::Relaxed);
        let next_ms = now_ms.saturating_add(PLAIN_INTERVAL_MS);
        now_ms >= due_ms
            && self
                .next_line_ms
                .compare_exchange(due_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}
