//! What is wrong with a list of measures, and the measure that shows it.

use std::fmt;

use crate::api::request::schema::{Invalid, Path, shown_text};
use crate::api::response::explanation;
use crate::api::timestamp::{Style, TimestampError};

/// The longest text of a measure that is kept to be shown, in characters.
const TEXT_CHARACTERS_MAX: usize = 80;

/// How many faults of a list are explained at most. The rest is only counted as faults.
const EXPLAINED_MAX: usize = 100;

/// What is wrong with a list of measures. Of several, the first in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It is no list of objects, or one of them has no timestamp.
    Format,
    /// A timestamp cannot be used.
    Timestamp(TimestampError),
    /// A value is not a number.
    Value,
}

/// The texts that clients compare.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("unexpected measures format"),
            Self::Timestamp(error) => write!(f, "unexpected timestamp '{error}'"),
            Self::Value => f.write_str("unexpected measures value"),
        }
    }
}

/// What a client sent that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent {
    /// Nothing.
    Nothing,
    /// A number.
    Number(f64),
    /// A text, or its beginning.
    Text(String),
    /// A list, an object, or null.
    Other,
}

impl Sent {
    /// Keeps a text, as far as it is shown.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.chars().take(TEXT_CHARACTERS_MAX).collect())
    }
}

/// One thing that is wrong with a measure.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wrong {
    /// It is no object.
    NoObject,
    /// Its timestamp is missing, or of a type that timestamps do not have.
    NoTimestamp(Sent),
    /// Its timestamp cannot be used.
    Timestamp(TimestampError, Sent),
    /// Its timestamp is written in another way than those before it.
    Style { before: Style, found: Style },
    /// Its value is missing, or no number.
    Value(Sent),
}

impl Wrong {
    fn fault(&self) -> Fault {
        match self {
            Self::NoObject | Self::NoTimestamp(_) => Fault::Format,
            Self::Timestamp(error, _) => Fault::Timestamp(*error),
            Self::Style { .. } => Fault::Timestamp(TimestampError::Unparsable),
            Self::Value(_) => Fault::Value,
        }
    }
}

/// Explains it, as a sentence after the place of the measure.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject => f.write_str("not an object with a timestamp and a value"),
            Self::NoTimestamp(Sent::Nothing) => f.write_str("the timestamp is missing"),
            Self::NoTimestamp(_) => f.write_str("the timestamp is neither a text nor a number"),
            Self::Timestamp(error, Sent::Text(text)) => {
                f.write_str(&explanation::timestamp(text, *error))
            }
            Self::Timestamp(error, Sent::Number(seconds)) => {
                f.write_str(&explanation::seconds(*seconds, *error))
            }
            Self::Timestamp(..) => f.write_str("the timestamp cannot be used"),
            Self::Style { before, found } => write!(
                f,
                "the timestamp is {}, after {} in the same list; all timestamps of a list must be of one kind",
                style_name(*found),
                style_name(*before)
            ),
            Self::Value(Sent::Nothing) => f.write_str("the value is missing"),
            Self::Value(Sent::Text(text)) => {
                write!(f, "the value {} is not a number", shown_text(text))
            }
            Self::Value(_) => f.write_str("the value is not a number"),
        }
    }
}

fn style_name(style: Style) -> &'static str {
    match style {
        Style::Number => "a number of seconds",
        Style::Calendar => "a date, now or today",
        Style::Relative => "a duration added to now",
    }
}

/// The faults of one list.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The one that is reported, and the measure that shows it.
    worst: Option<(Fault, usize, Wrong)>,
    count: usize,
}

impl Faults {
    /// Returns whether what is wrong next should be kept to be shown; else a mere fault is enough.
    pub(super) fn wants_details(&self) -> bool {
        self.count < EXPLAINED_MAX
    }

    /// Keeps what is reported first.
    pub(super) fn add(&mut self, index: usize, wrong: Wrong) {
        self.count += 1;
        let fault = wrong.fault();
        if self.worst.as_ref().is_none_or(|(worst, ..)| fault < *worst) {
            self.worst = Some((fault, index, wrong));
        }
    }

    /// Returns what is wrong with the list at a place, if anything is.
    pub(super) fn report(self, path: &Path<'_>) -> Option<Invalid> {
        let (fault, index, wrong) = self.worst?;
        let more = match self.count {
            1 => String::new(),
            2 => " (and 1 more measure is wrong)".to_owned(),
            count => format!(" (and {} more measures are wrong)", count - 1),
        };
        let explanation = format!("measure at index {index}: {wrong}{more}");
        Some(path.invalid(fault.to_string()).explained(explanation))
    }
}
